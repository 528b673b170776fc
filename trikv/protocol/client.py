"""The client side of the wire: bytes in, requests out, in the dialect each command's first byte chooses."""

from collections import deque

from trikv.protocol.arrays import ArrayReader, plain_fits, split_requests
from trikv.protocol.events import (
    NEED_DATA,
    Answer,
    BadBytes,
    ClientEvent,
    EmptyLine,
    EndOfInput,
    HttpRefused,
    Interrupted,
    NeedData,
    Request,
    WireLimits,
)
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


class ClientWire:
    """Turns the bytes of one connection into events.

    Call `receive` with what the socket brought, then `next_event` until it gives `NEED_DATA`. After a fatal
    `BadBytes` or an `HttpRefused` nothing more is read: all that follows is dropped and `NEED_DATA` is the
    only outcome, so nothing behind a bad byte is ever executed.

    Held memory is at most one unfinished request (`WireLimits`) and what was received since the last
    `NEED_DATA`.
    """

    def __init__(self, limits: WireLimits = _DEFAULT_LIMITS) -> None:
        self.authenticated = True
        """False while a password is demanded and not yet given: Redis' tight limits hold. It is looked at
        for each request, so what is pipelined behind a successful AUTH already has the wide limits."""
        self._buffer = bytearray()
        self._arrays = ArrayReader(limits)
        self._lines = LineReader(limits)
        self._plain_fits = plain_fits(limits)
        self._split_untried = False
        self._ready: deque[Request] = deque()
        self._ready_bytes = 0
        self._over = False

    @property
    def buffered_bytes(self) -> int:
        """Bytes held for this client.

        Unread ones, those of an unfinished request, and parsed requests not yet taken (counted until the
        last of them is).
        """
        return len(self._buffer) + self._arrays.held_bytes + self._lines.held_bytes + self._ready_bytes

    def receive(self, data: bytes) -> None:
        """Take `data`, which came after all that was received before."""
        if not self._over:
            self._buffer += data
            self._split_untried = True

    def next_event(self) -> ClientEvent | NeedData:
        """The next event in the order of the bytes, or `NEED_DATA`. Never raises, whatever was received."""
        if self._ready:
            request = self._ready.popleft()
            if not self._ready:
                self._ready_bytes = 0
            return request
        event: ClientEvent | bool
        while self._buffer:
            if self._arrays.busy or (self._buffer[0] == _ARRAY and not self._lines.busy):
                event = self._next_array()
            else:
                event = self._lines.read(self._buffer)
            if isinstance(event, bool):
                if event:
                    continue
                return NEED_DATA
            if isinstance(event, HttpRefused) or (isinstance(event, BadBytes) and event.fatal):
                self._over = True
                self._buffer.clear()
            return event
        return NEED_DATA

    def _next_array(self) -> Request | BadBytes | bool:
        # One split for each `receive`, not for each request: it goes over all that is buffered, and a client
        # whose every request stops it early would otherwise make the work quadratic.
        if self._split_untried and self._plain_fits and self.authenticated and not self._arrays.busy:
            self._split_untried = False
            requests, used = split_requests(bytes(self._buffer))
            if requests:
                del self._buffer[:used]
                first = requests[0]
                if len(requests) > 1:
                    self._ready.extend(requests)
                    self._ready.popleft()
                    self._ready_bytes = used
                return first
        return self._arrays.read(self._buffer, authenticated=self.authenticated)
