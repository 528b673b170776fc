"""Ports for real nodes, found without a race between tests that run at once."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from trikv.torture.ports import Claim

PEER_PORT_OFFSET = 10_000
_LOWEST = 20_000
_HIGHEST = 22_700
"""Client ports; with the offset still below 32768, where Linux begins to hand out ports by itself."""


class PortBlock:
    """`count` ports from `first` on and their peer ports, ours until released.

    A lock file keeps other test processes away from the block; a trial bind shows that no stranger is there.
    """

    def __init__(self, count: int = 3) -> None:
        self._claimed: Claim | None = None
        self.first = self._claim(count)

    def _claim(self, count: int) -> int:
        span = (_HIGHEST - _LOWEST) // 10
        for attempt in range(span):
            first = _LOWEST + 10 * ((os.getpid() + attempt) % span)
            claimed = Claim.take(f"trikv-test-ports-{first}")
            if claimed is None:
                continue
            if all(_free(first + step + offset) for step in range(count) for offset in (0, PEER_PORT_OFFSET)):
                self._claimed = claimed
                return first
            claimed.release()
        raise RuntimeError("no free block of ports")

    def release(self) -> None:
        """Let others have them."""
        if self._claimed is not None:
            self._claimed.release()
            self._claimed = None


@contextmanager
def unanswered_port() -> Iterator[int]:
    """A port at which connections are refused, ours until the end: nobody else can come to listen there."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield int(bound.getsockname()[1])


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
