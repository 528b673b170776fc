"""Order and wholeness of what a conversation submits and answers, where seeded mistakes survived."""

from tests.front.doubles import Client, resp
from trikv.front.intake import ConversationLimits


def test_a_pipeline_of_the_machines_commands_alone_is_answered_in_order() -> None:
    """The hot path encodes all its replies in one call."""
    client = Client()
    client.receive(resp("SET", "a", "1") + resp("GET", "a") + resp("INCR", "a") + resp("STRLEN", "a"))
    client.service.pump()
    assert client.wire.sent == [b"+OK\r\n$1\r\n1\r\n:2\r\n:1\r\n"]


def test_a_transaction_longer_than_a_turn_is_still_one_step_of_one_work() -> None:
    """What a turn may hold bounds pipelines; MULTI to EXEC is one entry, or refused (PROTOCOL 5)."""
    client = Client(limits=ConversationLimits(turn_bytes_max=200, turn_commands_max=1024))
    client.receive(resp("MULTI"))
    for number in range(10):
        client.receive(resp("SET", f"key{number}", "x" * 50))
    assert client.service.works == []
    client.receive(resp("EXEC"))
    (work,) = client.service.works
    assert [(one.start, one.count) for one in work.transactions] == [(0, 10)]
    client.service.pump()
    assert client.wire.take().endswith(b"*10\r\n" + b"+OK\r\n" * 10)
