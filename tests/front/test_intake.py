"""How bytes become turns: what one holds, what cuts it, and what is looked at again behind it."""

import pytest

from tests.front.doubles import Client, resp
from trikv.front.intake import ConversationLimits


def turns(client: Client) -> list[int]:
    """Answer all that was asked; how many commands each submission held."""
    lengths = []
    while client.service.works:
        lengths.append(len(client.service.works[0].commands))
        client.service.pump_one()
    return lengths


@pytest.mark.parametrize(
    ("cut", "answer"),
    [
        (resp("HELLO", "2"), b"*14\r\n"),
        (resp("RESET"), b"+RESET\r\n"),
        (resp("CLIENT", "INFO"), b"$"),
    ],
)
def test_what_decides_or_shows_how_a_connection_stands_comes_alone(cut: bytes, answer: bytes) -> None:
    """All before it has been answered, and nothing behind it has been looked at."""
    client = Client()
    client.receive(resp("SET", "a", "1") + cut + resp("GET", "a"))
    assert len(client.service.works) == 1
    assert client.wire.take() == b""
    assert turns(client) == [1, 1]
    sent = client.wire.take()
    assert sent.startswith(b"+OK\r\n" + answer)
    assert sent.endswith(b"$1\r\n1\r\n")


def test_a_watch_cuts_only_behind_itself() -> None:
    """It goes with what stands before it; the EXEC behind it must know the versions."""
    client = Client()
    client.receive(resp("SET", "a", "1") + resp("WATCH", "a") + resp("GET", "a"))
    assert turns(client) == [2, 1]


def test_a_request_that_waits_for_its_turn_is_kept_whole() -> None:
    """Pushed back for its length, it is counted as unread and comes first in the next turn."""
    client = Client(limits=ConversationLimits(turn_bytes_max=100))
    long = "v" * 5_000
    client.receive(resp("SET", "a", "1") + resp("APPEND", "a", long) + resp("STRLEN", "a"))
    assert client.conversation.waiting_bytes() > 5_000
    assert turns(client) == [1, 1, 1]
    assert client.wire.take() == b"+OK\r\n:5001\r\n:5001\r\n"
    assert client.conversation.waiting_bytes() < 1_000


def test_what_was_pushed_back_is_given_up_with_the_rest() -> None:
    """Closed for its input, a client hears of what is in flight, and nothing behind it is done."""
    client = Client(limits=ConversationLimits(turn_bytes_max=100))
    client.service.settings.input_bytes_max = 100_000
    client.receive(resp("SET", "a", "1") + resp("APPEND", "a", "v" * 60_000))
    other = Client(client.service, client.connections)
    other.receive(resp("SET", "b", "v" * 60_000)[:-10])
    client.service.pump()
    sent = client.wire.take()
    assert sent.startswith(b"+OK\r\n-ERR too much input waits on this node")
    assert client.wire.is_closed
    assert client.service.machine.read(0, [(b"GET", b"a")]) == [b"1"]


def test_a_fault_inside_a_transaction_spoils_it() -> None:
    """What was meant to be queued and could not be read: EXEC must not go on without it."""
    client = Client()
    client.type("multi")
    assert client.type('set a "1').startswith("(error) ERR Protocol error: unbalanced quotes")
    assert client.type("exec").startswith("(error) EXECABORT")
    assert client.type("multi") == "OK\r\n"


def test_nothing_behind_the_last_words_is_read() -> None:
    """QUIT in the middle of a run of plain commands ends it there."""
    client = Client()
    client.receive(resp("INCR", "a") * 3 + resp("QUIT") + resp("INCR", "a") * 3)
    assert turns(client) == [3]
    assert client.wire.take() == b":1\r\n:2\r\n:3\r\n+OK\r\n"
    assert client.service.machine.read(0, [(b"GET", b"a")]) == [b"3"]
