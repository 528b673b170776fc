"""A fork does to an entry what its base will do. It costs what is changed, and the base stays as it is."""

import gc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.machine.driving import NOW, Driver, came_of, collect, payload, words
from tests.machine.entries import (
    EVERYTHING,
    KEYS,
    LINES,
    RARE_LINES,
    Entry,
    applied,
    contents,
    histories,
    numbers,
)
from trikv.machine.account import DATABASES
from trikv.machine.batch import Hello, Submission
from trikv.machine.cut import Cut
from trikv.machine.database import AT_ONCE_BYTES
from trikv.machine.deadline_index import ForkedIndex
from trikv.machine.effects import Awaited
from trikv.machine.evaluation import Evaluator
from trikv.machine.machine import Machine
from trikv.machine.replies import Reply, Streamed
from trikv.machine.snapshot import Restore
from trikv.machine.suspended import Suspended
from trikv.machine.values.value import Value
from trikv.machine.walk import Walk


def seen(machine: Machine) -> tuple[list[Any], dict[str, Any]]:
    """All state, read anew: hashes that are kept would not show a change that was hidden from them."""
    return contents(machine), numbers(machine)


def counts(machine: Machine) -> tuple[int, ...]:
    """What it counts that is no state."""
    tally = machine.tally
    found = (tally.commands_total, tally.hits, tally.misses, tally.expired_keys, tally.errors_total)
    return (*found, machine.poison_count)


def begun(cap: int = 0) -> Driver:
    """A machine that knows all commands."""
    return Driver(cap, table=EVERYTHING)


def restored(document: bytes) -> Machine:
    """The machine of a snapshot."""
    restore = Restore(EVERYTHING)
    restore.feed(document)
    return restore.finish()[1]


# The same as the machine itself, whatever goes on beside it.


class Beside:
    """What a node does to its machine between entries: it walks, answers long reads, hashes and frees."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._walks: list[tuple[Walk, bytearray, list[Any], object]] = []
        self._reads: list[tuple[Streamed, list[Reply], list[bytes]]] = []

    def act(self, what: str) -> None:
        """Do it, if there is something to be done."""
        match what:
            case "walk":
                shown = contents(self.machine), self.machine.settings()
                self._walks.append((self.machine.walk({}), bytearray(), *shown))
            case "read":
                self._read()
            case "step":
                for walk, written, _, _ in self._walks:
                    written.extend(walk.step(200))
                for streamed, elements, _ in self._reads:
                    if not streamed.is_over:
                        elements.extend(streamed.step())
            case "hash":
                self.machine.hash_some(2)
            case "digest":
                self.machine.digest()
            case "release":
                self.machine.release(300)
            case _:
                self.end()

    def _read(self) -> None:
        cut = Cut(self.machine.space.databases[:1])
        live = [key for keys in cut.live_keys() for key in keys]
        cut.close()
        (answer,) = self.machine.read(0, ((b"KEYS", b"*"),))
        if isinstance(answer, Streamed):
            self._reads.append((answer, [], live))

    def end(self) -> None:
        """Take the rest of everything: each shows its own instant."""
        for walk, written, shown, said in self._walks:
            copy = restored(bytes(written) + collect(walk))
            assert contents(copy) == shown
            assert copy.settings() == said
        for streamed, elements, live in self._reads:
            while not streamed.is_over:
                elements.extend(streamed.step())
            assert elements == live
        self._walks, self._reads = [], []


ACTS = st.sampled_from(["walk", "read", "step", "step", "hash", "digest", "release", "end", "step"])


@settings(max_examples=60, deadline=None, phases=[Phase.generate])
@given(
    histories(9),
    st.lists(st.integers(1, 3), min_size=9, max_size=9),
    st.lists(ACTS, min_size=30, max_size=30),
)
def test_a_rehearsal_is_what_comes(history: list[Entry], sizes: list[int], acts: list[str]) -> None:
    """Outcomes, keys in their order, account, deadlines, rows, digest; also of several entries, and deeper.

    Nothing of it shows in the base, nor in what was begun on it before. Another replica, which rehearses
    nothing, stays equal.
    """
    machine, idle = begun().machine, begun().machine
    beside, acting, now_ms = Beside(machine), iter(acts), NOW
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Evaluator, "WHOLE_MAX", 0)
        while history:
            size = sizes.pop()
            some, history = history[:size], history[size:]
            before, fork = seen(machine), machine.fork()
            rehearsed = []
            for entry in some:
                now_ms += entry.after_ms
                stood, counted = seen(fork), counts(machine)
                deep = fork.fork()
                walk = deep.walk({})
                below = (applied(deep, entry, now_ms), seen(deep), deep.digest())
                assert seen(fork) == stood
                assert contents(restored(collect(walk))) == stood[0]
                rehearsed.append((applied(fork, entry, now_ms), seen(fork), fork.digest()))
                assert rehearsed[-1] == below
                assert counts(machine) == counted
                beside.act(next(acting))
            assert seen(machine) == before
            now_ms -= sum(entry.after_ms for entry in some)
            for entry, expected in zip(some, rehearsed, strict=True):
                now_ms += entry.after_ms
                assert (applied(machine, entry, now_ms), seen(machine), machine.digest()) == expected
                applied(idle, entry, now_ms)
                beside.act(next(acting))
            assert machine.digest() == idle.digest()
        beside.end()
    assert machine.space.account.observers == []


def test_every_command_is_rehearsed() -> None:
    """The lines that histories are made of call every command there is."""
    filled = {"k": "k", "l": "l", "v": "v", "some": "1", "if": ""}
    others = dict.fromkeys(("n", "ms", "at", "at_s", "cap", "cursor", "db", "m", "o"), 0)
    texts = f"{LINES} | {RARE_LINES}".replace("\n", "|").split("|")
    lines = [words(text.format_map({**filled, **others})) for text in texts]
    named = {EVERYTHING.name_of(line) for line in lines}
    assert {command.name for command in EVERYTHING} <= named


# The base stays as it is.


def full() -> Driver:
    """Something of everything, in several databases."""
    driver = begun(1 << 20)
    for number in (5, 0):
        driver.db = number
        driver.run(*(f"SET {key} 1" for key in KEYS), f"EXPIRE {KEYS[0]} 5", "SET later 1 PX 99000")
        driver.run("NUM.ADD n " + " ".join(map(str, range(100))), "SET long " + "y" * 5000)
        driver.run("HSET h a 1 b 2 c 3", "HEXPIRE h 5 FIELDS 2 a b")
        driver.run("SET longest " + "z" * AT_ONCE_BYTES)  # so much that a flush sets it aside
    return driver


def submitted(*lines: str, db: int = 0) -> Callable[[int], Entry]:
    """By its sequence a submission of node 1."""
    commands = tuple(map(words, lines))
    return lambda sequence: Entry(0, (Submission(1, 2, sequence, db, commands),))


CHANGES: dict[str, Callable[[int], Entry]] = {
    line: submitted(line)
    for line in [
        f"SET {KEYS[1]} 2",
        f"DEL {KEYS[1]}",
        f"PEXPIRE {KEYS[1]} 50",
        f"PEXPIRE {KEYS[0]} 50",
        f"PERSIST {KEYS[0]}",
        f"RENAME {KEYS[0]} {KEYS[2]}",
        "NUM.REM n 17",
        "NUM.REM n " + " ".join(map(str, range(90))),
        "DEL n",
        "RENAME n m",
        "APPEND long x",
        "HPEXPIRE h 50 FIELDS 1 c",
        "HPERSIST h FIELDS 1 a",
        "HDEL h a",
        "DEL h",
        "COPY h g",
        "FLUSHDB",
        "FLUSHALL",
        "CONFIG SET maxmemory 0",
        "NOSUCH",
    ]
}
CHANGES |= {
    "a key that is due": lambda _: Entry(6_000),
    "a life": lambda _: Entry(0, (Hello(2, b"two"),)),
    "members": lambda _: Entry(members=(2, 3)),
    "nothing": lambda _: Entry(skipped=True),
}


@pytest.mark.parametrize("is_hashed", [True, False])
@pytest.mark.parametrize("change", CHANGES)
def test_nothing_of_a_rehearsal_is_left(change: str, *, is_hashed: bool) -> None:
    """Neither while the fork is there nor after it, and the entry does the same to the machine itself."""
    driver = full()
    machine = driver.machine
    if is_hashed:
        machine.digest()
    before, entry = seen(machine), CHANGES[change](driver._sequence + 1)
    fork = machine.fork()
    assert seen(fork) == before
    outcomes = applied(fork, entry, driver.now + entry.after_ms)
    assert seen(fork) != before
    assert seen(machine) == before
    fork.release(1_000_000)
    rehearsed = seen(fork)
    fork.retire()
    while fork.release(1000):
        pass
    assert seen(machine) == before
    assert applied(machine, entry, driver.now + entry.after_ms) == outcomes
    assert seen(machine) == rehearsed


def value_under(machine: Machine, key: bytes) -> Value:
    """The value in parts of a key of database 0."""
    entry = machine.space.databases[0].find(key)
    assert entry is not None
    assert isinstance(entry.value, Value)
    return entry.value


def test_a_value_is_written_in_place_again_after_a_rehearsal() -> None:
    """A fork is no cut: when it is gone, the base's values are the base's alone."""
    driver = full()
    before = value_under(driver.machine, b"n")
    parts = before.parts.copy()
    entry = CHANGES["NUM.REM n 17"](driver._sequence + 1)
    applied(driver.machine.fork(), entry, NOW)
    applied(driver.machine, entry, NOW)
    assert value_under(driver.machine, b"n") is before
    assert all(part is old for part, old in zip(before.parts, parts, strict=True))


def test_a_fork_is_of_no_use_once_its_base_has_changed() -> None:
    """They share what the fork has not changed, so it would rehearse on half of another state."""
    driver = begun()
    fork = driver.machine.fork()
    driver.pass_ms(1)
    with pytest.raises(AssertionError, match="the base of a fork has changed"):
        fork.apply(fork.index + 1, payload(NOW))
    fork = driver.machine.fork()
    driver.machine.space.databases[0].store(b"k", b"v")
    with pytest.raises(AssertionError, match="the base of a fork has changed"):
        fork.digest()


def test_no_fork_begins_inside_an_entry() -> None:
    """What is rehearsed on half an entry is rehearsed on no state of the log."""
    driver = begun()
    suspended = driver.machine.apply(3, payload(NOW, *submitted("WORK k 3")(1).items))
    assert isinstance(suspended, Suspended)
    with pytest.raises(AssertionError, match="nothing begins inside an entry"):
        driver.machine.fork()


# What it costs.


def owned(fork: Machine, base: Machine) -> dict[int, int]:
    """By database how many buckets are the fork's own, for databases that have a list of their own."""
    pairs = zip(fork.space.databases, base.space.databases, strict=True)
    return {
        one.number: sum(mine is not theirs for mine, theirs in zip(one.buckets, other.buckets, strict=True))
        for one, other in pairs
        if one.buckets is not other.buckets
    }


def test_a_fork_costs_what_is_changed() -> None:
    """Nothing is copied before it is written, and then one bucket, one part of a value."""
    driver = full()
    driver.run(*(f"SET key:{number} v PX 90000" for number in range(500)))
    machine = driver.machine
    fork = machine.fork()
    assert owned(fork, machine) == {}
    lines = (f"GET {KEYS[0]}", "KEYS *", f"SET {KEYS[0]} 1", f"SET {KEYS[0]} 2", "NUM.REM n 55")
    applied(fork, submitted(*lines)(driver._sequence + 1), NOW)
    assert owned(fork, machine) == {0: 2}
    ours, theirs = value_under(fork, b"n").parts, value_under(machine, b"n").parts
    assert sum(mine is not other for mine, other in zip(ours, theirs, strict=True)) == 1
    assert len(ours) > 10
    index = fork.space.databases[0].deadlines
    assert isinstance(index, ForkedIndex)
    assert index._base is machine.space.databases[0].deadlines
    assert (len(index), len(machine.space.databases[0].deadlines)) == (501, 502)


def test_a_write_to_an_empty_database_makes_no_buckets_but_one() -> None:
    """A base without keys has one bucket for all numbers, which is only read."""
    machine = begun().machine
    fork = machine.fork()
    applied(fork, submitted("SET a 1", "SET b 1", db=3)(1), NOW)
    assert owned(fork, machine) == {3: 2}
    assert sum(map(len, fork.space.databases[3].buckets)) == 2
    assert not any(machine.space.databases[3].buckets)


def test_a_write_behind_a_flush_makes_a_bucket_of_the_forks_own() -> None:
    """Where the base has never had one: there is one empty bucket for all, of all machines."""
    machine = begun().machine
    applied(machine, submitted("SET a 1")(1), NOW)
    fork = machine.fork()
    applied(fork, submitted("FLUSHALL", "SET b 1")(2), NOW)
    assert sum(map(len, fork.space.databases[0].buckets)) == 1
    assert sum(map(len, machine.space.databases[0].buckets)) == 1
    assert not any(Machine().space.databases[0].buckets)


def test_forks_leave_nothing_for_the_collector() -> None:
    """Each is freed when it is dropped, with all that it alone holds: it is in no cycle."""
    driver = full()
    gc.collect()
    gc.disable()
    try:
        for change in CHANGES.values():
            fork = driver.machine.fork()
            applied(fork, change(driver._sequence + 1), driver.now)
            applied(fork.fork(), Entry(), driver.now)
            fork.digest()
            del fork
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_fork_that_nothing_was_done_to_is_read_as_its_base() -> None:
    """All of it is there."""
    driver, reads = full(), (words("KEYS *"), words("RANDOMKEY"))
    fork = driver.machine.fork()
    assert fork.read(0, reads) == driver.machine.read(0, reads)
    assert fork.digest() == driver.machine.digest()


def test_who_waits_is_not_told_of_a_rehearsal() -> None:
    """Nothing has happened to the key yet, and what the fork is told does not come with the next entry."""
    driver = full()
    awaited = Awaited(DATABASES)
    awaited.keys[0][KEYS[1].encode()] = None
    driver.machine.tell_of(awaited)
    entry = CHANGES[f"DEL {KEYS[1]}"](driver._sequence + 1)
    fork = driver.machine.fork()
    assert came_of(fork.apply(fork.index + 1, payload(NOW, *entry.items))).effects == ()
    assert came_of(driver.machine.apply(fork.index + 1, payload(NOW))).effects == ()
    assert came_of(driver.machine.apply(fork.index + 2, payload(NOW, *entry.items))).effects != ()
