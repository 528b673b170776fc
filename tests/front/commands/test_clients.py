"""CLIENT REPLY, PAUSE, UNPAUSE, NO-EVICT, NO-TOUCH: how one client is treated, and how all are."""

import pytest

from tests.front.doubles import Client, FakeService, resp
from trikv.client.replies import NEED_DATA, new_reader
from trikv.front.connections import Connections
from trikv.front.inputs import SMALL_BYTES
from trikv.machine.long_reads import WHOLE_MAX

OFF, ON, SKIP = (resp("CLIENT", "REPLY", mode) for mode in ("OFF", "ON", "SKIP"))


@pytest.fixture
def client() -> Client:
    """A fresh connection to a fresh node."""
    return Client()


# CLIENT REPLY.


def test_off_mutes_all_until_on(client: Client) -> None:
    """Commands are carried out, their errors too; ON is the first that is answered."""
    assert client.say(OFF + resp("SET", "a", "1") + resp("NOPE") + resp("GET") + resp("PING")) == b""
    assert client.say(resp("INCR", "a")) == b""
    assert client.ask("CLIENT", "REPLY", "OFF") == b""
    assert client.say(resp("GET", "a") + ON + resp("GET", "a")) == b"+OK\r\n$1\r\n2\r\n"
    assert client.connections.in_flight() == 0


def test_skip_mutes_itself_and_the_next(client: Client) -> None:
    """Whatever the next is: for the machine, for the node, an error, an operation; alone or in a pipeline."""
    for request in (
        resp("SET", "a", "1"),
        resp("PING"),
        resp("NOPE"),
        resp("CLIENT", "REPLY", "sideways"),
        resp("SAVE"),
        resp("HELLO", "2"),
    ):
        assert client.say(SKIP + request + resp("ECHO", "x")) == b"$1\r\nx\r\n"
        assert client.say(SKIP) == b""
        assert client.say(request[:5]) == b"", "its beginning is not the next request yet"
        assert client.say(request[5:]) == b""
        assert client.ask("ECHO", "y") == b"$1\r\ny\r\n"
    assert client.ask("GET", "a") == b"$1\r\n1\r\n"


def test_skips_add_up_to_no_more_than_one(client: Client) -> None:
    """A second SKIP is the request that the first one skips, and skips the next itself, as in Redis."""
    assert client.say(SKIP + SKIP + resp("PING") + resp("ECHO", "x")) == b"$1\r\nx\r\n"
    assert client.say(SKIP + ON + resp("ECHO", "x")) == b"+OK\r\n$1\r\nx\r\n"


def test_skip_while_all_is_off_ends_nothing(client: Client) -> None:
    """As in Redis: only ON does."""
    assert client.say(OFF + SKIP + resp("PING") + resp("PING")) == b""
    assert client.say(ON) == b"+OK\r\n"


def test_each_reply_of_a_skipping_pipeline_is_in_its_place(client: Client) -> None:
    """A mutation test of order: every second reply is missing, none else."""
    pipeline = b"".join(
        resp("SET", f"k{number}", str(number)) + SKIP + resp("INCR", "n") + resp("GET", f"k{number}")
        for number in range(20)
    )
    expected = b"".join(b"+OK\r\n$%d\r\n%d\r\n" % (len(str(number)), number) for number in range(20))
    assert client.say(pipeline) == expected
    assert client.ask("GET", "n") == b"$2\r\n20\r\n"


def test_a_muted_pipeline_still_travels_together(client: Client) -> None:
    """It is what OFF is for: filling a server without hearing of each key."""
    client.say(OFF)
    client.receive(b"".join(resp("SET", f"k{number}", "v") for number in range(200)))
    (work,) = client.service.works
    assert len(work.commands) == 200
    client.service.pump()
    assert client.say(ON + resp("DBSIZE")) == b"+OK\r\n:200\r\n"


def test_a_muted_transaction_is_carried_out(client: Client) -> None:
    """With its local commands; its reply is one of those that are left out."""
    assert (
        client.say(
            OFF + resp("MULTI") + resp("SET", "a", "1") + resp("CLIENT", "SETNAME", "x") + resp("EXEC")
        )
        == b""
    )
    assert client.say(ON + resp("GET", "a") + resp("CLIENT", "GETNAME")) == b"+OK\r\n$1\r\n1\r\n$1\r\nx\r\n"


def test_no_transaction_may_hold_it(client: Client) -> None:
    """Redis would leave elements out of EXEC's array, whose length it has said."""
    client.ask("MULTI")
    assert client.ask("CLIENT", "REPLY", "OFF") == b"-ERR Command not allowed inside a transaction\r\n"
    assert client.ask("EXEC").startswith(b"-EXECABORT")


@pytest.mark.parametrize("mute", [OFF, SKIP])
def test_long_reads_are_dropped_with_their_cuts(client: Client, mute: bytes) -> None:
    """Nothing of them is made, and nothing is kept for them; what is behind a skipped one is heard."""
    for number in range(WHOLE_MAX + 100):
        client.service.machine.space.databases[0].store(b"key:%d" % number, b"v")
    client.receive(mute + resp("KEYS", "*") + (ON if mute is OFF else b"") + resp("KEYS", "no*"))
    client.service.pump()
    assert client.wire.take() == (b"+OK\r\n*0\r\n" if mute is OFF else b"*0\r\n")
    assert len(client.service.machine.space.account.observers) == 0
    assert client.connections.in_flight() == 0


def test_a_long_read_that_is_heard_is_whole_between_muted_ones(client: Client) -> None:
    """Streams of one pipeline, of which some are muted."""
    count = WHOLE_MAX + 100
    for number in range(count):
        client.service.machine.space.databases[0].store(b"key:%d" % number, b"v")
    pipeline = (
        SKIP + resp("KEYS", "*") + resp("KEYS", "key*") + OFF + resp("KEYS", "*") + resp("SET", "a", "1") + ON
    )
    reader = new_reader()
    reader.feed(client.say(pipeline + resp("GET", "a")))
    found = [reader.gets() for _ in range(3)]
    assert reader.gets() is NEED_DATA
    assert len(found[0]) == count
    assert found[1:] == [b"OK", b"1"]


def test_muted_reads_that_are_answered_in_parts_are_all_asked(client: Client) -> None:
    """The rest of a turn is asked again, though nobody is told."""
    value = b"x" * (8 << 20)
    client.say(b"".join(resp("SET", f"k{number}", value) for number in range(3)))
    sent = OFF + b"".join(resp("GET", f"k{number % 3}") for number in range(30)) + resp("CLIENT", "ID")
    assert client.say(sent) == b""
    assert client.say(ON) == b"+OK\r\n"
    assert client.connections.in_flight() == 0


def test_a_muted_client_that_is_ended_is_told_nothing(client: Client) -> None:
    """Neither of its turn nor of its operation."""
    for request in (resp("SET", "a", "1"), resp("WAIT", "9", "0")):
        one = Client(client.service, client.connections)
        one.say(OFF)
        one.receive(request)
        one.conversation.end("killed")
        assert one.wire.take() == b""
        assert one.wire.is_closed
        one.conversation.closed()


def test_reset_is_heard(client: Client) -> None:
    """It makes the connection as it was when it was new."""
    assert client.say(OFF + resp("PING") + resp("RESET") + resp("PING")) == b"+RESET\r\n+PONG\r\n"


def test_a_wrong_word_is_a_syntax_error(client: Client) -> None:
    """And changes nothing."""
    assert client.ask("CLIENT", "REPLY", "MAYBE") == b"-ERR syntax error\r\n"
    assert client.ask("PING") == b"+PONG\r\n"


# CLIENT NO-EVICT, NO-TOUCH.


@pytest.mark.parametrize(("word", "flag"), [("NO-EVICT", "e"), ("NO-TOUCH", "T")])
def test_a_switch_shows_in_the_list(client: Client, word: str, flag: str) -> None:
    """On and off in any case; RESET takes it back; anything else is a syntax error."""
    assert client.ask("CLIENT", word, "on") == b"+OK\r\n"
    assert f" flags={flag} ".encode() in client.ask("CLIENT", "INFO")
    assert client.ask("CLIENT", word, "OFF") == b"+OK\r\n"
    assert b" flags=N " in client.ask("CLIENT", "INFO")
    client.say(resp("CLIENT", word, "ON") + resp("RESET"))
    assert b" flags=N " in client.ask("CLIENT", "INFO")
    assert client.ask("CLIENT", word, "maybe") == b"-ERR syntax error\r\n"


def test_who_is_spared_loses_its_input_last() -> None:
    """Though it has the most; if all others have nothing left to give, it is its turn: the bound holds."""
    service = FakeService(input_bytes_max=20 * SMALL_BYTES)
    connections = Connections(service.settings)
    spared, other = (Client(service, connections) for _ in range(2))
    spared.ask("CLIENT", "NO-EVICT", "ON")
    spared.receive(b"*2\r\n$3\r\nGET\r\n$60000\r\n" + b"x" * 12 * SMALL_BYTES)
    other.receive(b"*2\r\n$3\r\nGET\r\n$60000\r\n" + b"x" * 9 * SMALL_BYTES)
    assert (spared.wire.is_closed, other.wire.is_closed) == (False, True)
    other.conversation.closed()
    third = Client(service, connections)
    third.ask("CLIENT", "NO-EVICT", "ON")
    third.receive(b"*2\r\n$3\r\nGET\r\n$90000\r\n" + b"x" * 19 * SMALL_BYTES)
    assert third.wire.is_closed


# CLIENT PAUSE: what it does is in `tests.front.test_pausing`.


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("x", "ERR timeout is not an integer or out of range"),
        ("-1", "ERR timeout is negative"),
        (str(1 << 63), "ERR timeout is not an integer or out of range"),
        ("10 foo", "ERR CLIENT PAUSE mode must be WRITE or ALL"),
        ("1 ALL x", "ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP."),
    ],
)
def test_errors_of_pause_are_redis_own(client: Client, words: str, error: str) -> None:
    """Texts as Redis 7.0.15 gives them; nobody is paused."""
    assert client.ask("CLIENT", "PAUSE", *words.split()) == f"-{error}\r\n".encode()
    assert client.ask("PING") == b"+PONG\r\n"


def test_a_node_without_a_cluster_pauses_nobody(client: Client) -> None:
    """It has no commands of a cluster to hold back, and no timer."""
    client.service.figures.member = None
    assert client.ask("CLIENT", "PAUSE", "10").startswith(b"-CLUSTERDOWN this node has not joined")
    assert client.ask("PING") == b"+PONG\r\n"
