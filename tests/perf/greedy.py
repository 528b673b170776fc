"""A client without manners: 100,000 commands in one pipeline, again and again, until it is killed.

A process of its own, because what it spends must not be taken from the generator that times the polite ones:
``python -m tests.perf.greedy PORT``. How many commands were answered stands in the file that is its standard
output, so that one sees that it was there at all.
"""

import os
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from tests.perf.generator import Work, requests_of

COMMANDS = 100_000
_CHUNK_BYTES = 1 << 20
_REPLY = b"+OK\r\n"
_STDOUT = 1


def main(port: int) -> None:
    """Send pipelines without end; the next begins when the last has all its replies."""
    encoded, pipelines = pipeline(), 0
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setblocking(False)
        while True:
            for answered in send(connection, encoded):
                os.pwrite(_STDOUT, b"%020d" % (pipelines * COMMANDS + answered), 0)
            pipelines += 1


def pipeline() -> memoryview:
    """`COMMANDS` SETs, encoded."""
    requests = requests_of(Work("set", 1))
    return memoryview(b"".join(requests[n % len(requests)] for n in range(COMMANDS)))


def send(connection: socket.socket, encoded: memoryview, *, patience_s: float | None = None) -> Iterator[int]:
    """Send one pipeline over a socket that does not block; tell how many are answered as they are.

    Whatever the socket takes goes out, whatever has come is dropped. ConnectionError where it hangs up,
    TimeoutError where nothing moves for `patience_s` seconds.
    """
    sent = heard = 0
    while heard < COMMANDS * len(_REPLY):
        unsent = [connection] if sent < len(encoded) else []
        readable, writable, _ = select.select([connection], unsent, [], patience_s)
        if not readable and not writable:
            raise TimeoutError(f"{heard // len(_REPLY)} of {COMMANDS} commands are answered")
        if readable:
            data = connection.recv(_CHUNK_BYTES)
            if not data:
                raise ConnectionError("the server hung up")
            heard += len(data)
            yield heard // len(_REPLY)
        if writable:
            sent += connection.send(encoded[sent : sent + _CHUNK_BYTES])


class GreedyClient:
    """The process, and how far it has come."""

    def __init__(self, process: subprocess.Popen[bytes], output: IO[bytes]) -> None:
        self._process = process
        self._output = output

    def answered(self) -> int:
        """Commands answered so far. Raises RuntimeError where the process has ended."""
        if self._process.poll() is not None:
            raise RuntimeError(f"the greedy client ended with {self._process.returncode}")
        return int(os.pread(self._output.fileno(), 20, 0) or b"0")


@contextmanager
def greedy_client(port: int) -> Iterator[GreedyClient]:
    """A greedy client of `port` while the block runs."""
    command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "tests.perf.greedy", str(port)]
    with (
        tempfile.TemporaryFile() as output,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output) as process,
    ):
        try:
            yield GreedyClient(process, output)
        finally:
            process.kill()


if __name__ == "__main__":
    main(int(sys.argv[1]))
