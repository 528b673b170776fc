"""The yardstick measures right: a wrong one sends everybody the wrong way."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.perf import document, plot, report, rows
from tests.perf.arena import Run
from tests.perf.generator import Load, Outcome, Work, quantile, requests_of
from tests.perf.machine import Machine
from tests.perf.operations import OPERATIONS, VALUE, bulk, fill, prepare
from tests.perf.profile import TRIO, stage_of
from tests.perf.rows import Duel
from tests.perf.sampled import _place
from tests.redis_server import RedisServer

VALUE_REPLY = bulk(VALUE)
RANGE_REPLY = OPERATIONS["lrange_100"].reply


@contextmanager
def server(answer: list[bytes]) -> Iterator[int]:
    """A server on the port it gives, that answers whatever it reads with these pieces in turn."""

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, suppress(ConnectionError):  # the generator leaves in the middle of an answer
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while connection.recv(65536):
                for piece in answer:
                    connection.sendall(piece)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)
        assert not thread.is_alive()


def drive(answer: list[bytes], work: Work) -> Outcome:
    """What the generator says of a server that answers so."""
    with server(answer) as port, Load([port], work) as load:
        return load.run(0.3)


@pytest.mark.parametrize(
    ("work", "answer"),
    [
        (Work("get", 1), [VALUE_REPLY]),
        (Work("get", 1), [VALUE_REPLY[:20], VALUE_REPLY[20:]]),
        (Work("get", 1, depth=3), [VALUE_REPLY, VALUE_REPLY * 2]),
        (Work("set", 1, depth=2, wait=True), [b"+OK\r\n+OK\r\n:2\r\n"]),
        (Work("set", 1, depth=2, wait=True), [b"+OK\r\n", b"+O", b"K\r\n:1\r\n"]),
        (Work("lrange_100", 1, depth=2), [RANGE_REPLY, RANGE_REPLY[:700], RANGE_REPLY[700:]]),
        (Work("incr", 1, depth=2, wait=True), [b":7\r\n:", b"1200\r\n:2\r\n"]),
        (Work("zpopmin", 1), [b"*2\r\n$1\r\na\r\n", b"$1\r\n1\r\n"]),
    ],
)
def test_answers_count_whole_or_in_pieces(work: Work, answer: list[bytes]) -> None:
    """However the bytes of an answer come, its commands count once, and a WAIT is none of them."""
    outcome = drive(answer, work)
    assert outcome.rate > 0
    assert (outcome.errors, outcome.missed_waits) == (0, 0)
    assert 0 < outcome.p50_ms <= outcome.p99_ms <= outcome.worst_ms


def test_errors_and_waits_in_vain_are_seen() -> None:
    """An error is no success, nor is a WAIT that found no replica."""
    refused = drive([b"-OOM full\r\n"], Work("set", 1))
    assert refused.errors > 0
    assert refused.first_error == "OOM full"
    for operation, reply in (("set", b"+OK\r\n"), ("incr", b":0\r\n")):
        alone = drive([reply, b":0\r\n"], Work(operation, 1, wait=True))
        assert (alone.missed_waits > 0, alone.errors) == (True, 0)


@pytest.mark.parametrize(("operation", "reply"), [("lpop", b"$-1\r\n"), ("zpopmin", b"*0\r\n")])
def test_a_pop_of_nothing_is_no_success(operation: str, reply: bytes) -> None:
    """Else a collection that ran empty would look quick."""
    outcome = drive([reply], Work(operation, 1))
    assert outcome.errors > 0
    assert "empty" in outcome.first_error


@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_is_prepared_is_what_is_asked_for(operation: str) -> None:
    """Redis answers each command as the load expects, with what was put there before."""
    with RedisServer() as server:
        server.connect().close()
        if operation == "get":
            fill(server.port)
        prepare(server.port, operation, 50_000)
        with Load([server.port], Work(operation, 2, depth=3)) as load:
            outcome = load.run(0.05)
    assert outcome.answered > 0
    assert (outcome.errors, outcome.first_error) == (0, "")


def test_requests_are_of_the_depth_that_was_asked() -> None:
    """A write of a pipeline holds that many commands, and one WAIT where asked."""
    for request in requests_of(Work("set", 1, depth=16, wait=True))[:3]:
        assert request.count(b"SET") == 16
        assert request.count(b"WAIT") == 1


def test_quantiles() -> None:
    """The median of three is the middle one; no part reaches beyond the last."""
    assert quantile([1.0, 2.0, 9.0], 0.5) == 2.0
    assert quantile([1.0, 2.0, 9.0], 1.0) == 9.0


def _run(rate: float) -> Run:
    outcome = Outcome(int(rate), rate, 1.0, 2.0, 3.0, 0.5, 0, "", 0, 0.5)
    return Run(outcome, 10.0, 20.0)


@pytest.mark.parametrize(("ours", "verdict"), [(90.0, "BELOW"), (100.0, "must"), (120.0, "aim")])
def test_the_table_says_which_bar_is_reached(ours: float, verdict: str) -> None:
    """The ratio is that of the medians, and the verdict follows from it."""
    duel = next(row for row in rows.DUELS if row.key == "set50")
    assert isinstance(duel, Duel)
    here = Machine(
        "a processor",
        2,
        "6",
        "3.11",
        True,
        (0, 0, 0),
        ahead=False,
        file_system="ext4",
        sync_ms=1,
        sync_ms_max=2,
    )
    runs = [_run(50.0), _run(100.0), _run(500.0)]
    found = report.DuelResult(duel, runs, [_run(1.0), _run(ours), _run(1000.0)])
    assert found.ratio == ours / 100
    lines = list(report.table(report.Report(here, 1, 3, [found])))
    assert next(line for line in lines if line.startswith("| SET")).endswith(f"{verdict} |")


def test_every_function_of_the_request_path_has_a_stage() -> None:
    """No part of a node is left out of the profile's table; what is outside of trikv is Trio's."""
    root = Path(__file__).parents[2] / "trikv"
    for package in ("node", "raft", "machine", "protocol", "storage", "host"):
        for path in (root / package).rglob("*.py"):
            assert stage_of(f"{path.relative_to(root)}:f") != "rest"
    assert stage_of(_place(None)) == TRIO


def test_the_plot_is_a_drawing() -> None:
    """The SVG parses and has a line a contender in both pairs of axes."""
    points = [
        (clients, {"outcome": {"rate": 1000.0 * clients, "p99_ms": 0.5 * clients}})
        for clients in (1, 10, 256)
    ]
    drawn = ET.fromstring(plot.svg({"trikv SET": points, "Redis SET+WAIT": points}))
    assert len(drawn.findall("{http://www.w3.org/2000/svg}polyline")) == 4


def test_tables_replace_what_was_between_their_markers() -> None:
    """The document keeps its words; the markers stay for the next time. A missing one is no silent loss."""
    old = "words\n<!-- profile -->\nold\n<!-- /profile -->\nmore"
    new = document.insert(old, "profile", ["| new |"])
    assert new == "words\n<!-- profile -->\n\n| new |\n\n<!-- /profile -->\nmore"
    assert document.insert(new, "profile", ["| new |"]) == new
    with pytest.raises(ValueError, match="lacks"):
        document.insert(old, "comparison", [])
