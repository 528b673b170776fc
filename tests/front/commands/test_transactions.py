"""MULTI, EXEC, DISCARD and UNWATCH as words: what each answers outside of its place."""

import pytest

from tests.front.doubles import Client, resp


@pytest.fixture
def client() -> Client:
    """A fresh connection to a fresh node."""
    return Client()


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("EXEC", b"-ERR EXEC without MULTI\r\n"),
        ("DISCARD", b"-ERR DISCARD without MULTI\r\n"),
        ("UNWATCH", b"+OK\r\n"),
    ],
)
def test_outside_of_multi(client: Client, word: str, answer: bytes) -> None:
    """What ends a transaction is an error where none was begun; forgetting no watches is none."""
    assert client.ask(word) == answer


@pytest.mark.parametrize("words", [("MULTI", "x"), ("EXEC", "x"), ("DISCARD", "x"), ("UNWATCH", "x")])
def test_they_take_no_arguments(client: Client, words: tuple[str, str]) -> None:
    """Redis' error; inside of MULTI it spoils the transaction like any other."""
    refused = b"-ERR wrong number of arguments for '%b' command\r\n" % words[0].lower().encode()
    assert client.ask(*words) == refused
    assert client.say(resp("MULTI") + resp(*words) + resp("EXEC")) == (
        b"+OK\r\n" + refused + b"-EXECABORT Transaction discarded because of previous errors.\r\n"
    )


def test_a_nested_multi_does_no_harm(client: Client) -> None:
    """It is refused at once, and the transaction goes on: as in Redis it is not spoiled by it."""
    answer = client.say(resp("MULTI") + resp("MULTI") + resp("SET", "a", "1") + resp("EXEC"))
    assert answer == b"+OK\r\n-ERR MULTI calls can not be nested\r\n+QUEUED\r\n*1\r\n+OK\r\n"


def test_a_discarded_transaction_leaves_nothing(client: Client) -> None:
    """Neither its commands nor its watches: a change of what was watched before does no harm behind it."""
    client.say(resp("WATCH", "a") + resp("MULTI") + resp("SET", "b", "1"))
    assert client.ask("DISCARD") == b"+OK\r\n"
    Client(client.service, client.connections).ask("SET", "a", "1")
    assert client.ask("EXISTS", "b") == b":0\r\n"
    assert client.say(resp("MULTI") + resp("GET", "a") + resp("EXEC")).endswith(b"*1\r\n$1\r\n1\r\n")
