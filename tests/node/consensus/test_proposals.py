"""Exactly-once proposals: an origin against a model of a log that loses, repeats and reorders hand-overs."""

from collections import deque

import attrs
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.node.recorded_work import ORIGIN, Asked, CommittedLog, appending, apply
from trikv.machine.batch import Forgotten, Hello, Item, Submission
from trikv.machine.machine import Machine
from trikv.machine.outcomes import Applied, LifeOpened, OriginRow, Outcome, Reason, Skipped
from trikv.machine.snapshot import Restore
from trikv.node.consensus.proposals import ProposalLimits, Proposals
from trikv.node.waiters import Waiters

LIMITS = ProposalLimits(window_proposals_max=8, deadline_ms=10_000, join_max=1)
NONCE = b"n" * 16
BIG = 1 << 20


def items_of(encoded: list[bytes]) -> list[Item]:
    """Items as the machine will decode them."""
    return [msgspec.msgpack.decode(item, type=Item) for item in encoded]


def sequences(encoded: list[bytes]) -> list[int]:
    """The sequences of some submissions."""
    return [item.sequence for item in items_of(encoded) if isinstance(item, Submission | Forgotten)]


def opened(limits: ProposalLimits = LIMITS) -> tuple[Proposals, Waiters]:
    """An origin whose Hello the log has brought by at index 5."""
    waiters = Waiters()
    proposals = Proposals(ORIGIN, NONCE, waiters, limits)
    (hello,) = items_of(proposals.outgoing(0, BIG))
    assert hello == Hello(ORIGIN, NONCE)
    proposals.opened(NONCE, 5, b"", 0)
    return proposals, waiters


class Origin:
    """The origin's node: what the applier and the driver do for `Proposals`, without tasks."""

    def __init__(self, log: CommittedLog, join_max: int) -> None:
        self.log = log
        self.now_ms = 0
        self.machine = Machine()
        self.waiters = Waiters()
        limits = attrs.evolve(LIMITS, join_max=join_max)
        self.proposals = Proposals(ORIGIN, NONCE, self.waiters, limits)
        self.asked: list[Asked] = []
        self.network: deque[list[bytes]] = deque()
        self._nonces = 0

    def fresh_nonce(self) -> bytes:
        """One that no life has used."""
        self._nonces += 1
        return b"%016d" % self._nonces

    def submit(self) -> None:
        """A client writes."""
        asked = appending(len(self.asked))
        self.asked.append(asked)
        self.proposals.submit([asked.work], self.now_ms)

    def turn(self) -> None:
        """What a turn of the driver does."""
        self.proposals.tick(self.now_ms)
        for work, error in self.proposals.expire(self.now_ms):
            work.failed(error)
        items = self.proposals.outgoing(self.now_ms, 200)
        if items:
            self.network.append(items)

    def catch_up(self, count: int) -> None:
        """Apply the next `count` committed entries here."""
        for entry in self.log.entries[self.machine.index : self.machine.index + count]:
            for outcome in apply(self.machine, entry):
                self._settle(outcome)

    def _settle(self, outcome: Outcome) -> None:
        match outcome:
            case Applied(incarnation=incarnation, sequence=sequence, replies=replies):
                work = self.waiters.take(incarnation, sequence)
                if work is not None:
                    work.answered(replies)
                if incarnation == self.waiters.incarnation:
                    self.proposals.applied_below(sequence + 1, self.now_ms)
            case LifeOpened(nonce=nonce, incarnation=incarnation):
                self.proposals.opened(nonce, incarnation, self.fresh_nonce(), self.now_ms)
            case Skipped(incarnation=incarnation, reason=reason):
                if reason is Reason.GAP and incarnation == self.waiters.incarnation:
                    self.proposals.nudge(self.now_ms)

    def install(self) -> None:
        """A snapshot of all that is committed replaces the machine here."""
        if self.machine.index == self.log.machine.index:
            return
        restore = Restore()
        walk = self.log.machine.walk({})
        while piece := walk.step(1 << 16):
            restore.feed(piece)
        _, self.machine = restore.finish()
        for work, error in self.proposals.installed(
            self.machine.row(ORIGIN), self.fresh_nonce(), self.now_ms
        ):
            work.failed(error)

    def deliver(self, position: int, *, again: bool = False) -> None:
        """The oldest hand-over under way, or another, reaches the log; `again`: and stays under way."""
        if self.network:
            bundle = self.network[position % len(self.network)]
            if not again:
                self.network.remove(bundle)
            self.log.commit(*bundle)

    def check(self) -> None:
        """What was promised about each work, as far as the log has got."""
        marks = self.log.marks()
        assert marks == sorted(set(marks)), "applied at most once, in the order of submission"
        for number, asked in enumerate(self.asked):
            if asked.code == "OK":
                assert number in marks
            elif asked.code == "CLUSTERDOWN":
                assert number not in marks


STEPS = st.lists(
    st.sampled_from(
        [
            *["submit"] * 5,
            *["turn"] * 5,
            *["deliver"] * 4,
            "deliver another",
            "deliver again",
            "drop",
            *["catch up"] * 3,
            "catch up once",
            "install",
            "new leader",
            "foreign hello",
            "pass 30 ms",
            "pass 600 ms",
            "pass 6000 ms",
        ]
    ),
    max_size=120,
)


@settings(max_examples=150, deadline=None)
@given(STEPS, st.sampled_from([1, 3]))
def test_every_work_is_applied_at_most_once_in_order_and_answered_once(
    steps: list[str], join_max: int
) -> None:
    """Losses, repeats, reordering, leaders, snapshots and foreign lives: no double write, no lost answer."""
    log = CommittedLog()
    origin = Origin(log, join_max)
    for step in steps:
        match step.split():
            case ["submit"]:
                origin.submit()
            case ["turn"]:
                origin.turn()
            case ["deliver"]:
                origin.deliver(0)
            case ["deliver", "another"]:
                origin.deliver(1)
            case ["deliver", "again"]:
                origin.deliver(0, again=True)
            case ["drop"]:
                if origin.network:
                    origin.network.popleft()
            case ["catch", "up"]:
                origin.catch_up(100)
            case ["catch", "up", "once"]:
                origin.catch_up(1)
            case ["install"]:
                origin.install()
            case ["new", "leader"]:
                origin.proposals.rewind(origin.now_ms)
            case ["foreign", "hello"]:
                log.commit(Hello(ORIGIN, b"another life %d" % len(log.entries)))
            case ["pass", milliseconds, "ms"]:
                origin.now_ms += int(milliseconds)
            case _:
                raise AssertionError(step)
        origin.check()
    for _ in range(60):  # healed: each round brings everything through, and half a second
        origin.turn()
        while origin.network:
            origin.deliver(0)
        origin.catch_up(1_000)
        origin.now_ms += 600
    origin.check()
    assert all(asked.code for asked in origin.asked), "everyone has been answered"
    assert origin.proposals.waiting() == 0
    assert origin.proposals.window_bytes == 0
    assert len(origin.waiters) == 0


def test_nothing_but_the_hello_leaves_before_the_life_is_open() -> None:
    """A sequence means something only in an incarnation that the log has confirmed."""
    proposals = Proposals(ORIGIN, NONCE, Waiters(), LIMITS)
    proposals.submit([appending(0).work], 0)
    assert items_of(proposals.outgoing(0, BIG)) == [Hello(ORIGIN, NONCE)]
    assert proposals.outgoing(1, BIG) == []
    assert not proposals.is_open
    assert proposals.deadline_ms() == 500
    proposals.tick(500)
    assert items_of(proposals.outgoing(500, BIG)) == [Hello(ORIGIN, NONCE)], "a lost Hello is said again"


def test_hello_of_an_earlier_life_is_ignored_until_ours_comes_by() -> None:
    """The log may still bring a former life's Hello by; ours is on its way and wins."""
    waiters = Waiters()
    proposals = Proposals(ORIGIN, NONCE, waiters, LIMITS)
    proposals.outgoing(0, BIG)
    proposals.opened(b"old", 4, b"fresh", 0)
    assert not proposals.is_open
    proposals.opened(NONCE, 6, b"fresh", 0)
    assert waiters.incarnation == 6
    proposals.opened(NONCE, 6, b"fresh", 0)
    assert proposals.is_open, "a repeat of our own Hello changes nothing"


def test_foreign_hello_starts_a_life_anew_with_all_that_had_not_applied() -> None:
    """What the old incarnation had not applied never will: it gets sequences of the new one, in order."""
    proposals, waiters = opened()
    asked = [appending(number) for number in range(3)]
    for one in asked[:2]:
        proposals.submit([one.work], 0)
    assert sequences(proposals.outgoing(0, BIG)) == [1, 2]
    proposals.submit([asked[2].work], 0)
    proposals.applied_below(2, 0)
    proposals.opened(b"foreign", 9, b"fresh" * 3, 0)
    assert not proposals.is_open
    assert len(waiters) == 0
    assert items_of(proposals.outgoing(0, BIG)) == [Hello(ORIGIN, b"fresh" * 3)]
    proposals.opened(b"fresh" * 3, 12, b"", 0)
    again = items_of(proposals.outgoing(0, BIG))
    assert [item.commands for item in again if isinstance(item, Submission)] == [
        asked[1].work.commands,
        asked[2].work.commands,
    ]
    assert all(isinstance(item, Submission) and item.incarnation == 12 for item in again)


@pytest.mark.parametrize("row", [None, OriginRow(9, b"foreign", 4)])
def test_snapshot_with_another_lifes_row_proposes_nothing_again(row: OriginRow | None) -> None:
    """Our work may have applied before the other life took the row: INDETERMINATE, and never sent again."""
    proposals, waiters = opened()
    handed_over, waiting = appending(0), appending(1)
    proposals.submit([handed_over.work], 0)
    proposals.outgoing(0, BIG)
    proposals.submit([waiting.work], 0)
    (told,) = proposals.installed(row, b"fresh", 0)
    assert told[0] is handed_over.work
    assert told[1].text == "INDETERMINATE the write may or may not have happened"
    assert proposals.indeterminate == 1
    assert items_of(proposals.outgoing(0, BIG)) == [Hello(ORIGIN, b"fresh")]
    proposals.opened(b"fresh", 20, b"", 0)
    (only,) = items_of(proposals.outgoing(0, BIG))
    assert isinstance(only, Submission)
    assert only.commands == waiting.work.commands, "what was never handed over still may"
    assert waiters.take(20, 1) is waiting.work


def test_snapshot_past_a_waiting_proposal_says_that_the_reply_is_lost() -> None:
    """Below the row's next: applied, reply lost. From it on: still pending, sent again."""
    proposals, waiters = opened()
    asked = [appending(number) for number in range(3)]
    for one in asked:
        proposals.submit([one.work], 0)
    proposals.outgoing(0, BIG)
    told = proposals.installed(OriginRow(5, NONCE, 3), b"", 0)
    assert [work for work, _ in told] == [asked[0].work, asked[1].work]
    assert {error.text for _, error in told} == {"INDETERMINATE the write was applied, but its reply is lost"}
    proposals.rewind(0)
    assert sequences(proposals.outgoing(0, BIG)) == [3]
    assert waiters.take(5, 3) is asked[2].work


def test_snapshot_that_holds_our_hello_opens_the_life() -> None:
    """The Hello's own entry was never applied here, yet the life is open."""
    waiters = Waiters()
    proposals = Proposals(ORIGIN, NONCE, waiters, LIMITS)
    assert proposals.installed(None, b"", 0) == []
    assert proposals.installed(OriginRow(3, b"an older life", 8), b"", 0) == []
    assert not proposals.is_open
    assert proposals.installed(OriginRow(7, NONCE), b"", 0) == []
    assert waiters.incarnation == 7


def test_window_is_bounded_by_count_and_by_bytes() -> None:
    """A full window assigns no more; as it moves, the next ones follow in order."""
    proposals, waiters = opened(ProposalLimits(window_proposals_max=3, join_max=1))
    for number in range(5):
        proposals.submit([appending(number).work], 0)
    assert sequences(proposals.outgoing(0, BIG)) == [1, 2, 3]
    assert proposals.outgoing(0, BIG) == []
    assert proposals.waiting() == 5
    for sequence in (1, 2):
        assert waiters.take(5, sequence)
    assert proposals.waiting() == 3, "who is answered waits no more, though the window is as it was"
    proposals.applied_below(3, 1)
    assert sequences(proposals.outgoing(1, BIG)) == [4, 5]
    assert proposals.waiting() == 3

    proposals, _ = opened(ProposalLimits(window_bytes_max=1000, join_max=1))
    for _ in range(4):
        proposals.submit([Asked((b"SET", b"k", b"x" * 600)).work], 0)
    assert sequences(proposals.outgoing(0, BIG)) == [1, 2], "the one that passes the limit is the last"
    assert 1200 < proposals.window_bytes < 1400


def test_one_hand_over_is_bounded_in_bytes() -> None:
    """A turn takes about what it was allowed; the rest follows in the next, nothing twice."""
    proposals, _ = opened()
    for _ in range(4):
        proposals.submit([Asked((b"SET", b"k", b"x" * 100)).work], 0)
    assert sequences(proposals.outgoing(0, 150)) == [1, 2]
    assert sequences(proposals.outgoing(0, 150)) == [3, 4]
    assert proposals.outgoing(0, 150) == []


def test_too_long_for_an_entry_is_refused_at_once_without_a_sequence() -> None:
    """One clear error at the origin; the next submission takes the sequence."""
    proposals, _ = opened(ProposalLimits(entry_bytes_max=500))
    long, short = Asked((b"SET", b"k", b"x" * 600)), appending(1)
    proposals.submit([long.work], 0)
    proposals.submit([short.work], 0)
    assert sequences(proposals.outgoing(0, BIG)) == [1]
    assert long.code == "ERR"
    assert not short.outcomes


def test_expiry_tells_the_never_sent_from_the_unknown() -> None:
    """Never handed over: CLUSTERDOWN. Handed over: INDETERMINATE, and its sequence goes on, empty."""
    proposals, waiters = opened(ProposalLimits(window_proposals_max=1))
    sent, unsent = appending(0), appending(1)
    proposals.submit([sent.work], 0)
    proposals.submit([unsent.work], 5)
    proposals.outgoing(0, BIG)
    assert proposals.expire(9_999) == []
    lapsed = proposals.expire(10_005)
    assert [(work, error.text.split()[0]) for work, error in lapsed] == [
        (unsent.work, "CLUSTERDOWN"),
        (sent.work, "INDETERMINATE"),
    ]
    assert waiters.take(5, 1) is None, "whoever was told is not answered later"
    assert proposals.expire(20_000) == [], "told once"
    proposals.rewind(20_000)
    assert items_of(proposals.outgoing(20_000, BIG)) == [Forgotten(ORIGIN, 5, 1)]
    assert proposals.waiting() == 0
    assert proposals.indeterminate == 1
    assert proposals.window_bytes < 30, "the payload is gone from memory"


def test_large_proposals_are_given_longer_before_they_are_sent_again() -> None:
    """Eight values of a megabyte need seconds on a busy machine: sent again meanwhile they are in the way.

    A window of small ones is sent again after half a second, as ever.
    """
    for size, patience_ms in ((100, 500), (1 << 20, 500 + 1024)):
        proposals, _ = opened(ProposalLimits(join_max=1))
        proposals.submit([Asked((b"SET", b"k", b"x" * size)).work], 1000)
        (item,) = proposals.outgoing(1000, 1 << 30)
        due_ms = 1000 + patience_ms
        assert proposals.deadline_ms() == due_ms
        proposals.tick(due_ms - 1)
        assert proposals.outgoing(due_ms - 1, 1 << 30) == []
        proposals.tick(due_ms)
        assert proposals.outgoing(due_ms, 1 << 30) == [item]


def test_no_progress_for_half_a_second_sends_the_window_again() -> None:
    """From the oldest, in order; progress puts it off."""
    proposals, _ = opened()
    for number in range(2):
        proposals.submit([appending(number).work], 100)
    proposals.outgoing(100, BIG)
    assert proposals.deadline_ms() == 600
    proposals.tick(599)
    assert proposals.outgoing(599, BIG) == []
    proposals.applied_below(2, 400)
    proposals.tick(899)
    assert proposals.outgoing(899, BIG) == []
    proposals.tick(900)
    assert sequences(proposals.outgoing(900, BIG)) == [2]


def test_many_refusals_rewind_once_in_25_ms() -> None:
    """A leader that hands over refuses everything; the window is not sent at the rate of the refusals."""
    proposals, _ = opened()
    proposals.submit([appending(0).work], 0)
    proposals.outgoing(0, BIG)
    sent = 0
    for now in range(1, 101):
        for _ in range(3):
            proposals.nudge(now)
        proposals.tick(now)
        sent += len(proposals.outgoing(now, BIG))
    assert 4 <= sent <= 5
    due = proposals.deadline_ms()
    assert due is not None
    assert 100 < due <= 126


def test_nothing_waits_no_timer() -> None:
    """An idle origin never wakes the driver."""
    proposals, _ = opened()
    assert proposals.deadline_ms() is None
    proposals.submit([appending(0).work], 7)
    assert proposals.deadline_ms() == 10_007


def test_waiters_of_another_incarnation_are_nobody() -> None:
    """A sequence is looked up in the current life only."""
    waiters = Waiters()
    waiters.reopen(4)
    first, second = appending(0), appending(1)
    waiters.expect(2, second.work)
    waiters.expect(1, first.work)
    assert waiters.take(3, 1) is None
    assert waiters.take_below(2) == [first.work]
    assert len(waiters) == 1
    assert waiters.take(4, 2) is second.work
    assert waiters.take(4, 2) is None


def test_a_life_that_is_not_open_cannot_be_disowned() -> None:
    """What the log skipped was an older life's: the Hello of this one is still on its way."""
    proposals = Proposals(ORIGIN, NONCE, Waiters(), LIMITS)
    proposals.outgoing(0, BIG)
    proposals.disowned(b"fresh", 0)
    assert proposals.outgoing(0, BIG) == []
    proposals.opened(NONCE, 5, b"", 0)
    assert proposals.is_open


def test_a_snapshot_tells_nobody_twice() -> None:
    """Who was told INDETERMINATE at the deadline is not told again when the row turns out to be another's."""
    proposals, _ = opened()
    lapsed, waiting = appending(0), appending(1)
    proposals.submit([lapsed.work], 0)
    proposals.submit([waiting.work], 5_000)
    proposals.outgoing(0, BIG)
    assert [work for work, _ in proposals.expire(10_000)] == [lapsed.work]
    assert [work for work, _ in proposals.installed(None, b"fresh", 10_000)] == [waiting.work]


def test_a_life_that_was_disowned_begins_anew_with_what_had_not_applied() -> None:
    """Its row went with a change of members: the same works, in order, under the sequences of a new life."""
    proposals, waiters = opened()
    asked = [appending(number) for number in range(3)]
    proposals.submit([one.work for one in asked], 0)
    assert sequences(proposals.outgoing(0, BIG)) == [1, 2, 3]
    waiters.take(5, 1)
    proposals.applied_below(2, 0)
    proposals.disowned(b"fresh", 0)
    assert items_of(proposals.outgoing(0, BIG)) == [Hello(ORIGIN, b"fresh")]
    proposals.opened(b"fresh", 9, b"", 0)
    again = items_of(proposals.outgoing(0, BIG))
    assert [item.commands for item in again if isinstance(item, Submission)] == [
        one.work.commands for one in asked[1:]
    ]


def test_a_refusal_is_answered_by_sending_again_after_a_while() -> None:
    """A leader that hands over refuses everything for some milliseconds: no storm comes of it."""
    proposals, _ = opened()
    proposals.submit([appending(0).work], 0)
    proposals.outgoing(0, BIG)
    proposals.rewind(100)
    assert sequences(proposals.outgoing(100, BIG)) == [1]
    proposals.nudge(101)
    assert proposals.deadline_ms() == 100 + LIMITS.nudge_interval_ms
    proposals.tick(100 + LIMITS.nudge_interval_ms - 1)
    assert not proposals.wants_to_go
    proposals.tick(100 + LIMITS.nudge_interval_ms)
    assert sequences(proposals.outgoing(125, BIG)) == [1]
