r"""Arguments in quotes, so that any bytes can be typed. Source: Redis' sdssplitargs, which redis-cli uses.

The reverse is `render.quote`: what a reply shows in quotes can be typed back in.
"""

import re
from typing import Final

_NEEDS_CARE: Final = re.compile(rb"[\"'\x00\v\f]")
_BLANK: Final = frozenset(b" \t\n\v\f\r\0")
_TOKEN_END: Final = frozenset(b" \t\n\r\0")
_DOUBLE, _SINGLE, _BACKSLASH = 0x22, 0x27, 0x5C
_ESCAPES: Final = {0x6E: 0x0A, 0x72: 0x0D, 0x74: 0x09, 0x62: 0x08, 0x61: 0x07}
_HEX_ESCAPE: Final = re.compile(rb"x[0-9a-fA-F]{2}")


def split_line(line: bytes) -> list[bytes] | None:
    r"""Take a line apart into arguments as redis-cli does; None if quotes do not match.

    ``"..."`` knows ``\xNN \n \r \t \b \a`` and a backslash before any other byte means that byte; ``'...'``
    knows ``\'`` alone. A closing quote must be followed by a blank or the end. A NUL counts as a blank.
    """
    if _NEEDS_CARE.search(line) is None:
        return line.split()
    args: list[bytes] = []
    at = 0
    while True:
        while at < len(line) and line[at] in _BLANK:
            at += 1
        if at == len(line):
            return args
        arg = bytearray()
        while at < len(line) and line[at] not in _TOKEN_END:
            quote = line[at]
            at += 1
            if quote not in (_DOUBLE, _SINGLE):
                arg.append(quote)
                continue
            end = _read_quoted(line, at, quote, arg)
            if end is None or (end < len(line) and line[end] not in _BLANK):
                return None
            at = end
            break
        args.append(bytes(arg))


def _read_quoted(line: bytes, at: int, quote: int, arg: bytearray) -> int | None:
    """Append what the quotes opened before `at` hold; return the place behind them, None without an end."""
    while at < len(line):
        byte = line[at]
        at += 1
        if byte == quote:
            return at
        if byte == _BACKSLASH and at < len(line):
            if quote == _SINGLE:
                if line[at] == _SINGLE:
                    byte = _SINGLE
                    at += 1
            elif _HEX_ESCAPE.match(line, at) is not None:
                byte = int(line[at + 1 : at + 3], 16)
                at += 3
            else:
                byte = _ESCAPES.get(line[at], line[at])
                at += 1
        arg.append(byte)
    return None
