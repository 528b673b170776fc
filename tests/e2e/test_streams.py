"""Real processes whose output nobody reads, or cannot be written: they go on, and end as they should."""

import contextlib
import json
import os
import pty
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

from tests.e2e.clients import Resp
from tests.e2e.cluster import START_S, eventually
from tests.e2e.single import Program, Single, bare_environment
from tests.ports import PortBlock

PATIENCE_S = 120


@attrs.define
class Sink:
    """Something to write to, and what holds its other end."""

    descriptor: int
    fails: bool
    """No line can be written; otherwise writing would block."""
    others: tuple[int, ...] = ()

    def close(self) -> None:
        """Close all of it."""
        for descriptor in (self.descriptor, *self.others):
            with contextlib.suppress(OSError):
                os.close(descriptor)


def full_disk() -> Sink:
    """ENOSPC."""
    return Sink(os.open("/dev/full", os.O_WRONLY), fails=True)


def reader_gone() -> Sink:
    """EPIPE."""
    reader, writer = os.pipe()
    os.close(reader)
    return Sink(writer, fails=True)


def terminal_gone() -> Sink:
    """EIO."""
    terminal, shown = pty.openpty()
    os.close(terminal)
    return Sink(shown, fails=True)


def nobody_reads() -> Sink:
    """A pipe that is full: a write waits for ever."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    for piece in (bytes(4096), b"\0"):
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writer, piece)
    os.set_blocking(writer, True)
    return Sink(writer, False, (reader,))


def nobody_reads_and_it_does_not_block() -> Sink:
    """The same, and a write says EAGAIN."""
    sink = nobody_reads()
    os.set_blocking(sink.descriptor, False)
    return sink


def closed() -> Sink:
    """Nothing at all: as after ``2>&-``."""
    return Sink(-1, fails=False)


SINKS = [full_disk, reader_gone, terminal_gone, nobody_reads, nobody_reads_and_it_does_not_block, closed]


@pytest.fixture(params=SINKS, ids=lambda make: make.__name__)
def sink(request: pytest.FixtureRequest) -> Iterator[Sink]:
    """Each kind of bad output."""
    made = request.param()
    yield made
    made.close()


def close_streams() -> None:
    """Close standard output and error."""
    os.close(1)
    os.close(2)


def streams(sink: Sink) -> dict[str, object]:
    """How a process is started whose standard output and error lead there."""
    if sink.descriptor < 0:
        return {"before": close_streams}
    return {"stdout": sink.descriptor, "stderr": sink.descriptor}


def test_a_node_serves_whatever_becomes_of_its_log(tmp_path: Path, sink: Sink) -> None:
    """Lines that cannot be written are counted in INFO; the node serves, stops in order, and dumps."""
    with Single(tmp_path, **streams(sink)) as node:
        info = node.wait_until_it_leads()
        with Resp(node.port) as client:
            assert client.call("SET", "key", "value") == b"OK"
            assert client.call("GET", "key") == b"value"
        if sink.fails:
            assert int(info["log_lines_dropped"]) > 0
        else:
            assert info["log_lines_dropped"] == "0"
        assert node.end() == 0
    assert keys_of(node.data / "dump.json") == ["key"]
    for file in node.data.rglob("*"):  # a line that went to a file of data would be the worst of all
        assert not file.is_file() or b"serving" not in file.read_bytes()


def keys_of(dump: Path) -> list[str]:
    """The keys in a dump."""
    return [entry["k"] for entry in json.loads(dump.read_bytes())["keys"]]


def test_a_log_that_is_read_again_says_what_it_lacks(tmp_path: Path) -> None:
    """Behind a full pipe nothing is lost while the buffer has room; it all comes when somebody reads."""
    sink = nobody_reads()
    seen: list[bytes] = []
    with Single(tmp_path, **streams(sink)) as node:
        node.wait_until_it_leads()
        os.close(sink.descriptor)
        reader = sink.others[0]

        def read() -> None:
            while data := os.read(reader, 65536):
                seen.append(data)

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        assert node.end() == 0
        thread.join(PATIENCE_S)
        os.close(reader)
    log = b"".join(seen).lstrip(b"\0").decode()
    for event in ("serving", "stopping", "dumped"):
        assert f" {event} " in log
    assert "were lost" not in log


def test_a_node_that_cannot_start_has_its_exit_code(tmp_path: Path, sink: Sink) -> None:
    """Its last words are lost with the rest; the exit code is not."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        where = ("--port", port, "--data-directory", str(tmp_path / "node1"))
        with Program("serve", *where, **streams(sink)) as node:  # type: ignore[arg-type]
            assert node.process.wait(START_S) == 1


@pytest.mark.parametrize(
    "make", [full_disk, terminal_gone, nobody_reads, closed], ids=lambda make: make.__name__
)
def test_the_supervisor_stops_its_nodes_in_order(tmp_path: Path, make: Callable[[], Sink]) -> None:
    """Whatever becomes of what it prints, and of the nodes' own logs: each node gets time for its dump."""
    sink, block = make(), PortBlock()
    data = tmp_path / "data"
    for node in (1, 2, 3):
        (data / f"node{node}").mkdir(parents=True)
        (data / f"node{node}" / "node.log").symlink_to("/dev/full")
    environment = {**bare_environment(), "TRIKV_DATA": str(data)}
    try:
        with Program("cluster", str(block.first), environment=environment, **streams(sink)) as supervisor:  # type: ignore[arg-type]

            def writes() -> bool:
                with contextlib.suppress(OSError), Resp(block.first, wait_s=5) as client:
                    return bool(client.call("SET", "key", "value") == b"OK")
                return False

            eventually(writes, within_s=START_S, what="a cluster that serves")
            assert supervisor.end(within_s=PATIENCE_S) == 0
    finally:
        sink.close()
        block.release()
    for node in (1, 2, 3):
        assert keys_of(data / f"node{node}" / "dump.json") == ["key"]


TOOLS = [
    ("status",),
    ("status", "--json"),
    ("status", "--watch", "0.1"),
    ("bench", "--requests", "50"),
    ("sim", "--seconds", "1"),
    ("serve", "--help"),
    ("bench", "--help"),
    ("--version",),
]


def run_tools(sink: Sink, port: int) -> dict[tuple[str, ...], tuple[int, bytes]]:
    """Run all tools at once with their output there; exit codes and standard errors."""
    with contextlib.ExitStack() as stack:
        programs = {}
        for arguments in TOOLS:
            asks = arguments[0] in ("status", "bench") and "--help" not in arguments
            more = ("--nodes", f"127.0.0.1:{port}") if asks else ()
            program = Program(*arguments, *more, stdout=sink.descriptor, stderr=subprocess.PIPE)
            programs[arguments] = stack.enter_context(program).process
        errors = {
            arguments: process.communicate(timeout=PATIENCE_S)[1] for arguments, process in programs.items()
        }
        return {arguments: (process.returncode, errors[arguments]) for arguments, process in programs.items()}


def test_tools_end_quietly_when_nobody_reads(tmp_path: Path) -> None:
    """`trikv status | head -1`: no traceback, and the exit code that a shell shows for SIGPIPE."""
    sink = reader_gone()
    with Single(tmp_path) as node:
        node.wait_until_it_leads()
        ended = run_tools(sink, node.port)
    sink.close()
    assert ended == dict.fromkeys(TOOLS, (128 + signal.SIGPIPE, b""))


def test_tools_say_that_their_output_is_lost(tmp_path: Path) -> None:
    """`trikv status > /full/disk`: one line, exit code 1."""
    sink = full_disk()
    with Single(tmp_path) as node:
        node.wait_until_it_leads()
        ended = run_tools(sink, node.port)
    sink.close()
    said = b"trikv: the output cannot be written: No space left on device\n"
    assert ended == dict.fromkeys(TOOLS, (1, said))


def test_the_line_client_ends_quietly_when_nobody_reads(tmp_path: Path) -> None:
    """`trikv cli | head -1` is no failure of the node."""
    with Single(tmp_path) as node:
        node.wait_until_it_leads()
        sink = reader_gone()
        with Program(
            "cli", str(node.port), stdin=subprocess.PIPE, stdout=sink.descriptor, stderr=subprocess.PIPE
        ) as client:
            _, error = client.process.communicate(b"ping\n", timeout=PATIENCE_S)
            assert (client.process.returncode, error) == (128 + signal.SIGPIPE, b"")
        sink.close()


def test_a_torture_goes_on_when_nobody_reads(tmp_path: Path) -> None:
    """What is shown is lost; the proof is made, and the report is written."""
    report = tmp_path / "report.json"
    with Single(tmp_path) as node:
        node.wait_until_it_leads()
        sink = reader_gone()
        target = f"redis://127.0.0.1:{node.port}"
        with Program(
            *("torture", "--target", target, "--seconds", "1", "--report", str(report)),
            stdout=sink.descriptor,
            stderr=subprocess.PIPE,
        ) as torture:
            _, error = torture.process.communicate(timeout=PATIENCE_S)
            assert (torture.process.returncode, error) == (128 + signal.SIGPIPE, b"")
        sink.close()
    assert json.loads(report.read_bytes())


def ignoring(*numbers: signal.Signals) -> Callable[[], None]:
    """What ``nohup`` does, and a shell's ``&`` in a script."""

    def ignore() -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)

    return ignore


def ignores(program: Program, number: signal.Signals) -> bool:
    """Whether a process ignores a signal."""
    status = Path(f"/proc/{program.process.pid}/status").read_bytes()
    return bool(int(status.partition(b"SigIgn:")[2].split()[0], 16) >> (number - 1) & 1)


def test_signals_ignored_at_the_start_stay_ignored(tmp_path: Path) -> None:
    """`nohup trikv serve &` in a script: neither a closed terminal nor Ctrl-C ends it; SIGTERM does."""
    with Single(tmp_path, before=ignoring(signal.SIGHUP, signal.SIGINT)) as node:
        node.wait_until_it_leads()
        node.send(signal.SIGHUP)
        node.send(signal.SIGINT)
        with Resp(node.port) as client:
            assert client.call("SET", "key", "value") == b"OK"
        assert ignores(node, signal.SIGHUP)
        assert ignores(node, signal.SIGINT)
        assert node.end() == 0


def test_a_closed_terminal_stops_a_node_in_order(tmp_path: Path) -> None:
    """SIGHUP, twice as the shell and the kernel send it, is one request to stop: the dump is written."""
    with Single(tmp_path) as node:
        node.wait_until_it_leads()
        node.send(signal.SIGHUP)
        assert node.end(signal.SIGHUP) == 0
    assert (node.data / "dump.json").exists()


def test_a_cluster_under_nohup_outlives_its_terminal(tmp_path: Path) -> None:
    """`nohup ./run_cluster.sh &`, then SIGHUP: the supervisor and its nodes go on; SIGTERM stops them."""
    block = PortBlock()
    environment = {**bare_environment(), "TRIKV_DATA": str(tmp_path / "data")}
    try:
        with Program(
            *("cluster", str(block.first)),
            environment=environment,
            stdout=subprocess.PIPE,
            before=ignoring(signal.SIGHUP),
        ) as supervisor:
            assert supervisor.process.stdout is not None
            while b"Ctrl-C stops all three" not in (line := supervisor.process.stdout.readline()):
                assert line, "the supervisor ended"
            supervisor.send(signal.SIGHUP)
            supervisor.send(signal.SIGTERM)
            told = supervisor.process.stdout.read().decode()
            assert supervisor.process.wait(PATIENCE_S) == 0
    finally:
        block.release()
    assert "stopping at once" not in told
    assert told.count("ended, exit code 0") == 3


def test_a_log_that_grows_is_set_aside_while_its_node_runs(tmp_path: Path) -> None:
    """node.log is bounded for as long as a cluster runs; the node goes on writing to it."""
    block = PortBlock()
    data = tmp_path / "data"
    environment = {**bare_environment(), "TRIKV_DATA": str(data)}
    log, aside = data / "node1" / "node.log", data / "node1" / "node.log.1"
    try:
        with Program("cluster", str(block.first), environment=environment) as supervisor:
            eventually(lambda: b"serving" in text_of(log), within_s=START_S, what="a node that serves")
            with log.open("ab") as more:
                more.write(b"x" * (11 << 20))
            eventually(aside.exists, within_s=START_S, what="a log set aside")
            eventually(lambda: log.stat().st_size < 1 << 20, within_s=START_S, what="a short log")
            assert supervisor.end(within_s=PATIENCE_S) == 0
    finally:
        block.release()
    assert b"stopping" in log.read_bytes()
    assert b"serving" in aside.read_bytes()
    assert aside.stat().st_mode & 0o777 == 0o600


def text_of(file: Path) -> bytes:
    """What is in a log; nothing while there is none."""
    return file.read_bytes() if file.exists() else b""


def test_tostop_does_not_stop_a_node(tmp_path: Path) -> None:
    """After `stty tostop` a background job that prints would be stopped by SIGTTOU: a node ignores it."""
    with Single(tmp_path) as node:
        node.wait_until_it_leads()
        assert ignores(node, signal.SIGTTOU)
        assert node.end() == 0
