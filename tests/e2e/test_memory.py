"""The cap on memory: refused at the same entry on every node, and the process stays within its bound."""

import random
import socket
from pathlib import Path

import pytest

from tests.e2e.clients import Resp
from tests.e2e.cluster import NODE_IDS, Cluster, eventually, now_s, pause
from tests.e2e.crowd import Crowd, allow_descriptors
from tests.tools import skip_without
from trikv.client.commands import encode_command
from trikv.client.info import parse_info
from trikv.front import inputs

CAP = 32 << 20
RESIDENT_MAX = CAP * 3 // 2 + (80 << 20)
INPUT = inputs.DEFAULT_BYTES_MIN
"""What requests may take besides, at this cap."""
LARGE = 8_000_000
BEGUN = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$%d\r\n" % LARGE
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
            reply = connection.receive()
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
            assert not isinstance(connection.call("BGSAVE"), Exception)
            assert fill(connection, range(10_000), dice, (10, 5000)) > 0
            assert connection.call("EXISTS", "key:0") == 1
            pids = {node: cluster.processes[node].pid for node in NODE_IDS}
            resident = {node: resident_bytes(pid) for node, pid in pids.items()}
            assert all(count <= RESIDENT_MAX for count in resident.values()), (resident, RESIDENT_MAX)
            cluster.wait_until_caught_up()
            eventually(lambda: same_state(cluster), within_s=10, what="equal digests at an equal index")
            connection.call("DEL", *(f"key:{number}" for number in range(2000)))
            assert connection.call("SET", "room", "x" * 1000) == b"OK"
            used = int(cluster.info(1)["used_memory"])
            assert used <= CAP


def same_state(cluster: Cluster) -> bool:
    """True where all nodes give one digest at one index."""
    found = set()
    for node in NODE_IDS:
        with cluster.resp(node) as connection:
            index, digest = connection.call("DIGEST")
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


def fed(node: Resp, data: bytes) -> bytes:
    """Send all of `data` if the node lets us, then give what it says within a moment, perhaps nothing."""
    node.socket.settimeout(10)
    said = b""
    try:
        node.socket.sendall(data)
        node.socket.settimeout(0.05)
        while piece := node.socket.recv(65536):
            said += piece
    except OSError:
        pass
    return said


@pytest.mark.parametrize("how", ["unfinished", "queued"])
def test_sixty_large_requests_take_no_more_than_their_part(how: str, cluster: Cluster) -> None:
    """60 SETs of 8 MB that never end, or that wait for an EXEC: most are refused in words, the rest is held.

    A client that was there before is served throughout, and when they have gone so has the memory.
    """
    pid = cluster.processes[1].pid
    before = resident_bytes(pid)
    peak = 0
    crowd = [cluster.resp(1) for _ in range(60)]
    told = []
    with cluster.resp(1) as polite:
        for number, one in enumerate(crowd):
            data = BEGUN + b"v" * (LARGE - 1)
            if how == "queued":
                data = b"MULTI\r\n" + data + b"v\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n"
            told.append(fed(one, data))
            peak = max(peak, resident_bytes(pid))
            assert polite.call("SET", f"polite:{number}", "v" * 1000) == b"OK"
            assert polite.call("GET", f"polite:{number}") == b"v" * 1000
        assert peak <= before + INPUT + (24 << 20), "one more request of 16 MiB is being read, and is copied"
        info = parse_info(polite.call("INFO"))
        if how == "queued":
            assert int(info["transactions_discarded"]) > 40
            aborted = [one for one in crowd if fed(one, b"EXEC\r\n").endswith(b"(input_bytes_max)\r\n")]
            assert len(aborted) > 40
        else:
            assert int(info["client_query_buffer_limit_disconnections"]) > 40
        for one in crowd:
            one.close()
        assert polite.call("STRLEN", "a") in (0, LARGE), "whole, or not at all"
    if how == "unfinished":
        late = [one for one in told if one]
        assert all(b"ERR too much input waits on this node" in one for one in late)
    # A value of 8 MB was set, and the log of the last ones is kept.
    stored = 24 << 20 if how == "queued" else 0
    eventually(
        lambda: resident_bytes(pid) <= before + stored + (16 << 20),
        within_s=15,
        what="memory that has come down",
    )


CROWDS = {
    "typed lines": b"set key " + b"v" * 60_000,
    "arguments": b"*1000000\r\n" + (b"$50\r\n" + b"v" * 50 + b"\r\n") * 600,
    "watches": b"WATCH " + b" ".join(b"key:%06d" % number for number in range(800)) + b"\r\n",
    "watches of a program": encode_command([b"WATCH", *[b"key:%06d" % number for number in range(800)]]),
    "values": BEGUN + b"v" * 90_000,
}


@pytest.mark.parametrize("how", CROWDS)
def test_two_thousand_clients_take_no_more_than_their_part(how: str, cluster: Cluster) -> None:
    """Each holds little enough by itself; together they would pass the total by far."""
    if not allow_descriptors(4096):
        skip_without("two thousand clients need as many descriptors: raise the hard limit (ulimit -Hn)")
    pid = cluster.processes[1].pid
    before = resident_bytes(pid)
    crowd = Crowd([cluster.ports[1]], 2000, CROWDS[how])
    peak, stop_s = 0, now_s() + 6

    def over() -> bool:
        nonlocal peak
        peak = max(peak, resident_bytes(pid))
        return now_s() > stop_s

    try:
        crowd.run(over)
        assert peak <= before + INPUT + (24 << 20) + 2000 * 4096, (before, peak)
        with cluster.resp(1) as polite:
            assert polite.call("SET", "polite", "1") == b"OK"
            assert polite.call("GET", "polite") == b"1"
            held = int(parse_info(polite.call("INFO", "clients"))["input_bytes"])
    finally:
        crowd.close()
    assert INPUT // 2 < held <= INPUT
    assert crowd.fates.untold == 0, crowd.fates
    # What small objects took Python may keep for the next ones; it counts no more, but is no more than that.
    kept = INPUT if "watches" in how or how == "arguments" else 24 << 20
    eventually(lambda: resident_bytes(pid) <= before + kept, within_s=15, what="memory that has come down")


def test_a_reply_that_is_taken_slowly_counts_until_it_is_taken(tmp_path: Path) -> None:
    """Clients that read all but the end of long replies hold no more than the output limits say."""
    with Cluster(tmp_path, maxmemory=str(CAP)) as cluster:
        cluster.start_all()
        cluster.wait_for_leader()
        pid = cluster.processes[1].pid
        with cluster.resp(1) as polite:
            assert polite.call("SET", "large", "v" * LARGE) == b"OK"
            before = resident_bytes(pid)
            slow = [cluster.resp(1) for _ in range(12)]
            for one in slow:
                one.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                one.socket.sendall(b"*2\r\n$3\r\nGET\r\n$5\r\nlarge\r\n" * 6)
            pause(2)
            assert resident_bytes(pid) <= before + (256 << 20) + (64 << 20)
            assert polite.call("GET", "large") == b"v" * LARGE

            def closed() -> int:
                info = parse_info(polite.call("INFO"))
                return int(info["client_output_buffer_limit_disconnections"])

            eventually(lambda: closed() == len(slow), within_s=40, what="an end of those who take nothing")
            for one in slow:
                one.close()
        eventually(
            lambda: resident_bytes(pid) <= before + (16 << 20), within_s=15, what="memory that has come down"
        )
