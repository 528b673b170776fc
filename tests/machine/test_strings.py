"""Strings and counters: against a dict, and the answers at their edges."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.machine.driving import NOW, Driver, words
from trikv.machine.errors import (
    KEY_TOO_LONG,
    NOT_FLOAT,
    NOT_INTEGER,
    OFFSET_RANGE,
    OOM,
    OVERFLOW,
    SYNTAX,
    invalid_expire,
    wrong_arity,
)
from trikv.machine.replies import OK, CommandError, Reply

KEYS = st.sampled_from([b"a", b"b", b"c"])
VALUES = st.sampled_from([b"", b"1", b"-7", b"x", b"0.5", b"long value"])
NUMBERS = st.integers(-12, 12).map(lambda number: b"%d" % number)


def is_number(text: bytes) -> bool:
    """The model's numbers are short."""
    return text.lstrip(b"-").isdigit()


def model_incrby(data: dict[bytes, bytes], key: bytes, amount: bytes) -> Reply:
    """INCRBY on a dict."""
    old = data.get(key, b"0")
    if not is_number(old):
        return NOT_INTEGER
    data[key] = b"%d" % (int(old) + int(amount))
    return int(data[key])


def model_incrbyfloat(data: dict[bytes, bytes], key: bytes, amount: bytes) -> Reply:
    """INCRBYFLOAT on a dict, for the few values used here."""
    old = data.get(key, b"0")
    if old != b"0" and not old.replace(b".", b"", 1).lstrip(b"-").isdigit():
        return NOT_FLOAT
    total = Decimal(old.decode()) + Decimal(amount.decode())
    data[key] = (f"{total:f}".rstrip("0").rstrip(".") if "." in f"{total:f}" else f"{total:f}").encode()
    return data[key]


def model_set(data: dict[bytes, bytes], key: bytes, value: bytes, option: bytes) -> Reply:
    """SET with one option on a dict."""
    old = data.get(key)
    if (option == b"NX" and old is not None) or (option == b"XX" and old is None):
        return None
    data[key] = value
    return old if option == b"GET" else OK


def model_append(data: dict[bytes, bytes], key: bytes, value: bytes) -> Reply:
    """APPEND on a dict."""
    data[key] = data.get(key, b"") + value
    return len(data[key])


def model_setrange(data: dict[bytes, bytes], key: bytes, offset: bytes, value: bytes) -> Reply:
    """SETRANGE on a dict."""
    start = int(offset)
    if start < 0:
        return OFFSET_RANGE
    old = data.get(key, b"")
    if value:
        buffer = bytearray(max(len(old), start + len(value)))
        buffer[: len(old)] = old
        buffer[start : start + len(value)] = value
        data[key] = bytes(buffer)
    return len(data.get(key, b""))


def model_getrange(data: dict[bytes, bytes], key: bytes, start: bytes, end: bytes) -> Reply:
    """GETRANGE on a dict, byte by byte."""
    value, first, last = data.get(key, b""), int(start), int(end)
    if first < 0 and last < 0 and first > last:
        return b""
    places = range(len(value))
    low = max(first + len(value), 0) if first < 0 else first
    high = max(last + len(value), 0) if last < 0 else last
    return bytes(value[place] for place in places if low <= place <= high)


def model_msetnx(data: dict[bytes, bytes], *pairs: bytes) -> Reply:
    """MSETNX on a dict."""
    fresh = dict(zip(pairs[::2], pairs[1::2], strict=True))
    if fresh.keys() & data.keys():
        return 0
    data.update(fresh)
    return 1


def model_setnx(data: dict[bytes, bytes], key: bytes, value: bytes) -> Reply:
    """SETNX on a dict."""
    return int(data.setdefault(key, value) is value) if key not in data else 0


def model_mset(data: dict[bytes, bytes], *pairs: bytes) -> Reply:
    """MSET on a dict."""
    data.update(zip(pairs[::2], pairs[1::2], strict=True))
    return OK


def model_getset(data: dict[bytes, bytes], key: bytes, value: bytes) -> Reply:
    """GETSET on a dict."""
    old = data.get(key)
    data[key] = value
    return old


MODEL: dict[bytes, Callable[..., Reply]] = {
    b"SET": model_set,
    b"SETNX": model_setnx,
    b"GET": lambda data, key: data.get(key),
    b"GETEX": lambda data, key: data.get(key),
    b"GETDEL": lambda data, key: data.pop(key, None),
    b"GETSET": model_getset,
    b"MGET": lambda data, *keys: [data.get(key) for key in keys],
    b"MSET": model_mset,
    b"MSETNX": model_msetnx,
    b"APPEND": model_append,
    b"STRLEN": lambda data, key: len(data.get(key, b"")),
    b"GETRANGE": model_getrange,
    b"SUBSTR": model_getrange,
    b"SETRANGE": model_setrange,
    b"INCR": lambda data, key: model_incrby(data, key, b"1"),
    b"DECR": lambda data, key: model_incrby(data, key, b"-1"),
    b"INCRBY": model_incrby,
    b"DECRBY": lambda data, key, amount: model_incrby(data, key, b"%d" % -int(amount)),
    b"INCRBYFLOAT": model_incrbyfloat,
    b"DEL": lambda data, *keys: sum(data.pop(key, None) is not None for key in keys),
    b"EXISTS": lambda data, *keys: sum(key in data for key in keys),
}
SHAPES: list[st.SearchStrategy[tuple[bytes, ...]]] = [
    st.tuples(st.just(b"SET"), KEYS, VALUES, st.sampled_from([b"NX", b"XX", b"GET", b"KEEPTTL"])),
    st.tuples(st.sampled_from([b"SETNX", b"GETSET", b"APPEND"]), KEYS, VALUES),
    st.tuples(
        st.sampled_from([b"GET", b"GETEX", b"GETDEL", b"STRLEN", b"INCR", b"DECR", b"DEL", b"MGET"]), KEYS
    ),
    st.tuples(st.sampled_from([b"MGET", b"EXISTS", b"DEL"]), KEYS, KEYS),
    st.tuples(st.sampled_from([b"MSET", b"MSETNX"]), KEYS, VALUES, KEYS, VALUES),
    st.tuples(st.sampled_from([b"GETRANGE", b"SUBSTR"]), KEYS, NUMBERS, NUMBERS),
    st.tuples(st.just(b"SETRANGE"), KEYS, NUMBERS, VALUES),
    st.tuples(st.sampled_from([b"INCRBY", b"DECRBY"]), KEYS, NUMBERS),
    st.tuples(st.just(b"INCRBYFLOAT"), KEYS, st.sampled_from([b"0.25", b"-3", b"100"])),
]


@given(st.lists(st.one_of(SHAPES), max_size=25))
@settings(max_examples=100, deadline=None)
def test_against_a_dict(commands: list[tuple[bytes, ...]]) -> None:
    """Any sequence answers what the same steps on a dict answer, and leaves the same data."""
    data: dict[bytes, bytes] = {}
    driver = Driver()
    expected = [MODEL[command[0]](data, *command[1:]) for command in commands]
    assert driver.submit(commands) == expected
    assert driver.machine.read(0, [(b"GET", key) for key in data]) == list(data.values())
    assert driver.machine.keys() == len(data)


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("SET a 1 NX XX", SYNTAX),
        ("SET a 1 EX", SYNTAX),
        ("SET a 1 EX 5 PX 5", SYNTAX),
        ("SET a 1 EX 5 KEEPTTL", SYNTAX),
        ("SET a 1 PERSIST", SYNTAX),
        ("SET a 1 EX x", NOT_INTEGER),
        ("SET a 1 EX 0", invalid_expire("set")),
        ("SET a 1 PX 9223372036854775807", invalid_expire("set")),
        ("SETEX a 0 v", invalid_expire("setex")),
        ("PSETEX a x v", NOT_INTEGER),
        ("GETEX num EX 5 PERSIST", SYNTAX),
        ("GETEX num FOO", SYNTAX),
        ("GETEX num PX 0", invalid_expire("getex")),
        ("GETEX absent PX 0", None),
        ("MSET a 1 b", wrong_arity("mset")),
        ("MSETNX a 1 b", wrong_arity("msetnx")),
        ("GETRANGE num x 1", NOT_INTEGER),
        ("GETRANGE num -1 -2", b""),
        ("GETRANGE num 1 x", NOT_INTEGER),
        ("SETRANGE num x v", NOT_INTEGER),
        ("SETRANGE num -1 v", OFFSET_RANGE),
        ("INCR text", NOT_INTEGER),
        ("INCRBY num x", NOT_INTEGER),
        ("DECRBY num x", NOT_INTEGER),
        ("DECRBY num -9223372036854775808", CommandError("ERR decrement would overflow")),
        ("INCRBY num 9223372036854775807", OVERFLOW),
        ("INCRBYFLOAT text 1", NOT_FLOAT),
        ("INCRBYFLOAT num x", NOT_FLOAT),
        ("INCRBYFLOAT huge 9e4931", CommandError("ERR increment would produce NaN or Infinity")),
    ],
)
def test_refusals_change_nothing(line: str, reply: Reply) -> None:
    """Each error has Redis' text, and what was there is still there."""
    driver = Driver()
    driver.run("SET num 5", "SET text x", "SET huge 9e4931")
    changes = driver.machine.changes
    assert driver.one(line) == reply
    assert driver.machine.changes == changes


def test_counters_count() -> None:
    """From nothing on, up and down."""
    driver = Driver()
    commands = ("INCR n", "DECR n", "DECR n", "INCRBY n 10", "DECRBY n 4", "INCRBYFLOAT n 0.5")
    assert driver.run(*commands) == [1, 0, -1, 9, 5, b"5.5"]


def test_deadlines_of_set() -> None:
    """EX PX EXAT PXAT set a deadline, KEEPTTL keeps it, a plain SET drops it, the past means absent."""
    driver = Driver()
    for option, deadline in (
        ("EX 5", NOW + 5000),
        ("px 5", NOW + 5),
        (f"EXAT {NOW // 1000 + 9}", NOW + 9000),
        (f"PXAT {NOW + 7}", NOW + 7),
        ("EX 1 EX 2", NOW + 2000),
    ):
        assert driver.run(f"SET a v {option}", "PEXPIRETIME a") == [OK, deadline]
    assert driver.run("SET a w KEEPTTL GET", "PEXPIRETIME a") == [b"v", NOW + 2000]
    assert driver.run("SET a w NX GET", "SET b w XX GET") == [b"w", None]
    assert driver.run("SET a x", "PEXPIRETIME a") == [OK, -1]
    assert driver.run("SET a y PXAT 1", "EXISTS a") == [OK, 0]
    assert driver.run("SETEX a 3 v", "PEXPIRETIME a", "PSETEX a 3 v", "PEXPIRETIME a") == [
        OK,
        NOW + 3000,
        OK,
        NOW + 3,
    ]
    assert driver.run("SET n 1 KEEPTTL", "TTL n") == [OK, -1]


def test_getset_removes_the_deadline() -> None:
    """As SET does."""
    driver = Driver()
    assert driver.run("SET a 1 PX 70", "GETSET a 2", "PTTL a") == [OK, b"1", -1]
    driver.pass_ms(70)
    assert driver.one("GET a") == b"2"


def test_setrange_with_nothing_to_write_changes_nothing() -> None:
    """An empty value answers the present length, makes no key, and is no change for WATCH."""
    driver = Driver()
    assert driver.run((b"SETRANGE", b"absent", b"5", b""), "EXISTS absent") == [0, 0]
    driver.one("SET k value")
    changes = driver.machine.changes
    assert driver.one((b"SETRANGE", b"k", b"2", b"")) == 5
    assert driver.machine.changes == changes
    assert driver.one((b"SETRANGE", b"k", b"1", b"XY")) == 5
    assert driver.one("GET k") == b"vXYue"


def test_changes_keep_the_deadline() -> None:
    """INCR, APPEND, SETRANGE and INCRBYFLOAT leave the time a key has; GETSET and MSET do not."""
    driver = Driver()
    driver.one("SET a 1 PX 50")
    for line in ("INCR a", "APPEND a 0", "SETRANGE a 0 3", "INCRBYFLOAT a 1", "DECRBY a 2"):
        driver.one(line)
        assert driver.one("PTTL a") == 50
    assert driver.run("GETSET a 5", "PTTL a") == [b"29", -1]


def test_getex() -> None:
    """Answers the value; sets a deadline, removes it, or deletes where that has passed."""
    driver = Driver()
    driver.one("SET a v")
    assert driver.run("GETEX a", "GETEX a EX 5", "TTL a", "GETEX a", "TTL a") == [b"v", b"v", 5, b"v", 5]
    assert driver.run("GETEX a PERSIST", "TTL a", "GETEX a PERSIST") == [b"v", -1, b"v"]
    assert driver.run("GETEX a PXAT 1", "GET a") == [b"v", None]


def test_words_helper_splits_lines() -> None:
    """Commands in tests are lines where they can be."""
    assert words("SET a 1") == (b"SET", b"a", b"1")


def test_mget_answers_none_for_what_is_no_string() -> None:
    """As Redis does; the other keys are answered, and it counts as found."""
    driver = Driver()
    driver.run("SET a 1", "RPUSH list x", "HSET hash f v")
    hits = driver.machine.tally.hits
    assert driver.one("MGET a list absent hash a") == [b"1", None, None, None, b"1"]
    assert driver.machine.tally.hits - hits == 4


@pytest.mark.parametrize("cap", [0, 300_000])
def test_mset_of_long_values_and_a_full_memory(cap: int) -> None:
    """All of it or nothing, whether the pairs are long, packed or refused."""
    driver = Driver(cap=cap)
    long = b"x" * 70_000
    assert driver.call(b"MSET", b"a", long, b"b", b"short", b"c", long) == OK
    assert driver.one("MGET a b c") == [long, b"short", long]
    assert driver.call(b"MSETNX", b"c", b"1", b"d", long) == 0
    reply = driver.call(b"MSET", b"d", long, b"e", long, b"f", long, b"a", b"2", b"g", long)
    assert reply == (OOM if cap else OK)
    assert driver.one("MGET a d") == ([long, None] if cap else [b"2", long])
    assert driver.call(b"MSET", b"h", b"1", b"i" * 70_000, b"2") == KEY_TOO_LONG
    assert driver.one("EXISTS h") == 0
