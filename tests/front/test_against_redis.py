"""Generated pipelines get byte for byte what Debian's redis-server answers."""

import random
import socket
from collections.abc import Iterator

import pytest

from tests.front.doubles import Client, resp
from tests.redis_server import RedisServer

_END = b"<end of the pipeline>"
_COMMANDS = """
GET a|GET b|INCR a|INCR b|SET a 1|SET b text|DEL a|MGET a b|DBSIZE|SELECT 0|
SELECT 1|SELECT 99|SELECT x|MULTI|MULTI|EXEC|EXEC|DISCARD|WATCH a|WATCH b|UNWATCH|
PING|PING a b|ECHO hi|NOPE x y|GET|RESET|LASTSAVE x|CLIENT|CLIENT GETNAME|
CLIENT SETNAME x|CLIENT FOO|CLIENT KILL ID 77777|CLIENT KILL foo|CLIENT LIST ID x|
CONFIG SET timeout x|CONFIG GET timeout|CONFIG SET maxmemory 10gb|CONFIG SET maxmemory q|
CONFIG SET timeout 0 timeout 0|AUTH x|AUTH default x|HELLO 4|HELLO 2 FOO|MEMORY FOO|
COMMAND FOO|READONLY|SHUTDOWN foo|ROLE x|WATCH|
"""
"""Separated by bars; those that may occur often stand twice."""


@pytest.fixture(scope="module")
def redis() -> Iterator[socket.socket]:
    """A connection to a redis-server of our own."""
    with (
        RedisServer() as server,
        server.connect(),  # which waits until it serves
        socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection,
    ):
        yield connection


def _asked(redis: socket.socket, data: bytes) -> bytes:
    redis.sendall(data + resp("RESET") + resp("PING", _END))
    tail = b"+RESET\r\n$%d\r\n%b\r\n" % (len(_END), _END)
    answer = b""
    while not answer.endswith(tail):
        answer += redis.recv(1 << 16)
    return answer.removesuffix(tail)


@pytest.mark.parametrize("seed", range(40))
def test_pipelines_answer_as_redis_does(redis: socket.socket, seed: int) -> None:
    """Transactions, watches, databases and errors, thirty commands in one go."""
    draw = random.Random(seed)
    lines = draw.choices(_COMMANDS.split("|"), k=30)
    pipeline = b"".join(resp(*line.split()) for line in lines)
    _asked(redis, resp("CONFIG", "SET", "maxmemory", "0") + resp("FLUSHALL"))
    assert Client().say(pipeline) == _asked(redis, pipeline), lines


_INTEGERS = (
    "01",
    "-0",
    "+1",
    " 1",
    "1 ",
    "",
    "-",
    "x",
    "1.5",
    "1_0",
    "0x1",
    str(-(1 << 63) - 1),
    str(1 << 63),
)
"""What Redis does not read as an integer: too long, or not written in the one way."""
_WITH_NUMBER = """
WAIT # 0|WAIT 0 #|SELECT #|HELLO #|CLIENT LIST ID #|CLIENT KILL ID #|CONFIG SET timeout #|
CONFIG SET maxclients #|EXPIRE k #|PEXPIREAT k #|SET k v EX #|SETEX k # v|INCRBY k #|DECRBY k #|
GETRANGE k # 2|GETRANGE k 0 #|SETRANGE k # v|SCAN 0 COUNT #|MEMORY USAGE k SAMPLES #
"""
"""Separated by bars: every argument that is read as an integer, as #."""


@pytest.mark.parametrize("line", _WITH_NUMBER.replace("\n", "").split("|"))
def test_every_integer_is_read_as_redis_reads_it(redis: socket.socket, line: str) -> None:
    """Strictly, everywhere, and refused in the same words; the bounds of 64 bits belong to it."""
    _asked(redis, resp("FLUSHALL"))
    for number in _INTEGERS:
        request = resp(*[number if word == "#" else word for word in line.split()])
        assert Client().say(request) == _asked(redis, request), number


_REFUSALS = """
COMMAND GETKEYS PING x|COMMAND GETKEYS NOSUCH x|COMMAND GETKEYS|COMMAND GETKEYS GET a b|COMMAND COUNT x|
COMMAND LIST FILTERBY|COMMAND LIST FILTERBY X y|COMMAND GETKEYSANDFLAGS PING x|SHUTDOWN ABORT|
SHUTDOWN ABORT ABORT|SHUTDOWN ABORT NOSAVE|SHUTDOWN NOSAVE SAVE|BGSAVE FOO|BGSAVE SCHEDULE x|SAVE x|WAIT|
WAIT 1|WAIT 1 2 3|WAIT x -1|WAIT 0 -1|HELLO 1|HELLO -2|HELLO 2 AUTH|HELLO 2 AUTH a b|HELLO 2 SETNAME|AUTH|
AUTH a|AUTH a b c|PING a b|ECHO|SELECT|SELECT 16|SELECT -1|SELECT 99999999999|CLIENT ID x|CLIENT SETNAME|
CLIENT LIST FOO|CLIENT LIST TYPE|CLIENT LIST TYPE foo|CLIENT LIST ID|CLIENT LIST ID 0|CLIENT KILL|
CLIENT KILL ID 0|CLIENT KILL ID 9223372036854775807|CLIENT KILL TYPE foo|CLIENT KILL USER foo|
CLIENT KILL SKIPME foo|CLIENT KILL FOO bar|CLIENT KILL ID 99 FOO|CONFIG|CONFIG GET|CONFIG SET|
CONFIG SET timeout|CONFIG SET foo bar|CONFIG SET timeout 5 foo|CONFIG SET timeout 5 timeout 6|
CONFIG SET timeout 99999999999|CONFIG SET maxmemory -1|CONFIG SET maxmemory 1xb|CONFIG SET maxmemory 1.5mb|
CONFIG SET databases 5|CONFIG RESETSTAT x|EXEC|DISCARD|UNWATCH x|MULTI x|ROLE x|READWRITE|DEBUG|MEMORY|
MEMORY USAGE|RESET x|INFO nosuch
"""
"""Separated by bars: what a node refuses by itself, or finds empty."""


@pytest.mark.parametrize("line", _REFUSALS.replace("\n", "").split("|"))
def test_what_a_node_refuses_it_refuses_in_redis_words(redis: socket.socket, line: str) -> None:
    """Clients look into the texts of errors."""
    request = resp(*line.split())
    assert Client().say(request) == _asked(redis, request)
