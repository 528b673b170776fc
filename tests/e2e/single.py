"""One process of trikv with the streams, environment and signals a test gives it; always cleared away."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, TypeAlias

from tests.e2e.clients import Resp
from tests.e2e.cluster import START_S, STOP_S, eventually
from tests.ports import PortBlock
from trikv.client.info import parse_info

Stream: TypeAlias = int | IO[Any] | None


def bare_environment() -> dict[str, str]:
    """The environment without settings of trikv."""
    return {name: text for name, text in os.environ.items() if not name.startswith("TRIKV_")}


def words(*arguments: str | bytes) -> list[str | bytes]:
    """A command of trikv as this interpreter starts it."""
    return [sys.executable, "-m", "trikv", *arguments]


class Program:
    """A started command. A context manager: it is killed if it still runs at the end."""

    def __init__(
        self,
        *arguments: str | bytes,
        stdin: Stream = subprocess.DEVNULL,
        stdout: Stream = subprocess.DEVNULL,
        stderr: Stream = subprocess.DEVNULL,
        environment: Mapping[str, str] | Mapping[bytes, bytes] | None = None,
        before: Callable[[], object] | None = None,
    ) -> None:
        """`before` is called in the new process before it becomes the command."""
        self.process = subprocess.Popen(
            words(*arguments),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=bare_environment() if environment is None else environment,
            preexec_fn=before,  # noqa: PLW1509 - it does no more than a signal or a close
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it alone."""
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM, *, within_s: float = STOP_S) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.send(number)
        return self.process.wait(within_s)


class Single(Program):
    """A node of its own."""

    def __init__(self, directory: Path, *arguments: str | bytes, **more: Any) -> None:
        self._block = PortBlock(1)
        self.port = self._block.first
        self.data = directory / "node1"
        given = ("--port", str(self.port), "--data-directory", os.fsencode(self.data))
        super().__init__("serve", *given, *arguments, **more)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._block.release()

    def info(self, *, password: str | bytes | None = None) -> dict[str, str]:
        """Its INFO; empty while it does not answer."""
        try:
            with Resp(self.port, wait_s=5) as connection:
                if password is not None:
                    connection.call("AUTH", password)
                reply = connection.call("INFO")
        except OSError:
            return {}
        return parse_info(reply) if isinstance(reply, bytes) else {}

    def wait_until_it_leads(self, *, password: str | bytes | None = None) -> dict[str, str]:
        """Wait until it serves; its INFO."""

        def leads() -> dict[str, str] | None:
            assert self.process.poll() is None, f"the node ended, exit code {self.process.returncode}"
            info = self.info(password=password)
            return info if info.get("raft_role") == "leader" else None

        return eventually(leads, within_s=START_S, what="a node that serves")
