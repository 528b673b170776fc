"""Values as they are written, and as `gathered` gives them.

A value has its elements as `Many`: a list or a tuple is one, and so is anything else that knows how many it
has and goes over them again each time it is asked. So a value of millions needs no copy.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

import attrs

T_co = TypeVar("T_co", covariant=True)


class Many(Protocol[T_co]):
    """Elements that are counted, and gone over from the first one each time. They must stay the same."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[T_co]: ...


StreamId: TypeAlias = tuple[int, int]
"""Milliseconds and number of an entry, both from 0 to 2**64 - 1."""
Entry: TypeAlias = tuple[StreamId, Sequence[bytes]]
"""An entry of a stream: its id, then fields and values in turns."""


class Pending(NamedTuple):
    """An entry that a consumer has got and not acknowledged. It may be deleted from its stream."""

    id: StreamId
    consumer: int
    """The owner's place among the group's consumers."""
    delivered_ms: int
    """When it was delivered last, in milliseconds since 1970."""
    deliveries: int
    """How often."""


@attrs.frozen
class Consumer:
    """One of a group."""

    name: bytes
    seen_ms: int
    """When it last tried to read, in milliseconds since 1970."""
    active_ms: int | None
    """When it last got something; None: never. Before version 3 of the form nobody knows; it is `seen_ms`."""


@attrs.frozen
class Group:
    """A group of a stream's consumers."""

    name: bytes
    last_id: StreamId
    """What was delivered last."""
    entries_read: int | None
    """How many entries of the stream it is past; None if nobody knows, which lags follow from."""
    consumers: Sequence[Consumer]
    pending: Many[Pending]
    """In the order of their ids."""


@attrs.frozen
class String:
    """A string, and as a part all of it."""

    data: bytes


@attrs.frozen
class List:
    """A list, from its head."""

    elements: Many[bytes]


@attrs.frozen
class Set:
    """A set, in any order."""

    members: Many[bytes]


@attrs.frozen
class SortedSet:
    """A sorted set, in any order; no score is NaN."""

    members: Many[tuple[bytes, float]]


@attrs.frozen
class Hash:
    """A hash, in any order."""

    fields: Many[tuple[bytes, bytes]]
    has_deadlines: bool = False
    """Whether some field has one. Then it cannot be written."""


@attrs.frozen
class Stream:
    """A stream. Its first id is that of its first entry, or 0-0."""

    entries: Many[Entry]
    """In the order of their ids."""
    last_id: StreamId
    """The greatest id that it ever had; that entry may be deleted."""
    max_deleted_id: StreamId
    """The greatest id that was deleted, or 0-0."""
    entries_added: int
    """How many it ever had."""
    groups: Sequence[Group] = ()


Value: TypeAlias = String | List | Set | SortedSet | Hash | Stream
