"""Turns of a conversation: order, turns, back-pressure, failures, ends."""

import gc
import weakref

import pytest

from tests.front.doubles import CLUSTERDOWN, Client, FakeService, resp
from trikv.front.connections import Connections
from trikv.front.intake import ConversationLimits
from trikv.front.seam import Backup, Wait, Work
from trikv.machine.replies import CommandError


@pytest.fixture
def client() -> Client:
    """A fresh connection to a fresh node."""
    return Client()


def test_one_command_is_one_work_and_one_send(client: Client) -> None:
    """A single command travels alone and its reply leaves when it is answered."""
    client.receive(resp("SET", "a", "1"))
    assert client.wire.sent == []
    (work,) = client.service.works
    assert (work.db, work.commands, work.transactions, work.writes) == (0, ((b"SET", b"a", b"1"),), (), True)
    client.service.pump()
    assert client.wire.sent == [b"+OK\r\n"]


def test_reads_alone_are_a_read(client: Client) -> None:
    """A turn without a write does not go through the log; one write takes its reads along."""
    client.receive(resp("GET", "a") + resp("EXISTS", "a"))
    assert not client.service.works[0].writes
    client.service.pump()
    client.receive(resp("GET", "a") + resp("SET", "a", "1") + resp("GET", "a"))
    (work,) = client.service.works
    assert work.writes
    assert len(work.commands) == 3
    client.service.pump()
    assert client.wire.take() == b"$-1\r\n:0\r\n$-1\r\n+OK\r\n$1\r\n1\r\n"


def test_a_read_that_is_answered_at_once_is_sent_at_once(client: Client) -> None:
    """Nothing is in flight after it, and what waits behind a write still waits for that."""
    client.receive(resp("SET", "a", "1"))
    client.service.has_lease = True
    client.receive(resp("GET", "a"))
    assert client.wire.sent == []
    client.service.pump()
    assert client.wire.sent == [b"+OK\r\n$1\r\n1\r\n"]
    assert not client.conversation.is_busy()
    client.receive(resp("GET", "a"))
    assert client.wire.sent[1:] == [b"$1\r\n1\r\n"]
    assert not client.conversation.is_busy()
    client.receive(resp("GET", "a") + resp("PING") + resp("GET", "b"))
    assert client.wire.take().endswith(b"$1\r\n1\r\n+PONG\r\n$-1\r\n")
    assert client.service.works == []
    client.receive(resp("GET", "a") + resp("SET", "a", "2") + resp("GET", "a"))
    client.service.pump()
    assert client.wire.take() == b"$1\r\n1\r\n+OK\r\n$1\r\n2\r\n"


def test_reads_that_are_answered_at_once_let_others_have_their_turn() -> None:
    """One turn a turn, sent before the next is looked at, like those that are waited for."""
    client = Client(limits=ConversationLimits(turn_commands_max=4))
    client.service.has_lease = True
    client.receive(resp("GET", "a") * 10)
    for answers in (4, 4, 2):
        assert client.wire.take() == b"$-1\r\n" * answers
        if client.service.works:
            work = client.service.works.pop()
            assert work.commands == ()
            work.answered([])
    assert client.service.works == []


def test_single_commands_go_the_same_way_as_others(client: Client) -> None:
    """The short way of a command that comes alone: what is not plain, or not now, takes the long one."""
    for chunk, sent in (
        (resp("PING"), b"+PONG\r\n"),
        (resp("NOPE"), b"-ERR unknown command 'NOPE', with args beginning with: \r\n"),
        (resp("GET"), b"-ERR wrong number of arguments for 'get' command\r\n"),
        (resp("MULTI"), b"+OK\r\n"),
        (resp("SET", "a", "1"), b"+QUEUED\r\n"),
        (resp("EXEC"), b"*1\r\n+OK\r\n"),
        (resp("get", "a"), b"$1\r\n1\r\n"),
        (resp("SET", "a", "\r\n*1"), b"+OK\r\n"),
        (resp("GET", "a"), b"$4\r\n\r\n*1\r\n"),
    ):
        client.receive(chunk)
        client.service.pump()
        assert client.wire.take() == sent, chunk
    client.connections.stop_commands("this node is shutting down")
    client.receive(resp("GET", "a"))
    assert client.wire.take().startswith(b"-CLUSTERDOWN this node is shutting down")
    guarded = Client(FakeService(requirepass="x"))
    guarded.receive(resp("GET", "a"))
    assert guarded.wire.take() == b"-NOAUTH Authentication required.\r\n"


def test_a_pipeline_is_answered_in_order_by_one_send(client: Client) -> None:
    """Machine, local and faulty commands of one pipeline keep their order and leave together."""
    client.receive(
        resp("SET", "a", "1")
        + resp("PING")
        + resp("NOPE", "x")
        + resp("GET", "a")
        + resp("ECHO", "hi")
        + resp("GET")
        + resp("INCR", "a")
    )
    assert len(client.service.works) == 1
    assert client.wire.sent == []
    client.service.pump()
    assert client.wire.sent == [
        (
            b"+OK\r\n+PONG\r\n-ERR unknown command 'NOPE', with args beginning with: 'x' \r\n$1\r\n1\r\n"
            b"$2\r\nhi\r\n-ERR wrong number of arguments for 'get' command\r\n:2\r\n"
        )
    ]


def test_local_commands_alone_need_no_work(client: Client) -> None:
    """PING is answered at once."""
    client.receive(resp("PING") + resp("ping", "x"))
    assert client.service.works == []
    assert client.wire.sent == [b"+PONG\r\n$1\r\nx\r\n"]


def test_bytes_wait_while_a_unit_is_in_flight(client: Client) -> None:
    """One submission in flight; what comes meanwhile is one turn afterwards."""
    client.receive(resp("INCR", "a"))
    client.receive(resp("INCR", "a"))
    client.receive(resp("PING") + resp("INCR", "a"))
    assert len(client.service.works) == 1
    assert client.service.pump() == 2
    assert client.wire.sent == [b":1\r\n", b":2\r\n+PONG\r\n:3\r\n"]


def test_a_client_that_runs_ahead_is_paused() -> None:
    """Past the backlog limit reading stops, and goes on when the turn is answered."""
    client = Client(limits=ConversationLimits(backlog_bytes_max=100))
    client.receive(resp("INCR", "a"))
    for _ in range(10):
        client.receive(resp("INCR", "a"))
    assert client.wire.paused
    client.service.pump()
    assert not client.wire.paused
    assert client.wire.take().endswith(b":11\r\n")


def test_a_paused_client_may_finish_a_request_longer_than_the_backlog() -> None:
    """Its beginning alone is past the limit: with nothing left in flight its rest must be read."""
    client = Client(limits=ConversationLimits(backlog_bytes_max=100))
    client.receive(resp("INCR", "a"))
    long = resp("SET", "b", "x" * 500)
    client.receive(long[:300])
    assert client.wire.paused
    client.service.pump()
    assert not client.wire.paused
    client.receive(long[300:])
    client.service.pump()
    assert client.wire.take() == b":1\r\n+OK\r\n"


def test_a_long_pipeline_is_split_at_command_boundaries() -> None:
    """A turn holds at most so many commands and bytes; the rest follows, in order."""
    client = Client(limits=ConversationLimits(turn_commands_max=4, turn_bytes_max=100))
    client.receive(b"".join(resp("INCR", "a") for _ in range(10)))
    lengths = []
    while client.service.works:
        lengths.append(len(client.service.works[0].commands))
        work = client.service.works.pop(0)
        work.answered(client.service.evaluate(work))
    assert lengths == [4, 4, 2]
    assert client.wire.take() == b"".join(b":%d\r\n" % number for number in range(1, 11))
    client.receive(
        resp("SET", "b", "x" * 60) * 3
        + resp("set", "c", "y" * 200)
        + resp("SeT", "d", "z" * 90)
        + resp("sEt", "e", "z" * 90)
    )
    lengths = []
    while client.service.works:
        lengths.append(len(client.service.works[0].commands))
        work = client.service.works.pop(0)
        work.answered(client.service.evaluate(work))
    assert lengths == [1, 1, 1, 1, 1, 1]
    assert client.wire.take() == b"+OK\r\n" * 6


def test_a_command_larger_than_an_entry_is_refused() -> None:
    """One clear error; the commands around it are carried out."""
    client = Client(limits=ConversationLimits(turn_bytes_max=50, entry_bytes_max=100))
    answer = client.say(resp("SET", "a", "1") + resp("SET", "b", "x" * 200) + resp("GET", "a"))
    assert answer == (b"+OK\r\n-ERR command of 204 bytes exceeds the 100 bytes of a log entry\r\n$1\r\n1\r\n")


def test_a_long_read_is_not_held_to_the_size_of_an_entry() -> None:
    """A read makes no entry: its size is the wire's business."""
    client = Client(limits=ConversationLimits(turn_bytes_max=50, entry_bytes_max=100))
    assert client.say(resp("GET", "x" * 200)) == b"$-1\r\n"


def test_odd_spelling_is_the_same_command(client: Client) -> None:
    """Names are compared without case."""
    assert (
        client.say(resp("sEt", "a", "1") + resp("gEt", "a") + resp("pInG")) == b"+OK\r\n$1\r\n1\r\n+PONG\r\n"
    )


def test_a_failed_work_answers_each_of_its_steps(client: Client) -> None:
    """No majority: every command of the turn gets the error, local ones their reply; the connection lives."""
    client.receive(resp("SET", "a", "1") + resp("PING") + resp("GET", "a"))
    client.service.works.pop().failed(CLUSTERDOWN)
    down = b"-" + CLUSTERDOWN.text.encode() + b"\r\n"
    assert client.wire.take() == down + b"+PONG\r\n" + down
    assert client.connections.in_flight() == 0
    assert client.ask("SET", "a", "1") == b"+OK\r\n"


def test_select_holds_for_what_follows(client: Client) -> None:
    """A SELECT alone needs no work; inside a turn it travels; the next turn starts in the database chosen."""
    assert client.ask("SELECT", "3") == b"+OK\r\n"
    client.receive(resp("SET", "a", "3") + resp("SELECT", "4") + resp("SET", "a", "4"))
    (work,) = client.service.works
    assert work.db == 3
    assert work.commands[1] == (b"SELECT", b"4")
    client.service.pump()
    client.receive(resp("GET", "a"))
    assert client.service.works[0].db == 4
    client.service.pump()
    assert client.wire.take() == b"+OK\r\n+OK\r\n+OK\r\n$1\r\n4\r\n"
    assert client.say(resp("SELECT", "3") + resp("GET", "a")) == b"+OK\r\n$1\r\n3\r\n"


def test_select_at_the_head_of_a_pipeline_holds_for_all_of_it(client: Client) -> None:
    """It does not travel: the work itself begins in that database."""
    client.receive(resp("SELECT", "9") + resp("SET", "a", "9") + resp("SELECT", "1") + resp("GET", "a"))
    (work,) = client.service.works
    assert work.db == 9
    assert work.commands[1] == (b"SELECT", b"1")
    client.service.pump()
    assert client.wire.take() == b"+OK\r\n+OK\r\n+OK\r\n$-1\r\n"


def test_select_holds_even_where_its_unit_failed(client: Client) -> None:
    """The client was told OK, so the next turn is in that database."""
    client.receive(resp("SET", "a", "1") + resp("SELECT", "5"))
    client.service.works.pop().failed(CLUSTERDOWN)
    assert client.wire.take().endswith(b"+OK\r\n")
    client.receive(resp("GET", "a"))
    assert client.service.works[0].db == 5


@pytest.mark.parametrize(
    ("index", "error"),
    [
        ("16", b"-ERR DB index is out of range\r\n"),
        ("-1", b"-ERR DB index is out of range\r\n"),
        ("x", b"-ERR value is not an integer or out of range\r\n"),
    ],
)
def test_select_refuses_what_is_no_database(client: Client, index: str, error: bytes) -> None:
    """Redis' errors; the database stays."""
    assert client.ask("SELECT", index) == error
    client.receive(resp("GET", "a"))
    assert client.service.works[0].db == 0


def test_actions_cut_the_pipeline(client: Client) -> None:
    """What precedes BACKUP is answered first, then it is carried out, then the rest is looked at."""
    client.receive(resp("SET", "a", "1") + resp("BACKUP") + resp("GET", "a"))
    assert [work.commands for work in client.service.works] == [((b"SET", b"a", b"1"),)]
    assert client.service.operations == []
    work = client.service.works.pop()
    work.answered(client.service.evaluate(work))
    assert client.wire.take() == b"+OK\r\n"
    (operation,) = client.service.operations
    assert (operation.name, operation.asked, operation.last_write) == (
        "BACKUP",
        Backup(),
        ("written", (b"SET", b"a", b"1")),
    )
    assert client.connections.in_flight() == 1
    client.receive(resp("PING"))
    client.service.pump()
    assert client.wire.take() == b"+done BACKUP\r\n$1\r\n1\r\n+PONG\r\n"


def test_wait_knows_no_write_before_the_first(client: Client) -> None:
    """A connection that has only read has no write to wait for."""
    client.ask("GET", "a")
    client.receive(resp("WAIT", "1", "100"))
    assert client.service.operations[0].last_write is None
    assert client.service.operations[0].asked == Wait(1, 100)


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (("WAIT", "x", "0"), b"-ERR value is not an integer or out of range\r\n"),
        (("WAIT", "0", "x"), b"-ERR timeout is not an integer or out of range\r\n"),
        (("WAIT", "0", "-1"), b"-ERR timeout is negative\r\n"),
        (("SHUTDOWN", "foo"), b"-ERR syntax error\r\n"),
        (("SHUTDOWN", "SAVE", "NOSAVE"), b"-ERR syntax error\r\n"),
        (("BGSAVE", "x"), b"-ERR syntax error\r\n"),
        (("SAVE", "x"), b"-ERR wrong number of arguments for 'save' command\r\n"),
    ],
)
def test_actions_check_their_arguments(client: Client, command: tuple[str, ...], error: bytes) -> None:
    """A faulty operation is refused with Redis' error and not begun."""
    assert client.ask(*command) == error
    assert client.service.operations == []


def test_quit_closes_behind_what_was_asked(client: Client) -> None:
    """Everything before QUIT is answered, nothing behind it is done."""
    client.receive(resp("SET", "a", "1") + resp("QUIT") + resp("SET", "a", "2"))
    assert len(client.service.works[0].commands) == 1
    client.service.pump()
    assert client.wire.take() == b"+OK\r\n+OK\r\n"
    assert client.wire.is_closed


def test_a_peer_that_ends_is_still_answered(client: Client) -> None:
    """After a half-close the turn in flight and what was received behind it are answered, then it closes."""
    client.receive(resp("INCR", "a"))
    client.receive(resp("INCR", "a"))
    client.conversation.ended()
    assert not client.wire.is_closed
    client.service.pump()
    assert client.wire.take() == b":1\r\n:2\r\n"
    assert client.wire.is_closed


def test_a_peer_that_ends_idle_is_closed_at_once(client: Client) -> None:
    """Nothing to wait for; half a request is dropped."""
    client.receive(resp("GET", "a")[:-4])
    client.conversation.ended()
    assert client.wire.is_closed


def test_an_answer_to_a_closed_connection_is_dropped(client: Client) -> None:
    """The submission still counts as in flight until the node answers it."""
    client.receive(resp("INCR", "a"))
    client.conversation.closed()
    assert client.connections.in_flight() == 1
    client.service.pump()
    assert client.connections.in_flight() == 0
    assert client.wire.sent == []


def test_answers_of_every_kind_to_a_closed_connection_are_dropped() -> None:
    """A failure and an operation's end come too late as well."""
    client = Client()
    client.receive(resp("INCR", "a"))
    client.conversation.closed()
    client.service.works.pop().failed(CommandError("INDETERMINATE who knows"))
    other = Client(client.service, client.connections)
    other.receive(resp("SAVE"))
    other.conversation.closed()
    other.service.pump()
    assert client.connections.in_flight() == 0
    assert client.wire.sent == other.wire.sent == []


def test_bad_bytes_get_one_error_and_the_connection_closes(client: Client) -> None:
    """Redis' text; nothing behind is executed."""
    client.receive(resp("SET", "a", "1") + b"*1\r\n:3\r\n" + resp("SET", "a", "2"))
    assert len(client.service.works[0].commands) == 1
    client.service.pump()
    assert client.wire.take() == b"+OK\r\n-ERR Protocol error: expected '$', got ':'\r\n"
    assert client.wire.is_closed


def test_http_is_refused_before_anything_is_executed(client: Client) -> None:
    """A web page must not write: one 400, then the connection closes."""
    answer = client.say(b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\nSET a 1\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
    assert client.wire.is_closed
    assert client.service.works == []


def test_a_flood_of_costly_commands_lets_others_have_their_turn(client: Client) -> None:
    """After some ms of the node's own work the rest waits for a round: nothing blocks the loop."""
    client.receive(resp("INFO") * 100)
    answered = client.wire.take().count(b"# Raft")
    assert 0 < answered < 50
    assert client.service.works[0].commands == ()
    client.service.pump()
    assert answered + client.wire.take().count(b"# Raft") == 100
    person = Client(client.service, client.connections)
    person.receive(b"nope\r\n" * 60)
    person.service.works.pop().failed(CLUSTERDOWN)
    person.service.pump()
    assert person.wire.take().count(b"type help") == 60


@pytest.mark.parametrize("command", [["INFO"], ["MEMSTATS"], ["CLIENT", "LIST"]])
def test_what_goes_over_all_connections_costs_more_the_more_there_are(command: list[str]) -> None:
    """With thousands of connections a pipeline of it is answered a few in a turn; MULTI takes one as ever."""
    service = FakeService(maxclients=5_000)
    connections = Connections(service.settings)
    client, *_ = [Client(service, connections) for _ in range(5_000)]
    client.receive(resp(*command) * 20)
    first = client.wire.take()
    assert first.count(b"\r\n$") <= 1
    assert service.outflows or service.works[0].commands == (), "others come first"
    service.pump()
    assert (first + client.wire.take()).count(b"\r\n$") + 1 == 20
    assert client.say(resp("MULTI") + resp(*command) + resp("EXEC")).startswith(b"+OK\r\n+QUEUED\r\n*1\r\n$")
    refused = f"-ERR {' '.join(command)} and what is queued before it would take too long".encode()
    assert refused in client.say(resp("MULTI") + resp(*command) * 20)


def test_costly_commands_inside_a_transaction_are_bounded(client: Client) -> None:
    """EXEC evaluates them at once, so only so many may be queued."""
    answer = client.say(resp("MULTI") + resp("INFO") * 100 + resp("EXEC"))
    assert (
        b"-ERR INFO and what is queued before it would take too long in one transaction: DISCARD, " in answer
    )
    assert answer.endswith(b"-EXECABORT Transaction discarded because of previous errors.\r\n")


@pytest.mark.parametrize("second", ["KEYS *", "SCAN 0", "CLIENT LIST"])
def test_what_goes_over_many_keys_is_refused_beside_keys_by_its_name(client: Client, second: str) -> None:
    """KEYS is no command about this node, and who sent it is told what to do instead."""
    name = second.removesuffix(" *").removesuffix(" 0")
    refused = (
        f"-ERR {name} and what is queued before it would take too long in one transaction: DISCARD, then "
        f"send {name} outside of MULTI, or in a transaction with less\r\n"
    )
    answer = client.say(resp("MULTI") + resp("KEYS", "*") + resp(*second.split()))
    assert answer.decode() == "+OK\r\n+QUEUED\r\n" + refused
    assert client.ask("DISCARD") == b"+OK\r\n"
    assert client.ask("KEYS", "*") == b"*0\r\n"


def test_nothing_is_left_for_the_cyclic_collector() -> None:
    """Commands leave no cycles; a closed conversation goes with the last reference to it."""
    service = FakeService()
    connections = Connections(service.settings)
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            client = Client(service, connections)
            for _ in range(5):
                client.say(
                    resp("SET", "a", "1") + resp("PING") + resp("GET", "a") + resp("NOPE") + resp("INFO")
                )
                client.say(
                    resp("WATCH", "a") + resp("MULTI") + resp("GET", "a") + resp("EXEC") + resp("SAVE")
                )
                client.say(b"gte a\r\nset a b c\r\nhelp set\r\n" + resp("HELLO", "3") + resp("RESET"))
            client.receive(resp("GET", "a"))
            client.service.pump()
            connection = weakref.ref(client.conversation.connection)
            client.conversation.closed()
            del client
            assert connection() is None
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_the_work_holds_bound_methods_only() -> None:
    """`Work` refers to its conversation, which lets go of the work when it is answered."""
    client = Client()
    client.receive(resp("SET", "a", "1"))
    work: Work = client.service.works[0]
    assert work.answered.__self__ is client.conversation  # type: ignore[attr-defined]
    client.service.pump()
    assert client.wire.take() == b"+OK\r\n"
