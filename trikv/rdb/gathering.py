"""A whole value from its parts, for those who know that it is small; tests compare these."""

from collections.abc import Iterable, Iterator

from trikv.rdb.parts import (
    GroupPart,
    HashPart,
    ListPart,
    Part,
    PendingPart,
    SetPart,
    SortedSetPart,
    StreamPart,
    StreamState,
)
from trikv.rdb.values import Group, Hash, List, Set, SortedSet, Stream, String, Value


def gathered(parts: Iterable[Part | None]) -> Value:
    """The value that all these are the parts of. Raises what reading them raises."""
    kept = [part for part in parts if part is not None]
    match kept[0]:
        case String() as string:
            return string
        case ListPart():
            return List([one for part in kept if isinstance(part, ListPart) for one in part.elements])
        case SetPart():
            return Set([one for part in kept if isinstance(part, SetPart) for one in part.members])
        case SortedSetPart():
            return SortedSet(
                [one for part in kept if isinstance(part, SortedSetPart) for one in part.members]
            )
        case HashPart():
            return Hash([one for part in kept if isinstance(part, HashPart) for one in part.fields])
        case _:
            return _stream(kept)


def _stream(parts: list[Part]) -> Stream:
    [state] = [part for part in parts if isinstance(part, StreamState)]
    return Stream(
        [entry for part in parts if isinstance(part, StreamPart) for entry in part.entries],
        state.last_id,
        state.max_deleted_id,
        state.entries_added,
        list(_groups(parts)),
    )


def _groups(parts: list[Part]) -> Iterator[Group]:
    for place, part in enumerate(parts):
        if isinstance(part, GroupPart):
            pending = []
            for behind in parts[place + 1 :]:
                if not isinstance(behind, PendingPart):
                    break
                pending += behind.pending
            yield Group(part.name, part.last_id, part.entries_read, part.consumers, pending)
