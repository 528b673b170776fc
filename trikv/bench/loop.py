"""The epoll loop: all ready links are served in one wake-up, in one thread.

`_read` is the hot path, one call for each batch of replies; rare events (connecting, half-sent batches,
time-outs, losses) are kept out of it.
"""

import select
import socket
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, assert_never

from trikv.bench.ledger import Ledger
from trikv.bench.link import Link, State
from trikv.bench.nodes import Node, choose
from trikv.bench.options import Options
from trikv.bench.tally import Tally
from trikv.bench.workload import Batch, Source
from trikv.client import login
from trikv.client.commands import encode_command
from trikv.client.errors import GarbledError
from trikv.client.replies import NEED_DATA, ErrorReply

_TICK_NS: Final = 10_000_000
"""How often rare conditions are checked: nodes to try again, the end of the run."""
_SWEEP_NS: Final = 250_000_000
"""How often time-outs are checked and progress is shown."""
_OPEN_NS_MAX: Final = 3_000_000_000
"""The clock starts when every link is open or this has passed."""
_CONNECT_NS_MAX: Final = 2_000_000_000
_STOP_NS_MAX: Final = 2_000_000_000
"""How long a run stopped by hand waits for the replies under way."""
_RECEIVE_BYTES: Final = 16_384
"""Python allocates this much for every recv: with 64 KiB a command would cost a tenth more client time."""

REFUSALS: Final = frozenset(
    {"ERR", "OOM", "CLUSTERDOWN", "LOADING", "NOAUTH", "NOPERM", "WRONGTYPE"}
    | {"BUSY", "READONLY", "MISCONF", "MASTERDOWN", "NOREPLICAS"}
)
"""Error codes that mean that the command did not happen. Any other (INDETERMINATE!) leaves it in doubt."""


class NothingAnswers(Exception):  # noqa: N818 - the sentence it is
    """No node could be connected to at the start."""


class Loop:
    """One run. `run` returns when it is over; `stop` ends it early, from a signal handler too."""

    def __init__(
        self,
        options: Options,
        nodes: list[Node],
        source: Source,
        *,
        ledger: Ledger | None = None,
        progress: Callable[[Tally, float], None] | None = None,
    ) -> None:
        self.tally = Tally()
        self._options = options
        self._nodes = nodes
        self._source = source
        self._ledger = ledger
        self._progress = progress
        # Opened first, so that its descriptor is small enough for select(), see _wait.
        self._epoll = select.epoll()
        self._links: dict[int, Link] = {}
        self._waiting = [Link(owner) for owner in range(options.connections)]
        self._idle: OrderedDict[Link, None] = OrderedDict()
        self._opening = True
        self._running = False
        self._stopped = False
        self._left = float("inf") if options.requests is None else options.requests
        self._interval_ns = 0.0 if options.rate is None else options.pipeline * 1e9 / options.rate
        self._batches = 0
        self._start_ns = self._end_ns = self._reply_ns = self._alive_ns = 0
        self._tick_ns = self._sweep_ns = 0

    def stop(self) -> None:
        """End the run soon, as if its time were up."""
        self._stopped = True

    def run(self) -> Tally:
        """Open every link, load the nodes, wait for the last replies. Raises NothingAnswers."""
        try:
            self._open()
            self._load()
            self._drain()
        finally:
            for link in [*self._links.values()]:
                self._lose(link)
            self._epoll.close()
        self.tally.elapsed_ns = max(self._reply_ns - self._start_ns, 1)
        return self.tally

    # The three parts of a run

    def _open(self) -> None:
        deadline_ns = time.perf_counter_ns() + _OPEN_NS_MAX
        while len(self._idle) < self._options.connections and time.perf_counter_ns() < deadline_ns:
            self._step()
            if self._stopped:
                break
        self._opening = False
        if not self._idle and self._stopped:
            raise NothingAnswers("stopped before a connection was open")
        if not self._idle:
            raise NothingAnswers(f"no node answers at {', '.join(str(node.address) for node in self._nodes)}")

    def _load(self) -> None:
        self._start_ns = self._reply_ns = self._alive_ns = now = time.perf_counter_ns()
        seconds = self._options.seconds
        self._end_ns = now + int(seconds * 1e9) if seconds is not None else 1 << 63
        self._running = True
        if not self._interval_ns:
            for link in [*self._idle]:
                if self._left > 0:
                    self._dispatch(link, now)
        while self._left > 0 and now < self._end_ns and not self._stopped and not self.tally.gave_up:
            if self._interval_ns:
                self._dispatch_due(now)
            self._step()
            now = time.perf_counter_ns()
        self._running = False
        if self._interval_ns and seconds is not None and not self._stopped:
            due = int((self._end_ns - 1 - self._start_ns) / self._interval_ns) + 1
            self.tally.unsent = max(0, due - self._batches) * self._options.pipeline

    def _drain(self) -> None:
        patience_ns = _STOP_NS_MAX if self._stopped else int(self._options.reply_timeout_s * 1e9)
        deadline_ns = time.perf_counter_ns() + patience_ns
        while (
            any(link.state is State.BUSY for link in self._links.values())
            and time.perf_counter_ns() < deadline_ns
        ):
            self._step()
            if self._stopped:
                deadline_ns = min(deadline_ns, time.perf_counter_ns() + _STOP_NS_MAX)

    # One wake-up

    def _step(self) -> None:
        links = self._links
        for file, events in self._wait():
            link = links.get(file)
            if link is None:
                continue  # lost while an earlier event of this wake-up was served
            if events == select.EPOLLIN and link.state is State.BUSY:
                self._read(link)
            else:
                self._serve_rare(link, events)
        now = time.perf_counter_ns()
        if now >= self._tick_ns:
            self._tick_ns = now + _TICK_NS
            self._tick(now)

    def _wait(self) -> list[tuple[int, int]]:
        if not (self._interval_ns and self._running and self._idle):
            return self._epoll.poll(_TICK_NS / 1e9)
        # epoll waits in whole milliseconds, select() in microseconds, and select() works on an epoll: so a
        # schedule of thousands per second is kept without spinning.
        if events := self._epoll.poll(0):
            return events
        wait_ns = min(self._next_due_ns() - time.perf_counter_ns(), _TICK_NS)
        if wait_ns > 0:
            select.select([self._epoll], [], [], wait_ns / 1e9)
        return self._epoll.poll(0)

    def _read(self, link: Link) -> None:
        sock, batch = link.socket, link.batch
        assert sock is not None
        assert batch is not None
        try:
            data = sock.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lose(link)
            return
        ledger, gets, count = self._ledger, link.reader.gets, batch.count
        before = position = link.position
        garbled = False
        try:
            link.reader.feed(data)
            while position < count and (reply := gets()) is not NEED_DATA:
                if type(reply) is ErrorReply:
                    self._refused(link, position, reply)
                elif ledger is not None and (change := batch.changes[position]) is not None:
                    ledger.acknowledge(change, reply)
                position += 1
        except GarbledError:
            garbled = True
        link.position = position
        if position > before:
            self._reply_ns = now = time.perf_counter_ns()
            self.tally.latency_ns.record(now - link.due_ns, position - before)
            self.tally.answered += position - before
        if garbled:
            self._lose(link)
        elif position == count:
            self._finish(link)

    def _finish(self, link: Link) -> None:
        batch, node = link.batch, link.node
        assert batch is not None
        assert node is not None
        self.tally.answered_writes += batch.write_count
        link.batch = None
        if not link.served:
            link.served = True
            node.served()
        if link.reader.has_data():
            self._lose(link)  # a reply to no command: it could be taken for the next command's
        elif self._running and not self._interval_ns and self._left > 0:
            self._dispatch(link, self._reply_ns)
        else:
            self._rest(link)

    def _refused(self, link: Link, position: int, error: ErrorReply) -> None:
        batch = link.batch
        assert batch is not None
        code = error.code
        self.tally.errors[code] += 1
        # The whole batch is counted as answered at once, so this reply must be taken out again.
        self.tally.answered -= 1
        self.tally.answered_writes -= batch.writes[position]
        if (
            code not in REFUSALS
            and self._ledger is not None
            and (change := batch.changes[position]) is not None
        ):
            self._ledger.doubt(change)

    # Sending

    def _rest(self, link: Link) -> None:
        link.enter(State.IDLE, self._reply_ns)
        self._idle[link] = None

    def _next_due_ns(self) -> int:
        return self._start_ns + int(self._batches * self._interval_ns)

    def _dispatch_due(self, now_ns: int) -> None:
        while (
            self._idle and self._left > 0 and (due_ns := self._next_due_ns()) <= min(now_ns, self._end_ns - 1)
        ):
            self._dispatch(next(iter(self._idle)), due_ns)

    def _dispatch(self, link: Link, due_ns: int) -> None:
        """Send the next batch, due at `due_ns`, on an idle link, or on one whose batch has just ended."""
        assert link.socket is not None
        if link.state is State.IDLE:
            del self._idle[link]
        batch = self._source.next_batch(link.owner)
        link.batch, link.position, link.due_ns = batch, 0, due_ns
        # In an open loop `due_ns` may be long past: the latency counts from it, but the time-out from now.
        link.enter(State.BUSY, due_ns if not self._interval_ns else time.perf_counter_ns())
        self._batches += 1
        self._left -= batch.count
        self.tally.sent += batch.count
        self._send(link, batch.data)

    def _send(self, link: Link, data: bytes | memoryview) -> None:
        assert link.socket is not None
        try:
            taken = link.socket.send(data)
        except BlockingIOError:
            taken = 0
        except OSError:
            self._lose(link)
            return
        if taken < len(data):
            if link.unsent is None:
                self._epoll.modify(link.socket.fileno(), select.EPOLLIN | select.EPOLLOUT)
            link.unsent = memoryview(data)[taken:]
        elif link.unsent is not None:
            link.unsent = None
            self._epoll.modify(link.socket.fileno(), select.EPOLLIN)

    # What is rare

    def _serve_rare(self, link: Link, events: int) -> None:
        """Serve an event that is not simply "replies came"."""
        match link.state:
            case State.CONNECTING:
                self._connected(link)
            case State.GREETING:
                self._greeted(link)
            case State.BUSY:
                if events & select.EPOLLOUT and link.unsent is not None:
                    self._send(link, link.unsent)
                # The connection may be lost by now, with its batch; then there is nothing to read either.
                if events & ~select.EPOLLOUT and link.state is State.BUSY:
                    self._read(link)
            case State.IDLE:
                self._lose(link)  # no reply is owed, so this event is an end or an error
            case State.WAITING:
                raise AssertionError("a link without a socket has no events")
            case _:
                assert_never(link.state)

    def _connected(self, link: Link) -> None:
        assert link.socket is not None
        if link.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._lose(link)
            return
        self._epoll.modify(link.socket.fileno(), select.EPOLLIN)
        if self._options.password is None:
            self._opened(link)
        else:
            link.enter(State.GREETING, time.perf_counter_ns())
            self._send(link, encode_command(login.question(self._options.password)))

    def _greeted(self, link: Link) -> None:
        assert link.socket is not None
        try:
            data = link.socket.recv(_RECEIVE_BYTES)
            link.reader.feed(data)
            reply = link.reader.gets()
        except OSError:  # including GarbledError: bytes that are no reply
            data, reply = b"", None
        refused = login.is_refusal(reply)
        if refused:
            self.tally.errors[reply.code] += 1
        if not data or refused:
            self._lose(link)
        elif reply is not NEED_DATA:
            self._opened(link)

    def _opened(self, link: Link) -> None:
        self.tally.reconnects += link.was_lost and not self._opening
        link.was_lost = False
        self._rest(link)
        if self._running and not self._interval_ns and self._left > 0:
            self._dispatch(link, time.perf_counter_ns())

    def _lose(self, link: Link) -> None:
        """Drop a link's connection, account for what it had under way, and let it try again."""
        assert link.node is not None
        assert link.socket is not None
        del self._links[link.socket.fileno()]
        self._idle.pop(link, None)
        if link.batch is not None:
            self._account_lost(link.batch, link.position)
        link.node.failed(time.perf_counter_ns())
        link.close()
        self._waiting.append(link)

    def _account_lost(self, batch: Batch, position: int) -> None:
        self.tally.answered_writes += sum(batch.writes[:position])
        for index in range(position, batch.count):
            if not batch.writes[index]:
                self.tally.unread += 1
                continue
            self.tally.unknown_writes += 1
            if self._ledger is not None and (change := batch.changes[index]) is not None:
                self._ledger.doubt(change)

    def _tick(self, now_ns: int) -> None:
        if self._running or self._opening:
            self._reopen(now_ns)
        if now_ns < self._sweep_ns:
            return
        self._sweep_ns = now_ns + _SWEEP_NS
        reply_ns_max = int(self._options.reply_timeout_s * 1e9)
        for link in [*self._links.values()]:
            limit_ns = _CONNECT_NS_MAX if link.state is State.CONNECTING else reply_ns_max
            if link.state is not State.IDLE and now_ns - link.since_ns > limit_ns:
                self._lose(link)
        if self._running:
            if any(link.state in {State.IDLE, State.BUSY} for link in self._links.values()):
                self._alive_ns = now_ns
            self.tally.gave_up = now_ns - self._alive_ns > self._options.give_up_s * 1e9
            if self._progress is not None:
                self._progress(self.tally, (now_ns - self._start_ns) / 1e9)

    def _reopen(self, now_ns: int) -> None:
        while self._waiting and (node := choose(self._nodes, now_ns)) is not None:
            link = self._waiting.pop()
            self._links[link.open(node, self._epoll, now_ns)] = link
