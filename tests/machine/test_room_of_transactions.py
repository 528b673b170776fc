"""A transaction for which there may be no room is refused as a whole, whatever its commands would add."""

import pytest

from tests.machine.driving import Driver
from trikv.machine.errors import EXEC_OOM


@pytest.mark.parametrize(
    "line",
    [
        "SETBIT k 80000 1",
        "BITFIELD k SET u8 80000 1",
        "HSET h " + " ".join(f"f{number} v" for number in range(100)),
        "RPUSH l " + " ".join(map(str, range(100))),
        "SADD s " + " ".join(map(str, range(200))),
        "ZADD z " + " ".join(f"1 m{number}" for number in range(100)),
    ],
)
def test_what_a_command_adds_besides_its_arguments_is_counted(line: str) -> None:
    """Filled bits, and the objects that elements are: they are many times their arguments."""
    driver = Driver()
    driver.one("SET first before")
    driver.one(f"CONFIG SET maxmemory {driver.machine.used_memory + 4_000}")
    assert driver.execute("SET first after", line) == EXEC_OOM
    assert driver.read("GET first") == b"before"


@pytest.mark.parametrize("line", ["BITFIELD k SET u8", "BITFIELD k GET u8 80000"])
def test_what_adds_nothing_has_room(line: str) -> None:
    """Mistaken calls, and those that only read."""
    driver = Driver()
    driver.one("SET first before")
    driver.one(f"CONFIG SET maxmemory {driver.machine.used_memory + 4_000}")
    replies = driver.execute("SET first after", line)
    assert replies != EXEC_OOM
    assert driver.read("GET first") == b"after"
