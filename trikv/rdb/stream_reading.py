"""Streams, in the three versions of their form."""

from array import array
from bisect import bisect_left
from collections.abc import Generator, Iterator
from typing import Final

import attrs

from trikv.rdb.errors import DamagedError
from trikv.rdb.forms import STREAM_LISTPACKS, STREAM_LISTPACKS_3
from trikv.rdb.parts import GroupPart, Parts, PendingPart, StreamPart, StreamState
from trikv.rdb.source import Source
from trikv.rdb.steps import STEP_ELEMENTS
from trikv.rdb.stream_nodes import BEFORE_ALL, entries_of
from trikv.rdb.unique import Unique
from trikv.rdb.values import Consumer, Pending, StreamId
from trikv.size_notation import counted

_ID_BYTES: Final = 16
_UNKNOWN: Final = 2**64 - 1
"""What -1 is as a length: nobody knows how many entries a group has read."""
_COUNT_MAX: Final = 2**63 - 1
_NOBODY: Final = 0


def stream_parts(source: Source, number: int) -> Parts:
    """A stream of this type byte."""
    count, last = yield from _entries(source)
    yield _state(source, number, count, last)
    names = Unique("group")
    for _ in range(source.length()):
        yield from _group(source, number, names)
    yield from names.forgotten()


def _entries(source: Source) -> Generator[StreamPart | None, None, tuple[int, StreamId]]:
    """All entries; how many these are, and the greatest id in a node."""
    count, last = 0, BEFORE_ALL
    for _ in range(source.length()):
        offset = source.offset
        key = yield from source.text()
        if len(key) != _ID_BYTES:
            raise DamagedError(
                f"a node of a stream has an id of {counted(len(key), 'byte')}, not {_ID_BYTES}", offset
            )
        offset = source.offset
        node = yield from source.text()
        found = entries_of(node, id_of(key), last, offset)
        while True:
            try:
                entries = next(found)
            except StopIteration as end:
                last = end.value
                break
            count += len(entries or ())
            yield StreamPart(entries) if entries else None
    if not count:
        yield StreamPart([])
    return count, last


def id_of(raw: bytes) -> StreamId:
    """The id that these 16 bytes are."""
    return int.from_bytes(raw[:8], "big"), int.from_bytes(raw[8:], "big")


def _id(source: Source) -> StreamId:
    return source.length(), source.length()


def _state(source: Source, number: int, count: int, last: StreamId) -> StreamState:
    """What follows the nodes, which must fit their `count` entries up to id `last`."""
    offset = source.offset
    said, last_id = source.length(), _id(source)
    if said != count:
        raise DamagedError(
            f"a stream of {counted(count, 'entry', plural='entries')} says that it has {said}", offset
        )
    if last_id < last:
        raise DamagedError("a stream has an entry with a greater id than its last one", offset)
    if number == STREAM_LISTPACKS:
        return StreamState(last_id, (0, 0), count)
    _id(source)  # the first entry's, which has been seen
    max_deleted_id, added = _id(source), source.length()
    if max_deleted_id > last_id:
        raise DamagedError("a stream has deleted an entry with a greater id than its last one", offset)
    if not count <= added <= _COUNT_MAX:
        raise DamagedError(
            f"a stream of {counted(count, 'entry', plural='entries')} says that it was given {added}", offset
        )
    return StreamState(last_id, max_deleted_id, added)


@attrs.define
class _PendingTable:
    """The pending entries of a group: 36 bytes each, so that a million is no matter."""

    ids: bytearray = attrs.field(factory=bytearray)
    """Their ids as they are in the file, which ascend."""
    delivered_ms: "array[int]" = attrs.field(factory=lambda: array("q"))
    deliveries: "array[int]" = attrs.field(factory=lambda: array("q"))
    owners: "array[int]" = attrs.field(factory=lambda: array("I"))
    """The place of the owner, counted from 1."""

    def raw(self, place: int) -> bytes:
        """The id of the entry at a place."""
        return bytes(self.ids[place * _ID_BYTES : (place + 1) * _ID_BYTES])

    def place_of(self, raw: bytes, low: int) -> int:
        """Where this id is or would be, from place `low` on; what is near is found soon."""
        count, step = len(self.owners), 1
        while low + step < count and self.raw(low + step) < raw:
            low += step
            step *= 2
        return bisect_left(range(count), raw, lo=low, hi=min(low + step, count), key=self.raw)


def _group(source: Source, number: int, names: Unique) -> Parts:
    offset = source.offset
    name = yield from source.text()
    names.add((name,), offset)
    last_id, entries_read = _id(source), _UNKNOWN
    if number != STREAM_LISTPACKS:
        entries_read = source.length()
        if entries_read != _UNKNOWN and entries_read > _COUNT_MAX:
            raise DamagedError(f"a group has read {counted(entries_read, 'entry', plural='entries')}", offset)
    table = _PendingTable()
    yield from _pending(source, table)
    consumers: list[Consumer] = []
    of_consumers = Unique("consumer")
    for place in range(source.length()):
        offset = source.offset
        consumers.append((yield from _consumer(source, number)))
        of_consumers.add((consumers[-1].name,), offset)
        if not place % STEP_ELEMENTS:
            yield None
        yield from _owned(source, table, place + 1)
    yield from of_consumers.forgotten()
    group = GroupPart(name, last_id, None if entries_read == _UNKNOWN else entries_read, consumers)
    yield group
    yield from _joined(table, source)


def _pending(source: Source, table: _PendingTable) -> Iterator[None]:
    """Take the pending entries of a group, which have no owners yet."""
    last = b""
    for place in range(source.length()):
        offset = source.offset
        raw = source.take(_ID_BYTES)
        if raw <= last:
            raise DamagedError("the pending entries of a group do not ascend", offset)
        last = raw
        delivered_ms, deliveries = source.milliseconds(), source.length()
        if delivered_ms < 0 or deliveries > _COUNT_MAX:
            raise DamagedError(
                f"an entry was delivered {counted(deliveries, 'time')}, at {delivered_ms} ms", offset
            )
        table.ids += raw
        table.delivered_ms.append(delivered_ms)
        table.deliveries.append(deliveries)
        table.owners.append(_NOBODY)
        if not (place + 1) % STEP_ELEMENTS:
            yield


def _consumer(source: Source, number: int) -> Generator[None, None, Consumer]:
    offset = source.offset
    name = yield from source.text()
    seen_ms = source.milliseconds()
    active_ms = source.milliseconds() if number == STREAM_LISTPACKS_3 else seen_ms
    if seen_ms < 0 or active_ms < -1:
        raise DamagedError(f"a consumer was seen at {seen_ms} and active at {active_ms} ms", offset)
    return Consumer(name, seen_ms, None if active_ms < 0 else active_ms)


def _owned(source: Source, table: _PendingTable, owner: int) -> Iterator[None]:
    """Take the ids that a consumer owns, which must be pending in its group and nobody else's."""
    place, count = -1, len(table.owners)
    for taken in range(source.length()):
        offset = source.offset
        raw = source.take(_ID_BYTES)
        place += 1
        if place >= count or table.raw(place) != raw:  # runs of one consumer are found without a search
            place = table.place_of(raw, min(place, count))
        if place == count or table.raw(place) != raw:
            raise DamagedError(
                "a consumer owns an entry that is not pending in its group, or is behind", offset
            )
        if table.owners[place] != _NOBODY:
            raise DamagedError("two consumers own one pending entry", offset)
        table.owners[place] = owner
        if not (taken + 1) % STEP_ELEMENTS:
            yield


def _joined(table: _PendingTable, source: Source) -> Iterator[PendingPart]:
    """The pending entries with their owners, which each of them must have."""
    for start in range(0, len(table.owners), STEP_ELEMENTS):
        places = range(start, min(start + STEP_ELEMENTS, len(table.owners)))
        if _NOBODY in table.owners[start : places.stop]:
            raise DamagedError("a pending entry is no consumer's", source.offset)
        yield PendingPart(
            [
                Pending(
                    id_of(table.raw(place)),
                    table.owners[place] - 1,
                    table.delivered_ms[place],
                    table.deliveries[place],
                )
                for place in places
            ]
        )
