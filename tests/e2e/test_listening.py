"""Where a node listens: several addresses, IPv6, a Unix socket; what makes no sense is refused at once."""

import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.cluster import STOP_S, Cluster, eventually
from tests.tools import needs_ipv6, require_tool

REFUSED = [
    (("--listen", ""), "--listen: names no host; write one or more, as in 127.0.0.1 ::1"),
    (("--data-directory", "/etc/passwd"), "data_directory: '/etc/passwd': /etc/passwd is no directory"),
    (("--load", "/nowhere.json"), "load: '/nowhere.json': No such file or directory"),
    (("--load", "/dev/null"), "load: '/dev/null': is no regular file, and it is read twice"),
    (("--config", ""), "--config: the path is empty"),
]
"""One of each place that refuses; the others are in tests/test_config.py."""


@pytest.mark.parametrize(("words", "expected"), REFUSED)
def test_what_makes_no_sense_is_one_line_and_exit_code_2(
    words: tuple[str, str], expected: str, tmp_path: Path
) -> None:
    """Before anything starts: no traceback, nothing is made."""
    done = run("serve", *words, directory=tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("trikv: ")
    assert expected in line
    assert not list(tmp_path.iterdir())


def run(*words: str, directory: Path, typed: str = "") -> subprocess.CompletedProcess[str]:
    """A trikv command, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "trikv", *words],
        input=typed,
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@contextmanager
def node(directory: Path, *words: str, ready: str = "serving") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A single node that serves, and the addresses it has logged."""
    log = directory / "node.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "trikv", "serve", "--data-directory", str(directory / "data")),
                *("--port", "0", *words),
            ],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            text=True,
        )
    try:
        line = eventually(
            lambda: next((one for one in log.read_text().splitlines() if ready in one), ""),
            within_s=30,
            what=f"a line with {ready!r}",
        )
        yield process, line.partition("address=")[2].partition(" ")[0]
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("listen", "hosts"),
    [
        ("localhost 127.0.0.1", ["127.0.0.1"]),
        ("127.0.0.1,localhost", ["127.0.0.1"]),
        ("127.0.0.1 *", ["0.0.0.0"]),
        ("0.0.0.0 localhost 127.0.0.2", ["0.0.0.0"]),
        ("127.0.0.2 127.0.0.1", ["127.0.0.2", "127.0.0.1"]),
    ],
)
def test_what_is_the_same_address_is_listened_on_once(listen: str, hosts: list[str], tmp_path: Path) -> None:
    """A node is not in its own way, whatever its addresses are called."""
    with node(tmp_path, "--listen", listen) as (_, addresses):
        port = addresses.rpartition(":")[2]
        assert addresses == ",".join(f"{host}:{port}" for host in hosts)
        done = run("status", f"{hosts[0].replace('0.0.0.0', '127.0.0.1')}:{port}", directory=tmp_path)
        assert done.returncode == 0, done.stdout


@needs_ipv6
@pytest.mark.parametrize(
    ("listen", "hosts"),
    [
        ("::1", ["[::1]"]),
        ("127.0.0.1 [::1]", ["127.0.0.1", "[::1]"]),
        ("0.0.0.0,::", ["0.0.0.0", "[::]"]),
    ],
)
def test_every_address_is_served(listen: str, hosts: list[str], tmp_path: Path) -> None:
    """IPv6 with and without brackets, several at once, all of both families; the same port on each."""
    with node(tmp_path, "--listen", listen) as (_, addresses):
        port = addresses.rpartition(":")[2]
        assert addresses == ",".join(f"{host}:{port}" for host in hosts)
        for host in hosts:
            dialled = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)
            done = run(
                "cli", f"{dialled}:{port}", directory=tmp_path, typed="client list\ninfo server\nexit\n"
            )
            assert done.returncode == 0, done.stderr
            assert f"laddr={dialled}:{port} " in done.stdout
            assert f"tcp_port:{port}" in done.stdout
            done = run("status", f"{dialled}:{port}", directory=tmp_path)
            assert done.returncode == 0, done.stdout


def test_clients_of_a_unix_socket(tmp_path: Path) -> None:
    """Redis' tools and trikv's use it; its file is the owner's, and goes with the node."""
    redis_cli = require_tool("redis-cli")
    path = tmp_path / "trikv.sock"
    with node(tmp_path, "--unix-socket", str(path)) as (process, addresses):
        assert addresses.endswith(f",{path}")
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        listed = subprocess.run(
            [redis_cli, "-s", str(path), "client", "list"], capture_output=True, text=True, check=True
        ).stdout
        assert f" addr={path}:0 laddr={path}:0 " in listed
        done = run("cli", str(path), directory=tmp_path, typed="set name John\nget name\nexit\n")
        assert done.stdout.split("\n")[:2] == ["OK", '"John"']
        done = run("cli", "./trikv.sock", directory=tmp_path, typed="get name\nexit\n")
        assert '"John"' in done.stdout
        done = run("status", str(path), directory=tmp_path)
        assert (done.returncode, str(path) in done.stdout) == (0, True)
        done = run(
            *("bench", "--nodes", str(path), "--requests", "200", "--connections", "4", "--mix", "set=1"),
            *("--verify", "--keys", "100"),
            directory=tmp_path,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "nothing lost" in done.stdout
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_S) == 0
        assert not path.exists()


def test_a_stale_unix_socket_is_replaced_and_no_other_file(tmp_path: Path) -> None:
    """After kill -9 the next start takes the path; one that is served, or no socket, is refused in a line."""
    path = tmp_path / "trikv.sock"
    words = ("--unix-socket", str(path), "--unix-socket-mode", "0770")
    with node(tmp_path, *words) as (process, _):
        process.kill()
        process.wait()
        assert path.is_socket()
    with node(tmp_path, *words):
        assert stat.S_IMODE(path.stat().st_mode) == 0o770
        other = ("serve", "--port", "0", "--data-directory", "other", *words)
        done = run(*other, directory=tmp_path)
        assert done.returncode == 1
        assert done.stderr == (
            f"trikv: node1: cannot listen on {path}: Address already in use; another process listens there: "
            "stop it (ss -lxp names it), or give this node another path (--unix-socket)\n"
        )
        assert run("cli", str(path), directory=tmp_path, typed="ping\nexit\n").stdout.startswith("+PONG")
    path.unlink()
    path.write_text("precious")
    done = run(*other, directory=tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        f"trikv: node1: cannot listen on {path}: there is a file that is no socket; move it away\n"
    )
    assert path.read_text() == "precious"


@needs_ipv6
def test_peers_meet_on_the_same_hosts(tmp_path: Path) -> None:
    """Nodes that listen on both families find each other by either."""
    with Cluster(tmp_path, listen="127.0.0.1 ::1") as cluster:
        cluster.peer_hosts = {1: "127.0.0.1", 2: "[::1]", 3: "localhost"}
        cluster.start_all()
        cluster.wait_for_leader()
        with cluster.resp(2) as client:
            assert client.call("SET", "key", "value") == b"OK"
