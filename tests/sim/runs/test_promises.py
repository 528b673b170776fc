"""A node that comes back with less than it has promised its peers is caught at its start."""

from types import SimpleNamespace
from typing import Any, cast

from trikv.raft.core import Raft
from trikv.raft.messages import AppendAck, RequestVote, VoteAck
from trikv.raft.types import HardState
from trikv.sim.checkers.promises import Promises


def raft(term: int, vote: bytes | None = None, *, last: int = 0, disk: bytes = b"disk") -> Raft:
    """The parts of a node that the checker reads."""
    return cast(
        "Raft", SimpleNamespace(disk=disk, hard_state=HardState(term, vote), term=term, last_index=last)
    )


def complaints(sent: Any, before: Raft, after: Raft) -> list[str]:
    """What is wrong when `before` has sent that and starts again as `after`."""
    said: list[str] = []
    promises = Promises(lambda _, problem: said.append(problem))
    promises.made(1, before, sent)
    promises.reborn(1, after)
    return said


def test_a_vote_is_found_again() -> None:
    """Forgotten, or given to another: both would let it be given twice."""
    granted, before = VoteAck(5, granted=True, wall_ms=0), raft(5, b"a")
    assert complaints(granted, before, raft(5, b"a")) == []
    assert complaints(granted, before, raft(6)) == []
    assert complaints(granted, before, raft(5)) == ["node 1 has forgotten whom it voted for in term 5"]
    assert complaints(granted, before, raft(5, b"b")) == ["node 1 has forgotten whom it voted for in term 5"]


def test_a_candidate_finds_its_own_vote_again() -> None:
    """Otherwise it could vote for another in the term in which it has campaigned."""
    asked = RequestVote(5, 0, 0, transfer=False)
    assert complaints(asked, raft(5, b"disk"), raft(5)) == [
        "node 1 has forgotten whom it voted for in term 5"
    ]


def test_a_term_is_found_again() -> None:
    """The term of a refusal counts, too."""
    refused = VoteAck(5, granted=False, wall_ms=0)
    assert complaints(refused, raft(5), raft(4)) == ["node 1 spoke in term 5 and starts in 4"]
    assert complaints(refused, raft(5), raft(5, b"a")) == []


def test_acknowledged_entries_are_found_again() -> None:
    """In the same term; a later leader may have cut them."""
    acked = AppendAck(5, 9)
    assert complaints(acked, raft(5), raft(5, last=9)) == []
    assert complaints(acked, raft(5), raft(5, last=8)) == ["node 1 acknowledged 9, its log ends at 8"]
    assert complaints(acked, raft(5), raft(6, last=3)) == []


def test_another_disk_has_promised_nothing_and_a_liar_is_excused() -> None:
    """A blank disk under the old id, and one whose losses were granted."""
    acked = AppendAck(5, 9)
    assert complaints(acked, raft(5), raft(0, disk=b"blank")) == []
    said: list[str] = []
    promises = Promises(lambda _, problem: said.append(problem))
    promises.made(1, raft(5), acked)
    promises.forget(1)
    promises.reborn(1, raft(1))
    assert said == []


def test_what_was_acknowledged_in_a_term_stays_in_it() -> None:
    """A log that is cut below it in the same term is seen, crash or not; a later leader may cut it."""
    said: list[str] = []
    promises = Promises(lambda _, problem: said.append(problem))
    promises.made(1, raft(5, last=9), AppendAck(5, 9))
    promises.kept(1, raft(5, last=9))
    promises.kept(1, raft(6, last=7))
    assert said == []
    promises.kept(1, raft(5, last=8))
    assert said == ["node 1 acknowledged 9 and has cut its log"]
