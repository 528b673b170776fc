"""Drives a machine as a node would: batches in, replies out, with the account checked at every step."""

from collections.abc import Iterable, Sequence

import msgspec

from trikv.machine.batch import Batch, Bootstrap, Hello, Item, Submission, Transaction, Watch
from trikv.machine.commands import TABLE
from trikv.machine.effects import Effect
from trikv.machine.features import FEATURE_LEVEL
from trikv.machine.machine import Machine
from trikv.machine.outcomes import Applied, Outcome, Whole
from trikv.machine.replies import Reply, Streamed
from trikv.machine.snapshot import Restore
from trikv.machine.suspended import Suspended
from trikv.machine.table import CommandTable
from trikv.machine.walk import Walk

NOW = 1_700_000_000_000
NODE = 1


def payload(stamp_ms: int, *items: Item, seed: int = 0) -> bytes:
    """The bytes of a batch entry."""
    return msgspec.msgpack.encode(Batch(stamp_ms, seed, items))


def words(line: str | Sequence[bytes]) -> tuple[bytes, ...]:
    """``"SET k v"`` as arguments; a sequence of bytes stays as it is."""
    return tuple(line.encode().split()) if isinstance(line, str) else tuple(line)


def came_of(applied: Whole | Suspended) -> Whole:
    """What came of an entry, whose rest is carried out at once if it was suspended."""
    if isinstance(applied, Whole):
        return applied
    came = applied.resume(lambda: False)
    assert came is not None, "nobody has stopped it"
    return came


def whole(applied: Whole | Suspended) -> list[Outcome]:
    """The outcomes of an entry, whose rest is carried out at once if it was suspended."""
    return came_of(applied).outcomes


class Driver:
    """A machine with members 1, 2, 3, an open life of node 1, and a clock."""

    def __init__(
        self,
        cap: int = 0,
        *,
        origin: int = NODE,
        level: int = FEATURE_LEVEL,
        table: CommandTable = TABLE,
        seed: int = 0,
    ) -> None:
        """`seed`: of the entry that founds the cluster."""
        self.machine = Machine(table)
        self.origin = origin
        self.now = NOW
        self.db = 0
        self.seed = 0
        """Of the entries that follow."""
        self.effects: list[Effect] = []
        """Of all entries since the last look."""
        self._sequence = 0
        self.machine.apply_membership(1, (3, 1, 2))
        founding = payload(NOW, Bootstrap(cap, level), Hello(NODE, b"life"), seed=seed)
        self.machine.apply(2, founding)

    def batch(self, *items: Item) -> list[Outcome]:
        """Apply one batch at the present time."""
        applied = self.machine.apply(
            self.machine.index + 1, payload(self.now, *items, seed=self.seed), origin=self.origin
        )
        came = came_of(applied)
        self.effects += came.effects
        return came.outcomes

    def submit(
        self, commands: Iterable[str | Sequence[bytes]], transactions: tuple[Transaction, ...] = ()
    ) -> list[Reply]:
        """Apply one submission of node 1 and answer its replies."""
        self._sequence += 1
        lines = tuple(words(each) for each in commands)
        outcomes = self.batch(Submission(NODE, 2, self._sequence, self.db, lines, transactions))
        assert self.machine.used_memory == self.machine.recount()
        if self.origin != NODE:
            return []
        (outcome,) = outcomes
        assert isinstance(outcome, Applied)
        return outcome.replies

    def run(self, *commands: str | Sequence[bytes]) -> list[Reply]:
        """The replies of commands in one submission."""
        return self.submit(commands)

    def one(self, command: str | Sequence[bytes]) -> Reply:
        """The reply of one command."""
        (reply,) = self.submit([command])
        return reply

    def call(self, *args: bytes) -> Reply:
        """The reply of one command given as arguments."""
        return self.one(args)

    def execute(self, *commands: str | Sequence[bytes], watches: tuple[Watch, ...] = ()) -> Reply:
        """The reply of a transaction."""
        (reply,) = self.submit(commands, (Transaction(0, len(commands), watches),))
        return reply

    def read(self, command: str | Sequence[bytes], at_ms: int = 0) -> Reply:
        """The reply of one command outside the log."""
        (reply,) = self.machine.read(self.db, (words(command),), at_ms)
        return reply

    def pass_ms(self, amount: int) -> None:
        """Let log time go on, by a clock entry."""
        self.now += amount
        self.batch()


def collect(walk: Walk, piece_bytes: int = 1000) -> bytes:
    """The whole document of a walk."""
    return b"".join(iter(lambda: walk.step(piece_bytes), b""))


def restored(document: bytes, chunk_bytes: int = 1 << 20) -> Machine:
    """The machine of a document fed in chunks."""
    restore = Restore()
    for start in range(0, len(document), chunk_bytes):
        restore.feed(document[start : start + chunk_bytes])
    return restore.finish()[1]


def kept_bytes(*replies: Reply) -> int:
    """What these long reads keep together."""
    pieces: dict[int, int] = {}
    for reply in replies:
        assert isinstance(reply, Streamed)
        pieces |= reply.kept.kept()
    return sum(pieces.values())


def reborn(machine: Machine) -> Machine:
    """What a snapshot of `machine` restores to."""
    return restored(collect(machine.walk({})))
