"""Entries that are carried out in slices: the same as at once, and nothing sees them half (PROTOCOL 61)."""

from collections.abc import Callable, Iterator
from itertools import chain, repeat
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.machine.driving import NODE, NOW, Driver, came_of, collect, payload, restored, words
from tests.machine.long_work import LONG
from trikv.front.seam import Work
from trikv.machine import evaluation
from trikv.machine.account import DATABASES
from trikv.machine.batch import Batch, Item, Submission, Transaction, Watch
from trikv.machine.declaration import By, declared
from trikv.machine.effects import ALL, Awaited
from trikv.machine.errors import EXEC_OOM, INTERNAL, NOT_INTEGER, OOM
from trikv.machine.evaluation import SLICE_COMMANDS
from trikv.machine.machine import Machine
from trikv.machine.outcomes import Applied, Outcome, Whole
from trikv.machine.replies import OK, CommandError, Reply
from trikv.machine.suspended import Suspended


def driver(cap: int = 0, *, origin: int = NODE) -> Driver:
    """A machine that knows resumable commands."""
    return Driver(cap, table=LONG, origin=origin)


def submission(*lines: str, sequence: int = 1, transactions: tuple[Transaction, ...] = ()) -> Submission:
    """Commands of node 1."""
    return Submission(NODE, 2, sequence, 0, tuple(map(words, lines)), transactions)


def begun(machine: Machine, *items: Item, origin: int = NODE) -> Suspended:
    """An entry of which the machine has carried out only a part."""
    suspended = machine.apply(machine.index + 1, payload(NOW, *items), origin=origin)
    assert isinstance(suspended, Suspended)
    return suspended


def steps_of(suspended: Suspended) -> tuple[int, list[Outcome]]:
    """In how many slices an entry is done that gets one step a slice; and its outcomes."""
    count = 1
    while (came := suspended.resume(lambda: True)) is None:
        count += 1
    return count, came.outcomes


def replies_of(outcomes: list[Outcome]) -> list[Reply]:
    """The replies of all submissions, one behind another."""
    found: list[Reply] = []
    for outcome in outcomes:
        assert isinstance(outcome, Applied)
        found += outcome.replies
    return found


# The same as at once.


def test_a_command_stops_and_goes_on_where_it_was() -> None:
    """What it has done shows its progress; the replies come at the end, in order, of all submissions."""
    machine = driver().machine
    suspended = begun(machine, submission("SET a 1", "WORK k 3", "GET a"), submission("INCR a", sequence=2))
    lengths = []
    while (came := suspended.resume(lambda: True)) is None:
        lengths.append(machine.value_bytes(b"k"))
        assert machine.suspended
    assert lengths == [1, 2, 3]
    assert replies_of(came.outcomes) == [OK, 3, b"1", 2]
    assert not machine.suspended
    assert machine.read(0, [(b"STRLEN", b"k"), (b"GET", b"a")]) == [3, b"2"]


def test_an_entry_stops_between_two_submissions() -> None:
    """Where it is told to; the same comes of it as at once. Behind the last one it is never asked."""
    items = [submission(f"SET k{number} {number}", "INCR n", sequence=number + 1) for number in range(4)]
    plain, sliced = driver().machine, driver().machine
    whole = plain.apply(3, payload(NOW, *items), origin=NODE)
    assert isinstance(whole, Whole)
    suspended = sliced.apply(3, payload(NOW, *items), origin=NODE, is_over=lambda: True)
    assert isinstance(suspended, Suspended)
    assert sliced.value_bytes(b"k0") == 1
    assert sliced.value_bytes(b"k1") == 0
    slices, outcomes = steps_of(suspended)
    assert (slices, outcomes) == (4, whole.outcomes)
    assert sliced.digest() == plain.digest()
    only = sliced.apply(4, payload(NOW, submission("INCR n", sequence=5)), origin=NODE, is_over=lambda: True)
    assert isinstance(only, Whole)


def test_a_slice_ends_when_it_is_told_to() -> None:
    """One step at least is done in a slice: otherwise a clock that jumps would hold up an entry for ever."""
    machine = driver().machine
    suspended = begun(machine, submission("WORK k 10"))
    answers = iter([False, False, False, True])
    assert suspended.resume(lambda: next(answers)) is None
    assert machine.value_bytes(b"k") == 4
    assert suspended.resume(lambda: False) is not None


def test_a_replica_that_answers_nobody_does_the_same() -> None:
    """It skips the reads, counts nothing, and tells nobody."""
    here, elsewhere = driver(), driver(origin=2)
    for one in (here, elsewhere):
        one.run("SET a 1", "NEST k 3", "GET k", "DRAWN d 5", "HASTE h 4")
    assert here.machine.digest() == elsewhere.machine.digest()
    assert here.machine.tally.commands()["NEST"].calls == 1
    assert "NEST" not in elsewhere.machine.tally.commands()
    assert elsewhere.batch(submission("WORK k 3", sequence=2)) == []


def test_a_refusal_after_a_while_is_a_reply() -> None:
    """It is counted as a call that failed."""
    one = driver()
    assert one.run("REFUSE k", "WORK k x", "PING") == [
        CommandError("ERR not k"),
        NOT_INTEGER,
        CommandError("ERR unknown command 'PING', with args beginning with: "),
    ]
    assert one.machine.tally.commands()["REFUSE"].failed == 1


_LINES = st.one_of(
    st.sampled_from(
        [
            "SET a 1",
            "INCR n",
            "APPEND k xyz",
            "GETRANGE k 0 9",
            "GET k",
            "DEL k",
            "WORK x y",
            "REFUSE k",
            "NOSUCH",
        ]
    ),
    st.builds(
        "{} {} {}".format,
        st.sampled_from(["WORK", "NEST", "DRAWN", "HASTE"]),
        st.sampled_from("kl"),
        st.integers(0, 6),
    ),
    st.sampled_from(["SELECT 1", "FAIL k early", "SET k v PX 5", "FLUSHALL"]),
)


@st.composite
def _submissions(draw: st.DrawFn) -> tuple[tuple[str, ...], tuple[Transaction, ...]]:
    lines = draw(st.lists(_LINES, min_size=1, max_size=8))
    transactions = []
    position = 0
    while position < len(lines):
        if draw(st.booleans()):
            count = draw(st.integers(0, len(lines) - position))
            watches = draw(st.sampled_from([(), (Watch(0, b"a", 0),)]))
            transactions.append(Transaction(position, count, watches))
            position += count
        position += 1
    return tuple(lines), tuple(transactions)


@given(
    entries=st.lists(st.lists(_submissions(), min_size=1, max_size=4), min_size=1, max_size=4),
    cuts=st.lists(st.booleans(), max_size=200),
    cap=st.sampled_from([0, 700, 2000]),
)
def test_wherever_it_is_cut_it_is_the_same(
    entries: list[list[tuple[tuple[str, ...], tuple[Transaction, ...]]]], cuts: list[bool], cap: int
) -> None:
    """State, replies, effects and account of entries cut anywhere equal those of entries done at once."""
    at_once, cut, elsewhere = driver(cap), driver(cap), driver(cap, origin=2)
    awaited = Awaited(DATABASES)
    awaited.keys[0].update({b"a": None, b"k": None})
    awaited.keys[1][ALL] = None
    for one in (at_once, cut, elsewhere):
        one.machine.tell_of(awaited)
    over = chain(cuts, repeat(True))
    sequence = 0
    for number, entry in enumerate(entries):
        items = []
        for lines, transactions in entry:
            sequence += 1
            items.append(submission(*lines, sequence=sequence, transactions=transactions))
        data = payload(NOW + 3 * number, *items, seed=number)
        index = at_once.machine.index + 1
        expected = came_of(at_once.machine.apply(index, data, origin=NODE))
        with patch.object(evaluation, "COPIED_BYTES_MAX", 2):
            assert _in_slices(cut.machine.apply(index, data, origin=NODE), over) == expected
            came = _in_slices(elsewhere.machine.apply(index, data, origin=2), over)
        assert came == Whole([], expected.effects)
    assert at_once.machine.digest() == cut.machine.digest() == elsewhere.machine.digest()
    assert cut.machine.used_memory == cut.machine.recount()
    assert at_once.machine.poison_count == cut.machine.poison_count


def _in_slices(applied: Whole | Suspended, over: Iterator[bool]) -> Whole:
    came = applied if isinstance(applied, Whole) else None
    while came is None:
        assert isinstance(applied, Suspended)
        came = applied.resume(lambda: next(over))
    return came


# Transactions.


def test_a_transaction_is_whole_however_long_it_takes() -> None:
    """It stops within its commands and between them, and no budget cuts it."""
    one = driver()
    lines = ["SET a 1", "WORK k 2", "INCR a", "WORK l 2", "GET a"]
    suspended = begun(one.machine, submission(*lines, "GET k", transactions=(Transaction(0, 5),)))
    count, outcomes = steps_of(suspended)
    assert count == 4  # and the first was in `apply`
    assert replies_of(outcomes) == [[OK, 2, 2, 2, b"2"], b".."]


def test_a_long_transaction_of_short_commands_stops_between_them() -> None:
    """Its commands are as many as its client likes, and each takes a few microseconds."""
    one = driver()
    count = 3 * SLICE_COMMANDS
    lines = ["INCR a"] * count
    suspended = begun(one.machine, submission(*lines, transactions=(Transaction(0, count),)))
    assert steps_of(suspended)[0] == 2
    assert one.read("GET a") == b"%d" % count


def test_a_transaction_of_reads_is_done_at_once() -> None:
    """Outside of the log nothing is suspended, however many reads a transaction has."""
    one = driver()
    count = 3 * SLICE_COMMANDS
    lines = [(b"EXISTS", b"a")] * count
    (reply,) = one.machine.read(0, lines, transactions=(Transaction(0, count),))
    assert reply == [0] * count
    assert not one.machine.suspended


def test_a_watch_is_compared_before_the_first_slice() -> None:
    """A changed key lets nothing begin."""
    one = driver()
    one.one("SET a 1")
    assert one.execute("WORK k 2", watches=(Watch(0, b"a", 0),)) is None
    assert one.read("EXISTS k") == 0


# What it may not do half.


def test_growth_is_judged_before_the_first_change() -> None:
    """At its bound it is refused whole; a byte more of room, and all of it is done."""
    growth = _growth("WORK k 300")
    one = driver(cap=growth - 1)
    assert one.run("WORK k 300", "DBSIZE") == [OOM, 0]
    assert one.machine.tally.commands()["WORK"].rejected == 1
    one.one(f"CONFIG SET maxmemory {growth}")
    assert one.run("WORK k 300", "STRLEN k") == [300, 300]


def _growth(line: str) -> int:
    command = LONG.find(words(line))
    assert not isinstance(command, CommandError)
    return command.growth_bound(words(line), driver().machine.space.account.charges)


def test_growth_of_a_called_command_is_judged_before_it_begins() -> None:
    """It is refused whole, too; what its caller does then is the caller's."""
    one = driver(cap=2 * _growth("NEST k 10"))
    assert one.run("NEST k 10", "NEST l 5000", "EXISTS k l") == [[10], OOM, 1]
    assert one.one("HASTE l 5000") == OOM
    one.one("CONFIG SET maxmemory 1200")
    assert one.run("NEST k 200", "STRLEN k") == [[200], 200]


def test_growth_in_a_transaction_is_judged_before_all_of_it() -> None:
    """Together with what stands before it."""
    one = driver(cap=_growth("WORK k 300") + 50)
    assert one.execute("SET a 1", "WORK k 300") == EXEC_OOM
    assert one.read("DBSIZE") == 0


def test_a_bug_before_the_first_change_is_an_error_reply() -> None:
    """After any number of slices: the log goes on."""
    one = driver()
    assert one.run("FAIL k early", "SET a 1") == [INTERNAL, OK]
    assert one.machine.poisoned is not None
    assert one.machine.poisoned.command == "FAIL"
    assert not one.machine.suspended


@pytest.mark.parametrize(("when", "error"), [("late", ValueError), ("memory", MemoryError)])
def test_a_bug_after_the_first_change_stops_the_node(when: str, error: type[Exception]) -> None:
    """As in a command that takes no time; and the machine is never whole again."""
    machine = driver().machine
    suspended = begun(machine, submission(f"FAIL k {when}"))
    with pytest.raises(error):
        suspended.resume(lambda: False)
    assert machine.suspended


# What nobody may see.

_GET = Work(0, ((b"GET", b"k"),), (), False, lambda _: None, lambda _: None)
ASK: dict[str, Callable[[Machine], object]] = {
    "read": lambda machine: machine.read(0, [(b"GET", b"k")]),
    "read_quickly": lambda machine: machine.read_quickly([_GET]),
    "read_one_quickly": lambda machine: machine.read_one_quickly(_GET),
    "walk": lambda machine: machine.walk({}),
    "digest": lambda machine: machine.digest(),
    "hash_some": lambda machine: machine.hash_some(5),
    "settings": lambda machine: machine.settings(),
    "apply": lambda machine: machine.apply(machine.index + 1, payload(NOW)),
    "apply_membership": lambda machine: machine.apply_membership(machine.index + 1, [1]),
    "skip": lambda machine: machine.skip(machine.index + 1),
}


@pytest.mark.parametrize("what", ASK)
def test_nothing_begins_inside_an_entry(what: str) -> None:
    """Neither a read nor a cut nor another entry: the state is none of the log's."""
    machine = driver().machine
    suspended = begun(machine, submission("WORK k 2"))
    for _ in range(2):
        with pytest.raises(AssertionError, match="inside an entry"):
            ASK[what](machine)
        suspended.resume(lambda: True)
    assert suspended.resume(lambda: True) is not None
    ASK[what](machine)


def test_a_walk_goes_on_that_began_before() -> None:
    """It shows the state of its beginning, whatever an entry does meanwhile, half or whole."""
    one = driver()
    one.run(*(f"SET k{number} v" for number in range(50)))
    before = one.machine.digest()
    walk = one.machine.walk({})
    pieces = [walk.step(100)]
    suspended = begun(one.machine, submission("WORK k7 3", "NEST k8 3", sequence=2))
    while suspended.resume(lambda: True) is None:
        pieces.append(walk.step(100))
    document = b"".join(pieces) + collect(walk)
    assert restored(document).digest() == before


def test_what_is_given_up_can_only_be_retired() -> None:
    """The snapshot's machine takes its place, and its memory is freed in slices."""
    machine = driver().machine
    suspended = begun(machine, submission("WORK k 3"))
    suspended.resume(lambda: True)
    suspended.close()
    assert machine.suspended
    machine.retire()
    while machine.release(1):
        pass
    assert machine.keys() == 0


@pytest.mark.parametrize("copies", ["APPEND k x", "SETRANGE k 9 x", "GETRANGE k 0 -2"])
@pytest.mark.parametrize("inside", [False, True], ids=["pipeline", "transaction"])
def test_an_entry_stops_where_much_was_copied(
    monkeypatch: pytest.MonkeyPatch, copies: str, *, inside: bool
) -> None:
    """Between two commands of a submission, too: a few of them may copy a value of megabytes each."""
    lines = [f"SET k {0:0100}", *[copies] * 40, "DRAWN d 9", *[copies] * 40, "DRAWN e 9"]
    item = submission(*lines, transactions=(Transaction(0, len(lines)),) if inside else ())
    at_once, sliced, elsewhere = driver().machine, driver().machine, driver().machine
    whole = begun(at_once, item).resume(lambda: False)
    assert whole is not None
    monkeypatch.setattr(evaluation, "COPIED_BYTES_MAX", 1000)
    slices, outcomes = steps_of(begun(sliced, item))
    assert outcomes == whole.outcomes
    assert slices - 2 * 9 >= 80 * 100 // 1000 - 2, "besides those of DRAWN"
    steps_of(begun(elsewhere, item, origin=2))
    assert sliced.digest() == at_once.digest() == elsewhere.digest()


def test_short_values_cause_no_pause() -> None:
    """A hundred APPENDs to one are a submission like any other."""
    machine = driver().machine
    item = submission(*["APPEND k x"] * 100, *["GETRANGE k 0 -1"] * 100)
    assert isinstance(machine.apply(3, payload(NOW, item), origin=NODE), Whole)


def test_a_read_outside_of_the_log_makes_no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does what it copies count for the entry behind it to the end."""
    monkeypatch.setattr(evaluation, "COPIED_BYTES_MAX", 10)
    one = driver()
    one.one("SET k 0123456789")
    ranges = [(b"GETRANGE", b"k", b"0", b"-1")] * 5
    assert one.machine.read(0, ranges) == [b"0123456789"] * 5
    assert one.machine.read(0, ranges, 0, (Transaction(0, 5),)) == [[b"0123456789"] * 5]
    assert one.run("APPEND k x", "APPEND k x") == [11, 12]


def test_a_read_is_never_resumable() -> None:
    """A long read looks at a cut, and holds up nobody; so a generator is no read's handler."""
    command = LONG.get("WORK")
    assert command is not None
    assert command.resumable
    assert not command.plain
    with pytest.raises(AssertionError, match="only writes"):
        list(declared("LOOK", command.handler, {"by": By.READ, "group": "test"}))


def test_the_seed_of_an_entry_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws of a command that stops go on in the same row."""
    assert Batch(0, 5, ()).seed == 5
    one, other = driver(), driver()
    assert one.one("DRAWN d 9") == other.one("DRAWN d 9")
    monkeypatch.setattr(other, "seed", 9)
    assert one.one("DRAWN d 9") != other.one("DRAWN d 9")


def test_reads_of_many_elements_in_a_transaction_are_slices() -> None:
    """Each may be a step of some milliseconds, and there may be hundreds: others have their turn between."""
    one = driver()
    one.run(*(f"SADD s m{number}" for number in range(5_000)))
    lines = ["SINTERCARD 2 s s"] * 20
    suspended = begun(one.machine, submission(*lines, transactions=(Transaction(0, len(lines)),), sequence=2))
    slices = 1
    while (came := suspended.resume(lambda: True)) is None:
        slices += 1
    (outcome,) = came.outcomes
    assert isinstance(outcome, Applied)
    assert outcome.replies == [[5_000] * len(lines)]
    assert slices >= 20 * 10_000 * evaluation.LOOKED_BYTES // evaluation.COPIED_BYTES_MAX // 2
