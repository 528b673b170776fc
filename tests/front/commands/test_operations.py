"""What a node carries out off the hot path: which words it is asked in, and what reaches it."""

import pytest

from tests.front.doubles import Client, resp
from trikv.front.seam import Asked, Backup, Digest, Save, Shutdown, Wait


@pytest.fixture
def client() -> Client:
    """A fresh connection to a fresh node."""
    return Client()


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (("BACKUP",), Backup()),
        (("SAVE",), Save(in_background=False)),
        (("BGSAVE",), Save(in_background=True)),
        (("BGSAVE", "schedule"), Save(in_background=True)),
        (("DIGEST",), Digest()),
        (("SHUTDOWN",), Shutdown()),
        (("SHUTDOWN", "nosave", "NOW", "force"), Shutdown()),
        (("WAIT", "-1", "0"), Wait(-1, 0)),
    ],
)
def test_an_operation_reaches_the_node_with_its_arguments(
    client: Client, words: tuple[str, ...], asked: Asked
) -> None:
    """In whatever case its name was written; what the arguments ask goes to the node, whose reply it is."""
    name, *args = words
    client.receive(resp(name.lower(), *args))
    (operation,) = client.service.operations
    assert (operation.name, operation.asked) == (name, asked)
    client.service.pump()
    assert client.wire.take() == b"+done %b\r\n" % name.encode()


def test_no_operation_may_be_part_of_a_transaction(client: Client) -> None:
    """It takes its time, and a transaction is one step: the command is refused, and EXEC with it."""
    assert client.ask("MULTI") == b"+OK\r\n"
    assert client.ask("BACKUP") == b"-ERR Command not allowed inside a transaction\r\n"
    assert client.ask("EXEC").startswith(b"-EXECABORT")
    assert client.service.operations == []


def test_an_operation_of_a_client_that_sends_no_more_is_abandoned_and_still_answered(client: Client) -> None:
    """A WAIT without a limit would outlive its client; what it finds by then is sent behind a half-close."""
    client.receive(resp("WAIT", "9", "0"))
    client.conversation.ended()
    (operation,) = client.service.operations
    assert operation.abandoned
    assert not client.wire.is_closed
    operation.answered(1)
    assert client.wire.take() == b":1\r\n"
    assert client.wire.is_closed


@pytest.mark.parametrize("number", ["9" * 19, "", "-", "1.5", "0x1"])
def test_numbers_of_wait_are_short_and_whole(client: Client, number: str) -> None:
    """What Redis would not read is refused before anybody waits for it."""
    assert client.ask("WAIT", number, "0") == b"-ERR value is not an integer or out of range\r\n"
    assert client.ask("WAIT", "0", number) == b"-ERR timeout is not an integer or out of range\r\n"
    assert client.service.operations == []
