"""Replies on the wire: the mapping for both versions, and that our own reader reverses it."""

import contextlib
import math

import hiredis  # noqa: TID251 - another reader than ours, to compare
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocol.reader import Push, ReplyProtocolError, ReplyReader, ServerEvent
from trikv.client.commands import encode_command
from trikv.machine.replies import (
    OK,
    PONG,
    QUEUED,
    CommandError,
    DoubleText,
    NullArray,
    Pairs,
    Reply,
    SimpleString,
    Verbatim,
    in_one,
    rows_of,
)
from trikv.protocol.events import NEED_DATA
from trikv.protocol.resp import Version, encode, encode_many, encode_push, encode_rows, head

CASES: list[tuple[Reply, bytes, bytes]] = [
    (OK, b"+OK\r\n", b"+OK\r\n"),
    (PONG, b"+PONG\r\n", b"+PONG\r\n"),
    (QUEUED, b"+QUEUED\r\n", b"+QUEUED\r\n"),
    (SimpleString("a\r\nb"), b"+a  b\r\n", b"+a  b\r\n"),
    (CommandError("ERR x\n+OK"), b"-ERR x +OK\r\n", b"-ERR x +OK\r\n"),
    (CommandError("ERR got '\udcff'"), b"-ERR got '\xff'\r\n", b"-ERR got '\xff'\r\n"),
    (0, b":0\r\n", b":0\r\n"),
    (255, b":255\r\n", b":255\r\n"),
    (256, b":256\r\n", b":256\r\n"),
    (-1, b":-1\r\n", b":-1\r\n"),
    (b"", b"$0\r\n\r\n", b"$0\r\n\r\n"),
    (b"a\r\nb", b"$4\r\na\r\nb\r\n", b"$4\r\na\r\nb\r\n"),
    (None, b"$-1\r\n", b"_\r\n"),
    (1.5, b"$3\r\n1.5\r\n", b",1.5\r\n"),
    (0.1, b"$3\r\n0.1\r\n", b",0.1\r\n"),
    (math.inf, b"$3\r\ninf\r\n", b",inf\r\n"),
    (-math.inf, b"$4\r\n-inf\r\n", b",-inf\r\n"),
    (True, b":1\r\n", b"#t\r\n"),
    (False, b":0\r\n", b"#f\r\n"),
    ([], b"*0\r\n", b"*0\r\n"),
    ([1, [b"x", None]], b"*2\r\n:1\r\n*2\r\n$1\r\nx\r\n$-1\r\n", b"*2\r\n:1\r\n*2\r\n$1\r\nx\r\n_\r\n"),
    ((b"a",), b"*1\r\n$1\r\na\r\n", b"~1\r\n$1\r\na\r\n"),
    ({b"k": 1}, b"*2\r\n$1\r\nk\r\n:1\r\n", b"%1\r\n$1\r\nk\r\n:1\r\n"),
    (NullArray(), b"*-1\r\n", b"_\r\n"),
    (Pairs([]), b"*0\r\n", b"*0\r\n"),
    (
        Pairs([(b"a", 1), (b"b", 2)]),
        b"*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n:2\r\n",
        b"*2\r\n*2\r\n$1\r\na\r\n:1\r\n*2\r\n$1\r\nb\r\n:2\r\n",
    ),
    ([b"m", 0.5], b"*2\r\n$1\r\nm\r\n$3\r\n0.5\r\n", b"*2\r\n$1\r\nm\r\n,0.5\r\n"),
    (Verbatim(b"hi"), b"$2\r\nhi\r\n", b"=6\r\ntxt:hi\r\n"),
    (DoubleText(b"0.50000000000000011"), b"$19\r\n0.50000000000000011\r\n", b",0.50000000000000011\r\n"),
]


@pytest.mark.parametrize(("reply", "resp2", "resp3"), CASES)
def test_every_kind_of_reply(reply: Reply, resp2: bytes, resp3: bytes) -> None:
    """Each Python value has its RESP2 and RESP3 form, and a status or error never breaks its line."""
    assert encode(reply, 2) == resp2
    assert encode(reply, 3) == resp3


def test_a_pipeline_is_its_replies_joined() -> None:
    """Encoding many replies gives the same bytes as encoding each."""
    replies = [reply for reply, _, _ in CASES]
    for version in (2, 3):
        chosen: Version = 2 if version == 2 else 3
        assert encode_many(replies, chosen) == b"".join(encode(reply, chosen) for reply in replies)


def test_a_value_of_any_length_is_announced_by_its_length() -> None:
    """Short values, whose headers are kept ready, and long ones look alike; alone or in a pipeline."""
    for length in (0, 9, 10, 1023, 1024, 5000):
        value = b"v" * length
        wanted = b"$" + str(length).encode() + b"\r\n" + value + b"\r\n"
        assert encode(value, 2) == wanted
        assert encode_many([value, OK], 3) == wanted + b"+OK\r\n"


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(
    "reply", [[b"a", 1, [b"c"]], (b"a", b"b"), {b"k": 1, b"l": [b"x"]}, Pairs([(b"a", 1), (b"a", 2)])]
)
def test_a_reply_in_rows_is_the_same_bytes(reply: Reply, version: Version) -> None:
    """Its head, then some rows at a time: nobody can tell that it was long."""
    found = rows_of(reply)
    assert found is not None
    form, rows = found
    assert in_one(form, rows) == reply
    data = head(form, len(rows), version) + b"".join(encode_rows(form, [row], version) for row in rows)
    assert data == encode(reply, version)
    assert data == head(form, len(rows), version) + encode_rows(form, rows, version)


def test_pushes() -> None:
    """A push names itself first, and our reader tells it apart from replies."""
    data = encode_push("trikv.shutdown", [b"node2 stops", 10])
    assert data == b">3\r\n$14\r\ntrikv.shutdown\r\n$11\r\nnode2 stops\r\n:10\r\n"
    assert read_all(b"+OK\r\n" + data + b":1\r\n") == [OK, Push("trikv.shutdown", [b"node2 stops", 10]), 1]


def test_commands_encode_as_arrays_of_bulks() -> None:
    """A request is what Redis clients send."""
    assert encode_command([b"GET", b""]) == b"*2\r\n$3\r\nGET\r\n$0\r\n\r\n"


def read_all(data: bytes, reader: ReplyReader | None = None) -> list[ServerEvent]:
    """The replies in `data`."""
    reader = reader or ReplyReader()
    reader.receive(data)
    replies: list[ServerEvent] = []
    while (reply := reader.next_reply()) is not NEED_DATA:
        replies.append(reply)
    return replies


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.floats(allow_nan=False),
    st.binary(max_size=10),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=6).map(
        SimpleString
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=6).map(
        CommandError
    ),
    st.binary(max_size=6).map(Verbatim),
)
KEYS = st.binary(max_size=4) | st.integers(-5, 5).map(lambda n: n * 10)
REPLIES: st.SearchStrategy[Reply] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(KEYS, inner, max_size=3),
    ),
    max_leaves=8,
)


@settings(max_examples=80, deadline=None)
@given(st.lists(REPLIES, max_size=4))
def test_our_reader_reverses_the_encoding(replies: list[Reply]) -> None:
    """Every reply survives RESP3 exactly, all at once and byte by byte; hiredis finds as many."""
    data = encode_many(replies, 3)
    assert read_all(data) == replies
    reader = ReplyReader()
    assert [r for at in range(len(data)) for r in read_all(data[at : at + 1], reader)] == replies
    other = hiredis.Reader(notEnoughData=NEED_DATA)
    other.feed(encode_many(replies, 2))
    count = 0
    while other.gets() is not NEED_DATA:
        count += 1
    assert count == len(replies)


def test_replies_may_come_byte_by_byte() -> None:
    """Every kind of reply is read the same however its bytes are cut."""
    replies = [
        reply
        for reply, _, encoded in CASES
        if b"  " not in encoded
        and b" +" not in encoded
        and not isinstance(reply, Pairs | NullArray | DoubleText)
    ]
    data = b"".join(encode(reply, 3) for reply in replies)
    reader = ReplyReader()
    got = [reply for at in range(len(data)) for reply in read_all(data[at : at + 1], reader)]
    assert got == replies == read_all(data)


def test_what_other_servers_send_is_read_too() -> None:
    """Null arrays and bulk errors are understood."""
    assert read_all(b"*-1\r\n$-1\r\n!5\r\nERR x\r\n,nan\r\n")[:3] == [None, None, CommandError("ERR x")]


@pytest.mark.parametrize(
    "data",
    [
        b"?\r\n",
        b"\r\n",
        b":x\r\n",
        b",x\r\n",
        b"*-2\r\n",
        b"~-1\r\n",
        b">0\r\n",
        b"*1\r\n>1\r\n",
        b">1\r\n:1\r\n",
        b"$-2\r\n",
        b"$99999999999\r\n",
        b"%1\r\n*1\r\n:1\r\n:1\r\n",
        b"*1\r\n" * 33,
        b"+" + b"x" * 70000,
    ],
)
def test_nonsense_from_a_server_raises(data: bytes) -> None:
    """The reader raises its one documented exception."""
    with pytest.raises(ReplyProtocolError):
        read_all(data)


@settings(max_examples=200)
@given(
    st.lists(
        st.sampled_from([b"*", b"%", b">", b"~", b"$", b"1", b"2", b"\r\n", b"-1", b":", b"=", b"x"]),
        max_size=20,
    )
)
def test_the_reader_raises_nothing_else(fragments: list[bytes]) -> None:
    """Any bytes give replies or ReplyProtocolError."""
    with contextlib.suppress(ReplyProtocolError):
        read_all(b"".join(fragments))


@pytest.mark.parametrize(
    ("text", "line"),
    [("ERR x\r\n", b"-ERR x\r\n"), ("ERR x\ry\n z\n\n", b"-ERR x y  z\r\n"), ("\r\nERR", b"-ERR\r\n")],
)
def test_an_error_is_one_line(text: str, line: bytes) -> None:
    """As Redis does it: what ends lines goes at both ends, and is a blank in between."""
    assert encode(CommandError(text), 2) == line
