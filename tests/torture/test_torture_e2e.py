"""`trikv torture` as a person runs it: real nodes, real kills; and Redis under the same storm."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from tests.tools import require_tool
from trikv.torture.options import NODES, Options
from trikv.torture.ports import Ports
from trikv.torture.redis import Redis
from trikv.torture.report import Screen
from trikv.torture.run import Stop, torture_system

pytestmark = pytest.mark.e2e

PATIENCE_S = 120
"""Three processes that start four times over, on a busy machine."""


def command(*words: str) -> list[str]:
    """The command line."""
    return [sys.executable, "-m", "trikv", "torture", "--no-against-redis", *words]


def without_settings() -> dict[str, str]:
    """The environment; that of who runs the tests is not under test."""
    return {name: text for name, text in os.environ.items() if not name.startswith("TRIKV_")}


def test_a_short_torture_is_clean(tmp_path: Path) -> None:
    """A leader killed, a leader frozen, all killed: a clean verdict, a report, and no node left."""
    data, report = tmp_path / "data", tmp_path / "report.json"
    done = subprocess.run(
        command("--seconds", "6", "--data-directory", str(data), "--report", str(report)),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env=without_settings(),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert "VERDICT: clean. trikv kept all" in done.stdout
    (run,) = json.loads(report.read_bytes())["runs"]
    assert run["clean"]
    assert run["lost"] == 0
    assert run["unique_writes_checked"] > 50
    assert run["histories"] > 2
    texts = [fault["fault"] for fault in run["faults"]]
    assert ["killed" in texts[0], "stopped" in texts[1], texts[2]] == [True, True, "all nodes killed at once"]
    assert {"node1", "node2", "node3"} <= {path.name for path in data.iterdir()}
    assert not _running(data)


def test_ctrl_c_is_answered_with_a_verdict(tmp_path: Path) -> None:
    """The load ends, what was done until then is judged, and no node is left."""
    data = tmp_path / "data"
    with subprocess.Popen(
        command("--seconds", "600", "--data-directory", str(data)),
        stdout=subprocess.PIPE,
        text=True,
        env=without_settings(),
    ) as process:
        assert process.stdout is not None
        shown = ""
        while "served after" not in shown and (line := process.stdout.readline()):
            shown += line
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, shown + rest
    assert "what was done until now is judged" in rest
    assert "VERDICT: clean." in rest
    assert not _running(data)


def _running(data: Path) -> list[str]:
    """Processes that name this directory."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue  # it ended while we looked
        found += [words] if str(data) in words else []
    return found


def test_redis_is_tortured_alike(tmp_path: Path) -> None:
    """A master killed, a master frozen, all killed: a replica is promoted each time, and all is judged.

    What Redis loses is its own business; that it is served again, and read back, is ours.
    """
    ports = Ports()
    system = Redis(require_tool("redis-server"), tmp_path, ports)

    async def run() -> None:
        result = await torture_system(system, Options(seconds=1, clients=6), Screen(), Stop())
        assert len(result.blows) >= NODES
        assert all(blow.served_s is not None for blow in result.blows)
        assert result.findings.checked > 50
        assert not any("could not be read back" in problem for problem in result.findings.problems)

    try:
        trio.run(run)
    finally:
        ports.release()
    assert system.promotions >= 2
    assert not _running(tmp_path)
