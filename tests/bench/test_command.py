"""`trikv bench` as it is called: reports, exit codes, one line for each trouble."""

import json
import os
import signal
from collections.abc import Iterator

import pytest

from tests.fake_server import FakeServer, honest
from tests.ports import unanswered_port
from tests.redis_server import RedisServer
from trikv.bench.command import bench
from trikv.bench.options import COMMANDS
from trikv.client.endpoint import Address

Capture = pytest.CaptureFixture[str]


def test_a_run_reports_in_text(capsys: Capture) -> None:
    """The text names speed, percentiles, the histogram, errors, reconnects, and the verdict."""
    with FakeServer(honest({})) as server:
        nodes = str(server.address)
        assert bench(requests=500, connections=5, nodes=nodes, verify=True, keys=50, mix="set=1,get=1") == 0
    out, err = capsys.readouterr()
    for words in ("commands/s", "p99.9", "ms below", "####", "reconnects: 0", "errors: none", "nothing lost"):
        assert words in out
    assert err == ""


def test_a_run_reports_in_json(capsys: Capture) -> None:
    """--json is one document with the same numbers."""
    with FakeServer(honest({})) as server:
        assert bench(requests=500, connections=5, nodes=str(server.address), json=True, rate=5000.0) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["answered"] == document["sent"] == 500
    assert sum(row["count"] for row in document["histogram"]) == 500
    assert document["latency_ms"]["p50"] <= document["latency_ms"]["max"]
    assert "verify" not in document


def test_a_lost_write_is_exit_code_one(capsys: Capture) -> None:
    """A server that acknowledges and forgets fails the run, in text and in JSON."""
    with FakeServer(lambda args: b"$-1\r\n" if args[0] == b"GET" else b"+OK\r\n") as server:
        nodes = str(server.address)
        assert bench(requests=100, connections=2, nodes=nodes, verify=True, mix="set") == 1
        assert "LOST" in capsys.readouterr().out
        assert bench(requests=100, connections=2, nodes=nodes, verify=True, mix="set", json=True) == 1
    verdict = json.loads(capsys.readouterr().out)["verify"]
    assert verdict["lost"] == verdict["checked"] > 0
    assert verdict["nothing_lost"] is False


@pytest.mark.parametrize(
    "call",
    [
        lambda: bench(connections=0),
        lambda: bench(mix="nonsense=1"),
        lambda: bench(nodes="nowhere"),
        lambda: bench(requests=1, seconds=1),
        lambda: bench(nodes="127.0.0.1:1", value_bytes=1, verify=True),
    ],
)
def test_bad_options_are_one_line_and_exit_code_two(call: "type[int]", capsys: Capture) -> None:
    """What cannot be run is one line on stderr, nothing on stdout, 2."""
    assert call() == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("trikv bench: ")
    assert err.count("\n") == 1


def test_nothing_answering_is_one_line_and_exit_code_one(capsys: Capture) -> None:
    """With nobody there the line says where it was tried and why it failed."""
    with unanswered_port() as port:
        assert bench(nodes=f"127.0.0.1:{port}") == 1
    assert bench(nodes="no-such-host.invalid:1") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 2
    assert str(port) in err
    assert "refused" in err


def test_a_missing_or_wrong_password_is_one_line(capsys: Capture) -> None:
    """A node that requires a password is told apart from one that is down."""
    for error, password in ((b"-NOAUTH Authentication required.", None), (b"-WRONGPASS invalid", "x")):
        with FakeServer(lambda _, error=error: error + b"\r\n") as server:  # type: ignore[misc]
            assert bench(nodes=str(server.address), password=password) == 1
    lines = capsys.readouterr().err.splitlines()
    assert "give --password-file, or set TRIKV_REQUIREPASS" in lines[0]
    assert "'ps' shows it" in lines[1]
    assert "WRONGPASS" in lines[2]


def test_a_run_in_which_every_reply_is_an_error_fails() -> None:
    """A cluster that answers only with errors has not taken the load."""
    with FakeServer(lambda args: b"+PONG\r\n" if args[0] == b"PING" else b"-OOM no\r\n") as server:
        assert bench(requests=10, connections=1, nodes=str(server.address), mix="set") == 1


def test_a_named_node_that_is_down_does_not_stop_the_run(capsys: Capture) -> None:
    """One of the named nodes is down from the start: the others carry the load."""
    with FakeServer(honest({})) as server, unanswered_port() as port:
        nodes = f"127.0.0.1:{port},{server.address}"
        assert bench(requests=200, connections=4, nodes=nodes, json=True) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["answered"] == 200


def test_ctrl_c_ends_the_run_with_its_report(capsys: Capture) -> None:
    """The first SIGINT stops the load; what was done so far is reported, and the old handler is back."""
    before = signal.getsignal(signal.SIGINT)
    behave = honest({})
    served = 0

    def interrupting(args: list[bytes]) -> bytes | None:
        nonlocal served
        served += 1
        if served == 200:
            os.kill(os.getpid(), signal.SIGINT)
        return behave(args)

    with FakeServer(interrupting) as server:
        assert bench(seconds=60.0, connections=2, nodes=str(server.address)) == 0
    assert "commands/s" in capsys.readouterr().out
    assert signal.getsignal(signal.SIGINT) is before


@pytest.fixture
def redis() -> Iterator[Address]:
    """Debian's redis-server, which serves."""
    with RedisServer() as server, server.connect():
        yield Address("127.0.0.1", server.port)


def test_against_the_real_redis(redis: Address, capsys: Capture) -> None:
    """Every command of the mix, in pipelines and verified, against the server whose protocol this is."""
    mix = ",".join(COMMANDS)
    assert bench(requests=5000, pipeline=8, nodes=str(redis), mix=mix, verify=True, keys=1000, json=True) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["answered"] == 5000
    assert document["errors"] == {}
    assert document["verify"]["nothing_lost"] is True
    assert document["verify"]["foreign"] == 0
