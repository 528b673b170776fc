"""The longest common subsequence of two strings."""

import random
import sys
import tracemalloc
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

from tests.machine.dialogue import check
from tests.machine.driving import Driver
from trikv.machine.commands import lcs
from trikv.machine.replies import CommandError, Reply, Streamed


def test_what_two_strings_have_in_common() -> None:
    """Itself, its length, or where it is in both, from the end."""
    check("""
        MSET a ohmytext b mynewtext -> OK
        LCS a b -> mytext
        LCS a b LEN -> 6
        LCS a b IDX -> {len=6 matches=[[[4 7] [5 8]] [[2 3] [0 1]]]}
        LCS a b IDX MINMATCHLEN 4 -> {len=6 matches=[[[4 7] [5 8]]]}
        LCS a b idx withmatchlen minmatchlen -3 -> {len=6 matches=[[[4 7] [5 8] 4] [[2 3] [0 1] 2]]}
        LCS a absent -> .
        LCS absent a LEN -> 0
        LCS a absent IDX -> {len=0 matches=[]}
        LCS a a -> ohmytext
        MSET c ac d ba -> OK
        LCS c d -> a
        LCS a b LEN IDX -> ERR If you want both the length and indexes, please just use IDX.
        LCS a b MINMATCHLEN x -> ERR value is not an integer or out of range
        LCS a b MINMATCHLEN -> ERR syntax error
        LCS a b foo -> ERR syntax error
        RPUSH l a -> 1
        LCS a l foo -> ERR The specified keys must contain string values
    """)


def test_long_strings() -> None:
    """They are compared in slices; the product of their lengths has a limit."""
    driver = Driver()
    driver.run([b"SET", b"a", b"ab" * 1_500], [b"SET", b"b", b"ba" * 1_500 + b"c"])
    for line, expected in (("LCS a b LEN", 2_999), ("LCS a b", b"ab" * 1_499 + b"a")):
        reply = driver.read(line)
        assert isinstance(reply, Streamed)
        rows: list[object] = []
        while not reply.is_over:
            rows += reply.step()
        assert rows[0] in (expected, b"ba" * 1_499 + b"b")
    least = 11_584  # a table of 11,585 rows and columns, of 4 bytes a cell, just fits in 512 MiB
    driver.run([b"SET", b"a", b"a" * least], [b"SET", b"b", b"b" * (least + 1)])
    check("LCS a b -> ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len", driver)
    check("LCS b b -> ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len", driver)
    assert _streamed(driver, "LCS a a") == b"a" * least


@pytest.mark.parametrize("block_bits", [1, 7, 1 << 15])
def test_the_same_as_by_a_table(monkeypatch: pytest.MonkeyPatch, block_bits: int) -> None:
    """Of several longest ones it is the one that Redis finds, whichever string is longer."""
    monkeypatch.setattr(lcs, "_BLOCK_BITS", block_bits)
    driver, choose = Driver(), random.Random(1)
    for letters in (b"ab", b"abcd", b"abcdefghijklmnop") * 40:
        one, other = (bytes(choose.choices(letters, k=choose.randint(0, 24))) for _ in range(2))
        driver.run([b"SET", b"a", one], [b"SET", b"b", other])
        found = list(_by_a_table(one, other))
        assert driver.read("LCS a b") == bytes(one[at] for at, _ in reversed(found))
        assert driver.read("LCS a b LEN") == len(found)
        reply = driver.read("LCS a b IDX")
        assert isinstance(reply, dict)
        assert reply[b"len"] == len(found)
        matches: Any = reply[b"matches"]
        shown = [
            (start + back, place + back)
            for (start, end), (place, _) in matches
            for back in range(end - start, -1, -1)
        ]
        assert shown == found
        sides = [((start - 1, place - 1), (end, last)) for (start, end), (place, last) in matches]
        assert all(sides[at][0] != sides[at + 1][1] for at in range(len(sides) - 1)), "two that are one"


def _by_a_table(one: bytes, other: bytes) -> Iterator[tuple[int, int]]:
    """The places of what is common, from the end, as a plain table of lengths gives them."""
    lengths = [[0] * (len(other) + 1)]
    for byte in one:
        row = [0]
        for place, another in enumerate(other):
            row.append(lengths[-1][place] + 1 if byte == another else max(lengths[-1][place + 1], row[-1]))
        lengths.append(row)
    at, place = len(one), len(other)
    while at and place:
        if one[at - 1] == other[place - 1]:
            at, place = at - 1, place - 1
            yield at, place
        elif lengths[at - 1][place] > lengths[at][place - 1]:
            at -= 1
        else:
            place -= 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"xb", b"b" + b"y" * 100_000),
        (b"b" + b"y" * 100_000, b"xb"),
        (bytes(range(256)), bytes(range(256)) * 160),
        (b"ab" * 700 + b"c", b"ba" * 25_000),
    ],
    ids=["short first", "short last", "many bytes", "many rows"],
)
@pytest.mark.parametrize("options", ["", " LEN", " IDX"])
def test_no_step_is_long(one: bytes, other: bytes, options: str) -> None:
    """A step does a bounded number of operations, each on bounded integers, however long a string is."""
    driver = Driver()
    driver.run([b"SET", b"a", one], [b"SET", b"b", other])
    reply = driver.read(f"LCS a b{options}")
    assert isinstance(reply, Streamed)
    while not reply.is_over:
        watch = _Watch()
        before = sys.gettrace()
        sys.settrace(watch.see)
        try:
            reply.step()
        finally:
            sys.settrace(before)
        assert watch.lines <= 4 * 4_096
        assert watch.bits <= 1 << 16
        assert watch.bits_in_all <= 30_000_000


class _Watch:
    """Counts what a step does."""

    def __init__(self) -> None:
        self.lines = 0
        self.bits = 0
        """Of the longest integer at hand."""
        self.bits_in_all = 0
        """Of the longest integer at hand at each line that works with one of more than 64."""

    def see(self, frame: FrameType, event: str, _arg: object) -> Any:
        """For `sys.settrace`."""
        if frame.f_code.co_filename != lcs.__file__:
            return None
        if event == "line":
            self.lines += 1
            at_hand = (value.bit_length() for value in frame.f_locals.values() if isinstance(value, int))
            bits = max(at_hand, default=0)
            self.bits = max(self.bits, bits)
            self.bits_in_all += bits if bits > 64 else 0
        return self.see


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"x" * 1_000_000, b"y" * 30),
        (b"y" * 30, b"x" * 1_000_000),
        (b"xy" * 8_191, b"x" * 8_191),
        (b"x" * 8_191, b"xy" * 8_191),
    ],
    ids=["long first", "long last", "many matches", "many matches, short first"],
)
def test_memory(one: bytes, other: bytes) -> None:
    """What is kept between steps has a limit, whichever string is longer."""
    driver = Driver()
    driver.run([b"SET", b"a", one], [b"SET", b"b", other])
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        _streamed(driver, "LCS a b IDX")
        taken = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert taken <= 24 << 20


def test_in_a_transaction() -> None:
    """It is one step there, so what takes long is refused, if only one string is long as well."""
    driver = Driver()
    driver.run([b"SET", b"a", b"b"], [b"SET", b"b", b"y" * 100_000 + b"b"], [b"SET", b"c", b"y" * 1_000_000])
    assert driver.execute("LCS a b LEN") == [1]
    (refused,) = _rows(driver.execute("LCS a c LEN"))
    assert isinstance(refused, CommandError)
    assert "inside MULTI" in refused.text


def _rows(reply: Reply) -> list[Any]:
    assert isinstance(reply, list)
    return reply


def _streamed(driver: Driver, line: str) -> Any:
    """The answer to a read that takes many steps."""
    reply = driver.read(line)
    assert isinstance(reply, Streamed)
    rows: list[Any] = []
    while not reply.is_over:
        rows += reply.step()
    (answer,) = rows
    return answer


def test_every_byte() -> None:
    """More different bytes than one step looks for."""
    driver = Driver()
    driver.run([b"SET", b"a", bytes(range(256))], [b"SET", b"b", bytes(range(256)) * 160])
    reply = driver.read("LCS a b LEN")
    assert isinstance(reply, Streamed)
    assert [row for _ in iter(lambda: reply.is_over, True) for row in reply.step()] == [256]
