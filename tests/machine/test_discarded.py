"""What is not state any more is freed in slices, whoever was the last to hold it."""

import sys
from collections.abc import Sequence

import pytest

from tests.machine.crafted import crafted
from tests.machine.driving import Driver
from trikv.machine.cut import Cut
from trikv.machine.discarded import KEY_BYTES, Discarded
from trikv.machine.machine import Machine
from trikv.machine.stored import Stored
from trikv.machine.values.value import Packed

KEYS = 3_000
LONG = 5_000
"""Bytes of a value that is no part of its key's object, so that it can be watched."""
STRINGS = 40
STRING = 100 * KEY_BYTES
"""Bytes of a string that counts for a hundred keys."""


def filled() -> Driver:
    """A machine with many keys, and a long value under ``long``."""
    driver = Driver()
    driver.run(*[f"SET key:{number} v" for number in range(KEYS)])
    driver.run(*[f"SET long:{number} {'x' * LONG}" for number in range(KEYS)])
    return driver


def long_values(machine: Machine) -> list[Stored]:
    """What is held of the long values."""
    buckets = machine.space.databases[0].buckets
    return [one for bucket in buckets for _, one in bucket.items() if isinstance(one, Stored)]


def held_elsewhere(values: Sequence[object]) -> int:
    """How many of them anything but that list refers to."""
    return sum(sys.getrefcount(one) > 3 for one in values)  # the list, the loop's variable, the argument


def freed_in_slices(machine: Machine, values: Sequence[object]) -> list[int]:
    """How many of `values` are still held after each slice."""
    left = []
    while machine.release(200):
        left.append(held_elsewhere(values))
    return [*left, held_elsewhere(values)]


def test_a_cut_of_a_flushed_database_frees_it_in_slices() -> None:
    """It was the last to hold the keys: they count once, and go a few at a time."""
    driver = filled()
    machine = driver.machine
    values = long_values(machine)
    cut = Cut([machine.space.databases[0]])
    driver.one("FLUSHALL")
    while machine.release(10_000):
        pass
    assert machine.tally.freed_keys == 2 * KEYS
    assert held_elsewhere(values) == KEYS
    cut.close()
    assert held_elsewhere(values) == KEYS, "nothing is freed in the step that closes it"
    left = freed_in_slices(machine, values)
    assert left[-1] == 0
    assert len(left) > 2 * KEYS / 200
    assert max(before - after for before, after in zip([KEYS, *left], left, strict=False)) <= 400
    assert machine.tally.freed_keys == 2 * KEYS
    assert machine.space.pending_keys() == 0


def test_old_values_that_a_cut_has_kept_are_freed_in_slices() -> None:
    """What was overwritten beside an open cut goes after that, a few at a time; what is there stays."""
    driver = filled()
    machine = driver.machine
    values = long_values(machine)
    cut = Cut([machine.space.databases[0]])
    driver.run(*[f"SET long:{number} new" for number in range(KEYS)])
    assert held_elsewhere(values) == KEYS
    cut.close()
    assert held_elsewhere(values) == KEYS
    left = freed_in_slices(machine, values)
    assert left[-1] == 0
    assert len(left) > KEYS / 400
    assert machine.tally.freed_keys == 0
    assert machine.recount() == machine.used_memory
    assert driver.read("GET long:7") == b"new"


def test_a_divided_bucket_is_freed_leaf_by_leaf() -> None:
    """Keys of one crc32, kept by a cut over a FLUSHALL."""
    driver = Driver()
    keys = crafted(5_000)
    driver.run(*[(b"SET", key, b"v") for key in keys])
    machine = driver.machine
    cut = Cut([machine.space.databases[0]])
    driver.one("FLUSHALL")
    while machine.release(10_000):
        pass
    cut.close()
    slices = 1
    while machine.release(100):
        slices += 1
    assert slices >= 3
    assert not machine.space.account.discarded


def test_a_cut_that_kept_nothing_leaves_nothing() -> None:
    """As of most long reads: nobody is woken to free anything."""
    driver = filled()
    Cut([driver.machine.space.databases[0]]).close()
    assert not driver.machine.space.account.discarded


def with_strings() -> tuple[Driver, list[bytes]]:
    """A machine with `STRINGS` long strings, and these."""
    driver = Driver()
    keys = [b"s:%d" % number for number in range(STRINGS)]
    driver.run(*[(b"SET", key, b"x" * STRING) for key in keys])
    found = [driver.machine.space.databases[0].string(key) for key in keys]
    return driver, [one for one in found if one is not None]


ALL_KEYS = " ".join(f"s:{number}" for number in range(STRINGS))


@pytest.mark.parametrize(
    "lines",
    [
        ["FLUSHALL"],
        [f"DEL {ALL_KEYS}"],
        [f"SET s:{number} short" for number in range(STRINGS)],
        [f"PEXPIRE s:{number} 1" for number in range(STRINGS)],
    ],
    ids=["flushed", "deleted", "overwritten", "expired"],
)
def test_long_strings_are_freed_by_their_bytes(lines: list[str]) -> None:
    """None in the entry that drops them, and then a few in each slice: each takes as long as many keys."""
    driver, values = with_strings()
    machine = driver.machine
    assert len(values) == STRINGS
    driver.run(*lines)
    driver.now += 10
    driver.batch()
    assert machine.keys() == (STRINGS if "short" in lines[0] else 0)
    assert held_elsewhere(values) == STRINGS
    left = freed_in_slices(machine, values)
    assert left[-1] == 0
    assert max(before - after for before, after in zip([STRINGS, *left], left, strict=False)) == 2


@pytest.mark.parametrize("drop", ["DEL k", "SET k short", f"SETRANGE k {STRING} y"])
def test_one_entry_does_not_pile_up_what_it_makes_and_drops(drop: str) -> None:
    """A long string that is made pays for one that was dropped, or a pipeline would take any memory."""
    driver = Driver()
    machine = driver.machine
    for _ in range(20):
        driver.run(f"SETRANGE k {STRING} x", drop)
    driver.one("DEL k")
    slices = 1
    while machine.release(1):
        slices += 1
    assert slices <= 3


def test_a_string_that_replaces_another_as_long_leaves_nothing() -> None:
    """It took longer to make than the old one to free: nobody is woken for that."""
    driver, values = with_strings()
    driver.run(*[f"APPEND s:{number} x" for number in range(STRINGS)])
    assert held_elsewhere(values) == 0
    assert not driver.machine.space.account.discarded


def test_making_room_frees_no_more_than_was_made() -> None:
    """Strings of a few kilobytes that come do not have those of megabytes freed in one entry."""
    discarded = Discarded()
    values = [bytes([number]) * STRING for number in range(4)]
    for value in values:
        discarded.add_value(value)
    del value
    for _ in range(10):
        discarded.make_room(STRING // 20)
    assert held_elsewhere(values) == 4
    for _ in range(11):
        discarded.make_room(STRING // 20)
    assert held_elsewhere(values) == 3
    discarded.make_room(100 * STRING)
    assert not discarded
    discarded.add_value(values[0])
    discarded.make_room(1)
    assert discarded, "what was made before it was dropped does not count"


@pytest.mark.parametrize("is_freed", [True, False])
@pytest.mark.parametrize("change", ["flush", "overwrite"])
def test_a_bucket_that_a_cut_lets_go_is_freed_in_slices(change: str, *, is_freed: bool) -> None:
    """The last pass frees nothing itself, whether what it has passed is freed beside it or behind it."""
    driver = filled()
    machine = driver.machine
    values = long_values(machine)
    cut = Cut([machine.space.databases[0]])
    cut.lets_go = True
    if change == "flush":
        driver.one("FLUSHALL")
    else:
        driver.run(*[f"SET long:{number} new" for number in range(KEYS)])
    while machine.release(10_000):
        pass
    held = KEYS
    steps = cut.entries()
    step = next(steps, None)
    while step is not None:
        while is_freed and machine.release(10_000):
            pass
        held = held_elsewhere(values)
        step = next(steps, None)
        assert held_elsewhere(values) == held
    assert held < KEYS if is_freed else held == KEYS
    cut.close()
    assert held_elsewhere(values) == held
    left = freed_in_slices(machine, values)
    assert left[-1] == 0
    assert max(before - after for before, after in zip([held, *left], left, strict=False)) <= 400


def test_what_is_packed_is_freed_with_its_key() -> None:
    """It is as short as a short string."""
    discarded = Discarded()
    discarded.add_value(Packed(1, b"x"))
    assert not discarded
