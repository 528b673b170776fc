"""A client without manners: 100,000 commands in one pipeline, again and again, until it is killed.

A process of its own, because what it spends must not be taken from the generator that times the polite ones:
``python -m tests.perf.greedy PORT``.
"""

import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.perf.generator import Work, requests_of

COMMANDS = 100_000
_CHUNK_BYTES = 1 << 20


def main(port: int) -> None:
    """Send pipelines without end; the next begins when the last has all its replies."""
    requests = requests_of(Work("set", 1))
    pipeline = memoryview(b"".join(requests[n % len(requests)] for n in range(COMMANDS)))
    reply_bytes = COMMANDS * len(b"+OK\r\n")
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setblocking(False)
        while True:
            _send(connection, pipeline, reply_bytes)
            sys.stdout.write("sent\n")
            sys.stdout.flush()


def _send(connection: socket.socket, pipeline: memoryview, reply_bytes: int) -> None:
    """One pipeline: whatever the socket takes goes out, whatever has come is read and dropped."""
    sent = heard = 0
    while heard < reply_bytes:
        unsent = [connection] if sent < len(pipeline) else []
        readable, writable, _ = select.select([connection], unsent, [])
        if readable:
            data = connection.recv(_CHUNK_BYTES)
            if not data:
                raise ConnectionError("the server hung up")
            heard += len(data)
        if writable:
            sent += connection.send(pipeline[sent : sent + _CHUNK_BYTES])


class GreedyClient:
    """The process, and how many pipelines it has had answered."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def stop(self) -> int:
        """End it; the number of pipelines that were answered whole. Raises RuntimeError if it had ended."""
        if self._process.poll() is not None:
            raise RuntimeError(f"the greedy client ended with {self._process.returncode}")
        self._process.kill()
        out, _ = self._process.communicate()
        return out.count(b"sent")


@contextmanager
def greedy_client(port: int) -> Iterator[GreedyClient]:
    """A greedy client of `port` while the block runs."""
    with subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "tests.perf.greedy", str(port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            yield GreedyClient(process)
        finally:
            process.kill()


if __name__ == "__main__":
    main(int(sys.argv[1]))
