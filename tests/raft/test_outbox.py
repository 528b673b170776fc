"""Write jobs and the messages that wait for them (PROTOCOL 7)."""

import pytest

from tests.raft.cluster import membership_of
from trikv.raft.log import RaftLog
from trikv.raft.messages import AppendAck, HeartbeatAck
from trikv.raft.outbox import Outbox
from trikv.raft.types import Entry, EntryKind, HardState, SnapshotMeta


class Desk:
    """An outbox with its log."""

    def __init__(self) -> None:
        self.log = RaftLog(0, 0, [])
        self.outbox = Outbox(self.log, 1)

    def append(self, *indexes: int, term: int = 1) -> None:
        """Append entries."""
        self.log.append([Entry(index, term, EntryKind.NOOP, b"") for index in indexes])

    def cut(self, index: int) -> None:
        """Truncate."""
        self.log.truncate(index)
        self.outbox.truncated(index)

    def job(self) -> tuple[int, int | None, list[int]]:
        """The job issued: number, truncation, indexes of its entries."""
        job = self.outbox.issue()
        assert job is not None
        return job.number, job.truncate_from, [entry.index for entry in job.entries]


def test_nothing_to_write_makes_no_job() -> None:
    """Jobs are issued only when something changed, and hold only what no job held before."""
    desk = Desk()
    assert desk.outbox.issue() is None
    desk.append(1, 2)
    assert desk.job() == (1, None, [1, 2])
    assert desk.outbox.issue() is None
    desk.append(3)
    assert desk.job() == (2, None, [3])


def test_an_old_job_never_covers_entries_that_replaced_its_own() -> None:
    """A truncation lowers what earlier jobs make durable, for good."""
    desk = Desk()
    desk.append(1, 2, 3)
    desk.job()
    desk.cut(2)
    desk.append(2, 3, 4, term=2)
    assert desk.job() == (2, 2, [2, 3, 4])
    desk.outbox.persisted(1)
    assert desk.outbox.durable_index == 1
    desk.outbox.persisted(2)
    assert desk.outbox.durable_index == 4


def test_a_cut_of_unissued_entries_needs_no_record() -> None:
    """Entries that no job has held are simply not written; a deeper cut in the same turn is recorded."""
    desk = Desk()
    desk.append(1)
    desk.job()
    desk.append(2, 3)
    desk.cut(3)
    assert desk.job() == (2, None, [2])
    desk.cut(2)
    desk.append(2, 3, term=2)
    desk.cut(3)
    desk.cut(1)
    assert desk.job() == (3, 1, [])


def test_messages_wait_for_the_job_that_makes_them_true() -> None:
    """An ack leaves with its job; what is durable already leaves at once."""
    desk = Desk()
    desk.append(1)
    desk.outbox.send_when_durable(2, AppendAck(1, 1), 1)
    desk.job()
    desk.outbox.send_when_durable(3, AppendAck(1, 1), 1)
    assert desk.outbox.take_messages() == ()
    desk.outbox.persisted(1)
    desk.outbox.send_when_durable(2, AppendAck(1, 1), 1)
    assert [to for to, _ in desk.outbox.take_messages()] == [2, 3, 2]


def test_acks_freed_by_one_sync_become_one() -> None:
    """Of several acks to one leader the highest says everything; other messages stay."""
    desk = Desk()
    for index in (1, 2, 3):
        desk.append(index)
        desk.outbox.send_when_durable(2, AppendAck(1, index), index)
        desk.job()
    desk.outbox.send(2, HeartbeatAck(1, 0, 0))
    desk.outbox.persisted(3)
    assert desk.outbox.take_messages() == ((2, HeartbeatAck(1, 0, 0)), (2, AppendAck(1, 3)))


def test_a_new_term_holds_everything_and_drops_the_old_terms_acks() -> None:
    """Until the hard state is durable nothing leaves, in order; what an old term promised never does."""
    desk = Desk()
    desk.append(1)
    desk.outbox.send_when_durable(2, AppendAck(1, 1), 1)
    desk.outbox.write_hard_state(HardState(2, None))
    assert not desk.outbox.is_hard_state_durable
    desk.append(2, term=2)
    desk.outbox.send_when_durable(3, AppendAck(2, 2), 2)
    desk.outbox.send(3, HeartbeatAck(2, 0, 0))
    desk.job()
    assert desk.outbox.take_messages() == ()
    desk.outbox.persisted(1)
    desk.outbox.persisted(1)
    assert desk.outbox.is_hard_state_durable
    assert desk.outbox.take_messages() == ((3, AppendAck(2, 2)), (3, HeartbeatAck(2, 0, 0)))


def test_a_snapshot_replaces_all_that_was_to_be_written() -> None:
    """The reset comes first in its job; jobs before it make nothing beyond it durable."""
    desk = Desk()
    desk.append(1, 2)
    desk.job()
    desk.cut(2)
    desk.log.reset(10, 1)
    meta = SnapshotMeta(10, 1, membership_of(1))
    desk.outbox.reset(meta)
    desk.append(11)
    job = desk.outbox.issue()
    assert job is not None
    assert (job.reset, job.truncate_from, [entry.index for entry in job.entries]) == (meta, None, [11])
    desk.outbox.persisted(1)
    assert desk.outbox.durable_index == 1
    desk.outbox.persisted(2)
    assert desk.outbox.durable_index == 11


def test_a_job_from_before_a_snapshot_does_not_cover_what_follows_it() -> None:
    """Its entries beyond the snapshot were dropped; other ones have their indexes now."""
    desk = Desk()
    desk.append(*range(1, 13))
    desk.job()
    desk.log.reset(10, 2)
    desk.outbox.reset(SnapshotMeta(10, 2, membership_of(1)))
    desk.append(11, 12, term=2)
    assert desk.job() == (2, None, [11, 12])
    desk.outbox.persisted(1)
    assert desk.outbox.durable_index < 10
    desk.outbox.persisted(2)
    assert desk.outbox.durable_index == 12


def test_a_job_that_was_never_given_cannot_be_done() -> None:
    """The writer's number must be one of ours."""
    with pytest.raises(AssertionError, match="never given"):
        Desk().outbox.persisted(1)
