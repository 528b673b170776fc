"""The supervisor with stand-ins for nodes: what it passes on, what it reports, and that it leaves nothing."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import attrs
import pytest
import trio

from tests.ports import PortBlock
from trikv.cluster import command, processes
from trikv.cluster.command import Supervisor
from trikv.cluster.plan import Plan, make_plan
from trikv.cluster.probe import Probe
from trikv.cluster.processes import last_line, taken_port
from trikv.host.signals import ECHO_S

FAKE = Path(__file__).with_name("fake_node.py")
PATIENCE_S = 30


@pytest.fixture
def first_port() -> Iterator[int]:
    """The first of three client ports, with their peer ports."""
    block = PortBlock()
    yield block.first
    block.release()


class Scene:
    """Three stand-ins under a real supervisor, in the test's own process."""

    def __init__(self, data: Path, first_port: int, capsys: pytest.CaptureFixture[str]) -> None:
        self._data = data
        self._first_port = first_port
        self._capsys = capsys
        self.shown = ""

    def plan(self, *behaviours: str) -> Plan:
        """Plan three nodes that behave so."""
        environment = {
            "TRIKV_DATA": str(self._data),
            "PATH": os.environ["PATH"],
            "TRIKV_STOP_DEADLINE_MS": "200",
        }
        made = make_plan(port=str(self._first_port), max_volume=None, timeout=None, environment=environment)
        nodes = tuple(
            attrs.evolve(node, command=(str(node.config.port), behaviour))
            for node, behaviour in zip(made.nodes, behaviours, strict=True)
        )
        return attrs.evolve(made, nodes=nodes)

    async def wait_for(self, expected: str) -> None:
        """Wait until the supervisor has printed it."""
        with trio.fail_after(PATIENCE_S):
            while not re.search(expected, self.shown, re.MULTILINE):
                self.shown += self._capsys.readouterr().out
                await trio.sleep(0.05)

    def log(self, node: int) -> str:
        """What a stand-in said."""
        return (self._data / f"node{node}" / "node.log").read_text()

    def all_shown(self) -> str:
        """Everything printed so far."""
        self.shown += self._capsys.readouterr().out
        return self.shown


@pytest.fixture
def scene(
    tmp_path: Path, first_port: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Scene:
    """Stand-ins instead of nodes, and less patience than with real ones."""
    monkeypatch.setattr(processes, "program", lambda: [sys.executable, str(FAKE)])
    monkeypatch.setattr(command, "MARGIN_S", 0.5)
    monkeypatch.setattr(command, "HURRY_S", 1)
    monkeypatch.setattr(command, "STRAGGLER_S", 0.5)
    return Scene(tmp_path, first_port, capsys)


async def run(supervisor: Supervisor, codes: list[int]) -> None:
    """Run it; its exit code goes to `codes`."""
    codes.append(await supervisor.run())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_one_request_is_passed_on_once(scene: Scene, number: signal.Signals) -> None:
    """Each node gets exactly one SIGTERM, and its end is told with the exit code."""
    codes: list[int] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, Supervisor(scene.plan("leader", "follower", "follower")), codes)
        await scene.wait_for("Ctrl-C stops all three")
        os.kill(os.getpid(), number)
    assert codes == [0]
    for node in (1, 2, 3):
        assert scene.log(node) == "signal 15, 1\n"
        assert f"node{node} ended, exit code 0" in scene.all_shown()
    assert "node1 leads, term 3" in scene.shown


async def test_a_node_that_does_not_end_is_killed(scene: Scene) -> None:
    """After its deadline, so that nothing is left running; the exit code tells of it."""
    codes: list[int] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, Supervisor(scene.plan("leader", "deaf", "follower")), codes)
        await scene.wait_for("Ctrl-C stops all three")
        os.kill(os.getpid(), signal.SIGINT)
    assert codes == [1]
    assert "node2 does not end; killing it" in scene.all_shown()
    assert "node2 ended, exit code -9" in scene.shown


async def test_a_node_that_could_not_take_the_signal_yet_has_stopped_as_asked(scene: Scene) -> None:
    """A stop while the nodes start is no failure of theirs: exit code 0, as of any stop."""
    codes: list[int] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, Supervisor(scene.plan("leader", "follower", "early")), codes)
        await scene.wait_for("Ctrl-C stops all three")
        os.kill(os.getpid(), signal.SIGINT)
    assert codes == [0]
    assert "node3 ended, exit code 0" in scene.all_shown()


async def test_a_node_that_makes_progress_is_waited_for(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer than one that says nothing, and the person sees how far it is."""
    monkeypatch.setattr(command, "MARGIN_S", 3)  # a step may take longer here than it should, all do not
    codes: list[int] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, Supervisor(scene.plan("leader", "slow", "follower")), codes)
        await scene.wait_for("Ctrl-C stops all three")
        os.kill(os.getpid(), signal.SIGINT)
    assert codes == [0]
    assert re.search(
        r"^node2 is writing dump\.json: \d+ % of 12 keys, \d MB$", scene.all_shown(), re.MULTILINE
    )
    assert "node2 ended, exit code 0" in scene.shown


async def test_progress_that_ends_is_none(scene: Scene) -> None:
    """What an earlier stop has logged is none either: a node that stands still is killed in its time."""
    log = scene.plan("leader", "stuck", "follower").nodes[1].log_file
    log.parent.mkdir(parents=True)
    log.write_text("2025-01-02T03:04:05.000000Z info    writing file=dump.json keys=1 of=2 bytes=9000000\n")
    codes: list[int] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, Supervisor(scene.plan("leader", "stuck", "follower")), codes)
        await scene.wait_for("Ctrl-C stops all three")
        os.kill(os.getpid(), signal.SIGINT)
    assert codes == [1]
    assert "node2 does not end; killing it" in scene.all_shown()
    assert "50 % of 2 keys" not in scene.shown


async def test_a_second_request_does_not_wait_for_progress(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Haste is haste: a node in the middle of its dump is asked to end at once, and does."""
    monkeypatch.setattr(command, "MARGIN_S", 30)
    monkeypatch.setattr(command, "HURRY_S", 30)
    codes: list[int] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, Supervisor(scene.plan("leader", "slow", "follower")), codes)
        await scene.wait_for("Ctrl-C stops all three")
        os.kill(os.getpid(), signal.SIGINT)
        await scene.wait_for("node2 is writing dump.json")
        await trio.sleep(ECHO_S)
        os.kill(os.getpid(), signal.SIGINT)
    assert scene.log(2).rstrip().endswith("signal 15, 2")
    assert "node2 ended, exit code 0" in scene.all_shown()


async def test_the_second_request_is_passed_on_too(scene: Scene) -> None:
    """A node that has had one SIGTERM gets another."""
    codes: list[int] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, Supervisor(scene.plan("leader", "deaf", "follower")), codes)
        await scene.wait_for("Ctrl-C stops all three")
        os.kill(os.getpid(), signal.SIGINT)
        await scene.wait_for("stopping; Ctrl-C again")
        await trio.sleep(ECHO_S)
        os.kill(os.getpid(), signal.SIGINT)
    assert scene.log(2).startswith("signal 15, 1\nsignal 15, 2\n")
    assert "stopping at once" in scene.all_shown()


async def test_an_echo_of_the_first_request_is_not_passed_on(scene: Scene) -> None:
    """Signalled twice within milliseconds, by itself and with its group, it asks the nodes once."""
    codes: list[int] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, Supervisor(scene.plan("leader", "slow", "follower")), codes)
        await scene.wait_for("Ctrl-C stops all three")
        os.kill(os.getpid(), signal.SIGINT)
        await trio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)
    assert "signal 15, 2" not in scene.log(2)
    assert "stopping at once" not in scene.all_shown()


async def test_too_few_nodes_is_a_failure(scene: Scene) -> None:
    """With no majority before the first leader nothing can come of it: told why, stopped, exit code 1."""
    with trio.fail_after(PATIENCE_S):
        assert await Supervisor(scene.plan("broken", "broken", "follower")).run() == 1
    shown = scene.all_shown()
    assert "node1 died (exit code 1); it said: trikv: cannot start: nothing works" in shown
    assert "start it again: cd " in shown
    assert "too few nodes came up for a leader" in shown
    assert "node3 ended, exit code" in shown


async def test_one_node_that_does_not_come_up_is_survived(scene: Scene) -> None:
    """Two are a majority: the cluster is introduced with the dead node in its place."""
    codes: list[int] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, Supervisor(scene.plan("leader", "follower", "broken")), codes)
        await scene.wait_for("Ctrl-C stops all three")
        os.kill(os.getpid(), signal.SIGTERM)
    assert codes == [0]
    assert re.search(r"^node3 .* not answering", scene.all_shown(), re.MULTILINE)


async def test_a_log_that_grew_is_set_aside_at_the_next_start(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One old log is kept: the disk does not fill with them."""
    monkeypatch.setattr(processes, "LOG_BYTES_MAX", 5)
    plan = scene.plan("leader", "follower", "follower")
    for _ in range(2):
        codes: list[int] = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(run, Supervisor(plan), codes)
            scene.shown = ""
            await scene.wait_for("Ctrl-C stops all three")
            os.kill(os.getpid(), signal.SIGTERM)
    assert (plan.nodes[0].log_file.parent / "node.log.1").read_text() == "signal 15, 1\n"


def test_a_directory_that_cannot_be_written_is_one_line(tmp_path: Path, first_port: int) -> None:
    """Exit code 2 with the setting, the path and what to do; nothing was started."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "node1").write_text("a file where a directory should be")
    run = subprocess.run(
        [sys.executable, "-P", "-m", "trikv", "cluster", str(first_port)],
        env=os.environ | {"TRIKV_DATA": str(tmp_path / "data")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 2
    assert run.stderr.count("\n") == 1
    assert "TRIKV_DATA" in run.stderr
    assert f"{tmp_path}/data/node1 is no directory; give another path" in run.stderr


async def test_a_probe_of_what_is_no_node_is_no_status(first_port: int) -> None:
    """Nothing there, something silent, something that talks nonsense: None, within its patience."""
    probe = Probe("127.0.0.1", first_port)
    assert await probe.status() is None

    async def nonsense(stream: trio.SocketStream) -> None:
        await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")

    async def silence(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await trio.sleep_forever()

    for behaviour in (nonsense, silence):
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(trio.serve_tcp, behaviour, first_port, host="127.0.0.1"))
            assert await probe.status() is None
            nursery.cancel_scope.cancel()
    await probe.aclose()


def test_ports(first_port: int) -> None:
    """A taken port is named with its purpose; one that may not be used says why."""
    assert taken_port([(first_port, "a port")]) is None
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = taken_port([(first_port, "a"), (port, "node1's client port")])
    assert found is not None
    assert found.startswith(f"port {port} (node1's client port) is taken")


def test_last_words(tmp_path: Path) -> None:
    """The last line that says something; nothing where there is no log."""
    log = tmp_path / "node.log"
    assert last_line(log) == ""
    log.write_text("x" * 10_000 + "\nfirst\nlast\n\n")
    assert last_line(log) == "last"
    log.write_text("\n")
    assert last_line(log) == ""
