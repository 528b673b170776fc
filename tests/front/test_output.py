"""What leaves a connection: together, in order, and only while its client takes it."""

from tests.front.doubles import Client, FakeService
from trikv.front.connections import MUTED, Connections
from trikv.machine.replies import OK


def _client() -> Client:
    service = FakeService()
    return Client(service, Connections(service.settings, output_bytes_max=1000))


def test_pieces_leave_together_and_once() -> None:
    """One send for all that was collected; nothing to send is no send."""
    client = _client()
    out = client.conversation._out
    out.pieces += [b"a", b"b"]
    out.put(OK)
    out.flush()
    out.flush()
    assert client.wire.sent == [b"ab+OK\r\n"]
    out.pieces.append(b"alone")
    out.flush()
    assert client.wire.sent[1:] == [b"alone"]


def test_a_reply_that_no_slot_holds_may_be_muted_too() -> None:
    """It is dropped; what stands in line is not."""
    client = _client()
    out = client.conversation._out
    client.conversation.connection.muted_turns = MUTED
    out.pieces.append(b"a")
    out.put(OK)
    out.flush()
    assert client.wire.sent == [b"a"]


def test_a_person_is_shown_a_line() -> None:
    """In the dialect of the connection at that moment."""
    client = _client()
    client.type("get a")
    client.conversation._out.put(7)
    client.conversation._out.flush()
    assert client.wire.sent == [b"(integer) 7\r\n"]


def test_a_client_is_behind_when_three_quarters_of_its_limit_wait() -> None:
    """Only after a send has shown that it is slow: a wire that takes all is not asked."""
    client = _client()
    out = client.conversation._out
    client.wire.stuck_bytes = 800
    assert not out.is_behind()
    out.pieces.append(b"a")
    out.flush()
    assert out.is_slow
    assert out.is_behind()
    client.wire.stuck_bytes = 750
    assert not out.is_behind()
    client.wire.stuck_bytes = 0
    out.pieces.append(b"a")
    out.flush()
    assert not out.is_slow
