"""Text that comes from the system, or goes there as bytes: paths, passwords, host names.

What a person gives in an argument or a variable is bytes, in whatever encoding; Python hands it over as text
that holds what it could not decode as lone surrogates (PEP 383, `os.fsdecode`). All of trikv keeps such text
in that form, whatever the locale, so that a path can be opened as it is. It must never meet a strict
``.encode()``: that raises, and in a conversation that would be the end of the node. `to_bytes` is the way
out, `LOSSLESS` the same for streams, and `of_utf8` the way in for text from a file that is UTF-8.
"""

import codecs
import os
import sys
from typing import Final

LOSSLESS: Final = "trikv.lossless"
"""An error handler for encoders that never fails. What came from the system as bytes that are no text leaves
as the same bytes; what the encoding lacks leaves as an escape, such as ``\\u2026``."""


def _escape(error: UnicodeError) -> tuple[bytes, int]:
    """Encode what `LOSSLESS` has to deal with; the bytes, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    parts = []
    for character in error.object[error.start : error.end]:
        code = ord(character)
        if 0xDC80 <= code <= 0xDCFF:  # how os.fsdecode holds a byte that is no text
            parts.append(bytes([code - 0xDC00]))
        else:
            parts.append(character.encode("ascii", "backslashreplace"))
    return b"".join(parts), error.end


codecs.register_error(LOSSLESS, _escape)


def to_bytes(text: str) -> bytes:
    """The bytes that the system, or a person, meant by `text`. Never raises."""
    return text.encode(sys.getfilesystemencoding(), LOSSLESS)


def of_utf8(text: str) -> str:
    """`text` of a file that is UTF-8, as the system would have handed it over: its bytes stay the same."""
    return os.fsdecode(text.encode("utf-8", LOSSLESS))


def check(text: str) -> None:
    """Raise ValueError where `text` can be no path, password or name: the half sentence says why."""
    if "\0" in text:
        raise ValueError(f"{text!r} holds a zero byte")
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        encoding = sys.getfilesystemencoding()
        raise ValueError(f"{text!r} cannot be written in this system's encoding, {encoding}") from None


def check_host(host: str) -> None:
    """Raise ValueError where `host` can be no name of a host, nor an address."""
    try:
        host.encode("idna")
    except UnicodeError:
        raise ValueError(f"{host!r} is no name of a host") from None
