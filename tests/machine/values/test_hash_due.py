"""Long reads of a hash in which fields are due and were not reaped yet, and what is drawn from it."""

import pytest

from tests.machine.driving import NOW, Driver, words
from trikv.machine.machine import EXPIRED_PER_BATCH_MAX
from trikv.machine.replies import Pairs, Reply, Streamed
from trikv.machine.values.hash import Hash, Timed


def half_due(count: int, live: int) -> Driver:
    """A hash in which only so many of its fields are not due, and nothing was reaped yet."""
    driver = Driver()
    value = Hash(0, driver.machine.space.account.secret)
    for number in range(count):
        value.put(b"%d" % number, b"v%d" % number if number < live else Timed(b"due", NOW + 1))
    value.put(b"later", Timed(b"vlater", NOW + 99))
    driver.machine.space.databases[0].replace(b"h", value)
    driver.run(*(f"SET key:{number} x PXAT {NOW + 1}" for number in range(EXPIRED_PER_BATCH_MAX)))
    driver.pass_ms(1)
    assert driver.machine.tally.expired_fields == 0
    return driver


@pytest.mark.parametrize(
    "line", ["HGETALL h", "HKEYS h", "HVALS h", "HRANDFIELD h 99999", "HRANDFIELD h -3000"]
)
def test_a_long_read_shows_its_instant(line: str) -> None:
    """No field that was due then, and all others, though they are reaped or changed meanwhile."""
    driver = half_due(4_000, 2_000)
    live = {b"%d" % number for number in range(2_000)} | {b"later"}
    streamed = driver.read(line)
    assert isinstance(streamed, Streamed)
    rows: list[object] = list(streamed.step())
    driver.pass_ms(200)
    driver.run("HSET h 3999 new", "HDEL h 7")
    while not streamed.is_over:
        rows += streamed.step()
    assert (streamed.error, streamed.count) == (None, len(rows))
    if line == "HGETALL h":
        assert sorted(rows) == sorted((name, b"v" + name) for name in live)  # type: ignore[type-var]
    elif line == "HRANDFIELD h -3000":
        assert len(rows) == 3_000
        assert set(rows) <= live
    else:
        shown = {b"v" + name for name in live} if line == "HVALS h" else live
        assert len(rows) == len(live)
        assert set(rows) == shown


def drawn(driver: Driver, line: str, seed: int) -> Reply:
    """What a reader draws."""
    (reply,) = driver.machine.read(0, [words(line)], seed=seed)
    return reply


@pytest.mark.parametrize("wanted", [1, 3, 50, 999, -1, -700])
def test_what_is_drawn_is_not_due(wanted: int) -> None:
    """As many as wanted, different ones if it is positive, each with its value, and each may be drawn."""
    driver = half_due(900, 60)
    seen: set[bytes] = set()
    for seed in range(50):
        found = drawn(driver, f"HRANDFIELD h {wanted} WITHVALUES", seed)
        assert isinstance(found, Pairs)
        pairs = [(bytes_of(name), value) for name, value in found.pairs]
        assert all(value == b"v" + name for name, value in pairs)
        names = [name for name, _ in pairs]
        assert len(names) == (min(wanted, 61) if wanted > 0 else -wanted)
        assert wanted < 0 or len(set(names)) == len(names)
        seen.update(names)
    assert len(seen) > (25 if abs(wanted) == 1 else 45)
    assert driver.machine.tally.expired_fields == 0


def bytes_of(reply: Reply) -> bytes:
    """A string."""
    assert isinstance(reply, bytes)
    return reply


@pytest.mark.parametrize("wanted", ["2", "-2"])
def test_what_is_drawn_of_a_hash_with_deadlines_that_are_far(wanted: str) -> None:
    """It is drawn one by one, and shown without its deadline."""
    driver = Driver()
    driver.run("HSETEX h EX 5 FIELDS 2 a 1 b 1", "HSET h c 1")
    shown = drawn(driver, f"HRANDFIELD h {wanted} WITHVALUES", 5)
    assert isinstance(shown, Pairs)
    assert [value for _, value in shown.pairs] == [b"1", b"1"]
    assert drawn(driver, "HRANDFIELD h", 5) in (b"a", b"b", b"c")


def test_one_is_found_among_many_that_are_due() -> None:
    """By drawing, or by a search; and of none that is not due there is none."""
    driver = half_due(3_000, 2)
    assert {drawn(driver, "HRANDFIELD h", seed) for seed in range(60)} == {b"0", b"1", b"later"}
    driver = half_due(900, 0)
    driver.one("HDEL h later")
    assert driver.read("HLEN h") == 0
    lines = ("HRANDFIELD h", "HRANDFIELD h 2", "HRANDFIELD h -2", "HGETALL h", "HKEYS h")
    assert [driver.read(line) for line in lines] == [None, [], [], {}, []]
    assert driver.machine.keys() == 1
