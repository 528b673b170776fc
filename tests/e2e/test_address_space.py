"""A process that gets no more memory or threads: one line that names the limit, and the exit code for it."""

import contextlib
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.clients import Resp
from tests.e2e.single import Single, bare_environment
from trikv.errors import NO_THREADS
from trikv.host.clock import resident_bytes
from trikv.serve import OUT_OF_MEMORY

MORE_BYTES = 24 << 20
"""What a node may still take; it takes all of that while its first segment is written."""
NO_THREAD = """
import sys, threading
def start(self):
    raise RuntimeError("can't start new thread")
threading.Thread.start = start
from trikv.__main__ import main
sys.exit(main())
"""
"""A process that may have no threads: its limit of them, or of address space, is reached."""


def address_space_bytes(pid: int) -> int:
    """What a process has mapped."""
    return int(Path(f"/proc/{pid}/statm").read_bytes().split()[0]) * resource.getpagesize()


def written(port: int) -> int:
    """How many large values the node acknowledged before it ended."""
    count = 0
    with contextlib.suppress(OSError), Resp(port, wait_s=10) as connection:
        for n in range(1000):
            reply = connection.call("SET", f"key{n}", b"x" * 400_000)
            assert reply == b"OK", reply
            count += 1
    return count


def test_a_node_without_memory_says_so_in_one_line(tmp_path: Path) -> None:
    """No traceback: what ran out, that nothing is lost, and what to do. It starts again with more of it."""
    assert resident_bytes(), "there is no /proc"
    given = ("--maxmemory", "512mb", "--segment-bytes", "64mb")
    with (tmp_path / "log").open("wb") as log, Single(tmp_path, *given, stderr=log) as node:
        node.wait_until_it_leads()
        limit = address_space_bytes(node.process.pid) + MORE_BYTES
        resource.prlimit(node.process.pid, resource.RLIMIT_AS, (limit, limit))
        acknowledged = written(node.port)
        assert node.process.wait(60) == 1, (tmp_path / "log").read_text()
    said = (tmp_path / "log").read_text()
    assert "Traceback" not in said
    assert said.splitlines()[-1] == f"trikv: node1: {OUT_OF_MEMORY}"
    with Single(tmp_path) as node:
        node.wait_until_it_leads()
        with Resp(node.port, wait_s=10) as connection:
            assert int(str(connection.call("DBSIZE"))) >= acknowledged


@pytest.mark.parametrize("command", ["serve", "cluster"])
def test_a_process_without_threads_names_both_limits(tmp_path: Path, command: str) -> None:
    """Nobody looks at the limit of processes where it was address space that a thread lacked."""
    done = subprocess.run(
        [sys.executable, "-c", NO_THREAD, command],
        cwd=tmp_path,
        env=bare_environment() | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.endswith(NO_THREADS)
    assert "ulimit -u" in line
    assert "ulimit -v" in line
