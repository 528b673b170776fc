"""Fixed work for three simulated nodes: ``python tests/perf/fixed_work.py WORK ROUNDS``, of whichever build.

`tests.perf.instructions` runs it under valgrind, with ``PYTHONPATH`` set to the tree whose nodes it is to
drive: it uses of that tree only what has long been there. Requests are bytes made here, so that what a
build's own client costs is not in it. What the real host costs (sockets, threads) is not either.
"""

import gc
import logging
import sys
from collections.abc import Callable
from typing import Any

import structlog
import trio

from tests.node.simcluster import SimCluster, run_cluster

CLIENTS = 50
PIPELINE = 16
ROUNDS_OF_KEYS = 2
"""A client has other keys in as many rounds; from then on it overwrites."""
VALUE = b"v" * 64


def encoded(*words: bytes) -> bytes:
    """A command as Redis' clients send it."""
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def write(key: bytes) -> bytes:
    """A SET."""
    return encoded(b"SET", key, VALUE)


def read(key: bytes) -> bytes:
    """A GET of a key that is not there."""
    return encoded(b"GET", key)


class Work:
    """What every client does in a round, and what it is answered."""

    def __init__(
        self,
        request: Callable[[bytes], bytes],
        reply: bytes,
        *,
        depth: int = 1,
        everywhere: bool = False,
        **settings: Any,
    ) -> None:
        self.request = request
        self.depth = depth
        self.replies = reply * depth
        self.everywhere = everywhere
        """Over all three nodes rather than the leader alone."""
        self.settings = settings

    def of(self, client: int, round_: int) -> bytes:
        """What that client sends in that round."""
        keys = (b"key:%d:%d:%d" % (client, round_ % ROUNDS_OF_KEYS, number) for number in range(self.depth))
        return b"".join(self.request(key) for key in keys)


WORKS = {
    "SET": Work(write, b"+OK\r\n"),
    "SET, 16 in a pipeline": Work(write, b"+OK\r\n", depth=PIPELINE),
    "GET": Work(read, b"$-1\r\n"),
    "GET, 16 in a pipeline": Work(read, b"$-1\r\n", depth=PIPELINE),
    "SET over three nodes": Work(write, b"+OK\r\n", everywhere=True),
    "GET over three nodes": Work(read, b"$-1\r\n", everywhere=True),
    "GET, reads=lease": Work(read, b"$-1\r\n", reads="lease"),
}


async def _talk(stream: trio.abc.Stream, work: Work, client: int, rounds: int) -> None:
    for number in range(rounds):
        await stream.send_all(work.of(client, number))
        told = b""
        while len(told) < len(work.replies):
            told += await stream.receive_some(65536)
        assert told == work.replies, told


def do(work: Work, rounds: int) -> None:
    """Found a cluster and let all clients do `work`, `rounds` times each."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start()
        leader = await cluster.leader()
        nodes = (1, 2, 3) if work.everywhere else (leader,)
        clients = [await cluster.connect(nodes[number % len(nodes)]) for number in range(CLIENTS)]
        async with trio.open_nursery() as nursery:
            for number, client in enumerate(clients):
                nursery.start_soon(_talk, client.stream, work, number, rounds)

    run_cluster(scenario, **work.settings)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    gc.disable()  # when it runs depends on what was allocated before
    do(WORKS[sys.argv[1]], int(sys.argv[2]))
