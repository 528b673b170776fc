"""Streams on the way out, in versions 2 and 3 of their form."""

from collections.abc import Generator
from typing import Final

from trikv.rdb import encoding
from trikv.rdb.errors import UnsupportedError
from trikv.rdb.forms import STREAM_LISTPACKS_3
from trikv.rdb.steps import STEP_BYTES, STEP_ELEMENTS
from trikv.rdb.stream_nodes import NODE_BYTES_MAX, NODE_ENTRIES_MAX, NodePacking, size_in_node
from trikv.rdb.values import Entry, Group, Many, Stream, StreamId

_UNKNOWN: Final = 2**64 - 1


def stream_pieces(stream: Stream, number: int, *, compress: bool) -> Generator[bytes, None, None]:
    """What follows the type byte `number` of this stream, in steps."""
    first: StreamId = (0, 0)
    nodes = 0
    for place, (entry, is_new) in enumerate(_in_nodes(stream.entries)):
        if place == 0:
            first = entry[0]
        nodes += is_new
        if not (place + 1) % STEP_ELEMENTS:
            yield b""
    yield encoding.length(nodes)
    yield from _node_pieces(stream.entries, compress=compress)
    yield b"".join(
        [
            encoding.length(len(stream.entries)),
            *_id(stream.last_id),
            *_id(first),
            *_id(stream.max_deleted_id),
            encoding.length(stream.entries_added),
            encoding.length(len(stream.groups)),
        ]
    )
    for group in stream.groups:
        yield from _group(group, number, compress=compress)


def _in_nodes(entries: Many[Entry]) -> Generator[tuple[Entry, bool], None, None]:
    """All entries, and whether a node begins with each. The same each time."""
    count, size, last = 0, 0, (-1, -1)
    for entry in entries:
        if entry[0] <= last:
            raise UnsupportedError(f"the stream's entry {entry[0]} is behind {last}")
        last = entry[0]
        more = size_in_node(entry[1])
        is_new = not count or count >= NODE_ENTRIES_MAX or size + more > NODE_BYTES_MAX
        if is_new:
            count, size = 0, 0
        count += 1
        size += more
        yield entry, is_new


def _node_pieces(entries: Many[Entry], *, compress: bool) -> Generator[bytes, None, None]:
    node = None
    for entry, is_new in _in_nodes(entries):
        if is_new:
            if node is not None:
                yield from _node(node, compress=compress)
            node = NodePacking(entry[0])
        assert node is not None, "the first entry begins one"
        for _ in node.add(entry):
            yield b""
    if node is not None:
        yield from _node(node, compress=compress)


def _node(node: NodePacking, *, compress: bool) -> Generator[bytes, None, None]:
    yield encoding.length(16) + raw_id(node.master)
    yield from encoding.string(node.made(), compress=compress)


def raw_id(id_: StreamId) -> bytes:
    """The 16 bytes that an id is."""
    return id_[0].to_bytes(8, "big") + id_[1].to_bytes(8, "big")


def _id(id_: StreamId) -> tuple[bytes, bytes]:
    return encoding.length(id_[0]), encoding.length(id_[1])


def _group(group: Group, number: int, *, compress: bool) -> Generator[bytes, None, None]:
    """A group: all that is pending by id, then the ids by consumer. So all ids are kept, 16 bytes each."""
    yield from encoding.string(group.name, compress=compress)
    read = _UNKNOWN if group.entries_read is None else group.entries_read
    made = [*_id(group.last_id), encoding.length(read), encoding.length(len(group.pending))]
    owned = [bytearray() for _ in group.consumers]
    for place, pending in enumerate(group.pending):
        raw = raw_id(pending.id)
        owned[pending.consumer] += raw
        made += (raw, encoding.milliseconds(pending.delivered_ms), encoding.length(pending.deliveries))
        if not (place + 1) % STEP_ELEMENTS:
            yield b"".join(made)
            made = []
    made.append(encoding.length(len(group.consumers)))
    yield b"".join(made)
    for consumer, ids in zip(group.consumers, owned, strict=True):
        yield from encoding.string(consumer.name, compress=compress)
        yield encoding.milliseconds(consumer.seen_ms)
        if number == STREAM_LISTPACKS_3:
            yield encoding.milliseconds(-1 if consumer.active_ms is None else consumer.active_ms)
        yield encoding.length(len(ids) // 16)
        for start in range(0, len(ids), STEP_BYTES):
            yield bytes(ids[start : start + STEP_BYTES])
