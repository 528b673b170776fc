"""Typed lines: their ends, editing, quoting, and telnet's commands cut at every byte."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocol.events import feed, one_by_one
from trikv.protocol.quoting import split_line
from trikv.protocol.render import quote
from trikv.protocol.requests import (
    Answer,
    BadBytes,
    ClientEvent,
    ClientWire,
    EmptyLine,
    EndOfInput,
    HttpRefused,
    Interrupted,
    Request,
    WireLimits,
)

LIMITS = WireLimits(line_bytes_max=20, subnegotiation_bytes_max=6, edits_max=8)
PING = Request((b"PING",), True)


def typed(data: bytes) -> list[ClientEvent]:
    """The events of typed `data`, checked to be the same byte by byte and for every cut in two."""
    at_once = feed(ClientWire(LIMITS), [data])
    assert feed(ClientWire(LIMITS), one_by_one(data)) == at_once
    for cut in range(len(data)):
        assert feed(ClientWire(LIMITS), [data[:cut], data[cut:]]) == at_once
    return at_once


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r\0"])
def test_line_ends(end: bytes) -> None:
    """A line ends in LF, CR LF, or CR NUL as telnet sends it in character mode."""
    assert typed(b"PING" + end + b"get k" + end) == [PING, Request((b"get", b"k"), True)]
    assert typed(end) == [EmptyLine()]
    assert typed(b" \t" + end) == [EmptyLine()]


def test_a_lone_carriage_return_is_a_blank() -> None:
    """CR before anything but LF and NUL separates words."""
    assert typed(b"get\rk\r\n") == [Request((b"get", b"k"), True)]
    assert typed(b"\r*1\n") == [Request((b"*1",), True)]


def test_ctrl_c_is_answered_and_drops_the_line() -> None:
    """Debian's telnet sends IP, DO TIMING-MARK, and hides output until WILL TIMING-MARK comes, each time."""
    ctrl_c = b"\xff\xf4\xff\xfd\x06"
    answer = Answer(b"\xff\xfb\x06")
    events = [Interrupted(), answer, PING, Interrupted(), answer]
    assert typed(b"flushall" + ctrl_c + b"PING\r\n" + ctrl_c) == events


@pytest.mark.parametrize("command", [b"\xf3", b"\xee"])
def test_break_and_abort_are_interrupts(command: bytes) -> None:
    """IAC BRK and IAC ABORT drop the line like IAC IP."""
    assert typed(b"xx\xff" + command + b"PING\n") == [Interrupted(), PING]


def test_options_are_refused_once() -> None:
    """DO is answered by WONT and WILL by DONT, the first time; WONT and DONT need no answer."""
    offers = b"\xff\xfd\x01\xff\xfb\x1f\xff\xfd\x01\xff\xfb\x1f\xff\xfc\x02\xff\xfe\x03"
    assert typed(b"PI" + offers + b"NG\n") == [Answer(b"\xff\xfc\x01"), Answer(b"\xff\xfe\x1f"), PING]


def test_subnegotiations_are_skipped_with_a_bound() -> None:
    """IAC SB ... IAC SE vanishes; an endless one is an error."""
    assert typed(b"PI\xff\xfa\x18\x00\xff\xff\xff\xf0NG\n") == [PING]
    assert typed(b"\xff\xfa1234567PING\nPING\n") == [
        BadBytes("Protocol error: too big telnet subnegotiation", True)
    ]


def test_other_telnet_commands() -> None:
    """IAC IAC is byte 255, EC and EL edit, AYT is answered, EOF on an empty line means exit, NOP nothing."""
    assert typed(b"a\xff\xffb\n") == [Request((b"a\xffb",), True)]
    assert typed(b"\xff\xf1PINGX\xff\xf7\n") == [PING]
    assert typed(b"abc\xff\xf8PING\n") == [PING]
    assert typed(b"\xff\xf6") == [Answer(b"# trikv is here\r\n")]
    assert typed(b"\xff\xecPING\xff\xec\n") == [EndOfInput(), PING]


def test_an_erased_line_opens_a_new_command() -> None:
    """After a line was erased to nothing, the next byte decides the dialect again."""
    assert typed(b"x\x7f*1\r\n$4\r\nPING\r\n") == [Request((b"PING",), False)]


def test_end_of_input_counts_only_on_an_empty_line() -> None:
    """Byte 04 leaves when nothing is typed; inside a line it is a byte like others."""
    assert typed(b"\x04") == [EndOfInput()]
    assert typed(b"a\x04\n") == [Request((b"a\x04",), True)]


def test_backspace_takes_back_a_character() -> None:
    """Both erase keys work, take all bytes of a UTF-8 character, and stop at the line's beginning."""
    assert typed(b"\x08\x7fPINH\x08G\n") == [PING]
    assert typed(b"PIN" + "ж\x7f€\x7f😀\x7fG\n".encode()) == [PING]
    assert typed(b"\x80\x80\x7f\x7f\x7fPING\n") == [PING]


@pytest.mark.parametrize(
    "unit", [b"\x7f", b"a\x08", b"\xff\xf1", b"a\xff\xf7", b"a\xff\xf8", b"\xff\xfe\x01"]
)
def test_edits_that_come_to_nothing_are_bounded(unit: bytes) -> None:
    """Erasures and idle telnet commands in a row have a limit: they cost time, and no other limit counts."""
    assert typed(unit * 8 + b"PING\n" + unit * 8) == [PING]
    assert typed(unit * 9 + b"PING\n") == [
        BadBytes("Protocol error: too many edits and telnet commands", True)
    ]


def test_long_lines_are_an_error() -> None:
    """A line of exactly the limit passes, one byte more does not, and nothing after it runs."""
    assert typed(b"x" * 20 + b"\n") == [Request((b"x" * 20,), True)]
    assert typed(b"x" * 21 + b"\nPING\n") == [BadBytes("Protocol error: too big inline request", True)]
    assert typed(b"x" * 20 + b"\xff\xff\n") == [BadBytes("Protocol error: too big inline request", True)]


def test_unbalanced_quotes_are_told_and_forgiven() -> None:
    """Quotes that do not match are an error that leaves the connection usable."""
    problem = BadBytes("Protocol error: unbalanced quotes in request", True, fatal=False)
    assert typed(b"set k it's\nPING\n") == [problem, PING]


@pytest.mark.parametrize(
    "line",
    [
        b"POST /",
        b"post x",
        b"POST",
        b" Post\t/",
        b"Host: x",
        b"hOST:",
        b"GET / HTTP/1.1",
        b"get /a HTTP/1.0",
        b"GET a://b HTTP/1.1",
        b"PUT x http/2.0 ",
        b"PRI * HTTP/2.0",
        b"CONNECT a:1 HTTP/1.1",
        b"DEL /config HTTP/1.1",
        b"set / HTTP/1.1",
        b"M-SEARCH\t/ HTTP/1.1",
    ],
)
def test_http_is_refused(line: bytes) -> None:
    """Lines of an HTTP request end the conversation before anything is executed."""
    (event,) = typed(line + b"\r\nset k v\r\n")
    assert isinstance(event, HttpRefused)


@pytest.mark.parametrize(
    "line",
    [
        b"POSTER x",
        b"get HTTP/1.x",
        b"get HTTP/1.1",
        b"echo HTTP/2.0",
        b"get Host:",
        b"set proto HTTP/1.1",
        b"SET url:x HTTP/1.1",
        b"del a://b HTTP/1.1",
        b"mset / a b HTTP/1.1",
        b"set /a HTTP/1",
        b"set /a http",
    ],
)
def test_commands_that_look_like_http_are_not_refused(line: bytes) -> None:
    """The refusal is narrow."""
    assert typed(line + b"\n") == [Request(tuple(line.split()), True)]


@pytest.mark.parametrize(
    ("line", "args"),
    [
        (b"", []),
        (b"  set  k\tv ", [b"set", b"k", b"v"]),
        (rb'"a b" "\x41\x7A\xff" "\n\r\t\b\a" "\"\\\q"', [b"a b", b"Az\xff", b"\n\r\t\b\a", b'"\\q']),
        (rb'"\x4" "\xzz"', [b"x4", b"xzz"]),
        (rb"'a b' 'it\'s' '\n\x41'", [b"a b", b"it's", rb"\n\x41"]),
        (rb"a\nb", [rb"a\nb"]),
        (rb'""', [b""]),
        (rb"'' ''", [b"", b""]),
        (rb'a"b c"', [b"ab c"]),
        (b"'a'\0b", [b"a", b"b"]),
        (b"'a'\x0b\x0cb\x0bc", [b"a", b"b\x0bc"]),
        (b'"a', None),
        (b"'a", None),
        (b'"a\\', None),
        (b"'a\\'", None),
        (b'"a"b', None),
        (b"'a'b", None),
    ],
)
def test_quoting_is_that_of_redis_cli(line: bytes, args: list[bytes] | None) -> None:
    """Quotes and escapes are read like by Redis' sdssplitargs."""
    assert split_line(line) == args


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=20) | st.text(max_size=10).map(str.encode), max_size=4))
def test_quoted_values_can_be_typed_back(args: list[bytes]) -> None:
    """A value that a reply shows in quotes can be typed back in: any bytes can be typed."""
    assert split_line(" ".join(map(quote, args)).encode()) == args


@settings(max_examples=200)
@given(st.binary(max_size=30) | st.text("ab \"'\\\r\0\x0b", max_size=12).map(str.encode))
def test_splitting_never_fails_and_never_invents(line: bytes) -> None:
    """Any line gives arguments or None; together they are never longer than the line."""
    args = split_line(line)
    assert args is None or sum(map(len, args)) <= len(line)
