"""A redis-server of a test's own, and connections to it: what trikv is compared with."""

import subprocess
import tempfile
import time
from types import TracebackType
from typing import Any, Self

from tests.ports import PortBlock
from tests.tools import require_tool
from trikv.client.blocking import BlockingClient
from trikv.client.endpoint import Address

START_S = 30.0
"""A busy machine takes its time."""


class RedisConnection(BlockingClient):
    """One connection to a server."""

    def __init__(self, port: int) -> None:
        super().__init__(Address("127.0.0.1", port), timeout_s=START_S)

    def line(self, line: str) -> Any:
        """`call` of words that are separated by blanks."""
        return self.call(*line.split())


class RedisServer:
    """A server on a free port, without persistence. A context manager: nothing outlives it."""

    def __init__(self, *options: str) -> None:
        server = require_tool("redis-server")
        self._block = PortBlock(1)
        self.port = self._block.first
        self._directory = tempfile.TemporaryDirectory()
        command = [server, "--port", str(self.port), "--save", "", "--bind", "127.0.0.1"]
        command += ["--dir", self._directory.name, *options]
        try:
            self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        except OSError:
            self._give_back()
            raise

    def connect(self) -> RedisConnection:
        """A new connection, as soon as it serves."""
        deadline = time.perf_counter() + START_S
        while True:
            try:
                return RedisConnection(self.port)
            except ConnectionRefusedError:
                assert time.perf_counter() < deadline, "redis-server did not start"
                time.sleep(0.02)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()
        self._give_back()

    def _give_back(self) -> None:
        self._block.release()
        self._directory.cleanup()
