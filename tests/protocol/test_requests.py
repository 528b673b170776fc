"""The client wire: dialects, RESP requests, their limits, and the agreement of its two parsers."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocol.events import careful, drain, drain_by_runs, drain_by_short_runs, feed, one_by_one
from trikv.client.commands import encode_command
from trikv.protocol.arrays import parse_int, split_requests, split_single
from trikv.protocol.events import memory_of
from trikv.protocol.requests import (
    NEED_DATA,
    BadBytes,
    ClientEvent,
    ClientWire,
    EmptyLine,
    EndOfInput,
    HttpRefused,
    Request,
    WireLimits,
)

SMALL = WireLimits(
    bulk_bytes_max=50,
    request_bytes_max=80,
    request_args_max=12,
    line_bytes_max=64,
    subnegotiation_bytes_max=8,
    edits_max=3,
)


def events_of(data: bytes, limits: WireLimits | None = None) -> list[ClientEvent]:
    """The events of `data`, checked to be the same at once, byte by byte, and by the careful parser alone."""
    limits = limits or WireLimits()
    at_once = feed(ClientWire(limits), [data])
    assert feed(ClientWire(limits), one_by_one(data)) == at_once
    assert feed(careful(ClientWire(limits)), [data]) == at_once
    return at_once


def bad(what: str) -> list[ClientEvent]:
    """The outcome of a broken RESP request."""
    return [BadBytes(f"Protocol error: {what}", False)]


def test_a_pipeline_gives_its_requests_in_order() -> None:
    """Every whole request of a chunk comes out, in order, with its arguments."""
    data = b"".join(encode_command([b"SET", b"k%d" % n, b"v" * n]) for n in range(20))
    assert events_of(data) == [Request((b"SET", b"k%d" % n, b"v" * n), False) for n in range(20)]


def test_arguments_may_hold_any_bytes() -> None:
    """CRLF, telnet's IAC and dollar signs inside an argument are data."""
    args = (b"SET", b"\r\n$3\r\n*1\r\n", b"\xff\xf4\xff\xfd\x06\x04", b"")
    assert events_of(encode_command(args) * 3) == [Request(args, False)] * 3


def test_long_arguments_and_many_arguments() -> None:
    """Requests that are too long for the short way come out whole."""
    args = (b"MSET", *(b"%d" % n for n in range(2000)), b"x" * 20000)
    assert events_of(encode_command(args)) == [Request(args, False)]


def test_where_the_network_cuts_requests_decides_nothing() -> None:
    """Requests with counts of one digit and of two, in three pieces that are cut anywhere."""
    commands = [(b"MSET", *(b"%d" % number for number in range(11))), (b"GET", b"k"), (b"SET", b"k", b"long")]
    data = b"".join(map(encode_command, commands))
    expected = [Request(args, False) for args in commands]
    for drained in (drain, drain_by_runs):
        for first in range(len(data) + 1):
            for second in range(first, len(data) + 1):
                pieces = [data[:first], data[first:second], data[second:]]
                assert feed(ClientWire(), pieces, drained) == expected, (first, second)


def test_the_first_array_makes_a_connection_a_programs() -> None:
    """Lines before it were typed by a person. Those behind it are a program's; empty ones mean nothing."""
    data = (
        b"PING\r\n" + encode_command([b"GET", b"k"]) + b"\r\nget 'a b'\n" + encode_command([b"X"]) + b"\x04"
    )
    assert events_of(data) == [
        Request((b"PING",), True),
        Request((b"GET", b"k"), False),
        Request((b"get", b"a b"), False),
        Request((b"X",), False),
    ]
    assert events_of(b"\r\nPING\n\x04") == [EmptyLine(), Request((b"PING",), True), EndOfInput()]


def test_whose_connection_it_is_is_known_from_the_first_byte() -> None:
    """Even before the command is whole. After that a person may turn out to be a program, never back."""
    for data, typed in [(b"", None), (b"*", False), (b"g", True), (b"\r", True), (b"\xff", True)]:
        wire = ClientWire()
        assert feed(wire, [data]) == []
        assert wire.typed is typed
    for how in (drain, drain_by_runs):
        wire = ClientWire()
        for piece, typed in [
            (b"PING\r\n", True),
            (encode_command([b"GET", b"k"]), False),
            (b"PING\r\n", False),
        ]:
            feed(wire, [piece], how)
            assert wire.typed is typed
    wire = ClientWire()
    assert wire.single(encode_command([b"GET", b"k"])) is not None
    assert wire.typed is False


def program_lines(data: bytes) -> list[ClientEvent]:
    """The events of a program's lines, checked to be the same for every way to cut them."""
    hello = encode_command([b"HELLO"])
    at_once = feed(ClientWire(SMALL), [hello + data])
    assert feed(ClientWire(SMALL), one_by_one(hello + data)) == at_once
    for cut in range(len(data)):
        assert feed(ClientWire(SMALL), [hello + data[:cut], data[cut:]]) == at_once
    return at_once[1:]


def test_a_programs_lines_are_read_byte_for_byte() -> None:
    """There is no editing and no telnet in them: values arrive as they were sent."""
    assert program_lines(b"set k \x7f\x08\xff\xf4\xff\xff\x04\r\n\x04\n'a b'\r\n") == [
        Request((b"set", b"k", b"\x7f\x08\xff\xf4\xff\xff\x04"), False),
        Request((b"\x04",), False),
        Request((b"a b",), False),
    ]


def test_a_programs_empty_lines_are_no_events() -> None:
    """Blanks alone make an empty line, too; a line may follow at once."""
    assert program_lines(b"\r\n\n\n\r\n \t\r\n\0\nPING\n\r") == [Request((b"PING",), False)]


def test_a_programs_line_is_bounded() -> None:
    """By Redis' limit, its end not counted; nothing behind it is read."""
    assert program_lines(b"x" * 64 + b"\r\n") == [Request((b"x" * 64,), False)]
    for line in (b"x" * 65 + b"\nPING\n", b"x" * 66 + b"\r\n", b"x" * 80):
        assert program_lines(line) == bad("too big inline request")


def test_a_programs_unbalanced_quotes_end_it() -> None:
    """Like Redis, we close. A web request in a program's line is refused, too."""
    assert program_lines(b"set k 'v\nPING\n") == bad("unbalanced quotes in request")
    (event,) = program_lines(b"POST / HTTP/1.1\r\nHost: x\r\n")
    assert isinstance(event, HttpRefused)


def test_empty_arrays_are_skipped() -> None:
    """``*0`` and negative counts are no requests, as in Redis."""
    assert events_of(b"*0\r\n*-1\r\n*-9\r\n*1\r\n$4\r\nPING\r\n*0\r\n") == [Request((b"PING",), False)]


def test_the_two_bytes_that_end_a_line_or_an_argument_are_not_looked_at() -> None:
    """As in Redis: a carriage return and one more byte end a line, any two bytes end an argument."""
    assert events_of(b"*2\rX$1\r\naXY$1\rYb\n\n") == [Request((b"a", b"b"), False)]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"*x\r\n", "invalid multibulk length"),
        (b"*\r\n", "invalid multibulk length"),
        (b"*03\r\n", "invalid multibulk length"),
        (b"*+3\r\n", "invalid multibulk length"),
        (b"*-0\r\n", "invalid multibulk length"),
        (b"*13\r\n", "invalid multibulk length"),
        (b"*99999999999999999999\r\n", "invalid multibulk length"),
        (b"*1\r\n:5\r\n", "expected '$', got ':'"),
        (b"*1\r\n+OK\r\n", "expected '$', got '+'"),
        (b"*1\r\n*1\r\n$1\r\na\r\n", "expected '$', got '*'"),
        (b"*1\r\n\r\n", "expected '$', got '\r'"),
        (b"*1\r\n\xff\r\n", "expected '$', got '\udcff'"),
        (b"*1\r\n$x\r\n", "invalid bulk length"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$51\r\n", "invalid bulk length"),
        (b"*2\r\n$45\r\n" + b"x" * 45 + b"\r\n$36\r\n", "request is longer than 80 bytes"),
        (b"*" + b"1" * 64, "too big mbulk count string"),
        (b"*1\r\n$" + b"1" * 64, "too big bulk count string"),
        (b"*" + b"1" * 62 + b"\r\n", "invalid multibulk length"),
        (b"*" + b"1" * 63 + b"\r\n", "too big mbulk count string"),
    ],
)
def test_broken_requests_give_redis_texts(data: bytes, what: str) -> None:
    """Each way to break the protocol has its text, and nothing after it is executed."""
    assert events_of(data + b"*1\r\n$4\r\nPING\r\nPING\r\n", SMALL) == bad(what)


def test_whole_requests_before_a_broken_one_are_kept() -> None:
    """A pipeline is executed up to where it breaks."""
    good = encode_command([b"PING"])
    assert events_of(good * 2 + b"*1\r\n:1\r\n" + good) == [Request((b"PING",), False)] * 2 + bad(
        "expected '$', got ':'"
    )


def test_incomplete_requests_need_data() -> None:
    """No prefix of a request gives an event."""
    data = encode_command([b"SET", b"key", b"value"])
    for cut in range(len(data)):
        wire = ClientWire()
        wire.receive(data[:cut])
        assert wire.next_event() is NEED_DATA
        wire.receive(data[cut:])
        assert drain(wire) == [Request((b"SET", b"key", b"value"), False)]


def test_limits_are_redis_tight_before_authentication() -> None:
    """Without a password given, 10 arguments of 16384 bytes are the most."""
    for data, outcome in [
        (b"*11\r\n", bad("unauthenticated multibulk length")),
        (b"*1\r\n$16385\r\n", bad("unauthenticated bulk length")),
        (b"*10\r\n$16384\r\n", []),
    ]:
        wire = ClientWire()
        wire.authenticated = False
        assert feed(wire, [data]) == outcome


def test_authentication_counts_from_the_next_request_of_the_same_pipeline() -> None:
    """What is pipelined behind a successful AUTH already has the wide limits."""
    wire = ClientWire()
    wire.authenticated = False
    wire.receive(encode_command([b"AUTH", b"pw"]) + encode_command([b"MSET", *[b"x"] * 20]))
    assert wire.next_event() == Request((b"AUTH", b"pw"), False)
    wire.authenticated = True
    assert wire.next_event() == Request((b"MSET", *[b"x"] * 20), False)


def test_a_closed_wire_holds_nothing() -> None:
    """After a fatal error all that arrives is dropped."""
    wire = ClientWire()
    assert len(feed(wire, [b"*x\r\n" + b"y" * 1000, b"z" * 1000])) == 1
    assert wire.buffered_bytes == 0


def test_buffered_bytes_tell_what_is_held() -> None:
    """The count covers unread bytes, parsed requests, unfinished ones and half a line."""
    wire = ClientWire()
    wire.receive(encode_command([b"PING"]) * 3)
    assert wire.buffered_bytes == 42
    assert wire.next_event() == Request((b"PING",), False)
    assert wire.buffered_bytes == 42
    drain(wire)
    assert wire.buffered_bytes == 0
    assert feed(wire, [b"*2\r\n$4\r\nECHO\r\n$5\r\nab"]) == []
    assert wire.buffered_bytes == 6
    assert feed(wire, [b"cde\r\nhal"]) == [Request((b"ECHO", b"abcde"), False)]
    assert wire.buffered_bytes == 3


def test_a_declared_length_costs_nothing() -> None:
    """A stranger that announces the largest request makes the node hold only the bytes that it sends."""
    wire = ClientWire()
    assert feed(wire, [b"*1048576\r\n$8388608\r\n"]) == []
    assert wire.buffered_bytes == 0


def test_http_is_refused_before_anything_is_executed() -> None:
    """A web page can make a browser send a request with a body of commands: none of it runs."""
    wire = ClientWire()
    (event,) = feed(wire, [b"POST / HTTP/1.1\r\nHost: x\r\n\r\nset k v\r\n", b"set k v\r\n"])
    assert isinstance(event, HttpRefused)
    assert event.data.startswith(b"HTTP/1.1 400 ")
    assert wire.next_event() is NEED_DATA


def test_split_requests_tells_how_far_it_came() -> None:
    """The short way stops at the first thing that is not plain, and says where."""
    ping = encode_command([b"PING"])
    for rest in (
        b"",
        b"*",
        b"*1\r\n",
        b"*1\r\n$4\r\nPI",
        b"*2\r\n$4\r\nPING\r\n",
        b"PING\r\n",
        b"\r\n",
        b"*0\r\n",
    ):
        assert split_requests(ping + rest) == ([(b"PING",)], len(ping))
    for arg in (b"\r\n", b"x" * 4096):
        assert split_requests(encode_command([arg]) + ping) == ([], 0)


def test_a_chunk_of_plain_arrays_is_one_run() -> None:
    """What a chunk holds in whole plain requests comes in one piece, and only then does the rest."""
    wire = ClientWire()
    assert wire.drained
    wire.receive(encode_command([b"PING"]) * 3 + b"*1\r\n$4\r\nEC")
    assert not wire.drained
    assert wire.run() == ([(b"PING",)] * 3, 14 * 3)
    assert not wire.drained
    assert wire.run() == ([], 0)
    assert wire.next_event() is NEED_DATA
    assert wire.drained
    wire.receive(b"HO\r\n" + encode_command([b"PING"]) * 2)
    assert wire.run() == ([], 0)
    assert wire.next_event() == Request((b"ECHO",), False)
    assert wire.next_event() == Request((b"PING",), False)
    assert wire.run() == ([(b"PING",)], 14 * 2)
    assert wire.next_event() is NEED_DATA


def test_one_plain_request_alone_comes_out_as_it_is() -> None:
    """Nothing is held then. Any other input is received as usual, whatever came before."""
    get, ping = encode_command([b"GET", b"k"]), encode_command([b"PING"])
    wire = ClientWire()
    assert wire.single(get) == (b"GET", b"k")
    assert wire.single(encode_command([b"SET", b"k", b""])) == (b"SET", b"k", b"")
    assert wire.drained
    assert wire.next_event() is NEED_DATA
    assert wire.single(get + get) is None
    assert wire.single(get) is None, "two are held"
    assert drain(wire) == [Request((b"GET", b"k"), False)] * 3
    for chunk in (b"GET k\r\n", get[:-1], encode_command([b"GET", b"\r\n*"]), b"*0\r\n" + get, ping):
        wire = ClientWire()
        assert wire.single(chunk) is None
        expected = ClientWire()
        expected.receive(chunk)
        assert drain(wire) == drain(expected)
    tight = ClientWire()
    tight.authenticated = False
    assert tight.single(get) is None
    assert ClientWire(SMALL).single(get) is None
    over = ClientWire()
    over.receive(b"*1\r\nx\r\n")
    assert isinstance(over.next_event(), BadBytes)
    assert over.single(get) is None
    assert over.buffered_bytes == 0


@pytest.mark.parametrize("args", [[b"word"] * count for count in (2, 3, 4, 5, 6, 21)])
def test_the_quick_look_at_one_request_looks_at_each_part(args: list[bytes]) -> None:
    """A wrong count or length, or a byte too much, is left to the careful reader."""
    parts = encode_command(args).split(b"\r\n")
    for position, part in enumerate(parts):
        damaged = [*parts[:position], b"?" + part, *parts[position + 1 :]]
        assert split_single(b"\r\n".join(damaged)) is None, position


@given(
    args=st.lists(st.one_of(st.binary(max_size=12), st.just(b"v" * 4096)), min_size=1, max_size=7),
    at=st.integers(0, 90),
    damage=st.one_of(st.none(), st.binary(max_size=2)),
)
def test_the_quick_look_at_one_request_agrees_with_the_general_one(
    args: list[bytes], at: int, damage: bytes | None
) -> None:
    """It may leave a request to the other way, but must never read it differently. It reads nearly all."""
    data = encode_command(args)
    if damage is not None:
        data = data[:at] + damage + data[at + 1 :]
    found = split_single(data)
    if found is not None:
        assert split_requests(data) == ([found], len(data))
    elif damage is None and len(args) > 1 and len(data) < 4096:
        assert any(b"*" in arg or b"\r\n" in arg for arg in args)


def test_a_header_that_came_in_two_pieces_is_over_when_it_is_read() -> None:
    """How far it was searched must not count for the line that comes next."""
    wire = careful(ClientWire())
    request = encode_command([b"ECHO", b"x" * 4000])
    at = request.index(b"$4000") + len(b"$4000")
    assert feed(wire, [request[:at], request[at:] + encode_command([b"PING"])]) == [
        Request((b"ECHO", b"x" * 4000), False),
        Request((b"PING",), False),
    ]


def test_what_is_put_back_comes_again_first() -> None:
    """The end of a run may be left for later: it is counted as held, and goes before what came after it."""
    wire = ClientWire()
    wire.receive(b"".join(encode_command([b"X%d" % number]) for number in range(4)))
    run, size = wire.run()
    wire.put_back([], size)
    assert wire.drained
    assert wire.buffered_bytes == 0
    wire.put_back(run[3:], size)
    wire.put_back(run[1:3], size)
    assert not wire.drained
    assert wire.buffered_bytes == size
    wire.receive(encode_command([b"Y"]))
    assert wire.next_event() == Request((b"X1",), False)
    assert wire.run() == ([(b"X2",), (b"X3",)], size)
    assert drain(wire) == [Request((b"Y",), False)]


def test_a_run_is_no_longer_than_was_asked() -> None:
    """The rest comes in the next runs, before later input; meanwhile it counts as held."""
    wire = ClientWire()
    wire.receive(encode_command([b"PING"]) * 8 + b"*1\r\n$4\r\nPO")
    for held in (5, 2):
        assert len(wire.run(3)[0]) == 3
        assert not wire.drained
        assert wire.memory_bytes >= memory_of([(b"PING",)] * held) + 14 * held
    wire.receive(b"NG\r\n")
    assert wire.next_event() == Request((b"PING",), False)
    wire.put_back([(b"X",)], 14)
    assert [wire.run(3)[0], drain(wire)] == [[(b"X",), (b"PING",)], [Request((b"PONG",), False)]]
    assert (wire.drained, wire.buffered_bytes, wire._ready_memory_bytes) == (True, 0, 0)
    wire.receive(encode_command([b"PING"]) * 5)
    assert len(wire.run(3)[0]) == 3
    wire.drop()
    assert (wire.memory_bytes, wire.run(3)) == (0, ([], 0))


def test_no_run_while_the_tight_limits_hold() -> None:
    """Before AUTH every request goes to the careful parser, even a plain one."""
    wire = ClientWire()
    wire.authenticated = False
    wire.receive(encode_command([b"MSET", *[b"x"] * 20]))
    assert wire.run() == ([], 0)
    assert isinstance(wire.next_event(), BadBytes)
    assert wire.drained
    wire.receive(encode_command([b"PING"]))
    assert wire.drained


def test_parse_int_is_as_strict_as_redis() -> None:
    """Plus signs, spaces, leading zeros, empty strings and what passes 64 bits are no numbers."""
    assert [parse_int(b"%d" % n) for n in (0, 7, -7, 2**63 - 1)] == [0, 7, -7, 2**63 - 1]
    for text in (b"", b"-", b"-0", b"01", b"+1", b" 1", b"1 ", b"1_0", b"1e3", b"%d" % 2**63, b"9" * 5000):
        assert parse_int(text) is None


ARGS = st.lists(
    st.binary(max_size=12) | st.sampled_from([b"\r\n", b"$3\r\nfoo\r\n", b"x" * 49]), min_size=1, max_size=5
)
FRAGMENT = st.one_of(
    ARGS.map(encode_command),
    st.binary(max_size=8),
    st.sampled_from(
        [
            b"*",
            b"*2\r\n",
            b"$3\r\n",
            b"$",
            b"\r\n",
            b"+OK\r\n",
            b":1\r\n",
            b"PING\r\n",
            b'set "a\\x00" b\r\n',
            b"\xff\xf4",
            b"\xff\xfd\x06",
            b"\x04",
            b"\x7f",
            b"\r\0",
            b"\xff\xfa",
            b"\xff\xf0",
            b"\xff\xff",
            b"*0\r\n",
            b"*9999\r\n",
            b"'",
        ]
    ),
)


@settings(max_examples=120, deadline=None)
@given(st.lists(FRAGMENT, max_size=12), st.lists(st.integers(0, 300), max_size=6), st.booleans())
def test_any_bytes_in_any_pieces_give_the_same_events(
    fragments: list[bytes],
    cuts: list[int],
    authenticated: bool,  # noqa: FBT001 - Hypothesis gives it
) -> None:
    """How the network cuts the bytes, and which parser reads them, never changes what they mean."""
    data = b"".join(fragments)
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    pieces = [data[start:end] for start, end in itertools.pairwise(edges)]
    outcomes = []
    for limits in (SMALL, WireLimits()):
        for how in ([data], one_by_one(data), pieces):
            for wire in (ClientWire(limits), careful(ClientWire(limits))):
                wire.authenticated = authenticated
                outcomes.append((limits, feed(wire, how)))
                assert wire.buffered_bytes <= max(len(data), 1)
            for drained in (drain_by_runs, drain_by_short_runs):
                wire = ClientWire(limits)
                wire.authenticated = authenticated
                outcomes.append((limits, feed(wire, how, drained)))
                assert wire.buffered_bytes <= max(len(data), 1)
    for limits in (SMALL, WireLimits()):
        first, *others = [events for used, events in outcomes if used is limits or used == limits]
        assert all(events == first for events in others)


@settings(max_examples=60, deadline=None)
@given(st.lists(ARGS, max_size=20))
def test_what_a_client_encodes_is_what_the_wire_reads(requests: list[list[bytes]]) -> None:
    """Requests survive the trip, whatever their arguments hold."""
    data = b"".join(encode_command(args) for args in requests)
    assert feed(ClientWire(), [data]) == [Request(tuple(args), False) for args in requests]
    assert feed(ClientWire(), one_by_one(data)) == [Request(tuple(args), False) for args in requests]
