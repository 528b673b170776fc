"""What commands on hashes, lists, sets, sorted sets and bits mean, and which forms an answer may have."""

from math import inf
from typing import Any

import pytest

from trikv.client.replies import ErrorReply
from trikv.sim.checkers.expected import (
    AnyOrder,
    Between,
    Degrees,
    Drawn,
    DrawnPairs,
    ElementPage,
    Failure,
    Map,
    OneOf,
    Page,
    Pairs,
    Score,
    agrees,
)
from trikv.sim.checkers.meanings import charge
from trikv.sim.checkers.model import Model
from trikv.sim.checkers.state import WRONG_TYPE
from trikv.sim.checkers.values import Collection, Fields, Scores

LONG = "x" * 65
STORIES: dict[str, list[tuple[str, Any]]] = {
    "hashes": [
        ("HSET h a 1 b 2 a 3", 2),
        ("HMSET h c 4", b"OK"),
        ("HSETNX h a 9", 0),
        ("HSETNX h d 9", 1),
        ("HGET h a", b"3"),
        ("HMGET h a x", [b"3", None]),
        ("HGETALL h", Map({b"a": b"3", b"b": b"2", b"c": b"4", b"d": b"9"})),
        ("HVALS h", AnyOrder((b"3", b"2", b"4", b"9"))),
        ("HINCRBY h a 4", 7),
        ("HINCRBYFLOAT h a 0.5", b"7.5"),
        ("HINCRBY h a 1", Failure("ERR hash value is not an integer")),
        ("HSTRLEN h a", 3),
        ("HEXISTS h x", 0),
        ("HDEL h b c c x", 2),
        ("HKEYS h", AnyOrder((b"a", b"d"))),
        ("HRANDFIELD h", OneOf((b"a", b"d"))),
        ("HRANDFIELD h 5", Drawn((b"a", b"d"), 2)),
        ("HRANDFIELD h -5", Drawn((b"a", b"d"), 5, repeats=True)),
        ("HRANDFIELD h 1 WITHVALUES", DrawnPairs({b"a": b"7.5", b"d": b"9"}, 1)),
        ("HSCAN h 0 MATCH a*", ElementPage({b"a": b"7.5"}, is_whole=True)),
        ("HDEL h a d", 2),
        ("TYPE h", b"none"),
        ("HRANDFIELD h", None),
        ("HGETALL h", Map({})),
    ],
    "lists": [
        ("RPUSH l b c", 2),
        ("LPUSH l a z", 4),
        ("LRANGE l 0 -1", [b"z", b"a", b"b", b"c"]),
        ("LPUSHX no a", 0),
        ("LINSERT l AFTER c a", 5),
        ("LINSERT l BEFORE q a", -1),
        ("LPOS l a RANK -1", 4),
        ("LPOS l a COUNT 0", [1, 4]),
        ("LPOS l a RANK 2 MAXLEN 3", None),
        ("LSET l -1 d", b"OK"),
        ("LSET l 9 d", Failure("ERR index out of range")),
        ("LSET no 0 d", Failure("ERR no such key")),
        ("LMOVE l l LEFT RIGHT", b"z"),
        ("RPOPLPUSH l k", b"z"),
        ("LMPOP 2 no l RIGHT COUNT 2", [b"l", [b"d", b"c"]]),
        ("LRANGE l 0 -1", [b"a", b"b"]),
        ("RPUSH l a a", 4),
        ("LREM l -1 a", 1),
        ("LREM l 0 a", 2),
        ("LTRIM l 1 -1", b"OK"),
        ("LLEN l", 0),
        ("LPOP l", None),
        ("LPOP k 0", []),
        ("RPOP k 3", [b"z"]),
        ("LINDEX k 0", None),
        ("LMPOP 1 k LEFT", None),
    ],
    "sets": [
        ("SADD s a b c a", 3),
        ("SADD t b c d", 3),
        ("SMISMEMBER s a d", [1, 0]),
        ("SINTER s t", AnyOrder((b"b", b"c"))),
        ("SDIFF s t no", AnyOrder((b"a",))),
        ("SINTERCARD 2 s t LIMIT 1", 1),
        ("SUNIONSTORE u s t", 4),
        ("SDIFFSTORE u s s", 0),
        ("EXISTS u", 0),
        ("SMOVE s t a", 1),
        ("SMOVE s t a", 0),
        ("SRANDMEMBER t 2", Drawn((b"b", b"c", b"d", b"a"), 2)),
        ("SREM t a b c x", 3),
        ("SPOP t", b"d"),
        ("SPOP t", None),
        ("SPOP s 9", AnyOrder((b"b", b"c"))),
        ("SSCAN s 0", ElementPage({}, is_whole=True)),
    ],
    "sorted sets": [
        ("ZADD z 1 a 2 b -0 c", 3),
        ("ZADD z XX CH GT 5 a 1 b 9 x", 1),
        ("ZADD z NX 7 a", 0),
        ("ZADD z LT INCR 1 a", None),
        ("ZINCRBY z 0.1 c", Score(0.1)),
        ("ZSCORE z a", Score(5.0)),
        ("ZMSCORE z x b", [None, Score(2.0)]),
        ("ZRANK z b", 1),
        ("ZREVRANK z b WITHSCORE", [1, Score(2.0)]),
        ("ZADD z inf a -inf d", 1),
        ("ZINCRBY z -inf a", Failure("ERR resulting score is not a number (NaN)")),
        ("ZPOPMIN z", [b"d", Score(-inf)]),
        ("ZPOPMAX z 9", Pairs(((b"a", Score(inf)), (b"b", Score(2.0)), (b"c", Score(0.1))))),
        ("ZPOPMIN z", []),
        ("ZADD z 1 a", 1),
        ("ZMPOP 2 no z MIN", [b"z", [[b"a", Score(1.0)]]]),
        ("ZMPOP 1 z MAX", None),
    ],
    "ranges": [
        ("ZADD z 1 a 2 b 2 c 3 d", 4),
        ("ZRANGE z 1 -2", [b"b", b"c"]),
        ("ZRANGE z 0 0 REV WITHSCORES", Pairs(((b"d", Score(3.0)),))),
        ("ZRANGEBYSCORE z (1 +inf LIMIT 1 5", [b"c", b"d"]),
        ("ZRANGE z (3 2 BYSCORE REV LIMIT 0 1", [b"c"]),
        ("ZREVRANGEBYSCORE z 2 2", [b"c", b"b"]),
        ("ZCOUNT z 2 (3", 2),
        ("ZRANGESTORE y z 0 1", 2),
        ("ZREMRANGEBYSCORE z 2 2", 2),
        ("ZREMRANGEBYRANK z -1 -1", 1),
        ("ZADD n 0 a 0 b 0 c", 3),
        ("ZRANGEBYLEX n [b +", [b"b", b"c"]),
        ("ZREVRANGEBYLEX n (c -", [b"b", b"a"]),
        ("ZLEXCOUNT n - (b", 1),
        ("ZLEXCOUNT n + -", 0),
        ("ZREMRANGEBYLEX n (a [b", 1),
    ],
    "several sorted sets": [
        ("ZADD y 1 a 2 b", 2),
        ("ZADD z 5 b -inf c", 2),
        ("SADD s b c", 2),
        (
            "ZUNION 2 y z WEIGHTS 2 -1 WITHSCORES",
            Pairs(((b"b", Score(-1.0)), (b"a", Score(2.0)), (b"c", Score(inf)))),
        ),
        ("ZINTER 3 y z s AGGREGATE MAX", [b"b"]),
        ("ZINTER 2 y s WITHSCORES", Pairs(((b"b", Score(3.0)),))),
        ("ZDIFF 2 y s", [b"a"]),
        ("ZINTERCARD 2 z s LIMIT 1", 1),
        ("ZUNIONSTORE s 2 z z WEIGHTS 1 0", 2),
        ("ZSCORE s c", Score(-inf)),
        ("ZDIFFSTORE s 2 y y", 0),
        ("TYPE s", b"none"),
    ],
    "bits": [
        ("SETBIT b 7 1", 0),
        ("SETBIT b 9 1", 0),
        ("GET b", b"\x01@"),
        ("GETBIT b 99", 0),
        ("BITCOUNT b", 2),
        ("BITCOUNT b 8 9 BIT", 1),
        ("BITCOUNT b -1 -2", 0),
        ("BITPOS b 1 1", 9),
        ("BITPOS b 0 1 1", 8),
        ("SET f \xff", b"OK"),
        ("BITPOS f 0", 8),
        ("BITPOS no 0", 0),
        ("BITPOS no 1 0", -1),
        ("BITOP NOT n b", 2),
        ("BITOP AND n n b", 2),
        ("BITCOUNT n", 0),
        ("BITOP OR n no", 0),
        ("EXISTS n", 0),
        ("BITFIELD i SET u8 0 255 INCRBY u8 #0 2 GET i4 4", [0, 1, 1]),
        ("BITFIELD i OVERFLOW SAT INCRBY i5 3 -99 OVERFLOW FAIL SET u2 0 9", [-16, None]),
        ("BITFIELD i OVERFLOW SAT SET u3 20 -1", [0]),
        ("BITFIELD_RO i GET u3 20", [7]),
    ],
    "estimates": [
        ("PFADD u a b c d e f g", 1),
        ("PFCOUNT u", 7),
        ("PFADD u a", 0),
        ("STRLEN u", 38),
        ("PFADD v g h", 1),
        ("PFCOUNT u v no", 8),
        ("PFMERGE w u v", b"OK"),
        ("PFCOUNT w", 8),
        ("PFDEBUG ENCODING w", b"sparse"),
        ("PFDEBUG TODENSE w", 1),
        ("PFDEBUG TODENSE w", 0),
        ("PFDEBUG DECODE w", Failure("ERR HLL encoding is not sparse")),
        ("STRLEN w", 12304),
        ("PFMERGE u w", b"OK"),
        ("PFDEBUG ENCODING u", b"dense"),
        ("PFCOUNT u", 8),
        ("PFADD u " + " ".join(f"e{number}" for number in range(3000)), 1),
        ("PFDEBUG DECODE no", Failure("ERR The specified key does not exist")),
        ("PFADD empty", 1),
        ("PFDEBUG DECODE empty", b"Z:16384"),
        ("PFCOUNT empty", 0),
        ("PFSELFTEST", b"OK"),
        ("SET k x", b"OK"),
        ("PFADD k a", Failure("WRONGTYPE Key is not a valid HyperLogLog string value.")),
    ],
    "places": [
        ("GEOADD w 13.361389 38.115556 Palermo 15.087269 37.502669 Catania", 2),
        ("GEOADD w XX CH 13.361389 38.115556 Palermo", 0),
        ("GEODIST w Palermo Catania", b"166274.1516"),
        ("GEODIST w Palermo Catania KM", b"166.2742"),
        ("GEODIST w Palermo no", None),
        ("GEOHASH w Palermo Catania no", [b"sqc8b49rny0", b"sqdtr74hyu0", None]),
        ("GEOPOS w Palermo no", [[Degrees(13.361389338970184), Degrees(38.1155563954963)], None]),
        ("GEOSEARCH w FROMLONLAT 15 37 BYRADIUS 200 km ASC", [b"Catania", b"Palermo"]),
        ("GEOSEARCH w FROMLONLAT 15 37 BYRADIUS 200 km COUNT 1 ANY", Drawn((b"Catania", b"Palermo"), 1)),
        ("GEOSEARCH w FROMLONLAT 15 37 BYBOX 400 400 km", Drawn((b"Catania", b"Palermo"), 2)),
        ("GEOSEARCH w FROMMEMBER no BYBOX 400 400 km", Failure("ERR could not decode requested zset member")),
        (
            "GEORADIUS w 15 37 100 km DESC WITHDIST WITHHASH",
            [[b"Catania", b"56.4413", 3479447370796909]],
        ),
        ("GEORADIUS_RO w 15 37 200 km COUNT 1", [b"Catania"]),
        ("GEORADIUSBYMEMBER w Palermo 0 m STORE x", 1),
        ("ZSCORE x Palermo", Score(3479099956230698.0)),
        ("GEOSEARCHSTORE x w FROMLONLAT 15 37 BYRADIUS 1 m", 0),
        ("EXISTS x", 0),
    ],
    "sorting": [
        ("RPUSH v 2 10 1", 3),
        ("SORT v", [b"1", b"2", b"10"]),
        ("SORT v ALPHA DESC", [b"2", b"10", b"1"]),
        ("SORT_RO v BY nosort LIMIT 1 5 DESC", [b"10", b"2"]),
        ("MSET o1 9 o2 3", b"OK"),
        ("SORT v BY o* GET # GET o*", [b"10", None, b"2", b"3", b"1", b"9"]),
        ("HSET o10 f 4", 1),
        ("SORT v BY o*->f DESC GET o*->f GET nostar", [b"4", None, None, None, None, None]),
        ("SORT v BY o* ALPHA STORE v", 3),
        ("LRANGE v 0 -1", [b"10", b"2", b"1"]),
        ("SET o2 x", b"OK"),
        ("SORT v BY o*", Failure("ERR One or more scores can't be converted into double")),
        ("SADD s b a", 2),
        ("SORT s ALPHA", [b"a", b"b"]),
        ("ZADD z 1 7 2 6", 2),
        ("SORT z", [b"6", b"7"]),
        ("SORT z LIMIT 5 5 STORE z", 0),
        ("EXISTS z", 0),
    ],
    "what is common": [
        ("MSET j ohmytext k mynewtext", b"OK"),
        ("LCS j k", b"mytext"),
        ("LCS j k LEN", 6),
        (
            "LCS j k IDX MINMATCHLEN 4 WITHMATCHLEN",
            Map({b"matches": [[[4, 7], [5, 8], 4]], b"len": 6}),
        ),
        ("LCS j no IDX", Map({b"matches": [], b"len": 0})),
    ],
    "copies": [
        ("RPUSH x a", 1),
        ("EXPIRE x 5", 1),
        ("COPY x y", 1),
        ("COPY x y", 0),
        ("COPY no y REPLACE", 0),
        ("RPUSH y b", 2),
        ("LLEN x", 1),
        ("PEXPIRETIME y", 15_000),
        ("COPY x x", Failure("ERR source and destination objects are the same")),
        ("COPY x x DB 3", 1),
        ("MOVE x 3", 0),
        ("MOVE y 3", 1),
        ("MOVE y 0", Failure("ERR source and destination objects are the same")),
        ("EXISTS x y", 1),
        ("SELECT 3", b"OK"),
        ("LRANGE y 0 -1", [b"a", b"b"]),
        ("SWAPDB 3 0", b"OK"),
        ("LLEN x", 1),
        ("EXISTS y", 0),
    ],
    "what Redis tells of an object": [
        ("SADD x 1 -2", 2),
        ("OBJECT ENCODING x", b"intset"),
        ("SADD x 01", 1),
        ("OBJECT ENCODING x", b"listpack"),
        (f"SADD x {LONG}", 1),
        (f"SREM x {LONG}", 1),
        ("OBJECT ENCODING x", b"hashtable"),
        ("SREM x 01", 1),
        ("OBJECT ENCODING x", b"intset"),
        (f"RPUSH l {LONG}", 1),
        ("OBJECT ENCODING l", b"listpack"),
        ("MEMORY USAGE l", Between(136 + 1 + 65 + 56 + 160, 136 + 1 + 65 + 56 + 320)),
        ("RENAME l k", b"OK"),
        ("LSET k 0 a", b"OK"),
        ("OBJECT ENCODING k", b"listpack"),
        (
            f"RPUSH k 0 127 -1 4095 -4096 4096 -32768 8388607 2147483647 -2147483649 {'x' * 64} {'x' * 4096}",
            13,
        ),
        ("OBJECT ENCODING k", b"listpack"),
        (f"RPUSH k {'x' * 4000}", 14),
        ("OBJECT ENCODING k", b"quicklist"),
        ("DEL k", 1),
        ("HSET e " + " ".join(f"f{number} {number}" for number in range(129)), 129),
        ("OBJECT ENCODING e", b"listpack"),
        (f"HSET e f {LONG}", 1),
        ("OBJECT ENCODING e", b"hashtable"),
        ("RPUSH k a", 1),
        ("OBJECT ENCODING k", b"listpack"),
        ("MEMORY USAGE k", 136 + 1 + 4),
        ("SET k 12", b"OK"),
        ("OBJECT ENCODING k", b"int"),
        (f"SET k {LONG}", b"OK"),
        ("OBJECT ENCODING k", b"raw"),
        ("OBJECT REFCOUNT no", None),
        ("OBJECT IDLETIME k", 0),
        ("OBJECT FREQ k", Failure("ERR An LFU maxmemory policy is not selected")),
        ("SCAN 0 TYPE set", Page((b"x",))),
    ],
    "wrong types": [
        ("RPUSH l a", 1),
        ("SET k a", b"OK"),
        *[(line, WRONG_TYPE) for line in ("GET l", "APPEND l x", "INCR l", "SETBIT l 1 1", "GETDEL l")],
        *[(line, WRONG_TYPE) for line in ("HGET l a", "SADD k a", "ZADD l 1 a", "LPUSH k a", "SPOP k")],
        *[(line, WRONG_TYPE) for line in ("SUNION no l", "ZUNION 1 l", "LMOVE l k LEFT LEFT", "SET l a GET")],
        ("MGET l k", [None, b"a"]),
        ("INCR k", Failure("ERR value is not an integer")),
        ("SETNX l a", 0),
        ("SUNIONSTORE l no", 0),
        ("EXISTS l", 0),
        ("RPUSH l a", 1),
        ("SET l a", b"OK"),
        ("RENAME l k", b"OK"),
        ("TYPE k", b"string"),
    ],
}
RIGHT: list[tuple[Any, Any]] = [
    (Score(0.1), b"0.1"),
    (Score(3.0), b"3"),
    (Score(3.0), 3.0),
    (Degrees(0.1), b"0.10000000000000001"),
    (Degrees(0.1), 0.1),
    (Degrees(-0.0), b"0"),
    (Score(-inf), b"-inf"),
    (Map({b"a": b"1"}), {b"a": b"1"}),
    (Map({b"a": b"1", b"b": b"2"}), [b"b", b"2", b"a", b"1"]),
    (Pairs(((b"a", Score(1.0)),)), [[b"a", 1.0]]),
    (Pairs(((b"a", Score(1.0)),)), [b"a", b"1"]),
    (Pairs(()), []),
    (Drawn((b"a", b"b"), 1), [b"b"]),
    (Drawn((b"a",), 2, repeats=True), [b"a", b"a"]),
    (DrawnPairs({b"a": Score(1.0)}, 1), [[b"a", 1.0]]),
    (ElementPage({b"a": None, b"b": None}), [b"7", [b"b"]]),
    (ElementPage({b"a": b"1"}, is_whole=True), [b"0", [b"a", b"1"]]),
]
WRONG: list[tuple[Any, Any]] = [
    (Score(0.1), b"0.10000000000000001"),
    (Score(0.0), b"-0"),
    (Score(3.0), b"4"),
    (Score(3.0), None),
    (Degrees(0.1), b"0.1"),
    (Map({b"a": b"1"}), [b"a", b"1", b"a", b"1"]),
    (Map({b"a": b"1"}), {b"a": b"2"}),
    (Map({b"a": b"1"}), [b"a"]),
    (Pairs(((b"a", b"1"), (b"b", b"1"))), [b"b", b"1", b"a", b"1"]),
    (Pairs(((b"a", b"1"),)), None),
    (Drawn((b"a", b"b"), 2), [b"b", b"b"]),
    (Drawn((b"a", b"b"), 2), [b"b"]),
    (Drawn((b"a", b"b"), 1), [b"c"]),
    (Drawn((b"a", b"b"), 1), [[b"a", b"b"]]),
    (DrawnPairs({b"a": b"1"}, 1), [b"a", b"2"]),
    (ElementPage({b"a": None, b"b": None}), [b"7", [b"b", b"b"]]),
    (ElementPage({b"a": None, b"b": None}, is_whole=True), [b"0", [b"b"]]),
    (ElementPage({b"a": None}, is_whole=True), [b"1", [b"a"]]),
    (ElementPage({b"a": b"1"}), [b"0", [b"a", b"2"]]),
    (ElementPage({b"a": b"1"}), ErrorReply("ERR invalid cursor")),
]


@pytest.mark.parametrize("name", STORIES)
def test_a_command_means_what_redis_says(name: str) -> None:
    """Each answer is what Redis' documentation has, at ten seconds after 1970."""
    model = Model()
    model.advance(10_000)
    for line, expected in STORIES[name]:
        assert model.run([word.encode("latin-1") for word in line.split()]) == expected, line


@pytest.mark.parametrize(("expected", "reply"), RIGHT)
def test_an_answer_may_have_either_form(expected: Any, reply: Any) -> None:
    """That of RESP2, or that of RESP3."""
    assert agrees(expected, reply)


@pytest.mark.parametrize(("expected", "reply"), WRONG)
def test_another_answer_does_not_agree(expected: Any, reply: Any) -> None:
    """Another score, another order, an element twice, too few."""
    assert not agrees(expected, reply)


def test_an_error_changes_nothing() -> None:
    """A command that meets a wrong type leaves all keys as they are, also those of the right type."""
    model = Model()
    for line in ("RPUSH l a", "SADD s a", "SET k a"):
        model.run([word.encode() for word in line.split()])
    before, versions = model.contents(), [model.version((0, key)) for key in (b"l", b"s", b"k")]
    for line in ("LMOVE l k LEFT LEFT", "SMOVE s l a", "ZUNIONSTORE s 1 k", "LSET l 7 b", "RENAME no s"):
        model.run([word.encode() for word in line.split()])
        assert model.contents() == before, line
    assert [model.version((0, key)) for key in (b"l", b"s", b"k")] == versions


def test_a_draw_takes_what_was_answered() -> None:
    """And refuses what cannot have been drawn."""
    model = Model()
    model.run((b"SADD", b"s", b"a", b"b", b"c"))
    assert model.run((b"SPOP", b"s"), b"b") == b"b"
    assert model.run((b"SMEMBERS", b"s")) == AnyOrder((b"a", b"c"))
    for told in (b"b", None, [b"a", b"c"]):
        assert not agrees(model.run((b"SPOP", b"s"), told), told), told
    for told in ([b"a", b"a"], [b"b"], [], None):
        assert not agrees(model.run((b"SPOP", b"s", b"1"), told), told), told
    assert model.run((b"SCARD", b"s")) == 2


def test_values_with_equal_elements_are_equal() -> None:
    """However they came to be so; what once was large differs from what never was."""
    assert Collection.of(Fields({b"b": b"1", b"a": b"2"})) == Collection.of(Fields({b"a": b"2", b"b": b"1"}))
    assert Collection.of(Scores({b"a": -0.0})) == Collection.of(Scores({b"a": 0.0}))
    assert Collection.of([b"a", b"b"]) != Collection.of([b"b", b"a"])
    assert Collection.of({b"a"}) != Collection.of([b"a"])
    assert Collection.of({b"a"}) != Collection.of({b"a"}, is_large=True)
    assert Collection.of({b"%d" % number for number in range(129)}).is_large
    assert not Collection.of({b"%d" % number for number in range(128)}).is_large
    assert Collection.of(Fields({b"a": b"x" * 65})).is_large


def test_the_charge_of_a_value_follows_from_its_elements() -> None:
    """By the literals of the documentation, packed and in parts."""
    assert charge(b"k", b"abc", 0) == 136 + 1 + 3
    assert charge(b"k", b"x" * 5000, 7) == 136 + 1 + 5000 + 64 + 136
    small = Collection.of(Fields({b"a": b"bc"}))
    assert charge(b"k", small, 0) == 136 + 1 + 1 + (2 + 1) + (2 + 2)
    assert charge(b"k", small, 0, 2) == 136 + 1 + 112 + 3 + 2 * 288
    assert charge(b"k", Collection.of([b"a"] * 300), 0, 3) == 136 + 1 + 300 * 6 + 256 * 51 + 3 * 160 + 64
    assert charge(b"k", Collection.of(Scores({b"a": 1.0})), 0) == 136 + 1 + 1 + (1 + 9 + 3)
