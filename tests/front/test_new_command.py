"""A new command is one function: here are two, in a table of their own, and where they are found."""

import pytest

from tests.front.doubles import Client, FakeService, resp
from tests.front.reference import generated
from trikv.front.caller import Caller
from trikv.front.commands import TABLE
from trikv.front.connections import Connections
from trikv.front.dispatch import Routes
from trikv.machine import commands
from trikv.machine.database import Database
from trikv.machine.declaration import By, Cost, Told
from trikv.machine.grammar import Key
from trikv.machine.machine import Machine
from trikv.machine.replies import Reply
from trikv.machine.table import CommandTable
from trikv.machine.telling import categories_of

OWN = CommandTable()


@OWN.command("SWAP", by=By.LOG, group="keys", fast=True, grows=True, complexity="O(1)", told=Told("9.9.9"))
def swap(db: Database, key: Key, other: Key, *_options: bytes) -> Reply:
    """Exchange the values of two keys."""
    values = [db.string(each) for each in (other, key)]
    for each, value in zip((key, other), values, strict=True):
        db.drop(each)
        if value is not None:
            db.store(each, value, 0)
    return 2 - values.count(None)


@OWN.command("WHOAMI", by=By.NODE, group="connection", cost=Cost(10_000), options="[GREETING greeting]")
def whoami(caller: Caller, *options: bytes) -> Reply:
    """Say who asks."""
    return b" ".join([*options[1:], caller.connection.remote.encode()])


ALL = TABLE.merged_with(OWN)


class NewClient(Client):
    """A client of a node that knows the two commands."""

    def __init__(self, **settings: object) -> None:
        service = FakeService(Machine(commands.TABLE.merged_with(OWN)), **settings)
        super().__init__(service, Connections(service.settings), routes=Routes(ALL))


@pytest.fixture
def client() -> NewClient:
    """One connection."""
    return NewClient()


def test_it_is_evaluated(client: NewClient) -> None:
    """By the log, or by the node; its arity is checked, and a person is helped."""
    assert client.say(resp("SET", "a", "1") + resp("swap", "a", "b") + resp("MGET", "a", "b")) == (
        b"+OK\r\n:1\r\n*2\r\n$-1\r\n$1\r\n1\r\n"
    )
    assert client.ask("WHOAMI", "GREETING", "hi") == b"$18\r\nhi 127.0.0.1:50001\r\n"
    assert client.ask("SWAP", "a") == b"-ERR wrong number of arguments for 'swap' command\r\n"
    person = NewClient()
    assert person.type("swap a").endswith("usage: SWAP key other [_option ...]\r\n")
    assert person.type("swapp a b").endswith("did you mean swap?\r\n")


def test_it_is_counted(client: NewClient) -> None:
    """Under its own name."""
    client.ask("SWAP", "a", "b")
    client.ask("WHOAMI")
    counts = client.service.counters.tally.commands()
    assert (counts["SWAP"].calls, counts["WHOAMI"].calls) == (1, 1)


def test_it_is_queued_inside_a_transaction(client: NewClient) -> None:
    """The machine's is part of the step, the node's is woven in, and what costs a whole turn fits in once."""
    lines = [resp(*words) for words in (["MULTI"], ["SET", "a", "1"], ["SWAP", "a", "b"], ["WHOAMI"])]
    assert client.say(b"".join(lines) + resp("EXEC")) == (
        b"+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n+OK\r\n:1\r\n$15\r\n127.0.0.1:50001\r\n"
    )
    refused = b"+OK\r\n+QUEUED\r\n-ERR WHOAMI and what is queued before it would take too long"
    assert client.say(resp("MULTI") + resp("WHOAMI") + resp("WHOAMI")).startswith(refused)


def test_its_cost_ends_a_turn(client: NewClient) -> None:
    """It is as much as one client may have at a time: whoever else waits comes next."""
    client.receive(resp("WHOAMI") + resp("WHOAMI"))
    assert client.wire.take().count(b"50001") == 1
    client.service.pump()
    assert client.wire.take().count(b"50001") == 1


def test_it_needs_the_password() -> None:
    """As every command that is not declared otherwise."""
    client = NewClient(requirepass="secret")
    for words in (("SWAP", "a", "b"), ("WHOAMI",)):
        assert client.ask(*words) == b"-NOAUTH Authentication required.\r\n"


def test_clients_are_told(client: NewClient) -> None:
    """COMMAND and its subcommands, with flags, categories and keys."""
    for told in (client.ask("COMMAND"), client.ask("COMMAND", "INFO", "swap")):
        assert b"$4\r\nswap\r\n:-3\r\n*2\r\n+write\r\n+fast\r\n:1\r\n:2\r\n:1\r\n" in told
        assert b"*3\r\n+@keyspace\r\n+@write\r\n+@fast\r\n" in told
    more = int(client.ask("COMMAND", "COUNT")[1:]) - int(Client().ask("COMMAND", "COUNT")[1:])
    assert more == len(OWN)
    assert b"\r\nswap\r\n" in client.ask("COMMAND", "LIST")
    assert client.ask("COMMAND", "LIST", "FILTERBY", "PATTERN", "wh*") == b"*1\r\n$6\r\nwhoami\r\n"
    assert b"\r\nswap\r\n" in client.ask("COMMAND", "LIST", "FILTERBY", "ACLCAT", "write")
    assert client.ask("COMMAND", "GETKEYS", "swap", "x", "y", "z") == b"*2\r\n$1\r\nx\r\n$1\r\ny\r\n"
    docs = client.ask("COMMAND", "DOCS", "swap")
    for part in (b"Exchange the values of two keys.", b"9.9.9", b"generic", b"O(1)", b"other"):
        assert part + b"\r\n" in docs
    assert b"$5\r\ntoken\r\n$8\r\nGREETING\r\n" in client.ask("COMMAND", "DOCS", "whoami")


def test_people_are_told(client: NewClient) -> None:
    """Help by name and by family, and the reference."""
    assert (
        client.type("help swap") == "SWAP key other [_option ...]\r\n    Exchange the values of two keys.\r\n"
    )
    assert "WHOAMI [GREETING greeting]" in client.type("help connection")
    assert "swap" in client.type("help groups")
    text = generated(ALL)
    assert "| `SWAP key other [_option ...]` | Exchange the values of two keys. | log |\n" in text
    assert "| `WHOAMI [GREETING greeting]` | Say who asks. | node |\n" in text


def test_users_could_be_allowed_it() -> None:
    """It has its ACL categories."""
    swap_, whoami_ = (OWN.get(name) for name in ("swap", "whoami"))
    assert swap_ is not None
    assert whoami_ is not None
    assert categories_of(swap_) == ("keyspace", "write", "fast")
    assert categories_of(whoami_) == ("slow", "connection")


def test_no_other_node_knows_it() -> None:
    """A table of its own changes no other."""
    assert Client().ask("SWAP", "a", "b").startswith(b"-ERR unknown command 'SWAP'")
    assert TABLE.get("swap") is TABLE.get("whoami") is None
