"""What must be true of all contents of a machine, in each of its databases."""

from collections.abc import Callable
from math import inf

import pytest
from sortedcontainers import SortedList

from tests.machine.driving import NOW, Driver, reborn
from trikv.machine.database import Database
from trikv.machine.keyspace import FIELD_KEYS
from trikv.machine.machine import Machine
from trikv.machine.stored import Stored
from trikv.machine.values.hash import Hash, Timed
from trikv.machine.values.value import Value
from trikv.sim.checkers.inside import REAPED_MAX, contents_of, problems_of
from trikv.sim.checkers.values import Collection, Fields, Scores


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


def many(count: int) -> str:
    """So many words."""
    return " ".join(f"m{number}" for number in range(count))


def test_values_of_all_types_are_charged_what_their_elements_and_parts_make() -> None:
    """Small ones, and large ones that have grown and shrunk."""
    driver = Driver()
    driver.run("RPUSH l a b", "SADD s a b", "HSET h f v", "ZADD z 1 a -inf b", f"HSET h long {'x' * 65}")
    driver.run(f"RPUSH gl {many(700)}", f"LPUSH gl {'x' * 5000}", "LINSERT gl AFTER m300 n", "LTRIM gl 0 600")
    driver.run(f"SADD gs {many(900)}", "SPOP gs 800", f"SADD gs {many(300)}", "SUNIONSTORE gu gs s")
    driver.run(f"HSET gh {' '.join(f'm{number} v' for number in range(600))}", f"HDEL gh {many(500)}")
    driver.run(f"ZADD gz {' '.join(f'{number} m{number}' for number in range(600))}", "ZPOPMAX gz 550")
    assert kinds(driver.machine) == set()
    contents = contents_of(driver.machine)
    assert contents[0, b"l"] == (Collection.of([b"a", b"b"]), 0)
    assert contents[0, b"z"] == (Collection.of(Scores({b"a": 1.0, b"b": -inf})), 0)
    assert contents[0, b"h"] == (Collection.of(Fields({b"f": b"v", b"long": b"x" * 65})), 0)
    large = {
        key for (_, key), (value, _) in contents.items() if isinstance(value, Collection) and value.is_large
    }
    assert large == {b"gl", b"gs", b"gu", b"gh", b"gz", b"h"}
    assert contents_of(reborn(driver.machine)) == contents
    entry = driver.machine.space.databases[0].find(b"gs")
    assert entry is not None
    assert isinstance(entry.value, Value)
    entry.value.parts[0].popitem()
    assert kinds(driver.machine) == {"account"}


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


def timed() -> Driver:
    """A machine with hashes in databases 0 and 15, of whose fields some have deadlines."""
    driver = Driver()
    for number in (0, 15):
        driver.db = number
        driver.run("HSET h c 3", "HSETEX h PX 70 FIELDS 1 b 22", "HSETEX h PX 50 FIELDS 1 a 1")
        driver.run("HSETEX g PX 60 FIELDS 1 a 1", f"HSET gh {' '.join(f'm{n} v' for n in range(600))}")
        driver.run(*(f"HPEXPIRE gh {400 - n} FIELDS 1 m{n}" for n in range(0, 300, 9)))
    return driver


def test_fields_have_their_deadlines_and_are_charged_for_them() -> None:
    """In the contents, in the indexes, in the account, after a snapshot, and after some have expired."""
    driver = timed()
    fields = Fields({b"a": b"1", b"b": b"22", b"c": b"3"}, {b"a": NOW + 50, b"b": NOW + 70})
    contents = contents_of(driver.machine)
    assert contents[15, b"h"] == (Collection.of(fields), 0)
    assert kinds(driver.machine) == set()
    copy = reborn(driver.machine)
    assert contents_of(copy) == contents
    assert kinds(copy) == set()
    driver.pass_ms(60)
    fields.drop(b"a")
    contents = contents_of(driver.machine)
    assert contents[15, b"h"] == (Collection.of(fields), 0)
    assert (15, b"g") not in contents
    assert kinds(driver.machine) == set()


def timed_hash(db: Database) -> Hash:
    """The one of a few fields."""
    entry = db.find(b"h")
    assert entry is not None
    assert isinstance(entry.value, Hash)
    return entry.value


def move_a_deadline(db: Database) -> None:
    """Of a field, but not in the index of its hash, nor the earliest one."""
    timed_hash(db).parts[0][b"b"] = Timed(b"22", NOW + 71)


def lose_an_index(db: Database) -> None:
    """A hash does not know which of its fields have deadlines."""
    timed_hash(db).deadlines = None


FIELD_HARMS: dict[str, Callable[[Database], None]] = {
    "another deadline": move_a_deadline,
    "an index that is lost": lose_an_index,
    "a hash that is not known": lambda db: setattr(db, "field_deadlines", SortedList()),
    "a deadline of nobody": lambda db: db.field_deadlines.add((NOW + 9, b"x")),
    "a field that is due": lambda db: setattr(db.account, "now", NOW + 50),
    "a key that is due": lambda db: setattr(db.account, "now", NOW + 60),
}


@pytest.mark.parametrize("number", [0, 15])
@pytest.mark.parametrize("name", FIELD_HARMS)
def test_any_harm_to_the_deadlines_of_fields_is_seen(name: str, number: int) -> None:
    """To the one behind the field, to either index, and that it has passed."""
    machine = timed().machine
    FIELD_HARMS[name](machine.space.databases[number])
    assert "deadlines" in kinds(machine)


def test_due_fields_use_up_the_room_of_an_entry() -> None:
    """As many as half of the keys may wait, in any number of hashes; of fewer none may."""
    most = REAPED_MAX // FIELD_KEYS
    for hashes in (1, 4):
        driver = Driver()
        names = " ".join(f"f{n} v" for n in range(2 * most // hashes))
        driver.run(*(f"HSETEX h{n} PX 5 FIELDS {2 * most // hashes} {names}" for n in range(hashes)))
        driver.pass_ms(5)
        left = [value for value, _ in contents_of(driver.machine).values() if isinstance(value, Collection)]
        assert sum(len(value.deadlines) for value in left) == most
        assert kinds(driver.machine) == set()
        first = next(iter(driver.machine.space.databases[0].field_deadlines))[1]
        entry = driver.machine.space.databases[0].find(first)
        assert entry is not None
        assert isinstance(entry.value, Hash)
        entry.value.reap(driver.machine.now_ms, 1)
        assert "these were due" in " ".join(
            text for _, text in problems_of(driver.machine, contents_of(driver.machine))
        )
