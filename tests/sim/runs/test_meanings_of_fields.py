"""What commands on the deadlines of a hash's fields mean, and what becomes of a field when it is due."""

from typing import Any

import pytest

from trikv.sim.checkers.expected import Between, Drawn, ElementPage, Failure, Map
from trikv.sim.checkers.meanings import charge, is_timed
from trikv.sim.checkers.model import Model
from trikv.sim.checkers.state import WRONG_TYPE
from trikv.sim.checkers.values import Collection, Fields

STORIES: dict[str, list[tuple[str, Any]]] = {
    "set and shown": [
        ("HSET h a 1 b 2", 2),
        ("HEXPIRE h 2 FIELDS 3 a x a", [1, -2, 1]),
        ("HTTL h FIELDS 3 a b x", [Between(1, 2), -1, -2]),
        ("HPTTL h FIELDS 1 a", [Between(1, 2000)]),
        ("HPEXPIRE h 2001 FIELDS 1 a", [1]),
        ("HTTL h FIELDS 1 a", [Between(1, 3)]),
        ("HEXPIRETIME h FIELDS 3 a b x", [13, -1, -2]),
        ("HPEXPIRETIME h FIELDS 1 a", [12_001]),
        ("HEXPIREAT h 15 FIELDS 1 a", [1]),
        ("HPEXPIRETIME h FIELDS 1 a", [15_000]),
        ("HPEXPIREAT h 15001 FIELDS 1 b", [1]),
        ("HEXPIRETIME h FIELDS 1 b", [16]),
        ("HEXPIRE no 2 FIELDS 2 a b", [-2, -2]),
        ("HTTL no FIELDS 1 a", [-2]),
        ("HGETALL h", Map({b"a": b"1", b"b": b"2"})),
    ],
    "conditions": [
        ("HSET h a 1", 1),
        ("HEXPIRE h 5 XX FIELDS 1 a", [0]),
        ("HEXPIRE h 5 GT FIELDS 1 a", [0]),
        ("HEXPIRE h 5 LT FIELDS 1 a", [1]),
        ("HEXPIRE h 9 NX FIELDS 1 a", [0]),
        ("HPEXPIRE h 4000 GT FIELDS 1 a", [0]),
        ("HPEXPIRE h 5000 LT FIELDS 1 a", [0]),
        ("HPEXPIRE h 6000 LT FIELDS 1 a", [0]),
        ("HPEXPIRE h 6000 GT FIELDS 1 a", [1]),
        ("HPEXPIRE h 5500 XX FIELDS 1 a", [1]),
        ("HPEXPIRETIME h FIELDS 1 a", [15_500]),
        ("HPEXPIRE h 0 GT FIELDS 1 a", [0]),
        ("HPEXPIRE h 0 LT FIELDS 1 a", [2]),
        ("EXISTS h", 0),
    ],
    "past deadlines": [
        ("HSET h a 1 b 2 c 3", 3),
        ("HEXPIREAT h 10 FIELDS 2 a a", [2, -2]),
        ("HEXPIRE h -1 FIELDS 1 b", Failure("ERR invalid expire time")),
        ("HSETEX h PXAT 9999 FIELDS 2 b 7 x 7", 1),
        ("HGETALL h", Map({b"c": b"3"})),
        ("HGETEX h EXAT 1 FIELDS 2 c b", [b"3", None]),
        ("EXISTS h", 0),
        ("HSETEX h PXAT 9999 FIELDS 1 b 7", 1),
        ("EXISTS h", 0),
        ("HEXPIRE h -1 FIELDS 1 b", Failure("ERR invalid expire time")),
    ],
    "kept and removed": [
        ("HSETEX h EX 9 FIELDS 3 a 1 b 2 n 3", 1),
        ("HSET h a 4", 0),
        ("HSETEX h KEEPTTL FIELDS 2 b 5 c 6", 1),
        ("HINCRBY h n 4", 7),
        ("HINCRBYFLOAT h n 0.5", b"7.5"),
        ("HSETNX h b 9", 0),
        ("HPEXPIRETIME h FIELDS 4 a b c n", [-1, 19_000, -1, 19_000]),
        ("HPERSIST h FIELDS 4 a b x b", [-1, 1, -2, -1]),
        ("HGETEX h FIELDS 2 n x", [b"7.5", None]),
        ("HPEXPIRETIME h FIELDS 2 b n", [-1, 19_000]),
        ("HGETEX h PERSIST FIELDS 2 n a", [b"7.5", b"4"]),
        ("HGETEX h PX 500 FIELDS 2 a x", [b"4", None]),
        ("HPEXPIRETIME h FIELDS 2 a n", [10_500, -1]),
        ("HSETEX h FIELDS 1 a 5", 1),
        ("HTTL h FIELDS 1 a", [-1]),
        ("HPERSIST no FIELDS 1 a", [-2]),
        ("HGETEX no PX 5 FIELDS 1 a", [None]),
    ],
    "conditions of HSETEX": [
        ("HSETEX h FXX FIELDS 1 a 1", 0),
        ("EXISTS h", 0),
        ("HSETEX h FNX EX 5 FIELDS 2 a 1 a 2", 1),
        ("HSETEX h FNX FIELDS 2 a 3 b 3", 0),
        ("HSETEX h FXX FIELDS 2 a 3 b 3", 0),
        ("HSETEX h FXX KEEPTTL FIELDS 1 a 3", 1),
        ("HPEXPIRETIME h FIELDS 1 a", [15_000]),
        ("HGETALL h", Map({b"a": b"3"})),
    ],
    "fetched and deleted": [
        ("HSETEX h EX 5 FIELDS 2 a 1 b 2", 1),
        ("HGETDEL h FIELDS 3 a a x", [b"1", None, None]),
        ("HSET h a 3", 1),
        ("HTTL h FIELDS 1 a", [-1]),
        ("HGETDEL h FIELDS 2 a b", [b"3", b"2"]),
        ("HGETDEL h FIELDS 1 a", [None]),
        ("TYPE h", b"none"),
    ],
    "names, copies and forms": [
        ("HSET h a 1 b 2", 2),
        ("OBJECT ENCODING h", b"listpack"),
        ("HPEXPIRE h 0 FIELDS 1 b", [2]),
        ("OBJECT ENCODING h", b"listpack"),
        ("HEXPIRE h 5 FIELDS 1 a", [1]),
        ("OBJECT ENCODING h", b"hashtable"),
        ("MEMORY USAGE h", Between(*[136 + 1 + 112 + 2 + 96 + 1200 + 288 * parts for parts in (1, 2)])),
        ("HSCAN h 0", ElementPage({b"a": b"1"})),
        ("COPY h g", 1),
        ("RENAME h k", b"OK"),
        ("MOVE k 3", 1),
        ("HPERSIST g FIELDS 1 a", [1]),
        ("OBJECT ENCODING g", b"hashtable"),
        ("MEMORY USAGE g", Between(*[136 + 1 + 112 + 2 + 288 * parts for parts in (1, 2)])),
        ("SELECT 3", b"OK"),
        ("HPEXPIRETIME k FIELDS 1 a", [15_000]),
    ],
    "wrong types": [
        ("SET k a", b"OK"),
        *[
            (f"{words} FIELDS 1 a", WRONG_TYPE)
            for words in ("HEXPIRE k 5", "HTTL k", "HPERSIST k", "HGETDEL k", "HGETEX k")
        ],
        ("HSETEX k FIELDS 1 a b", WRONG_TYPE),
        ("GET k", b"a"),
    ],
}


def ask(model: Model, line: str) -> Any:
    """What a command may be answered."""
    return model.run([word.encode() for word in line.split()])


@pytest.mark.parametrize("name", STORIES)
def test_a_command_means_what_redis_says(name: str) -> None:
    """Each answer is what Redis' documentation has, at ten seconds after 1970."""
    model = Model()
    model.advance(10_000)
    for line, expected in STORIES[name]:
        assert ask(model, line) == expected, line


def test_a_field_that_is_due_is_gone_in_every_database() -> None:
    """At its deadline and not before, from every answer; with its last field a hash goes."""
    model = Model()
    for database in (0, 15):
        model.selected = database
        ask(model, "HSETEX h PX 50 FIELDS 2 a 1 b 2")
        ask(model, "HSET h c 3")
        ask(model, "HSETEX g PX 51 FIELDS 1 a 1")
    assert model.advance(49) == (0, 0)
    assert ask(model, "HLEN h") == 3
    births = model.births(15)
    assert model.advance(50) == (0, 4)
    assert ask(model, "HLEN h") == 1
    assert ask(model, "HGET h a") is None
    assert ask(model, "HEXISTS h b") == 0
    assert ask(model, "HGETALL h") == Map({b"c": b"3"})
    assert ask(model, "HRANDFIELD h 5") == Drawn((b"c",), 1)
    assert ask(model, "HTTL h FIELDS 2 a c") == [-2, -1]
    assert ask(model, "HSETNX h a 5") == 1
    assert ask(model, "EXISTS g") == 1
    assert model.advance(51) == (0, 2)
    assert ask(model, "EXISTS g") == 0
    assert ask(model, "HTTL h FIELDS 1 a") == [-1]
    assert model.births(15) == {b"h": births[b"h"]}


def test_a_key_that_is_due_takes_its_fields_along() -> None:
    """They count for nothing."""
    model = Model()
    ask(model, "HSETEX h PX 50 FIELDS 2 a 1 b 2")
    ask(model, "PEXPIRE h 50")
    assert model.advance(50) == (1, 0)
    assert model.contents() == {}


def test_whoever_watches_a_hash_sees_that_a_field_expires() -> None:
    """It has another version then, although no command has changed it."""
    model = Model()
    ask(model, "HSETEX h PX 50 FIELDS 1 a 1")
    ask(model, "HSET h b 2")
    before = model.version((0, b"h"))
    model.advance(49)
    assert model.version((0, b"h")) == before
    model.advance(50)
    assert model.version((0, b"h")) != before


@pytest.mark.parametrize(
    "line",
    [
        "HEXPIRE h 0 XX FIELDS 1 a",
        "HPERSIST h FIELDS 2 a x",
        "HGETDEL h FIELDS 1 x",
        "HGETEX h FIELDS 1 b",
        "HGETEX h PERSIST FIELDS 1 a",
        "HSETEX h FNX FIELDS 2 a 1 x 1",
        "HSETEX h PXAT 1 FIELDS 1 x 1",
    ],
)
def test_what_changes_nothing_leaves_the_version(line: str) -> None:
    """A transaction that watches is carried out behind it."""
    model = Model()
    model.advance(10)
    ask(model, "HSET h a 1")
    ask(model, "HSETEX h PX 50 FIELDS 1 b 2")
    contents, version = model.contents(), model.version((0, b"h"))
    ask(model, line)
    assert model.version((0, b"h")) == version
    assert model.contents() == contents


def test_hashes_with_other_deadlines_differ() -> None:
    """And what a deadline is charged is in no other one's charge."""
    plain, timed = Fields({b"a": b"1"}), Fields({b"a": b"1"}, {b"a": 5})
    assert Collection.of(timed) != Collection.of(plain, is_large=True)
    assert Collection.of(timed) != Collection.of(Fields({b"a": b"1"}, {b"a": 6}))
    assert Collection.of(timed).is_large
    timed.put(b"a", b"1")
    assert Collection.of(timed) == Collection.of(plain)
    several = Fields({b"a": b"1", b"b": b"22"}, {b"a": 5, b"b": 5})
    assert charge(b"k", Collection.of(several), 0, 1) == 136 + 1 + 2 * 112 + 5 + 288 + 2 * 96 + 1200


def test_the_search_judges_what_says_nothing_of_time() -> None:
    """It knows no time. What fields are called is no matter."""
    for line in ("HGETDEL h FIELDS 1 EX", "HSETEX h FNX FIELDS 1 PX 5", "HGETEX h FIELDS 1 PERSIST"):
        assert not is_timed([word.encode() for word in line.split()]), line
    for line in (
        "HSETEX h KEEPTTL FIELDS 1 a 5",
        "HSETEX h FXX PX 5 FIELDS 1 a 5",
        "HGETEX h PERSIST FIELDS 1 a",
        "HTTL h FIELDS 1 a",
        "HEXPIRE h 5 FIELDS 1 a",
        "HPERSIST h FIELDS 1 a",
    ):
        assert is_timed([word.encode() for word in line.split()]), line
