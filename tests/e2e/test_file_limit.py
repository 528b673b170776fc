"""The limit of open files: divided before clients get any, said, and no death if it is met all the same."""

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import trio

from tests.e2e.clients import Resp
from tests.e2e.cluster import NODE_IDS, Cluster, eventually
from tests.e2e.flood import REFUSAL, Flood
from tests.e2e.test_flood import clients_at_most, segments
from tests.e2e.test_memory import same_state
from trikv.client.info import parse_info
from trikv.config import NodeConfig
from trikv.host.real import RealHost
from trikv.node.node import Node

OPEN_FILES = 160
LOWERED = "maxclients is lowered to what the limit of open files leaves"


def at_limit(count: int) -> tuple[str, ...]:
    """What starts a command with so few open files."""
    return ("sh", "-c", f'ulimit -n {count}; exec "$@"', "sh")


def test_clients_get_what_the_node_itself_does_not_need(tmp_path: Path) -> None:
    """What is in force is said in the log, CONFIG and INFO. With so many there, log and backups go on."""
    with Cluster(tmp_path, segment_bytes="64kb") as cluster, ExitStack() as crowd:
        cluster.launcher = at_limit(OPEN_FILES)
        cluster.start_all()
        cluster.wait_for_leader()
        assert f"{LOWERED}; ulimit -n raises it asked=10000 in_force=" in cluster.log(1)
        first = crowd.enter_context(cluster.resp(1))
        most = clients_at_most(first)
        assert 20 < most < OPEN_FILES - 60
        assert f"in_force={most} open_files_max={OPEN_FILES}" in cluster.log(1)
        assert str(first.call("CONFIG", "SET", "maxclients", most + 1)) == (
            "ERR CONFIG SET failed (possibly related to argument 'maxclients') - The operating system is not "
            f"able to handle the specified number of clients, try with {most}"
        )
        assert first.call("CONFIG", "SET", "maxclients", most - 1) == b"OK"
        assert clients_at_most(first) == most - 1
        assert first.call("CONFIG", "SET", "maxclients", most) == b"OK"
        others = [crowd.enter_context(cluster.resp(1)) for _ in range(most - 1)]
        assert all(other.call("PING") == b"PONG" for other in others)
        with cluster.resp(1) as late:
            assert str(late.receive()) == REFUSAL[1:].decode().strip()
        begun = segments(cluster, 1)
        for n in range(30):
            assert first.call("SET", f"key{n}", "x" * 20_000) == b"OK"
        assert segments(cluster, 1) > begun + 2
        for command in ("SAVE", "BACKUP"):
            assert not isinstance(first.call(command), Exception)
        assert int(parse_info(first.call("INFO", "clients"))["connected_clients"]) == most


@pytest.mark.parametrize("most", [8, 9, 48, 64])
def test_a_limit_that_leaves_no_clients_is_refused_at_the_start(tmp_path: Path, most: int) -> None:
    """In one line that says what to do, before anything is made: the surroundings make no sense."""
    done = subprocess.run(
        [
            *at_limit(most),
            *(
                sys.executable,
                "-m",
                "trikv",
                "serve",
                "--data-directory",
                str(tmp_path / "data"),
                "--port",
                "0",
            ),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"trikv: node1: the limit of {most} open files leaves none for clients; ")
    assert line.endswith("raise it (ulimit -n 1024), then start again")
    assert not (tmp_path / "data" / "identity.json").exists()


@contextmanager
def no_more_files(pid: int) -> Iterator[None]:
    """A running process may open none from now on, and keeps what it has."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def test_a_node_without_descriptors_waits_for_them(tmp_path: Path) -> None:
    """Segments end meanwhile: it refuses writes, says why, lives, and goes on when there are some again."""
    with Cluster(tmp_path, segment_bytes="64kb") as cluster:
        cluster.start_all()
        poor = cluster.wait_for_leader()
        elsewhere = next(node for node in NODE_IDS if node != poor)
        with cluster.resp(poor) as client, cluster.resp(elsewhere) as other:
            assert client.call("PING") == b"PONG"
            with no_more_files(cluster.processes[poor].pid):
                for n in range(30):
                    assert other.call("SET", f"key{n}", "x" * 20_000) == b"OK"
                lack = "this process has no more files to open (ulimit -n)"
                eventually(
                    lambda: f"lack='{lack}'" in cluster.log(poor), within_s=15, what="a line that says it"
                )
                assert str(client.call("SET", "refused", "x")) == (
                    f"CLUSTERDOWN this node cannot write: {lack}; "
                    "the command was not executed, use another node"
                )
                assert client.call("PING") == b"PONG"
                assert cluster.processes[poor].poll() is None
            eventually(lambda: not taken_up(client), within_s=15, what="it takes writes again")
        cluster.wait_until_caught_up()
        eventually(lambda: same_state(cluster), within_s=15, what="equal digests at an equal index")


def taken_up(client: Resp) -> Exception | None:
    """The error of a write; None where it was carried out."""
    reply = client.call("SET", "taken", "x")
    return reply if isinstance(reply, Exception) else None


def test_an_embedded_node_divides_what_its_program_has(tmp_path: Path) -> None:
    """The limit is the program's to set: the node takes it as it is, and counts what is open already."""

    async def main() -> bytes:
        config = NodeConfig(port=0, data_directory=str(tmp_path / "data"))
        with RealHost(config.data_directory) as host:
            async with trio.open_nursery() as nursery:
                address = await nursery.start(Node(config, host).run)
                stream = await trio.open_tcp_stream("127.0.0.1", int(address.rpartition(":")[2]))  # noqa: TID251 - a client
                await stream.send_all(b"*3\r\n$6\r\nCONFIG\r\n$3\r\nGET\r\n$10\r\nmaxclients\r\n")
                reply = b""
                while reply.count(b"\r\n") < 5:
                    reply += await stream.receive_some()
                await stream.aclose()
                nursery.cancel_scope.cancel()
        return bytes(reply)

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
    try:
        told = int(trio.run(main).split(b"\r\n")[4])
        assert 100 < told < 250
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (300, hard)
        with ExitStack() as held:
            for _ in range(50):
                held.enter_context(Path("/dev/null").open())
            assert told - 50 <= int(trio.run(main).split(b"\r\n")[4]) <= told - 40
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_refused_clients_do_not_pile_up(tmp_path: Path) -> None:
    """Those that stay after their refusal hold no descriptors beyond their share; some are always spare."""
    with Cluster(tmp_path) as cluster:
        cluster.launcher = at_limit(OPEN_FILES)
        cluster.start_all()
        cluster.wait_for_leader()
        with cluster.resp(1) as client, Flood(cluster) as flood:
            for _ in range(10):
                flood.burst(120)
                assert client.call("PING") == b"PONG"
                files = len(list(Path(f"/proc/{cluster.processes[1].pid}/fd").iterdir()))
                assert files < OPEN_FILES - 16, "the spare ones are never touched"
            assert flood.attempts == 1200
        assert "cannot accept" not in cluster.log(1)
