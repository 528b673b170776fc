"""Bytes to replies, for tests of `trikv.protocol.resp`: its reverse, exact for every kind of reply.

The reader of our clients (`trikv.client`) gives the same bytes for ``+OK`` and for a value OK, and the same
list for an array and a set.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec

from trikv.machine.replies import CommandError, Reply, SimpleString, Verbatim
from trikv.protocol.arrays import parse_int
from trikv.protocol.events import NEED_DATA, NeedData

NESTING_MAX: Final = 32
"""Deeper replies are refused; trikv's own nest four deep (COMMAND)."""
LINE_BYTES_MAX: Final = 64 * 1024


class ReplyProtocolError(Exception):
    """A server's bytes are no replies. The text says what is wrong with them."""


class Push(msgspec.Struct, frozen=True):
    """Something the server said unasked (RESP3)."""

    kind: str
    values: list[Reply]


ServerEvent: TypeAlias = Reply | Push


class _Aggregate(msgspec.Struct):
    """An array, set, map or push of which elements are missing."""

    mark: int
    missing: int
    elements: list[Reply]


_STATUS, _ERROR, _BULK, _VERBATIM = b"+-$="
_ARRAY, _SET, _MAP, _PUSH = b"*~%>"


class ReplyReader:
    """Call `receive` with what the server sent, then `next_reply` until it gives NEED_DATA.

    Linear in the bytes, however they are cut. `reply_bytes_max` bounds one bulk string.
    """

    def __init__(self, reply_bytes_max: int = 64 * 1024 * 1024) -> None:
        self._reply_bytes_max = reply_bytes_max
        self._buffer = bytearray()
        self._open: list[_Aggregate] = []

    def receive(self, data: bytes) -> None:
        """Take `data`, which came after all that was received before."""
        self._buffer += data

    def next_reply(self) -> ServerEvent | NeedData:
        """The next whole reply or push, or NEED_DATA. Raises ReplyProtocolError: close the connection."""
        while True:
            value = self._next_value()
            if value is NEED_DATA or isinstance(value, Push):
                return value
            if isinstance(value, _Aggregate):
                if value.missing:
                    if len(self._open) == NESTING_MAX:
                        raise ReplyProtocolError(f"replies nested deeper than {NESTING_MAX}")
                    self._open.append(value)
                    continue
                value = _close(value)
            while self._open and not isinstance(value, Push):
                parent = self._open[-1]
                parent.elements.append(value)
                parent.missing -= 1
                if parent.missing:
                    break
                value = _close(self._open.pop())
            else:
                return value

    def _next_value(self) -> Reply | Push | _Aggregate | NeedData:
        end = self._buffer.find(b"\r\n", 0, LINE_BYTES_MAX)
        if end < 0:
            if len(self._buffer) >= LINE_BYTES_MAX:
                raise ReplyProtocolError(f"a line of more than {LINE_BYTES_MAX} bytes")
            return NEED_DATA
        mark = self._buffer[0]
        body = bytes(self._buffer[1:end])
        if mark in b"$=!":
            return self._next_bulk(mark, body, end + 2)
        del self._buffer[: end + 2]
        if mark in b"*~%>":
            count = _number(body)
            if count == -1 and mark == _ARRAY:
                return None
            if count < 0 or (mark == _PUSH and (count == 0 or self._open)):
                raise ReplyProtocolError(f"impossible count {count}")
            return _Aggregate(mark, count * 2 if mark == _MAP else count, [])
        simple = _SIMPLE.get(mark)
        if simple is None:
            raise ReplyProtocolError(f"unknown type {bytes([mark])!r}")
        return simple(body)

    def _next_bulk(self, mark: int, body: bytes, start: int) -> Reply | NeedData:
        length = _number(body)
        if not -1 <= length <= self._reply_bytes_max:
            raise ReplyProtocolError(f"impossible length {length}")
        end = start + max(length, 0)
        if length >= 0 and len(self._buffer) < end + 2:
            return NEED_DATA
        text = bytes(self._buffer[start:end])
        del self._buffer[: end + 2 if length >= 0 else start]
        if length < 0:
            return None
        if mark == _BULK:
            return text
        if mark == _VERBATIM:
            return Verbatim(text[4:], text[:3].decode("utf-8", "replace"))
        return CommandError(_text(text))


def _text(body: bytes) -> str:
    return body.decode("utf-8", "surrogateescape")


def _number(body: bytes) -> int:
    number = parse_int(body)
    if number is None:
        raise ReplyProtocolError(f"{body[:40]!r} is no number")
    return number


def _double(body: bytes) -> float:
    try:
        return float(body)
    except ValueError:
        raise ReplyProtocolError(f"{body[:40]!r} is no number") from None


_SIMPLE: Final[dict[int, Callable[[bytes], Reply]]] = {
    _STATUS: lambda body: SimpleString(_text(body)),
    _ERROR: lambda body: CommandError(_text(body)),
    ord(":"): _number,
    ord("_"): lambda _: None,
    ord("#"): lambda body: body == b"t",
    ord(","): _double,
}


def _close(aggregate: _Aggregate) -> Reply | Push:
    """What a complete aggregate means."""
    elements = aggregate.elements
    if aggregate.mark == _ARRAY:
        return elements
    if aggregate.mark == _SET:
        return tuple(elements)
    if aggregate.mark == _PUSH:
        kind = elements[0]
        if not isinstance(kind, bytes):
            raise ReplyProtocolError("a push without a name")
        return Push(_text(kind), elements[1:])
    try:
        return dict(zip(elements[::2], elements[1::2], strict=True))
    except TypeError:
        raise ReplyProtocolError("a map whose key is no plain value") from None
