"""The load: every connection asks again when it is answered. Written to cost less than what it measures.

One thread, one epoll, requests encoded before the clock starts. A reply that is byte for byte the expected
one (nearly all are: keys are filled in beforehand, so that a GET always finds 64 bytes) is counted without
being parsed, and so is one that comes in pieces; only what differs goes through a reader. What is left is
the kernel's send and recv.

The loop is closed: a connection that waits asks nothing. So throughputs are comparable and the worst
latency is seen once for every connection that waited, but percentiles of an overloaded server look better
than they are; `trikv bench --rate` is the tool for those.
"""

import gc
import random
import select
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import attrs

from tests.perf.operations import OPERATIONS
from trikv.client.commands import encode_command
from trikv.client.replies import NEED_DATA, ErrorReply, new_reader

_PREPARED = 20_000
"""Commands made beforehand; sent in turn."""
_PREPARED_ONCE = 400_000
"""As many if none may come again: what Redis does in two seconds."""
_RECEIVE_BYTES = 16_384
_RECEIVE_BYTES_MAX = 65_536
_WAIT_MS = b"1000"
"""A WAIT that takes a second has failed; it is counted and makes the row void."""


@attrs.frozen
class Work:
    """What is asked: `depth` commands in one write, by each of `connections`."""

    operation: str
    """One of `tests.perf.operations.OPERATIONS`."""
    connections: int
    depth: int = 1
    wait: bool = False
    """Close each write with ``WAIT 1``: the reply counts when one replica has it too (Redis)."""


@attrs.frozen
class Outcome:
    """What a run gave. Latencies are milliseconds from a request's send to its last reply."""

    answered: int
    """Commands; a WAIT is none."""
    rate: float
    """Commands answered a second."""
    p50_ms: float
    p99_ms: float
    worst_ms: float
    worst_at_s: float
    """When the worst one was answered, in seconds since the start."""
    errors: int
    first_error: str
    missed_waits: int
    """WAITs which said that no replica had the write in time."""
    generator_cpu: float
    """Processor time of this process over the run's; near 1 the generator was the limit."""


class _Link:
    """One connection, and what has come of the replies it waits for."""

    __slots__ = ("asked_at", "count", "parsing", "pieces", "reader", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.reader = new_reader()
        self.parsing = False
        """An answer has come, whole or in part, that is not the expected one: the reader has it."""
        self.pieces = b""
        """The beginning of the expected answer, if it came in pieces."""
        self.count = 0
        """Its replies so far."""
        self.asked_at = 0.0


def requests_of(work: Work, seed: int = 1) -> list[bytes]:
    """Encoded requests for `work`, random keys."""
    draw = random.Random(seed)
    operation = OPERATIONS[work.operation]

    def command() -> bytes:
        return encode_command(operation.command(draw))

    end = encode_command((b"WAIT", b"1", _WAIT_MS)) if work.wait else b""
    commands = _PREPARED_ONCE if operation.once else _PREPARED
    return [b"".join(command() for _ in range(work.depth)) + end for _ in range(commands // work.depth + 1)]


class Load:
    """One run: `run` returns its outcome. Every port gets its equal share of the connections.

    A context manager: it connects, and closes at the end. Raises ConnectionError where a server hangs up.
    """

    def __init__(self, ports: Sequence[int], work: Work) -> None:
        self._work = work
        self._ports = ports
        self._requests = requests_of(work)
        self._next = 0
        operation = OPERATIONS[work.operation]
        replies = operation.reply * work.depth
        ends = (b":1\r\n", b":2\r\n") if work.wait else (b"",)
        self._expected = frozenset(replies + end for end in ends if replies)
        """Empty if replies differ."""
        self._beginning = replies
        self._receive_bytes = min(max(len(replies), _RECEIVE_BYTES), _RECEIVE_BYTES_MAX)
        self._takes = operation.takes
        self._replies = work.depth + work.wait
        self._links: dict[int, _Link] = {}
        self._samples: list[tuple[float, float]] = []
        """(when answered, after how long), in seconds."""
        self._errors = 0
        self._first_error = ""
        self._missed_waits = 0

    def __enter__(self) -> Self:
        try:
            for number in range(self._work.connections):
                link = _Link(self._ports[number % len(self._ports)])
                self._links[link.socket.fileno()] = link
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        for link in self._links.values():
            link.socket.close()

    def run(self, seconds: float) -> Outcome:
        """Drive for `seconds`, or little more. Raises ConnectionError where a server hangs up."""
        with select.epoll() as epoll, _no_collector():
            for link in self._links.values():
                epoll.register(link.socket, select.EPOLLIN)
            return self._drive(epoll, seconds)

    def _drive(self, epoll: select.epoll, seconds: float) -> Outcome:
        clock, links = time.perf_counter, self._links
        cpu = time.process_time()
        start = now = clock()
        for link in links.values():
            self._ask(link, now)
        end = start + seconds
        while now < end:
            for descriptor, _ in epoll.poll(0.2):
                self._hear(links[descriptor])
            now = clock()
        return self._outcome(start, now - start, time.process_time() - cpu)

    def _ask(self, link: _Link, now: float) -> None:
        request = self._requests[self._next]
        self._next = (self._next + 1) % len(self._requests)
        link.asked_at = now
        if link.socket.send(request) != len(request):
            raise BufferError("a request did not fit the socket's buffer: too deep a pipeline")

    def _hear(self, link: _Link) -> None:
        data = link.socket.recv(self._receive_bytes)
        if link.pieces and data:
            data = link.pieces + data
            link.pieces = b""
        if link.parsing or data not in self._expected:
            if data and not link.parsing and self._beginning.startswith(data):
                link.pieces = data
                return
            link.parsing = not self._parse(link, data)
            if link.parsing:
                return
        now = time.perf_counter()
        self._samples.append((now, now - link.asked_at))
        self._ask(link, now)

    def _parse(self, link: _Link, data: bytes) -> bool:
        """The slow way: replies that differ, an error, a WAIT in vain. True when the last reply is in."""
        if not data:
            raise ConnectionError("the server hung up")
        link.reader.feed(data)
        while (reply := link.reader.gets()) is not NEED_DATA:
            link.count += 1
            if isinstance(reply, ErrorReply):
                self._errors += 1
                self._first_error = self._first_error or str(reply)
            elif self._work.wait and link.count == self._replies:
                self._missed_waits += reply == 0
            elif self._takes and not reply:
                self._errors += 1
                self._first_error = self._first_error or "the collection is empty: nothing was taken"
        if link.count < self._replies:
            return False
        link.count = 0
        return True

    def _outcome(self, start: float, seconds: float, cpu_s: float) -> Outcome:
        latencies = sorted(latency for _, latency in self._samples)
        worst_at, worst = max(self._samples, key=lambda sample: sample[1], default=(start, float("nan")))
        answered = len(latencies) * self._work.depth
        if OPERATIONS[self._work.operation].once and len(latencies) > len(self._requests):
            self._errors += 1
            self._first_error = (
                self._first_error or "requests came again, which change nothing: drive for less"
            )
        return Outcome(
            answered=answered,
            rate=answered / seconds,
            p50_ms=1e3 * quantile(latencies, 0.5),
            p99_ms=1e3 * quantile(latencies, 0.99),
            worst_ms=1e3 * worst,
            worst_at_s=worst_at - start,
            errors=self._errors,
            first_error=self._first_error,
            missed_waits=self._missed_waits,
            generator_cpu=cpu_s / seconds,
        )


def quantile(ordered: Sequence[float], part: float) -> float:
    """The value at `part` (0 to 1) of an ordered sequence; NaN of nothing."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else float("nan")


@contextmanager
def _no_collector() -> Iterator[None]:
    """Keep the generator's own cyclic collector out of the latencies."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
