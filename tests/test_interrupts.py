"""A stop while a command is loaded, and one behind its end: quiet, with the documented exit code."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.cluster import eventually
from tests.e2e.single import Single, bare_environment, words

PATIENCE_S = 60
SLOW_IMPORT = "import os, time\nos.write(1, b'loading')\nfor _ in range(6000):\n    time.sleep(0.01)\n"
"""Stands in for what a command takes long to import. As there, Python looks for signals again and again: one
that comes just before a single long sleep would be noticed after it."""
WATCHES = """
import os, signal, trio
from trikv import interrupts
from trikv.host.signals import watch_stop_signals
interrupts.begin(["cluster"])
async def main():
    async def stop(number):
        nursery.cancel_scope.cancel()
    async with trio.open_nursery() as nursery:
        await nursery.start(watch_stop_signals, stop)
        os.kill(os.getpid(), signal.SIGHUP)
trio.run(main)
os.kill(os.getpid(), signal.SIGHUP)
os.kill(os.getpid(), signal.SIGTERM)
print("all is said")
"""
"""A supervisor whose terminal sends another SIGHUP when it no longer waits for any."""


@pytest.mark.parametrize(
    ("command", "number", "exit_code"),
    [
        ("status", signal.SIGINT, 130),
        ("--help", signal.SIGINT, 130),
        ("serve", signal.SIGINT, 0),
        ("serve", signal.SIGTERM, 0),
        ("cluster", signal.SIGINT, 0),
        ("cluster", signal.SIGHUP, 0),
    ],
)
def test_a_stop_while_a_command_is_loaded_is_quiet(
    tmp_path: Path, command: str, number: signal.Signals, exit_code: int
) -> None:
    """No traceback. A tool was interrupted; a server has stopped as it was asked to."""
    (tmp_path / "cyclopts.py").write_text(SLOW_IMPORT, encoding="utf-8")
    environment = bare_environment() | {"PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(
        words(command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(7) == b"loading"
        process.send_signal(number)
        _, said = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, said) == (exit_code, b"")


def test_what_was_ignored_stays_ignored_while_a_command_is_loaded(tmp_path: Path) -> None:
    """Under nohup a closing terminal ends nothing, however early."""
    (tmp_path / "cyclopts.py").write_text(SLOW_IMPORT, encoding="utf-8")
    environment = bare_environment() | {"PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(
        ["nohup", *words("cluster")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read(7) == b"loading"
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0


def test_what_comes_when_nobody_waits_for_it_any_more_is_dropped() -> None:
    """A closing terminal sends two SIGHUP; the second may not turn a good end into a death by a signal."""
    done = subprocess.run(
        [sys.executable, "-c", WATCHES], capture_output=True, timeout=PATIENCE_S, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"all is said\n", b"")


def test_a_signal_behind_the_end_of_a_node_changes_nothing(tmp_path: Path) -> None:
    """It has let go of its directory and waits for its log to be read: its exit code is certain by then."""
    read_end, write_end = os.pipe()
    try:
        fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4096)
        with Single(tmp_path, stderr=write_end) as node:
            node.wait_until_it_leads()
            os.set_blocking(write_end, False)
            while _fills(write_end):
                pass
            os.set_blocking(write_end, True)
            node.send(signal.SIGHUP)
            eventually(lambda: _is_free(node.data / "lock"), within_s=PATIENCE_S, what="a free directory")
            assert node.process.poll() is None, "nobody has read its log"
            assert node.end(signal.SIGHUP) == 0
    finally:
        os.close(read_end)
        os.close(write_end)


def _fills(pipe: int) -> bool:
    """Whether another byte had room."""
    try:
        return os.write(pipe, b"-") == 1
    except BlockingIOError:
        return False


def _is_free(lock: Path) -> bool:
    with lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def test_little_is_imported_before_signals_are_handled() -> None:
    """Until then a stop is Python's to handle, with a traceback: each import makes that time longer."""
    brings = "import os, signal, sys, collections.abc, types; before = set(sys.modules); "
    done = subprocess.run(
        [sys.executable, "-c", f"{brings}import trikv.interrupts; print(*sorted(set(sys.modules) - before))"],
        capture_output=True,
        timeout=PATIENCE_S,
        check=True,
    )
    assert done.stdout.split() == [b"trikv", b"trikv.interrupts"]
