"""No step takes long, whatever the value is: megabytes of everything that may be in one piece."""

import time
from collections.abc import Callable, Iterator

import pytest

from tests.rdb.craft import group, intset, length, listpack, raw, raws, stream, ziplist, zipmap
from tests.rdb.test_damage import payload
from trikv import rdb

STEP_S = 0.02
"""Ten times what a step should take, of the processor: tests run on machines of any kind, and traced."""
NUMBERS = range(20_000)
WORDS = [b"%d word" % number for number in NUMBERS]


def _fields() -> bytes:
    """A stream of one entry of very many fields."""
    return stream(2, node=[1, 0, len(WORDS), *WORDS, 0, 2, 0, 0, *WORDS, len(WORDS) + 3], count=1)


def _pending() -> bytes:
    """A stream whose only group has very much that is pending."""
    ids = [(1, number) for number in range(1, 20_000)]
    entries = [(id_, 1, 1) for id_ in ids]
    return stream(
        2, groups=[group(2, pending=entries, consumers=[(b"a", 1, 1, ids[::2]), (b"b", 1, 1, ids[1::2])])]
    )


def _compressed() -> bytes:
    """A string of eight megabytes in a few kilobytes."""
    tokens = b"\x00a" + b"\xe0\xff\x00" * 31_000
    return b"\xc3" + length(len(tokens)) + length(1 + 264 * 31_000) + tokens


MADE: dict[str, tuple[int, Callable[[], bytes]]] = {
    "list": (1, lambda: length(20_000) + raws(*WORDS)),
    "set": (2, lambda: length(20_000) + raws(*WORDS)),
    "sorted set": (5, lambda: length(20_000) + b"".join(raw(word) + bytes(8) for word in WORDS)),
    "hash": (4, lambda: length(10_000) + raws(*WORDS)),
    "ziplist": (10, lambda: raw(ziplist(WORDS))),
    "listpack": (16, lambda: raw(listpack(WORDS))),
    "scores": (17, lambda: raw(listpack(NUMBERS))),
    "intset": (11, lambda: raw(intset(NUMBERS, 4))),
    "zipmap": (9, lambda: raw(zipmap(list(zip(WORDS, WORDS, strict=True))))),
    "empty nodes": (18, lambda: length(20_001) + (b"\2" + raw(listpack([]))) * 20_000 + b"\1\1x"),
    "fields of an entry": (19, _fields),
    "pending": (19, _pending),
    "compressed": (0, _compressed),
    "plain": (0, lambda: raw(b"x" * 8_000_000)),
}


def longest(steps: Iterator[object]) -> float:
    """What the longest of these steps takes, in seconds."""
    most = 0.0
    while True:
        before = time.process_time()
        if next(steps, steps) is steps:
            return most
        most = max(most, time.process_time() - before)


@pytest.mark.parametrize("name", MADE)
def test_no_step_is_long(name: str) -> None:
    """Reading and writing; one of three times, for a machine may be busy at any moment."""
    number, make = MADE[name]
    data = payload(number, make())
    assert any(longest(iter(rdb.read_payload(data))) < STEP_S for _ in range(3))
    value = rdb.gathered(rdb.read_payload(data))
    for compress in (False, True):
        assert any(longest(rdb.payload_of(value, compress=compress)) < STEP_S for _ in range(3))
