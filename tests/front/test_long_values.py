"""A few bytes that change a value of megabytes: how much of that one step may do."""

import pytest

from tests.front.doubles import Client, resp

TOO_LONG = b" and what is queued before it would take too long in one transaction"
MEGABYTE = b"v" * (1 << 20)
BIG = b"v" * ((8 << 20) - 100)


@pytest.fixture
def client() -> Client:
    """A connection to a node that holds a value of eight megabytes, in another database than 0."""
    client = Client()
    client.ask("SELECT", "3")
    client.ask("SET", "big", BIG)
    client.ask("SET", "small", "v")
    return client


def _carried_out(client: Client, most: int) -> int:
    """In how many steps all that was sent is carried out, each of at most so many commands."""
    steps = 0
    while client.service.works:
        assert len(client.service.works[0].commands) <= most
        steps += 1
        client.service.pump_one()
    return steps


@pytest.mark.parametrize("command", [("SETRANGE", "big", "5", "x"), ("APPEND", "big", "x")])
def test_a_pipeline_is_carried_out_in_short_steps(client: Client, command: tuple[str, ...]) -> None:
    """Each submission copies some tens of megabytes at most, so that others come between."""
    client.receive(resp(*command) * 20)
    assert _carried_out(client, 4) >= 5
    assert client.wire.take().count(b"\r\n") == 20


@pytest.mark.parametrize(
    "maker",
    [("SETRANGE", "new", str(len(BIG) - 1), "x"), ("RENAME", "big", "new"), ("RENAMENX", "big", "new")],
    ids=["offset", "renamed", "renamed unless there"],
)
def test_what_a_command_makes_long_counts_for_those_behind_it(client: Client, maker: tuple[str, ...]) -> None:
    """Though its value is short, or not there at all, when the step is put together."""
    client.receive(resp(*maker) + resp("APPEND", "new", "x") * 20)
    assert _carried_out(client, 5) >= 5
    client.wire.take()
    client.ask("SET", "again", BIG)
    client.ask("MULTI")
    client.ask(*(part.replace("big", "again").replace("new", "newer") for part in maker))
    refused = [client.ask("APPEND", "newer", "x").find(TOO_LONG) > 0 for _ in range(20)]
    assert refused.count(True) > 10


def test_what_came_before_multi_counts_inside(client: Client) -> None:
    """It may be carried out in one step with the transaction."""
    queued = resp("APPEND", "new", "x") * 20
    client.receive(resp("SETRANGE", "new", str(len(BIG) - 1), "x") + resp("MULTI") + queued)
    client.service.pump()
    assert client.wire.take().count(TOO_LONG) > 10


def test_ranges_that_are_answered_cost_what_they_copy(client: Client) -> None:
    """Long ones of a pipeline come in several steps, and few fit a transaction; short ones cost nothing."""
    client.receive(resp("GETRANGE", "big", "1", "-1") * 20)
    assert [len(work.commands) for work in client.service.works] == [3]
    client.service.pump()
    assert client.wire.take() == b"$%d\r\n%b\r\n" % (len(BIG) - 1, BIG[1:]) * 20
    client.receive((resp("GETRANGE", "big", "-5", "-1") + resp("GETRANGE", "big", "9", "3")) * 50)
    assert _carried_out(client, 100) == 1
    client.wire.take()
    client.ask("MULTI")
    refused = [client.ask("SUBSTR", "big", "0", "-1").find(TOO_LONG) > 0 for _ in range(9)]
    assert refused == [False] * 2 + [True] * 7


def test_a_pipeline_of_new_long_values_is_carried_out_in_short_steps(client: Client) -> None:
    """An offset makes megabytes of a few bytes, each time for another key."""
    client.receive(
        b"".join(resp("SETRANGE", f"new:{number}", str(len(BIG) - 1), "x") for number in range(20))
    )
    assert _carried_out(client, 2) >= 5


def test_a_transaction_copies_no_more_than_a_step_may(client: Client) -> None:
    """It cannot be cut: too many are refused when they are queued, whatever database a SELECT names."""
    client.ask("SELECT", "0")
    client.ask("MULTI")
    client.ask("SELECT", "3")
    replies = [client.ask("SETRANGE", "big", "5", "x") for _ in range(10)]
    assert replies[0] == b"+QUEUED\r\n"
    assert replies[-1].startswith(b"-ERR SETRANGE and what is queued before it would take too long in one")
    assert client.ask("EXEC").startswith(b"-EXECABORT")
    client.ask("MULTI")
    client.ask("SET", "new", MEGABYTE)
    refused = [client.ask("APPEND", "new", "x").find(TOO_LONG) > 0 for _ in range(100)]
    assert refused.count(True) > 50, "a value that the transaction itself has made is as long"


def test_short_values_are_changed_as_often_as_ever(client: Client) -> None:
    """A pipeline and a transaction of a hundred APPENDs each go in one step."""
    client.receive(resp("APPEND", "small", "x") * 100)
    assert [len(work.commands) for work in client.service.works] == [100]
    client.service.pump()
    client.wire.take()
    client.receive(resp("MULTI") + resp("SETRANGE", "small", "3", "x") * 100 + resp("EXEC"))
    client.service.pump()
    assert client.wire.take().endswith(b"*100\r\n" + b":101\r\n" * 100)
