"""The cap on memory: refused at the same entry on every node, and the process stays within its bound."""

import random
from pathlib import Path

from tests.e2e.clients import Resp
from tests.e2e.cluster import NODE_IDS, Cluster, eventually

CAP = 32 << 20
RESIDENT_MAX = CAP * 3 // 2 + (80 << 20)
PIPELINE = 50


def resident_bytes(pid: int) -> int:
    """What the system says a process holds."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def fill(connection: Resp, keys: range, dice: random.Random, sizes: tuple[int, int]) -> int:
    """Write every key with a value of random size; how many writes were refused with OOM."""
    refused = 0
    for at in range(0, len(keys), PIPELINE):
        piece = keys[at : at + PIPELINE]
        for number in piece:
            connection.send("SET", f"key:{number}", b"x" * dice.randint(*sizes))
        for _ in piece:
            reply = connection.reply()
            if isinstance(reply, Exception):
                assert str(reply) == "OOM command not allowed when used memory > 'maxmemory'."
                refused += 1
    return refused


def test_past_the_cap(tmp_path: Path) -> None:
    """New keys, overwrites of changing size and a snapshot meanwhile: OOM, equal digests, bounded memory.

    Deletes free room again, and reads go on throughout.
    """
    dice = random.Random(7)
    with Cluster(tmp_path, maxmemory=str(CAP)) as cluster:
        cluster.start_all()
        cluster.wait_for_leader()
        with cluster.resp(2) as connection:
            assert fill(connection, range(20_000), dice, (1000, 3000)) > 0
            assert not isinstance(connection.command("BGSAVE"), Exception)
            assert fill(connection, range(10_000), dice, (10, 5000)) > 0
            assert connection.command("EXISTS", "key:0") == 1
            pids = {node: cluster.processes[node].pid for node in NODE_IDS}
            resident = {node: resident_bytes(pid) for node, pid in pids.items()}
            assert all(count <= RESIDENT_MAX for count in resident.values()), (resident, RESIDENT_MAX)
            cluster.wait_until_caught_up()
            eventually(lambda: same_state(cluster), within_s=10, what="equal digests at an equal index")
            connection.command("DEL", *(f"key:{number}" for number in range(2000)))
            assert connection.command("SET", "room", "x" * 1000) == b"OK"
            used = int(cluster.info(1)["used_memory"])
            assert used <= CAP


def same_state(cluster: Cluster) -> bool:
    """True where all nodes give one digest at one index."""
    found = set()
    for node in NODE_IDS:
        with cluster.resp(node) as connection:
            index, digest = connection.command("DIGEST")
        assert len(digest) == 32
        found.add((index, digest))
    return len(found) == 1


def test_an_explicit_cap_changes_the_cap_of_old_data(tmp_path: Path) -> None:
    """--maxmemory given by flag goes through the log once; every node then has it (PROTOCOL 22)."""
    with Cluster(tmp_path, maxmemory="64mb") as cluster:
        cluster.start_all()
        cluster.wait_for_leader()
        cluster.terminate_all()
        cluster.settings["maxmemory"] = "48mb"
        cluster.start_all()
        cluster.wait_for_leader()
        for node in NODE_IDS:
            eventually(
                lambda: cluster.info(node).get("maxmemory") == str(48 << 20),  # noqa: B023 - used up at once
                within_s=10,
                what=f"the new cap on node{node}",
            )
