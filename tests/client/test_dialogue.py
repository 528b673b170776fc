"""One connection without the connection: order, bounds, what is no reply."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trikv.client.dialogue import PUSH_BYTES_MAX, Dialogue
from trikv.client.errors import ClosedError, FloodError, GarbledError
from trikv.client.replies import NEED_DATA

PUSH = b">2\r\n+message\r\n$5\r\nhello\r\n"
PUSHED = [b"message", b"hello"]
TALK = PUSH + b"+OK\r\n" + PUSH + PUSH + b"*2\r\n$1\r\na\r\n:1\r\n$-1\r\n" + PUSH
REPLIES = [b"OK", [b"a", 1], None]


def told(dialogue: Dialogue) -> list[Any]:
    """All replies that are whole."""
    replies = []
    while (reply := dialogue.next_reply()) is not NEED_DATA:
        replies.append(reply)
    return replies


@given(st.lists(st.integers(1, len(TALK) - 1)))
def test_however_the_bytes_are_cut_the_replies_are_the_same(cuts: list[int]) -> None:
    """And push messages are none of them, nor lost."""
    places = [0, *sorted(set(cuts)), len(TALK)]
    dialogue, replies = Dialogue("x"), []
    dialogue.ask([("A",), ("B",), ("C",)])
    for start, end in pairwise(places):
        dialogue.receive(TALK[start:end])
        replies += told(dialogue)
    assert replies == REPLIES
    assert dialogue.owed == 0
    assert dialogue.take_pushes() == [PUSHED] * 4


def test_push_messages_are_there_with_the_reply_behind_them() -> None:
    """Each is given once; what came behind the last reply given out comes with the next."""
    dialogue = Dialogue("x")
    dialogue.receive(TALK)
    assert dialogue.take_pushes() == []
    assert dialogue.next_reply() == b"OK"
    assert dialogue.take_pushes() == [PUSHED]
    assert dialogue.next_reply() == [b"a", 1]
    assert dialogue.take_pushes() == [PUSHED, PUSHED]
    assert dialogue.take_pushes() == []


def test_push_messages_that_nobody_takes_end_the_connection() -> None:
    """None is dropped in silence, and the memory they take is bounded, however small or nested they are."""
    for push in (b">1\r\n+m\r\n", b">2\r\n+m\r\n*1\r\n$900\r\n%b\r\n" % (b"x" * 900)):
        dialogue = Dialogue("x")
        for _ in range(PUSH_BYTES_MAX // 1200):
            dialogue.receive(push)
            assert dialogue.next_reply() is NEED_DATA
        dialogue.receive(push * (PUSH_BYTES_MAX // 64))
        with pytest.raises(FloodError, match="push messages"):
            dialogue.next_reply()


def test_who_takes_push_messages_may_get_any_number() -> None:
    """The bound is on what waits."""
    dialogue = Dialogue("x")
    for _ in range(3 * PUSH_BYTES_MAX // len(PUSH)):
        dialogue.receive(PUSH)
        assert dialogue.next_reply() is NEED_DATA
        assert dialogue.take_pushes() == [PUSHED]


def test_nothing_is_asked_while_a_reply_is_owed() -> None:
    """The late reply would be taken for the answer to the next command."""
    dialogue = Dialogue("x")
    dialogue.demand_nothing_owed()
    assert dialogue.ask([("PING",), ("PING",)]) == b"*1\r\n$4\r\nPING\r\n" * 2
    dialogue.receive(b"+PONG\r\n")
    assert dialogue.next_reply() == b"PONG"
    with pytest.raises(ConnectionError, match="x: was asked before"):
        dialogue.demand_nothing_owed()
    dialogue.receive(b"+PONG\r\n")
    assert dialogue.next_reply() == b"PONG"
    dialogue.demand_nothing_owed()


def test_what_a_server_says_unasked_is_no_debt() -> None:
    """A subscriber of RESP2 gets messages that look like replies."""
    dialogue = Dialogue("x")
    dialogue.receive(b"*1\r\n+message\r\n")
    assert dialogue.next_reply() == [b"message"]
    assert dialogue.owed == 0


def test_a_reply_without_end_is_cut_off() -> None:
    """A reply may be as long as the bound, not longer; many short ones may be more together."""
    dialogue = Dialogue("x", reply_bytes_max=100_000)
    for _ in range(50):
        dialogue.receive(b"$90000\r\n" + bytes(90_000) + b"\r\n")
        assert dialogue.next_reply() == bytes(90_000)
    dialogue.receive(b"$200000\r\n" + bytes(90_000))
    assert dialogue.next_reply() is NEED_DATA
    with pytest.raises(FloodError, match="x: a reply of more than 100000 bytes"):
        dialogue.receive(bytes(20_000))


def test_a_list_without_end_is_cut_off() -> None:
    """Though each of its elements is short."""
    dialogue = Dialogue("x", reply_bytes_max=10_000)
    dialogue.receive(b"*100000\r\n")
    for _ in range(2400):
        dialogue.receive(b":1\r\n")
        assert dialogue.next_reply() is NEED_DATA
    with pytest.raises(FloodError):
        dialogue.receive(b":1\r\n" * 100)


def test_an_end_in_order_is_told() -> None:
    """Whether a reply was owed or not, in the middle of one or not."""
    for before in (b"", b"+OK\r\n", b"$5\r\nab"):
        dialogue = Dialogue("x")
        if before:
            dialogue.receive(before)
        with pytest.raises(ClosedError, match="x: closed the connection"):
            dialogue.receive(b"")


def test_what_does_not_speak_the_protocol_is_said_to_be_that() -> None:
    """By its name."""
    dialogue = Dialogue("x")
    dialogue.receive(b"HTTP/1.1 200 OK\r\n")
    with pytest.raises(GarbledError, match="x: does not speak the Redis protocol"):
        dialogue.next_reply()


def test_a_nodes_goodbye_to_people_is_an_end() -> None:
    """A node that stops says it before anything was asked; later the same bytes are a boolean, or garbage."""
    for first in (b"# closing: node1 stops\r\n", b"#"):
        with pytest.raises(ClosedError):
            Dialogue("x").receive(first)
    dialogue = Dialogue("x")
    dialogue.receive(b"+OK\r\n")
    dialogue.receive(b"#t\r\n# closing\r\n")
    assert [dialogue.next_reply(), dialogue.next_reply()] == [b"OK", True]
    with pytest.raises(GarbledError):
        dialogue.next_reply()
