"""The ledger's verdicts: a lost write is found, and a doubtful one never accused."""

from hypothesis import given
from hypothesis import strategies as st

from trikv.bench.ledger import ABSENT, DOUBTS_MAX, Change, Kind, Ledger, Verdict, number_of, stamp

_RUN = 0x1234


def _set(slot: int, number: int) -> Change:
    return Change(Kind.REGISTER, (slot,), number)


def test_a_stamp_is_read_back_and_only_by_its_run() -> None:
    """Number and padding survive; another run's stamp, or any other bytes, are foreign."""
    value = stamp(_RUN, 77) + b"xxx"
    assert number_of(_RUN, value) == 77
    assert number_of(_RUN + 1, value) is None
    assert number_of(_RUN, None) == ABSENT
    assert number_of(_RUN, b"") is number_of(_RUN, 5) is number_of(_RUN, value[:8] + b"junk") is None


def test_the_last_acknowledged_value_must_be_there() -> None:
    """The last acknowledged value is kept, an earlier or a missing one is lost, a stranger's is foreign."""
    ledger = Ledger(10, _RUN)
    ledger.acknowledge(_set(3, 1), "OK")
    ledger.acknowledge(_set(3, 2), "OK")
    assert list(ledger.promises()) == [(Kind.REGISTER, 3)]
    assert ledger.judge(Kind.REGISTER, 3, stamp(_RUN, 2)) is Verdict.KEPT
    assert ledger.judge(Kind.REGISTER, 3, stamp(_RUN, 1)) is Verdict.LOST
    assert ledger.judge(Kind.REGISTER, 3, None) is Verdict.LOST
    assert ledger.judge(Kind.REGISTER, 3, b"stranger") is Verdict.FOREIGN
    assert ledger.acknowledged_writes == 2


def test_a_deleted_key_must_be_gone() -> None:
    """After an acknowledged DEL the old value is a lost write."""
    ledger = Ledger(10, _RUN)
    ledger.acknowledge(_set(0, 1), "OK")
    ledger.acknowledge(_set(0, ABSENT), 1)
    assert ledger.judge(Kind.REGISTER, 0, None) is Verdict.KEPT
    assert ledger.judge(Kind.REGISTER, 0, stamp(_RUN, 1)) is Verdict.LOST


def test_a_write_in_doubt_may_take_effect_at_any_time() -> None:
    """A doubtful value excuses, even one older than the last acknowledgement: it may arrive late."""
    ledger = Ledger(10, _RUN)
    ledger.doubt(_set(0, 1))
    assert list(ledger.promises()) == []
    ledger.acknowledge(_set(0, 2), "OK")
    ledger.doubt(_set(0, 3))
    verdicts = [ledger.judge(Kind.REGISTER, 0, stamp(_RUN, number)) for number in (1, 2, 3, 4)]
    assert verdicts == [Verdict.KEPT, Verdict.KEPT, Verdict.KEPT, Verdict.LOST]


def test_too_many_doubts_make_a_key_unjudged_and_counted() -> None:
    """Memory for doubts is bounded: such a key leaves the promises, and the report can say so."""
    ledger = Ledger(10, _RUN)
    ledger.acknowledge(_set(0, 1), "OK")
    for number in range(2, DOUBTS_MAX + 3):
        ledger.doubt(_set(0, number))
    assert list(ledger.promises()) == []
    assert ledger.unjudged == 1


def test_counters_and_tails_may_not_shrink() -> None:
    """The last reply is a floor, what is in doubt gives slack above it, beyond that somebody else writes."""
    for kind, step in ((Kind.COUNTER, 1), (Kind.TAIL, 24)):
        ledger = Ledger(10, _RUN)
        change = Change(kind, (5,), step)
        ledger.acknowledge(change, 4 * step)
        ledger.doubt(change)
        held = [ledger.judge(kind, 5, times * step) for times in (3, 4, 5, 6)]
        assert held == [Verdict.LOST, Verdict.KEPT, Verdict.KEPT, Verdict.FOREIGN]
        assert ledger.judge(kind, 5, None) is Verdict.LOST
        assert ledger.judge(kind, 5, b"no number") is Verdict.FOREIGN


def test_a_counter_that_fell_during_the_run_is_lost_whatever_it_holds_later() -> None:
    """A reply that does not rise proves a lost write, though the counter may since have grown over it."""
    ledger = Ledger(10, _RUN)
    change = Change(Kind.COUNTER, (0,), 1)
    for reply in (7, 8, 8, 9):
        ledger.acknowledge(change, reply)
    assert ledger.judge(Kind.COUNTER, 0, b"9") is Verdict.LOST


def test_a_reply_of_the_wrong_kind_is_no_acknowledgement() -> None:
    """INCR answered with text is a broken promise, not a crash."""
    ledger = Ledger(10, _RUN)
    ledger.acknowledge(Change(Kind.COUNTER, (0,), 1), "OK")
    assert list(ledger.promises()) == [(Kind.COUNTER, 0)]
    assert ledger.judge(Kind.COUNTER, 0, b"1") is Verdict.LOST


_FATES = st.sampled_from(["ack", "doubt-applied-now", "doubt-applied-later", "doubt-never", "refused"])


@given(st.lists(st.tuples(st.integers(0, 2), _FATES), max_size=40))
def test_an_honest_store_is_never_accused(writes: list[tuple[int, str]]) -> None:
    """Whatever became of the doubtful writes, now, later or never, a store that keeps its word passes."""
    ledger = Ledger(3, _RUN)
    held: dict[int, bytes] = {}
    late: list[tuple[int, int]] = []
    for number, (slot, fate) in enumerate(writes, 1):
        if fate in {"ack", "doubt-applied-now"}:
            held[slot] = stamp(_RUN, number)
        if fate == "doubt-applied-later":
            late.append((slot, number))
        if fate == "ack":
            ledger.acknowledge(_set(slot, number), "OK")
        elif fate != "refused":
            ledger.doubt(_set(slot, number))
    held.update({slot: stamp(_RUN, number) for slot, number in late})
    for kind, slot in ledger.promises():
        assert ledger.judge(kind, slot, held.get(slot)) is Verdict.KEPT
