"""Redis' glob patterns, matched in bounded time whatever the pattern is.

Every part between stars matches a fixed number of bytes, so after a star the leftmost match of a part is
always as good as a later one. So each part is searched once, from the end of the one before it, and only the
last must match at the text's end. The work is at most the product of pattern and text length; that of a naive
matcher is exponential. Parts without ``?`` and ``[...]``, which nearly all are, are found by `bytes.find`.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

import attrs

from trikv.machine.replies import CommandError

PATTERN_BYTES_MAX: Final = 1024
"""A pattern of this length that consists of classes takes some 20 ms to prepare. One of megabytes would stop
a node for minutes."""

_STAR = b"*"
_ANY = frozenset(range(256))
_Byte: TypeAlias = frozenset[int]
"""The bytes that one place of a pattern matches."""


def too_long(size: int) -> CommandError | None:
    """The refusal of patterns of `size` bytes in all; None if they are short enough."""
    if size <= PATTERN_BYTES_MAX:
        return None
    return CommandError(f"ERR the pattern is too long: {size} of {PATTERN_BYTES_MAX} bytes")


def matcher(pattern: bytes) -> Callable[[bytes], bool]:
    """A function that says whether `pattern` matches a byte string. Ask `too_long` first: this takes time."""
    parts = [_part(places) for places in _split(pattern)]
    if len(parts) == 1:
        only = parts[0]
        return lambda text: len(text) == only.size and only.is_at(text, 0)
    first, middle, last = parts[0], tuple(part for part in parts[1:-1] if part.size), parts[-1]
    if isinstance(first, _Literal) and not middle and isinstance(last, _Literal):
        return _of_ends(first.text, last.text)
    return _Starred(first, middle, last).matches


def _of_ends(first: bytes, last: bytes) -> Callable[[bytes], bool]:
    """For ``user:*``, ``*.tmp`` and the like, which most patterns are: in a tenth of the time."""
    if not last:
        return lambda text: text.startswith(first)
    least = len(first) + len(last)
    return lambda text: len(text) >= least and text.startswith(first) and text.endswith(last)


@attrs.frozen
class _Literal:
    """A part in which each place matches one byte."""

    text: bytes
    size: int

    def is_at(self, text: bytes, position: int) -> bool:
        return text.startswith(self.text, position)

    def find(self, text: bytes, position: int, end: int) -> int:
        """Where it begins at `position` or later, ending at `end` at the latest; -1 if nowhere."""
        return text.find(self.text, position, end)


@attrs.frozen
class _Classes:
    """A part in which a place may match several bytes."""

    expression: re.Pattern[bytes]
    size: int

    def is_at(self, text: bytes, position: int) -> bool:
        return self.expression.match(text, position) is not None

    def find(self, text: bytes, position: int, end: int) -> int:
        """Where it begins at `position` or later, ending at `end` at the latest; -1 if nowhere."""
        found = self.expression.search(text, position, end)
        return -1 if found is None else found.start()


_Part: TypeAlias = _Literal | _Classes


@attrs.frozen
class _Starred:
    """A pattern with at least one star: what texts begin with, what comes between, what they end with."""

    first: _Part
    middle: tuple[_Part, ...]
    last: _Part

    def matches(self, text: bytes) -> bool:
        position, end = self.first.size, len(text) - self.last.size
        if end < position or not (self.first.is_at(text, 0) and self.last.is_at(text, end)):
            return False
        for part in self.middle:
            position = part.find(text, position, end)
            if position < 0:
                return False
            position += part.size
        return True


def _part(places: list[_Byte]) -> _Part:
    if all(len(place) == 1 for place in places):
        return _Literal(bytes(byte for place in places for byte in place), len(places))
    return _Classes(re.compile(b"".join(map(_expression, places)), re.DOTALL), len(places))


def _expression(place: _Byte) -> bytes:
    if place == _ANY:
        return b"."
    if not place:
        return b"(?!)"
    return b"[" + b"".join(b"\\x%02x-\\x%02x" % ends for ends in _ranges(sorted(place))) + b"]"


def _ranges(members: list[int]) -> Iterator[tuple[int, int]]:
    """The first and last of each run of neighbours."""
    first = last = members[0]
    for byte in members[1:]:
        if byte != last + 1:
            yield first, last
            first = byte
        last = byte
    yield first, last


def _split(pattern: bytes) -> list[list[_Byte]]:
    """The parts between the stars, each a list of what its places match."""
    parts: list[list[_Byte]] = [[]]
    position = 0
    while position < len(pattern):
        byte = pattern[position : position + 1]
        position += 1
        if byte == _STAR:
            parts.append([])
        elif byte == b"?":
            parts[-1].append(_ANY)
        elif byte == b"[":
            place, position = _class(pattern, position)
            parts[-1].append(place)
        else:
            if byte == b"\\" and position < len(pattern):
                byte = pattern[position : position + 1]
                position += 1
            parts[-1].append(frozenset(byte))
    return parts


def _class(pattern: bytes, position: int) -> tuple[_Byte, int]:
    """What a ``[...]`` matches, whose inside starts at `position`, and the position behind it.

    As in Redis, an unclosed class ends with the pattern, a range may be written backwards, and ``[]``
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
    return (_ANY - members if negated else frozenset(members)), position + 1
