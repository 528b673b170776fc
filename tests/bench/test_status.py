"""`trikv status`: the table, the leader a majority knows, the exit code."""

import json

import pytest

from tests.fake_server import FakeServer, bulk
from trikv.bench.status import (
    NodeStatus,
    agreed_leader,
    as_table,
    ask,
    duration,
    from_info,
    size,
    status,
    with_lag,
)
from trikv.client.info import parse_info

_INFO = """# Server\r
uptime_in_seconds:3725\r
# Memory\r
used_memory:1572864\r
maxmemory:268435456\r
# Raft\r
raft_role:{role}\r
raft_node_id:{node}\r
raft_leader_id:{leader}\r
raft_current_term:7\r
raft_last_log_index:120\r
raft_commit_index:118\r
raft_last_applied_index:{applied}\r
# Keyspace\r
db0:keys=40,expires=0,avg_ttl=0\r
db3:keys=2,expires=1,avg_ttl=0\r
"""


def _node(role: str, node: int, leader: str = "2", applied: int = 118) -> FakeServer:
    text = _INFO.format(role=role, node=node, leader=leader, applied=applied)
    return FakeServer(lambda _: bulk(text.encode()))


def _down_address() -> str:
    with _node("follower", 1) as server:
        return str(server.address)


def test_a_healthy_cluster_is_one_table_and_exit_code_zero(capsys: pytest.CaptureFixture[str]) -> None:
    """Role, term, indexes, lag, keys of all databases, memory of cap and uptime stand in one line a node."""
    with _node("follower", 1, applied=100) as one, _node("leader", 2) as two, _node("follower", 3) as three:
        assert status(f"{one.address},{two.address},{three.address}") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:5] == ["node", "address", "role", "term", "last"]
    expected = ["1", str(one.address), "follower", "7", "120", "118", "100", "18", "42"]
    assert lines[1].split()[:9] == expected
    assert lines[1].endswith("1.5mb of 256mb  1h02m")
    assert "leader" in lines[2]
    assert lines[-1] == "leader: 2"


def test_a_dead_node_is_shown_as_down_and_a_majority_suffices(capsys: pytest.CaptureFixture[str]) -> None:
    """Two of three agree: exit code 0, and the third stands there as down, with the reason."""
    down = _down_address()
    with _node("leader", 2) as two, _node("follower", 3) as three:
        assert status(f"{down},{two.address},{three.address}", json=True) == 0
        document = json.loads(capsys.readouterr().out)
        assert document["leader"] == "2"
        assert [node["role"] for node in document["nodes"]] == ["down", "leader", "follower"]
        assert document["nodes"][0]["problem"]
        assert status(f"{down},{two.address},{three.address}") == 0
        assert f"{down}: " in capsys.readouterr().out


def test_without_a_majority_the_exit_code_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    """One of three, or nobody who knows a leader: exit code 1, and the table still."""
    down = _down_address()
    with _node("follower", 3) as three:
        assert status(f"{down},127.0.0.1:1,{three.address}") == 1
    with _node("candidate", 1, leader="0") as one:
        assert status(str(one.address)) == 1
    assert "no leader is known" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("nodes", "watch"), [("nonsense", None), (",", None), (None, 0.0), (None, float("nan"))]
)
def test_bad_options_are_one_line(
    nodes: str | None, watch: float | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Options without sense: one line, exit code 2."""
    assert status(nodes, watch=watch) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_watch_repeats_until_ctrl_c(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """--watch shows the table again and again; Ctrl-C ends it with the last exit code."""
    naps = 0

    def nap(seconds: float) -> None:
        nonlocal naps
        assert seconds == 0.5
        naps += 1
        if naps == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("trikv.bench.status.time.sleep", nap)
    with _node("leader", 2) as two:
        assert status(str(two.address), watch=0.5) == 0
    assert capsys.readouterr().out.count("leader: 2") == 3


def test_leaders_of_different_terms_do_not_add_up() -> None:
    """Two nodes that name one leader in different terms are no majority: one of them is behind."""

    def row(leader: str | None, term: int) -> NodeStatus:
        return NodeStatus("a:1", "follower", leader=leader, term=term)

    assert agreed_leader([row("1", 4), row("1", 4), row(None, 4)]) == "1"
    assert agreed_leader([row("1", 4), row("1", 5), row("2", 5)]) is None
    assert agreed_leader([row("1", 4), row("1", 4), row("2", 5), row("2", 5)]) is None
    assert agreed_leader([]) is None


def test_what_a_node_does_not_say_is_a_dash() -> None:
    """A server without Raft (plain Redis) is shown with what it has."""
    row = from_info(
        "a:1", parse_info("# Server\r\nrole:master\r\nused_memory:100\r\nmaxmemory:0\r\nterm:x\r\n")
    )
    assert (row.role, row.node, row.term, row.keys, row.memory_bytes) == ("master", None, None, 0, 100)
    line = as_table(with_lag([row]), None).splitlines()[1]
    assert line.split() == ["-", "a:1", "master", "-", "-", "-", "-", "-", "0", "100b", "-"]


def test_a_node_that_refuses_or_talks_nonsense_is_no_crash() -> None:
    """Errors and replies of the wrong kind become the row's problem."""
    with FakeServer(lambda _: b"-NOAUTH Authentication required.\r\n") as locked:
        (row,) = ask((locked.address,))
        assert (row.role, row.problem) == ("refused", "NOAUTH Authentication required.")
        (row,) = ask((locked.address,), b"wrong")
        assert row.role == "refused"
    with FakeServer(lambda _: b":5\r\n") as odd:
        assert ask((odd.address,))[0].role == "down"
    with FakeServer(lambda _: b"HTTP/1.1 400 Bad\r\n") as other:
        (row,) = ask((other.address,))
        assert row.problem is not None
        assert "Redis protocol" in row.problem


def test_without_the_password_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """Who gave none is told how to, who gave a wrong one that it is wrong; neither to ask others."""
    with FakeServer(lambda _: b"-NOAUTH Authentication required.\r\n") as locked:
        assert status(f"{locked.address},{_down_address()}") == 1
    shown = capsys.readouterr().out
    how = "set TRIKV_REQUIREPASS_FILE=FILE, or give --password-file FILE"
    assert f"\nthese nodes require a password: {how}\n" in shown
    assert "--nodes" not in shown
    with FakeServer(lambda _: b"-WRONGPASS invalid username-password pair.\r\n") as locked:
        assert status(str(locked.address)) == 1
    shown = capsys.readouterr().out
    assert "\nthese nodes require another password than the one given\n" in shown
    assert "--nodes" not in shown


def test_units_are_for_people() -> None:
    """Sizes in Redis' units, times by their two highest units."""
    assert [size(n) for n in (0, 1023, 1024, 1536, 256 << 20, 3 << 30, 5 << 40)] == [
        *("0b", "1023b", "1kb", "1.5kb", "256mb", "3gb", "5tb"),
    ]
    assert [duration(s) for s in (0, 59, 61, 3725, 90_000)] == ["0s", "59s", "1m01s", "1h02m", "1d01h"]
