"""A node that lost its disk, or whose disk lies, comes back by itself or by one command (PROTOCOL 14, 16)."""

import shutil
from pathlib import Path

from tests.e2e.cluster import STOP_S, Cluster, eventually


def fill(cluster: Cluster) -> None:
    """Write something worth losing."""
    with cluster.resp(1) as connection:
        for number in range(200):
            assert connection.call("SET", f"k{number}", number) == b"OK"


def wait_until_member(cluster: Cluster, node: int) -> None:
    """Wait until `node` votes again and holds all keys."""

    def member() -> bool:
        info = cluster.info(node)
        return f"{node}:voter" in info.get("raft_members", "") and info.get("raft_num_voting_nodes") == "3"

    eventually(member, within_s=30, what=f"node{node} as a voter")
    cluster.wait_for_leader()
    with cluster.resp(node) as connection:
        assert connection.call("GET", "k199") == b"199"
        assert connection.call("DBSIZE") == 200


def test_a_blank_disk_is_swapped_in(cluster: Cluster) -> None:
    """Its data deleted, a node joins as a learner and becomes a voter, with nothing typed by anyone."""
    fill(cluster)
    victim = next(node for node in (1, 2, 3) if node != cluster.wait_for_leader())
    before = cluster.info(victim)["raft_disk_id"]
    cluster.kill(victim)
    shutil.rmtree(cluster.data(victim))
    cluster.start(victim)
    wait_until_member(cluster, victim)
    assert cluster.info(victim)["raft_disk_id"] != before


def test_a_corrupt_disk_is_refused_and_refilled(cluster: Cluster) -> None:
    """A flipped byte stops the start; one line names the file and --refill, and that command repairs it."""
    fill(cluster)
    victim = next(node for node in (1, 2, 3) if node != cluster.wait_for_leader())
    cluster.kill(victim)
    segment = min((cluster.data(victim) / "wal").glob("*.wal"))
    content = bytearray(segment.read_bytes())
    at = content.index(b"k100")
    content[at] ^= 1
    segment.write_bytes(bytes(content))
    assert cluster.start(victim).wait(STOP_S) == 1
    last = cluster.log(victim).splitlines()[-1]
    assert last.startswith(f"trikv: node{victim}: ")
    assert segment.name in last
    assert "--refill" in last
    assert "Traceback" not in cluster.log(victim)
    cluster.start(victim, "--refill")
    wait_until_member(cluster, victim)
    [aside] = (cluster.data(victim) / "aside").glob("refill-*")
    assert (aside / "wal" / segment.name).exists()


def test_a_node_without_the_secret_refuses(cluster: Cluster) -> None:
    """One line that says what to copy, exit code 2."""
    cluster.kill(2)
    (cluster.directory / "cluster.secret").unlink()
    assert cluster.start(2).wait(STOP_S) == 2
    assert "copy cluster.secret there from another node" in cluster.log(2).splitlines()[-1]


def test_two_processes_do_not_share_a_disk(cluster: Cluster) -> None:
    """The second start of a node is refused in one line, and the first is not disturbed."""
    first = cluster.processes[3]
    second = cluster.start(3)
    assert second.wait(STOP_S) == 1
    assert "in use by another process" in cluster.log(3).splitlines()[-1]
    cluster.processes[3] = first
    cluster.wait_for_leader()


def test_an_older_copy_of_a_disk_is_named_and_refilled(cluster: Cluster, tmp_path: Path) -> None:
    """A follower whose data was put back to an earlier state gets nothing; its leader says what to do."""
    victim = next(node for node in (1, 2, 3) if node != cluster.wait_for_leader())
    cluster.kill(victim)
    shutil.copytree(cluster.data(victim), tmp_path / "older")
    cluster.start(victim)
    leader = cluster.wait_for_leader()
    fill(cluster)
    cluster.wait_until_caught_up()
    cluster.kill(victim)
    shutil.rmtree(cluster.data(victim))
    shutil.copytree(tmp_path / "older", cluster.data(victim))
    cluster.start(victim)
    told = "a follower has lost entries that it acknowledged"
    eventually(lambda: told in cluster.log(leader), within_s=30, what=f"a word of node{leader}")
    line = next(line for line in cluster.log(leader).splitlines() if told in line)
    assert "--refill" in line
    assert f"peer={victim}" in line
    cluster.kill(victim)
    cluster.start(victim, "--refill")
    wait_until_member(cluster, victim)
