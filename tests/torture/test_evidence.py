"""What is concluded from an answer: the rules by which trikv's errors may be read."""

from typing import Any

import pytest

from trikv.client.replies import ErrorReply
from trikv.torture.evidence import Evidence, Outcome, outcome_of

ERROR = ErrorReply


@pytest.mark.parametrize(
    ("replies", "outcome"),
    [
        ([b"OK"], Outcome.DONE),
        ([None], Outcome.DONE),
        ([ERROR("CLUSTERDOWN no leader was reached in time")], Outcome.REFUSED),
        ([ERROR("READONLY You can't write against a read only replica.")], Outcome.REFUSED),
        ([ERROR("INDETERMINATE the write may or may not have happened")], Outcome.UNKNOWN),
        ([ERROR("ERR unknown command")], Outcome.UNEXPECTED),
        ([b"OK", b"QUEUED", [1]], Outcome.DONE),
        ([b"OK", b"QUEUED", ERROR("CLUSTERDOWN x")], Outcome.REFUSED),
        ([b"OK", ERROR("READONLY x"), ERROR("EXECABORT x")], Outcome.REFUSED),
        ([b"OK", b"QUEUED", ERROR("INDETERMINATE x")], Outcome.UNKNOWN),
        ([b"OK", b"QUEUED", [1, ERROR("WRONGTYPE x")]], Outcome.UNEXPECTED),
        ([ERROR("CLUSTERDOWN x"), 1, ERROR("ERR EXEC without MULTI")], Outcome.UNKNOWN),
    ],
)
def test_what_an_answer_says(replies: list[Any], outcome: Outcome) -> None:
    """CLUSTERDOWN: not executed. INDETERMINATE: nobody knows; so too where MULTI itself was refused."""
    assert outcome_of(replies) is outcome


def test_the_fate_of_a_unique_write() -> None:
    """In doubt from when it is sent; only an answer, vouched for where that is asked, ends the doubt."""
    evidence = Evidence(b"p:")
    for key in (b"p:1", b"p:2", b"p:3", b"p:4", b"p:5"):
        evidence.begin_unique(key)
    assert set(evidence.unique.values()) == {Outcome.UNKNOWN}
    evidence.end_unique(b"p:1", [b"OK"], 1.0)
    evidence.end_unique(b"p:2", [ERROR("CLUSTERDOWN x")], 2.0)
    evidence.end_unique(b"p:3", [b"OK"], 3.0, vouched=False)
    evidence.end_unique(b"p:4", [ERROR("ERR what?")], 4.0)
    evidence.broken()
    fates = [Outcome.DONE, Outcome.REFUSED, Outcome.UNKNOWN, Outcome.UNKNOWN, Outcome.UNKNOWN]
    assert list(evidence.unique.values()) == fates
    assert evidence.acknowledged_s == {b"p:1": 1.0}
    assert evidence.unexpected == {"ERR what?": 1}
    tally = evidence.tally
    assert (tally.answered, tally.acknowledged_writes, tally.refused, tally.unknown) == (1, 1, 1, 3)


def test_an_operation_of_the_history() -> None:
    """Answered, refused, or ambiguous for ever."""
    evidence = Evidence(b"p:")
    done, refused, unknown, odd, silent = (evidence.begin(client, ((b"INCR", b"c"),)) for client in range(5))
    evidence.end(done, [7], writes=True)
    evidence.end(refused, [ERROR("CLUSTERDOWN x")], writes=True)
    evidence.end(unknown, [ERROR("INDETERMINATE x")], writes=True)
    evidence.end(odd, [[1, ERROR("OOM x")]], writes=True)
    assert done.is_known
    assert done.reply == 7
    assert refused.failed
    assert unknown.is_ambiguous
    assert odd.is_ambiguous
    assert silent.is_ambiguous
    assert evidence.unexpected == {"OOM x": 1}
