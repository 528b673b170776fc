"""Generated pipelines get byte for byte what Debian's redis-server answers."""

import random
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.front.doubles import Client, resp
from tests.tools import require_tool

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
    server = require_tool("redis-server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        with _connected(port) as connection:
            yield connection
    finally:
        process.terminate()
        process.wait()


def _connected(port: int) -> socket.socket:
    deadline = time.perf_counter() + 10
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=5)
        except ConnectionRefusedError:
            assert time.perf_counter() < deadline


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
