"""Text that comes from the system, or goes there as bytes: paths, passwords, host names.

A person's argument or variable is bytes, in any encoding. Python gives it to us as text that holds the bytes
it could not decode as lone surrogates (PEP 383, `os.fsdecode`). All of trikv keeps such text in that form,
whatever the locale is, so that a path can be opened. Nothing may call a strict ``.encode()`` on it: that
raises, and in a conversation it would end the node. `to_bytes` is the way out, `LOSSLESS` the same for
streams, and `of_utf8` the way in for text from a file that is UTF-8.
"""

import codecs
import os
import sys
from typing import Final

LOSSLESS: Final = "trikv.lossless"
"""An error handler for encoders that never fails. Bytes of the system that are no text leave as the same
bytes. Characters that the encoding lacks leave as an escape, such as ``\\u2026``."""


def _escape(error: UnicodeError) -> tuple[bytes, int]:
    """Encode the characters that the encoding refused; return the bytes, and the position to go on at."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    parts = []
    for character in error.object[error.start : error.end]:
        code = ord(character)
        if 0xDC80 <= code <= 0xDCFF:  # in this range os.fsdecode holds bytes that are no text
            parts.append(bytes([code - 0xDC00]))
        else:
            parts.append(character.encode("ascii", "backslashreplace"))
    return b"".join(parts), error.end


codecs.register_error(LOSSLESS, _escape)


def to_bytes(text: str) -> bytes:
    """The bytes of `text` in the system's encoding: the same that a person gave. Never raises."""
    return text.encode(sys.getfilesystemencoding(), LOSSLESS)


def of_utf8(text: str) -> str:
    """`text` of a file that is UTF-8, in the form of the system's text: its bytes stay the same."""
    return os.fsdecode(text.encode("utf-8", LOSSLESS))


def check(text: str) -> None:
    """Raise ValueError if `text` can be no path, password or name, with half a sentence that says why."""
    if "\0" in text:
        raise ValueError(f"{text!r} holds a zero byte")
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        encoding = sys.getfilesystemencoding()
        raise ValueError(f"{text!r} cannot be written in this system's encoding, {encoding}") from None


def check_host(host: str) -> None:
    """Raise ValueError if `host` can be neither a host's name nor an address."""
    try:
        host.encode("idna")
    except UnicodeError:
        raise ValueError(f"{host!r} is no name of a host") from None
