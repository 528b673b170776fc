"""Redis' glob patterns, translated to regular expressions that cannot blow up.

Every part between stars matches a fixed number of bytes, so after a star the leftmost match of a part is
always as good as a later one. Each such part therefore becomes an atomic group (``(?>.*?part)``) that is
never tried again, and only the last one, tied to the end, may move: the work is at most the product of
pattern and text length, where a naive translation is exponential.
"""

import re
from collections.abc import Callable

_ANY = b"(?s:.)"
_STAR = b"*"


def matcher(pattern: bytes) -> Callable[[bytes], object]:
    """A function that is true (in the sense of ``if``) for the byte strings that `pattern` matches."""
    return re.compile(_translate(pattern)).fullmatch


def _translate(pattern: bytes) -> bytes:
    segments: list[list[bytes]] = [[]]
    position = 0
    while position < len(pattern):
        byte = pattern[position : position + 1]
        position += 1
        if byte == _STAR:
            segments.append([])
            continue
        if byte == b"?":
            part = _ANY
        elif byte == b"[":
            part, position = _class(pattern, position)
        else:
            if byte == b"\\" and position < len(pattern):
                byte = pattern[position : position + 1]
                position += 1
            part = re.escape(byte)
        segments[-1].append(part)
    first, *rest = (b"".join(segment) for segment in segments)
    if not rest:
        return first
    *middle, last = rest
    return first + b"".join(b"(?>(?s:.*?)" + part + b")" for part in middle if part) + b"(?s:.*)" + last


def _class(pattern: bytes, position: int) -> tuple[bytes, int]:
    """The expression for a ``[...]`` whose inside starts at `position`, and where it ends.

    As in Redis: an unclosed class ends with the pattern, a range may be written backwards, and ``[]``
    matches nothing.
    """
    negated = pattern[position : position + 1] == b"^"
    if negated:
        position += 1
    members: set[int] = set()
    while position < len(pattern) and pattern[position] != ord("]"):
        if pattern[position] == ord("\\") and position + 1 < len(pattern):
            members.add(pattern[position + 1])
            position += 2
        elif position + 2 < len(pattern) and pattern[position + 1] == ord("-"):
            low, high = sorted((pattern[position], pattern[position + 2]))
            members.update(range(low, high + 1))
            position += 3
        else:
            members.add(pattern[position])
            position += 1
    chosen = [byte for byte in range(256) if (byte in members) != negated]
    if not chosen:
        return b"(?!)", position + 1
    return b"[" + b"".join(b"\\x%02x" % byte for byte in chosen) + b"]", position + 1
