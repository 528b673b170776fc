"""MULTI, EXEC, DISCARD, WATCH: Redis' rules on top of one machine step."""

import pytest

from tests.front.doubles import CLUSTERDOWN, Client, resp
from trikv.front.intake import ConversationLimits
from trikv.front.transaction import WATCHED_KEYS_MAX
from trikv.machine.batch import Transaction

ABORTED = b"-EXECABORT Transaction discarded because of previous errors.\r\n"


@pytest.fixture
def client() -> Client:
    """A fresh connection to a fresh node."""
    return Client()


def test_a_transaction_is_one_step_of_one_work(client: Client) -> None:
    """The commands between MULTI and EXEC travel together; EXEC answers the list of their replies."""
    client.receive(
        resp("INCR", "a")
        + resp("MULTI")
        + resp("SET", "a", "5")
        + resp("INCR", "a")
        + resp("EXEC")
        + resp("GET", "a")
    )
    (work,) = client.service.works
    assert work.transactions == (Transaction(1, 2),)
    assert work.writes
    client.service.pump()
    assert client.wire.sent == [b":1\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n:6\r\n$1\r\n6\r\n"]


def test_a_transaction_of_reads_is_a_read(client: Client) -> None:
    """It need not go through the log: a read round shows one state."""
    client.receive(resp("MULTI") + resp("GET", "a") + resp("EXISTS", "a") + resp("EXEC"))
    assert not client.service.works[0].writes
    client.service.pump()
    assert client.wire.take().endswith(b"*2\r\n$-1\r\n:0\r\n")


def test_local_replies_are_woven_in(client: Client) -> None:
    """Local commands may be queued; their replies stand at their places."""
    answer = client.say(
        resp("MULTI")
        + resp("PING")
        + resp("SET", "a", "1")
        + resp("CLIENT", "ID")
        + resp("GET", "a")
        + resp("ECHO", "x")
        + resp("UNWATCH")
        + resp("EXEC")
    )
    assert (
        answer
        == b"+OK\r\n" + b"+QUEUED\r\n" * 6 + b"*6\r\n+PONG\r\n+OK\r\n:1\r\n$1\r\n1\r\n$1\r\nx\r\n+OK\r\n"
    )


def test_a_transaction_of_local_commands_needs_no_work(client: Client) -> None:
    """Nothing for the machine: nothing travels, and an empty one is an empty list."""
    assert client.say(resp("MULTI") + resp("PING") + resp("EXEC")).endswith(b"*1\r\n+PONG\r\n")
    assert client.say(resp("MULTI") + resp("EXEC")) == b"+OK\r\n*0\r\n"


@pytest.mark.parametrize(
    "fault",
    [
        ("NOPE",),
        ("GET",),
        ("SAVE",),
        ("CLIENT", "FOO"),
        ("CONFIG", "GET"),
        ("CONFIG", "SET"),
        ("CONFIG", "SET", "timeout"),
        ("CLIENT", "KILL"),
        ("AUTH",),
    ],
)
def test_an_error_while_queueing_spoils_the_transaction(client: Client, fault: tuple[str, ...]) -> None:
    """EXEC refuses, nothing is done, and the connection is outside of MULTI again."""
    answer = client.say(
        resp("MULTI") + resp("SET", "a", "1") + resp(*fault) + resp("EXEC") + resp("GET", "a")
    )
    assert answer.startswith(b"+OK\r\n+QUEUED\r\n-ERR ")
    assert answer.endswith(ABORTED + b"$-1\r\n")
    assert client.ask("EXEC") == b"-ERR EXEC without MULTI\r\n"


def test_commands_that_are_no_errors_of_the_transaction(client: Client) -> None:
    """A nested MULTI and a WATCH inside are refused, but the transaction goes on, as in Redis."""
    answer = client.say(resp("MULTI") + resp("MULTI") + resp("WATCH", "a") + resp("INCR", "a") + resp("EXEC"))
    assert answer == (
        b"+OK\r\n-ERR MULTI calls can not be nested\r\n-ERR WATCH inside MULTI is not allowed\r\n"
        b"+QUEUED\r\n*1\r\n:1\r\n"
    )


def test_words_out_of_place(client: Client) -> None:
    """EXEC and DISCARD want a MULTI."""
    assert client.ask("EXEC") == b"-ERR EXEC without MULTI\r\n"
    assert client.ask("DISCARD") == b"-ERR DISCARD without MULTI\r\n"


def test_discard_drops_the_queue_and_the_watches(client: Client) -> None:
    """Nothing was done; a later EXEC has no watches to compare."""
    client.ask("WATCH", "a")
    assert client.say(resp("MULTI") + resp("INCR", "a") + resp("DISCARD")) == b"+OK\r\n+QUEUED\r\n+OK\r\n"
    assert client.ask("GET", "a") == b"$-1\r\n"
    assert not client.conversation.caller.transactions.watched


def test_quit_and_reset_act_inside(client: Client) -> None:
    """RESET leaves the transaction; QUIT leaves altogether."""
    assert client.say(resp("MULTI") + resp("RESET") + resp("GET", "a")) == b"+OK\r\n+RESET\r\n$-1\r\n"
    assert client.say(resp("MULTI") + resp("QUIT")) == b"+OK\r\n+OK\r\n"
    assert client.wire.is_closed


def test_exec_fails_where_a_watched_key_changed(client: Client) -> None:
    """Null for the one who watched; with no change EXEC goes through, and watches last until then only."""
    other = Client(client.service, client.connections)
    assert client.ask("WATCH", "a", "b") == b"+OK\r\n"
    other.ask("SET", "b", "1")
    assert client.say(resp("MULTI") + resp("SET", "a", "mine") + resp("EXEC")).endswith(b"+QUEUED\r\n*-1\r\n")
    assert client.ask("GET", "a") == b"$-1\r\n"
    assert client.say(resp("MULTI") + resp("SET", "a", "mine") + resp("EXEC")).endswith(b"*1\r\n+OK\r\n")


def test_watch_and_exec_in_one_pipeline(client: Client) -> None:
    """WATCH cuts the pipeline: EXEC behind it knows the versions."""
    client.ask("SET", "a", "1")
    client.receive(resp("WATCH", "a") + resp("MULTI") + resp("INCR", "a") + resp("EXEC"))
    assert [work.writes for work in client.service.works] == [False]
    client.service.pump()
    assert client.wire.take() == b"+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n:2\r\n"


def test_an_exec_without_commands_still_checks_its_watches(client: Client) -> None:
    """Empty list where nothing changed, null where something did."""
    client.ask("WATCH", "a")
    assert client.say(resp("MULTI") + resp("EXEC")) == b"+OK\r\n*0\r\n"
    client.ask("WATCH", "a")
    Client(client.service, client.connections).ask("SET", "a", "1")
    assert client.say(resp("MULTI") + resp("PING") + resp("EXEC")) == b"+OK\r\n+QUEUED\r\n*-1\r\n"


def test_a_key_watched_twice_keeps_its_first_version(client: Client) -> None:
    """As in Redis: the second WATCH of a key does not forget a change since the first."""
    client.ask("WATCH", "a")
    Client(client.service, client.connections).ask("SET", "a", "1")
    client.ask("WATCH", "a")
    assert client.say(resp("MULTI") + resp("INCR", "a") + resp("EXEC")) == b"+OK\r\n+QUEUED\r\n*-1\r\n"


def test_watch_is_by_database(client: Client) -> None:
    """The key of another database is another key."""
    client.say(resp("SELECT", "1") + resp("WATCH", "a") + resp("SELECT", "0"))
    other = Client(client.service, client.connections)
    other.ask("SET", "a", "1")
    assert client.say(resp("MULTI") + resp("GET", "a") + resp("EXEC")).endswith(b"*1\r\n$1\r\n1\r\n")
    client.say(resp("SELECT", "1") + resp("WATCH", "a"))
    other.say(resp("SELECT", "1") + resp("SET", "a", "1"))
    assert client.say(resp("MULTI") + resp("GET", "a") + resp("EXEC")).endswith(b"*-1\r\n")
    client.say(resp("HELLO", "3") + resp("WATCH", "a"))
    other.say(resp("DEL", "a"))
    assert client.say(resp("MULTI") + resp("GET", "a") + resp("EXEC")).endswith(b"QUEUED\r\n_\r\n")


def test_unwatch_forgets(client: Client) -> None:
    """After UNWATCH a change does not matter, also within one pipeline."""
    client.ask("WATCH", "a")
    Client(client.service, client.connections).ask("SET", "a", "1")
    answer = client.say(resp("UNWATCH") + resp("MULTI") + resp("INCR", "a") + resp("EXEC"))
    assert answer == b"+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n:2\r\n"


def test_a_failed_watch_watches_nothing(client: Client) -> None:
    """No versions came: the client is told, and no watch is noted."""
    client.receive(resp("WATCH", "a"))
    client.service.works.pop().failed(CLUSTERDOWN)
    assert client.wire.take().startswith(b"-CLUSTERDOWN")
    assert not client.conversation.caller.transactions.watched


def test_watches_are_bounded(client: Client) -> None:
    """They travel in the entry: too many keys or bytes are refused."""
    keys = [f"k{number}" for number in range(WATCHED_KEYS_MAX + 1)]
    assert client.ask("WATCH", *keys).startswith(b"-ERR too many watched keys")
    assert client.ask("WATCH", "x" * (2 << 20)).startswith(b"-ERR too many watched keys")


def test_the_queue_is_bounded() -> None:
    """A transaction must fit one entry; one too large is refused while it is queued."""
    client = Client(limits=ConversationLimits(entry_bytes_max=1000))
    answer = client.say(resp("MULTI") + resp("SET", "a", "x" * 600) * 2 + resp("EXEC"))
    assert b"-ERR command of " in answer
    assert answer.endswith(ABORTED)


def test_a_transaction_is_never_split() -> None:
    """It goes whole into the next turn where it would make this one too long."""
    client = Client(limits=ConversationLimits(turn_bytes_max=900))
    queue = resp("MULTI") + resp("INCR", "a") * 5 + resp("EXEC")
    client.receive(resp("SET", "b", "x" * 300) + queue + resp("GET", "a"))
    lengths = []
    while client.service.works:
        lengths.append([len(client.service.works[0].commands), len(client.service.works[0].transactions)])
        work = client.service.works.pop(0)
        work.answered(client.service.evaluate(work))
    assert lengths == [[1, 0], [6, 1]]
    assert client.wire.take().endswith(b"*5\r\n:1\r\n:2\r\n:3\r\n:4\r\n:5\r\n$1\r\n5\r\n")


def test_select_inside_holds_only_if_the_transaction_took_place(client: Client) -> None:
    """What follows EXEC is read when its outcome is known."""
    answer = client.say(
        resp("MULTI") + resp("SELECT", "2") + resp("SET", "a", "2") + resp("EXEC") + resp("GET", "a")
    )
    assert answer.endswith(b"*2\r\n+OK\r\n+OK\r\n$1\r\n2\r\n")
    client.ask("WATCH", "a")
    other = Client(client.service, client.connections)
    other.say(resp("SELECT", "2") + resp("SET", "a", "3"))
    client.say(resp("MULTI") + resp("SELECT", "7") + resp("EXEC"))
    assert client.conversation.connection.database == 2
    assert client.say(resp("MULTI") + resp("SELECT", "99") + resp("EXEC")).endswith(
        b"-ERR DB index is out of range\r\n"
    )
    assert client.conversation.connection.database == 2


def test_config_set_inside(client: Client) -> None:
    """The cap (maxmemory) goes to the machine in its place, settings of this node with it."""
    answer = client.say(
        resp("MULTI")
        + resp("CONFIG", "SET", "maxmemory", "1mb", "timeout", "9")
        + resp("CONFIG", "SET", "maxclients", "50")
        + resp("CONFIG", "SET", "timeout", "x")
        + resp("EXEC")
    )
    assert b"*3\r\n+OK\r\n+OK\r\n-ERR CONFIG SET failed" in answer
    assert client.service.machine.maxmemory == 1 << 20
    assert client.service.settings.timeout_s == 9
    assert client.service.settings.maxclients == 50


def test_a_failed_exec_is_one_error(client: Client) -> None:
    """The whole transaction gets the error of its work."""
    client.receive(resp("MULTI") + resp("INCR", "a") + resp("INCR", "a") + resp("EXEC"))
    client.service.works.pop().failed(CLUSTERDOWN)
    assert client.wire.take() == b"+OK\r\n+QUEUED\r\n+QUEUED\r\n-" + CLUSTERDOWN.text.encode() + b"\r\n"


def test_typed_transactions_read_well(client: Client) -> None:
    """A person may use MULTI as well."""
    assert client.type("multi") == "OK\r\n"
    assert client.type("incr a") == "QUEUED\r\n"
    assert client.type("exec") == "1) (integer) 1\r\n"


def test_greeting_inside_is_queued(client: Client) -> None:
    """HELLO and AUTH inside MULTI act when EXEC has been answered, as in Redis."""
    answer = client.say(
        resp("MULTI") + resp("HELLO", "3") + resp("AUTH", "default", "x") + resp("EXEC") + resp("GET", "a")
    )
    assert answer.startswith(b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n%7\r\n")
    assert answer.endswith(b"+OK\r\n_\r\n")
