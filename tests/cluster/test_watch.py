"""What a watcher is told: news, each once, with the times that matter."""

import pytest

from trikv.cluster.watch import SHOW_S, SILENT_S, Departure, Status, Watch, table

RESTARTS = {"node1": "start 1", "node2": "start 2", "node3": "start 3"}


def statuses(leader: int | None, term: int = 1, *, without: int = 0) -> dict[str, Status]:
    """What three nodes say of themselves."""
    return {
        f"node{node}": Status(
            role="leader" if node == leader else "follower", term=term, leader_id=leader or 0, pid=100 + node
        )
        for node in (1, 2, 3)
        if node != without
    }


@pytest.fixture
def watch() -> Watch:
    """A watch that has seen node1 lead in term 1 from second 2 on."""
    started = Watch(RESTARTS, started_s=0)
    assert started.saw(statuses(None), 1) == []
    assert started.saw(statuses(1), 2) == ["node1 leads, term 1, after 2.0 s"]
    assert started.leader == "node1"
    return started


def test_what_is_known_is_not_repeated(watch: Watch) -> None:
    """A line is news, not a heartbeat."""
    assert watch.saw(statuses(1), 3) == []


def test_a_missed_answer_is_no_lost_leader(watch: Watch) -> None:
    """A busy leader that does not answer once still leads."""
    assert watch.saw(statuses(None, without=1), 3) == []
    assert watch.leader == "node1"
    assert watch.saw(statuses(1), 4) == []


def test_a_death_and_the_next_leader(watch: Watch) -> None:
    """The time counts from the death to the moment another node says that it leads."""
    assert watch.died("node1", -9, 10.0) == ["node1 died (killed by SIGKILL)", "  start it again: start 1"]
    assert watch.leader is None
    assert watch.saw(statuses(None, without=1), 10.3) == []
    assert watch.saw(statuses(3, 4, without=1), 10.6) == ["node3 leads, term 4, after 0.6 s"]


def test_a_node_that_is_started_by_hand_is_noticed_once(watch: Watch) -> None:
    """Its pid is told, because the supervisor will not stop it."""
    watch.died("node2", 1, 5, "the disk is full")
    assert watch.saw(statuses(1), 6) == ["node2 is back, pid 102; it was started by hand: stop it there"]
    assert watch.by_hand == {"node2": 102}
    assert watch.saw(statuses(1), 7) == []


def test_a_node_that_says_why_it_died_is_quoted(watch: Watch) -> None:
    """An exit code alone helps nobody; a signal has no last words."""
    assert (
        watch.died("node2", 1, 5, "the disk is full")[0]
        == "node2 died (exit code 1); it said: the disk is full"
    )
    assert watch.died("node3", -15, 5, "serving")[0] == "node3 died (ended by SIGTERM)"
    assert watch.died("node3", -6, 5)[0] == "node3 died (exit code -6)"


def test_a_node_that_was_asked_to_stop_has_not_died(watch: Watch) -> None:
    """Exit code 0 is a stop, by a signal or SHUTDOWN; its last words are no reason."""
    assert watch.died("node2", 0, 5, "stopped") == ["node2 stopped", "  start it again: start 2"]


def test_when_all_are_down_it_says_so_and_what_to_do(watch: Watch) -> None:
    """Once, with the last of them; again, if one that came back goes too."""
    assert len(watch.died("node1", -9, 5)) == 2
    assert len(watch.died("node2", 0, 5)) == 2
    *_, told = watch.died("node3", -9, 6)
    assert told.startswith(
        "all nodes are down: start them as shown, or end this by Ctrl-C and start the cluster"
    )
    assert watch.saw({}, 100) == []
    back = {"node2": statuses(None)["node2"]}
    assert watch.saw(back, 200)[0].startswith("node2 is back")
    assert watch.saw({}, 200 + SILENT_S - 0.1) == [], "one that is busy is not down"
    assert watch.saw(back, 200 + SILENT_S) == []
    assert watch.saw({}, 200 + 2 * SILENT_S) == [
        "node2, pid 102, does not answer any more",
        "  start it again: start 2",
        told,
    ]
    assert watch.by_hand == {}
    assert watch.saw({}, 300) == []


def test_a_handed_over_leadership_is_reported(watch: Watch) -> None:
    """A leader that steps down alive: the time counts from its own word."""
    assert watch.saw(statuses(None, 2), 20) == []
    assert watch.saw(statuses(2, 2), 20.4) == ["node2 leads, term 2, after 0.4 s"]


def test_a_change_between_two_questions_has_no_time(watch: Watch) -> None:
    """Where nobody saw the gap none is claimed."""
    assert watch.saw(statuses(2, 2), 3) == ["node2 leads, term 2"]


def test_a_deposed_leader_is_not_believed(watch: Watch) -> None:
    """Of two that say they lead the higher term is right; a lower one than known is old news."""
    both = statuses(2, 5)
    both["node1"] = Status(role="leader", term=1, leader_id=1, pid=101)
    assert watch.saw(both, 3) == ["node2 leads, term 5"]
    assert watch.saw(statuses(1, 1), 4) == []
    assert watch.leader in ("node2", None)


def test_info_is_read() -> None:
    """The fields that matter are found among all others."""
    lines = (
        "# Server",
        "process_id:7",
        "# Raft",
        "raft_role:leader",
        "raft_current_term:4",
        "raft_leader_id:2",
    )
    assert Status.parse("\r\n".join(lines)) == Status(role="leader", term=4, leader_id=2, pid=7)


@pytest.mark.parametrize(
    "text", ["", "raft_role:leader", "process_id:x\nraft_role:a\nraft_current_term:1\nraft_leader_id:1"]
)
def test_what_is_no_info_is_no_status(text: str) -> None:
    """A node that is still starting, or no node at all."""
    assert Status.parse(text) is None


def test_columns_are_aligned() -> None:
    """A table is read downwards."""
    assert table([("a", "bbb", "c"), ("aaa", "b", "c")]) == ["a    bbb  c", "aaa  b    c"]


def writing(keys: int, second: int, of: int = 1000) -> str:
    """A node's line about its dump."""
    head = f"2026-01-02T03:04:{second:02}.000001Z info    writing"
    return f"{head} file=dump.json keys={keys} of={of} bytes={keys * 1_000_000}\n"


def test_progress_puts_the_end_off_and_is_shown_now_and_then() -> None:
    """Each new line counts, whatever stands around it; the person is told every few seconds."""
    departure = Departure("node1", "started\n", 10, 0)
    assert not departure.is_overdue(9.9)
    assert departure.is_overdue(10)
    shown: list[str] = []
    log = "started\n"
    for second in range(1, 30):
        log += writing(second * 10, second) + "2026-01-02T03:04:05.0Z info    raft role=follower\n"
        assert not departure.is_overdue(second)
        shown += departure.saw(log[-500:], second)
        assert departure.saw(log[-500:], second) == []
    assert shown[0] == "node1 is writing dump.json: 1 % of 1,000 keys, 10 MB"
    assert len(shown) == 1 + 28 // int(SHOW_S)
    assert not departure.is_overdue(38.9)
    assert departure.is_overdue(39)


def test_what_a_log_said_before_is_no_progress() -> None:
    """The dump of an earlier stop, whole or not, says nothing of this one; nor does any other line."""
    before = writing(900, 1)
    departure = Departure("node1", before, 10, 100)
    assert departure.saw(before, 105) == []
    assert departure.saw(before + "2026-01-02T03:04:05.0Z info    dumped file=dump.json keys=1\n", 106) == []
    assert departure.is_overdue(110)


def test_haste_ends_all_patience() -> None:
    """After a second request progress counts no more."""
    departure = Departure("node1", "", 100, 0)
    departure.hurry(5, 10)
    assert not departure.is_overdue(14)
    departure.saw(writing(1, 1), 14)
    assert departure.is_overdue(15)


def test_an_empty_cluster_has_a_dump_too() -> None:
    """Nothing of nothing is no division."""
    assert Departure("node1", "", 1, 0).saw(writing(0, 1, of=0), 0) == [
        "node1 is writing dump.json: 0 % of 0 keys, 0 MB"
    ]
