"""Replies to bytes, in RESP2 and RESP3.

The mapping from Python values is the table in `trikv.machine.replies`. Source: the Redis protocol
specification; number formats as Redis 7.2 prints them.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, Final, Literal, TypeAlias, assert_never

from trikv.machine.numerics import double_text
from trikv.machine.replies import (
    OK,
    PONG,
    QUEUED,
    CommandError,
    DoubleText,
    Form,
    NullArray,
    Pairs,
    Reply,
    SimpleString,
    Streamed,
    Verbatim,
)

Version: TypeAlias = Literal[2, 3]
"""The protocol version a connection has chosen with HELLO."""

_NULL: Final = {2: b"$-1\r\n", 3: b"_\r\n"}
_NULL_ARRAY: Final = {2: b"*-1\r\n", 3: b"_\r\n"}
_TRUE: Final = {2: b":1\r\n", 3: b"#t\r\n"}
_FALSE: Final = {2: b":0\r\n", 3: b"#f\r\n"}
_SET_MARK: Final = {2: b"*", 3: b"~"}
_PAIR: Final = {2: b"", 3: b"*2\r\n"}
"""In front of each pair of `Pairs`."""
_SMALL_INTS: Final = tuple(b":%d\r\n" % number for number in range(256))
_STATUSES: Final = {status.text: b"+%b\r\n" % status.text.encode() for status in (OK, PONG, QUEUED)}
_OK_LINE: Final = _STATUSES[OK.text]
_BULK_LINES: Final = tuple(b"$%d\r\n" % length for length in range(1024))
_NEXT_LINES: Final = tuple(b"\r\n" + line for line in _BULK_LINES)
"""The same with the end of the line before."""
_MANY: Final = 6
"""So many strings are quicker encoded together than one by one; fewer are often of several types."""
_ARRAY_LINES: Final = tuple(b"*%d\r\n" % count for count in range(_MANY))
_LINE_BREAKS: Final = str.maketrans("\r\n", "  ")


def encode(reply: Reply, version: Version) -> bytes:
    """One reply as bytes. Works for every `Reply`, however nested."""
    if reply is OK:
        return _OK_LINE
    if type(reply) is bytes:
        if len(reply) < len(_BULK_LINES):
            return _BULK_LINES[len(reply)] + reply + b"\r\n"  # takes two thirds of the time of the next line
        return b"$%d\r\n%b\r\n" % (len(reply), reply)
    if reply is None:
        return _NULL[version]
    parts: list[bytes] = []
    if type(reply) is list:  # before others: a member and its score come fifty to a batch
        parts.append(_ARRAY_LINES[len(reply)] if len(reply) < _MANY else b"*%d\r\n" % len(reply))
        _append_all(parts.append, reply, version)
    else:
        _append(parts.append, reply, version)
    return b"".join(parts)


def encode_many(replies: Iterable[Reply], version: Version) -> bytes:
    """The replies of a pipeline as one piece of bytes, for one send."""
    parts: list[bytes] = []
    add = parts.append
    for reply in replies:
        if reply is OK:  # nearly all replies are OK or a value: 0.05 and 0.14 us here, 0.4 us by _append
            add(_OK_LINE)
        elif type(reply) is bytes:
            add(_BULK_LINES[len(reply)] if len(reply) < len(_BULK_LINES) else b"$%d\r\n" % len(reply))
            add(reply)
            add(b"\r\n")
        elif type(reply) is int:
            add(_SMALL_INTS[reply] if 0 <= reply < len(_SMALL_INTS) else b":%d\r\n" % reply)
        elif type(reply) is list:
            add(b"*%d\r\n" % len(reply))
            _append_all(add, reply, version)
        else:
            _append(add, reply, version)
    return b"".join(parts)


def head(form: Form, count: int, version: Version) -> bytes:
    """What comes before the rows of a reply of `count` rows."""
    if form is Form.SET:
        return b"%b%d\r\n" % (_SET_MARK[version], count)
    if form is Form.ARRAY or (form is Form.PAIRS and version == 3):
        return b"*%d\r\n" % count
    return b"%%%d\r\n" % count if version == 3 else b"*%d\r\n" % (2 * count)


def encode_rows(form: Form, rows: Sequence[Any], version: Version) -> bytes:
    """Some rows of a reply, to be sent behind its `head`."""
    if form in (Form.ARRAY, Form.SET):
        return _encode_all(rows, version)
    mark = _PAIR[version] if form is Form.PAIRS else b""
    if not mark:
        return _encode_all(list(chain.from_iterable(rows)), version)
    return b"".join([mark + encode_many(pair, version) for pair in rows])


def _encode_all(replies: Sequence[Reply], version: Version) -> bytes:
    """`encode_many` of rows of many."""
    parts: list[bytes] = []
    _append_all(parts.append, replies, version)
    return b"".join(parts)


def encode_push(kind: str, values: Sequence[Reply]) -> bytes:
    """A RESP3 push: `kind` names it, `values` follow. Never send one to a connection that speaks RESP2."""
    parts: list[bytes] = [b">%d\r\n" % (len(values) + 1)]
    _append(parts.append, kind.encode(), 3)
    for value in values:
        _append(parts.append, value, 3)
    return b"".join(parts)


def one_line(text: str) -> bytes:
    """`text` as bytes that cannot end the line they stand in: line ends around it go, others become blanks.

    Surrogate escapes become their bytes again.
    """
    return text.strip("\r\n").translate(_LINE_BREAKS).encode("utf-8", "surrogateescape")


def _append_all(add: Callable[[bytes], object], replies: Sequence[Reply], version: Version) -> None:
    """`_append` for each. Nearly always all are short strings, which take a sixth of the time together."""
    if len(replies) < _MANY:
        for reply in replies:
            if type(reply) is bytes and len(reply) < len(_BULK_LINES):  # as most are
                add(_BULK_LINES[len(reply)] + reply + b"\r\n")
            elif type(reply) is float and version == 2:  # as `_append`, without its dispatch
                text = double_text(reply)
                add(_BULK_LINES[len(text)] + text + b"\r\n")
            else:
                _append(add, reply, version)
        return
    try:
        heads = map(_NEXT_LINES.__getitem__, map(len, replies))  # type: ignore[arg-type]
        lines = b"".join(chain.from_iterable(zip(heads, replies, strict=True)))  # type: ignore[arg-type]
    except (TypeError, IndexError):  # no strings, or long ones: nothing was added yet
        for reply in replies:
            _append(add, reply, version)
        return
    add(lines[2:])
    add(b"\r\n")


def _append(add: Callable[[bytes], object], reply: Reply, version: Version) -> None:
    """Give `add` the encoding of `reply`, piece by piece. The most frequent cases come first."""
    match reply:
        case bytes():
            add(_BULK_LINES[len(reply)] if len(reply) < len(_BULK_LINES) else b"$%d\r\n" % len(reply))
            add(reply)
            add(b"\r\n")
        case float():
            text = double_text(reply)
            add(b",%b\r\n" % text if version == 3 else b"$%d\r\n%b\r\n" % (len(text), text))
        case None:
            add(_NULL[version])
        case SimpleString():
            add(_STATUSES.get(reply.text) or b"+%b\r\n" % one_line(reply.text))
        case bool():
            add(_TRUE[version] if reply else _FALSE[version])
        case int():
            add(_SMALL_INTS[reply] if 0 <= reply < len(_SMALL_INTS) else b":%d\r\n" % reply)
        case list():
            add(b"*%d\r\n" % len(reply))
            _append_all(add, reply, version)
        case CommandError():
            add(b"-%b\r\n" % one_line(reply.text))
        case DoubleText():
            text = reply.text
            add(b",%b\r\n" % text if version == 3 else b"$%d\r\n%b\r\n" % (len(text), text))
        case Verbatim():
            if version == 3:
                mark = reply.format.encode()
                add(b"=%d\r\n%b:%b\r\n" % (len(mark) + 1 + len(reply.text), mark, reply.text))
            else:
                add(b"$%d\r\n%b\r\n" % (len(reply.text), reply.text))
        case tuple():
            add(b"%b%d\r\n" % (_SET_MARK[version], len(reply)))
            _append_all(add, reply, version)
        case dict():
            add(head(Form.MAP, len(reply), version))
            _append_all(add, list(chain.from_iterable(reply.items())), version)
        case NullArray():
            add(_NULL_ARRAY[version])
        case Pairs():
            add(head(Form.PAIRS, len(reply.pairs), version))
            for first, second in reply.pairs:
                add(_PAIR[version])
                _append(add, first, version)
                _append(add, second, version)
        case Streamed():
            raise AssertionError("a streamed reply is encoded in parts: `head`, then its rows")
        case _:
            assert_never(reply)
