"""HSCAN, SSCAN and ZSCAN of many elements: whatever stays is shown, whatever comes and goes meanwhile."""

import random
from typing import Any

import pytest

from tests.machine.driving import Driver

SCANS = {"HSCAN": ("HSET", "HDEL", 2), "SSCAN": ("SADD", "SREM", 1), "ZSCAN": ("ZADD", "ZREM", 2)}


def put(add: str, names: list[str]) -> str:
    """The command that adds elements of those names."""
    if add == "ZADD":
        return "ZADD k " + " ".join(f"1 {name}" for name in names)
    return f"{add} k " + " ".join(f"{name} v" if add == "HSET" else name for name in names)


def paged(driver: Driver, line: str) -> tuple[bytes, list[bytes]]:
    """The cursor and the words of a page."""
    reply: Any = driver.one(line)
    return reply[0], reply[1]


@pytest.mark.parametrize("scan", list(SCANS))
@pytest.mark.parametrize("count", [1, 7, 100, 1_000])
@pytest.mark.parametrize("grows", [True, False])
def test_what_stays_is_shown(scan: str, count: int, *, grows: bool) -> None:
    """Though parts are divided or joined between two pages; no page is much longer than asked for."""
    add, remove, words = SCANS[scan]
    driver, draw = Driver(seed=3), random.Random(count)
    stays = [f"s{number}" for number in range(300)]
    others = [f"o{number}" for number in range(3_000)]
    driver.one(put(add, stays))
    if not grows:
        driver.one(put(add, others))
    found: set[bytes] = set()
    cursor, pages = b"0", 0
    while True:
        cursor, page = paged(driver, f"{scan} k {cursor.decode()} COUNT {count}")
        found.update(page[::words])
        pages += 1
        assert len(page) // words <= count + 512, "more than a part at once is a long step"
        if cursor == b"0":
            break
        some = draw.sample(others, 40)
        driver.one(put(add, some) if grows else f"{remove} k " + " ".join(some))
    assert found.issuperset(name.encode() for name in stays)
    assert pages > 1 or count == 1_000 or grows


def test_a_pattern_has_a_limit() -> None:
    """Of its length, as that of KEYS has."""
    driver = Driver()
    driver.one("SADD k a")
    reply = driver.one([b"SSCAN", b"k", b"0", b"MATCH", b"*" * 100_000])
    assert "pattern" in str(reply)


def test_a_page_of_long_elements_is_short() -> None:
    """A page ends at a quarter of a megabyte, whatever COUNT says."""
    driver = Driver()
    for number in range(40):
        driver.one([b"HSET", b"k", b"f%d" % number, b"v" * 50_000])
    seen: set[bytes] = set()
    cursor, pages = b"0", 0
    while pages == 0 or cursor != b"0":
        cursor, page = paged(driver, f"HSCAN k {cursor.decode()} COUNT 1000")
        assert len(page) < 40
        seen.update(page[::2])
        pages += 1
    assert len(seen) == 40
