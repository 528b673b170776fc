"""What the log's records mean, and the log that they add up to.

`LogReplay` is the one definition of the log's contents. It is fed the records in the order in which they
were written. It is pure, so tests use it as the oracle for crashes, with and without files.
"""

from enum import IntEnum
from typing import TypeVar

import attrs
import msgspec

from trikv.raft.types import DiskId, Entry, EntryKind, HardState, NodeId, SnapshotMeta
from trikv.storage import frames

_T = TypeVar("_T")

FORMAT = 1
"""The format of the log. A newer one is refused; every older one stays readable (tests/formats)."""


class RecordKind(IntEnum):
    """Kinds of records. Values are part of the disk format."""

    SEGMENT = 1
    """Opens a segment, alone in its batch; carries a `SegmentHeader`."""
    ENTRY = frames.ENTRY_KIND
    """An entry of the replicated log, following the one before it."""
    HARD_STATE = 3
    """A `HardState`."""
    TRUNCATE = 4
    """Drop every entry at this index and above."""
    RESET = 5
    """Drop the whole log; it restarts after this `SnapshotMeta`."""
    BASE = 6
    """A snapshot at this `SnapshotMeta` is durable: entries up to it are no longer needed."""


@attrs.frozen
class WalIdentity:
    """Whose log this is; the same in every segment."""

    cluster: bytes
    node: NodeId
    disk: DiskId


class SegmentHeader(msgspec.Struct, frozen=True, array_like=True):
    """The first record of a segment: all that older segments would have told, so that they can go."""

    format: int
    cluster: bytes
    node: NodeId
    disk: DiskId
    sequence: int
    """The segment's own number, as in its file name."""
    hard_state: HardState
    base: SnapshotMeta
    last_index: int
    """Index of the last entry written before this segment."""


class Contradiction(Exception):  # noqa: N818 - read as a sentence: "raise Contradiction('...')"
    """A record whose checksum is right but which cannot follow what came before it."""


def encode(value: SegmentHeader | HardState | SnapshotMeta | int) -> bytes:
    """The payload of any record except an entry's: MessagePack."""
    return msgspec.msgpack.encode(value)


@attrs.define
class LogReplay:
    """The log as the records so far tell it."""

    identity: WalIdentity | None = None
    hard_state: HardState = attrs.Factory(HardState)
    base: SnapshotMeta | None = None
    first_index: int = 1
    """Index of `entries[0]`, or of the entry that would be there. It is beyond base + 1 if older segments are
    gone and the record that allowed their removal is still to come."""
    entries: list[Entry] = attrs.Factory(list)
    top_index: int = 0
    """The highest index that the present segment has held since its last reset."""
    resets: int = 0
    """How many resets the present segment has held."""

    @property
    def last_index(self) -> int:
        """Index of the last entry; the base's if there is none."""
        return self.first_index + len(self.entries) - 1

    def segment(self, payload: bytes, sequence: int) -> SegmentHeader:
        """Begin a segment with its header; the header repeats what the records before it said."""
        header = _decoded(payload, SegmentHeader)
        if header.format > FORMAT:
            raise Contradiction(
                f"its format is {header.format}, this program reads formats up to {FORMAT}; "
                "it was written by a newer version"
            )
        if header.sequence != sequence:
            raise Contradiction(f"it says it is segment {header.sequence}; the file was renamed or copied")
        identity = WalIdentity(header.cluster, header.node, header.disk)
        if self.identity is None:  # the oldest segment left: its header stands for all that were removed
            self.identity = identity
            self.hard_state = header.hard_state
            self.base = header.base
            self.first_index = header.last_index + 1
        told = (identity, header.hard_state, header.base, header.last_index)
        if told != (self.identity, self.hard_state, self.base, self.last_index):
            raise Contradiction("its header does not continue the segment before it")
        self.top_index = self.resets = 0
        return header

    def record(self, kind: int, payload: bytes) -> None:
        """Apply one record that is not a segment's header. Raises Contradiction or BadFrame."""
        match kind:
            case RecordKind.ENTRY:
                self._append(*frames.entry_fields(payload))
            case RecordKind.HARD_STATE:
                self.hard_state = _decoded(payload, HardState)
            case RecordKind.TRUNCATE:
                self._truncate(_decoded(payload, int))
            case RecordKind.RESET:
                self.base = _decoded(payload, SnapshotMeta)
                self.first_index = self.base.index + 1
                self.entries = []
                self.top_index = 0
                self.resets += 1
            case RecordKind.BASE:
                self._compact(_decoded(payload, SnapshotMeta))
            case _:
                raise Contradiction(f"a record of kind {kind} has no place here")

    def finish(self) -> None:
        """Check, after the last record, that no entry above the base is missing. Raises Contradiction."""
        assert self.base is not None, "a log has at least one segment header"
        if self.first_index != self.base.index + 1:
            raise Contradiction(
                f"the log is complete only up to index {self.base.index} and again from "
                f"{self.first_index}: an older segment is missing"
            )

    def _append(self, index: int, term: int, kind: int, payload: bytes) -> None:
        if index != self.last_index + 1:
            raise Contradiction(f"entry {index} follows entry {self.last_index}")
        if self.entries and term < self.entries[-1].term:
            raise Contradiction(f"entry {index} has a term below the entry before it")
        try:
            entry_kind = EntryKind(kind)
        except ValueError:
            raise Contradiction(f"entry {index} is of the unknown kind {kind}") from None
        self.entries.append(Entry(index, term, entry_kind, payload))
        self.top_index = max(self.top_index, index)

    def _truncate(self, index: int) -> None:
        assert self.base is not None
        if not self.base.index < index <= self.last_index + 1:
            raise Contradiction(f"entries from {index} on are dropped, the log ends at {self.last_index}")
        del self.entries[max(0, index - self.first_index) :]
        self.first_index = min(self.first_index, index)

    def _compact(self, meta: SnapshotMeta) -> None:
        assert self.base is not None
        if not self.base.index <= meta.index <= self.last_index:
            raise Contradiction(
                f"the log is compacted up to {meta.index}, it spans {self.base.index} to {self.last_index}"
            )
        self.base = meta
        gone = meta.index + 1 - self.first_index
        if gone > 0:
            if self.entries[gone - 1].term != meta.term:
                raise Contradiction(
                    f"the log is compacted up to {meta.index} in a term that is not the entry's"
                )
            del self.entries[:gone]
            self.first_index = meta.index + 1


def _decoded(payload: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.msgpack.decode(payload, type=kind)
    except msgspec.MsgspecError as error:
        raise Contradiction(f"a {kind.__name__} record does not decode: {error}") from None
