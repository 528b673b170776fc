"""What all clients together may make a node hold: who is refused, in which words, and who goes on."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.front.doubles import CLUSTERDOWN, Client, FakeService, resp
from trikv.front.connections import Connections
from trikv.front.inputs import ABORTED, CLOSED, DISCARDED, REFUSED, SMALL_BYTES
from trikv.protocol.events import memory_of
from trikv.protocol.resp import encode

MOST = 1 << 20


def crowd(count: int, **settings: object) -> list[Client]:
    """Connections to one node whose clients may make it hold a mebibyte."""
    service = FakeService(**{"input_bytes_max": MOST} | settings)
    connections = Connections(service.settings)
    return [Client(service, connections) for _ in range(count)]


def unfinished(size: int) -> bytes:
    """The beginning of a SET, of which `size` bytes have come."""
    return b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$8000000\r\n" + b"v" * size


def test_the_largest_unfinished_request_is_told_and_closed() -> None:
    """Past the total the one that holds the most gets an error, then the end; all others go on."""
    large, middle, small = crowd(3)
    large.receive(unfinished(500_000))
    middle.receive(unfinished(300_000))
    small.receive(unfinished(1_000))
    assert not large.wire.is_closed
    middle.receive(b"v" * 100_000)
    middle.receive(b"v" * 100_000)
    middle.receive(b"v" * 100_000)
    assert middle.wire.take() == encode(CLOSED, 2)
    assert [one.wire.is_closed for one in (large, middle, small)] == [False, True, False]
    assert small.say(b"v" * (8_000_000 - 1_000) + b"\r\n") != b""
    assert large.connections.closed_for_input_count == 1
    assert large.connections.statistics().input_bytes_max == MOST


def test_typed_lines_arguments_and_backlogs_count_alike() -> None:
    """Whatever a client can make a node hold goes into the one total: each kind is the largest in turn."""
    kinds = {
        "a typed line": b"set a " + b"v" * 60_000,
        "arguments": b"*20000\r\n" + b"$2\r\nab\r\n" * 1_500,
        "an argument": unfinished(40_000),
    }
    for what, data in kinds.items():
        clients = crowd(40)
        for client in clients:
            client.receive(data)
        assert clients[0].connections.input.total <= MOST, what
        closed = [client for client in clients if client.wire.is_closed]
        assert 0 < len(closed) < 40, what
        assert all(CLOSED.text.encode() in client.wire.take() for client in closed), what
        assert clients[0].connections.closed_for_input_count == len(closed)


def test_what_is_in_flight_is_answered_before_the_error() -> None:
    """A backlog is given up behind a write: its client hears what became of that first, then the error."""
    client, other = crowd(2)
    client.receive(resp("INCR", "a"))
    client.receive(unfinished(900_000))
    other.receive(unfinished(400_000))
    assert not client.wire.is_closed
    assert client.connections.input.total <= MOST
    client.receive(b"v" * 100_000)
    assert client.conversation.buffered_bytes() == 0
    client.service.pump()
    assert client.wire.take() == b":1\r\n" + encode(CLOSED, 2)
    assert client.wire.is_closed
    assert not other.wire.is_closed


@pytest.mark.parametrize("in_parts", [True, False])
def test_a_queue_that_is_too_large_is_discarded(*, in_parts: bool) -> None:
    """The connection lives on, later commands and EXEC say why, and nothing of it happens."""
    client, other = crowd(2)
    assert client.ask("MULTI") == b"+OK\r\n"
    for _ in range(3):
        assert client.ask("SET", "a", "v" * 300_000) == b"+QUEUED\r\n"
    other.receive(unfinished(200_000))
    assert client.conversation.caller.transactions.memory_bytes == 0
    if in_parts:
        assert client.ask("SET", "b", "1") == encode(DISCARDED, 2)
    assert client.ask("EXEC") == encode(ABORTED, 2)
    assert client.ask("EXISTS", "a", "b") == b":0\r\n"
    assert client.ask("MULTI") + client.ask("SET", "a", "1") + client.ask("EXEC") == (
        b"+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n"
    )
    assert client.connections.discarded_count == 1


def test_watched_keys_that_came_by_resp_count() -> None:
    """A WATCH of a thousand keys comes whole and is answered at once, and its keys stay."""
    clients = crowd(12)
    watch = resp("WATCH", *[b"key:%06d" % number for number in range(1_000)])
    for client in clients:
        client.receive(watch)
        client.service.pump()
    total = clients[0].connections.input.total
    assert MOST // 2 < total <= MOST
    assert total >= sum(client.conversation.waiting_bytes() for client in clients)
    assert clients[0].connections.discarded_count > 0


def test_what_is_in_flight_makes_what_waits_go() -> None:
    """The total is one: idle half-sent requests give way to those that are carried out."""
    *idle, busy, another = crowd(8)
    for client in idle:
        client.receive(unfinished(150_000))
    connections = busy.connections
    assert connections.input.total > 800_000
    for client in (busy, another):
        client.receive(resp("SET", "k", b"v" * 300_000))
        assert connections.input.total <= MOST
    assert connections.input.in_flight > 600_000
    closed = [client for client in idle if client.wire.is_closed]
    assert closed
    assert all(client.wire.take() == encode(CLOSED, 2) for client in closed)
    busy.service.pump()
    assert busy.wire.take() == b"+OK\r\n"


def test_watches_that_were_given_up_make_exec_fail() -> None:
    """A transaction must not go through without the watches it relied on; UNWATCH makes a new beginning."""
    client, other = crowd(2)
    for at in range(4):
        assert client.ask("WATCH", *(f"key:{at}:{number:050}" for number in range(1000))) == b"+OK\r\n"
    other.receive(unfinished(200_000))
    assert client.conversation.caller.transactions.memory_bytes == 0
    assert client.ask("MULTI") == b"+OK\r\n"
    assert client.ask("EXEC") == encode(ABORTED, 2)
    assert client.ask("WATCH", "a") + client.ask("MULTI") + client.ask("EXEC") == b"+OK\r\n+OK\r\n*0\r\n"
    client.conversation.caller.transactions.give_up()
    assert client.ask("UNWATCH") + client.ask("MULTI") + client.ask("EXEC") == b"+OK\r\n+OK\r\n*0\r\n"


def test_what_is_left_of_one_that_is_leaving_goes_unsaid_and_uncounted() -> None:
    """Nobody would have looked at it: behind QUIT, or of a connection whose last words are on their way."""
    quitting, ended, *others = crowd(4)
    quitting.receive(resp("INCR", "a") + resp("QUIT"))
    quitting.receive(unfinished(400_000))
    ended.ask("MULTI")
    ended.ask("SET", "a", "v" * 380_000)
    ended.conversation.end("idle for 300 s")
    for other in others:
        other.receive(unfinished(360_000))
        assert not other.wire.is_closed
    assert 700_000 < other.connections.input.total < 800_000, "what the two who are leaving held is free"
    quitting.service.pump()
    assert quitting.wire.take() == b":1\r\n+OK\r\n"
    assert quitting.wire.is_closed
    assert (other.connections.closed_for_input_count, other.connections.discarded_count) == (0, 0)


def test_who_is_closed_for_input_and_does_not_read_is_told_and_counted_once() -> None:
    """The error itself may be more than a client leaves room for: that is no second end."""
    service = FakeService(input_bytes_max=MOST)
    connections = Connections(service.settings, output_bytes_max=1000)
    client = Client(service, connections)
    client.receive(unfinished(1_000_000))
    client.wire.stuck_bytes = 1001
    client.receive(b"v" * 100_000)
    assert client.wire.take() == encode(CLOSED, 2)
    assert client.wire.is_closed
    assert (connections.closed_for_input_count, connections.closed_for_output_count) == (1, 0)


def test_requests_are_let_in_while_there_is_room() -> None:
    """What is in flight cannot be given up: where it fills its part, a large one is refused, not closed."""
    first, second, small = crowd(3)
    first.receive(resp("SET", "a", "v" * 700_000))
    second.receive(resp("SET", "b", "v" * 200_000))
    assert second.wire.take() == encode(REFUSED, 2)
    assert not second.wire.is_closed
    small.receive(resp("SET", "c", "v" * 10_000))
    assert small.wire.take() == b""
    small.service.pump()
    assert (first.wire.take(), small.wire.take()) == (b"+OK\r\n", b"+OK\r\n")
    assert first.connections.input.in_flight == 0
    assert second.ask("SET", "b", "v" * 200_000) == b"+OK\r\n"


def test_a_closed_clients_request_counts_until_it_comes_back() -> None:
    """Sending and hanging up, again and again, fills the total, too: the node still holds those requests."""
    service = FakeService(input_bytes_max=MOST)
    connections = Connections(service.settings)
    for _ in range(5):
        client = Client(service, connections)
        client.receive(resp("SET", "a", "v" * 300_000))
        client.conversation.closed()
    assert len([work for work in service.works if work.commands]) == 2
    assert connections.input.total > 600_000
    service.pump()
    assert connections.input.total == 0


def test_what_a_client_holds_is_counted_off_when_it_goes() -> None:
    """Whole requests, closed connections and discarded queues leave nothing behind in the total."""
    clients = crowd(3)
    total = clients[0].connections.input
    clients[0].receive(unfinished(200_000))
    clients[0].conversation.closed()
    assert total.total == 0
    clients[1].ask("MULTI")
    clients[1].ask("SET", "a", "v" * 200_000)
    assert total.total > 200_000
    clients[1].ask("DISCARD")
    assert total.total == 0
    clients[2].receive(b"*2\r\n$4\r\nPING\r\n$10000\r\n" + b"v" * 9_000)
    assert total.total > 9_000
    clients[2].say(b"v" * 1_000 + b"\r\n")
    assert total.total == 0


def test_small_clients_never_notice() -> None:
    """With the total full of unfinished requests, commands of the usual size are served as ever."""
    clients = crowd(60)
    for round_ in range(40):
        for client in clients[:50]:
            client.receive(unfinished(30_000) if round_ == 0 else b"v" * 30_000)
        for client in clients[50:]:
            assert client.ask("SET", "k", "v" * 1_000) == b"+OK\r\n"
            assert client.ask("MULTI") + client.ask("EXISTS", "k") == b"+OK\r\n+QUEUED\r\n"
            assert client.ask("EXEC") == b"*1\r\n:1\r\n"
        assert clients[0].connections.input.total <= MOST
    assert not any(client.wire.is_closed for client in clients[50:])


def test_config_shows_and_changes_the_total() -> None:
    """CONFIG GET tells the total in force, SET changes this node's; less than one request is refused."""
    (client,) = crowd(1)
    assert client.ask("CONFIG", "GET", "input-bytes-max").endswith(b"$7\r\n1048576\r\n")
    assert client.ask("CONFIG", "SET", "input-bytes-max", str(32 << 20)) == b"+OK\r\n"
    assert client.connections.input_bytes_max() == 32 << 20
    assert client.ask("CONFIG", "SET", "input-bytes-max", "64").startswith(b"-ERR CONFIG SET failed")


def test_client_list_tells_what_each_holds() -> None:
    """Qbuf and qbuf-free the unread, argv-mem what is in flight, multi-mem queue and watches, tot-mem all."""
    unread, flying, queued, reader = crowd(4, input_bytes_max=64 << 20)
    unread.receive(unfinished(100_000))
    flying.receive(resp("SET", "a", "v" * 50_000))
    flying.service.works.clear()
    queued.ask("WATCH", "k" * 1_000)
    queued.ask("MULTI")
    queued.ask("SET", "a", "v" * 70_000)
    lines = reader.ask("CLIENT", "LIST").decode().splitlines()[1:5]
    fields = [dict(word.split("=", 1) for word in line.split()) for line in lines]
    assert 100_000 <= int(fields[0]["qbuf"]) <= 100_100
    assert int(fields[0]["qbuf"]) + int(fields[0]["qbuf-free"]) <= 115_000
    assert 50_000 <= int(fields[1]["argv-mem"]) <= 51_000
    assert 71_000 <= int(fields[2]["multi-mem"]) <= 72_500
    parts = ("qbuf", "qbuf-free", "argv-mem", "multi-mem", "omem")
    assert all(int(one["tot-mem"]) == 4096 + sum(int(one[part]) for part in parts) for one in fields)
    used = unread.connections.input.total
    assert f"{used / (1 << 10):.1f} KiB  requests, proposals and replies waiting" in reader.type("memstats")


def test_a_spoiled_transaction_keeps_no_more(  # as in Redis
) -> None:
    """Commands behind a faulty one are answered QUEUED, and not kept for an EXEC that can only refuse."""
    (client,) = crowd(1)
    client.ask("MULTI")
    client.ask("NOPE")
    for _ in range(20):
        assert client.ask("SET", "a", "v" * 200_000) == b"+QUEUED\r\n"
    assert client.conversation.caller.transactions.memory_bytes == 0
    assert client.ask("EXEC").startswith(b"-EXECABORT")


def test_names_of_connections_are_short() -> None:
    """They are kept as long as the connection: 8 MB for each of ten thousand would be 80 GB."""
    (client,) = crowd(1)
    long = "n" * 513
    for words in (
        ("CLIENT", "SETNAME", long),
        ("CLIENT", "SETINFO", "LIB-NAME", long),
        ("HELLO", "3", "SETNAME", long),
    ):
        assert client.ask(*words) == b"-ERR Names of clients and libraries have at most 512 bytes\r\n"
    assert client.ask("CLIENT", "SETNAME", "n" * 512) == b"+OK\r\n"
    assert SMALL_BYTES > 3 * 512


def test_a_backlog_that_was_just_handed_over_is_not_counted_twice() -> None:
    """Waiting and in flight for a moment, by what is noted: its client is not closed for that."""
    (client,) = crowd(1)
    client.receive(resp("INCR", "a"))
    client.receive(resp("SET", "b", "v" * 700_000))
    assert client.connections.input.total > 700_000
    client.service.pump_one()
    assert not client.wire.is_closed
    assert 700_000 < client.connections.input.total < MOST
    client.service.pump()
    assert client.wire.take() == b":1\r\n+OK\r\n"
    assert client.connections.input.total == 0
    assert client.connections.closed_for_input_count == 0


def test_short_arguments_in_flight_count_with_what_each_takes() -> None:
    """An argument of one byte takes 65: a pipeline of them counts its arguments, not only its bytes."""
    (client,) = crowd(1)
    command = (b"MGET", *[b"a"] * 500)
    requests = resp(*command) * 3
    client.receive(requests)
    assert client.connections.input.in_flight == len(requests) + memory_of([command] * 3)


def test_a_large_request_that_failed_is_in_flight_no_longer() -> None:
    """Whatever came of it, the node holds nothing of it any more."""
    (client,) = crowd(1)
    client.receive(resp("SET", "a", "v" * 300_000))
    assert client.connections.input.in_flight > 300_000
    client.service.works.pop().failed(CLUSTERDOWN)
    assert client.connections.input.in_flight == 0
    assert client.wire.take() == encode(CLUSTERDOWN, 2)


def test_a_large_read_that_is_answered_at_once_was_never_in_flight() -> None:
    """By a lease the replies are there when it is handed over: the register counts nothing of it."""
    (client,) = crowd(1)
    client.service.has_lease = True
    keys = [f"key:{number:08}" for number in range(1_000)]
    assert client.say(resp("MGET", *keys) + resp("GET", "a")) == b"*1000\r\n" + b"$-1\r\n" * 1_001
    assert client.connections.input.in_flight == 0
    assert client.service.works == []


def test_a_discarded_queue_is_refused_though_an_earlier_transaction_forgets_its_watches() -> None:
    """The UNWATCH of the one before is answered later: it makes no new beginning of the one that is open."""
    client, other = crowd(2)
    earlier = resp("MULTI") + resp("SET", "a", "1") + resp("UNWATCH") + resp("EXEC")
    client.receive(earlier + resp("MULTI") + resp("SET", "b", "v" * 300_000) * 3)
    other.receive(unfinished(200_000))
    assert client.connections.discarded_count == 1
    client.service.pump()
    assert client.wire.take().endswith(b"*2\r\n+OK\r\n+OK\r\n+OK\r\n" + b"+QUEUED\r\n" * 3)
    assert client.ask("EXEC") == encode(ABORTED, 2)
    assert client.ask("EXISTS", "a", "b") == b":1\r\n"


def assert_counted(client: Client) -> None:
    """The register counts for the only client what waits for it, and nothing if that is small."""
    total, held = client.connections.input, client.conversation.waiting_bytes()
    assert total.total - total.in_flight == (held if held > SMALL_BYTES else 0)


def test_whole_requests_behind_a_full_turn_are_counted() -> None:
    """A deep pipeline came in one piece: what the first turn leaves waits for the client, and is weighed."""
    (client,) = crowd(1)
    client.receive(resp("SET", "k", "v" * 100) * 600)
    assert client.conversation.waiting_bytes() > 100_000
    assert_counted(client)
    assert client.service.pump() == 3
    assert client.wire.take() == b"+OK\r\n" * 600
    assert_counted(client)


def test_a_request_that_was_pushed_back_is_counted() -> None:
    """It was read and left for the next turn, so no unread byte is there: its arguments are weighed."""
    (client,) = crowd(1)
    pairs = [word for number in range(20) for word in (f"key:{number}", "v" * 3_000)]
    client.receive(resp("MSET", *pairs) * 2)
    assert client.conversation.buffered_bytes() == 0
    assert client.conversation.waiting_bytes() > 60_000
    assert_counted(client)
    client.service.pump()
    assert client.wire.take() == b"+OK\r\n" * 2
    assert_counted(client)


def test_watched_keys_are_counted_though_a_request_follows() -> None:
    """With the answer to WATCH the next turn begins at once: its keys are weighed then, not at the end."""
    (client,) = crowd(1)
    client.receive(resp("WATCH", *[f"{number:0200}" for number in range(1_000)]))
    client.receive(resp("GET", "a"))
    assert_counted(client)
    client.service.pump_one()
    assert client.conversation.is_busy()
    assert client.conversation.waiting_bytes() > 200_000
    assert_counted(client)


REQUESTS = (
    resp("GET", "a"),
    resp("SET", "a", "v" * 100) * 300,
    resp("SET", "a", "v" * 9_000),
    resp("MSET", *[word for number in range(20) for word in (f"key:{number}", "v" * 3_000)]),
    resp("WATCH", *[f"{number:050}" for number in range(100)]),
    resp("UNWATCH"),
    resp("MULTI"),
    resp("EXEC"),
    resp("DISCARD"),
    resp("NOPE"),
)
PIECES = st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=3).map(b"".join)


@settings(max_examples=200)
@given(st.lists(st.none() | st.tuples(PIECES, st.none() | st.integers(1, 70_000)), min_size=1, max_size=12))
def test_what_waits_is_counted_wherever_the_input_is_cut(
    steps: list[tuple[bytes, int | None] | None],
) -> None:
    """After each piece and each answer the register knows what the conversation holds, to the byte.

    A step is an answer of the node, or a piece of input with the place where it is cut, if it is; the rest
    comes with the next. A small backlog behind a turn in flight is weighed with the answer.
    """
    client = Client(FakeService(input_bytes_max=64 << 20))
    conversation, rest = client.conversation, b""
    for step in steps:
        if step is None:
            if client.service.works:
                client.service.pump_one()
        elif not client.wire.paused:
            data = rest + step[0]
            cut = step[1] or len(data)
            rest = data[cut:]
            client.receive(data[:cut])
            if conversation.is_busy() and conversation.buffered_bytes() <= SMALL_BYTES:
                continue
        assert_counted(client)
    client.service.pump()
    assert_counted(client)
