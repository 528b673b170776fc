"""The context of a call: commands that call commands, and what they draw. The table is the tests' own."""

from collections.abc import Sequence

import pytest

from tests.machine.driving import NODE, Driver, words
from trikv.machine.batch import Submission, Transaction
from trikv.machine.call import DEPTH_MAX, NOT_A_READ, TOO_DEEP, Call, _growth_once
from trikv.machine.commands import TABLE
from trikv.machine.declaration import By, Command
from trikv.machine.errors import INTERNAL, OOM, SYNTAX
from trikv.machine.grammar import Key
from trikv.machine.keyspace import Keyspace
from trikv.machine.replies import OK, CommandError, Reply
from trikv.machine.snapshot import Restore
from trikv.machine.table import CommandTable

OWN = CommandTable()


@OWN.command("RUN", by=By.LOG, group="test", open_least=1)
def run(call: Call, *words: bytes) -> Reply:
    """Carry out the commands that a word of their own, "then", separates."""
    return [call.run(args) for args in _split(words)]


@OWN.command("ASK", by=By.READ, group="test", open_least=1)
def ask(call: Call, *words: bytes) -> Reply:
    """The same as a read."""
    return [call.run(args) for args in _split(words)]


@OWN.command("DRAW", by=By.LOG, group="test")
def draw(call: Call, key: Key) -> Reply:
    """Store what was drawn."""
    return call.db.store(key, b"%d" % call.draws.below(1 << 40)) or OK


@OWN.command("DOUBLE", by=By.LOG, group="test")
def double(call: Call, key: Key) -> Reply:
    """Append what the key holds to itself."""
    value = call.run([b"GET", key])
    assert isinstance(value, bytes), value
    return call.run([b"APPEND", key, value])


@OWN.command("FAIL", by=By.LOG, group="test")
def fail(_: Call, key: Key) -> Reply:
    """A bug."""
    raise ValueError(key)


@OWN.command("DEEP", by=By.LOG, group="test")
def deep(call: Call) -> Reply:
    """Call itself."""
    return call.run([b"DEEP"])


TESTED = TABLE.merged_with(OWN)


def _split(words: Sequence[bytes]) -> list[list[bytes]]:
    commands: list[list[bytes]] = [[]]
    for word in words:
        if word == b"then":
            commands.append([])
        else:
            commands[-1].append(word)
    return commands


def _driver(cap: int = 0, *, origin: int = NODE) -> Driver:
    return Driver(cap, table=TESTED, origin=origin)


def test_a_command_evaluates_others_in_its_place() -> None:
    """Each in the state that those before it have left, with its own reply, errors included."""
    driver = _driver()
    assert driver.one("RUN SET a 1 then INCR a then GET a then NOSUCH then GET") == [
        OK,
        2,
        b"2",
        CommandError("ERR unknown command 'NOSUCH', with args beginning with: "),
        CommandError("ERR wrong number of arguments for 'get' command"),
    ]
    assert driver.run("GET a", "RUN DEL a", "GET a") == [b"2", [1], None]


def test_a_called_command_works_in_the_selected_database() -> None:
    """A SELECT that is called holds for what follows."""
    driver = _driver()
    assert driver.run("SELECT 3", "RUN SET a 1 then SELECT 4 then SET a 2 then DBSIZE", "GET a") == [
        OK,
        [OK, OK, OK, 1],
        b"2",
    ]


def test_a_key_may_grow_once_in_each_database() -> None:
    """Names behind a SELECT are those of other keys."""

    def bound(*lines: str) -> int:
        found = []
        for args in map(words, lines):
            command = TABLE.find(args)
            assert isinstance(command, Command)
            found.append((command, args))
        return _growth_once(found)

    one = bound("RPUSH l a")
    assert one > 0
    assert bound("RPUSH l a", "RPUSH l b") == one
    assert bound("RPUSH l a", "SELECT 1", "RPUSH l a", "GET l", "RPUSH l b") == 2 * one


def test_reads_that_a_write_calls_are_evaluated_on_every_replica() -> None:
    """What a command does may depend on them; a read of the submission itself is skipped elsewhere."""
    here, elsewhere = _driver(), _driver(origin=2)
    for driver in (here, elsewhere):
        driver.run("SET a 5", "GET a", "DOUBLE a", "GET a", "RUN STRLEN a then DOUBLE a")
    assert elsewhere.read("GET a") == b"5555"
    assert here.machine.digest() == elsewhere.machine.digest()


def test_a_read_calls_no_write() -> None:
    """Outside of the log nothing may change, whoever asks for it."""
    driver = _driver()
    driver.one("SET a 1")
    assert driver.read("ASK GET a then SET a 2 then RUN DEL a") == [b"1", NOT_A_READ, NOT_A_READ]
    assert driver.read("GET a") == b"1"


def test_a_called_command_is_refused_at_full_memory() -> None:
    """The caller is none that is denied, and what it calls may be."""
    driver = _driver(cap=1000)
    driver.run(f"SET a {'x' * 700}", "CONFIG SET maxmemory 500")
    assert driver.one("RUN SET a 1 then DEL a then SET a 1") == [OOM, 1, OK]


def test_a_failure_in_a_called_command_is_the_callers() -> None:
    """Before the first change it is an error of the whole command; after one it stops the node."""
    driver = _driver()
    assert driver.one("RUN GET a then FAIL a then SET a 1") == INTERNAL
    assert driver.machine.poisoned is not None
    assert (driver.machine.poisoned.command, driver.machine.poisoned.index) == ("RUN", driver.machine.index)
    assert driver.read("GET a") is None
    with pytest.raises(ValueError, match="a"):
        driver.one("RUN SET b 1 then FAIL a")


def test_calls_do_not_lie_in_each_other_without_an_end() -> None:
    """A command that calls itself is an error, not a stack that overflows and stops every replica."""
    driver = _driver()
    assert driver.one("DEEP") == TOO_DEEP
    innermost: Reply = TOO_DEEP
    for _ in range(DEPTH_MAX + 1):
        innermost = [innermost]
    assert driver.one(" ".join(["RUN"] * (DEPTH_MAX + 2)) + " PING") == innermost
    assert driver.one("RUN SET a 1") == [OK]  # the count goes down again


def test_a_depth_is_left_by_an_exception_too() -> None:
    """Otherwise bugs would add up, until no command could call another."""
    driver = _driver()
    for _ in range(DEPTH_MAX + 1):
        assert driver.one("RUN FAIL a") == INTERNAL
    assert driver.one("RUN SET a 1") == [OK]


def test_syntax_of_a_called_command_is_its_own() -> None:
    """An error that a called command returns is its reply, and the caller goes on."""
    assert _driver().one("RUN SET a 1 NOPE then SET a 2") == [SYNTAX, OK]


def test_draws_are_the_same_on_every_replica_and_after_a_replay() -> None:
    """Whoever is the origin, whether reads before it were shown, whatever was drawn before a snapshot."""
    here, elsewhere, later = _driver(), _driver(origin=2), _driver(origin=3)
    for driver in (here, elsewhere, later):
        driver.run("DRAW a", "RANDOMKEY", "ASK RANDOMKEY then RANDOMKEY", "DRAW b")
    assert here.machine.digest() == elsewhere.machine.digest()
    restore = Restore(TESTED)
    walk = later.machine.walk({})
    while piece := walk.step(1000):
        restore.feed(piece)
    later.machine = restore.finish()[1]
    for driver in (here, elsewhere, later):
        driver.run("RUN DRAW c then DRAW d", "DRAW e")
    assert here.machine.digest() == elsewhere.machine.digest() == later.machine.digest()


def test_no_two_draws_are_alike() -> None:
    """Of two commands, two that one command calls, two submissions, a transaction's, two entries."""
    driver = _driver()
    driver.run("DRAW a", "DRAW b", "RUN DRAW c then DRAW d", "SELECT 1", "DRAW a")
    driver.submit(["DRAW e", "DRAW f"], (Transaction(0, 2),))
    driver.run("DRAW g")
    values = [driver.read(f"GET {key}") for key in "abcdefg"] + driver.machine.read(1, [(b"GET", b"a")])
    assert len(set(map(repr, values))) == 8
    assert None not in values


def test_the_seed_of_the_entry_decides() -> None:
    """Chance comes from the leader: equal places in two logs draw differently."""
    drawn = set()
    for seed in range(5):
        driver = _driver()
        driver.seed = seed
        driver.one("DRAW a")
        drawn.add(repr(driver.read("GET a")))
    assert len(drawn) == 5


def test_a_read_draws_by_the_seed_that_it_is_given() -> None:
    """The same seed gives the same answer, another one another; the state does not matter."""
    driver = _driver()
    driver.run(*(f"SET k{number} v" for number in range(200)))
    read = driver.machine.read
    answers = [read(0, [(b"RANDOMKEY",)] * 3, seed=seed) for seed in range(20)]
    assert answers == [read(0, [(b"RANDOMKEY",)] * 3, seed=seed) for seed in range(20)]
    assert len({repr(answer) for answer in answers}) == 20
    assert all(len(set(map(repr, answer))) > 1 for answer in answers)


def test_an_origin_draws_for_its_reads_in_a_write() -> None:
    """RANDOMKEY behind a SET in one submission varies as well, with the entry."""
    driver = _driver()
    driver.run(*(f"SET k{number} v" for number in range(200)))
    assert len({repr(driver.run("SET k0 v", "RANDOMKEY")) for _ in range(20)}) > 15


def test_submissions_of_one_entry_draw_apart() -> None:
    """Their index and seed are the same, and so are the positions of their commands."""
    driver = _driver()
    lines = [[(b"DRAW", b"a")], [(b"DRAW", b"b")]]
    driver.batch(*(Submission(NODE, 2, number, 0, tuple(line)) for number, line in enumerate(lines, start=1)))
    assert driver.read("GET a") != driver.read("GET b")


def test_a_machine_begins_with_an_empty_context() -> None:
    """Nothing is drawn, called or selected before the first entry."""
    call = Call(Keyspace(), TABLE)
    assert (call.drawn, call.position, call.origin, call.sequence, call.index) == (None, 0, 0, 0, 0)
    assert call.db.number == 0


def test_what_a_called_command_shows_of_many_is_made_at_once() -> None:
    """There is nobody who could take it in steps; as in a transaction, there is a limit."""
    driver = Driver(table=TESTED)
    driver.run(*(f"SADD s m{number}" for number in range(1_500)))
    replies = driver.one("RUN SMEMBERS s")
    assert isinstance(replies, list)
    assert isinstance(replies[0], tuple), "a set"
    assert set(replies[0]) == {b"m%d" % number for number in range(1_500)}
