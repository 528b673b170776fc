"""What a key holds in the checkers' model: a string, or a `Collection` of elements.

A meaning works on plain lists, sets and dicts. A `Collection` is what is kept between two commands: it cannot
be changed, and equal ones have equal hashes, so that the search may remember states.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import attrs

PACKED_ELEMENTS_MAX, PACKED_BYTES_MAX = 128, 64
"""Redis' thresholds: a value of more elements, or of a longer one, is not kept in a listpack any more."""


class Scores(dict[bytes, float]):
    """A sorted set: the score of each member."""

    def in_order(self) -> list[tuple[bytes, float]]:
        """Members and scores, by score and then by name."""
        return sorted(self.items(), key=lambda pair: (pair[1], pair[0]))


class Fields(dict[bytes, bytes]):
    """A hash: the value of each field. Change it by `put` and `drop` alone, which know the deadlines."""

    def __init__(
        self,
        values: Mapping[bytes, bytes] | Iterable[tuple[bytes, bytes]] = (),
        deadlines: Mapping[bytes, int] | Iterable[tuple[bytes, int]] = (),
    ) -> None:
        super().__init__(values)
        self.deadlines = dict(deadlines)
        """When fields expire, in ms of log time; a field without a deadline is not in it."""

    def put(self, field: bytes, value: bytes, deadline: int = 0) -> None:
        """Give a field this value and deadline, 0 for none, whatever it had before."""
        self.drop(field)
        self[field] = value
        if deadline:
            self.deadlines[field] = deadline

    def drop(self, field: bytes) -> int:
        """Remove a field; 1 if it was there, else 0."""
        self.deadlines.pop(field, None)
        return int(self.pop(field, None) is not None)


Plain: TypeAlias = list[bytes] | set[bytes] | Fields | Scores


@attrs.frozen(cache_hash=True)
class Collection:
    """A list, set, hash or sorted set, and whether it has become too large for a listpack."""

    kind: str
    """What TYPE answers."""
    elements: tuple[Any, ...]
    """Strings, or pairs of a name and what belongs to it; in their order, or by name if they have none."""
    is_large: bool
    """Whether it has, or once had, more or longer elements than fit, or one with a deadline. It stays so."""
    deadlines: tuple[tuple[bytes, int], ...] = ()
    """The deadlines of a hash's fields in ms of log time, by name."""

    @classmethod
    def of(cls, plain: Plain, *, is_large: bool = False) -> "Collection":
        """The same elements. A score of -0 is kept as 0."""
        is_large = is_large or len(plain) > PACKED_ELEMENTS_MAX or _has_long(plain)
        match plain:
            case Scores():
                pairs = tuple(sorted((member, score + 0.0) for member, score in plain.items()))
                return cls("zset", pairs, is_large)
            case Fields():
                deadlines = tuple(sorted(plain.deadlines.items()))
                return cls("hash", tuple(sorted(plain.items())), is_large or bool(deadlines), deadlines)
            case set():
                return cls("set", tuple(sorted(plain)), is_large)
            case list():
                return cls("list", tuple(plain), is_large)


Value: TypeAlias = bytes | Collection


def kind_of(value: Value) -> str:
    """What TYPE answers."""
    return value.kind if isinstance(value, Collection) else "string"


def strings_in(elements: object) -> Iterator[bytes]:
    """All strings in elements, pairs included."""
    if isinstance(elements, bytes):
        yield elements
    elif isinstance(elements, tuple | list | set):
        for element in elements:
            yield from strings_in(element)


def _has_long(plain: Plain) -> bool:
    elements = list(plain.items()) if isinstance(plain, dict) else plain
    return any(len(text) > PACKED_BYTES_MAX for text in strings_in(elements))
