"""Each rule about one message has a story that breaks it, and one like it that does not."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio

from trikv.raft.core import Raft
from trikv.raft.messages import (
    AppendAck,
    AppendEntries,
    Heartbeat,
    HeartbeatAck,
    Message,
    RequestVote,
    VoteAck,
)
from trikv.raft.roles import Role
from trikv.raft.settings import RaftSettings
from trikv.raft.types import Entry, EntryKind, HardState, ReadId
from trikv.sim.checkers.rules import Before, Rules


def raft(
    term: int = 5,
    vote: bytes | None = None,
    *,
    terms: tuple[int, ...] = (1, 1, 2),
    commit: int = 1,
    durable: int = 3,
    is_hard_state_durable: bool = True,
    matches: tuple[int, ...] = (),
) -> Raft:
    """The parts of a node that the rules read; its log has entries of these terms."""
    log = dict(enumerate(terms, start=1))
    progress = {peer: SimpleNamespace(match=match, round_acked=0) for peer, match in enumerate(matches, 2)}
    shared = SimpleNamespace(
        settings=RaftSettings(), outbox=SimpleNamespace(is_hard_state_durable=is_hard_state_durable)
    )
    return cast(
        "Raft",
        SimpleNamespace(
            disk=b"disk",
            term=term,
            hard_state=HardState(term, vote),
            role=Role.LEADER if matches else Role.FOLLOWER,
            commit=commit,
            durable_index=durable,
            last_index=len(terms),
            last_term=terms[-1],
            progress=progress,
            term_at=log.get,
            _shared=shared,
        ),
    )


def append(prev_index: int, prev_term: int, *terms: int, term: int = 5) -> AppendEntries:
    """Entries of these terms behind that one."""
    entries = [Entry(prev_index + n, one, EntryKind.NOOP, b"") for n, one in enumerate(terms, 1)]
    return AppendEntries(term, prev_index, prev_term, 9, tuple(entries))


def complaints(message: Message, before: Raft, after: Raft) -> list[str]:
    """The complaints if a message changes a node from `before` to `after`."""
    said: list[str] = []
    rules = Rules(lambda _, problem: said.append(problem))
    rules.heard(1, b"other", message, Before.of(before, message), after)
    return said


@pytest.mark.parametrize(
    ("message", "after"),
    [
        (VoteAck(4, granted=True, wall_ms=0), raft(matches=(0, 0))),
        (append(3, 2, 4, term=4), raft(terms=(1, 1, 2, 4))),
        (Heartbeat(4, 3, 1), raft(commit=3)),
    ],
    ids=["a vote", "an append", "a heartbeat"],
)
def test_a_message_of_an_old_term_changes_nothing(message: Message, after: Raft) -> None:
    """5.1: its sender is in the past."""
    assert complaints(message, raft(), raft()) == []
    (problem,) = complaints(message, raft(), after)
    assert problem.startswith("node 1 obeyed")


def test_an_ack_of_an_old_term_does_not_move_a_match() -> None:
    """5.1: it speaks of a log that may have been cut since."""
    (problem,) = complaints(AppendAck(4, 3), raft(matches=(1, 1)), raft(matches=(3, 1)))
    assert problem.startswith("node 1 obeyed")


def test_a_higher_term_is_entered() -> None:
    """5.1: also if it comes in an ack."""
    assert complaints(HeartbeatAck(6, 1, 0), raft(), raft(6)) == []
    assert complaints(HeartbeatAck(6, 1, 0), raft(), raft()) == [
        "node 1 heard of term 6 and stays in 5 (5.1)"
    ]


def test_an_append_commits_no_further_than_it_proves() -> None:
    """Figure 2: up to the last entry it brings, though the leader may have committed more."""
    assert complaints(append(1, 1, 1), raft(), raft(commit=2)) == []
    assert complaints(append(1, 1, 1), raft(), raft(commit=3)) == ["node 1 commits 3; 2 is proved (figure 2)"]


def test_entries_go_behind_the_entry_they_name_only() -> None:
    """5.3: if that has another term, nothing happens."""
    assert complaints(append(3, 3, 5), raft(), raft()) == []
    assert complaints(append(3, 2, 5), raft(), raft(terms=(1, 1, 2, 5))) == []
    assert complaints(append(3, 3, 5), raft(), raft(terms=(1, 1, 2, 5))) == [
        "node 1 appended behind an entry that differs (5.3)"
    ]


def test_a_repeated_append_cuts_nothing() -> None:
    """5.3: only entries that differ are cut; later ones may be newer than the message."""
    assert complaints(append(1, 1, 1), raft(), raft()) == []
    assert complaints(append(1, 1, 5), raft(), raft(terms=(1, 5))) == []
    assert complaints(append(1, 1, 1), raft(), raft(terms=(1, 1))) == [
        "node 1 cut its log where nothing differs (5.3)"
    ]


def test_what_is_said_of_the_disk_is_on_the_disk() -> None:
    """Figure 2: before responding to RPCs. A message of a term that is over is not judged here."""
    said: list[str] = []
    rules = Rules(lambda _, problem: said.append(problem))
    granted: Any = VoteAck(5, granted=True, wall_ms=0)
    rules.sent(1, AppendAck(5, 3), raft())
    rules.sent(1, AppendAck(4, 4), raft())
    rules.sent(1, granted, raft())
    rules.sent(1, VoteAck(5, granted=False, wall_ms=0), raft(is_hard_state_durable=False))
    assert said == []
    rules.sent(1, AppendAck(5, 4), raft())
    rules.sent(1, granted, raft(is_hard_state_durable=False))
    assert said == ["node 1 acknowledges 4, has 3 on disk", "node 1 has voted in term 5, not on its disk"]


@pytest.mark.parametrize(
    ("after_s", "ask", "is_right"),
    [
        (0.3, RequestVote(6, 3, 2, transfer=False), False),
        (0.3, RequestVote(6, 3, 2, transfer=True), True),
        (0.5, RequestVote(6, 3, 2, transfer=False), True),
    ],
    ids=["too early", "a transfer", "later"],
)
@pytest.mark.usefixtures("autojump_clock")
async def test_who_is_bound_to_a_leader_votes_for_nobody(
    after_s: float, ask: RequestVote, is_right: object
) -> None:
    """Thesis, 4.2.3: for the shortest election timeout, unless the leader hands over."""
    said: list[str] = []
    rules = Rules(lambda _, problem: said.append(problem))
    beat = Heartbeat(5, 1, 1)
    rules.heard(1, b"leader", beat, Before.of(raft(), beat), raft())
    await trio.sleep(after_s)
    rules.heard(1, b"other", ask, Before.of(raft(), ask), raft(6, b"other"))
    assert (said == []) is is_right


def test_a_read_sees_what_was_committed_when_it_was_asked() -> None:
    """Thesis, 6.4: committed anywhere in the cluster. Later commits may be missing."""
    said: list[str] = []
    rules = Rules(lambda _, problem: said.append(problem))
    read = ReadId(1, 7, 1)
    rules.committed(4)
    rules.asked(read)
    rules.committed(6)
    rules.allowed(1, read, 4)
    assert said == []
    rules.allowed(1, read, 3)
    assert said == ["node 1 may read at 3; when it asked, 4 was committed"]
