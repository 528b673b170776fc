"""Nodes as processes: each with a session and a log file of its own, and an end that is noticed."""

import errno
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Final

import trio

from trikv import durable
from trikv.cluster.plan import HOST, Plan, PlannedNode, program

LOG_BYTES_MAX: Final = 10 << 20
"""A log longer than this is set aside; one such old log is kept."""
_PIECE_BYTES: Final = 1 << 20
_LAST_WORDS_BYTES: Final = 4096


def taken_port(ports: Iterable[tuple[int, str]]) -> str | None:
    """Name the first of `ports` that something listens on; None if all are free."""
    for port, purpose in ports:
        with socket.socket() as probe:  # with the nodes' option: past connections in TIME_WAIT do not count
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
                probe.listen()
            except OSError as error:
                why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used: {error.strerror}"
                return f"port {port} ({purpose}) {why}; stop what uses it, or give another PORT"
    return None


class NodeProcess:
    """A node that runs as a process of ours, or has ended."""

    def __init__(self, node: PlannedNode, process: trio.Process) -> None:
        self.node = node
        self._process = process

    @classmethod
    async def start(cls, node: PlannedNode, plan: Plan) -> "NodeProcess":
        """Start it. Raises OSError if it cannot be started, or its directory or log cannot be written."""
        log_file = node.log_file
        durable.make_directory(log_file.parent)
        bound_log(log_file)
        with open_log(log_file) as log:
            process = await trio.lowlevel.open_process(
                [*program(), *node.command, "--supervised"],
                stdin=subprocess.PIPE,  # the node stops when this ends; it ends with us, even by kill -9
                stdout=log,
                stderr=log,
                start_new_session=True,  # so that the terminal's Ctrl-C does not reach it beside our SIGTERM
                env=dict(plan.environment),
            )
        return cls(node, process)

    @property
    def pid(self) -> int:
        """Its process id; another process may have it after the end was noticed."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it runs, as far as noticed: `wait` notices its end."""
        return self._process.returncode is None

    async def wait(self) -> int:
        """Wait for its end; the exit code, negative for a signal."""
        exit_code = await self._process.wait()
        assert self._process.stdin is not None
        await self._process.stdin.aclose()
        return exit_code

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the node; does nothing if it has ended."""
        if self.running:
            self._process.send_signal(number)

    def last_words(self) -> str:
        """The last line of its log that is not blank; empty if there is none."""
        return last_line(self.node.log_file)

    def end_of_log(self) -> str:
        """The last whole lines of its log, a few KiB; empty if there are none."""
        return end_of(self.node.log_file).rpartition("\n")[0]


def open_log(file: Path) -> IO[bytes]:
    """Open a node's log for appending. Raises OSError, also if it is a pipe that nobody reads."""
    # Non-blocking, because opening such a pipe would wait for a reader, and nothing would run meanwhile, not
    # even Ctrl-C.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    try:
        descriptor = os.open(file, flags | os.O_NONBLOCK, 0o600)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise OSError(errno.ENXIO, "it is a pipe that nobody reads", str(file)) from None
        raise
    os.set_blocking(descriptor, True)
    return os.fdopen(descriptor, "ab")


def bound_log(file: Path) -> None:
    """Move what a log holds to ``node.log.1`` if it is long; its writer goes on. Raises OSError.

    A line that comes between the copy and the cut is lost.
    """
    if not file.is_file():  # a pipe or a device has no length
        return
    with file.open("r+b") as log:
        if os.fstat(log.fileno()).st_size <= LOG_BYTES_MAX:
            return
        # Copied and cut, not renamed: the node holds the open file, and would go on writing to the old one.
        # It appends, so it goes on at the new end. The older log is replaced once the copy is whole: a full
        # disk costs neither.
        copied = file.with_name("node.log.1.tmp")
        try:
            copied.touch(mode=0o600)
            with copied.open("wb") as copy:
                shutil.copyfileobj(log, copy, _PIECE_BYTES)
            copied.replace(file.with_name("node.log.1"))
        except OSError:
            copied.unlink(missing_ok=True)
            raise
        log.truncate(0)


def last_line(file: Path) -> str:
    """The last line of a text file that is not blank; empty if it has none or is absent."""
    lines = end_of(file).strip().splitlines()
    return lines[-1] if lines else ""


def end_of(file: Path) -> str:
    """The last few KiB of a text file; empty if it is absent, or a device or pipe, which never end."""
    try:
        if not file.is_file():
            return ""
        with file.open("rb") as log:
            log.seek(max(0, os.fstat(log.fileno()).st_size - _LAST_WORDS_BYTES))
            return log.read(_LAST_WORDS_BYTES).decode(errors="replace")
    except OSError:
        return ""
