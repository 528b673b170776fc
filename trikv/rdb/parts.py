"""Values as they are read: parts of at most `trikv.rdb.steps.STEP_ELEMENTS` elements.

The first part says of which type the value is; it may be empty. All parts of a value are of that type, except
that those of a stream come in this order: entries, then its state, then for each group the group and what is
pending in it.
"""

from collections.abc import Iterator
from typing import TypeAlias

import attrs

from trikv.rdb.values import Consumer, Entry, Pending, StreamId, String


@attrs.frozen
class ListPart:
    """Elements of a list, behind those of the parts before it."""

    elements: list[bytes]


@attrs.frozen
class SetPart:
    """Members of a set."""

    members: list[bytes]


@attrs.frozen
class SortedSetPart:
    """Members of a sorted set with their scores, in no order that may be relied on."""

    members: list[tuple[bytes, float]]


@attrs.frozen
class HashPart:
    """Fields of a hash with their values."""

    fields: list[tuple[bytes, bytes]]


@attrs.frozen
class StreamPart:
    """Entries of a stream, in the order of their ids."""

    entries: list[Entry]


@attrs.frozen
class StreamState:
    """What a stream knows besides its entries; all of these have come before it."""

    last_id: StreamId
    max_deleted_id: StreamId
    entries_added: int


@attrs.frozen
class GroupPart:
    """A group of a stream with its consumers. What is pending in it follows."""

    name: bytes
    last_id: StreamId
    entries_read: int | None
    consumers: list[Consumer]


@attrs.frozen
class PendingPart:
    """Pending entries of the group that came last, in the order of their ids."""

    pending: list[Pending]


Part: TypeAlias = (
    String
    | ListPart
    | SetPart
    | SortedSetPart
    | HashPart
    | StreamPart
    | StreamState
    | GroupPart
    | PendingPart
)
Parts: TypeAlias = Iterator[Part | None]
"""The parts of one value, one step each; None: a step that brought nothing."""
