"""Whatever the bytes are, the answer is a value or an RdbError: nothing else, no hang, bounded memory."""

import io
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rdb import craft
from tests.rdb.test_files import body_of
from tests.rdb.test_reading import GOLDEN
from tests.rdb.test_stream_reading import CONSUMERS, PENDING
from trikv import rdb
from trikv.rdb.checksum import checksum

MOST = 64 * 1024
"""The longest string that is read in these tests."""
MEMORY = 8 * MOST
"""A string up to three times, its elements, and what Python needs."""
STREAMS = {
    f"stream {version}": (
        number,
        craft.stream(version, groups=[craft.group(version, pending=PENDING, consumers=CONSUMERS)]),
    )
    for version, number in ((1, 15), (2, 19), (3, 21))
}
BODIES = {**{name: (number, body) for name, (number, body, _) in GOLDEN.items()}, **STREAMS}


def payload(number: int, body: bytes) -> bytes:
    """One whose end is right, whatever is in it."""
    data = bytes([number]) + body + b"\x0b\x00"
    return data + checksum(data).to_bytes(8, "little")


def value_of(data: bytes) -> rdb.Value | None:
    """What is read, or None if it was refused. Any other exception is a failure."""
    steps = 0
    parts = []
    try:
        for part in rdb.read_payload(data, string_bytes_max=MOST):
            steps += 1
            assert steps < 1000 + len(data)
            parts.append(part)
    except rdb.RdbError as error:
        refusal = error
    else:
        return rdb.gathered(parts)
    assert refusal.offset is not None
    assert 0 <= refusal.offset <= len(data)
    return None


def flips(body: bytes) -> Iterator[bytes]:
    """Each bit turned, each byte the least and the greatest, each place cut, each byte missing or twice."""
    for place, byte in enumerate(body):
        for other in {*(byte ^ 1 << bit for bit in range(8)), 0, 255}:
            yield body[:place] + bytes([other]) + body[place + 1 :]
        yield body[:place]
        yield body[:place] + body[place + 1 :]
        yield body[:place] + body[place:][:1] + body[place:]


@pytest.mark.parametrize("name", BODIES)
def test_a_damaged_payload_is_a_value_or_refused(name: str) -> None:
    """A value that is read of it can be written and is read again as the same."""
    number, body = BODIES[name]
    read = refused = 0
    for damaged in flips(body):
        value = value_of(payload(number, damaged))
        if value is None:
            refused += 1
            continue
        read += 1
        again = b"".join(rdb.payload_of(value, version=11))
        back = rdb.gathered(rdb.read_payload(again))
        assert comparable(back) == comparable(value)
    assert refused > 0
    assert read + refused >= 10 * len(body)


def comparable(value: rdb.Value) -> object:
    """A value whose order is of no meaning in one."""
    match value:
        case rdb.Set(members):
            return sorted(members)
        case rdb.SortedSet(members):
            return sorted((member, repr(score)) for member, score in members)
        case rdb.Hash(fields):
            return sorted(fields)
        case rdb.Stream(entries):
            return [(id_, list(words)) for id_, words in entries], stream_state(value)
        case _:
            return value


def stream_state(stream: rdb.Stream) -> object:
    """What a stream has besides its entries: groups and consumers are in no order."""
    groups = []
    for group in stream.groups:
        names = [consumer.name for consumer in group.consumers]
        pending = [one._replace(consumer=0) for one in group.pending]
        owners = [names[one.consumer] for one in group.pending]
        consumers = sorted((one.name, one.seen_ms, str(one.active_ms)) for one in group.consumers)
        groups.append((group.name, group.last_id, str(group.entries_read), consumers, pending, owners))
    return stream.last_id, stream.max_deleted_id, stream.entries_added, sorted(groups)


@pytest.mark.parametrize("name", BODIES)
def test_a_damaged_payload_takes_little_memory(name: str) -> None:
    """Nothing is made room for because a length says so."""
    number, body = BODIES[name]
    damages = [payload(number, damaged) for damaged in list(flips(body))[::7]]
    tracemalloc.start()
    try:
        for damaged in damages:
            value_of(damaged)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MEMORY


@given(st.integers(0, 25), st.binary(max_size=200))
def test_any_bytes_are_a_value_or_refused(number: int, body: bytes) -> None:
    """Behind any type byte."""
    value_of(payload(number, body))


PACKS = st.lists(st.binary(max_size=6) | st.integers(-5, 300) | st.integers(-(2**63), 2**63 - 1), max_size=40)


@given(
    st.sampled_from([9, 10, 11, 12, 13, 14, 16, 17, 18, 20]),
    PACKS,
    st.binary(max_size=8),
    st.integers(0, 300),
)
def test_any_packed_elements_are_a_value_or_refused(
    number: int, elements: list[craft.Element], noise: bytes, place: int
) -> None:
    """Sound ones, and such with other bytes over them."""
    for pack in (craft.listpack(elements), craft.ziplist(elements)):
        data = pack[:place] + noise + pack[place + len(noise) :]
        for body in (pack, data):
            head = {14: b"\1", 18: b"\1\2"}.get(number, b"")
            value_of(payload(number, head + craft.raw(body)))


@given(PACKS)
def test_any_node_of_a_stream_is_a_value_or_refused(elements: list[craft.Element]) -> None:
    """With numbers where they may mean much."""
    value_of(payload(19, craft.stream(2, node=elements)))


def test_a_damaged_file_is_refused() -> None:
    """Each bit turned, each place cut: the checksum tells what the structure does not."""
    data = craft.file(body_of(5))
    for damaged in flips(data):
        if damaged == data:
            continue
        with pytest.raises(rdb.RdbError):
            rdb.check_file(io.BytesIO(damaged), string_bytes_max=MOST)


def test_a_damaged_file_without_a_checksum_is_read_or_refused() -> None:
    """Nothing else comes of it."""
    for damaged in flips(craft.file(body_of(5), has_checksum=False)):
        with suppress(rdb.RdbError):
            rdb.check_file(io.BytesIO(damaged), string_bytes_max=MOST)


def test_a_file_that_promises_much_takes_little_memory() -> None:
    """A string, a list, a compressed string of which hardly anything is there."""
    bodies = [
        b"\x00\x01k" + craft.length(MOST) + b"x",
        b"\x00\x01k" + craft.length(2**50) + b"x",
        b"\x01\x01k" + craft.length(2**63) + b"\x01x" * 1000,
        b"\x00\x01k\xc3"
        + craft.length(1000)
        + craft.length(MOST)
        + b"\x00a"
        + b"\xe0\xff\x00" * 332
        + b"\x01ab",
        b"\x13\x01k" + craft.length(2**60),
    ]
    for body in bodies:
        file = io.BytesIO(b"REDIS0011" + body)
        tracemalloc.start()
        try:
            with pytest.raises(rdb.RdbError):
                rdb.check_file(file, string_bytes_max=MOST)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < MEMORY
