"""The checkers' meanings of commands against Redis' documentation, and the classes of expected answers."""

from typing import Any

import pytest

from trikv.client.replies import ErrorReply
from trikv.sim.checkers.expected import ANYTHING, AnyOrder, Between, Clock, Failure, OneOf, Page, agrees
from trikv.sim.checkers.meanings import is_timed, meaning_of
from trikv.sim.checkers.model import Model

STORIES: dict[str, list[tuple[str, Any]]] = {
    "strings": [
        ("SET k abc", b"OK"),
        ("GETRANGE k 1 -1", b"bc"),
        ("SUBSTR k -2 -2", b"b"),
        ("GETRANGE k 5 9", b""),
        ("STRLEN k", 3),
        ("SETRANGE k 5 x", 6),
        ("GET k", b"abc\0\0x"),
        ("SETRANGE k 0 AB", 6),
        ("GETDEL k", b"ABc\0\0x"),
        ("GETDEL k", None),
        ("SETRANGE k 3 x", 4),
    ],
    "conditions of SET": [
        ("SET k a XX", None),
        ("SETNX k a", 1),
        ("SETNX k b", 0),
        ("SET k b NX", None),
        ("SET k b NX GET", b"a"),
        ("SET k b XX GET", b"a"),
        ("GETSET k c", b"b"),
        ("MSETNX j 1 k 2", 0),
        ("MSETNX j 1 i 2", 1),
        ("MGET i j k l", [b"2", b"1", b"c", None]),
    ],
    "numbers": [
        ("INCR n", 1),
        ("INCRBY n 5", 6),
        ("DECRBY n 9", -3),
        ("DECR n", -4),
        ("INCRBYFLOAT f 0.5", b"0.5"),
        ("INCRBYFLOAT f 1.25", b"1.75"),
        ("INCRBYFLOAT f -1.75", b"0"),
        ("INCRBYFLOAT f 10", b"10"),
    ],
    "keys": [
        ("TYPE k", b"none"),
        ("MSET k 1 j 2", b"OK"),
        ("TYPE k", b"string"),
        ("EXISTS k k l", 2),
        ("TOUCH j", 1),
        ("MEMORY USAGE k", 136 + 1 + 1),
        ("MEMORY USAGE l", None),
        ("RENAME l k", Failure("ERR no such key")),
        ("RENAMENX l k", Failure("ERR no such key")),
        ("RENAMENX k j", 0),
        ("RENAME k j", b"OK"),
        ("MGET k j", [None, b"1"]),
        ("RENAMENX j k", 1),
        ("RENAME k k", b"OK"),
        ("RENAMENX k k", 0),
        ("DBSIZE", 1),
        ("KEYS *", AnyOrder((b"k",))),
        ("KEYS x*", AnyOrder(())),
        ("RANDOMKEY", OneOf((b"k",))),
        ("SCAN 0 MATCH k* COUNT 5", Page((b"k",))),
        ("UNLINK k j", 1),
        ("RANDOMKEY", None),
    ],
    "databases": [
        ("SET k a", b"OK"),
        ("SELECT 9", b"OK"),
        ("GET k", None),
        ("SET k b", b"OK"),
        ("COUNT", 1),
        ("FLUSHDB", b"OK"),
        ("COUNT", 0),
        ("SELECT 0", b"OK"),
        ("GET k", b"a"),
        ("SELECT 9", b"OK"),
        ("CLEAN ASYNC", b"OK"),
        ("SELECT 0", b"OK"),
        ("GET k", None),
    ],
    "deadlines": [
        ("SET k a EX 2", b"OK"),
        ("TTL k", Between(0, 2)),
        ("PTTL k", Between(1, 2000)),
        ("PEXPIRETIME k", 12_000),
        ("EXPIRETIME k", 12),
        ("MEMORY USAGE k", 136 + 1 + 1 + 136),
        ("APPEND k b", 2),
        ("SET k c KEEPTTL", b"OK"),
        ("RENAME k j", b"OK"),
        ("PEXPIRETIME j", 12_000),
        ("GETSET j d", b"c"),
        ("PTTL j", -1),
        ("PTTL k", -2),
        ("GETEX j PXAT 11000", b"d"),
        ("GETEX j", b"d"),
        ("PEXPIRETIME j", 11_000),
        ("GETEX j PERSIST", b"d"),
        ("PERSIST j", 0),
        ("EXPIREAT j 9", 1),
        ("GET j", None),
        ("SET j e EXAT 9", b"OK"),
        ("GET j", None),
        ("SET j f", b"OK"),
        ("EXPIRE j -1", 1),
        ("EXPIRE j 1", 0),
        ("PSETEX j 1500 g", b"OK"),
        ("SETEX j 1 g", b"OK"),
        ("TIME", Clock(10_000)),
    ],
    "conditions of EXPIRE": [
        ("SET k a", b"OK"),
        ("EXPIRE k 5 XX", 0),
        ("EXPIRE k 5 GT", 0),
        ("EXPIRE k 5 LT", 1),
        ("EXPIRE k 9 NX", 0),
        ("PEXPIRE k 4000 GT", 0),
        ("PEXPIRE k 6000 LT", 0),
        ("PEXPIRE k 6000 GT", 1),
        ("PEXPIREAT k 15000 LT", 1),
        ("PEXPIRETIME k", 15_000),
    ],
}
WRONG: list[tuple[Any, Any]] = [
    (Between(1, 5), 0),
    (Between(1, 5), b"1"),
    (AnyOrder((b"a", b"b")), [b"a"]),
    (AnyOrder(()), None),
    (OneOf((b"a",)), None),
    (Page((b"a",)), [b"0", [b"b"]]),
    (Page((b"a",)), [b"0", [b"a", b"a"]]),
    (Page(()), []),
    (Clock(2000), [b"1", b"999999"]),
    (Clock(0), b"1"),
    (Failure("ERR no such key"), b"OK"),
    (Failure("ERR no such key"), ErrorReply("ERR syntax error")),
    ([b"a", Between(1, 2)], [b"a"]),
    ([b"a", Between(1, 2)], [b"a", 3]),
    (b"a", b"b"),
    (None, b""),
]
RIGHT: list[tuple[Any, Any]] = [
    (Between(1, 5), 5),
    (AnyOrder((b"a", b"b")), [b"b", b"a"]),
    (OneOf((b"a",)), b"a"),
    (Page((b"a", b"b")), [b"12", [b"b"]]),
    (Clock(2000), [b"2", b"0"]),
    (Failure("ERR no such"), ErrorReply("ERR no such key")),
    (ANYTHING, object()),
    ([b"a", ANYTHING], [b"a", None]),
]


@pytest.mark.parametrize("name", STORIES)
def test_a_command_means_what_redis_says(name: str) -> None:
    """Each answer is what Redis' documentation has, at ten seconds after 1970."""
    model = Model()
    model.advance(10_000)
    for line, expected in STORIES[name]:
        assert model.run([word.encode() for word in line.split()]) == expected, line


def test_what_is_due_goes_in_every_database() -> None:
    """A key that comes back by that name has another life."""
    model = Model()
    for database in (0, 15):
        model.selected = database
        model.run((b"SET", b"k", b"a", b"PX", b"50"))
        model.run((b"SET", b"j", b"a"))
    before = model.births(15)
    assert model.advance(49) == (0, 0)
    assert model.advance(50) == (2, 0)
    assert model.contents() == {(0, b"j"): (b"a", 0), (15, b"j"): (b"a", 0)}
    model.run((b"SET", b"k", b"b"))
    model.run((b"SET", b"j", b"b"))
    assert model.births(15)[b"j"] == before[b"j"]
    assert model.births(15)[b"k"] != before[b"k"]
    assert model.version((0, b"k")) == 0


def test_where_not_all_keys_are_known_only_they_are_judged() -> None:
    """The search knows only a few keys, so it accepts any answer about a whole database."""
    model = Model({b"k": b"v"}, is_partial=True)
    assert model.run((b"GET", b"k")) == b"v"
    assert model.run((b"DBSIZE",)) == ANYTHING


@pytest.mark.parametrize(("expected", "reply"), RIGHT)
def test_what_may_be_answered_agrees(expected: Any, reply: Any) -> None:
    """Within bounds, in any order, one of several."""
    assert agrees(expected, reply)


@pytest.mark.parametrize(("expected", "reply"), WRONG)
def test_what_may_not_be_answered_does_not(expected: Any, reply: Any) -> None:
    """Out of bounds, too much, too little, of another type."""
    assert not agrees(expected, reply)


def test_a_command_without_a_meaning_is_named() -> None:
    """A command that nobody has thought of must not count as harmless."""
    with pytest.raises(KeyError, match="XADD k"):
        meaning_of((b"XADD", b"k", b"v"))
    assert is_timed((b"SET", b"k", b"v", b"NX", b"PXAT", b"5"))
    assert is_timed((b"GETEX", b"k", b"PERSIST"))
    assert not is_timed((b"GETEX", b"k"))
    assert not is_timed((b"SET", b"k", b"EX"))
