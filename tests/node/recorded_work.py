"""Works that remember what came of them, and a machine that stands for the committed log."""

import attrs
import msgspec

from tests.machine.driving import whole
from trikv.front.seam import Work
from trikv.machine.batch import Batch, Bootstrap, Item
from trikv.machine.machine import Machine
from trikv.machine.outcomes import Outcome
from trikv.machine.replies import CommandError, Reply
from trikv.raft.types import Entry, EntryKind, Membership

ORIGIN = 1
_raw = msgspec.msgpack.Decoder(msgspec.Raw).decode


class Asked:
    """A work and every outcome it was given, in order."""

    def __init__(
        self, *commands: tuple[bytes, ...], writes: bool = True, db: int = 0, joins: bool = True
    ) -> None:
        self.outcomes: list[list[Reply] | CommandError] = []
        size = sum(len(word) for command in commands for word in command) if writes and joins else 0
        self.work = Work(db, commands, (), writes, self.outcomes.append, self.outcomes.append, size)

    @property
    def code(self) -> str:
        """``OK`` for replies, an error's first word, or nothing while it waits."""
        if not self.outcomes:
            return ""
        (outcome,) = self.outcomes  # more than one would be a broken promise
        return outcome.text.split()[0] if isinstance(outcome, CommandError) else "OK"


def appending(number: int) -> Asked:
    """A write whose every application leaves a mark."""
    return Asked((b"APPEND", b"log", b"%d," % number))


@attrs.define
class CommittedLog:
    """What a cluster has committed, and the state a replica without lag has of it."""

    entries: list[Entry] = attrs.field(factory=list)
    machine: Machine = attrs.field(factory=Machine)

    def __attrs_post_init__(self) -> None:
        """The log begins as a founder's does: members, then settings."""
        self._append(EntryKind.MEMBERSHIP, msgspec.msgpack.encode(Membership(())))
        self.commit(Bootstrap(0))

    def commit(self, *items: Item | bytes) -> int:
        """Commit one batch; its index."""
        encoded = [item if isinstance(item, bytes) else msgspec.msgpack.encode(item) for item in items]
        decoded = Batch(1_000, 7, tuple(msgspec.msgpack.decode(item, type=Item) for item in encoded))
        return self._append(EntryKind.BATCH, msgspec.msgpack.encode(decoded))

    def _append(self, kind: EntryKind, payload: bytes) -> int:
        entry = Entry(len(self.entries) + 1, 1, kind, payload)
        self.entries.append(entry)
        apply(self.machine, entry)
        return entry.index

    def marks(self) -> list[int]:
        """The numbers that `appending` left, in the order of their application."""
        (value,) = self.machine.read(0, [(b"GET", b"log")])
        return [int(mark) for mark in bytes(value).split(b",")[:-1]] if isinstance(value, bytes) else []


def apply(machine: Machine, entry: Entry) -> list[Outcome]:
    """Apply an entry of a `CommittedLog`; what it means for ORIGIN."""
    if entry.kind is EntryKind.MEMBERSHIP:
        machine.apply_membership(entry.index, [ORIGIN])
        return []
    return whole(machine.apply(entry.index, entry.payload, origin=ORIGIN))
