"""What the register is told of a conversation."""

from tests.front.doubles import Client, resp


def test_how_a_conversation_stands() -> None:
    """Busy from a command to its answer; a person, or a program; in MULTI, and with watches."""
    client = Client()
    conversation = client.conversation
    assert conversation.typed() is None
    client.receive(resp("SET", "a", "1"))
    assert (conversation.typed(), conversation.is_busy(), conversation.is_leaving()) == (False, True, False)
    client.receive(resp("GET", "a")[:5])
    assert conversation.buffered_bytes() == 5
    client.service.pump()
    client.receive(resp("GET", "a")[5:])
    client.service.pump()
    assert not conversation.is_busy()
    client.say(resp("WATCH", "a") + resp("MULTI") + resp("GET", "a"))
    assert (conversation.queued_count(), conversation.is_watching()) == (1, True)
    assert conversation.memory().queued == conversation.waiting_bytes() > 0
    client.wire.stuck_bytes = 5
    assert conversation.unsent_bytes() == 5
    conversation.end("killed")
    assert conversation.is_leaving()
