"""Filling a new cluster with values of all types: small ones whole, others piece by piece."""

from typing import Any, cast

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.machine.contents import Contents, contents
from tests.machine.driving import Driver
from tests.node.state.loading_rig import Fate, State, written
from trikv.machine import importing
from trikv.machine.machine import Machine
from trikv.machine.replies import Reply
from trikv.machine.values.hash import Timed
from trikv.node.state.applier import Applier
from trikv.node.state.loading import BATCH_BYTES, load_keys
from trikv.node.state.own_writes import Command

NAMES = [b"%03d" % number + b"\xff" * 30 for number in range(150)]
"""More than a small value has."""


def source() -> Driver:
    """A value in parts of each type, the hash with a deadline; a small one of each, and strings."""
    driver = Driver()
    driver.run(
        "SET s v",
        (b"HSET", b"hash", *(each for name in NAMES for each in (name, name[::-1]))),
        "PEXPIRE hash 50000",
        (b"RPUSH", b"list", *NAMES),
        (b"SADD", b"set", *NAMES),
        (b"ZADD", b"zset", *(each for at, name in enumerate(NAMES) for each in (b"%d.5" % at, name))),
        "HSET hash1 f v",
        "PEXPIRE hash1 50000",
        "RPUSH list1 b a b",
        "SADD set1 1 2",
        "SET other v PX 50000",
        "SELECT 3",
        "ZADD zset1 inf a -inf b",
        "SET s3 v",
    )
    return driver


@pytest.fixture
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "PIECE_BYTES", 8000)


def submissions() -> int:
    """How many it takes to load `source` in small pieces."""
    state = State()
    state.load(written(source()))
    return len(state.works)


@pytest.mark.usefixtures("_small_pieces")
def test_values_of_all_types_arrive() -> None:
    """Small ones travel together, those in parts piece by piece; strings need no transaction."""
    driver, state = source(), State()
    assert state.load(written(driver)) == ["loaded keys=11"]
    assert contents(state.machine) == contents(driver.machine)
    assert len(state.works) > 4 * 4
    assert any(len(work.transactions) > 1 for work in state.works), "small ones"
    for work in state.works:
        inside = sum(transaction.count for transaction in work.transactions)
        strings = [command for command in work.commands if command[0] == b"SET"]
        assert inside + len(strings) == len(work.commands)
        assert all(transaction.watches for transaction in work.transactions)


@pytest.mark.usefixtures("_small_pieces")
@pytest.mark.parametrize("fate", Fate)
def test_an_unknown_outcome_puts_no_element_twice(fate: Fate) -> None:
    """Whichever submission it is of, whether that was carried out, and whether this happens late."""
    driver = source()
    for number in range(submissions()):
        state = State({number: fate})
        assert state.load(written(driver)) == ["loaded keys=11"]
        assert contents(state.machine) == contents(driver.machine)


@pytest.mark.usefixtures("_small_pieces")
@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.integers(0, 40), st.sampled_from(Fate)))
def test_any_unknown_outcomes_put_no_element_twice(fates: dict[int, Fate]) -> None:
    """Several in a row, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importing, "PIECE_BYTES", 8000)
        driver, state = source(), State(fates)
        assert state.load(written(driver)) == ["loaded keys=11"]
        assert contents(state.machine) == contents(driver.machine)


KEYS = [b"hash", b"list", b"set", b"zset", b"hash1", b"list1", b"set1", b"s"]
ADDED = {
    b"hash": (b"HSET", b"hash", b"mine", b"v"),
    b"list": (b"LPUSH", b"list", b"mine"),
    b"set": (b"SADD", b"set", b"mine"),
    b"zset": (b"ZADD", b"zset", b"7", b"mine"),
    b"hash1": (b"HSET", b"hash1", b"mine", b"v"),
    b"list1": (b"RPUSH", b"list1", b"mine"),
    b"set1": (b"SADD", b"set1", b"mine"),
    b"s": (b"APPEND", b"s", b"mine"),
}


def loaded_beside(number: int, fate: Fate | None, is_before: bool, *command: bytes) -> tuple[Contents, Reply]:  # noqa: FBT001 - by position from a loop
    """What is there after a load beside which a client does something, and what he is answered."""
    state = State({} if fate is None else {number: fate})
    replies: list[Reply] = []

    def write(at: int) -> None:
        if at == number:
            replies.append(state.call(*command))

    if is_before:
        state.before = write
    else:
        state.after = write
    told = state.load(written(source()))
    assert told[-1] == "loaded keys=11"
    return contents(state.machine), replies[0]


@pytest.mark.usefixtures("_small_pieces")
@pytest.mark.parametrize("is_before", [True, False])
@pytest.mark.parametrize("fate", [None, *Fate])
def test_what_a_client_has_written_meanwhile_stays(fate: Fate | None, *, is_before: bool) -> None:
    """In whatever moment: a key that he sets, and an element that he adds. The other keys arrive."""
    whole = contents(source().machine)
    for number in range(submissions()):
        key = KEYS[number % len(KEYS)]
        found, _ = loaded_beside(number, fate, is_before, b"SET", key, b"mine")
        assert found.pop((0, key)) == (b"mine", 0)
        assert found.items() <= whole.items()
        assert len(found) == len(whole) - 1
        found, _ = loaded_beside(number, fate, is_before, *ADDED[key])
        assert b"mine" in found.pop((0, key))[0]
        assert found.items() <= whole.items()
        assert len(found) == len(whole) - 1


@pytest.mark.usefixtures("_small_pieces")
@pytest.mark.parametrize("is_before", [True, False])
@pytest.mark.parametrize("fate", [None, *Fate])
def test_a_value_that_a_client_has_deleted_meanwhile_stays_away(
    fate: Fate | None, *, is_before: bool
) -> None:
    """Not a part of it comes again. If no more than its first piece was there, it may come whole."""
    whole = contents(source().machine)
    for number in range(submissions()):
        key = KEYS[number % 4]
        found, was_there = loaded_beside(number, fate, is_before, b"DEL", key)
        if (0, key) in found:
            assert found == whole
            assert not was_there or fate is not None
        else:
            assert was_there


def test_as_many_elements_of_a_client_are_not_taken_for_what_was_put(monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction that was not carried out was not, whatever the key looks like."""
    monkeypatch.setattr(importing, "PIECE_BYTES", 1)
    driver, state = Driver(), State()
    driver.run((b"RPUSH", b"list", b"a" * 5000, b"b" * 5000))
    state.before = lambda number: number or state.call(b"RPUSH", b"list", b"mine")
    told = state.load(written(driver))
    assert told == ["a client has written to keys that were being loaded left=1", "loaded keys=1"]
    assert contents(state.machine) == {(0, b"list"): ([b"mine"], 0)}


@pytest.mark.usefixtures("_small_pieces")
def test_a_client_who_leaves_as_many_elements_has_written() -> None:
    """If nothing has fallen due, the version tells: of an element for another, of a field that he sets."""
    driver = source()
    driver.run((b"HPEXPIRE", b"hash", b"50000", b"FIELDS", b"%d" % len(NAMES), *NAMES))
    for key, commands in (
        (b"list", ((b"LPOP", b"list"), (b"RPUSH", b"list", b"mine"))),
        (b"hash", ((b"HGETDEL", b"hash", b"FIELDS", b"1", NAMES[0]), (b"HSET", b"hash", NAMES[0], b"mine"))),
    ):
        for number in range(submissions()):
            state = State()
            state.before = lambda at, state=state, number=number, commands=commands: (  # type: ignore[misc]
                at == number and [state.call(*command) for command in commands]
            )
            told = state.load(written(driver))
            assert told[-1] == "loaded keys=11"
            is_whole = len(contents(state.machine)[0, key][0]) == len(NAMES)
            assert len(told) == (1 if is_whole else 2), "the rest is his"
            assert not is_whole or not any(key in work.commands[0] for work in state.works[number:])


@pytest.mark.usefixtures("_small_pieces")
@pytest.mark.parametrize("fate", [None, *Fate])
def test_a_deadline_that_has_passed(fate: Fate | None) -> None:
    """The key is not there afterwards, small or in parts, and nobody is said to have written to it."""
    driver = source()
    driver.run("PEXPIRE list 50000", "PEXPIRE list1 50000")
    whole = contents(driver.machine)
    state = State({} if fate is None else dict.fromkeys(range(50), fate) | {49: Fate.DONE})
    state.driver.now += 60_000
    assert state.load(written(driver)) == ["loaded keys=11"]
    assert contents(state.machine) == {at: held for at, held in whole.items() if not held[1]}


FIELDS = 3000
FIRST_MS, STEP_MS = 1000, 10
"""Every fifth field of `timed` has a deadline: the first so long after now, and each other one so much later
for each field before it."""


def timed() -> Driver:
    """A hash with fields that fall due one after another."""
    driver = Driver()
    driver.run((b"HSET", b"hash", *(each for at in range(FIELDS) for each in (b"f%d" % at, b"v"))))
    driver.run(
        *(
            f"HPEXPIREAT hash {driver.now + FIRST_MS + STEP_MS * at} FIELDS 1 f{at}"
            for at in range(0, FIELDS, 5)
        )
    )
    return driver


def fields(machine: Machine, now: int) -> dict[bytes, Any]:
    """What stands behind those of `hash` that are not due then."""
    held, _ = contents(machine).get((0, b"hash"), ({}, 0))
    return {
        field: behind
        for field, behind in held.items()
        if not isinstance(behind, Timed) or behind.deadline > now
    }


def loaded_late(state: State, step_ms: int, *, is_reaped: bool = False) -> dict[bytes, Any]:
    """What is there of `timed` after it is loaded, from when its first field is due.

    So much time goes by in front of each submission. With `is_reaped`, an entry of its own has what is due
    go; else that of the submission does. It is checked that the rest is there.
    """
    driver = timed()
    state.driver.now += FIRST_MS + STEP_MS

    def pass_time(_: int) -> None:
        state.driver.now += step_ms
        if is_reaped:
            state.driver.batch()

    state.before = pass_time
    assert state.load(written(driver)) == ["loaded keys=1"]
    found = fields(state.machine, state.driver.now)
    assert found == fields(driver.machine, state.driver.now)
    return found


@pytest.mark.usefixtures("_small_pieces")
@pytest.mark.parametrize("is_reaped", [True, False])
@pytest.mark.parametrize("fate", [None, *Fate])
def test_fields_that_fall_due_take_no_others_with_them(fate: Fate | None, *, is_reaped: bool) -> None:
    """Before their piece is put, in front of the next, and while nobody knows what has come of one."""
    state = State({} if fate is None else dict.fromkeys(range(0, 1000, 3), fate))
    found = loaded_late(state, 20, is_reaped=is_reaped)
    assert FIELDS * 4 // 5 < len(found) < FIELDS - 40, "many fell due, and not all that could"
    quiet = State()
    loaded_late(quiet, 0)
    assert len(state.works) > len(quiet.works) + 10, "many transactions found another version"


def test_fields_that_fall_due_in_pieces_of_the_usual_size() -> None:
    """A few long pieces; the first field is due before."""
    assert len(loaded_late(State(), 0)) == FIELDS - 1
    assert FIELDS * 4 // 5 < len(loaded_late(State(), 30)) < FIELDS - 5


@pytest.mark.usefixtures("_small_pieces")
@settings(max_examples=15, deadline=None)
@given(
    fates=st.dictionaries(st.integers(0, 150), st.sampled_from(Fate)),
    step_ms=st.sampled_from([0, 5, 11, 70, 1000]),
    is_reaped=st.booleans(),
)
def test_fields_fall_due_at_any_time(fates: dict[int, Fate], step_ms: int, *, is_reaped: bool) -> None:
    """Whatever outcomes are unknown."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importing, "PIECE_BYTES", 8000)
        loaded_late(State(fates), step_ms, is_reaped=is_reaped)


@pytest.mark.usefixtures("_small_pieces")
@pytest.mark.parametrize("fate", [None, *Fate])
def test_a_hash_that_is_gone_between_two_pieces(fate: Fate | None) -> None:
    """All fields of the pieces so far were due; those that follow are put."""
    driver = Driver()
    driver.run((b"HSET", b"hash", *(each for at in range(FIELDS) for each in (b"f%d" % at, b"v"))))
    order = list(fields(driver.machine, 0))
    for some in (order[:1000], order[1100:2000]):
        driver.run((b"HPEXPIRE", b"hash", b"5", b"FIELDS", b"%d" % len(some), *some))
    state = State({} if fate is None else dict.fromkeys(range(0, 1000, 2), fate))
    state.driver.now += 5
    assert state.load(written(driver)) == ["loaded keys=1"]
    found = fields(state.machine, state.driver.now)
    assert found == dict.fromkeys(order[1000:1100] + order[2000:], b"v")


def timed_beside(
    number: int,
    fate: Fate | None,
    is_before: bool,  # noqa: FBT001 - by position from a loop
    command: Command,
) -> tuple[list[str], dict[bytes, Any]]:
    """What is logged, and what is there, after a load of `timed` beside which a client does something."""
    state = State({} if fate is None else {number: fate})
    state.driver.now += FIRST_MS

    def write(at: int) -> None:
        if at == number:
            state.call(*command)

    def pass_time(at: int) -> None:
        if is_before:
            write(at)
        state.driver.now += 30

    state.before = pass_time
    if not is_before:
        state.after = write
    told = state.load(written(timed()))
    return told, fields(state.machine, state.driver.now)


@pytest.mark.usefixtures("_small_pieces")
@pytest.mark.parametrize("is_before", [True, False])
@pytest.mark.parametrize("fate", [None, *Fate])
def test_what_a_client_writes_while_fields_fall_due_stays(fate: Fate | None, *, is_before: bool) -> None:
    """A field that he adds in front of its piece, or sets behind it; a hash that he deletes stays away."""
    left = ["a client has written to keys that were being loaded left=1", "loaded keys=1"]
    names = [field for field, behind in fields(timed().machine, 0).items() if behind == b"v"]
    for number in range(1, 90, 11):
        told, found = timed_beside(number, fate, is_before, (b"HSET", b"hash", names[-1], b"mine"))
        assert told == left
        assert found[names[-1]] == b"mine"
        told, found = timed_beside(number, fate, is_before, (b"DEL", b"hash"))
        assert told == left
        assert not found
        told, found = timed_beside(number, fate, is_before, (b"HSET", b"hash", names[0], b"mine"))
        assert told[-1] == "loaded keys=1"
        assert found[names[0]] == b"mine"


@pytest.mark.usefixtures("_small_pieces")
def test_a_value_that_does_not_fit_is_refused() -> None:
    """In the middle of it: the error is told, and how far it came."""
    driver, state = Driver(), State(cap=20_000)
    driver.run("SET s v", (b"RPUSH", b"list", *(b"x" * 100 for _ in range(300))))
    [told] = state.load(written(driver))
    assert told.startswith("loading stopped: a key was refused loaded=")
    assert "of=2 reason=" in told
    assert "maxmemory" in told


def test_a_small_value_that_does_not_fit_is_refused() -> None:
    """Among the replies of a batch."""
    driver, state = Driver(), State(cap=300)
    driver.run((b"RPUSH", b"list", *(b"x" * 10 for _ in range(100))))
    [told] = state.load(written(driver))
    assert told.startswith("loading stopped: a key was refused loaded=0 of=1 reason=")


def test_a_key_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error inside a transaction that was carried out."""
    driver, state = Driver(), State()
    driver.run((b"RPUSH", b"k" * 100, b"x"))
    monkeypatch.setattr("trikv.machine.commands.elements.KEY_BYTES_MAX", 99)
    [told] = state.load(written(driver))
    assert told.startswith("loading stopped: a key was refused loaded=0 of=1 reason=")


def test_a_cluster_of_an_older_release_refuses_what_it_does_not_know() -> None:
    """Its level has no such commands; strings it takes."""
    driver, state = Driver(), State(level=3)
    driver.run("SET s v", "HSET hash f v")
    [told] = state.load(written(driver))
    assert told.startswith("loading stopped: a key was refused loaded=0 of=2 reason=")
    driver.one("DEL hash")
    state = State(level=3)
    assert state.load(written(driver)) == ["loaded keys=1"]


def test_a_damaged_document_of_values_loads_nothing() -> None:
    """Neither a file that is cut short nor one that was edited, wherever."""
    text = b"".join(written(source())())
    for wrong in (
        text[: len(text) // 2],
        text.replace(b'{"part":0', b'{"part":1', 1),
        text.replace(b"9.5", b"9.6"),
    ):
        state = State()
        [told] = state.load(lambda wrong=wrong: iter([wrong]))  # type: ignore[misc]
        assert told.startswith("nothing is loaded: the file is not a whole backup or dump")
        assert state.works == []


def test_a_file_that_changes_between_the_readings_is_told() -> None:
    """A part is loaded then; the node goes on."""
    text = b"".join(written(source())())
    readings = iter([text, text[:-1000]])
    state = State()
    [told] = state.load(lambda: iter([next(readings)]))
    assert told.startswith("loading stopped: the file has changed loaded=")


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3000), st.integers(0, 2000)), min_size=1, max_size=6))
def test_no_submission_is_longer_than_a_batch(shapes: list[tuple[int, int]]) -> None:
    """Many small values and few long ones; past its size there is less than one element."""
    driver, state = Driver(), State()
    for at, (count, size) in enumerate(shapes):
        left = min(count, 300_000 // (size + 1))
        driver.run((b"RPUSH", b"list%d" % at, *(b"x" * size for _ in range(left + 1))))
    assert state.load(written(driver)) == [f"loaded keys={len(shapes)}"]
    assert contents(state.machine) == contents(driver.machine)
    for work in state.works:
        assert sum(sum(map(len, command)) for command in work.commands) <= BATCH_BYTES + 2100


@pytest.mark.usefixtures("_small_pieces")
def test_the_rest_of_a_value_that_is_left_to_a_client_is_passed_over_in_slices() -> None:
    """It may be long: the loop goes round at each piece."""
    driver, state = Driver(), State()
    driver.run((b"RPUSH", b"list", *(b"x" * 100 for _ in range(2000))))
    state.before = lambda number: number == 1 and state.call(b"DEL", b"list")
    rounds = []

    async def go_round() -> None:
        while len(state.works) < 2:
            await trio.lowlevel.checkpoint()
        while True:
            rounds.append(1)
            await trio.lowlevel.checkpoint()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(state.run)
            nursery.start_soon(go_round)
            await load_keys(state.inbox, cast("Applier", state), written(driver))
            nursery.cancel_scope.cancel()

    trio.run(main)
    assert len(state.works) == 2
    assert len(rounds) > 40, "there are as many pieces"
    assert contents(state.machine) == {}
