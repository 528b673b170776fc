"""The verdict: what is wrong is found, and what may be is let pass."""

from hypothesis import given
from hypothesis import strategies as st

from trikv.client.replies import ErrorReply
from trikv.sim.checkers.linearizability import check
from trikv.sim.history import History, Operation
from trikv.torture.evidence import Evidence
from trikv.torture.judge import Findings, counter_order, judge
from trikv.torture.reading import Reading

COUNTER = b"p:c0"


def evidence_of_writes() -> Evidence:
    """Two acknowledged writes, one refused, one in doubt."""
    evidence = Evidence(b"p:")
    for key, reply in ((b"p:a", b"OK"), (b"p:b", b"OK"), (b"p:r", ErrorReply("CLUSTERDOWN x"))):
        evidence.begin_unique(key)
        evidence.end_unique(key, [reply], 1.0)
    evidence.begin_unique(b"p:d")
    return evidence


def test_a_clean_run_is_clean() -> None:
    """Nothing is wrong: no problem, and the counts are those of the evidence."""
    findings = judge(evidence_of_writes(), [Reading("n1", checked=2)], {"n1": "5 x", "n2": "5 x"})
    assert findings.clean
    assert findings == Findings(2, 2, 0, 1, checked=2)


def test_a_lost_write_is_counted_once() -> None:
    """Two nodes that lack the same write: one write lost, two problems, each with its name."""
    readings = [Reading(node, checked=2, lost=[b"p:a"]) for node in ("n1", "n2")]
    findings = judge(evidence_of_writes(), readings)
    assert findings.lost_in_all == 1
    assert findings.problems == [
        "n1 has lost 1 of 2 acknowledged writes: p:a",
        "n2 has lost 1 of 2 acknowledged writes: p:a",
    ]


def test_everything_else_that_is_wrong() -> None:
    """A refused write that is there, a foreign value, a silent node, unequal states, odd errors, troubles."""
    evidence = evidence_of_writes()
    evidence.unexpected["ERR what?"] += 2
    readings = [Reading("n1", risen=["p:r"]), Reading("n2", wrong=["p:a"]), Reading("n3", unread=True)]
    findings = judge(evidence, readings, {"n1": "5 x", "n2": "5 y"}, ["node1 ended by itself"])
    assert findings.problems == [
        "node1 ended by itself",
        "answered 2 times: ERR what?",
        "n1: 1 key answered as not executed, and there all the same: p:r",
        "n2: 1 key with a value that was never written: p:a",
        "n3 could not be read back: it did not answer",
        "the nodes hold different states: n1 5 x, n2 5 y",
    ]


def test_what_proved_nothing_is_not_clean() -> None:
    """Reads answered but not one write acknowledged, or no node that told its digest: no verdict of clean."""
    evidence = Evidence(b"p:")
    evidence.begin_unique(b"p:a")
    evidence.end_unique(b"p:a", [ErrorReply("READONLY x")], 1.0)
    evidence.tally.answered += 1
    assert "no write was acknowledged: nothing was proved" in judge(evidence, []).problems
    (problem,) = judge(evidence_of_writes(), [Reading("n1", checked=2)], {}).problems
    assert "digest" in problem


def test_silence_is_not_clean() -> None:
    """A run in which nothing was answered proves nothing."""
    assert judge(Evidence(b"p:"), []).problems == ["no command was answered"]


def counted(*replies: int | None) -> Evidence:
    """One increment after the other; None: of unknown fate."""
    evidence = Evidence(b"p:")
    operations = evidence.counters[COUNTER] = []
    for reply in replies:
        operation = evidence.begin(1, ((b"INCR", COUNTER),))
        operations.append(operation)
        if reply is not None:
            evidence.end(operation, [reply], writes=True)
    return evidence


def test_counters_between_acknowledged_and_possible() -> None:
    """From acknowledged to acknowledged + unknown; a shortfall is a loss, too much is disorder."""
    for final, clean, lost in ((2, True, 0), (3, True, 0), (4, False, 0), (1, False, 1), (0, False, 2)):
        findings = judge(counted(1, 2, None), [Reading("n1", counters={COUNTER: final})])
        assert (findings.clean, findings.increments_lost) == (clean, lost)


def test_the_same_answer_twice_is_found() -> None:
    """Two acknowledged increments with one answer: one of them is gone, whatever the counter says."""
    findings = judge(counted(1, 1), [Reading("n1", counters={COUNTER: 2})])
    assert "two increments" in findings.problems[0]


def test_a_group_without_an_order_is_found() -> None:
    """A read that does not see an acknowledged write has no explanation."""
    evidence = Evidence(b"p:")
    write = evidence.begin(1, ((b"SET", b"p:r0.0", b"1"),))
    evidence.end(write, [b"OK"], writes=True)
    read = evidence.begin(2, ((b"GET", b"p:r0.0"),))
    evidence.end(read, [None], writes=False)
    evidence.groups[0] = [write, read]
    findings = judge(evidence, [])
    assert evidence.tally.answered == 2
    assert (findings.groups, findings.disordered) == (1, 1)
    assert "no order explains" in findings.problems[0]


Event = tuple[int, bool, int | None]


@st.composite
def counter_histories(draw: st.DrawFn) -> list[Operation]:
    """Few operations on one counter, with answers that may or may not fit."""
    history = History()
    open_operations: list[Operation] = []
    every: list[Operation] = []
    for _ in range(draw(st.integers(1, 14))):
        answers = draw(st.booleans())
        if open_operations and answers:
            operation = open_operations.pop(draw(st.integers(0, len(open_operations) - 1)))
            value = draw(st.integers(0, 4))
            reads = operation.commands[0][0] == b"GET"
            history.answer(operation, (b"%d" % value if value else None) if reads else value + 1)
        else:
            name = b"GET" if draw(st.booleans()) else b"INCR"
            operation = history.call(1, "c", 0, ((name, b"c"),))
            open_operations.append(operation)
            every.append(operation)
    return every


@given(counter_histories())
def test_the_order_of_a_counter_is_what_the_search_finds(operations: list[Operation]) -> None:
    """The linear check and the exponential one agree on every history."""
    replies = [one.reply for one in operations if one.is_known and one.commands[0][0] == b"INCR"]
    if len(set(replies)) < len(replies):
        return  # found by the count of answers, before any order is looked for
    assert (counter_order(operations) is None) == (check(operations).problem is None)
