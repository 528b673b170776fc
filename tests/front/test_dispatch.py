"""From a declaration to who answers, when, and at what cost."""

import attrs
import pytest

from tests.front.doubles import Client, FakeService, resp
from trikv.front.caller import Caller
from trikv.front.commands import TABLE
from trikv.front.commands.table import treats
from trikv.front.connections import Connections
from trikv.front.decisions import Decision, Done, Fail, Treatment
from trikv.front.dispatch import ARGUMENTS_MAX, Route, Routes
from trikv.front.seam import Digest
from trikv.front.turn import Turn
from trikv.machine.declaration import By, Cost, Inside, Said, When, declared
from trikv.machine.replies import OK, CommandError, Reply
from trikv.machine.table import CommandTable
from trikv.protocol.events import Request

OWN = CommandTable()


@OWN.command("NOW", by=By.NODE, group="test", when=When.AT_ONCE)
@OWN.command("THEN", by=By.NODE, group="test")
@OWN.command("ALONE", by=By.NODE, group="test", when=When.ALONE)
@OWN.command("DEAR", by=By.NODE, group="test", cost=Cost(100, connection_us=7))
@OWN.command("NEVERQUEUED", by=By.NODE, group="test", inside=Inside.REFUSED)
@OWN.command("OPEN", by=By.NODE, group="test", before_auth=True, inside=Inside.ACTS)
def handler(caller: Caller) -> Reply:
    """Tell which database is selected."""
    return caller.connection.database


@OWN.command("WORK", by=By.OPERATION, group="test")
def work(_caller: Caller, word: bytes) -> Digest | CommandError:
    """Ask the node for something, or refuse."""
    return Digest() if word == b"please" else CommandError("ERR say please")


def _take(_caller: Caller, turn: Turn, _request: Request) -> Decision:
    return Fail(CommandError("ERR too early")) if len(turn) else Done(OK)


(ODD,) = declared("ODD", handler, Said(by=By.LOG, group="test"))
OWN.add(attrs.evolve(ODD, treatment=Treatment(_take)))

ROUTES = Routes(TABLE.merged_with(OWN))


@pytest.fixture
def client() -> Client:
    """A connection to a node that has these commands."""
    service = FakeService()
    return Client(service, Connections(service.settings), routes=ROUTES)


def route(*args: str) -> Route:
    """The route of a request."""
    found = ROUTES.find(tuple(word.encode() for word in args))
    assert isinstance(found, Route)
    return found


def test_when_a_node_answers(client: Client) -> None:
    """At once, in its turn behind SELECT, or alone: only what has been answered before it shows."""
    before = resp("GET", "a") + resp("SELECT", "3")
    client.receive(before + resp("THEN") + resp("NOW") + resp("ALONE"))
    client.service.pump()
    assert client.wire.take() == b"$-1\r\n+OK\r\n:3\r\n:3\r\n:3\r\n"
    client.receive(resp("GET", "a") + resp("ALONE") + resp("GET", "a"))
    assert [len(one.commands) for one in client.service.works] == [1]
    client.service.pump()
    assert client.wire.take() == b"$-1\r\n:3\r\n$-1\r\n"


def test_an_operation_is_carried_out_when_all_before_it_is_answered(client: Client) -> None:
    """Its handler says what it asks for, or why not: then nothing waits for it."""
    assert client.ask("WORK", "now") == b"-ERR say please\r\n"
    client.receive(resp("GET", "a") + resp("WORK", "please"))
    assert client.service.operations == []
    client.service.pump_one()
    (operation,) = client.service.operations
    assert (operation.name, operation.asked) == ("WORK", Digest())
    client.service.pump()
    assert client.wire.take() == b"$-1\r\n+done WORK\r\n"


def test_inside_a_transaction(client: Client) -> None:
    """Queued, unless it acts or is refused; what is refused spoils it."""
    assert client.say(resp("MULTI") + resp("THEN") + resp("OPEN")) == b"+OK\r\n+QUEUED\r\n:0\r\n"
    assert client.ask("NEVERQUEUED") == b"-ERR Command not allowed inside a transaction\r\n"
    assert client.ask("EXEC").startswith(b"-EXECABORT")


def test_what_decides_ends_the_turn_of_its_exec(client: Client) -> None:
    """What is behind EXEC is read when the outcome is known."""
    client.receive(resp("MULTI") + resp("GET", "a") + resp("ALONE") + resp("EXEC") + resp("GET", "b"))
    assert [len(one.commands) for one in client.service.works] == [1]
    client.service.pump()
    assert client.wire.take().endswith(b"*2\r\n$-1\r\n:0\r\n$-1\r\n")


def test_a_treatment_decides(client: Client) -> None:
    """Not who evaluates the command: that it is the log's does not count."""
    assert client.say(resp("ODD") + resp("ODD")) == b"+OK\r\n-ERR too early\r\n"
    assert client.service.works == []


def test_what_may_be_called_without_the_password() -> None:
    """What is declared so."""
    service = FakeService(requirepass="secret")
    client = Client(service, Connections(service.settings), routes=ROUTES)
    assert client.ask("OPEN") == b":0\r\n"
    assert client.ask("THEN").startswith(b"-NOAUTH")


def test_a_stopping_node_answers_what_is_its_own(client: Client) -> None:
    """Whatever needs the cluster, or is treated, is refused."""
    client.connections.stop_commands("it is stopping")
    assert client.ask("THEN") == b":0\r\n"
    for words in (["GET", "a"], ["SET", "a", "1"], ["WORK", "please"], ["ODD"], ["SELECT", "1"]):
        assert client.ask(*words) == b"-CLUSTERDOWN it is stopping; nothing was done\r\n"


def test_a_refused_exec_ends_its_transaction(client: Client) -> None:
    """As after any other refusal: what comes next is not queued."""
    client.say(resp("MULTI") + resp("THEN"))
    client.connections.stop_commands("it is stopping")
    assert client.ask("EXEC").startswith(b"-CLUSTERDOWN")
    assert client.ask("THEN") == b":0\r\n"


def test_what_the_hot_path_takes() -> None:
    """The machine's commands whose cost is bounded by their bytes, by each usual spelling."""
    assert ROUTES.plain[b"GET"] is ROUTES.plain[b"get"] is ROUTES.by_spelling[b"GET"]
    assert not {b"THEN", b"ODD", b"KEYS", b"APPEND", b"SELECT", b"CONFIG", b"gEt"} & ROUTES.plain.keys()
    assert route("GET", "a").most == 2
    assert route("DEL", "a").most == ARGUMENTS_MAX
    assert route("SET", "a", "1").writes
    assert not route("GET", "a").writes
    assert not route("ODD").writes


def test_what_travels_needs_no_decision(client: Client) -> None:
    """To ask for one is a mistake of the caller's."""
    with pytest.raises(AssertionError, match="travels"):
        route("GET", "a").take(client.conversation.caller, Turn(0), Request((b"GET", b"a"), typed=False))


def test_a_cost_grows_with_connections(client: Client) -> None:
    """By what is declared for each."""
    caller = client.conversation.caller
    assert route("DEAR").cost_us(caller, (b"DEAR",), 0) == 107
    Client(client.service, client.connections)
    assert route("DEAR").cost_us(caller, (b"DEAR",), 0) == 114
    assert route("GET", "a").cost_us(caller, (b"GET", b"a"), 0) == 0


def test_a_copy_costs_by_the_length_of_the_value(client: Client) -> None:
    """Of that key, in whatever database, and of what comes before it in the same step if that is long."""
    caller, args = client.conversation.caller, (b"APPEND", b"a", b"x")
    append = route("APPEND", "a", "x")
    assert append.cost_us(caller, args, 0) == 0
    client.ask("SET", "a", b"v" * (1 << 20))
    assert append.cost_us(caller, args, 0) == 512
    assert append.cost_us(caller, args, 64 << 10) == 512
    assert append.cost_us(caller, args, 1 << 20) == 1024


def test_a_treatment_is_of_a_declared_command() -> None:
    """A misspelt name would change nothing, unnoticed."""
    with pytest.raises(AssertionError, match="nobody declares SLECT"):
        treats("SLECT")(_take)
