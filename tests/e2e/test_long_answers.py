"""Long answers of a real node, to clients of every kind: fast, slow, gone, typed."""

import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.e2e.clients import Resp, Typist
from tests.e2e.cluster import eventually
from tests.e2e.single import Single

pytestmark = pytest.mark.e2e

KEYS = 60_000
VALUE = b"x" * (4 << 20)
SLOW_S = 60.0
"""Longer than the window of a slow reader, on a machine that does other work, too."""


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Single]:
    """A node with many keys and a long value."""
    directory: Path = tmp_path_factory.mktemp("long")
    with Single(directory, "--maxmemory", "1gb") as node:
        node.wait_until_it_leads()
        with Resp(node.port, wait_s=SLOW_S) as client:
            for first in range(0, KEYS, 1000):
                client.pipeline(*[("SET", f"{'k' * 100}:{n}", "v") for n in range(first, first + 1000)])
            client.call("SELECT", "1")
            client.call("SET", "long", VALUE)
        yield node


def _kept(node: Single) -> tuple[str, str]:
    info = node.info()
    return info["long_reads"], info["long_reads_kept_bytes"]


def test_all_keys_are_answered(node: Single) -> None:
    """By redis-py, redis-cli, and in both versions of the protocol; the next command has its own answer."""
    for protocol in (2, 3):
        with redis.Redis(port=node.port, protocol=protocol, socket_timeout=SLOW_S) as client:
            pipeline = client.pipeline(transaction=False)
            found, one, size = pipeline.keys("*").keys("*:77").dbsize().execute()
            assert (len(set(found)), one, size) == (KEYS, [b"k" * 100 + b":77"], KEYS)
    program = ["redis-cli", "-p", str(node.port), "keys", "*"]
    listed = subprocess.run(program, capture_output=True, check=True, timeout=SLOW_S).stdout.split()
    assert len(set(listed)) == KEYS
    assert _kept(node) == ("0", "0")


def test_a_person_sees_all_of_them(node: Single) -> None:
    """Numbered to the end."""
    with Typist(node.port, wait_s=SLOW_S) as person:
        person.type("keys *")
        for number in range(1, KEYS + 1):
            assert person.line().lstrip().startswith(f'{number}) "k')
        assert person.ask("dbsize") == f"(integer) {KEYS}"


def test_a_pipeline_of_long_values_is_answered_whole(node: Single) -> None:
    """68 MiB behind an INCR, and 120 MiB of reads alone."""
    with redis.Redis(port=node.port, db=1, socket_timeout=SLOW_S) as client:
        for reads in (17, 30):
            pipeline = client.pipeline(transaction=False)
            if reads == 17:
                pipeline.incr("number")
            for _ in range(reads):
                pipeline.get("long")
            answers = pipeline.execute()
            assert [answer == VALUE for answer in answers[-reads:]] == [True] * reads
            assert answers[0] in (1, VALUE)


def test_a_reader_that_vanishes_ends_its_read(node: Single) -> None:
    """At once: nothing is kept for it any more."""
    connection = socket.create_connection(("127.0.0.1", node.port))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.sendall(b"*2\r\n$4\r\nKEYS\r\n$1\r\n*\r\n")
    eventually(lambda: _kept(node)[0] == "1", within_s=SLOW_S, what="a read that waits")
    connection.close()
    eventually(lambda: _kept(node) == ("0", "0"), within_s=SLOW_S, what="its end")


def test_a_reader_of_a_kilobyte_a_second_is_closed(node: Single) -> None:
    """In time, and counted; others have been served meanwhile."""
    closed = int(node.info()["client_output_buffer_limit_disconnections"])
    with socket.socket() as connection, Resp(node.port, wait_s=SLOW_S) as other:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", node.port))
        connection.sendall(b"*2\r\n$4\r\nKEYS\r\n$1\r\n*\r\n")
        info = node.info()
        for _ in range(int(SLOW_S)):
            if int(info["client_output_buffer_limit_disconnections"]) > closed:
                break
            connection.recv(1024)
            assert other.call("DBSIZE") == KEYS
            time.sleep(1)
            info = node.info()
        assert int(info["client_output_buffer_limit_disconnections"]) == closed + 1
        assert int(info["long_answers_given_up"]) >= 1
        assert _kept(node) == ("0", "0")
