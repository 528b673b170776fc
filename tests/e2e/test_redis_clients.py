"""Unmodified Redis clients work on leader and followers."""

import subprocess
from collections.abc import Iterator

import pytest
import redis

from tests.e2e.cluster import NODE_IDS, Cluster
from tests.tools import require_tool


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One cluster for all tests of this file: none of them harms it."""
    with Cluster(tmp_path_factory.mktemp("clients")) as cluster:
        cluster.start_all()
        cluster.wait_for_leader()
        yield cluster


@pytest.mark.parametrize("node", NODE_IDS)
def test_redis_cli_works(shared: Cluster, node: int) -> None:
    """redis-cli reads and writes, by arguments and by a pipe, and renders the same replies."""
    cli = [require_tool("redis-cli"), "-p", str(shared.ports[node])]

    def run(*words: str, text: str = "") -> str:
        return subprocess.run(
            [*cli, *words], input=text, capture_output=True, text=True, timeout=30, check=True
        ).stdout

    assert run("set", "by-cli", "a b") == "OK\n"
    assert run("get", "by-cli") == "a b\n"
    assert run("--no-raw", "get", "by-cli") == '"a b"\n'
    assert run(text="incr cli-counter\nincr cli-counter\ndel cli-counter\n") == "1\n2\n1\n"
    assert "ERR unknown command" in run("nonsense")
    assert f"raft_node_id:{node}" in run("info", "raft")


def _array(*words: str) -> str:
    return f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)


_COMMANDS = [("SET", "piped", "1"), ("INCR", "piped"), ("NOPE",), ("GET", "piped")]
_ARRAYS = [_array(*words) for words in _COMMANDS]


@pytest.mark.parametrize("option", [(), ("-3",)], ids=["resp2", "resp3"])
@pytest.mark.parametrize(
    ("text", "errors", "replies"),
    [
        pytest.param("".join(_ARRAYS), 1, 4, id="arrays"),
        pytest.param("\r\n".join(_ARRAYS) + "\n\r\n", 1, 4, id="blank lines between and behind"),
        pytest.param("\r\n\n" + "".join(_ARRAYS), 1, 4, id="blank lines before"),
        pytest.param("\r\n".join([_ARRAYS[0], "incr piped", _ARRAYS[3]]), 0, 3, id="lines between"),
        pytest.param("", 0, 0, id="nothing"),
    ],
)
def test_redis_cli_pipe_ends_well(
    shared: Cluster, option: tuple[str, ...], text: str, errors: int, replies: int
) -> None:
    """``redis-cli --pipe`` gets every reply, the one to its own last ECHO included, and nothing else."""
    with shared.resp(1) as connection:
        connection.call("SET", "piped", "1")
    cli = [require_tool("redis-cli"), *option, "-p", str(shared.ports[1]), "--pipe"]
    done = subprocess.run(cli, input=text.encode(), capture_output=True, timeout=60, check=False)
    assert done.stdout.decode().endswith(f"errors: {errors}, replies: {replies}\n"), done
    assert done.stderr.count(b"\n") == errors, done.stderr


def test_redis_cli_pipe_takes_a_hundred_thousand(shared: Cluster) -> None:
    """Most of them answered by the node, the others by the cluster, with empty lines among them."""
    text = (_array("ECHO", "x" * 20) * 8_000 + _ARRAYS[1] * 2_000 + "\r\n") * 10
    cli = [require_tool("redis-cli"), "-p", str(shared.ports[1]), "--pipe"]
    done = subprocess.run(cli, input=text.encode(), capture_output=True, timeout=120, check=True)
    assert (done.stdout[-27:], done.stderr) == (b"errors: 0, replies: 100000\n", b"")


def test_redis_cli_pipe_of_plain_lines(shared: Cluster) -> None:
    """Behind ``-3`` they are a program's and work; else redis-cli says in one line that they do not.

    It cannot read ``OK`` and ``(integer) 2``, which are for people.
    """
    cli = [require_tool("redis-cli"), "-p", str(shared.ports[1]), "--pipe"]
    lines = "".join(f"SET line:{number} '{number} x'\r\n" for number in range(1_000)).encode()
    done = subprocess.run([*cli, "-3"], input=lines, capture_output=True, timeout=60, check=True)
    assert done.stdout.endswith(b"errors: 0, replies: 1000\n"), done
    with shared.resp(2) as connection:
        assert connection.call("GET", "line:999") == b"999 x"
    done = subprocess.run(cli, input=lines, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, b"Error reading replies from server\n")


@pytest.mark.parametrize("node", NODE_IDS)
def test_redis_py_with_its_defaults(shared: Cluster, node: int) -> None:
    """redis-py 8's default client (it opens with HELLO 3) reads, writes, pipelines and watches."""
    client = redis.Redis(port=shared.ports[node], decode_responses=True)
    try:
        assert client.ping()
        assert client.set("py", "ü\x00", px=60_000)
        assert client.get("py") == "ü\x00"
        assert 0 < client.pttl("py") <= 60_000
        client.delete("n")
        with client.pipeline(transaction=False) as pipe:
            for _ in range(100):
                pipe.incr("n")
            assert pipe.execute() == list(range(1, 101))
        with client.pipeline() as transaction:
            transaction.watch("n")  # type: ignore[no-untyped-call]  # redis-py left it untyped
            transaction.multi()
            transaction.set("n", "x")
            client.set("n", "changed")
            with pytest.raises(redis.WatchError):
                transaction.execute()
        with pytest.raises(redis.ResponseError):
            client.incr("n")
        client.mset({"a:1": "1", "a:2": "2"})
        assert sorted(client.scan_iter(match="a:*")) == ["a:1", "a:2"]
        assert client.info("raft")["raft_node_id"] == node
        assert client.info()["role"] in ("master", "slave")
    finally:
        client.close()


def test_redis_py_with_resp2(shared: Cluster) -> None:
    """The older protocol works as well."""
    client = redis.Redis(port=shared.ports[1], protocol=2)
    try:
        assert client.set("two", b"\xff")
        assert client.get("two") == b"\xff"
        assert client.config_get("maxmemory")["maxmemory"] == str(256 << 20)
    finally:
        client.close()


def test_an_unknown_command_leaves_the_connection_alive(shared: Cluster) -> None:
    """Redis' error, and the next command is answered."""
    with shared.resp(1) as connection:
        assert "unknown command 'NOPE'" in str(connection.call("NOPE", "a"))
        assert connection.call("ECHO", "alive") == b"alive"
