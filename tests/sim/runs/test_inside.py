"""What must be true of all contents of a machine, in each of its databases."""

from collections.abc import Callable

import pytest
from sortedcontainers import SortedList

from tests.machine.driving import NOW, Driver, reborn
from trikv.machine.database import Database
from trikv.machine.machine import Machine
from trikv.machine.stored import Stored
from trikv.sim.checkers.inside import REAPED_MAX, contents_of, problems_of


def driven() -> Driver:
    """A machine with keys in databases 0 and 15, one each with a deadline."""
    driver = Driver()
    for number in (0, 15):
        driver.db = number
        driver.run("SET a 1", "SET b 22 PX 50")
    return driver


def kinds(machine: Machine) -> set[str]:
    """The classes of what is wrong."""
    return {kind for kind, _ in problems_of(machine, contents_of(machine))}


def test_a_machine_as_it_should_be_has_no_problem() -> None:
    """After writes, after a snapshot, after its keys have expired."""
    driver = driven()
    expected = {(number, key): value for number in (0, 15) for key, value in VALUES.items()}
    assert contents_of(driver.machine) == expected
    assert kinds(driver.machine) == set()
    copy = reborn(driver.machine)
    assert contents_of(copy) == expected
    assert kinds(copy) == set()
    driver.pass_ms(50)
    assert contents_of(driver.machine) == {(0, b"a"): (b"1", 0), (15, b"a"): (b"1", 0)}
    assert kinds(driver.machine) == set()


def give_another_deadline(db: Database) -> None:
    """To a key, but not to the index."""
    next(bucket for bucket in db.buckets if b"b" in bucket)[b"b"] = Stored(b"22", 1, NOW + 51)


def charge_twice(db: Database) -> None:
    """A byte more than the sum of all, for this database alone."""
    db.account.shares[db.number] += 1


VALUES = {b"a": (b"1", 0), b"b": (b"22", NOW + 50)}
HARMS: dict[str, tuple[str, Callable[[Database], None]]] = {
    "a byte more in the account": ("account", lambda db: setattr(db.account, "used", db.account.used + 1)),
    "a byte more in its own account": (
        "account",
        charge_twice,
    ),
    "a key more in its count": ("account", lambda db: setattr(db, "size", db.size + 1)),
    "a deadline of nobody": ("deadlines", lambda db: db.deadlines.add((NOW + 9, b"x"))),
    "a deadline that is not known": ("deadlines", lambda db: setattr(db, "deadlines", SortedList())),
    "another deadline": (
        "deadlines",
        give_another_deadline,
    ),
    "a key that is due": ("deadlines", lambda db: setattr(db.account, "now", NOW + 50)),
}


@pytest.mark.parametrize("number", [0, 15])
@pytest.mark.parametrize("name", HARMS)
def test_any_harm_is_seen_in_any_database(name: str, number: int) -> None:
    """Account, count, index of deadlines, what should have been reaped."""
    machine = driven().machine
    kind, harm = HARMS[name]
    harm(machine.space.databases[number])
    assert kinds(machine) == {kind}


def test_so_many_due_keys_may_wait_for_the_next_entry() -> None:
    """An entry reaps a bounded number."""
    driver = Driver()
    driver.run(*(f"SET k{number} v PX 5" for number in range(2 * REAPED_MAX)))
    driver.pass_ms(5)
    assert len(contents_of(driver.machine)) == REAPED_MAX
    assert kinds(driver.machine) == set()
