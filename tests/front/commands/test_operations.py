"""What a node carries out off the hot path: which words it is asked in, and what reaches it."""

import pytest

from tests.front.doubles import Client, FakeService, resp
from trikv.front.connections import Connections
from trikv.front.seam import Asked, Backup, Digest, Save, Shutdown, Wait, WaitAof


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
        (("WAITAOF", "0", "0", "0"), WaitAof(0, 0, 0)),
        (("WAITAOF", "1", "2", "500"), WaitAof(1, 2, 500)),
        (("WAIT", str((1 << 63) - 1), str((1 << 63) - 1)), Wait((1 << 63) - 1, (1 << 63) - 1)),
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


@pytest.mark.parametrize("number", [str(1 << 63), "", "-", "1.5", "0x1", "01", "-0", "+1", " 1", "1_0"])
def test_numbers_of_wait_are_whole_and_written_in_the_one_way(client: Client, number: str) -> None:
    """What Redis would not read is refused before anybody waits for it."""
    assert client.ask("WAIT", number, "0") == b"-ERR value is not an integer or out of range\r\n"
    assert client.ask("WAIT", "0", number) == b"-ERR timeout is not an integer or out of range\r\n"
    assert client.service.operations == []


@pytest.mark.parametrize("timeout", ["-1", str(-(1 << 63))])
def test_a_wait_has_no_negative_limit(client: Client, timeout: str) -> None:
    """However large it is; the number of replicas, which is read first, may be negative."""
    assert client.ask("WAIT", "-5", timeout) == b"-ERR timeout is negative\r\n"
    assert client.ask("WAIT", "01", timeout) == b"-ERR value is not an integer or out of range\r\n"


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("x 0 0", "value is not an integer or out of range"),
        ("2 0 0", "value is out of range, value must between 0 and 1"),
        ("-1 0 0", "value is out of range, value must between 0 and 1"),
        ("1 x 0", "value is out of range, must be positive"),
        ("1 -1 0", "value is out of range, must be positive"),
        ("1 0 x", "timeout is not an integer or out of range"),
        ("1 0 -1", "timeout is negative"),
    ],
)
def test_words_of_waitaof_are_judged_as_redis_judges_them(client: Client, words: str, error: str) -> None:
    """In Redis 7.2's words; there is one local disk, so no more can be asked for."""
    assert client.ask("WAITAOF", *words.split()) == f"-ERR {error}\r\n".encode()
    assert client.service.operations == []


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("abort", "ERR No shutdown in progress."),
        ("ABORT ABORT", "ERR No shutdown in progress."),
        ("ABORT NOSAVE", "ERR syntax error"),
        ("NOW ABORT", "ERR syntax error"),
        ("SAVE NOSAVE", "ERR syntax error"),
        ("NOW SOON", "ERR syntax error"),
    ],
)
def test_words_that_stop_no_node(client: Client, words: str, error: str) -> None:
    """ABORT stands alone, as in Redis, and finds nothing to take back."""
    assert client.ask("SHUTDOWN", *words.split()) == f"-{error}\r\n".encode()
    assert client.service.operations == []


def test_who_waits_for_others_is_blocked_and_who_waits_for_this_node_is_not() -> None:
    """INFO and CLIENT LIST tell it as Redis does; a limit puts a client into the table of time-outs, too."""
    service = FakeService()
    connections = Connections(service.settings)
    clients = [Client(service, connections) for _ in range(4)]
    for client, words in zip(clients, ("WAIT 9 0", "WAITAOF 1 9 50", "BACKUP", "PING"), strict=True):
        client.receive(resp(*words.split()))
    figures = connections.statistics()
    assert (figures.blocked, figures.blocked_for_a_time) == (2, 1)
    lines = [client.conversation.connection.describe(service.now_ms) for client in clients]
    assert [" flags=b " in line for line in lines] == [True, True, False, False]
    told = clients[3].ask("INFO", "clients").decode()
    assert "\r\nblocked_clients:2\r\n" in told
    assert "\r\nclients_in_timeout_table:1\r\n" in told
    assert (connections.statistics().blocked, connections.statistics().blocked_for_a_time) == (0, 0)
