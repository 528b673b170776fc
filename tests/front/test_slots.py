"""A slot for every reply: what one takes in memory is counted."""

import gc
import tracemalloc

import pytest

from tests.front.doubles import Client, resp


@pytest.mark.parametrize(
    "words",
    [
        ("PING",),
        ("ECHO", "x" * 50),
        ("SET", "k", "v"),
        ("SELECT", "1"),
        ("CONFIG", "SET", "maxmemory", "1mb"),
        ("CONFIG", "SET", "timeout", "5"),
        ("CLIENT", "KILL", *["x"] * 100),
    ],
)
def test_what_is_queued_takes_no_more_than_is_counted(words: tuple[str, ...]) -> None:
    """Or clients could make a node hold more than `input_bytes_max` says."""
    client = Client()
    client.say(resp("MULTI"))
    requests = [resp(*words) for _ in range(100)]
    transactions = client.conversation.caller.transactions
    gc.collect()
    tracemalloc.start()
    try:
        before_bytes, _ = tracemalloc.get_traced_memory()
        for request in requests:
            client.conversation.received(request)
            client.wire.sent.clear()
        held_bytes = tracemalloc.get_traced_memory()[0] - before_bytes
    finally:
        tracemalloc.stop()
    queued = transactions.queued_count()
    assert queued > 20
    # What does not grow with the queue (a list of replies, a dict's first table) is not in the sum.
    assert held_bytes <= transactions.memory_bytes + 4096
