"""Deadlines of fields: replies, codes and texts as Redis 7.4 and 8.0 have them.

Debian's Redis has none of these commands. The cases are from Redis' documentation of the commands, from its
source, and from what its own tests of them expect.
"""

import pytest

from tests.machine.driving import NOW, Driver, reborn
from trikv.machine.errors import EXEC_OOM, NOT_INTEGER, OOM, STRING_TOO_LONG, SYNTAX, WRONG_TYPE, wrong_arity
from trikv.machine.memory import VALUE_BYTES_MAX
from trikv.machine.numerics import INT64_MAX
from trikv.machine.replies import CommandError, Pairs, Reply, SimpleString
from trikv.machine.values.hash import DEADLINE_BYTES, DEADLINE_MAX, DEADLINES_BYTES

NO_FIELDS = "ERR Mandatory argument FIELDS is missing or not at the right position"
ABOVE_ZERO = "ERR Parameter `numFields` should be greater than 0"
POSITIVE = "ERR Number of fields must be a positive integer"
MATCH = "ERR The `numfields` parameter must match the number of arguments"
NEGATIVE = "ERR invalid expire time, must be >= 0"


def begun(*lines: str) -> Driver:
    """A machine in which these were carried out."""
    driver = Driver()
    driver.run(*lines)
    return driver


def at(seconds: float) -> int:
    """So long after the beginning, in ms since 1970."""
    return NOW + int(seconds * 1000)


H = "HSET h a 1 b 2 c 3"
CASES: list[tuple[tuple[str, ...], str, Reply]] = [
    # HEXPIRE and its relatives: -2 no such field, 0 not met, 1 set, 2 deleted.
    ((H,), "HEXPIRE h 10 FIELDS 2 a x", [1, -2]),
    ((H,), "HEXPIRE none 10 FIELDS 2 a x", [-2, -2]),
    ((H,), "hexpire h 10 fields 1 a", [1]),
    ((H,), "HPEXPIRE h 0 FIELDS 2 a x", [2, -2]),
    ((H,), "HEXPIREAT h 1 FIELDS 1 a", [2]),
    ((H,), f"HPEXPIREAT h {NOW} FIELDS 1 a", [2]),
    ((H,), f"HPEXPIREAT h {NOW + 1} FIELDS 1 a", [1]),
    ((H,), "HEXPIRE h 10 FIELDS 3 a a a", [1, 1, 1]),
    ((H,), "HEXPIRE h 10 NX FIELDS 2 a a", [1, 0]),
    ((H,), "HEXPIRE h 0 FIELDS 2 a a", [2, -2]),
    ((H, "HPEXPIRE h 1000 NX FIELDS 1 a"), "HPEXPIRE h 1000 NX FIELDS 2 a b", [0, 1]),
    ((H, "HPEXPIRE h 1000 NX FIELDS 2 a b"), "HPEXPIRE h 1000 XX FIELDS 2 a c", [1, 0]),
    (
        (H, "HPEXPIRE h 1000 FIELDS 1 a", "HPEXPIRE h 2000 FIELDS 1 b"),
        "HPEXPIRE h 1500 GT FIELDS 3 a b c",
        [1, 0, 0],
    ),
    (
        (H, "HPEXPIRE h 1000 FIELDS 1 a", "HPEXPIRE h 2000 FIELDS 1 b"),
        "HPEXPIRE h 1500 LT FIELDS 3 a b c",
        [0, 1, 1],
    ),
    ((H, "HPEXPIRE h 1000 FIELDS 1 a"), "HPEXPIRE h 1000 GT FIELDS 1 a", [0]),
    ((H, "HPEXPIRE h 1000 FIELDS 1 a"), "HPEXPIRE h 1000 LT FIELDS 1 a", [0]),
    ((H, "HEXPIRE h 1000 FIELDS 1 c"), "HPEXPIREAT h 1 NX FIELDS 4 a b x c", [2, 2, -2, 0]),
    (("SET s x",), "HEXPIRE s x FIELDS 1 a", WRONG_TYPE),
    ((H,), "HEXPIRE h x FIELDS 1 a", NOT_INTEGER),
    ((H,), "HEXPIRE h -1 FIELDS 1 a", CommandError(NEGATIVE)),
    ((H,), f"HPEXPIREAT h {DEADLINE_MAX} FIELDS 1 a", [1]),
    (
        (H,),
        f"HPEXPIREAT h {DEADLINE_MAX + 1} FIELDS 1 a",
        CommandError("ERR invalid expire time in 'hpexpireat' command"),
    ),
    ((H,), f"HPEXPIRE h {DEADLINE_MAX - NOW} FIELDS 1 a", [1]),
    (
        (H,),
        f"HPEXPIRE h {DEADLINE_MAX - NOW + 1} FIELDS 1 a",
        CommandError("ERR invalid expire time in 'hpexpire' command"),
    ),
    ((H,), f"HEXPIREAT h {DEADLINE_MAX // 1000} FIELDS 1 a", [1]),
    (
        (H,),
        f"HEXPIREAT h {DEADLINE_MAX // 1000 + 1} FIELDS 1 a",
        CommandError("ERR invalid expire time in 'hexpireat' command"),
    ),
    ((H,), f"HEXPIRE h {INT64_MAX} FIELDS 1 a", CommandError("ERR invalid expire time in 'hexpire' command")),
    ((H,), "HEXPIRE h 10 FIELD 1 a", CommandError(NO_FIELDS)),
    ((H,), "HEXPIRE h 10 NX XX FIELDS 1 a", CommandError(NO_FIELDS)),
    ((H,), "HEXPIRE h 10 FIELDS 0 a", CommandError(ABOVE_ZERO)),
    ((H,), "HEXPIRE h 10 FIELDS x a", CommandError(ABOVE_ZERO)),
    ((H,), "HEXPIRE h 10 NX FIELDS 0 a b", CommandError(ABOVE_ZERO)),
    ((H,), "HEXPIRE h 10 NX FIELDS 4 a b c", CommandError(MATCH)),
    ((H,), "HEXPIRE h 10 FIELDS 1 a b", CommandError(MATCH)),
    ((H,), "HEXPIRE h 10 NX FIELDS 1", CommandError(MATCH)),
    ((H,), "HEXPIRE h 10 FIELDS 1", wrong_arity("hexpire")),
    # HTTL and its relatives: -2 no such field, -1 no deadline.
    ((H, "HPEXPIRE h 1500 FIELDS 1 a"), "HTTL h FIELDS 3 a b x", [2, -1, -2]),
    ((H, "HPEXPIRE h 1500 FIELDS 1 a"), "HPTTL h FIELDS 3 a b x", [1500, -1, -2]),
    ((H, "HPEXPIRE h 1500 FIELDS 1 a"), "HPEXPIRETIME h FIELDS 3 a b x", [at(1.5), -1, -2]),
    ((H, "HPEXPIRE h 1500 FIELDS 1 a"), "HEXPIRETIME h FIELDS 3 a b x", [at(2) // 1000, -1, -2]),
    ((H, "HEXPIRE h 3 FIELDS 1 a"), "HEXPIRETIME h FIELDS 1 a", [at(3) // 1000]),
    ((H,), "HTTL none FIELDS 2 a b", [-2, -2]),
    (("SET s x",), "HTTL s FIELDS x a", WRONG_TYPE),
    ((H,), "HTTL h FIELD 1 a", CommandError(NO_FIELDS)),
    ((H,), "HTTL h FIELDS 0 a", CommandError(POSITIVE)),
    ((H,), "HPTTL h FIELDS x a", CommandError(POSITIVE)),
    ((H,), "HEXPIRETIME h FIELDS 2 a", CommandError(MATCH)),
    ((H,), "HPEXPIRETIME h FIELDS 1", wrong_arity("hpexpiretime")),
    # HPERSIST: -2 no such field, -1 no deadline, 1 removed.
    ((H, "HEXPIRE h 9 FIELDS 1 a"), "HPERSIST h FIELDS 4 a a b x", [1, -1, -1, -2]),
    ((H,), "HPERSIST none FIELDS 2 a b", [-2, -2]),
    ((H,), "HPERSIST h FIELDS 1 a", [-1]),
    (("SET s x",), "HPERSIST s FIELDS 1 a", WRONG_TYPE),
    ((H,), "HPERSIST h FIELDS 0 a", CommandError(POSITIVE)),
    ((H,), "HPERSIST h a FIELDS 1", CommandError(NO_FIELDS)),
    # HGETDEL.
    ((H,), "HGETDEL h FIELDS 4 a x a b", [b"1", None, None, b"2"]),
    ((H,), "HGETDEL none FIELDS 2 a b", [None, None]),
    ((H,), "HGETDEL h FIELDS 1 x", [None]),
    (("SET s x",), "HGETDEL s FIELD 1 a", WRONG_TYPE),
    ((H,), "HGETDEL h FIELD 1 a", CommandError(NO_FIELDS)),
    ((H,), "HGETDEL h FIELDS 0 a", CommandError(POSITIVE)),
    ((H,), "HGETDEL h FIELDS 2 a", CommandError(MATCH)),
    # HGETEX.
    ((H,), "HGETEX h FIELDS 2 a x", [b"1", None]),
    ((H,), "HGETEX none EX 10 FIELDS 2 a x", [None, None]),
    ((H,), "HGETEX h EX 10 FIELDS 2 a x", [b"1", None]),
    ((H,), "HGETEX h EX 0 FIELDS 2 a a", [b"1", None]),
    ((H, "HEXPIRE h 9 FIELDS 1 a"), "HGETEX h PERSIST FIELDS 3 a b x", [b"1", b"2", None]),
    ((H,), "HGETEX h EX x FIELDS 1 a", NOT_INTEGER),
    ((H,), "HGETEX h PX -5 FIELDS 1 a", CommandError(NEGATIVE)),
    (
        (H,),
        f"HGETEX h PXAT {DEADLINE_MAX + 1} FIELDS 1 a",
        CommandError("ERR invalid expire time in 'hgetex' command"),
    ),
    ((H,), "HGETEX h KEEPTTL FIELDS 1 a", CommandError(NO_FIELDS)),
    ((H,), "HGETEX h EX 10 PERSIST FIELDS 1 a", CommandError(NO_FIELDS)),
    ((H,), "HGETEX h PERSIST FIELDS 1", CommandError(MATCH)),
    ((H,), "HGETEX h EX 10 FIELDS", CommandError(POSITIVE)),
    ((H,), "HGETEX h FIELDS 0 a", CommandError(POSITIVE)),
    ((H,), "HGETEX h FIELDS 1", wrong_arity("hgetex")),
    (("SET s x",), "HGETEX s EX x FIELDS 1 a", WRONG_TYPE),
    # HSETEX: 1 set, 0 not.
    ((), "HSETEX h FIELDS 1 a 1", 1),
    ((), "HSETEX h EX 10 FIELDS 2 a 1 b 2", 1),
    ((), "HSETEX h PX 0 FIELDS 1 a 1", 1),
    ((), "HSETEX h FXX FIELDS 1 a 1", 0),
    ((H,), "HSETEX h FXX EX 10 FIELDS 2 a 1 x 2", 0),
    ((H,), "HSETEX h EX 10 FXX FIELDS 2 a 1 b 2", 1),
    ((H,), "HSETEX h FNX FIELDS 2 x 1 a 2", 0),
    ((H,), "HSETEX h fnx keepttl fields 2 x 1 y 2", 1),
    (
        (H,),
        "HSETEX h FXX FNX FIELDS 1 a 1",
        CommandError("ERR Only one of FXX or FNX arguments can be specified"),
    ),
    (
        (H,),
        "HSETEX h FXX EX 60 KEEPTTL FIELDS 2 a 1 b 2",
        CommandError("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"),
    ),
    (
        (H,),
        "HSETEX h PXAT 60 EX 5 FIELDS 2 a 1 b 2",
        CommandError("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"),
    ),
    ((H,), "HSETEX h NX FIELDS 1 a 1", CommandError("ERR unknown argument: NX")),
    ((H,), "HSETEX h EX FIELDS FIELDS 1 a 1", NOT_INTEGER),
    ((H,), "HSETEX h EX -1 FIELDS 1 a 1", CommandError(NEGATIVE)),
    ((H,), f"HSETEX h EX {2**47} FIELDS 1 a 1", CommandError("ERR invalid expire time in 'hsetex' command")),
    ((H,), "HSETEX h FIELDS 0 a 1", CommandError("ERR invalid number of fields")),
    ((H,), "HSETEX h FIELDS x a 1", CommandError("ERR invalid number of fields")),
    ((H,), f"HSETEX h FIELDS {2**31} a 1", CommandError("ERR invalid number of fields")),
    ((H,), "HSETEX h FIELDS 2 a 1", wrong_arity("hsetex")),
    ((H,), "HSETEX h FIELDS 1 a 1 b", wrong_arity("hsetex")),
    ((H,), "HSETEX h EX 10 FIELDS 1", wrong_arity("hsetex")),
    ((H,), "HSETEX h EX 10 FNX FIELDS", wrong_arity("hsetex")),
    ((H,), "HSETEX h FIELDS 1 a", wrong_arity("hsetex")),
    (("SET s x",), "HSETEX s FIELDS 1 a 1", WRONG_TYPE),
    (("SET s x",), "HSETEX s NX FIELDS 1 a", CommandError("ERR unknown argument: NX")),
]


@pytest.mark.parametrize(("before", "line", "reply"), CASES, ids=[line for _, line, _ in CASES])
def test_recorded_cases(before: tuple[str, ...], line: str, reply: Reply) -> None:
    """What Redis answers; and an error has no effect."""
    driver = begun(*before)
    changes = driver.machine.changes
    assert driver.one(line) == reply
    if isinstance(reply, CommandError):
        assert driver.machine.changes == changes
    assert reborn(driver.machine).digest() == driver.machine.digest()


AFTER: list[tuple[tuple[str, ...], str, Reply]] = [
    # Who keeps a deadline, who takes it away, where it goes.
    (("HSET h a 5",), "HPTTL h FIELDS 2 a b", [-1, 2000]),
    (("HMSET h a 5",), "HPTTL h FIELDS 2 a b", [-1, 2000]),
    (("HSETNX h a 5",), "HPTTL h FIELDS 2 a b", [1000, 2000]),
    (("HINCRBY h a 5",), "HPTTL h FIELDS 2 a b", [1000, 2000]),
    (("HINCRBYFLOAT h a 0.5",), "HPTTL h FIELDS 2 a b", [1000, 2000]),
    (("HSETEX h FIELDS 1 a 5",), "HPTTL h FIELDS 2 a b", [-1, 2000]),
    (("HSETEX h KEEPTTL FIELDS 3 a 5 c 5 d 5",), "HPTTL h FIELDS 4 a b c d", [1000, 2000, -1, -1]),
    (("HSETEX h KEEPTTL FIELDS 1 a 5",), "HGET h a", b"5"),
    (("HSETEX h EX 9 FIELDS 2 a 5 c 6",), "HPTTL h FIELDS 3 a b c", [9000, 2000, 9000]),
    ((f"HSETEX h EXAT {at(9) // 1000} FIELDS 1 a 5",), "HPTTL h FIELDS 1 a", [9000]),
    (("HSETEX h PXAT 1 FIELDS 3 a 5 b 5 x 5",), "HGETALL h", {b"c": b"3"}),
    (("HGETEX h FIELDS 1 a",), "HPTTL h FIELDS 1 a", [1000]),
    (("HGETEX h EX 9 FIELDS 2 a c",), "HPTTL h FIELDS 3 a b c", [9000, 2000, 9000]),
    (("HGETEX h PERSIST FIELDS 2 a c",), "HPTTL h FIELDS 3 a b c", [-1, 2000, -1]),
    (("HGETEX h PX 0 FIELDS 2 a c",), "HGETALL h", {b"b": b"2"}),
    (("HGETDEL h FIELDS 2 a c",), "HGETALL h", {b"b": b"2"}),
    (("HGETDEL h FIELDS 3 a b c",), "EXISTS h", 0),
    (("HPERSIST h FIELDS 1 a",), "HPTTL h FIELDS 2 a b", [-1, 2000]),
    (("HEXPIRE h 0 FIELDS 3 a b c",), "EXISTS h", 0),
    (("HSETEX h EX 0 FIELDS 3 a 1 b 1 c 1",), "EXISTS h", 0),
    (("HSETEX n EX 0 FIELDS 1 a 1",), "EXISTS n", 0),
    (("HDEL h a", "HSET h a 5"), "HPTTL h FIELDS 2 a b", [-1, 2000]),
    (("RENAME h n",), "HPTTL n FIELDS 3 a b c", [1000, 2000, -1]),
    (("COPY h n", "HDEL h a"), "HPTTL n FIELDS 3 a b c", [1000, 2000, -1]),
    (("MOVE h 5", "SELECT 5"), "HPTTL h FIELDS 3 a b c", [1000, 2000, -1]),
    (("EXPIRE h 5", "PERSIST h"), "HPTTL h FIELDS 3 a b c", [1000, 2000, -1]),
    ((), "OBJECT ENCODING h", b"hashtable"),
    (("HPERSIST h FIELDS 2 a b",), "OBJECT ENCODING h", b"hashtable"),
    (("HEXPIRE h 0 FIELDS 1 a",), "HLEN h", 2),
]


@pytest.mark.parametrize(
    ("lines", "line", "reply"), AFTER, ids=[" ".join((*some, line)) for some, line, _ in AFTER]
)
def test_what_becomes_of_a_deadline(lines: tuple[str, ...], line: str, reply: Reply) -> None:
    """By any command that can meet one."""
    driver = begun(H, "HPEXPIRE h 1000 FIELDS 1 a", "HPEXPIRE h 2000 FIELDS 1 b")
    assert driver.run(*lines, line)[-1] == reply
    assert reborn(driver.machine).digest() == driver.machine.digest()


DUE: list[tuple[str, Reply]] = [
    ("HGET h a", None),
    ("HMGET h a c", [None, b"3"]),
    ("HGETALL h", {b"b": b"2", b"c": b"3"}),
    ("HKEYS h", [b"b", b"c"]),
    ("HVALS h", [b"2", b"3"]),
    ("HLEN h", 2),
    ("HEXISTS h a", 0),
    ("HSTRLEN h a", 0),
    ("HSCAN h 0", [b"0", [b"b", b"2", b"c", b"3"]]),
    ("HRANDFIELD h 5", [b"b", b"c"]),
    ("HRANDFIELD h 5 WITHVALUES", Pairs([(b"b", b"2"), (b"c", b"3")])),
    ("HTTL h FIELDS 2 a b", [-2, -1]),
    ("HPTTL h FIELDS 2 a b", [-2, -1]),
    ("HEXPIRETIME h FIELDS 1 a", [-2]),
    ("HPEXPIRETIME h FIELDS 1 a", [-2]),
    ("HSET h a 5", 1),
    ("HSETNX h a 5", 1),
    ("HINCRBY h a 5", 5),
    ("HINCRBYFLOAT h a 0.5", b"0.5"),
    ("HDEL h a b", 1),
    ("HDEL h a", 0),
    ("HEXPIRE h 10 FIELDS 2 a b", [-2, 1]),
    ("HEXPIRE h 0 FIELDS 2 a b", [-2, 2]),
    ("HPERSIST h FIELDS 1 a", [-2]),
    ("HGETDEL h FIELDS 2 a b", [None, b"2"]),
    ("HGETEX h EX 5 FIELDS 2 a b", [None, b"2"]),
    ("HSETEX h FXX FIELDS 1 a 1", 0),
    ("HSETEX h FNX FIELDS 1 a 1", 1),
    ("HSETEX h KEEPTTL FIELDS 1 a 1", 1),
    ("HSETEX h EX 0 FIELDS 1 a 1", 1),
    ("EXISTS h", 1),
    ("TYPE h", SimpleString("hash")),
]


def unreaped() -> Driver:
    """A hash with a due field, in an entry that reaps nothing: as many keys were due before."""
    driver = begun(H, f"HPEXPIREAT h {NOW + 2} FIELDS 1 a")
    driver.run(*(f"SET key:{number} x PXAT {NOW + 1}" for number in range(200)))
    driver.now += 2
    return driver


READING = {"HGET", "HMGET", "HGETALL", "HKEYS", "HVALS", "HLEN", "HEXISTS", "HSTRLEN", "HSCAN", "HRANDFIELD"}
READING |= {"HTTL", "HPTTL", "HEXPIRETIME", "HPEXPIRETIME", "EXISTS", "TYPE"}
ADDING = {"HSET h a 5", "HSETNX h a 5", "HINCRBY h a 5", "HINCRBYFLOAT h a 0.5"}
ADDING |= {"HSETEX h FNX FIELDS 1 a 1", "HSETEX h KEEPTTL FIELDS 1 a 1"}
"""They put the field anew, so it expires before."""


@pytest.mark.parametrize(("line", "reply"), DUE, ids=[line for line, _ in DUE])
def test_a_field_that_is_due_is_absent_to_every_command(line: str, reply: Reply) -> None:
    """Though it was not reaped; and a reader without the log sees the same."""
    driver = unreaped()
    assert driver.one(line) == reply
    assert driver.machine.tally.expired_keys == 200
    assert driver.machine.tally.expired_fields == (line in ADDING)
    assert reborn(driver.machine).digest() == driver.machine.digest()
    if line.partition(" ")[0] in READING:
        driver = unreaped()
        driver.batch()
        assert driver.read(line) == reply
        assert driver.machine.tally.expired_fields == 0


def test_what_is_put_over_a_due_field_is_new() -> None:
    """It has no deadline, and comes behind the others."""
    driver = unreaped()
    assert driver.run("HSET h a 5", "HGETALL h", "HTTL h FIELDS 1 a") == [
        1,
        {b"b": b"2", b"c": b"3", b"a": b"5"},
        [-1],
    ]
    assert driver.read("HKEYS h") == [b"b", b"c", b"a"]


def test_fields_and_keys_are_reaped_at_log_time() -> None:
    """And the last field takes its key with it."""
    driver = begun(H, "HPEXPIRE h 1000 FIELDS 1 a", "HPEXPIRE h 2000 FIELDS 2 b c")
    assert driver.machine.next_deadline_ms() == NOW + 1000
    driver.pass_ms(999)
    assert driver.read("HLEN h") == 3
    driver.pass_ms(1)
    assert (driver.read("HKEYS h"), driver.machine.tally.expired_fields) == ([b"b", b"c"], 1)
    assert driver.machine.next_deadline_ms() == NOW + 2000
    driver.pass_ms(1000)
    assert driver.machine.tally.expired_fields == 3
    assert (driver.machine.keys(), driver.machine.used_memory) == (0, 0)
    assert driver.machine.next_deadline_ms() is None


def test_a_deadline_is_shown_by_the_leaders_clock() -> None:
    """A live field shows at least 1 ms, or 1 s."""
    driver = begun(H, "HPEXPIRE h 1500 FIELDS 1 a")
    shown = [driver.read(f"{name} h FIELDS 1 a", NOW + 400) for name in ("HTTL", "HPTTL")]
    assert shown == [[2], [1100]]
    shown = [driver.read(f"{name} h FIELDS 1 a", NOW + 9000) for name in ("HTTL", "HPTTL")]
    assert shown == [[1], [1]]


def test_lookups_count_as_in_redis() -> None:
    """HTTL and its relatives count what they find and miss; what writes does not."""
    driver = begun(H)
    driver.machine.tally.reset()
    driver.run("HTTL h FIELDS 1 a", "HPTTL n FIELDS 1 a", "HEXPIRE h 1 FIELDS 1 a", "HGETDEL h FIELDS 1 a")
    assert (driver.machine.tally.hits, driver.machine.tally.misses) == (1, 1)


def test_what_changes_nothing_is_no_change() -> None:
    """The version of the key stays: WATCH does not see it, and no replica writes."""
    driver = begun(H, "HEXPIRE h 10 FIELDS 1 a")
    changes = driver.machine.changes
    lines = ["HEXPIRE h 10 NX FIELDS 2 a x", "HPERSIST h FIELDS 2 b x", "HGETDEL h FIELDS 1 x"]
    lines += ["HGETEX h FIELDS 1 a", "HGETEX h PERSIST FIELDS 1 b", "HSETEX h FNX FIELDS 1 a 1"]
    lines += ["HSETEX n EX 0 FIELDS 1 a 1", "HSETEX h EX 0 FIELDS 1 x 1", "HEXPIRE h 0 FIELDS 1 x"]
    driver.run(*lines)
    assert driver.machine.changes == changes


# What it takes.


def test_what_a_deadline_is_charged() -> None:
    """For each, and once for a hash that has any; all of it is given back."""
    driver = begun("HSET h " + " ".join(f"f{number} 1" for number in range(200)))
    plain = driver.machine.used_memory
    driver.one("HEXPIRE h 10 FIELDS 2 f1 f2")
    assert driver.machine.used_memory == plain + 2 * DEADLINE_BYTES + DEADLINES_BYTES
    driver.one("HEXPIRE h 20 FIELDS 1 f1")
    assert driver.machine.used_memory == plain + 2 * DEADLINE_BYTES + DEADLINES_BYTES
    driver.one("HPERSIST h FIELDS 1 f1")
    assert driver.machine.used_memory == plain + DEADLINE_BYTES + DEADLINES_BYTES
    driver.one("HSET h f2 1")
    assert driver.machine.used_memory == plain


LARGE = "HSET h " + " ".join(f"f{number} 1" for number in range(200))


@pytest.mark.parametrize("hash_", [H.replace("a", "f1"), LARGE], ids=["packed", "in parts"])
def test_full_memory(hash_: str) -> None:
    """As in Redis: what sets deadlines is refused, HGETEX has the spare room, and the way out stays open."""
    driver = begun(hash_)
    used, changes = driver.machine.used_memory, driver.machine.changes
    driver.one(f"CONFIG SET maxmemory {used + DEADLINE_BYTES}")
    for line in ("HEXPIRE h 10 FIELDS 1 f1", "HSETEX h EX 9 FIELDS 1 f1 1", "HSETEX h EX 9 FIELDS 1 x 1"):
        assert driver.one(line) == OOM
        assert driver.execute("GET x", line) == EXEC_OOM
    assert driver.machine.changes == changes
    driver.one(f"CONFIG SET maxmemory {used}")  # an eighth of it is spare
    assert driver.one("HGETEX h EX 9 FIELDS 1 f1") == (OOM if used < 5_000 else [b"1"])
    driver.one(f"CONFIG SET maxmemory {used + 5_000}")
    assert driver.run("HEXPIRE h 9 FIELDS 1 f1", "HEXPIRE h 8 FIELDS 1 f1") == [[1], [1]]
    driver.one(f"CONFIG SET maxmemory {used // 2}")
    refused = ("HEXPIRE h 9 FIELDS 1 f1", "HSETEX h FIELDS 1 f1 1", "HSETEX h EX 0 FIELDS 1 f1 1")
    assert driver.run(*refused) == [OOM] * 3
    lines = [
        "HTTL h FIELDS 1 f1",
        "HGETEX h EX 9 FIELDS 1 f1",
        "HPERSIST h FIELDS 1 f1",
        "HGETDEL h FIELDS 1 f1",
    ]
    assert driver.run(*lines) == [[8], [b"1"], [1], [b"1"]]


def test_a_transaction_meets_no_full_memory_half_way() -> None:
    """The bound of its growth has room for what is packed and has to be in parts from then on."""
    for spare in range(1_000, 20_000, 500):
        driver = begun("HSET h " + " ".join(f"f{number} 1" for number in range(128)))
        driver.one(f"CONFIG SET maxmemory {driver.machine.used_memory + spare}")
        reply = driver.execute("SET s 1", "HEXPIRE h 9 FIELDS 1 f1")
        assert reply == EXEC_OOM or (isinstance(reply, list) and reply[1] == [1])


def test_limits_of_a_value() -> None:
    """As for HSET."""
    driver = Driver()
    args = (b"HSETEX", b"h", b"EX", b"9", b"FIELDS", b"1", b"f")
    assert driver.call(*args, bytes(VALUE_BYTES_MAX + 1)) == STRING_TOO_LONG
    assert driver.call(*args, bytes(VALUE_BYTES_MAX)) == 1


def test_long_values_that_expire_are_freed_later() -> None:
    """They count by their bytes, as long strings do."""
    driver = begun(H)
    driver.call(b"HSETEX", b"h", b"PX", b"5", b"FIELDS", b"1", b"f", bytes(1 << 20))
    while driver.machine.release(1000):
        pass
    driver.pass_ms(5)
    assert driver.machine.discarded
    assert driver.read("HLEN h") == 3


def test_syntax_of_hrandfield_stays() -> None:
    """It was gone over for fields that are due."""
    driver = unreaped()
    assert driver.run("HRANDFIELD h 1 VALUES", "HRANDFIELD n 1", "HRANDFIELD h 0") == [SYNTAX, [], []]
