"""Calls to the leader: each ends once, with its own answer or the news that there is none."""

import attrs
from hypothesis import given
from hypothesis import strategies as st

from trikv.node.events import AskLeader, LeaderAnswer
from trikv.node.peers.leader_calls import CALLS_MAX, PATIENCE_MS, LeaderCalls
from trikv.protocol.messages import DurableReply, DurableRequest


@attrs.define
class Asker:
    """Asks who holds an index, and keeps what it is told."""

    index: int = 7
    told: list[LeaderAnswer | None] = attrs.Factory(list)

    def call(self) -> AskLeader:
        """Its question."""
        return AskLeader(lambda number: DurableRequest(number, self.index), self.told.append)


def begun(calls: LeaderCalls, asker: Asker, now_ms: int = 0) -> DurableRequest:
    """The message of a call that is let in."""
    request = calls.ask(asker.call(), now_ms)
    assert request is not None
    return request


def test_an_answer_reaches_who_asked() -> None:
    """By its number, in whatever order; a second one, or another's, finds nobody."""
    calls, first, second = LeaderCalls(), Asker(1), Asker(2)
    one, two = begun(calls, first), begun(calls, second)
    assert ((one.index, two.index), one.counter < two.counter) == ((1, 2), True)
    calls.answered(DurableReply(two.counter, 3))
    calls.answered(DurableReply(two.counter, 2))
    calls.answered(DurableReply(99, 5))
    assert (first.told, second.told, len(calls)) == ([], [DurableReply(two.counter, 3)], 1)
    assert begun(calls, second).counter > two.counter, "a number is never used again"


def test_a_leader_that_is_gone_answers_nobody() -> None:
    """All hear so at once, and may ask the next one; its late answers are dropped."""
    calls, first, second = LeaderCalls(), Asker(), Asker()
    one, _ = begun(calls, first), begun(calls, second)
    calls.lost()
    calls.answered(DurableReply(one.counter, 3))
    assert (first.told, second.told, len(calls)) == ([None], [None], 0)


def test_what_was_not_sent_is_not_waited_for() -> None:
    """There is no leader, or no room on the link to it."""
    calls, asker = LeaderCalls(), Asker()
    calls.failed(begun(calls, asker).counter)
    assert (asker.told, len(calls)) == ([None], 0)


def test_a_call_that_is_repeated_keeps_its_number() -> None:
    """While it is open, so an answer to either message ends it, once; then it is a new call."""
    calls, asker, other = LeaderCalls(), Asker(), Asker()
    call = asker.call()
    first = calls.ask(call, 0)
    begun(calls, other)
    assert first is not None
    assert calls.ask(call, 5) == first
    assert len(calls) == 2
    for _ in range(2):
        calls.answered(DurableReply(first.counter, 3))
    assert (asker.told, other.told, len(calls)) == ([DurableReply(first.counter, 3)], [], 1)
    again = calls.ask(call, 10)
    assert again is not None
    assert again.counter > first.counter


def test_a_call_that_is_repeated_is_not_given_up() -> None:
    """Its time counts from the last repetition; one that began later and was not repeated ends before it."""
    calls, asker, gone = LeaderCalls(), Asker(), Asker()
    call = asker.call()
    calls.ask(call, 0)
    begun(calls, gone, 10)
    calls.ask(call, 20)
    calls.expire(PATIENCE_MS + 19)
    assert (asker.told, gone.told, len(calls)) == ([], [None], 1)
    calls.expire(PATIENCE_MS + 20)
    assert (asker.told, len(calls)) == ([None], 0)


def test_a_lost_answer_is_given_up_in_its_time() -> None:
    """Each call by its own; those that came later wait on."""
    calls, first, second = LeaderCalls(), Asker(), Asker()
    begun(calls, first, 0)
    begun(calls, second, 10)
    calls.expire(PATIENCE_MS - 1)
    assert first.told == []
    calls.expire(PATIENCE_MS)
    assert (first.told, second.told, len(calls)) == ([None], [], 1)


def test_there_are_only_so_many_at_once() -> None:
    """One more hears that there is no answer to be had, and those before it are not disturbed."""
    calls, many, late = LeaderCalls(), Asker(), Asker()
    call = many.call()
    first = calls.ask(call, 0)
    for _ in range(CALLS_MAX - 1):
        begun(calls, many)
    assert calls.ask(late.call(), 0) is None
    assert (late.told, many.told, len(calls)) == ([None], [], CALLS_MAX)
    assert calls.ask(call, 0) == first, "a repetition is not one more"
    calls.expire(PATIENCE_MS)
    assert calls.ask(late.call(), 0) is not None


@given(
    st.lists(st.tuples(st.sampled_from(["ask", "answer", "lose", "pass"]), st.integers(0, 9)), max_size=60)
)
def test_whatever_happens_each_call_ends_once(events: list[tuple[str, int]]) -> None:
    """And in the end every one of them has."""
    calls, askers, now_ms = LeaderCalls(), list[Asker](), 0
    for event, number in events:
        match event:
            case "ask":
                askers.append(Asker())
                begun(calls, askers[-1], now_ms)
            case "answer":
                calls.answered(DurableReply(number, 1))
            case "lose":
                calls.lost()
            case _:
                now_ms += number * PATIENCE_MS // 8
                calls.expire(now_ms)
        assert sum(not asker.told for asker in askers) == len(calls)
    calls.expire(now_ms + PATIENCE_MS)
    assert [len(asker.told) for asker in askers] == [1] * len(askers)
