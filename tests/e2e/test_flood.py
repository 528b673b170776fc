"""A flood of connections at a small limit of open files: polite clients notice nothing, no node dies."""

import os
import threading
from pathlib import Path

from tests.e2e.clients import Resp
from tests.e2e.cluster import NODE_IDS, Cluster, eventually, now_s, pause
from tests.e2e.flood import Flood, many_files
from tests.e2e.load import Load
from tests.e2e.test_memory import resident_bytes, same_state
from trikv.client.info import parse_info

FLOOD_S = float(os.environ.get("FLOOD_SECONDS", "60"))
ATTEMPTS = 5000
BURSTS_A_S = 2
OPEN_FILES = 256
STDERR = "-"
"""Where the nodes' stderr goes; ``-`` closes it."""
CAP = 64 << 20
RESIDENT_MAX = CAP * 3 // 2 + (80 << 20)
CLIENTS = 6
VALUE_BYTES = 2000
LATENCY_S_MAX = 5.0
"""On two busy cores, a change of leader included."""
THINK_S = 0.01


class Polite(Load):
    """Clients that were connected before. Each writes keys of its own and reads them back."""

    def __init__(self, cluster: Cluster, clients: int) -> None:
        super().__init__(cluster, clients)
        self.acked = dict.fromkeys(range(clients), 0)
        self.latency_s_max = 0.0
        self.connected = threading.Barrier(clients + 1)
        self._waited = threading.local()

    def _work(self, number: int, node: int, connection: Resp) -> None:
        if not hasattr(self._waited, "once"):
            connection.call("PING")
            self._waited.once = True
            self.connected.wait(30)
        n = self.acked[number]
        begun_s = now_s()
        reply = connection.call("SET", key(number, n), value(number, n))
        found = None if isinstance(reply, Exception) else connection.call("GET", key(number, n))
        self.latency_s_max = max(self.latency_s_max, now_s() - begun_s)
        for answer in (reply, found):
            if isinstance(answer, Exception):
                self._note(node, answer)
        if not isinstance(reply, Exception):
            assert found == value(number, n)
            self.acked[number] = n + 1
        pause(THINK_S)

    def check(self, connection: Resp) -> None:
        """Every acknowledged write is there."""
        for number, count in self.acked.items():
            for at in range(0, count, 100):
                wanted = range(at, min(count, at + 100))
                found = connection.call("MGET", *(key(number, n) for n in wanted))
                assert found == [value(number, n) for n in wanted], f"client {number}, from {at}"


def key(number: int, n: int) -> str:
    """Of a client's n-th write."""
    return f"polite:{number}:{n}"


def value(number: int, n: int) -> bytes:
    """What it writes there."""
    return b"%d %d " % (number, n) * (VALUE_BYTES // len(b"%d %d " % (number, n)))


def small_cluster(directory: Path) -> Cluster:
    """Three nodes that may open few files, and whose segments and snapshots are small."""
    cluster = Cluster(
        directory, maxmemory=str(CAP), segment_bytes="256kb", snapshot_log_bytes="2mb", log_tail_bytes="1mb"
    )
    stderr = "2>&-" if STDERR == "-" else f"2>{STDERR}"
    cluster.launcher = ("sh", "-c", f'ulimit -n {OPEN_FILES}; exec "$@" {stderr}', "sh")
    return cluster


def segments(cluster: Cluster, node: int) -> int:
    """How many segments of the log have been begun."""
    return max(int(file.stem) for file in (cluster.data(node) / "wal").glob("*.wal"))


def test_polite_clients_are_served_through_a_flood_of_connections(tmp_path: Path) -> None:
    """5,000 attempts in a minute at 256 open files: no error, nothing lost, bounded memory, equal digests."""
    with many_files(), small_cluster(tmp_path) as cluster:
        cluster.start_all()
        cluster.wait_for_leader()
        before = {node: segments(cluster, node) for node in NODE_IDS}
        pids = {node: cluster.processes[node].pid for node in NODE_IDS}
        resident = dict.fromkeys(NODE_IDS, 0)
        with Polite(cluster, CLIENTS) as polite, cluster.resp(1) as operator, Flood(cluster) as flood:
            polite.connected.wait(30)
            maxclients = clients_at_most(operator)
            assert 100 <= maxclients < OPEN_FILES
            begun_s = now_s()
            while flood.attempts < ATTEMPTS:
                flood.burst(round(ATTEMPTS / (FLOOD_S * BURSTS_A_S)))
                if flood.attempts % 500 < 50:
                    assert not isinstance(operator.call("BACKUP"), Exception)
                    assert not isinstance(operator.call("SAVE"), Exception)
                resident = {node: max(resident[node], resident_bytes(pid)) for node, pid in pids.items()}
                pause(max(0.0, begun_s + FLOOD_S * flood.attempts / ATTEMPTS - now_s()))
            flood.look()
            info = parse_info(operator.call("INFO"))
            assert int(info["connected_clients"]) <= maxclients
            assert int(info["rejected_connections"]) > ATTEMPTS // 10, "the flood reached the limit"
            assert flood.ends["refused"] > ATTEMPTS // 10, flood.ends
            assert set(flood.ends) <= {"refused", "peer", "served"}, flood.ends
        assert not polite.errors, polite.errors[:5]
        assert polite.latency_s_max < LATENCY_S_MAX
        assert sum(polite.acked.values()) > 500
        assert all(process.poll() is None for process in cluster.processes.values()), "all nodes are alive"
        assert all(count <= RESIDENT_MAX for count in resident.values()), (resident, RESIDENT_MAX)
        assert all(segments(cluster, node) >= before[node] + 3 for node in NODE_IDS), (
            "segments ended meanwhile"
        )
        cluster.wait_until_caught_up()
        eventually(lambda: same_state(cluster), within_s=30, what="equal digests at an equal index")
        for node in NODE_IDS:
            with cluster.resp(node) as connection:
                polite.check(connection)


def clients_at_most(connection: Resp) -> int:
    """What CONFIG GET and INFO agree about."""
    _, told = connection.call("CONFIG", "GET", "maxclients")
    assert int(told) == int(parse_info(connection.call("INFO", "clients"))["maxclients"])
    return int(told)
