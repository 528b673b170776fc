"""What an entry tells those who wait: all that it did to what is awaited, and nothing else (PROTOCOL 65)."""

import ast
import inspect
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.machine.driving import NODE, NOW, Driver, collect, payload, words
from tests.machine.long_work import LONG
from tests.machine.test_runs import needs_it, without_it
from tests.machine.values.commands import OWN as OF_NUMBERS
from trikv import machine
from trikv.machine.account import DATABASES
from trikv.machine.batch import Forgotten, Hello, Submission, Transaction, Watch
from trikv.machine.call import READER, Call
from trikv.machine.declaration import By, Command
from trikv.machine.effects import (
    ALL,
    EMPTIED,
    EXPIRED,
    NOTHING,
    REMOVED,
    WRITTEN,
    Awaited,
    Change,
    Effect,
    Published,
    Touched,
)
from trikv.machine.errors import INTERNAL, TOO_MUCH_PUBLISHED
from trikv.machine.outcomes import Applied, Whole
from trikv.machine.replies import OK, CommandError, Reply
from trikv.machine.stored import stored
from trikv.machine.suspended import Suspended
from trikv.machine.table import CommandTable

OWN = CommandTable()


@OWN.command("SAY", by=By.LOG, group="test")
def say(call: Call, channel: bytes, *messages: bytes) -> Reply:
    """Publish the messages; how many there was room for."""
    return sum(call.publish(channel, message) is None for message in messages)


@OWN.command("ECHOES", by=By.LOG, group="test")
def echoes(call: Call, channel: bytes, message: bytes, times: bytes) -> Reply:
    """Publish one message many times."""
    for _ in range(int(times)):
        refused = call.publish(channel, message)
        if refused is not None:
            return refused
    return OK


@OWN.command("STUMBLE", by=By.LOG, group="test")
def stumble(call: Call, channel: bytes) -> Reply:
    """A bug behind a message."""
    call.publish(channel, b"out")
    raise ValueError(channel)


TABLE = LONG.merged_with(OF_NUMBERS).merged_with(OWN)


def awaiting(*keys: bytes | None, db: int = 0, channels: Iterable[bytes | None] = ()) -> Awaited:
    """What somebody waits for."""
    awaited = Awaited(DATABASES)
    awaited.keys[db].update(dict.fromkeys(keys))
    awaited.channels.update(dict.fromkeys(channels))
    return awaited


def driver(awaited: Awaited, cap: int = 0, origin: int = NODE) -> Driver:
    """A machine of a node where that is awaited."""
    one = Driver(cap, table=TABLE, origin=origin)
    one.machine.tell_of(awaited)
    return one


def told(one: Driver) -> list[tuple[bytes | None, Change]]:
    """What has been told of keys since the last look."""
    found = [(effect.key, effect.change) for effect in one.effects if isinstance(effect, Touched)]
    one.effects.clear()
    return found


# Every way of writing.

WRITES = [
    command for command in TABLE if command.writes and command.name not in {"FAIL", "STUMBLE", "CONFIG|SET"}
]
_WORDS = st.sampled_from(
    [b"a", b"b", b"c", b"1", b"5", b"0", b"-1", b"7", b"PX", b"EX", b"NX", b"XX", b"GET", b"PERSIST", b"1.5"]
)
_KEYS = st.sampled_from([b"a", b"b", b"c", b"1"])


@st.composite
def _calls(draw: st.DrawFn, command: Command) -> tuple[bytes, ...]:
    """Any call of a command, as far as its declaration tells what one is."""
    name = command.name.encode().split(b"|")
    count = draw(st.integers(command.least, min(command.most, command.least + 3))) - len(name)
    args = [draw(_WORDS) for _ in range(count)]
    called = (*name, *args)
    for place in range(len(name), len(called)):
        if called[place] in command.keys.among(called):
            args[place - len(name)] = draw(_KEYS)
    return (*name, *args)


_CALLS = st.sampled_from(WRITES).flatmap(_calls)
_OFTEN = st.sampled_from(
    [words(line) for line in ("SET a 1", "SET b 1 PX 3", "NUM.ADD c 1 2 3", "SET 1 v", "MSET a 1 c 1")]
)


def versions(one: Driver) -> dict[tuple[int, bytes], int]:
    """The version of every key, due or not."""
    return {
        (db.number, key): stored(held).version
        for db in one.machine.space.databases
        for bucket in db.buckets
        if bucket
        for key, held in bucket.items()
    }


@given(
    calls=st.lists(st.tuples(st.one_of(_CALLS, _OFTEN), st.integers(0, 4)), max_size=30),
    awaited=st.lists(_KEYS, unique=True),
    db=st.sampled_from([0, 0, 3]),
    everything=st.booleans(),
)
def test_the_awaited_keys_whose_version_changed_are_those_that_are_told(
    calls: list[tuple[tuple[bytes, ...], int]], awaited: list[bytes], db: int, *, everything: bool
) -> None:
    """Whatever command is called, of those that the table has, however: each is found by its declaration."""
    one = driver(awaiting(*awaited, *([ALL] if everything else []), db=db))
    one.db = 0
    for call, passed_ms in calls:
        one.now += passed_ms
        before, changes = versions(one), one.machine.changes
        one.run(call)
        after = versions(one)
        moved = {where for where in before.keys() | after.keys() if before.get(where) != after.get(where)}
        effects = [effect for effect in one.effects if isinstance(effect, Touched)]
        one.effects.clear()
        if any(effect.change is EMPTIED for effect in effects):
            assert everything
            continue
        touched = {(effect.db, effect.key) for effect in effects}
        expected = {(number, key) for number, key in moved if number == db and (everything or key in awaited)}
        assert touched >= expected, call
        # A resumable command of the tests may write and take away; what was told has changed in any case.
        assert touched == expected or one.machine.changes - changes > len(moved), call


@given(st.lists(st.lists(_CALLS | _OFTEN, max_size=8), max_size=8))
def test_who_waits_changes_nothing(entries: list[list[tuple[bytes, ...]]]) -> None:
    """The same state, document and replies, whether nobody waits, or somebody does, for keys or for all."""
    several = [
        driver(Awaited(DATABASES)),
        driver(awaiting(b"a", b"b", channels=[b"a"])),
        driver(awaiting(ALL, channels=[ALL])),
    ]
    for commands in entries:
        replies = [one.run(*commands) for one in several]
        assert replies[0] == replies[1] == replies[2]
    digests = {one.machine.digest() for one in several}
    documents = {collect(one.machine.walk({})) for one in several}
    assert (len(digests), len(documents)) == (1, 1)
    assert several[0].effects == []


def test_whatever_raises_the_change_counter_looks_who_waits() -> None:
    """A new way of writing cannot forget it: each key that changes raises the counter (PROTOCOL 23)."""
    raising: list[tuple[str, str, bool]] = []
    for path in sorted(Path(inspect.getfile(machine)).parent.rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef) and any(map(_raises_changes, ast.walk(function))):
                looks = any(
                    isinstance(node, ast.Attribute) and node.attr == "awaited" for node in ast.walk(function)
                )
                raising.append((path.stem, function.name, looks))
    assert len(raising) >= 6
    # A snapshot brings its counter along, and whoever waits is told that anything may have changed.
    assert [each for each in raising if not each[2]] == [("machine", "_take_over", False)]


def _raises_changes(node: ast.AST) -> bool:
    targets = (
        [node.target]
        if isinstance(node, ast.AugAssign)
        else node.targets
        if isinstance(node, ast.Assign)
        else []
    )
    return any(
        isinstance(target, ast.Attribute)
        and target.attr == "changes"
        and not (isinstance(target.value, ast.Name) and target.value.id == "self")
        for target in targets
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("SET a 2", [(b"a", WRITTEN)]),
        ("SET a longer-than-before", [(b"a", WRITTEN)]),
        ("EXPIRE a 5", [(b"a", WRITTEN)]),
        ("PERSIST t", [(b"t", WRITTEN)]),
        ("DEL a b", [(b"a", REMOVED)]),
        ("RENAME a z", [(b"a", REMOVED), (b"z", WRITTEN)]),
        ("RENAME b a", [(b"a", REMOVED), (b"a", WRITTEN)]),
        ("SET a 1 PXAT 1", [(b"a", REMOVED)]),
        ("MSET a 1 b 1 z 1", [(b"a", WRITTEN), (b"z", WRITTEN)]),
        ("NUM.ADD n 7", [(b"n", WRITTEN)]),
        ("NUM.REM n 1 2", [(b"n", WRITTEN), (b"n", REMOVED)]),
        ("FLUSHDB", [(b"a", REMOVED), (b"t", REMOVED), (b"n", REMOVED)]),
        ("FLUSHALL", [(b"a", REMOVED), (b"t", REMOVED), (b"n", REMOVED)]),
        ("WORK a 3", [(b"a", WRITTEN)]),
    ],
)
def test_what_became_of_a_key(line: str, expected: list[tuple[bytes, Change]]) -> None:
    """Written, with its value or its deadline; removed; in the order in which it happened."""
    one = driver(awaiting(b"a", b"t", b"n", b"z"))
    one.run("SET a 1", "SET b 1", "SET t 1 PX 50", "NUM.ADD n 1 2")
    told(one)
    one.one(line)
    assert told(one) == expected


@pytest.mark.parametrize(
    "line",
    ["SET a 2 NX", "SET z 1 XX", "INCR a x", "NUM.ADD a 1", "EXPIRE z 5", "DEL z", "SET a " + "x" * 900],
)
def test_a_write_that_is_refused_or_finds_nothing_tells_nothing(line: str) -> None:
    """Nor does a read, nor a transaction whose watched key has changed."""
    one = driver(awaiting(ALL), cap=600)
    one.one("SET a 1")
    told(one)
    one.run(line, "GET a", "EXISTS a")
    one.execute("SET a 2", watches=(Watch(0, b"a", 99),))
    assert told(one) == []


def test_a_reaped_key_has_expired() -> None:
    """Reaped before the items, at place 0."""
    one = driver(awaiting(b"a", b"b"))
    one.run("SET a 1 PX 5", "SET b 1 PX 5")
    told(one)
    one.pass_ms(5)
    assert one.effects == [
        Touched((one.machine.index, 0), 0, b"a", EXPIRED),
        Touched((one.machine.index, 0), 0, b"b", EXPIRED),
    ]


def test_a_due_key_that_a_command_meets_has_expired() -> None:
    """Before it could be reaped: one entry reaps no more than 200."""
    one = driver(awaiting(b"z1", b"z2", b"z3"))
    one.run(*(f"SET k{number} v PX 5" for number in range(200)))
    one.run("SET z1 1 PX 6", "SET z2 1 PX 6", "SET z3 1 PX 6")
    told(one)
    one.now += 6
    one.run("SET z1 2", "DEL z2", "FLUSHALL")
    assert told(one) == [
        (b"z1", EXPIRED),
        (b"z1", WRITTEN),
        (b"z2", EXPIRED),
        (b"z1", REMOVED),
        (b"z3", EXPIRED),
    ]


def test_effects_bear_their_place_in_the_log() -> None:
    """Index and item, as the outcome of one's own item does; several commands of an item in their order."""
    one = driver(awaiting(b"a", b"b"))
    outcomes = one.batch(
        Forgotten(NODE, 2, 1),
        Submission(NODE, 2, 2, 0, (words("SET a 1"), words("SET b 1"))),
        Hello(2, b"another"),
        Submission(2, 3, 1, 0, (words("DEL a"),)),
        Submission(NODE, 2, 3, 0, (words("INCR b"),)),
    )
    assert [outcome.item for outcome in outcomes if isinstance(outcome, Applied)] == [1, 2, 5]
    index = one.machine.index
    assert one.effects == [
        Touched((index, 2), 0, b"a", WRITTEN),
        Touched((index, 2), 0, b"b", WRITTEN),
        Touched((index, 4), 0, b"a", REMOVED),
        Touched((index, 5), 0, b"b", WRITTEN),
    ]


def test_a_row_of_the_same_change_is_told_once() -> None:
    """An item that writes a key a thousand times keeps no thousand effects; another item tells it again."""
    one = driver(awaiting(b"n"))
    one.execute(*["INCR n"] * 1000)
    one.run("INCR n", "DEL n", "INCR n")
    assert told(one) == [(b"n", WRITTEN), (b"n", WRITTEN), (b"n", REMOVED), (b"n", WRITTEN)]


def test_all_keys_of_a_database() -> None:
    """Each change of any of them; that all went at once is one effect, however many there were."""
    one = driver(awaiting(ALL, b"c", db=2))
    one.run("SET a 1", "SELECT 2", "SET b 1", "SET c 1", "FLUSHALL", "FLUSHALL")
    assert told(one) == [(b"b", WRITTEN), (b"c", WRITTEN), (None, EMPTIED), (b"c", REMOVED)]


def test_a_flush_looks_for_what_is_awaited() -> None:
    """And not through all that it takes away, which may be millions."""
    one = driver(awaiting(*(b"awaited:%d" % number for number in range(10)), b"k:77")).machine
    for number in range(5_000):
        one.space.databases[0].put_unchecked(b"k:%d" % number, b"v")
    one.space.account.effects.take()
    entry = payload(NOW, Submission(NODE, 2, 1, 0, ((b"FLUSHALL",),)))
    calls = 0

    def count_calls(*_: object) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(count_calls)
    try:
        came = one.apply(3, entry)
    finally:
        sys.setprofile(None)
    assert calls < 500
    assert isinstance(came, Whole)
    assert came.effects == [Touched((3, 1), 0, b"k:77", REMOVED)]


@needs_it
@example(["SET a 1", "SET c 4", "SET a 1", "SET b 2", "set a 3", "SET b 2"])
@given(st.lists(st.sampled_from(["SET a 1", "SET b 2", "set a 3", "SET c 4", "SET a 1 PX 9"]), min_size=4))
def test_a_run_in_c_tells_what_the_loop_tells(lines: list[str]) -> None:
    """Neither more nor less, in the same order, also if it goes on in the loop."""
    awaited = awaiting(b"a", b"b")
    one, other = driver(awaited), driver(awaited)
    for each in (one, other):
        each.one("SET first 1")  # before the first key no run is tried
    one.run(*lines)
    with without_it():
        other.run(*lines)
    assert one.effects == other.effects
    assert {effect.key for effect in one.effects if isinstance(effect, Touched)} == {
        word.encode() for word in "ab" if any(f"{word} " in line for line in lines)
    }


# Messages.


def heard(effects: Iterable[Effect]) -> list[tuple[bytes, bytes]]:
    """Channel and message of each."""
    return [(effect.channel, effect.message) for effect in effects if isinstance(effect, Published)]


def test_messages_come_with_the_changes_in_the_order_of_the_log() -> None:
    """Each as often as it was published; those of channels that nobody listens to are not kept."""
    one = driver(awaiting(b"a", channels=[b"news"]))
    assert one.run("SAY news x x", "SET a 1", "SAY other y", "SAY news z") == [2, OK, 1, 1]
    place = (one.machine.index, 1)
    assert one.effects == [
        Published(place, b"news", b"x"),
        Published(place, b"news", b"x"),
        Touched(place, 0, b"a", WRITTEN),
        Published(place, b"news", b"z"),
    ]


def test_who_listens_to_all_channels_hears_each() -> None:
    """And a message changes no key and no state: it is in no digest."""
    one, other = driver(awaiting(channels=[ALL])), driver(Awaited(DATABASES))
    for each in (one, other):
        assert each.run("SAY news x", "SAY other y") == [1, 1]
    assert heard(one.effects) == [(b"news", b"x"), (b"other", b"y")]
    assert other.effects == []
    assert one.machine.digest() == other.machine.digest()
    assert one.machine.changes == 0


def test_an_entry_publishes_no_more_bytes_than_it_brought() -> None:
    """Though nobody listens, and on every replica alike, because a command may answer by it."""
    several = [driver(awaiting(channels=[b"c"])), driver(Awaited(DATABASES))]
    for one in several:
        message = "m" * 400
        assert one.run(f"ECHOES c {message} 1", f"ECHOES c {message} 9") == [OK, TOO_MUCH_PUBLISHED]
        assert one.run(f"SAY c {message} {message}") == [2]
    assert len(heard(several[0].effects)) == 4


def test_a_message_cannot_be_taken_back() -> None:
    """So it is a change like any other: an exception behind it stops the node (PROTOCOL 24)."""
    one = driver(awaiting(channels=[b"c"]))
    with pytest.raises(ValueError, match="c"):
        one.one("STUMBLE c")
    assert one.machine.poison_count == 0


def test_a_read_publishes_nothing() -> None:
    """Other replicas do not evaluate it, and would not tell."""
    one = driver(awaiting(channels=[b"c"]))
    call = one.machine._call
    call.view = READER
    with pytest.raises(AssertionError, match="without the log"):
        call.publish(b"c", b"m")


# When they are told.


def test_effects_come_when_the_entry_is_whole() -> None:
    """Those of its first slices too, with those of the items behind; the next entry begins with none."""
    one = driver(awaiting(b"a", b"k", channels=[b"c"]))
    lines = (words("SET a 1"), words("SAY c m"), words("WORK k 3"))
    items = (Submission(NODE, 2, 1, 0, lines), Submission(NODE, 2, 2, 0, (words("DEL a"),)))
    came = one.machine.apply(3, payload(NOW, *items))
    assert isinstance(came, Suspended)
    slices = 0
    while (whole := came.resume(lambda: True)) is None:
        slices += 1
    assert slices == 3
    assert whole.effects == [
        Touched((3, 1), 0, b"a", WRITTEN),
        Published((3, 1), b"c", b"m"),
        Touched((3, 1), 0, b"k", WRITTEN),
        Touched((3, 2), 0, b"a", REMOVED),
    ]
    assert one.machine.apply(4, payload(NOW)) == Whole([], ())


def test_a_transaction_tells_what_it_did() -> None:
    """All of it, or nothing if it did not run."""
    one = driver(awaiting(b"a"))
    one.submit(["SET a 1", "NOSUCH"], (Transaction(0, 2),))
    assert told(one) == []
    one.submit(["SET a 1", "DEL a"], (Transaction(0, 2),))
    assert told(one) == [(b"a", WRITTEN), (b"a", REMOVED)]


def test_a_retired_machine_tells_nothing() -> None:
    """Its keys go because another machine has taken its place, not because of an entry."""
    awaited = awaiting(b"a")
    one = driver(awaited)
    one.one("SET a 1")
    told(one)
    one.machine.retire()
    assert one.machine.space.account.effects.take() == ()
    assert NOTHING == {}
    assert awaited.keys[0] == {b"a": None}, "it is the node's"


def test_what_is_awaited_may_come_and_go() -> None:
    """The machine looks when a key changes: nothing is told of before, and nothing after."""
    awaited = Awaited(DATABASES)
    one = driver(awaited)
    one.one("SET a 1")
    awaited.keys[0][b"a"] = None
    one.one("SET a 2")
    del awaited.keys[0][b"a"]
    one.one("SET a 3")
    assert told(one) == [(b"a", WRITTEN)]


def test_a_failed_command_tells_nothing() -> None:
    """It had no effect."""
    one = driver(awaiting(ALL))
    assert one.run("FAIL a early", "REFUSE a") == [INTERNAL, CommandError("ERR not a")]
    assert told(one) == []
