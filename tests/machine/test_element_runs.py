"""Commands on one value that follow each other are carried out together, as if one after another."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.machine.driving import Driver, collect
from trikv.machine.batch import Watch
from trikv.machine.call import Call
from trikv.machine.commands import TABLE
from trikv.machine.commands.element_runs import LEAST, SPARE_BYTES
from trikv.machine.errors import KEY_TOO_LONG, OOM, WRONG_TYPE
from trikv.machine.memory import KEY_BYTES_MAX, VALUE_BYTES_MAX
from trikv.machine.replies import CommandError, Reply
from trikv.machine.table import CommandTable

Command = tuple[bytes, ...]

ONE_BY_ONE = CommandTable()
"""The same commands without runs."""
for _each in TABLE:
    ONE_BY_ONE.add(attrs.evolve(_each, of_run=None))
ONE_BY_ONE.values |= TABLE.values

_NAME = st.integers(0, 30).map(b"m%d".__mod__) | st.sampled_from([b"", b"x" * 65])
_SCORE = st.sampled_from([b"1", b"1.5", b"-0.0", b"0", b"inf", b"1e3", b"nan", b"CH", b"12345678901234567"])
_ELEMENT = st.sampled_from([b"", b"a", b"b" * 64, b"c" * 65, b"d" * 9000, b"e" * 20_000])


def _runs_of(*parts: st.SearchStrategy[bytes]) -> st.SearchStrategy[list[Command]]:
    return st.lists(st.tuples(*parts), min_size=1, max_size=40)


_RUN = st.one_of(
    *(_runs_of(st.just(name), st.just(b"l"), _ELEMENT) for name in (b"LPUSH", b"RPUSH")),
    *(_runs_of(st.just(name), st.just(b"l")) for name in (b"LPOP", b"RPOP", b"lpop")),
    _runs_of(st.just(b"SADD"), st.just(b"s"), _NAME),
    _runs_of(st.just(b"SPOP"), st.just(b"s")),
    _runs_of(st.just(b"HSET"), st.just(b"h"), _NAME, _ELEMENT),
    _runs_of(st.just(b"ZADD"), st.just(b"z"), _SCORE, _NAME),
    *(_runs_of(st.just(name), st.just(b"z")) for name in (b"ZPOPMIN", b"ZPOPMAX")),
    st.just([(b"HPEXPIRE", b"h", b"100", b"FIELDS", b"1", b"m1"), (b"RPUSH", b"s", b"a"), (b"DEL", b"l")]),
)


def compare(cap: int, submissions: Sequence[Sequence[Command]]) -> list[Reply]:
    """Carry them out with runs and without, and compare all that there is; the replies to the last."""
    quick, slow = Driver(cap, seed=7), Driver(cap, seed=7, table=ONE_BY_ONE)
    replies: list[Reply] = []
    for number, commands in enumerate(submissions):
        quick.seed = slow.seed = number
        replies = quick.submit(commands)
        assert replies == slow.submit(commands)
        states = [each.machine.space.account for each in (quick, slow)]
        assert states[0].changes == states[1].changes
        assert states[0].used == states[1].used
        assert states[0].tally.hits == states[1].tally.hits
        assert states[0].tally.misses == states[1].tally.misses
        assert quick.machine.digest() == slow.machine.digest()
    return replies


def fill(kind: bytes, key: bytes, count: int) -> Iterator[Command]:
    """A value in parts."""
    for at in range(count):
        name = b"m%d" % at
        yield {
            b"RPUSH": (kind, key, name),
            b"SADD": (kind, key, name),
            b"HSET": (kind, key, name, name),
            b"ZADD": (kind, key, b"%d" % (at * 701 % count), name),
        }[kind]


ALL = [(b"RPUSH", b"l"), (b"SADD", b"s"), (b"HSET", b"h"), (b"ZADD", b"z")]


@settings(max_examples=150, deadline=None)
@given(st.lists(_RUN, max_size=12), st.sampled_from([0, 4000, 150_000, 300_000]), st.booleans())
def test_a_run_does_what_its_commands_do_one_after_another(
    runs: list[list[Command]],
    cap: int,
    is_large: bool,  # noqa: FBT001 - Hypothesis gives it
) -> None:
    """Replies, account, versions, digest and counts are the same, at any fill of memory."""
    large = [[*fill(kind, key, 700)] for kind, key in ALL] if is_large else []
    compare(cap, [*large, *runs])


@pytest.mark.parametrize(("kind", "key"), ALL)
def test_a_run_lets_a_value_leave_its_packed_form_and_split(kind: bytes, key: bytes) -> None:
    """One run of 2,000 new elements, which were none before."""
    compare(0, [[*fill(kind, key, 2000)]])


@pytest.mark.parametrize(
    ("pop", "kind", "key"),
    [
        (b"LPOP", b"RPUSH", b"l"),
        (b"RPOP", b"RPUSH", b"l"),
        (b"SPOP", b"SADD", b"s"),
        (b"ZPOPMIN", b"ZADD", b"z"),
        (b"ZPOPMAX", b"ZADD", b"z"),
    ],
)
def test_a_run_of_pops_ends_with_the_key(pop: bytes, kind: bytes, key: bytes) -> None:
    """More are asked for than there are: the last takes the key away, and the others find nothing."""
    replies = compare(0, [[*fill(kind, key, 700)], [(pop, key)] * 702])
    assert len(replies) == 702
    nothing: Reply = [] if pop.startswith(b"Z") else None
    assert replies[-2:] == [nothing, nothing]


@pytest.mark.parametrize(("kind", "pop", "key"), [(b"RPUSH", b"LPOP", b"l"), (b"SADD", b"SPOP", b"s")])
def test_the_last_element_is_taken_by_one_command(kind: bytes, pop: bytes, key: bytes) -> None:
    """There is nothing that a run of pops could take before it."""
    assert compare(0, [[(kind, key, b"a")], [(pop, key)] * 4]) == [b"a", None, None, None]
    replies = compare(0, [[(b"ZADD", b"z", b"1", b"a")], [(b"ZPOPMIN", b"z")] * 4])
    assert replies == [[b"a", 1.0], [], [], []]


def test_a_run_that_changes_nothing_is_no_change() -> None:
    """All members are there, with the scores that they are given: the key keeps its version."""
    for again in ([(b"SADD", b"s", b"m%d" % at) for at in range(4)], [(b"ZADD", b"z", b"1", b"m")] * 4):
        assert compare(0, [again, again]) == [0] * 4


@pytest.mark.parametrize("pop", [b"LPOP", b"SPOP", b"ZPOPMIN"])
def test_a_run_of_pops_finds_no_key(pop: bytes) -> None:
    """Each says so."""
    assert compare(0, [[(pop, b"none")] * LEAST]) == [[] if pop.startswith(b"Z") else None] * LEAST


def test_fields_with_deadlines_are_set_one_by_one() -> None:
    """A field that is set again has no deadline any more."""
    fields = [(b"HSET", b"h", b"m%d" % at, b"v") for at in range(LEAST)]
    expiry = [(b"HEXPIRE", b"h", b"100", b"FIELDS", b"1", b"m0")]
    assert compare(0, [fields, expiry, fields]) == [0] * LEAST


def test_a_score_that_is_no_number_is_an_error_alone() -> None:
    """Those before it and behind it are carried out."""
    some = [(b"ZADD", b"z", b"1", b"m%d" % at) for at in range(2 * LEAST)]
    replies = compare(0, [[*some[:LEAST], (b"ZADD", b"z", b"x", b"m"), *some[LEAST:]]])
    assert replies == [1] * LEAST + [CommandError("ERR value is not a valid float")] + [1] * LEAST


def test_a_member_may_come_again_in_a_run() -> None:
    """It meets the score that it was given before, and ends with its last."""
    some = [
        (b"ZADD", b"z", score, name)
        for score, name in zip(b"1 2 1 1 5".split(), b"a a b a c".split(), strict=True)
    ]
    show = [(b"ZADD", b"z", b"CH", b"1", b"a", b"1", b"b", b"5", b"c")]
    assert compare(0, [some, [*some, *show]])[-1:] == [0]
    again = [(b"ZADD", b"z", b"3", b"a"), (b"ZADD", b"z", b"1", b"a"), (b"ZADD", b"z", b"2", b"b")]
    assert compare(0, [some, again, [(b"ZADD", b"z", b"CH", b"1", b"a", b"2", b"b")]]) == [0]


def test_a_key_that_is_too_long_is_refused_for_each() -> None:
    """The run is given up, as it is for an element that is too long."""
    key, element = b"k" * (KEY_BYTES_MAX + 1), b"e" * (VALUE_BYTES_MAX // 2)
    assert compare(0, [[(b"SADD", key, b"m%d" % at) for at in range(4)]]) == [KEY_TOO_LONG] * 4
    assert compare(0, [[(b"RPUSH", b"l", element)] * 3]) == [1, 2, 3]


def test_an_open_cut_goes_on_to_see_what_was() -> None:
    """A run forks the value, like any other write."""
    driver = Driver()
    for kind, key in ALL:
        driver.submit([*fill(kind, key, 700)])
    walk = driver.machine.walk({})
    for kind, key in ALL:
        driver.submit(
            [(kind, key, b"1", b"fresh%d" % at)[: 3 if kind in b"RPUSH SADD" else 4] for at in range(9)]
        )
    assert b"fresh" not in collect(walk)
    assert b"fresh" in collect(driver.machine.walk({}))


def test_a_watched_key_is_touched_by_a_run() -> None:
    """Its version is that of the last command."""
    driver = Driver()
    driver.submit([*fill(b"RPUSH", b"l", 9)])
    entry = driver.machine.space.databases[0].find(b"l")
    assert entry is not None
    watch = Watch(0, b"l", entry.version)
    driver.submit([*fill(b"RPUSH", b"l", 9)])
    assert driver.execute("GET a", watches=(watch,)) is None


def test_what_might_be_refused_is_carried_out_one_by_one() -> None:
    """Where there is little room, the same commands fit that fitted before."""
    element = b"e" * 1000
    replies = compare(SPARE_BYTES, [[(b"RPUSH", b"l", element)] * 9, [(b"RPUSH", b"l", element)] * 200])
    assert replies.count(OOM) > 50
    assert replies.count(OOM) < 150


def test_another_type_is_an_error_of_each() -> None:
    """The run is given up, and every command says what is wrong."""
    assert compare(0, [[(b"SET", b"l", b"1")], [(b"RPUSH", b"l", b"a")] * LEAST]) == [WRONG_TYPE] * LEAST


@pytest.mark.parametrize("is_late", [False, True])
def test_a_mistake_in_a_run_is_an_error_of_the_command_alone(*, is_late: bool) -> None:
    """What raises before anything has changed stops no node; after that it does."""

    def broken(call: Call, _commands: object) -> list[Reply]:
        call.db.account.dirty = is_late
        raise RuntimeError("a mistake")

    table = CommandTable()
    for each in TABLE:
        table.add(attrs.evolve(each, of_run=broken) if each.name == "SADD" else each)
    table.values |= TABLE.values
    with pytest.raises(RuntimeError) if is_late else nullcontext():
        assert Driver(table=table).submit([(b"SADD", b"s", b"a"), (b"SADD", b"s", b"b")]) == [1, 1]
