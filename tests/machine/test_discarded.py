"""What is not state any more is freed in slices, whoever was the last to hold it."""

import sys

from tests.machine.crafted import crafted
from tests.machine.driving import Driver
from trikv.machine.cut import Cut
from trikv.machine.machine import Machine
from trikv.machine.stored import Stored

KEYS = 3_000
LONG = 5_000
"""Bytes of a value that is no part of its key's object, so that it can be watched."""


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


def held_elsewhere(values: list[Stored]) -> int:
    """How many of them anything but that list refers to."""
    return sum(sys.getrefcount(one) > 3 for one in values)  # the list, the loop's variable, the argument


def freed_in_slices(machine: Machine, values: list[Stored]) -> list[int]:
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
