"""Read rounds at the node that holds the clients: ids, retries, deadlines."""

from hypothesis import given
from hypothesis import strategies as st

from tests.node.recorded_work import Asked
from trikv.node.consensus.read_questions import ReadQuestions, ReadSettings
from trikv.raft.types import ReadId

READ = (b"GET", b"k")


def asked(reads: ReadQuestions, now_ms: int) -> Asked:
    """A client reads."""
    one = Asked(READ, writes=False)
    reads.submit([one.work], now_ms)
    return one


def test_all_that_waits_shares_one_question() -> None:
    """One quorum round serves every read that waits when it is asked."""
    reads = ReadQuestions(2, 77, ReadSettings())
    first, second = asked(reads, 0), asked(reads, 1)
    assert reads.wants_to_ask
    question = reads.ask(2)
    assert question == ReadId(2, 77, 1)
    assert not reads.wants_to_ask
    late = asked(reads, 3)
    assert reads.confirmed(question) == [first.work, second.work]
    assert len(reads) == 1
    assert reads.confirmed(reads.ask(4)) == [late.work]


def test_ids_are_never_used_again() -> None:
    """A retry asks anew; the answer to what was asked before serves nobody (etcd #20418)."""
    reads = ReadQuestions(2, 77, ReadSettings())
    one = asked(reads, 0)
    old = reads.ask(0)
    reads.retry()
    new = reads.ask(1)
    assert new != old
    assert reads.confirmed(old) == []
    assert reads.confirmed(ReadId(2, 76, new.counter)) == [], "nor does an answer to an earlier life"
    assert reads.confirmed(new) == [one.work]
    assert reads.confirmed(new) == [], "a repeated answer finds nobody"


def test_retry_keeps_the_order_of_arrival() -> None:
    """What was asked before goes before what waits."""
    reads = ReadQuestions(2, 77, ReadSettings())
    works = []
    for now in range(3):
        works.append(asked(reads, now).work)
        reads.ask(now)
    works.append(asked(reads, 3).work)
    reads.retry()
    assert reads.confirmed(reads.ask(4)) == works


def test_unanswered_question_is_asked_anew_after_half_a_second() -> None:
    """The timer says when; nothing is asked anew before."""
    reads = ReadQuestions(2, 77, ReadSettings())
    asked(reads, 0)
    assert reads.deadline_ms() == 10_000
    reads.ask(100)
    assert reads.deadline_ms() == 600
    reads.tick(599)
    assert not reads.wants_to_ask
    reads.tick(600)
    assert reads.wants_to_ask


def test_reads_lapse_at_their_deadline_whether_asked_or_not() -> None:
    """Each at its own time; an answer that comes later finds only the others."""
    reads = ReadQuestions(2, 77, ReadSettings(deadline_ms=1_000, retry_after_ms=100_000))
    first, second = asked(reads, 0), asked(reads, 10)
    question = reads.ask(20)
    waiting = asked(reads, 30)
    assert reads.expire(999) == []
    assert reads.expire(1_000) == [first.work]
    assert reads.deadline_ms() == 1_010
    assert reads.expire(1_030) == [waiting.work, second.work]
    assert reads.confirmed(question) == []
    assert len(reads) == 0
    assert reads.deadline_ms() is None


@given(st.lists(st.sampled_from(["read", "ask", "answer", "answer old", "retry", "wait", "long wait"])))
def test_no_read_is_answered_twice_or_forgotten(steps: list[str]) -> None:
    """Whatever happens, each read comes back exactly once: confirmed or lapsed."""
    reads = ReadQuestions(2, 77, ReadSettings(deadline_ms=1_000))
    now = 0
    submitted: list[Asked] = []
    questions: list[ReadId] = []

    def answer(question: ReadId) -> None:
        for work in reads.confirmed(question):
            work.answered([b"v"])

    def expire() -> None:
        for work in reads.expire(now):
            work.answered([None])

    for step in steps:
        match step:
            case "read":
                submitted.append(asked(reads, now))
            case "ask" if reads.wants_to_ask:
                questions.append(reads.ask(now))
            case "answer" if questions:
                answer(questions[-1])
            case "answer old" if questions:
                answer(questions[0])
            case "retry":
                reads.retry()
            case "wait":
                now += 300
            case "long wait":
                now += 700
            case _:
                pass  # nothing to ask or to answer
        reads.tick(now)
        expire()
        due = reads.deadline_ms()
        assert due is None or due > now, "what is due has been done"
        assert len(reads) == sum(not one.outcomes for one in submitted)
        assert all(len(one.outcomes) <= 1 for one in submitted)
    assert len(set(questions)) == len(questions)
    now += 1_000
    expire()
    assert all(len(one.outcomes) == 1 for one in submitted)
