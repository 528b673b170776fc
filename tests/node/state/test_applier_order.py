"""When reads are served, and what the writer reports (PROTOCOL 7, 9)."""

from collections import deque
from collections.abc import Sequence
from typing import cast

import msgspec
import trio
from trio.testing import wait_all_tasks_blocked

from tests.node.recorded_work import ORIGIN, Asked, CommittedLog
from trikv.machine.batch import Hello, Submission
from trikv.machine.machine import Machine
from trikv.node.audience import Audience
from trikv.node.events import Event, Persisted
from trikv.node.mailbox import Mailbox
from trikv.node.state.applier import Applier, ServeReads
from trikv.node.state.writer import Writer
from trikv.node.waiters import Waiters
from trikv.raft.ready import WriteJob
from trikv.raft.types import Member, Membership, SnapshotMeta
from trikv.storage.wal import Wal

MEMBERS = Membership((Member(ORIGIN, b"disk" * 4, voter=True, address="n1:1"),))


def reading(index: int, asked: Asked) -> ServeReads:
    """A confirmed read, as the driver hands it over."""
    return ServeReads(index, deque([asked.work]), 0, 0)


def test_a_read_waits_until_its_index_is_applied() -> None:
    """Be the quorum's answer there long before the entry: a follower serves what the read index holds."""
    log = CommittedLog()
    incarnation = log.commit(Hello(ORIGIN, b"n"))
    log.commit(Submission(ORIGIN, incarnation, 1, 0, ((b"SET", b"k", b"v"),)))
    position = SnapshotMeta(0, 0, Membership(()))
    applier = Applier(
        origin=ORIGIN,
        machine=Machine(),
        position=position,
        waiters=Waiters(),
        inbox=Mailbox[Event](),
        audience=Audience(),
        boot_ms=lambda: 0,
        boot_us=lambda: 0,
        seed=1,
    )
    late, early = (Asked((b"GET", b"k"), writes=False) for _ in range(2))
    applier.put((reading(4, late), reading(3, early)))
    applier.carry_out()
    assert (late.outcomes, early.outcomes) == ([], [])
    # The members of this log are not those of the machine under test: give it the same ones.
    first = msgspec.structs.replace(log.entries[0], payload=msgspec.msgpack.encode(MEMBERS))
    applier.put((first, *log.entries[1:3]))
    applier.carry_out()
    assert (late.outcomes, early.outcomes) == ([], [[None]])
    applier.put((log.entries[3],))
    applier.carry_out()
    assert late.outcomes == [[b"v"]]


class SlowWal:
    """Stands for `Wal`: a write is over when the test says so."""

    def __init__(self) -> None:
        self.written: list[int] = []
        self.gate = trio.Event()

    async def write(self, jobs: Sequence[WriteJob]) -> None:
        """Sync, in good time."""
        gate = self.gate
        await gate.wait()
        self.written += [job.number for job in jobs]

    async def prepare(self) -> bool:
        """Nothing to zero."""
        await trio.lowlevel.checkpoint()
        return False


async def test_the_writer_reports_a_batch_after_its_sync_and_all_of_it() -> None:
    """Never before, and the number is the batch's last: no job of it is left unreported."""
    wal, inbox = SlowWal(), Mailbox[Event]()
    writer = Writer(cast("Wal", wal), inbox, lambda: 0)
    async with trio.open_nursery() as nursery:
        await nursery.start(writer.run)
        for number in (1, 2, 3):
            writer.put(WriteJob(number))
        await wait_all_tasks_blocked()
        assert (wal.written, len(inbox)) == ([], 0)
        wal.gate.set()
        assert await inbox.take() == [Persisted(3)]
        assert wal.written == [1, 2, 3]
        nursery.cancel_scope.cancel()
