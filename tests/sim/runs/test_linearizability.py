"""The black-box search: known good and bad histories, and a brute force that tries every order."""

from collections.abc import Sequence
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trikv.client.replies import ErrorReply
from trikv.sim.checkers.choices import Choices, ways
from trikv.sim.checkers.expected import agrees
from trikv.sim.checkers.linearizability import check, components
from trikv.sim.checkers.model import Model
from trikv.sim.history import Args, History, Operation


def operation(
    called: int, returned: int | None, args: Args, reply: object = None, *, failed: bool = False
) -> Operation:
    """One command of a client of its own."""
    return Operation(0, f"c{called}", 0, (args,), False, called, returned, reply, failed)


def get(called: int, returned: int, key: bytes, value: bytes | None) -> Operation:
    """A read."""
    return operation(called, returned, (b"GET", key), value)


def put(called: int, returned: int | None, key: bytes, value: bytes) -> Operation:
    """A write."""
    return operation(called, returned, (b"SET", key, value), b"OK")


GOOD: dict[str, list[Operation]] = {
    "nothing": [],
    "one after the other": [put(1, 2, b"k", b"a"), get(3, 4, b"k", b"a")],
    "a read beside a write may see either": [
        put(1, 6, b"k", b"a"),
        get(2, 3, b"k", None),
        get(4, 5, b"k", b"a"),
    ],
    "a write of unknown fate may happen late": [
        put(1, None, b"k", b"a"),
        get(2, 3, b"k", None),
        get(4, 5, b"k", b"a"),
    ],
    "a write of unknown fate may never happen": [put(1, None, b"k", b"a"), get(2, 3, b"k", None)],
    "a refused write did not happen": [
        operation(1, 2, (b"SET", b"k", b"a"), failed=True),
        get(3, 4, b"k", None),
    ],
    "a write of a value that is there already may come later": [
        operation(1, 2, (b"DEBUG", b"WORK", b"1", b"k"), b"OK"),
        put(3, 6, b"k", b"a"),
        operation(4, 5, (b"DEBUG", b"WORK", b"1", b"k"), b"OK"),
        operation(7, 8, (b"STRLEN", b"k"), len("1/1 ") + 32),
    ],
    "what was drawn is what the answer says": [
        operation(1, 2, (b"SADD", b"s", b"a", b"b"), 2),
        operation(3, 6, (b"SPOP", b"s"), b"b"),
        operation(4, 5, (b"SMEMBERS", b"s"), [b"b", b"a"]),
        operation(7, 8, (b"SMEMBERS", b"s"), [b"a"]),
    ],
    "a draw that nobody was told of may have been any": [
        operation(1, 2, (b"SADD", b"s", b"a", b"b", b"c"), 3),
        operation(3, None, (b"SPOP", b"s", b"2")),
        operation(4, 5, (b"SMEMBERS", b"s"), [b"b"]),
    ],
    "values of other types": [
        operation(1, 2, (b"RPUSH", b"x", b"a"), 1),
        operation(3, 4, (b"COPY", b"x", b"x", b"DB", b"3"), 1),
        operation(5, 6, (b"GET", b"x"), ErrorReply("WRONGTYPE Operation against a key")),
        operation(7, 8, (b"MOVE", b"x", b"3"), 0),
    ],
    "keys are apart": [put(1, 2, b"k", b"a"), get(3, 4, b"j", None)],
    "a key that got its value from one with deadlines is beyond the search, too": [
        put(1, 2, b"t", b"a"),
        operation(3, 4, (b"RENAME", b"t", b"u"), b"OK"),
        operation(5, 6, (b"PTTL", b"t"), -2),
        get(7, 8, b"u", b"a"),
    ],
}
BAD: dict[str, list[Operation]] = {
    "a stale read": [put(1, 2, b"k", b"a"), get(3, 4, b"k", None)],
    "a read that goes back": [
        put(1, 8, b"k", b"a"),
        get(2, 3, b"k", b"a"),
        get(4, 5, b"k", None),
    ],
    "a lost update": [
        operation(1, 2, (b"INCR", b"n"), 1),
        operation(3, 4, (b"INCR", b"n"), 1),
    ],
    "a write that happened twice": [
        operation(1, None, (b"INCR", b"n")),
        operation(2, 3, (b"INCR", b"n"), 1),
        operation(4, 5, (b"INCR", b"n"), 4),
    ],
    "a refused write was seen": [
        operation(1, 2, (b"SET", b"k", b"a"), failed=True),
        get(3, 4, b"k", b"a"),
    ],
    "a member was drawn twice": [
        operation(1, 2, (b"SADD", b"s", b"a", b"b"), 2),
        operation(3, 6, (b"SPOP", b"s"), b"b"),
        operation(4, 5, (b"SPOP", b"s"), b"b"),
    ],
    "a draw that nobody was told of took more than one": [
        operation(1, 2, (b"SADD", b"s", b"a", b"b", b"c"), 3),
        operation(3, None, (b"SPOP", b"s")),
        operation(4, 5, (b"SMEMBERS", b"s"), [b"b"]),
    ],
    "a pushed element is lost": [
        operation(1, 2, (b"RPUSH", b"l", b"a"), 1),
        operation(3, 4, (b"LPUSH", b"l", b"b"), 2),
        operation(5, 6, (b"LRANGE", b"l", b"0", b"-1"), [b"a"]),
    ],
    "a key that was moved is still there": [
        operation(1, 2, (b"RPUSH", b"x", b"a"), 1),
        operation(3, 4, (b"MOVE", b"x", b"3"), 1),
        operation(5, 6, (b"LLEN", b"x"), 1),
    ],
    "two keys read in two orders": [
        put(1, 20, b"r0", b"x"),
        put(2, 20, b"r1", b"y"),
        operation(3, 4, (b"MGET", b"r0", b"r1"), [b"x", None]),
        operation(5, 6, (b"MGET", b"r0", b"r1"), [None, b"y"]),
    ],
}


@pytest.mark.parametrize("name", GOOD)
def test_explains_a_good_history(name: str) -> None:
    """An order is found for what a linearizable store may have answered."""
    assert check(GOOD[name]).problem is None


@pytest.mark.parametrize("name", BAD)
def test_rejects_a_bad_history(name: str) -> None:
    """No order is found for what no linearizable store could have answered."""
    assert "no order" in str(check(BAD[name]).problem)


def test_transaction_that_watches_needs_its_values() -> None:
    """A swap that succeeded although its key had been changed is an error."""
    history = History()
    first = history.call(1, "a", 0, ((b"SET", b"k", b"1"),))
    history.answer(first, b"OK")
    swap = history.call(
        1, "b", 0, ((b"SET", b"k", b"2"),), is_transaction=True, expected=(((0, b"k"), None),)
    )
    history.answer(swap, [b"OK"])
    assert check(history.operations).problem is not None
    swap.expected = (((0, b"k"), b"1"),)
    assert check(history.operations).problem is None


def test_key_absent_at_watch_and_at_exec_may_have_been_seen_set_between() -> None:
    """WATCH, another's SET, our GET, another's DEL, EXEC: the documented difference from Redis, no error."""
    history = History()
    for args, reply in (((b"SET", b"k", b"1"), b"OK"), ((b"DEL", b"k"), 1)):
        history.answer(history.call(1, "a", 0, (args,)), reply)
    swap = history.call(
        1, "b", 0, ((b"SET", b"k", b"2"),), is_transaction=True, expected=(((0, b"k"), b"1"),)
    )
    history.answer(swap, [b"OK"])
    assert check(history.operations).problem is None


def test_components_are_joined_by_commands_on_several_keys() -> None:
    """Keys that no command touches together are searched apart; keys with deadlines not at all."""
    operations = [
        put(1, 2, b"a", b"1"),
        operation(3, 4, (b"MSET", b"a", b"2", b"b", b"2"), b"OK"),
        put(5, 6, b"c", b"1"),
        operation(7, 8, (b"SET", b"t", b"1", b"PX", b"5"), b"OK"),
        get(9, 10, b"t", b"1"),
    ]
    assert [keys for keys, _ in components(operations)] == [[(0, b"a"), (0, b"b")], [(0, b"c")]]


def in_database(number: int, one: Operation) -> Operation:
    """The same, asked in another database."""
    one.database = number
    return one


def test_one_name_in_two_databases_is_two_keys() -> None:
    """A value that is read in one was written in that one; a SELECT inside a transaction joins both."""
    right = [put(1, 2, b"k", b"a"), in_database(9, get(3, 4, b"k", None))]
    assert check(right).problem is None
    wrong = check([put(1, 2, b"k", b"a"), in_database(9, get(3, 4, b"k", b"a"))]).problem
    assert "about k of database 9" in str(wrong)
    commands = ((b"SET", b"k", b"b"), (b"SELECT", b"9"), (b"GET", b"k"))
    both = Operation(0, "c", 0, commands, True, 5, 6, [b"OK", b"OK", b"c"])
    assert [keys for keys, _ in components([*right, both])] == [[(0, b"k"), (9, b"k")]]
    assert check([*right, both]).problem is not None
    assert check([in_database(9, put(1, 2, b"k", b"c")), both]).problem is None


def test_writes_of_unknown_fate_in_two_databases_are_not_alike() -> None:
    """Each of them may have been the one that a read has seen."""
    commands = ((b"GET", b"k"), (b"SELECT", b"9"), (b"GET", b"k"))
    first, second = put(1, None, b"k", b"a"), in_database(9, put(2, None, b"k", b"a"))
    seen = Operation(0, "c", 0, commands, True, 3, 4, [None, b"OK", b"a"])
    assert check([first, second, seen]).problem is None
    assert check([first, seen]).problem is not None


def test_what_is_said_of_a_whole_database_is_no_matter_of_the_search() -> None:
    """Such a command is left out; inside a transaction any answer to it is right."""
    sizes = [operation(1, 2, (b"DBSIZE",), 77), operation(3, 4, (b"SCAN", b"0"), [b"0", [b"x"]])]
    assert components(sizes) == []
    commands = ((b"PING",), (b"DBSIZE",), (b"GET", b"k"))
    known = Operation(0, "c", 0, commands, True, 5, 6, [b"PONG", 77, b"a"])
    assert check([put(1, 2, b"k", b"a"), known]).problem is None
    assert check([put(1, 2, b"k", b"b"), known]).problem is not None


def test_budget_ends_a_search_without_a_verdict() -> None:
    """A search that would take too long says so, and accuses nobody."""
    operations = [put(1 + n, 100 + n, b"k", b"%d" % n) for n in range(12)]
    operations.append(get(200, 201, b"k", b"never written"))
    verdict = check(operations, budget=500)
    assert verdict.out_of_budget
    assert verdict.problem is None


def brute_force(operations: Sequence[Operation]) -> bool:
    """Whether some order of some subset, with all known operations in it, explains all answers."""
    known = [one for one in operations if one.is_known]
    unknown = [one for one in operations if one.is_ambiguous]
    for mask in range(1 << len(unknown)):
        chosen = known + [one for place, one in enumerate(unknown) if mask >> place & 1]
        if any(_explains(order) for order in permutations(chosen)):
            return True
    return False


def _explains(order: Sequence[Operation]) -> bool:
    latest_call = 0
    for one in order:
        if one.returned is not None and one.returned < latest_call:
            return False
        latest_call = max(latest_call, one.called)
    return any(ways(lambda choices: _answers(order, choices)))


def _answers(order: Sequence[Operation], choices: Choices) -> bool:
    """Whether all are answered as they were, if draws of which nobody was told go this way."""
    model = Model()
    replies = [model.run(one.commands[0], one.told(0), choices) for one in order]
    return all(agrees(reply, one.reply) for one, reply in zip(order, replies, strict=True) if one.is_known)


COMMANDS = st.sampled_from(
    [
        ((b"GET", b"k"), (None, b"a", b"b")),
        ((b"SET", b"k", b"a"), (b"OK",)),
        ((b"SET", b"k", b"b"), (b"OK",)),
        ((b"SET", b"k", b"b", b"NX"), (b"OK", None)),
        ((b"GETSET", b"k", b"c"), (None, b"a", b"b")),
        ((b"GET", b"k"), (b"c",)),
        ((b"DEL", b"k"), (0, 1)),
        ((b"INCR", b"n"), (1, 2)),
        ((b"MGET", b"k", b"n"), ([None, None], [b"a", b"1"], [None, b"1"])),
        ((b"SETNX", b"k", b"a"), (0, 1)),
        ((b"GETDEL", b"k"), (None, b"a", b"c")),
        ((b"UNLINK", b"k", b"n"), (0, 1, 2)),
        ((b"MSETNX", b"k", b"a", b"n", b"1"), (0, 1)),
        ((b"EXISTS", b"k", b"n"), (0, 1, 2)),
        ((b"STRLEN", b"k"), (0, 1)),
        ((b"RENAME", b"k", b"m"), (b"OK", ErrorReply("ERR no such key"))),
        ((b"GET", b"m"), (None, b"a")),
        ((b"SADD", b"s", b"a"), (0, 1)),
        ((b"SADD", b"s", b"a", b"b"), (0, 1, 2)),
        ((b"SPOP", b"s"), (None, b"a", b"b")),
        ((b"SPOP", b"s", b"1"), ([], [b"a"])),
        ((b"SMEMBERS", b"s"), ([], [b"a"], [b"a", b"b"])),
        ((b"SMOVE", b"s", b"k", b"a"), (0, 1, ErrorReply("WRONGTYPE Operation"))),
        ((b"SUNIONSTORE", b"s", b"s", b"u"), (0, 1, 2)),
        ((b"LMOVE", b"k", b"k", b"LEFT", b"RIGHT"), (None, b"a", ErrorReply("WRONGTYPE Operation"))),
    ]
)


@st.composite
def histories(draw: st.DrawFn) -> list[Operation]:
    """Up to five operations that overlap at random, with answers that may or may not fit."""
    count = draw(st.integers(1, 5))
    moments = draw(st.permutations(range(2 * count)))
    operations = []
    for place in range(count):
        called, returned = sorted(moments[2 * place : 2 * place + 2])
        args, replies = draw(COMMANDS)
        known = draw(st.integers(0, 3)) > 0
        operations.append(
            operation(called, returned if known else None, args, draw(st.sampled_from(replies)))
        )
    return operations


@given(histories())
def test_agrees_with_brute_force(operations: list[Operation]) -> None:
    """The search with its shortcuts finds an order exactly where trying everything finds one."""
    assert (check(operations).problem is None) == brute_force(operations)
