"""The register: maxclients, idle time, output limits, warnings, and the ends that stopping brings."""

import pytest

from tests.front.doubles import CLUSTERDOWN, Client, FakeService, resp
from trikv.front.connections import LOCKED, MAXCLIENTS_ERROR, Connections


def three_dialects() -> tuple[Client, Client, Client]:
    """A typed connection, one of RESP2, one of RESP3, to one node; a sweep has noticed that they spoke."""
    typed = Client()
    resp2 = Client(typed.service, typed.connections)
    resp3 = Client(typed.service, typed.connections)
    typed.type("ping")
    resp2.ask("PING")
    resp3.ask("HELLO", "3")
    typed.connections.expire_idle(typed.service.now_ms)
    return typed, resp2, resp3


def test_maxclients_is_said_before_closing() -> None:
    """One too many is told, closed, and never read; a place that becomes free is given again."""
    service = FakeService(maxclients=2)
    connections = Connections(service.settings)
    clients = [Client(service, connections) for _ in range(3)]
    assert clients[2].wire.take() == MAXCLIENTS_ERROR
    assert clients[2].wire.is_closed
    clients[2].conversation.received(resp("SET", "a", "1"))
    clients[2].conversation.ended()
    clients[2].conversation.closed()
    assert service.works == []
    assert len(connections) == 2
    clients[0].conversation.closed()
    assert Client(service, connections).ask("PING") == b"+PONG\r\n"
    assert (connections.accepted_count, connections.refused_count) == (3, 1)


def test_idle_typed_connections_are_told_and_closed() -> None:
    """After typed_timeout_s of silence; RESP connections have Redis' timeout, by default none."""
    typed, resp2, resp3 = three_dialects()
    connections, start = typed.connections, typed.service.now_ms
    assert connections.expire_idle(start + 299_500) == start + 300_000
    assert not typed.wire.is_closed
    connections.expire_idle(start + 300_000)
    assert typed.wire.take() == b"# closing: idle for 300 s\r\n"
    assert typed.wire.is_closed
    assert not resp2.wire.is_closed
    assert not resp3.wire.is_closed


def test_idle_resp_connections_follow_timeout() -> None:
    """CONFIG SET timeout is taken up by the next sweep; RESP3 is told by a push."""
    _, resp2, resp3 = three_dialects()
    service, connections = resp2.service, resp2.connections
    resp2.ask("CONFIG", "SET", "timeout", "10")
    connections.expire_idle(service.now_ms)
    service.now_ms += 11_000
    resp2.ask("PING")
    assert connections.expire_idle(service.now_ms) == service.now_ms + 1_000
    assert resp3.wire.take().endswith(b">2\r\n$14\r\ntrikv.shutdown\r\n$22\r\nclosing: idle for 10 s\r\n")
    assert resp3.wire.is_closed
    assert not resp2.wire.is_closed


def test_idle_time_counts_from_the_sweep_that_noticed() -> None:
    """What was heard between two sweeps counts as of the second: idle connections live longer, never shorter.

    Until then CLIENT LIST shows it as active.
    """
    client = Client()
    client.service.now_ms += 200_000
    client.type("ping")
    client.service.now_ms += 900
    assert " idle=0 " in client.type("client list")
    client.connections.expire_idle(client.service.now_ms)
    client.connections.expire_idle(client.service.now_ms + 299_999)
    assert not client.wire.is_closed
    assert " idle=299 " in client.conversation.connection.describe(client.service.now_ms + 299_999)
    client.connections.expire_idle(client.service.now_ms + 300_000)
    assert client.wire.is_closed


def test_a_silent_connection_has_a_persons_time_and_is_told_nothing() -> None:
    """It may be a program's, to which a ``#`` line is a broken reply."""
    client = Client()
    client.connections.warn_all("node2 is shutting down")
    client.connections.expire_idle(client.service.now_ms + 299_000)
    assert not client.wire.is_closed
    client.connections.expire_idle(client.service.now_ms + 300_000)
    assert client.wire.is_closed
    assert client.wire.take() == b""


@pytest.mark.parametrize(
    "first", [b"*1\r\n$4\r\nPING\r\n", b"*", b"*1\r\n$4\r\nPI", b"PING\r\n*", b"\r\n*1\r"]
)
@pytest.mark.parametrize("then", [b"", b"\r\n", b"ping\r\n", b"\xff\xf6", b"save\r\n"])
def test_no_comment_ever_reaches_a_program(first: bytes, then: bytes) -> None:
    """Not on idling, not when the node stops, not for lines, empty ones, or telnet's "are you there"."""
    client = Client()
    client.say(first)
    client.receive(then)
    client.connections.warn_all("node2 is shutting down")
    client.connections.close_all("node2 is stopping")
    assert b"#" not in client.wire.take()
    assert client.wire.is_closed


def test_the_first_byte_shows_a_person_too() -> None:
    """Half a line is enough: who types is told why the node closes."""
    client = Client()
    client.receive(b"se")
    client.connections.close_all("node2 is stopping")
    assert client.wire.take() == b"# closing: node2 is stopping\r\n"


def test_what_waits_for_an_answer_is_not_idle() -> None:
    """A submission in flight keeps its connection open, however long it takes."""
    client, gone = Client(), Client()
    client.receive(b"incr a\r\n")
    client.connections.expire_idle(client.service.now_ms + 1_000_000)
    assert not client.wire.is_closed
    gone.connections.admit(gone.conversation.connection)
    gone.conversation.connection.control = None
    gone.connections.expire_idle(gone.service.now_ms + 1_000_000)
    gone.connections.warn_all("x")
    gone.connections.close_all()
    assert gone.wire.sent == []


def test_a_sweep_never_comes_too_soon() -> None:
    """A deadline that is just ahead waits for the shortest interval."""
    client = Client()
    now_ms = client.service.now_ms + 299_999
    assert client.connections.expire_idle(now_ms) == now_ms + 100


def test_warnings_are_said_as_each_dialect_allows() -> None:
    """A line for people, a push for RESP3, nothing out of turn for RESP2; all live on."""
    typed, resp2, resp3 = three_dialects()
    for client in (typed, resp2, resp3):
        client.wire.take()
    typed.connections.warn_all("node2 is shutting down")
    assert typed.wire.take() == b"# node2 is shutting down\r\n"
    assert resp2.wire.take() == b""
    assert resp3.wire.take() == b">2\r\n$14\r\ntrikv.shutdown\r\n$22\r\nnode2 is shutting down\r\n"
    assert resp3.ask("PING") == b"+PONG\r\n"


def test_closing_answers_what_is_in_flight_first() -> None:
    """A write that may be in the log is never answered by a bare close: redis-py would send it again."""
    typed, resp2, resp3 = three_dialects()
    for client in (typed, resp2, resp3):
        client.wire.take()
    typed.receive(b"get a\r\n")
    resp2.receive(resp("INCR", "a") + resp("PING") + resp("GET", "a"))
    resp3.receive(resp("SAVE"))
    typed.connections.close_all("node2 is stopping")
    unknown = b"-INDETERMINATE the write may or may not have happened\r\n"
    assert typed.wire.take().startswith(b"(error) CLUSTERDOWN ")
    assert resp2.wire.take() == unknown + b"+PONG\r\n" + unknown
    assert resp3.wire.take().startswith(b"-INDETERMINATE")
    assert all(client.wire.is_closed for client in (typed, resp2, resp3))
    assert typed.connections.in_flight() == 3
    typed.service.pump()
    assert typed.connections.in_flight() == 0
    typed.connections.close_all()
    typed.connections.warn_all("again")


def test_draining_refuses_new_commands_safely() -> None:
    """While the node stops, commands for the cluster are refused, local ones and what is in flight go on."""
    client = Client()
    idle_calls: list[str] = []
    client.connections.when_idle = lambda: idle_calls.append("idle")
    client.receive(resp("INCR", "a"))
    client.connections.stop_commands("node2 is stopping")
    client.receive(
        resp("INCR", "a") + resp("PING") + resp("SAVE") + resp("MULTI") + resp("GET", "a") + resp("EXEC")
    )
    assert idle_calls == []
    client.service.pump()
    refused = b"-CLUSTERDOWN node2 is stopping; nothing was done\r\n"
    assert client.wire.take() == (
        b":1\r\n" + refused + b"+PONG\r\n" + refused + b"+OK\r\n+QUEUED\r\n" + refused
    )
    assert client.ask("MULTI") == b"+OK\r\n"
    assert idle_calls == ["idle"]


def test_unread_output_past_the_limit_closes() -> None:
    """A client that does not read is told and closed, before it fills memory."""
    service = FakeService()
    client = Client(service, Connections(service.settings, output_bytes_max=1000))
    client.ask("PING")
    client.wire.stuck_bytes = 1001
    client.ask("HELLO", "3")
    assert client.wire.is_closed


def test_all_output_together_is_bounded() -> None:
    """Past the total the slowest reader goes; stale figures of others are read again first."""
    service = FakeService()
    connections = Connections(service.settings, output_bytes_max=1000, output_total_bytes_max=2000)
    clients = [Client(service, connections) for _ in range(4)]
    for client, stuck in zip(clients[:3], (600, 800, 50), strict=True):
        client.wire.stuck_bytes = stuck
        client.ask("PING")
    clients[0].wire.stuck_bytes = 0
    clients[3].wire.stuck_bytes = 100
    clients[3].ask("PING")
    assert not any(client.wire.is_closed for client in clients)
    clients[0].wire.stuck_bytes = 650
    clients[0].ask("PING")
    assert [client.wire.is_closed for client in clients] == [False, True, False, False]
    clients[0].wire.stuck_bytes = 0
    assert clients[0].ask("PING") == b"+PONG\r\n"


def test_what_ends_for_its_output_has_a_moment_and_a_quarter_of_the_total() -> None:
    """Slow readers may take their last replies after they were ended, unless these are in others' way."""
    service = FakeService()
    connections = Connections(service.settings, output_bytes_max=1000, output_total_bytes_max=2000)
    clients = [Client(service, connections) for _ in range(4)]
    aborted: list[Client] = []
    for client in clients:
        client.wire.abort = lambda client=client: aborted.append(client)  # type: ignore[method-assign,misc]
    for client, stuck in zip(clients, (400, 500, 500, 900), strict=True):
        client.wire.stuck_bytes = stuck
        client.ask("PING")
    assert [client.wire.is_closed for client in clients] == [False, False, False, True]
    assert aborted == [clients[3]], "1400 wait for three who go on; 900 more are above 2000"
    clients[3].conversation.closed()
    clients[2].wire.stuck_bytes = 300
    clients[1].wire.stuck_bytes = 1001
    clients[1].ask("PING")
    assert clients[1].wire.is_closed
    assert aborted == [clients[3]], "700 and 1001 have room"
    clients[1].conversation.closed()
    assert connections.closed_for_output_count == 2
    assert connections.statistics().output_bytes == 700


def test_who_was_ended_for_its_output_and_has_gone_is_kept_nowhere() -> None:
    """Or each slow client there ever was would stay in memory."""
    service = FakeService()
    connections = Connections(service.settings, output_bytes_max=1000)
    client = Client(service, connections)
    client.wire.stuck_bytes = 1001
    client.ask("PING")
    assert [*connections._ending.values()] == [client.conversation.connection]
    client.conversation.closed()
    assert (connections._ending, connections._unsent, len(connections)) == ({}, {}, 0)


def test_the_figures_of_all_connections() -> None:
    """Of input and output the sums and the longest; one that is closed but not forgotten holds nothing."""
    service = FakeService()
    connections = Connections(service.settings)
    clients = [Client(service, connections) for _ in range(3)]
    clients[0].receive(b"*1\r\n$100\r\n" + b"x" * 40)
    clients[1].receive(b"*1\r\n$100\r\n" + b"x" * 10)
    clients[1].wire.stuck_bytes = 900
    gone = connections.get(clients[2].conversation.connection.id)
    assert gone is not None
    gone.control = None
    figures = connections.statistics()
    assert figures.live == 3
    assert (figures.output_bytes, figures.output_longest) == (900, 900)
    assert (figures.input_longest, figures.buffer_bytes) == (40, 40 + 10 + 900)
    assert (figures.in_flight, figures.watching, figures.typed) == (0, 0, 0)
    assert (figures.input.total, figures.input.in_flight) == (0, 0)


@pytest.mark.parametrize(
    ("request_", "lost"),
    [
        (resp("INCR", "a"), "INDETERMINATE"),
        (resp("SAVE"), "INDETERMINATE"),
        (resp("BACKUP"), "INDETERMINATE"),
        (resp("WAIT", "2", "0"), "CLUSTERDOWN"),
        (resp("DIGEST"), "CLUSTERDOWN"),
    ],
)
def test_an_operation_without_an_answer_tells_whether_it_may_have_left_something(
    request_: bytes, lost: str
) -> None:
    """WAIT only looks: whoever got its write acknowledged before must not take that for unknown."""
    service = FakeService()
    client = Client(service)
    client.receive(request_)
    client.connections.close_all("node2 is stopping")
    assert client.wire.take().startswith(b"-" + lost.encode())
    assert service.counters.tally.errors == {lost: 1}


@pytest.mark.parametrize("request_", [resp("INCR", "a"), resp("SAVE")])
def test_the_last_words_to_one_that_does_not_read_are_said_once(request_: bytes) -> None:
    """It is ended for another reason: that its output is too much by then is no second end, nor counted."""
    service = FakeService()
    client = Client(service, Connections(service.settings, output_bytes_max=1000))
    client.ask("HELLO", "3")
    client.receive(request_)
    client.wire.stuck_bytes = 1001
    client.connections.close_all("node2 is stopping")
    assert client.wire.take() == (
        b"-INDETERMINATE the write may or may not have happened\r\n"
        b">2\r\n$14\r\ntrikv.shutdown\r\n$26\r\nclosing: node2 is stopping\r\n"
    )
    assert client.wire.is_closed
    assert service.counters.tally.errors == {"INDETERMINATE": 1}
    assert client.connections.closed_for_output_count == 0


def test_slow_readers_that_are_leaving_are_aborted_uncounted() -> None:
    """Their unread output is in others' way as that of any other, but they were not closed for it."""
    service = FakeService()
    connections = Connections(service.settings, output_bytes_max=1000, output_total_bytes_max=1000)
    leaving, other = Client(service, connections), Client(service, connections)
    leaving.wire.stuck_bytes = 700
    leaving.ask("PING")
    leaving.conversation.end("idle for 300 s")
    other.wire.stuck_bytes = 400
    other.ask("PING")
    assert not other.wire.is_closed
    assert connections.closed_for_output_count == 0


def test_in_flight_counts_works_and_actions() -> None:
    """It counts what the node has not given back, and says when that is nothing."""
    client = Client()
    client.receive(resp("GET", "a"))
    assert client.connections.in_flight() == 1
    client.service.works.pop().failed(CLUSTERDOWN)
    assert client.connections.in_flight() == 0
    with pytest.raises(AssertionError):
        client.connections.finished()


def test_commands_are_counted() -> None:
    """For INFO: what was carried out, of every connection; what was refused is an error only, as in Redis."""
    client = Client()
    client.say(resp("SET", "a", "1") + resp("NOPE") + b"\r\nping\r\n")
    assert client.service.counters.count("commands") == 2
    assert client.service.counters.tally.errors == {"ERR": 1}


def test_the_register_is_walked_while_it_shrinks() -> None:
    """Closing connections while walking them is safe: the walk goes over a copy."""
    clients = three_dialects()
    for connection in clients[0].connections:
        clients[0].connections.forget(connection)
        assert "fd=-1" in connection.describe(5)
    assert len(clients[0].connections) == 0
    assert clients[0].connections.get(1) is None


def test_a_lock_ends_all_and_refuses_newcomers_until_it_is_taken_back() -> None:
    """What was asked is answered with an error first; no password opens the lock, greeting included."""
    typed, resp2, _ = three_dialects()
    service, connections = typed.service, typed.connections
    resp2.receive(resp("INCR", "a"))
    connections.lock()
    assert resp2.wire.take().endswith(b"-INDETERMINATE the write may or may not have happened\r\n")
    assert typed.wire.take().endswith(b"# closing: this node lacks the password that its peers require\r\n")
    assert typed.wire.is_closed
    assert resp2.wire.is_closed
    newcomer = Client(service, connections)
    for words in (("GET", "a"), ("AUTH", "x"), ("AUTH", "default", "x"), ("HELLO", "3")):
        assert newcomer.ask(*words) == b"-" + LOCKED.text.encode() + b"\r\n"
    connections.unlock()
    assert newcomer.ask("GET", "a").startswith(b"$")
    assert Client(service, connections).ask("PING") == b"+PONG\r\n"


def test_a_lock_that_is_taken_back_leaves_the_password_in_force() -> None:
    """A node that has a password of its own goes on asking for it."""
    service = FakeService(requirepass="secret")
    connections = Connections(service.settings)
    client = Client(service, connections)
    connections.lock()
    newcomer = Client(service, connections)
    connections.unlock()
    assert newcomer.ask("GET", "a") == b"-NOAUTH Authentication required.\r\n"
    assert newcomer.ask("AUTH", "secret") == b"+OK\r\n"
    assert client.wire.is_closed


def test_a_slow_reader_alone_past_the_total_goes() -> None:
    """The total may be less than one connection's limit: then nobody is left to go instead."""
    service = FakeService()
    connections = Connections(service.settings, output_bytes_max=1000, output_total_bytes_max=1000)
    client = Client(service, connections)
    client.wire.stuck_bytes = 800
    client.ask("PING")
    assert client.wire.is_closed
    assert connections.closed_for_output_count == 1


def test_the_last_words_to_a_slow_reader_may_be_more_than_there_is_room_for() -> None:
    """It is aborted in the middle of its own end: nothing more is said to it, and others lose nothing."""
    service = FakeService()
    connections = Connections(service.settings, output_bytes_max=1000, output_total_bytes_max=1000)
    client, other = Client(service, connections), Client(service, connections)
    other.wire.stuck_bytes = 400
    other.ask("PING")
    client.ask("HELLO", "3")
    client.receive(resp("INCR", "a"))
    client.wire.stuck_bytes = 700
    client.conversation.end("killed by another client")
    assert client.wire.take() == b"-INDETERMINATE the write may or may not have happened\r\n"
    assert client.wire.is_closed
    assert other.ask("PING") == b"+PONG\r\n"


def test_a_slow_reader_with_something_in_flight_is_ended_once() -> None:
    """Its answer is sent behind what it has not read: that is no second end, and it is counted once."""
    service = FakeService()
    connections = Connections(service.settings, output_bytes_max=1000, output_total_bytes_max=2000)
    slow, other = Client(service, connections), Client(service, connections)
    slow.wire.stuck_bytes = 900
    slow.ask("PING")
    slow.receive(resp("GET", "a"))
    other.wire.stuck_bytes = 700
    other.ask("PING")
    assert slow.wire.take().endswith(
        b"-CLUSTERDOWN the connection is being closed; nothing was read or written\r\n"
    )
    assert (slow.wire.is_closed, other.wire.is_closed) == (True, False)
    assert connections.closed_for_output_count == 1


def test_buffers_are_what_waits_in_both_directions() -> None:
    """Input that was not looked at and output that was not taken, of every connection that is there."""
    client = Client()
    other = Client(client.service, client.connections)
    unfinished = resp("SET", "a", "1")[:-4]
    client.receive(unfinished)
    unread = client.connections.statistics().buffer_bytes
    assert 0 < unread <= len(unfinished)
    other.wire.stuck_bytes = 300
    assert client.connections.statistics().buffer_bytes == unread + 300
    other.conversation.closed()
    assert client.connections.statistics().buffer_bytes == unread


def test_a_record_whose_connection_has_just_gone_counts_for_nothing() -> None:
    """Its conversation let go of it in the middle of a walk: no figure is asked of what is no more."""
    client, gone = Client(), Client()
    client.connections.admit(gone.conversation.connection)
    gone.conversation.connection.id = 99
    client.connections.admit(gone.conversation.connection)
    gone.conversation.connection.control = None
    figures = client.connections.statistics()
    assert (figures.typed, figures.output_bytes) == (0, 0)
    assert client.connections.statistics().buffer_bytes == 0
    assert client.connections.statistics().output_bytes == 0
    client.connections.note_unsent(gone.conversation.connection, client.connections.output_bytes_max + 1)
    assert client.connections.closed_for_output_count == 0
    assert client.ask("PING") == b"+PONG\r\n"


def test_one_that_was_ended_for_its_output_and_has_gone_is_not_aborted() -> None:
    """Its record may still stand among those that have a moment: there is nothing left to close."""
    service = FakeService()
    connections = Connections(service.settings, output_bytes_max=1000, output_total_bytes_max=1000)
    gone, slow, other = (Client(service, connections) for _ in range(3))
    aborted: list[Client] = []
    for client in (gone, slow, other):
        client.wire.abort = lambda client=client: aborted.append(client)  # type: ignore[method-assign,misc]
    for client in (gone, slow):
        client.wire.stuck_bytes = 1001
        client.ask("PING")
    gone.conversation.connection.control = None
    other.wire.stuck_bytes = 800
    other.ask("PING")
    assert aborted == [slow]
    assert connections.closed_for_output_count == 3
