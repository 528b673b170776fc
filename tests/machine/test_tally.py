"""What a machine counts of commands, keys and errors: at the client's node, and never as state."""

from typing import Any

import pytest

from tests.machine.driving import NODE, Driver, reborn
from trikv.machine import evaluation
from trikv.machine.database import AT_ONCE_BYTES, BUCKETS
from trikv.machine.errors import EXEC_OOM, OOM
from trikv.machine.machine import Machine
from trikv.machine.replies import OK, CommandError
from trikv.machine.tally import ERROR_KINDS_MAX, OTHER_ERRORS, CommandTally, Tally


def calls(machine: Machine) -> dict[str, tuple[int, int, int]]:
    """Calls, rejected, failed by command."""
    return {name: (one.calls, one.rejected, one.failed) for name, one in machine.tally.commands().items()}


def test_only_the_clients_node_counts() -> None:
    """Another replica carries all out, counts nothing of it, and is equal."""
    here, there = Driver(), Driver(origin=2)
    lines = ("SET a 1", "GET a", "GET b", "GETEX a", "INCR x 1", "EXISTS a b", "NOPE", "GETDEL a")
    for driver in (here, there):
        driver.run(*lines)
    assert calls(here.machine) == {
        "EXISTS": (1, 0, 0),
        "GET": (2, 0, 0),
        "GETDEL": (1, 0, 0),
        "GETEX": (1, 0, 0),
        "SET": (1, 0, 0),
    }
    assert (here.machine.tally.hits, here.machine.tally.misses) == (4, 2)
    assert here.machine.tally.errors == {"ERR": 2}
    assert calls(there.machine) == {}
    assert (there.machine.tally.hits, there.machine.tally.misses, there.machine.tally.errors) == (0, 0, {})
    assert here.machine.digest() == there.machine.digest()
    there.read("GET a")
    assert (there.machine.tally.hits, there.machine.tally.misses) == (0, 1)
    assert calls(there.machine) == {"GET": (1, 0, 0)}


def test_a_run_of_sets_counts_each() -> None:
    """Whoever carries it out, the part in C or the loop."""
    driver = Driver()
    driver.one("SET first 1")
    assert driver.run(*(f"SET k{number} v" for number in range(200))) == [OK] * 200
    assert calls(driver.machine) == {"SET": (201, 0, 0)}


def test_time_is_shared_by_what_ran_together() -> None:
    """Commands of other nodes' clients in the same entry took their part of it."""
    here, there = Driver(), Driver(origin=2)
    here.run("SET a 1", "SET b 1", "INCR c")
    here.machine.spent(30.0)
    assert here.machine.tally.commands() == {
        "INCR": CommandTally(calls=1, usec=10.0),
        "SET": CommandTally(calls=2, usec=20.0),
    }
    assert here.machine.tally.commands()["SET"].usec_per_call == 10.0
    there.run("SET a 1", "SET b 1", "INCR c")
    there.read("GET a")
    there.machine.spent(40.0)
    assert there.machine.tally.commands() == {"GET": CommandTally(calls=1, usec=10.0)}
    there.run("SET a 1")
    there.machine.spent(40.0)
    assert there.machine.tally.commands() == {"GET": CommandTally(calls=1, usec=10.0)}
    # What an entry leaves behind is not charged to the next, and a read that a replica skips took no time.
    there.run("GET a", "GET b", "GET c")
    there.read("GET a")
    there.machine.spent(10.0)
    assert there.machine.tally.commands() == {"GET": CommandTally(calls=2, usec=20.0)}
    there.run(*(f"SET k{number} v" for number in range(9)))
    there.read("GET a")
    there.machine.spent(100.0)
    assert there.machine.tally.commands() == {"GET": CommandTally(calls=3, usec=30.0)}


def test_expired_keys_are_counted_once_each() -> None:
    """Reaped by an entry, overwritten or deleted after their time; on every replica."""
    for origin in (NODE, 2):
        driver = Driver(origin=origin)
        driver.run(*(f"SET k{number} v PX 100" for number in range(450)), "SET other v")
        driver.now += 200
        for number in (449, 448):
            # Reaped in the order of their names: 200 an entry, so these are still there when they are met.
            driver.run(f"SET k{number} new" if number == 449 else f"DEL k{number}")
        driver.pass_ms(1)
        assert driver.machine.tally.expired_keys == 450
        assert driver.machine.tally.expiry_stops == 2
        assert driver.machine.keys() == 2


def test_counts_are_no_state() -> None:
    """A snapshot bears none; the machine that it makes goes on with those of the one that it replaces."""
    driver = Driver()
    driver.run("SET a 1", "SET b 1 PX 50", "GET a")
    driver.pass_ms(100)
    other = reborn(driver.machine)
    assert other.digest() == driver.machine.digest()
    assert calls(other) == {}
    other.count_on(driver.machine.tally)
    driver.machine = other
    driver.run("SET a 2", "GET a", "SET c 1 PX 50")
    driver.pass_ms(100)
    assert calls(other) == {"GET": (2, 0, 0), "SET": (4, 0, 0)}
    assert other.tally.expired_keys == 2
    assert other.tally.hits == 2


def test_another_tally_counts_from_then_on() -> None:
    """Whatever ran last; the one before it keeps what it has."""
    driver = Driver()
    driver.run("SET a 1", "GET a")
    before, after = driver.machine.tally, Tally()
    driver.machine.count_on(after)
    driver.run("SET a 2", "GET a", "GET none")
    assert calls(driver.machine) == {"GET": (2, 0, 0), "SET": (1, 0, 0)}
    assert (after.hits, after.misses) == (1, 1)
    assert {name: one.calls for name, one in before.commands().items()} == {"GET": 1, "SET": 1}
    assert (before.hits, before.misses) == (1, 0)


def test_what_flush_threw_away_is_counted_as_it_is_freed() -> None:
    """Pending first, freed in slices then."""
    driver = Driver()
    long = "v" * 2 * AT_ONCE_BYTES
    driver.run(f"SET long {long}", *(f"SET k{number} v EX 100" for number in range(49)), "FLUSHALL")
    driver.run(f"SET long {long}", *(f"SET k{number} v" for number in range(29)), "FLUSHDB", "SET k v")
    assert driver.machine.space.pending_keys() == 80
    assert driver.machine.tally.freed_keys == 0
    while driver.machine.release(7):
        pass
    assert driver.machine.space.pending_keys() == 0
    assert driver.machine.tally.freed_keys == 80


def test_to_tell_what_is_pending_costs_the_same_however_much_it_is() -> None:
    """INFO asks for it: a walk over a million deadlines that FLUSHALL set aside would hold up the node."""

    class Unwalked(dict[bytes, Any]):
        """Says who goes over it, or counts it."""

        def __len__(self) -> int:
            raise AssertionError("what was set aside is walked")

    driver = Driver()
    driver.run(*(f"SET k{number} {'v' * 4000} EX 100" for number in range(100)))
    driver.machine.space.databases[0].buckets[:] = [Unwalked() for _ in range(BUCKETS)]
    driver.one("FLUSHALL")
    assert driver.machine.space.pending_keys() == 100


def test_what_is_freed_at_once_is_counted_too() -> None:
    """A small database is never pending."""
    driver = Driver()
    driver.run("SET a 1", "SET b 2 EX 100", "FLUSHALL")
    assert driver.machine.space.pending_keys() == 0
    assert driver.machine.tally.freed_keys == 2


def test_refusals() -> None:
    """OOM is a rejection, whoever notices it; an error of a handler is a failed call."""
    driver = Driver(cap=200)
    driver.run("SET a 1", "SET b 1", "INCR a 5", "GETRANGE a x 1", "INCRBY a x")
    assert calls(driver.machine) == {"GETRANGE": (1, 0, 1), "INCRBY": (1, 0, 1), "SET": (1, 1, 0)}
    driver.run("CONFIG SET maxmemory 100", "SET a 1")
    assert calls(driver.machine)["SET"] == (1, 2, 0)
    assert driver.machine.tally.errors == {"OOM": 2, "ERR": 3}
    assert driver.machine.tally.errors_total == 5
    tally = Tally()
    for error in (OOM, EXEC_OOM, CommandError("CLUSTERDOWN no leader"), CommandError("NOAUTH first")):
        tally.failed("X", error)
    assert tally.commands() == {"X": CommandTally(rejected=4)}


def test_replies_that_are_too_large_together_are_rejections(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are refused before they are carried out."""
    monkeypatch.setattr(evaluation, "SHOWN_BYTES_MAX", 10)
    driver = Driver()
    driver.run(f"SET a {'x' * 20}", "GET a", "GET a")
    assert calls(driver.machine)["GET"] == (1, 1, 0)


def test_kinds_of_errors_are_bounded() -> None:
    """Further kinds count together, as in Redis."""
    tally = Tally()
    for number in range(ERROR_KINDS_MAX + 5):
        tally.note_error(CommandError(f"E{number} text"))
    tally.note_error(CommandError("E0 again"))
    assert len(tally.errors) == ERROR_KINDS_MAX + 1
    assert (tally.errors["E0"], tally.errors[OTHER_ERRORS]) == (2, 5)
    assert tally.errors_total == ERROR_KINDS_MAX + 6
    tally.reset()
    assert (tally.errors, tally.errors_total, tally.commands_total) == ({}, 0, 0)


def test_what_no_client_asked_for_is_taken_back() -> None:
    """An EXEC that only checks its watches reads something."""
    tally = Tally()
    tally.ran["DBSIZE"] += 1
    tally.take_back("DBSIZE")
    assert (tally.commands(), tally.commands_total) == ({}, 0)


def test_mean_lifetime() -> None:
    """Exact, through every way in which a deadline comes and goes."""
    driver = Driver()
    db = driver.machine.space.databases[0]
    assert db.mean_ttl_ms(driver.now) == 0
    driver.run("SET a 1 PX 1000", "SET b 1 PX 3000", "SET c 1")
    assert db.mean_ttl_ms(driver.now) == 2000
    assert db.mean_ttl_ms(driver.now + 500) == 1500
    assert db.mean_ttl_ms(driver.now + 5000) == 0
    driver.run("PEXPIRE b 5000", "PERSIST a", "PEXPIRE c 1000")
    assert db.mean_ttl_ms(driver.now) == 3000
    assert reborn(driver.machine).space.databases[0].mean_ttl_ms(driver.now) == 3000
    driver.pass_ms(1000)
    assert db.mean_ttl_ms(driver.now) == 4000
    driver.run("DEL b")
    assert db.mean_ttl_ms(driver.now) == 0
    driver.run("SET b 1 PX 5000", "FLUSHALL", "SET d 1 PX 700")
    assert db.mean_ttl_ms(driver.now) == 700


def test_commands_that_no_machine_knows() -> None:
    """A node tells of its own: what they answered, and how long it took."""
    tally = Tally()
    tally.answered("PING", b"PONG", 4.0)
    tally.answered("AUTH", CommandError("WRONGPASS no"), 6.0)
    assert tally.commands() == {
        "AUTH": CommandTally(calls=1, usec=6.0, failed=1),
        "PING": CommandTally(calls=1, usec=4.0),
    }
    assert (tally.commands_total, tally.errors) == (2, {"WRONGPASS": 1})
    assert tally.rejected("GET", OOM) is OOM
    assert tally.rejected(None, CommandError("ERR unknown")).text == "ERR unknown"
    assert tally.commands()["GET"] == CommandTally(rejected=1)
