"""What a client may ask for in one go: bounded in time, not only in bytes."""

from tests.front.doubles import Client, resp
from trikv.front.dispatch import ARGUMENTS_MAX


def test_a_command_of_too_many_arguments_is_refused() -> None:
    """Every replica applies a command in one step: half a million keys would depose the leader."""
    client = Client()
    pairs = ["v"] * (ARGUMENTS_MAX - 1)
    assert client.say(resp("MSET", *pairs[1:])) == b"+OK\r\n"
    assert client.say(resp("MSET", *pairs, "v")).startswith(b"-ERR too many arguments: at most 16384")
    assert client.say(resp("PING")) == b"+PONG\r\n"


def test_a_transaction_of_too_many_commands_is_refused() -> None:
    """The command past the bound is refused as it is queued, and EXEC then refuses the whole."""
    client = Client()
    replies = client.say(resp("MULTI") + resp("INCR", "n") * 6000 + resp("EXEC"))
    assert replies.count(b"+QUEUED") == ARGUMENTS_MAX // 3
    assert b"-ERR too many arguments" in replies
    assert replies.endswith(b"-EXECABORT Transaction discarded because of previous errors.\r\n")
    assert client.say(resp("EXISTS", "n")) == b":0\r\n"


def test_keys_and_scan_are_answered_few_at_a_time() -> None:
    """Each KEYS is a submission of its own, so that others have their turn between two of them."""
    client = Client()
    client.receive(resp("KEYS", "*") * 5)
    assert client.service.pump() == 5
    assert client.wire.take() == b"*0\r\n" * 5
    client.receive(resp("SCAN", "0") * 4)
    assert client.service.pump() == 2
    assert client.wire.take() == b"*2\r\n$1\r\n0\r\n*0\r\n" * 4


def test_only_one_keys_fits_a_transaction() -> None:
    """A transaction is one step of the machine and cannot be cut."""
    client = Client()
    client.say(resp("MULTI"))
    assert client.say(resp("KEYS", "*")) == b"+QUEUED\r\n"
    assert client.say(resp("KEYS", "*")).startswith(b"-ERR")


def test_an_action_knows_that_its_client_has_gone() -> None:
    """WAIT 9 0 would otherwise wait for ever for nobody; its answer still counts it out of flight."""
    client = Client()
    client.receive(resp("WAIT", "9", "0"))
    (operation,) = client.service.operations
    assert not operation.abandoned
    client.conversation.closed()
    assert operation.abandoned
    assert client.connections.in_flight() == 1
    operation.answered(0)
    assert client.connections.in_flight() == 0
