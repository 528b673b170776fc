"""A client's connection in the simulator: what ends it, and what is a finding."""

from typing import Any

import pytest
from trio.testing import memory_stream_pair

from trikv.client.errors import ClosedError
from trikv.sim.workload.connection import Connection


def pair() -> tuple[Connection, Any]:
    """A connection, and the node's end of it."""
    ours: Any
    ours, theirs = memory_stream_pair()
    return Connection(ours, "client1.1", 1), theirs


async def test_what_a_node_says_out_of_turn_is_no_answer() -> None:
    """A node that stops warns who speaks RESP3; the answers stay with their commands."""
    connection, node = pair()
    await connection.send([(b"GET", b"a"), (b"GET", b"b")])
    await node.send_all(b">1\r\n+trikv.shutdown\r\n$1\r\n1\r\n>1\r\n+trikv.shutdown\r\n$1\r\n2\r\n")
    assert await connection.replies(2) == [b"1", b"2"]


async def test_a_goodbye_to_people_is_an_end() -> None:
    """Nothing was asked yet, so a node that stops takes the client for a person; it comes back elsewhere."""
    connection, node = pair()
    await node.send_all(b"# closing: node1 stops\r\n")
    with pytest.raises(ClosedError):
        await connection.replies(1)


async def test_garbage_is_a_finding() -> None:
    """No client may take it for a lost connection, and go on as if nothing had been."""
    connection, node = pair()
    await connection.send([(b"PING",)])
    await node.send_all(b"+PONG\r\nwhat?\r\n")
    assert await connection.replies(1) == [b"PONG"]
    with pytest.raises(AssertionError, match=r"client1\.1: node1: does not speak"):
        await connection.replies(1)
