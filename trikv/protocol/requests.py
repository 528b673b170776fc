"""The client side of the wire: bytes in, requests out, in the dialect of a person or of a program."""

from collections import deque
from itertools import islice
from typing import Final

from trikv.protocol.arrays import ArrayReader, plain_fits, split_requests, split_single
from trikv.protocol.events import (
    NEED_DATA,
    Answer,
    Args,
    BadBytes,
    ClientEvent,
    EmptyLine,
    EndOfInput,
    HttpRefused,
    Interrupted,
    NeedData,
    Request,
    WireLimits,
    memory_of,
)
from trikv.protocol.lines import ProgramLines
from trikv.protocol.telnet import LineReader

__all__ = [
    "NEED_DATA",
    "Answer",
    "BadBytes",
    "ClientEvent",
    "ClientWire",
    "EmptyLine",
    "EndOfInput",
    "HttpRefused",
    "Interrupted",
    "NeedData",
    "Request",
    "WireLimits",
]

_ARRAY = 0x2A  # "*"
_DEFAULT_LIMITS = WireLimits()
_ALL: Final = 1 << 62
"""Stands for "no limit": more requests than any chunk can hold."""


class ClientWire:
    """Turns the bytes of one connection into events.

    Call `receive` with what the socket brought, then `next_event` until it gives `NEED_DATA`. After a fatal
    `BadBytes` or an `HttpRefused` nothing more is read: all that follows is dropped and `NEED_DATA` is the
    only outcome, so nothing behind a bad byte is ever executed.

    A fast caller asks for a `run` before each event. Whole plain arrays, which are nearly all there is, then
    come out of a received chunk by one call, without a buffer between and without an event for each.

    Held memory is at most one unfinished request (`WireLimits`) and what was received since the last
    `NEED_DATA`.
    """

    def __init__(self, limits: WireLimits = _DEFAULT_LIMITS) -> None:
        self.authenticated = True
        """False while a password is demanded and not yet given: Redis' tight limits hold. It is read for each
        request, so a request that is pipelined behind a successful AUTH already has the wide limits."""
        self.typed: bool | None = None
        """What is at the other end. None: nothing has come yet. True: a person, because only lines have come.
        False: a program, from the first ``*`` that opened a command until the connection ends."""
        self.drained = True
        """Whether it is known that the next event would be `NEED_DATA`."""
        self._fresh = b""
        """A chunk that came while nothing else was held, and has not been parsed yet."""
        self._ready: deque[Args] = deque()
        """Parsed requests not yet taken; they go before `_buffer`."""
        self._ready_bytes = 0
        self._ready_memory_bytes = 0
        """`memory_of` all of them. It is kept and not computed, because it is asked for with each piece that
        is taken: to count the rest each time would make a long pipeline quadratic."""
        self._buffer = bytearray()
        self.unfinished = False
        """Whether `_buffer`, or one of the readers that take from it, holds something: when `drained`, the
        beginning of a request."""
        self._split_untried = False
        self._limits = limits
        self._arrays = ArrayReader(limits)
        self._lines = LineReader(limits)
        self._program_lines = ProgramLines(limits)
        self._plain_fits = plain_fits(limits)
        self._over = False

    @property
    def buffered_bytes(self) -> int:
        """Bytes held for this client.

        These are unread bytes, those of an unfinished request, and parsed requests not yet taken (counted
        until the last of them is).
        """
        if self.drained and not self.unfinished:  # most connections are like this when all are counted
            return 0
        unread_bytes = len(self._fresh) + len(self._buffer)
        return unread_bytes + self._arrays.held_bytes + self._lines.held_bytes + self._ready_bytes

    @property
    def memory_bytes(self) -> int:
        """What `buffered_bytes` take in memory, with what Python needs besides them."""
        if self.drained and not self.unfinished:
            return 0
        unread_bytes = len(self._fresh) + self._buffer.__alloc__()
        unfinished_bytes = self._arrays.memory_bytes + self._lines.memory_bytes
        return unread_bytes + unfinished_bytes + self._ready_bytes + self._ready_memory_bytes

    def drop(self) -> None:
        """Forget all that is held, and drop all that comes from now on."""
        self._over = self.drained = True
        self.unfinished = False
        self._fresh = b""
        self._buffer.clear()
        self._ready.clear()
        self._ready_bytes = self._ready_memory_bytes = 0
        self._arrays, self._lines = ArrayReader(self._limits), LineReader(self._limits)
        self._program_lines = ProgramLines(self._limits)

    def receive(self, data: bytes) -> None:
        """Take `data`, which came after all that was received before."""
        if self._over:
            return
        self.drained = False
        if self.unfinished or self._fresh or self._ready:
            self._hold(self._fresh + data)
        else:
            self._fresh = data

    def single(self, data: bytes) -> Args | None:
        """Take `data` like `receive`; its arguments, if it is one ordinary request and nothing is held.

        None for anything else: then ask `run` and `next_event`.
        """
        if self.drained and self._plain_fits and self.authenticated and not (self._over or self.unfinished):
            args = split_single(data)
            if args is not None:
                self.typed = False
                return args
        self.receive(data)
        return None

    def run(self, most: int = _ALL) -> tuple[list[Args], int]:
        """Take the plain requests at the front of the input: their arguments, and at most how many bytes.

        All of one chunk come together, unless there are more than `most`; the rest comes with the next call.
        An empty list says only that `next_event` is to be asked.
        """
        if self._fresh and self._plain_fits and self.authenticated:
            fresh, self._fresh = self._fresh, b""
            requests, used = split_requests(fresh)
            if requests:
                self.typed = False
            if used == len(fresh):
                self.drained = True
            else:
                self._hold(fresh[used:])
                self._split_untried = False
            if len(requests) > most:
                self.put_back(requests[most:], used)
                del requests[most:]
            return requests, used
        requests, used = list(islice(self._ready, most)), self._ready_bytes
        if len(requests) < len(self._ready):
            for _ in requests:
                self._ready.popleft()
            self._ready_memory_bytes -= memory_of(requests)
        elif requests:
            self._ready.clear()
            self._ready_bytes = self._ready_memory_bytes = 0
            self.drained = not self.unfinished
        return requests, used

    def put_back(self, requests: list[Args], size: int) -> None:
        """Give back the end of the latest `run`, which had `size` bytes. Of two parts the last goes first."""
        if requests:
            self._ready.extendleft(reversed(requests))
            self._ready_bytes = size
            self._ready_memory_bytes += memory_of(requests)
            self.drained = False

    def next_event(self) -> ClientEvent | NeedData:
        """The next event in the order of the bytes, or `NEED_DATA`. Never raises, whatever was received."""
        if self._ready:
            args = self._ready.popleft()
            self._ready_memory_bytes -= memory_of((args,))
            if not self._ready:
                self._ready_bytes = 0
            return Request(args, False)
        if self._fresh:
            self._hold(self._fresh)
        event: ClientEvent | bool
        while self._buffer:
            if self._arrays.busy or (self._buffer[0] == _ARRAY and not self._lines.busy):
                self.typed = False  # from now on, for good: no `#` line may get between a program's replies
                event = self._next_array()
            elif self.typed is False:
                event = self._program_lines.read(self._buffer)
            else:
                self.typed = True
                event = self._lines.read(self._buffer)
            if isinstance(event, bool):
                if event:
                    continue
                break
            if isinstance(event, HttpRefused) or (isinstance(event, BadBytes) and event.fatal):
                self._over = self.drained = True
                self._buffer.clear()
            return event
        self.drained = True
        self.unfinished = bool(self._buffer) or self._arrays.busy or self._lines.busy
        return NEED_DATA

    def _hold(self, data: bytes) -> None:
        """Append `data`, which is all of `_fresh` or what is left of it, to the careful readers' buffer."""
        self._fresh = b""
        self._buffer += data
        self.unfinished = True
        self._split_untried = True

    def _next_array(self) -> Request | BadBytes | bool:
        # One split for each `receive`, not for each request: it goes over all that is buffered, and a client
        # whose every request stops it early would otherwise make the work quadratic.
        if self._split_untried and self._plain_fits and self.authenticated and not self._arrays.busy:
            self._split_untried = False
            requests, used = split_requests(bytes(self._buffer))
            if requests:
                self._arrays.pass_by(self._buffer, used)
                first = Request(requests[0], False)
                if len(requests) > 1:
                    self._ready.extend(requests[1:])
                    self._ready_bytes, self._ready_memory_bytes = used, memory_of(self._ready)
                return first
        return self._arrays.read(self._buffer, authenticated=self.authenticated)
