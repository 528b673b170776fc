"""CLIENT PAUSE: requests wait, are answered in order, and nobody else is held up."""

import pytest

from tests.front.doubles import Client, FakeService, resp
from trikv.front.connections import Connections
from trikv.front.intake import ConversationLimits


class Paused:
    """A node with three clients, the first of which pauses the others."""

    def __init__(self) -> None:
        self.service = FakeService()
        self.connections = Connections(self.service.settings)
        self.first, self.second, self.third = (Client(self.service, self.connections) for _ in range(3))

    def pause(self, *words: str) -> None:
        """One call of CLIENT PAUSE; its timer stays with the node."""
        self.first.receive(resp("CLIENT", "PAUSE", *words))
        assert self.first.wire.take() == b"+OK\r\n"

    def pass_ms(self, ms: int) -> None:
        """Time goes by, and the node calls its timers; what they bring about is answered."""
        self.service.now_ms += ms
        for operation in tuple(self.service.operations):
            self.service.operations.remove(operation)
            operation.answered(None)
        while self.service.works or self.service.outflows:
            if self.service.works:
                self.service.pump_one()
            else:
                self.service.pour_one()


@pytest.fixture
def paused() -> Paused:
    """Nobody is paused yet."""
    return Paused()


def test_all_commands_wait(paused: Paused) -> None:
    """For the machine, for the node, typed ones, the client's own; then each is answered in order."""
    paused.pause("1000")
    paused.second.receive(resp("SET", "a", "1") + resp("PING") + resp("GET", "a"))
    paused.third.receive(b"ping\r\n")
    paused.first.receive(resp("ECHO", "x"))
    for _ in range(19):
        paused.pass_ms(50)
    clients = (paused.first, paused.second, paused.third)
    assert [one.wire.take() for one in clients] == [b"", b"", b""]
    assert paused.service.works == []
    assert paused.connections.in_flight() == 3
    paused.pass_ms(50)
    paused.pass_ms(0)
    assert [one.wire.take() for one in clients] == [
        b"$1\r\nx\r\n",
        b"+OK\r\n+PONG\r\n$1\r\n1\r\n",
        b"+PONG\r\n",
    ]
    assert paused.connections.in_flight() == 0
    assert paused.service.operations == [], "the timer has ended with the pause"
    assert paused.second.ask("PING") == b"+PONG\r\n"


def test_only_writes_wait(paused: Paused) -> None:
    """What goes through the log; an EXEC that holds such a command; what stands behind one of them."""
    paused.pause("100", "write")
    paused.second.receive(resp("GET", "a") + resp("PING"))
    paused.service.pump_one()
    assert paused.second.wire.take() == b"$-1\r\n+PONG\r\n"
    paused.second.receive(resp("GET", "a") + resp("INCR", "a") + resp("PING"))
    paused.service.pump_one()
    assert paused.second.wire.take() == b"$-1\r\n"
    paused.third.receive(resp("MULTI") + resp("GET", "a") + resp("EXEC"))
    paused.service.pump_one()
    assert paused.third.wire.take().endswith(b"*1\r\n$-1\r\n")
    paused.pass_ms(50)
    assert paused.second.wire.take() == b""
    paused.pass_ms(50)
    assert paused.second.wire.take() == b":1\r\n+PONG\r\n"


def test_a_transaction_that_writes_waits_whole(paused: Paused) -> None:
    """It was queued before the pause began."""
    paused.second.receive(resp("MULTI") + resp("SET", "a", "1"))
    paused.second.wire.take()
    paused.pause("100", "WRITE")
    paused.second.receive(resp("EXEC"))
    assert paused.second.wire.take() == b""
    paused.pass_ms(100)
    assert paused.second.wire.take() == b"*1\r\n+OK\r\n"


def test_unpause_ends_it(paused: Paused) -> None:
    """It never waits itself, however long the pause would have been; without a pause it changes nothing."""
    paused.pause(str((1 << 63) - 1))
    paused.second.receive(resp("PING"))
    assert paused.second.wire.take() == b""
    paused.third.receive(resp("CLIENT", "UNPAUSE"))
    assert paused.third.wire.take() == b"+OK\r\n"
    paused.pass_ms(0)
    assert paused.second.wire.take() == b"+PONG\r\n"
    paused.third.receive(resp("CLIENT", "UNPAUSE"))
    assert paused.third.wire.take() == b"+OK\r\n"
    assert paused.service.operations == []


def test_a_second_pause_makes_it_no_shorter_and_no_narrower(paused: Paused) -> None:
    """As in Redis: the later end, and ALL if either says so."""
    paused.pause("500", "ALL")
    paused.connections.pause.begin(paused.service, 100, of_all=False)
    paused.second.receive(resp("PING"))
    paused.pass_ms(450)
    assert paused.second.wire.take() == b""
    paused.connections.pause.begin(paused.service, 200, of_all=False)
    paused.pass_ms(150)
    assert paused.second.wire.take() == b""
    paused.pass_ms(50)
    assert paused.second.wire.take() == b"+PONG\r\n"


def test_the_held_go_on_a_few_at_a_time(paused: Paused) -> None:
    """A thousand pipelines at once would hold up the node; a new pause holds those that have not gone on."""
    clients = [Client(paused.service, paused.connections) for _ in range(40)]
    paused.pause("100")
    for one in clients:
        one.receive(resp("PING"))
    paused.pass_ms(100)
    answered = sum(bool(one.wire.take()) for one in clients)
    assert 0 < answered < 20
    paused.pause("100")
    paused.pass_ms(0)
    assert sum(bool(one.wire.take()) for one in clients) == 0
    for _ in range(4):
        paused.pass_ms(100)
        answered += sum(bool(one.wire.take()) for one in clients)
    assert answered == 40
    assert paused.connections.in_flight() == 0


@pytest.mark.parametrize("how", ["closed", "killed", "half"])
def test_a_held_client_may_go(paused: Paused, how: str) -> None:
    """Nothing is kept of one that is gone; one that is killed is told; one that sends no more is answered."""
    paused.pause("100")
    paused.second.receive(resp("SET", "a", "1"))
    conversation = paused.second.conversation
    if how == "closed":
        conversation.closed()
    elif how == "killed":
        conversation.end("killed by another client")
        assert paused.second.wire.take() == (
            b"-CLUSTERDOWN the connection is being closed; nothing was read or written\r\n"
        )
        conversation.closed()
    else:
        conversation.ended()
        assert not paused.second.wire.is_closed
    assert paused.connections.in_flight() == (how == "half")
    paused.pass_ms(100)
    assert paused.connections.in_flight() == 0
    assert paused.second.wire.is_closed == (how != "closed")
    assert paused.service.machine.keys() == (how == "half")


def test_a_stop_ends_it(paused: Paused) -> None:
    """What was held back is refused like all else, so the stop need not wait for the end of a pause."""
    paused.pause("100000")
    paused.second.receive(resp("SET", "a", "1"))
    paused.connections.stop_commands("this node is shutting down")
    paused.pass_ms(0)
    assert paused.second.wire.take() == b"-CLUSTERDOWN this node is shutting down; nothing was done\r\n"
    assert paused.connections.in_flight() == 0


def test_a_held_client_is_bounded_and_not_idle(paused: Paused) -> None:
    """Beyond its backlog the peer is paused; the idle limit is for who says nothing."""
    paused.pause("100")
    paused.second.receive(resp("PING"))
    paused.second.receive(resp("ECHO", "x" * ConversationLimits().backlog_bytes_max))
    assert paused.second.wire.paused
    paused.service.settings.timeout_s = 1
    paused.connections.expire_idle(paused.service.now_ms)
    paused.connections.expire_idle(paused.service.now_ms + 60_000)
    assert not paused.second.wire.is_closed
    assert paused.connections.statistics().blocked == 0
    paused.pass_ms(100)
    assert paused.second.wire.take().startswith(b"+PONG\r\n$262144\r\n")


def test_skip_waits_for_what_is_held_back(paused: Paused) -> None:
    """The held request is the one that is skipped, when it comes."""
    paused.second.receive(resp("CLIENT", "REPLY", "SKIP"))
    paused.pause("100")
    paused.second.receive(resp("PING") + resp("ECHO", "x"))
    paused.pass_ms(100)
    assert paused.second.wire.take() == b"$1\r\nx\r\n"


def test_a_pause_of_nothing_is_over_at_once(paused: Paused) -> None:
    """With the node's next round."""
    paused.pause("0")
    paused.pass_ms(0)
    assert paused.second.ask("PING") == b"+PONG\r\n"
