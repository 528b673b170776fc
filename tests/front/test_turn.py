"""The slots of a turn: what leaves in which order, and what is dropped by the time it would leave."""

from tests.front.doubles import CLUSTERDOWN, Client, resp


def test_a_comment_for_a_person_is_dropped_where_a_program_shows_itself_meanwhile() -> None:
    """An empty line was read while a person seemed to be there; its answer waits behind a read."""
    client = Client()
    client.receive(b"get a\r\n\r\n" + resp("PING"))
    client.service.pump()
    assert client.wire.take() == b"(nil)\r\n+PONG\r\n"
    person = Client()
    person.receive(b"get a\r\n\r\n")
    person.service.pump()
    assert person.wire.take() == b"(nil)\r\n# trikv node2, follower of node1; type help\r\n"


def test_every_kind_of_slot_keeps_its_place() -> None:
    """The machine's commands, errors, what this node answers, a transaction: as they were asked."""
    client = Client()
    client.receive(
        resp("SET", "a", "1")
        + resp("NOPE")
        + resp("PING")
        + resp("MULTI")
        + resp("ECHO", "x")
        + resp("INCR", "a")
        + resp("EXEC")
        + resp("SELECT", "1")
        + resp("GET", "a")
    )
    assert len(client.service.works) == 1
    client.service.pump()
    assert client.wire.take() == (
        b"+OK\r\n-ERR unknown command 'NOPE', with args beginning with: \r\n+PONG\r\n+OK\r\n+QUEUED\r\n"
        b"+QUEUED\r\n*2\r\n$1\r\nx\r\n:2\r\n+OK\r\n$-1\r\n"
    )


def test_a_turn_that_failed_answers_as_many_replies_as_requests() -> None:
    """Errors stand for the machine's, a transaction has one; what this node answers comes at its place."""
    client = Client()
    client.receive(
        resp("PING")
        + resp("SET", "a", "1")
        + resp("MULTI")
        + resp("PING")
        + resp("INCR", "a")
        + resp("EXEC")
        + resp("ECHO", "x")
    )
    client.service.works.pop().failed(CLUSTERDOWN)
    down = b"-" + CLUSTERDOWN.text.encode() + b"\r\n"
    assert client.wire.take() == (
        b"+PONG\r\n" + down + b"+OK\r\n+QUEUED\r\n+QUEUED\r\n" + down + b"$1\r\nx\r\n"
    )


def test_memory_of_a_turn_is_never_less_than_it_takes() -> None:
    """What is in flight is counted by it: requests of every kind, long arguments of local commands too."""
    client = Client()
    client.receive(resp("SET", "a", "v" * 9_000) + resp("ECHO", "e" * 9_000) + resp("NOPE"))
    assert client.connections.input.in_flight >= 18_000
    client.service.pump()
    assert client.connections.input.in_flight == 0
