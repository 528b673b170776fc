"""A wire takes as much memory as it says: never more, and not much less."""

import gc
import tracemalloc

import pytest

from trikv.protocol.events import memory_of
from trikv.protocol.requests import NEED_DATA, ClientWire

KINDS = {
    "an argument": [b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$8000000\r\n", *([b"v" * 65536] * 40)],
    "an argument in crumbs": [b"*2\r\n$3\r\nGET\r\n$60000\r\n", *([b"v" * 100] * 500)],
    "empty arguments": [b"*1000000\r\n", *([b"$0\r\n\r\n" * 10_000] * 5)],
    "arguments of two bytes": [b"*1000000\r\n", *([b"$2\r\nab\r\n" * 8_000] * 5)],
    "arguments of twenty bytes": [b"*1000000\r\n", *([b"$20\r\n" + b"v" * 20 + b"\r\n"] * 20_000)],
    "arguments of a kilobyte": [b"*1000000\r\n", *([b"$1000\r\n" + b"v" * 1000 + b"\r\n"] * 500)],
    "a typed line": [b"set a ", *([b"v" * 1000] * 60)],
}


@pytest.mark.parametrize("kind", KINDS)
def test_memory_of_an_unfinished_request(kind: str) -> None:
    """Counted by Python's own account of allocations, for each way in which a request can be unfinished."""
    pieces = KINDS[kind]
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        wire = ClientWire()
        for piece in pieces:
            wire.receive(b"" + piece)
            assert wire.next_event() is NEED_DATA
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    idle_bytes = 3_000
    assert taken - idle_bytes <= wire.memory_bytes
    if kind != "empty arguments":  # these cost a reference each; a cheaper account would have to look
        assert wire.memory_bytes <= 1.6 * taken
    assert wire.typed == (kind == "a typed line")
    wire.drop()
    assert (wire.memory_bytes, wire.buffered_bytes, wire.drained) == (0, 0, True)
    wire.receive(b"PING\r\n")
    assert wire.next_event() is NEED_DATA
    assert wire.memory_bytes == 0


def test_the_first_byte_tells_what_is_unfinished() -> None:
    """Before the count of an array is there, its star says how it is to be refused."""
    for data, is_typed in ((b"*", False), (b"*10000", False), (b"se", True), (b"*1\r\n$4\r\nPI", False)):
        wire = ClientWire()
        wire.receive(data)
        assert wire.next_event() is NEED_DATA
        assert wire.typed is is_typed, data


def test_memory_of_what_was_parsed_and_not_taken() -> None:
    """The rest of a deep pipeline waits as objects, several times the bytes received."""
    tracemalloc.start()
    try:
        wire = ClientWire()
        wire.receive(b"*2\r\n$3\r\nGET\r\n$2\r\nab\r\n" * 3_000)
        before = tracemalloc.get_traced_memory()[0]
        requests, size = wire.run()
        wire.put_back(requests, size)
        del requests
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert taken <= wire.memory_bytes <= 2.2 * taken
    assert wire.memory_bytes > 5 * size


def test_options_of_telnet_leave_no_trace() -> None:
    """A peer that offers all 512 of them makes the node hold a bit for each."""
    wire = ClientWire()
    offers = b"".join(bytes((255, verb, option)) for verb in (251, 253) for option in range(256))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        wire.receive(offers)
        answers = 0
        while wire.next_event() is not NEED_DATA:
            answers += 1
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert answers == 512
    assert taken < 3_000


def test_memory_of_requests_is_never_less_than_theirs() -> None:
    """`memory_of` leaves out the bytes of the arguments, and nothing else."""
    for count, length in ((1, 2), (2, 3), (3, 15), (16, 16), (1000, 100)):
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            request = tuple([bytes(bytearray(length)) for _ in range(count)])
            taken = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        assert taken <= memory_of([request]) + count * length + 100, (count, length)
