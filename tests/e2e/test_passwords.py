"""A password as people give it: to nodes, to tools, and to a node started without that of the others."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster import START_S, Cluster, eventually
from tests.e2e.single import Single, bare_environment, words
from trikv.client.replies import ErrorReply

PATIENCE_S = 120
HELLO = Path(__file__).parents[2] / "examples" / "hello.py"


def password_file(directory: Path, password: str) -> str:
    """A file that only its owner reads."""
    path = directory / "password"
    path.touch(mode=0o600)
    path.write_text(password + "\n")
    return str(path)


@pytest.fixture
def cluster_with_password(tmp_path: Path) -> Iterator[Cluster]:
    """Three nodes that require one password, and serve."""
    with Cluster(tmp_path, requirepass="abc") as cluster:
        cluster.start_all()

        def writes() -> bool:
            with contextlib.suppress(OSError), cluster.resp(1) as client:
                client.call("AUTH", "abc")
                return bool(client.call("SET", "first", "1") == b"OK")
            return False

        eventually(writes, within_s=START_S, what="a cluster that serves")
        yield cluster


def run(*arguments: str, typed: bytes = b"", **variables: str) -> subprocess.CompletedProcess[bytes]:
    """Run a tool to its end."""
    return subprocess.run(
        words(*arguments),
        input=typed,
        env={**bare_environment(), **variables},
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )


def test_every_tool_gets_in_by_the_variable_or_a_file(tmp_path: Path) -> None:
    """status, cli, bench, torture and the example, in a shell that has what the node has, or with a file."""
    file = password_file(tmp_path, "s p")
    with Single(tmp_path, "--requirepass-file", file, stderr=subprocess.PIPE) as node:
        node.wait_until_it_leads(password="s p")
        where, port = f"127.0.0.1:{node.port}", str(node.port)
        tools: tuple[tuple[tuple[str, ...], bytes], ...] = (
            (("status", where), b""),
            (("cli", port), b"set key value\nget key\n"),
            (("bench", "--nodes", where, "--requests", "10", "--verify"), b""),
            (("torture", "--target", f"redis://{where}", "--seconds", "1"), b""),
        )
        for arguments, typed in tools:
            for more, variables in (
                ((), {"TRIKV_REQUIREPASS": "s p"}),
                ((), {"TRIKV_REQUIREPASS_FILE": file}),
                (("--password-file", file), {"TRIKV_REQUIREPASS": "another"}),
            ):
                if arguments[0] == "torture" and not more:
                    continue  # the same code; a torture takes seconds
                done = run(*arguments, *more, typed=typed, **variables)
                assert done.returncode == 0, (arguments, more, done)
                assert b"s p" not in done.stdout + done.stderr
                if arguments[0] == "cli":  # a script counts the answers to its lines
                    assert done.stdout == b'OK\r\n"value"\r\n'
            refused = run(*arguments, typed=typed, TRIKV_REQUIREPASS="wrong")
            assert refused.returncode == 1
            assert b"WRONGPASS" in refused.stdout + refused.stderr
        for variables in ({"TRIKV_REQUIREPASS": "s p"}, {"TRIKV_REQUIREPASS_FILE": file}):
            greeted = subprocess.run(
                [sys.executable, HELLO, port],
                env={**bare_environment(), **variables},
                capture_output=True,
                timeout=PATIENCE_S,
                check=True,
            )
            assert greeted.stdout.startswith(b"SET greeting: OK\n")
        assert b"s p" not in Path(f"/proc/{node.process.pid}/cmdline").read_bytes()
        assert node.end() == 0
        assert node.process.stderr is not None
        assert b"s p" not in node.process.stderr.read()


def test_a_password_on_a_command_line_works_and_is_warned_of(tmp_path: Path) -> None:
    """Node and tools alike: one line, which does not repeat it."""
    with Single(tmp_path, "--requirepass", "hunter2", stderr=subprocess.PIPE) as node:
        node.wait_until_it_leads(password="hunter2")
        where = f"127.0.0.1:{node.port}"
        done = run("status", where, "--password", "hunter2")
        assert done.returncode == 0
        assert done.stderr.count(b"\n") == 1
        assert b"'ps' shows it" in done.stderr
        assert node.end() == 0
        assert node.process.stderr is not None
        log = node.process.stderr.read()
    assert log.count(b"'ps' shows it") == 1
    assert b"hunter2" not in log + done.stderr


def test_who_has_forgotten_the_password_is_told_how_to_give_it(tmp_path: Path) -> None:
    """Tools name the variable and the option for a file, once, and no other remedy; replies are as ever."""
    with Single(tmp_path, "--requirepass-file", password_file(tmp_path, "abc")) as node:
        node.wait_until_it_leads(password="abc")
        shown = run("status", f"127.0.0.1:{node.port}")
        assert shown.returncode == 1
        assert b"set TRIKV_REQUIREPASS_FILE=FILE, or give --password-file FILE" in shown.stdout
        assert b"name others" not in shown.stdout
        typed = run("cli", str(node.port), typed=b"get a\nget b\n")
        assert typed.stdout == 2 * b"(error) NOAUTH Authentication required.\r\n"
        assert typed.stderr == (
            b"trikv: this node requires a password: set TRIKV_REQUIREPASS_FILE=FILE, or give "
            b"--password-file FILE\n"
        )
        greeted = subprocess.run(
            [sys.executable, HELLO, str(node.port)],
            env=bare_environment(),
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert greeted.returncode == 1
        assert greeted.stderr == b"hello.py: the node refused: NOAUTH Authentication required.\n"


def test_a_password_is_no_obstacle_where_none_is_asked(tmp_path: Path) -> None:
    """A shell that holds the password of one cluster can look at another that has none."""
    with Single(tmp_path) as node:
        node.wait_until_it_leads()
        shown = run("status", f"127.0.0.1:{node.port}", TRIKV_REQUIREPASS="abc")
        assert shown.returncode == 0, shown
        typed = run("cli", str(node.port), typed=b"set key value\n", TRIKV_REQUIREPASS="abc")
        assert (typed.returncode, typed.stdout) == (0, b"OK\r\n")


def test_an_empty_password_starts_nothing(tmp_path: Path) -> None:
    """A script whose variable was never set: exit code 2, one line, and no node."""
    unset = {"TRIKV_REQUIREPASS": "", "TRIKV_DATA": str(tmp_path / "data")}
    done = run("serve", "--requirepass", "")
    assert (done.returncode, b"--requirepass: is given, but empty" in done.stderr) == (2, True)
    for arguments in (("serve",), ("cluster",), ("status",), ("cli",), ("bench",)):
        done = run(*arguments, **unset)  # type: ignore[arg-type]
        assert done.returncode == 2, (arguments, done)
        assert done.stderr.count(b"\n") == 1
        assert b"is given, but empty" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_node_started_without_the_others_password_serves_nobody(cluster_with_password: Cluster) -> None:
    """Its clients are refused, the others' are served, and its log says why."""
    cluster = cluster_with_password
    with cluster.resp(1) as client:
        assert client.call("AUTH", "abc") == b"OK"
        assert client.call("SET", "key", "value") == b"OK"
    cluster.kill(3)
    cluster.settings = {}
    cluster.start(3)

    def refuses() -> bool:
        with contextlib.suppress(OSError), cluster.resp(3) as client:
            reply = client.call("GET", "key")
            assert isinstance(reply, ErrorReply), reply
            return "without the password that its peers require" in str(reply)
        return False

    eventually(refuses, within_s=START_S, what="a refusal")
    assert "this node has no password and a peer requires one" in cluster.log(3)
    with cluster.resp(2) as client:
        assert client.call("AUTH", "abc") == b"OK"
        assert client.call("GET", "key") == b"value"
