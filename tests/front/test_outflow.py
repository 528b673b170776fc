"""Long answers: made while the client takes them, in their place, and ended if it does not."""

from collections.abc import Iterator

import pytest

from tests.front.doubles import Client, FakeService, resp
from trikv.client.replies import NEED_DATA, new_reader
from trikv.front.connections import Connections
from trikv.front.outflow import AHEAD_BYTES, PART_BYTES, RATE_BYTES_MIN, WINDOW_MS, Outflow
from trikv.machine import evaluation
from trikv.machine.long_reads import WHOLE_MAX
from trikv.machine.replies import CommandError

KEYS = WHOLE_MAX + 500


def _filled() -> Client:
    """A client of a node with many keys, which a write has put there."""
    client = Client()
    for number in range(KEYS):
        client.service.machine.space.databases[0].store(b"key:%d" % number, b"v")
    return client


def _observers(client: Client) -> int:
    return len(client.service.machine.space.account.observers)


def _keys_of(answer: bytes) -> tuple[list[bytes], bytes]:
    """The elements of a RESP array of short strings, and what follows it."""
    head, _, rest = answer.partition(b"\r\n")
    assert head == b"*%d" % KEYS
    found = []
    for _ in range(KEYS):
        _, key, rest = rest.split(b"\r\n", 2)
        found.append(key)
    return found, rest


ALL = sorted(b"key:%d" % number for number in range(KEYS))


@pytest.mark.parametrize("version", ["2", "3"])
def test_a_long_read_has_its_place_among_the_replies(version: str) -> None:
    """What is in front of it in a pipeline is answered before, what is behind it after; writes, too."""
    client = _filled()
    client.ask("HELLO", version)
    answer = client.say(
        resp("SET", "key:1", "w") + resp("keys", "*") + resp("DEL", "key:2") + resp("DBSIZE") + resp("PING")
    )
    assert answer.startswith(b"+OK\r\n*")
    found, rest = _keys_of(answer.removeprefix(b"+OK\r\n"))
    assert sorted(found) == ALL
    assert rest == b":1\r\n:%d\r\n+PONG\r\n" % (KEYS - 1)
    assert _observers(client) == 0
    assert client.connections.in_flight() == 0


@pytest.mark.parametrize("version", [2, 3])
def test_long_reads_travel_with_the_commands_around_them(version: int) -> None:
    """One turn may hold several, beside writes and short reads: each reply has its place and its form."""
    client = _filled()
    client.ask("HELLO", str(version))
    fields = [f"f:{number}" for number in range(KEYS)]
    client.ask("HSET", "hash", *[word for field in fields for word in (field, "v")])
    client.ask("SADD", "set", *fields)
    client.receive(
        resp("SET", "key:1", "w")
        + resp("HGETALL", "hash")
        + resp("PING")
        + resp("SMEMBERS", "set")
        + resp("KEYS", "key:*")  # its cost ends the turn
        + resp("DEL", "key:2", "hash", "set")
        + resp("SMEMBERS", "set")
        + resp("KEYS", "key:2*")
        + resp("GET", "key:1")
    )
    (work,) = client.service.works
    assert [args[0] for args in work.commands] == [b"SET", b"HGETALL", b"SMEMBERS", b"KEYS"]
    assert work.writes
    client.service.pump_one()
    (outflow,) = client.service.outflows
    assert len(outflow.streams) == 3
    client.service.pump()
    reader = new_reader()
    reader.feed(client.wire.take())
    found = [reader.gets() for _ in range(9)]
    assert reader.gets() is NEED_DATA, "there is nothing behind the last"
    assert [found[place] for place in (0, 2, 5, 6, 8)] == [b"OK", b"PONG", 3, [], b"w"]
    pairs = {field.encode(): b"v" for field in fields}
    map_ = found[1] if version == 3 else dict(zip(found[1][::2], found[1][1::2], strict=True))
    assert map_ == pairs
    assert sorted(found[3]) == sorted(pairs)
    assert sorted(found[4]) == ALL
    assert sorted(found[7]) == [key for key in ALL if key.startswith(b"key:2") and key != b"key:2"]
    assert _observers(client) == 0
    assert client.connections.in_flight() == 0


def test_a_person_gets_a_numbered_list() -> None:
    """As redis-cli shows it, whatever the steps; an empty one is said to be empty."""
    client = _filled()
    lines = client.type("keys *").splitlines()
    assert len(lines) == KEYS
    assert lines[0].startswith('   1) "key:')
    assert [line[:6] for line in lines] == [f"{number:>4}) " for number in range(1, KEYS + 1)]
    assert client.type("keys no*") == "(empty array)\r\n"
    assert client.ask("KEYS", "no*") == b"*0\r\n"


def test_it_is_read_by_a_lease_at_once() -> None:
    """The stream comes as the value of `submit`."""
    client = _filled()
    client.service.has_lease = True
    found, rest = _keys_of(client.say(resp("KEYS", "*") + resp("PING")))
    assert (sorted(found), rest) == (ALL, b"+PONG\r\n")


def _until_it_waits(client: Client) -> Outflow:
    """Ask for all keys, and let the client take nothing of what comes."""
    client.receive(resp("KEYS", "*") + resp("PING"))
    client.service.pump_one()
    (outflow,) = client.service.outflows
    while not client.wire.sent:
        client.service.pour_one()
    client.wire.stuck_bytes = AHEAD_BYTES + 1
    client.service.pump()
    return outflow


def test_nothing_is_made_while_the_client_does_not_take_it() -> None:
    """It goes on when all has been taken; until then the connection reads no request."""
    client = _filled()
    outflow = _until_it_waits(client)
    first = client.wire.take()
    assert outflow.waits
    assert not outflow.pour()
    client.receive(resp("PING") * 100_000)
    assert client.wire.paused
    assert (client.wire.sent, _observers(client), client.connections.in_flight()) == ([], 1, 1)
    client.wire.stuck_bytes = 0
    client.conversation.drained()
    client.service.pump()
    found, rest = _keys_of(first + client.wire.take())
    assert sorted(found) == ALL
    assert rest == b"+PONG\r\n" * 100_001
    assert not client.wire.paused
    client.conversation.drained()
    assert client.service.outflows == []


def test_others_have_their_turn_between_two_steps() -> None:
    """A step goes over few keys, and what it found is sent at once."""
    client = _filled()
    client.receive(resp("KEYS", "key*"))
    client.service.pump_one()
    steps = 0
    while client.service.outflows:
        client.service.pour_one()
        steps += 1
        assert sum(map(len, client.wire.sent)) < 20_000
        client.wire.take()
    assert steps > 2 * KEYS // 256


@pytest.mark.parametrize("goes", ["closed", "abort", "end", "ended"])
def test_a_client_that_goes_ends_its_cut(goes: str) -> None:
    """At once, however it goes; one that only sends no more still gets its answer."""
    client = _filled()
    outflow = _until_it_waits(client)
    if goes == "ended":
        client.conversation.ended()
        client.wire.stuck_bytes = 0
        client.conversation.drained()
        client.service.pump()
        assert client.wire.take().endswith(b"+PONG\r\n")
    elif goes == "end":
        client.wire.take()
        client.conversation.end("killed")
        assert client.wire.sent == [], "no error, no warning: it would be taken for an element"
    elif goes == "abort":
        client.conversation.abort()
        client.conversation.closed()
    else:
        client.conversation.closed()
    assert outflow.is_over
    assert not outflow.pour()
    assert _observers(client) == 0
    assert client.connections.in_flight() == 0
    assert client.wire.is_closed or goes == "closed"


def test_an_answer_for_a_client_that_has_gone_is_closed() -> None:
    """The read was under way when the connection ended, or was ended."""
    for way in ("closed", "end"):
        client = _filled()
        client.receive(resp("KEYS", "*"))
        if way == "closed":
            client.conversation.closed()
        else:
            client.conversation.end("killed")
        client.service.pump()
        assert client.service.outflows == []
        assert _observers(client) == 0


def test_an_end_while_it_is_counted_is_said() -> None:
    """Nothing of the array was sent yet: an error in its place, then the reason."""
    client = _filled()
    client.receive(resp("KEYS", "key*"))
    client.service.pump_one()
    client.service.pour_one()
    client.conversation.end("killed")
    assert client.wire.take() == (
        b"-CLUSTERDOWN the connection is being closed; nothing was read or written\r\n"
    )
    assert client.wire.is_closed


def test_a_warning_waits_for_no_middle_of_a_reply() -> None:
    """A push inside an array would be taken for an element: it is left out."""
    client = _filled()
    client.ask("HELLO", "3")
    _until_it_waits(client)
    client.wire.take()
    client.conversation.warn("this node is shutting down")
    assert client.wire.sent == []


def test_a_reader_below_the_rate_is_closed_and_counted() -> None:
    """Over the window it has to take 64 KB a second; time in which nobody waits for it does not count."""
    client = _filled()
    outflow = _until_it_waits(client)
    taken = RATE_BYTES_MIN * WINDOW_MS // 1000
    assert not outflow.is_too_slow(WINDOW_MS - 1)
    outflow._made_bytes += AHEAD_BYTES + taken
    assert not outflow.is_too_slow(1)
    assert not outflow.is_too_slow(WINDOW_MS - 1)
    client.wire.stuck_bytes = 0
    assert outflow.pour()
    assert not outflow.is_too_slow(WINDOW_MS), "nobody waits for the client"
    client.wire.stuck_bytes = AHEAD_BYTES + 1
    assert not outflow.pour()
    assert outflow.is_too_slow(1)
    outflow.give_up("its client reads too slowly")
    outflow.give_up("twice")
    assert client.wire.is_closed
    assert client.connections.closed_for_output_count == 1
    assert _observers(client) == 0


@pytest.mark.parametrize("left_bytes", [1, AHEAD_BYTES // 2, AHEAD_BYTES])
def test_a_reader_that_stops_with_little_left_is_closed(left_bytes: int) -> None:
    """Nothing more is made until it has taken all of it, so it is waited for until then."""
    client = _filled()
    outflow = _until_it_waits(client)
    assert not outflow.is_too_slow(WINDOW_MS - 1)
    client.wire.stuck_bytes = left_bytes
    outflow._made_bytes = left_bytes  # all that it has taken came before the window
    assert outflow.is_too_slow(1)


class Gives:
    """A conversation as its outflow sees it."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def send_part(self, data: bytes) -> None:
        self.said.append(f"{len(data)}")

    def poured(self) -> None:
        self.said.append("poured")

    def end_slow(self, reason: str) -> None:
        self.said.append(reason)

    def end(self, reason: str) -> None:
        self.said.append(reason)


def test_short_parts_leave_together() -> None:
    """A pipeline of small values is not a send for each of them."""

    def parts() -> Iterator[tuple[bytes, bool]]:
        for _ in range(100):
            yield b"x" * (PART_BYTES // 10), True

    gives = Gives()
    outflow = Outflow(parts(), gives, Client().wire, AHEAD_BYTES, [b"x" * (100 * (PART_BYTES // 10))])
    assert outflow.held_bytes() == 100 * (PART_BYTES // 10)
    assert outflow.pour()
    assert outflow.held_bytes() == 89 * (PART_BYTES // 10)
    assert outflow.taken_bytes() == 11 * (PART_BYTES // 10)
    while outflow.pour():
        pass
    assert outflow.held_bytes() == 0
    assert len(gives.said) == 11
    assert gives.said[-1] == "poured"


VALUE = "x" * (4 << 20)


def test_what_was_sent_at_once_is_held_no_more() -> None:
    """The first part of a long answer leaves with its turn; of what comes nothing was made."""
    client = Client()
    client.ask("SET", "k", VALUE)
    client.receive(resp("GET", "k") * 3)
    client.service.pump_one()
    outflow = client.conversation._outflow
    assert outflow is not None
    assert 2 * len(VALUE) < outflow.held_bytes() <= 3 * len(VALUE) - AHEAD_BYTES
    assert outflow.shared.bytes == 2 * len(VALUE)


def test_a_pipeline_of_long_values_is_answered_whole() -> None:
    """As Redis does, to a client that reads: 68 MiB, which is more than may wait for one client."""
    client = Client()
    client.ask("SET", "k", VALUE)
    whole = b"$%d\r\n%b\r\n" % (len(VALUE), VALUE.encode())
    answer = client.say(resp("GET", "k") * 17 + resp("PING"))
    assert answer == whole * 17 + b"+PONG\r\n"
    answer = client.say(resp("INCR", "n") + resp("GET", "k") * 16 + resp("INCR", "n"))
    assert answer == b":1\r\n" + whole * 16 + b":2\r\n"
    assert client.ask("MGET", *["k"] * 17) == b"*17\r\n" + whole * 17
    assert client.ask("GET", "k") == whole


def test_reads_are_left_until_those_before_them_were_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine answers a part; the rest is asked again, in the database selected in front of it."""
    monkeypatch.setattr(evaluation, "SHOWN_BYTES_MAX", 100)
    client = Client()
    client.say(
        resp("SET", "k", "x" * 60) + resp("SELECT", "1") + resp("SET", "k", "y" * 60) + resp("SELECT", "0")
    )
    x, y = b"$60\r\n" + b"x" * 60 + b"\r\n", b"$60\r\n" + b"y" * 60 + b"\r\n"
    assert client.say(resp("GET", "k") * 7) == x * 7
    queued = resp("MULTI") + resp("GET", "k") + resp("STRLEN", "k") + resp("EXEC")
    answered = b"+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n" + x + b":60\r\n"
    assert client.say(resp("GET", "k") + queued * 4 + resp("GET", "k")) == x + answered * 4 + x
    assert client.say(resp("GET", "k") * 3 + resp("ECHO", "a") + resp("GET", "k") * 2) == (
        x * 3 + b"$1\r\na\r\n" + x * 2
    )
    client.say(resp("SELECT", "1"))
    assert client.say(resp("SELECT", "0") + resp("GET", "k") * 3) == b"+OK\r\n" + x * 3
    assert client.say(resp("GET", "k") * 2 + resp("SELECT", "1") + resp("GET", "k") * 3) == (
        x * 2 + b"+OK\r\n" + y * 3
    )
    client.say(resp("SELECT", "0"))
    to = {number: resp("SELECT", str(number)) for number in (0, 1)}
    for reads in (1, 2, 3, 5):  # what is left is read where it stands, not where the last SELECT leads
        answer = client.say((resp("GET", "k") * reads + to[1]) + (resp("GET", "k") * reads + to[0]) * 2)
        assert answer == x * reads + b"+OK\r\n" + y * reads + b"+OK\r\n" + x * reads + b"+OK\r\n"
    assert client.say(resp("GET", "k") * 3 + to[1]) == x * 3 + b"+OK\r\n"
    client.service.has_lease = True
    assert client.say(resp("GET", "k") * 7) == y * 7
    assert client.connections.in_flight() == 0


def test_reads_behind_a_write_are_refused_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """They were evaluated at their place in the log, so they cannot wait: what is known is answered first."""
    monkeypatch.setattr(evaluation, "SHOWN_BYTES_MAX", 100)
    client = Client()
    client.ask("SET", "k", "x" * 60)
    x = b"$60\r\n" + b"x" * 60 + b"\r\n"
    answer = client.say(resp("INCR", "n") + resp("GET", "k") * 3 + resp("INCR", "n"))
    assert answer == (
        b":1\r\n" + x * 2 + b"-ERR the replies of this pipeline are too large together; "
        b"ask in smaller parts\r\n:2\r\n"
    )
    assert not client.wire.is_closed


def test_replies_that_are_lost_with_the_connection_are_said() -> None:
    """Between two replies there is room for an error: after a bare close some clients would send again."""
    client = Client()
    client.ask("SET", "k", VALUE)
    client.receive(resp("INCR", "n") + resp("GET", "k") * 3)
    client.service.pump_one()
    while client.service.outflows and not client.service.outflows[0].ends_reply:
        client.service.pour_one()
    client.wire.take()
    client.conversation.end("killed")
    assert client.wire.take() == (
        b"-ERR the connection is being closed before all replies; the commands were carried out\r\n"
    )
    assert client.wire.is_closed


def test_a_client_far_behind_is_asked_to_take_first() -> None:
    """Its next requests wait, since their answers may be long; if it takes nothing it is closed in time."""
    service = FakeService()
    client = Client(service, Connections(service.settings, output_bytes_max=1000))
    client.wire.stuck_bytes = 800
    assert client.ask("PING") == b"+PONG\r\n"
    assert client.ask("PING", "again") == b""
    (outflow,) = {outflow for outflow in [client.conversation._outflow] if outflow}
    assert outflow.waits
    client.wire.stuck_bytes = 0
    client.conversation.drained()
    service.pump()
    assert client.wire.take() == b"$5\r\nagain\r\n"
    client.wire.stuck_bytes = 800
    client.ask("PING")
    client.ask("PING")
    outflow = client.conversation._outflow  # type: ignore[assignment]
    assert outflow.is_too_slow(WINDOW_MS)
    client.wire.take()
    outflow.give_up("its client reads too slowly")
    assert client.wire.sent == [], "no reply is owed for what was not read"
    assert client.wire.is_closed
    assert client.connections.closed_for_output_count == 1


def test_the_end_of_an_answer_that_is_not_sent_yet() -> None:
    """A client that is ended for its unread output before a long answer begins keeps no cut."""
    service = FakeService()
    client = Client(service, Connections(service.settings, output_bytes_max=1000))
    for number in range(KEYS):
        service.machine.space.databases[0].store(b"key:%d" % number, b"v")
    client.receive(resp("PING") + resp("KEYS", "*"))
    client.wire.stuck_bytes = 1001
    client.conversation._out.pieces.append(b"+PONG\r\n")
    service.pump()
    assert client.wire.is_closed
    assert service.outflows == []
    assert _observers(client) == 0


def test_a_refusal_that_is_long_is_poured_too() -> None:
    """Each of many requests is told, and what stands behind them waits for that."""
    client = Client()
    requests = 255  # as many as a turn takes besides the PING, which makes it one of several kinds
    client.receive(resp("PING") + resp("GET", "k") * requests)
    told = CommandError("CLUSTERDOWN " + "x" * 5000)
    while client.service.works:
        client.service.works.pop(0).failed(told)
        assert client.service.outflows, "it is longer than what is sent at once"
        client.receive(resp("PING"))
        while client.service.outflows:
            client.service.pour_one()
    assert client.wire.take() == b"+PONG\r\n" + f"-{told.text}\r\n".encode() * requests + b"+PONG\r\n"
    assert client.connections.in_flight() == 0


def test_an_end_comes_twice() -> None:
    """Who gives an answer up and the end of its connection both close it."""
    client = _filled()
    outflow = _until_it_waits(client)
    outflow.close()
    outflow.close()
    assert outflow.is_over
    assert _observers(client) == 0
