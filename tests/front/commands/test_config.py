"""CONFIG SET: every value is understood or refused, in Redis' words and before anything is proposed."""

import re
from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.front.doubles import Client, resp
from tests.redis_server import RedisConnection, RedisServer
from trikv.client.replies import ErrorReply
from trikv.machine.memory import CAP_BYTES_MAX
from trikv.protocol.events import LONGEST_REQUEST_BYTES

ODD_NUMBERS: Final = (
    *(
        "",
        "kb",
        "0",
        "-0",
        "+1",
        "1",
        "-1",
        "05",
        " 5",
        "5 ",
        "1_0",
        "1.5",
        "1.5gb",
        "1e9",
        "0x10",
        "x",
        "\0",
    ),
    *("1kb", "1KB", "1 kb", "1k", "1b", "1mb", "1Gb", "1tb", "007", "07kb", "٣", "\uff15", "5\n", "off"),
    *(str(2**31 - 1), str(2**31), str(2**32), str(2**50), str(2**50 + 1), str(2**63 - 1), str(2**63)),
    *(str(2**64), str(2**70), "9" * 30, "9" * 5000, "999999999999999999gb", "1048576gb", "1048577gb"),
)
DIFFERENT: Final = {
    "": "no digits at all are no cap in Redis: an unset variable must not lift the cap",
    "kb": "the same",
    "\0": "the same: a C string ends there",
}
"""Values of maxmemory that Redis takes and trikv does not, besides those above 1 PiB, which wrap round in
Redis or are as good as no cap."""


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisConnection]:
    """A connection to a server of our own."""
    with RedisServer() as server:
        connection = server.connect()
        yield connection
        connection.close()


def bytes_of(text: str) -> int:
    """What a good value means."""
    digits = text.rstrip("bBkKmMgG")
    turns = {"": 1, "b": 1, "k": 1000, "kb": 1 << 10, "m": 10**6, "mb": 1 << 20, "g": 10**9, "gb": 1 << 30}
    return int(digits) * turns[text[len(digits) :].lower()]


def answers(redis: RedisConnection, name: str, value: str) -> tuple[str, str]:
    """Our answer to CONFIG SET and Redis', without what makes an error or a status of them."""
    ours = Client().ask("CONFIG", "SET", name, value).decode().strip("\r\n")[1:]
    reply = redis.call(b"CONFIG", b"SET", name.encode(), value.encode())
    redis.line("CONFIG SET maxmemory 0")
    return ours, str(reply) if isinstance(reply, ErrorReply) else "OK"


@pytest.mark.parametrize("value", ODD_NUMBERS)
def test_maxmemory(redis: RedisConnection, value: str) -> None:
    """Redis' notation, from 0 to 1 PiB; all else is refused before the log hears of it."""
    ours, real = answers(redis, "maxmemory", value)
    if real == "OK" and value not in DIFFERENT and bytes_of(value[:25]) <= CAP_BYTES_MAX:
        assert ours == "OK"
        return
    assert ours.startswith(
        "ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be"
    )
    assert ours.endswith(("a memory value", "between 0 and 1125899906842624 inclusive"))
    if real != "OK":
        assert ours == real
    client = Client()
    for attempt in (resp("CONFIG", "SET", "maxmemory", value), resp("MULTI")):
        client.receive(attempt)
    client.receive(resp("CONFIG", "SET", "timeout", "7", "maxmemory", value) + resp("EXEC"))
    assert client.service.works == []
    assert client.service.settings.timeout_s == 0
    assert client.wire.take().count(b"'maxmemory') - argument must be ") == 2


@pytest.mark.parametrize("name", ["timeout", "maxclients"])
@given(st.sampled_from(ODD_NUMBERS) | st.integers(-(2**70), 2**70).map(str) | st.integers(-9, 99).map(str))
@settings(max_examples=30)
def test_numbers(redis: RedisConnection, name: str, value: str) -> None:
    """A number is read as Redis reads it, canonical and in its range, or refused in its words."""
    # Redis asks for the descriptors and the memory of so many clients at once; here they come as clients do.
    assume(
        not (name == "maxclients" and value.isascii() and value.isdigit() and 99 < int(value[:25]) < 2**32)
    )
    ours, real = answers(redis, name, value)
    assert ours == real


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("32mb", 32 << 20),
        ("32MB", 32 << 20),
        ("1g", 10**9),
        ("33554432", 32 << 20),
        ("1tb", None),
        ("-1", None),
    ],
)
def test_a_size_is_read_as_that_of_maxmemory_is(value: str, meant: int | None) -> None:
    """Whoever may write 32mb in one of two settings for bytes tries it in the other; also inside MULTI."""
    client = Client()
    before = client.service.settings.input_bytes_max
    answer = client.ask("CONFIG", "SET", "input-bytes-max", value)
    if meant is None:
        assert answer.endswith(b"'input-bytes-max') - argument must be a memory value\r\n")
        assert client.service.settings.input_bytes_max == before
        return
    assert answer == b"+OK\r\n"
    assert client.ask("CONFIG", "GET", "input-bytes-max").endswith(b"\r\n%d\r\n" % meant)
    client = Client()
    client.say(resp("MULTI") + resp("CONFIG", "SET", "timeout", "7", "input-bytes-max", value) + resp("EXEC"))
    assert (client.service.settings.timeout_s, client.service.settings.input_bytes_max) == (7, meant)
    assert client.ask("CONFIG", "SET", "input-bytes-max", "1mb").endswith(
        b"- argument must be between %d and %d inclusive\r\n" % (LONGEST_REQUEST_BYTES, 1 << 40)
    )


def test_help_names_every_setting_that_can_be_set() -> None:
    """And no other: the line is made from the table that CONFIG SET goes by."""
    client = Client()
    told = re.findall(r"[a-z-]+", client.type("help config set").splitlines()[1])
    names = [line.split('"')[1] for line in client.type("config get *").splitlines() if '": "' in line]
    assert {"maxmemory", "timeout", "reads"} <= {*names}
    for name in names:
        assert (name in told) is not ("immutable" in client.type(f"config set {name} 1")), name
