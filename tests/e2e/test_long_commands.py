"""A write that takes seconds at every node of a real cluster: what goes on meanwhile, and what waits."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest

from tests.e2e.clients import Resp
from tests.e2e.cluster import NODE_IDS, Cluster, eventually, now_s, pause
from tests.e2e.test_memory import same_state

STEPS = 5000
"""Five seconds of work, if a node has a core of its own."""
SHORTER = 1500
PING_S_MAX = 0.05
"""What 99 of 100 take at most. A machine shared by all of CI is granted more for the last one, ..."""
ELECTION_S = 0.4
"""... but never the shortest election timeout."""
WAIT_S = 120.0
"""The work takes longer if three nodes, and whatever else runs, share the cores."""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Three nodes with a leader, which allow DEBUG to clients of this machine.

    Each knows its cluster's level: one that has not applied that yet refuses DEBUG (PROTOCOL 64).
    """
    with Cluster(tmp_path, enable_debug_command="local") as started:
        started.start_all()
        started.wait_for_leader()
        for node in NODE_IDS:
            eventually(lambda: level(started, node) > 0, within_s=WAIT_S, what=f"node{node} founded")  # noqa: B023
        yield started


class Asking(threading.Thread):
    """One command on a connection of its own, asked when the ``with`` begins, and answered at its end."""

    def __init__(self, cluster: Cluster, node: int, *words: str) -> None:
        super().__init__()
        self.answer: Any = None
        self._connection = Resp(cluster.ports[node], wait_s=WAIT_S)
        self._words = words

    def run(self) -> None:
        """Ask, and wait for the answer or the end of the connection."""
        with self._connection:
            try:
                self.answer = self._connection.call(*self._words)
            except OSError as error:
                self.answer = error

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.join()


def applying_ms(cluster: Cluster, node: int) -> int:
    """For how long a node has been inside an entry, as INFO tells."""
    return int(cluster.info(node).get("raft_applying_ms", 0))


def level(cluster: Cluster, node: int) -> int:
    """The level that the cluster was founded at, as far as a node has applied that; else 0."""
    return int(cluster.info(node).get("raft_feature_level", 0))


def wait_until_inside(cluster: Cluster, work: Asking, *nodes: int) -> None:
    """Wait until these nodes have been at the `work` for a while. It fails if that was refused."""

    def is_inside(node: int) -> bool:
        assert work.is_alive() or work.answer == b"OK", work.answer
        return applying_ms(cluster, node) > 100

    for node in nodes:
        eventually(lambda: is_inside(node), within_s=WAIT_S, what=f"node{node} inside")  # noqa: B023


def terms(cluster: Cluster) -> set[tuple[str, str]]:
    """The term and the leader of every node."""
    infos = [cluster.info(node) for node in NODE_IDS]
    return {(info["raft_current_term"], info["raft_leader_id"]) for info in infos}


def logged(cluster: Cluster, node: int) -> list[str]:
    """What a node has logged about its links."""
    return [line for line in cluster.log(node).splitlines() if "link " in line]


def test_everything_else_goes_on_and_whoever_needs_the_state_waits(cluster: Cluster) -> None:
    """PING and INFO are answered all the time, at every node; nobody is elected, no link goes down.

    Writes and reads wait, then each is answered once, from the state behind the work.
    """
    before = terms(cluster)
    assert len(before) == 1
    links = [logged(cluster, node) for node in NODE_IDS]
    with cluster.resp(1) as client:
        assert [client.call("INCR", "n") for _ in range(10)] == [*range(1, 11)]
    pings: list[float] = []
    with Asking(cluster, 1, "DEBUG", "WORK", str(STEPS), "worked") as work:
        wait_until_inside(cluster, work, *NODE_IDS)
        waiting = [
            Asking(cluster, node, *words) for node in NODE_IDS for words in (("GET", "worked"), ("INCR", "n"))
        ]
        for one in waiting:
            one.start()
        with cluster.resp(1) as first, cluster.resp(2) as second, cluster.resp(3) as third:
            while work.is_alive():
                for client in (first, second, third):
                    began_s = now_s()
                    assert client.call("PING") == b"PONG"
                    pings.append(now_s() - began_s)
                pause(0.01)
        for one in waiting:
            one.join()
    assert work.answer == b"OK"
    assert all(one.answer.startswith(b"%d/%d " % (STEPS, STEPS)) for one in waiting[::2])
    assert sorted(one.answer for one in waiting[1::2]) == [11, 12, 13]
    assert terms(cluster) == before
    assert [logged(cluster, node) for node in NODE_IDS] == links, "no link went down or came up"
    assert sorted(pings)[len(pings) * 99 // 100] <= PING_S_MAX
    assert max(pings) < ELECTION_S
    eventually(lambda: same_state(cluster), within_s=WAIT_S, what="equal digests at an equal index")
    assert [applying_ms(cluster, node) for node in NODE_IDS] == [0, 0, 0]


def test_a_node_that_is_killed_inside_it_does_all_of_it_again(cluster: Cluster) -> None:
    """One node, then all at once: the log holds the command, and a replay begins it anew."""
    leader = cluster.wait_for_leader()
    follower, other = (node for node in NODE_IDS if node != leader)
    with Asking(cluster, other, "DEBUG", "WORK", str(SHORTER), "first") as work:
        wait_until_inside(cluster, work, follower)
        cluster.kill(follower)
        cluster.start(follower)
    assert work.answer == b"OK"
    with Asking(cluster, leader, "DEBUG", "WORK", str(SHORTER), "second") as work:
        wait_until_inside(cluster, work, *NODE_IDS)
        cluster.kill_all()
    assert isinstance(work.answer, OSError)
    cluster.start_all()
    cluster.wait_for_leader()
    eventually(lambda: same_state(cluster), within_s=WAIT_S, what="equal digests at an equal index")
    with cluster.resp(1) as client:
        for key in ("first", "second"):
            assert client.call("GET", key).startswith(b"%d/%d " % (SHORTER, SHORTER))
