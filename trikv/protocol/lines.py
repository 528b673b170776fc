"""What a finished line means, a person's or a program's, and the lines of a program.

A person's line may be edited and hold telnet's commands: `telnet.LineReader` reads it. A program that speaks
RESP may send commands as lines too (``redis-cli -3 --pipe`` of plain text does). Those are read here, byte
for byte as in Redis' processInlineBuffer, and an empty one means nothing.
"""

import re
from typing import Final, TypeAlias

from trikv.protocol.events import BadBytes, EmptyLine, HttpRefused, Request, WireLimits
from trikv.protocol.quoting import split_line

LineMeaning: TypeAlias = Request | EmptyLine | HttpRefused | BadBytes

_EMPTY_LINES: Final = re.compile(rb"(?:\r?\n)+")
_HTTP: Final = re.compile(
    rb"""\s*(?:
        post(?:\s.*)?  # what Redis refuses anywhere: neither word is a command
      | host:.*
      | (?:get|head|put|patch|options|connect|trace|pri)[ \t]+\S+[ \t]+HTTP/\d+\.\d+\s*
      | [^\s"']+[ \t]+/\S*[ \t]+HTTP/\d+\.\d+\s*
    )""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
"""A request line (RFC 9112, section 3) or a header that no request lacks.

None of the methods named is a command that takes two arguments. The last line is for all other methods, which
a web page may choose freely (``DEL /config HTTP/1.1``). A browser's target begins with a slash, so
``set proto HTTP/1.1`` is no web request. In quotes anything can be typed.
"""
_HTTP_REFUSAL: Final = (
    b"HTTP/1.1 400 This is trikv: it speaks telnet and the Redis protocol, not HTTP\r\n\r\n"
)


def meaning_of(line: bytes, *, typed: bool) -> LineMeaning:
    """What `line`, given without its end, means. Quotes that do not match are fatal for a program only."""
    # A web page can make a browser send a request whose body is commands: none of them may run.
    if _HTTP.fullmatch(line) is not None:
        return HttpRefused(_HTTP_REFUSAL)
    args = split_line(line)
    if args is None:
        return BadBytes("Protocol error: unbalanced quotes in request", typed, fatal=not typed)
    return Request(tuple(args), typed) if args else EmptyLine()


class ProgramLines:
    """Reads the lines of a program, which stay in the buffer until they are whole."""

    def __init__(self, limits: WireLimits) -> None:
        self._limits = limits
        self._looked = 0
        """Bytes at the front of the buffer that are known to hold no end of a line, so that a long line which
        comes byte by byte is searched once."""

    def read(self, buffer: bytearray) -> LineMeaning | bool:
        """Take the next line off the front of `buffer`.

        True: there were only empty lines, and the next byte opens a new command. False: more bytes are
        needed.
        """
        empty = _EMPTY_LINES.match(buffer)
        if empty is not None:  # all at once: 64 KiB of them are one step
            del buffer[: empty.end()]
            self._looked = 0
            return True
        bytes_max = self._limits.line_bytes_max
        end = buffer.find(b"\n", self._looked, bytes_max + len(b"\r\n"))
        line_bytes = end if end >= 0 else len(buffer)
        if buffer.endswith(b"\r", 0, line_bytes):
            line_bytes -= 1
        if line_bytes > bytes_max:
            return BadBytes("Protocol error: too big inline request", False)
        if end < 0:
            self._looked = len(buffer)
            return False
        line = bytes(buffer[:line_bytes])
        del buffer[: end + 1]
        self._looked = 0
        meaning = meaning_of(line, typed=False)
        return True if isinstance(meaning, EmptyLine) else meaning
