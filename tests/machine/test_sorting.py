"""SORT and SORT_RO: orders, limits, patterns, ties, and no step that takes long."""

import random
from typing import Any

import pytest

from tests.machine.dialogue import check
from tests.machine.driving import Driver, reborn
from trikv.machine.call import Call
from trikv.machine.commands import TABLE, sorting
from trikv.machine.commands.sorting import COMMANDS
from trikv.machine.declaration import By
from trikv.machine.grammar import Key
from trikv.machine.numerics import parse_weight
from trikv.machine.replies import CommandError, Reply, Streamed
from trikv.machine.table import CommandTable

NOT_NUMBERS = CommandError("ERR One or more scores can't be converted into double")


def rows_of(reply: object) -> list[Any]:
    """The rows of a reply, however it was made."""
    if isinstance(reply, Streamed):
        found: list[Any] = []
        while not reply.is_over:
            found += reply.step()
        assert reply.error is None
        assert len(found) == reply.count
        return found
    assert isinstance(reply, list)
    return reply


def test_orders() -> None:
    """By numbers or by bytes, up or down; lists, sets and sorted sets."""
    check("""
        RPUSH l 3 10 -2 1e1 0.5 -> 5
        SORT l -> [-2 0.5 3 10 1e1]
        SORT l DESC -> [1e1 10 3 0.5 -2]
        SORT l DESC ASC -> [-2 0.5 3 10 1e1]
        SORT l ALPHA -> [-2 0.5 10 1e1 3]
        SORT_RO l ALPHA DESC -> [3 1e1 10 0.5 -2]
        SORT l LIMIT 1 2 -> [0.5 3]
        SORT l LIMIT -5 2 DESC -> [1e1 10]
        SORT l LIMIT 3 -1 -> [10 1e1]
        SORT l LIMIT 9 9 -> []
        SORT l LIMIT 1 0 -> []
        SORT absent -> []
        SORT_RO absent -> []
        SADD s 3 1 2 -> 3
        SORT s DESC -> [3 2 1]
        ZADD z 1 30 2 20 3 10 -> 3
        SORT z -> [10 20 30]
        SORT_RO z LIMIT 0 1 -> [10]
        SET k v -> OK
        SORT k -> WRONGTYPE Operation against a key holding the wrong kind of value
        SORT_RO k -> WRONGTYPE Operation against a key holding the wrong kind of value
        HSET h a 1 -> 1
        SORT h -> WRONGTYPE Operation against a key holding the wrong kind of value
    """)


def test_options_in_their_words() -> None:
    """What contradicts the grammar, or is no number."""
    check("""
        RPUSH l 1 -> 1
        SORT l LIMIT 1 -> ERR syntax error
        SORT l LIMIT x 1 -> ERR value is not an integer or out of range
        SORT l LIMIT 1 y -> ERR value is not an integer or out of range
        SORT l BY -> ERR syntax error
        SORT l GET -> ERR syntax error
        SORT l STORE -> ERR syntax error
        SORT l foo -> ERR syntax error
        SORT_RO l STORE k -> ERR syntax error
        RPUSH l a -> 2
        SORT l -> ERR One or more scores can't be converted into double
        SORT_RO l -> ERR One or more scores can't be converted into double
        SORT l STORE k -> ERR One or more scores can't be converted into double
        SORT l ALPHA -> [1 a]
        EXISTS k -> 0
    """)


def test_patterns() -> None:
    """Other keys, and fields of hashes, say where an element belongs, and what is answered for it."""
    check("""
        RPUSH l 1 2 3 -> 3
        MSET w1 30 w2 20 w3 10 v1x one v3x three -> OK
        HSET h1 f 5 -> 1
        HSET h2 f 9 -> 1
        HSET h3 g 1 -> 1
        SORT l BY w* -> [3 2 1]
        SORT_RO l BY w* DESC -> [1 2 3]
        SORT l BY h*->f -> [3 1 2]
        SORT l BY w* GET # GET v*x GET h*->f -> [3 three nil 2 nil 9 1 one 5]
        SORT_RO l GET v*x -> [one nil three]
        SORT l GET nostar GET * GET l->f -> [nil nil nil nil nil nil nil nil nil]
        SORT l GET h*-> -> [nil nil nil]
        SORT l BY h* -> [1 2 3]
        SORT l BY v*x ALPHA -> [2 1 3]
        SORT l BY v*x ALPHA DESC -> [3 1 2]
        SORT l BY v*x -> ERR One or more scores can't be converted into double
        SORT l BY w*->f -> [1 2 3]
        SET empty3 . -> OK
        SORT l BY empty* -> [1 2 3]
        SORT l GET vvvv*x*70000 -> [nil nil nil]
    """)
    driver = Driver()
    driver.run("RPUSH l 1 2", "HSET h1 f 5 g x", "HSET h2 f 3")
    driver.call(b"HSET", b"h2", b"long", b"." * 100)  # it is in parts from now on
    assert driver.one("SORT l BY h*->f") == [b"2", b"1"]
    driver.run("HPEXPIRE h2 50 FIELDS 1 f")
    driver.now += 100
    driver.batch()
    assert driver.one("SORT l BY h*->f GET h*->f") == [None, b"5"]
    driver.call(b"RPUSH", b"long", b"x" * 70_000)
    assert driver.one("SORT long ALPHA GET w*") == [None], "no key has so long a name"


def test_nothing_is_sorted_if_asked_so() -> None:
    """A list and a sorted set keep their order, or have it turned round; a set is sorted if it is stored."""
    check("""
        RPUSH l 3 1 2 a -> 4
        SORT l BY nosort -> [3 1 2 a]
        SORT l BY nosort DESC -> [a 2 1 3]
        SORT l BY nosort LIMIT 1 2 -> [1 2]
        SORT_RO l BY nosort DESC LIMIT 1 2 -> [2 1]
        SORT l BY nosort BY w* -> [3 1 2 a]
        ZADD z 1 c 2 b 3 a -> 3
        SORT z BY nosort -> [c b a]
        SORT z BY nosort DESC -> [a b c]
        SORT z BY nosort DESC LIMIT 0 1 -> [a]
        SORT z BY nosort LIMIT 1 5 GET # -> [b a]
        SADD s b -> 1
        SORT s BY nosort -> [b]
        SADD s c a -> 2
        SORT s BY nosort STORE k -> 3
        LRANGE k 0 -1 -> [a b c]
        SORT s BY nosort DESC LIMIT 0 2 STORE k -> 2
        LRANGE k 0 -1 -> [c b]
        SORT_RO s BY nosort LIMIT 0 0 -> []
    """)


def test_elements_that_are_alike_keep_an_order() -> None:
    """Of one number: that of their bytes. Of one text of another key: that in which they come."""
    check("""
        RPUSH l 1.0 1 01 1e0 -> 4
        SORT l -> [01 1 1.0 1e0]
        SORT l DESC -> [1e0 1.0 1 01]
        RPUSH m c a b a -> 4
        SORT m BY none* ALPHA -> [c a b a]
        SORT m BY none* ALPHA DESC -> [c a b a]
        SORT m BY none* -> [a a b c]
        MSET ta x tb x tc w -> OK
        SORT m BY t* ALPHA -> [c a b a]
        SORT m BY t* ALPHA DESC -> [a b a c]
    """)


def test_what_is_sorted_is_stored() -> None:
    """As a list, with empty strings for what is not there; of nothing there is no list."""
    check("""
        RPUSH l 2 1 -> 2
        SET w1 one -> OK
        SORT l GET w* GET # STORE k -> 4
        LRANGE k 0 -1 -> [one 1 . 2]
        EXPIRE k 100 -> 1
        SORT l STORE k -> 2
        TTL k -> -1
        SORT l STORE l -> 2
        LRANGE l 0 -1 -> [1 2]
        SORT absent STORE k -> 0
        EXISTS k -> 0
        SET k v -> OK
        SORT l LIMIT 5 5 STORE k -> 0
        EXISTS k -> 0
        SORT l LIMIT 0 1 DESC STORE k STORE j -> 1
        EXISTS k -> 0
        LRANGE j 0 -1 -> [2]
    """)


def test_keys_of_a_call() -> None:
    """The key that is sorted, and the last that is to be stored; as Redis finds them."""
    sort, read = COMMANDS.get("SORT"), COMMANDS.get("SORT_RO")
    assert sort is not None
    assert read is not None
    for line, keys in (
        (b"SORT l", [b"l"]),
        (b"SORT l BY store GET store LIMIT 0 store STORE k", [b"l", b"k"]),
        (b"SORT l STORE k ASC STORE j", [b"l", b"j"]),
        (b"SORT l STORE", [b"l"]),
    ):
        assert list(sort.keys.among(line.split())) == keys
    assert list(read.keys.among((b"SORT_RO", b"l", b"STORE", b"k"))) == [b"l"]


@pytest.mark.parametrize(
    ("weight", "number"),
    [
        (b"", 0.0),
        (b" 7", 7.0),
        (b"7 ", None),
        (b"7\0x", 7.0),
        (b" ", None),
        (b"inf", float("inf")),
        (b"nan", None),
        (b"1e400", None),
        (b"5e-324", None),
        (b"0x10", 16.0),
        (b"1" * 6000, None),
        (b"-0", -0.0),
    ],
)
def test_weights_are_read_as_by_c(weight: bytes, number: float | None) -> None:
    """As strtod does, and its errors are errors."""
    assert parse_weight(weight) == number


def filled(count: int) -> tuple[Driver, list[bytes]]:
    """A list of so many numbers in some order, each with a rank of its own under another key."""
    driver = Driver()
    numbers = [b"%d" % number for number in range(count)]
    random.Random(1).shuffle(numbers)
    for at in range(0, count, 5_000):
        driver.call(b"RPUSH", b"l", *numbers[at : at + 5_000])
    return driver, numbers


@pytest.mark.parametrize(
    "options", ["", "DESC", "ALPHA", "ALPHA DESC", "BY nosort", "BY nosort DESC", "LIMIT 700 1500"]
)
def test_long_sorts_go_in_steps(options: str) -> None:
    """A read answers from what was there when it came; a write stops inside its entry."""
    driver, numbers = filled(20_000)
    read = driver.read(f"SORT_RO l {options}")
    assert isinstance(read, Streamed)
    driver.call(b"LPUSH", b"l", b"-1")
    driver.one("LPOP l")
    driver.one("LSET l 5 77777777")
    key: Any = None if "ALPHA" in options else float
    expected = numbers if "nosort" in options else sorted(numbers, key=key)
    expected = expected[::-1] if "DESC" in options else expected
    expected = expected[700:2200] if "LIMIT" in options else expected
    assert rows_of(read) == expected
    driver.call(b"LSET", b"l", b"5", numbers[5])
    assert driver.one(f"SORT l {options} STORE k") == len(expected)
    assert rows_of(driver.read("LRANGE k 0 -1")) == expected
    assert rows_of(driver.one(f"SORT l {options}")) == expected
    assert reborn(driver.machine).digest() == driver.machine.digest()


def test_long_sorts_by_other_keys_look_at_one_instant() -> None:
    """What is written while the answer is made does not show: neither in the order nor in what is got."""
    driver, numbers = filled(1_200)
    for number in numbers:
        driver.call(b"SET", b"w" + number, b"%d" % (-int(number)))
    driver.call(b"HSET", b"h" + numbers[0], b"f", b"x")
    read = driver.read("SORT_RO l BY w* GET # GET w* GET h*->f")
    assert isinstance(read, Streamed)
    read.step()
    driver.run("DEL w5", "SET w7 100", "FLUSHALL", "SET w9 1")
    expected = sorted(numbers, key=lambda number: -int(number))
    rows = rows_of(read)
    assert rows[::3] == expected
    assert rows[1::3] == [b"%d" % -int(number) for number in expected]
    assert [row for row in rows[2::3] if row] == [b"x"]
    none = Driver()
    assert rows_of(none.read("SORT_RO l BY w*")) == []


def test_what_is_no_number_is_said_at_the_end_of_weighing() -> None:
    """By a long read before its first row, by a write before its first change; neither is a bug of a node."""
    driver, _ = filled(3_000)
    driver.one("RPUSH l x")
    read = driver.read("SORT_RO l")
    assert isinstance(read, Streamed)
    while not read.is_over:
        assert not read.step()
    assert read.error == NOT_NUMBERS
    assert driver.one("SORT l STORE k") == NOT_NUMBERS
    assert driver.machine.poison_count == 0


def test_no_room_for_what_is_sorted() -> None:
    """It is given up before anybody sees it."""
    driver = Driver(cap=150_000)
    for at in range(0, 6_000, 1_000):
        driver.call(b"RPUSH", b"l", *[b"%07d" % number for number in range(at, at + 1_000)])
    driver.call(b"SET", b"full", b"." * (145_000 - driver.machine.used_memory))
    found = driver.one("SORT l STORE k")
    assert isinstance(found, CommandError)
    assert found.text.startswith("OOM")
    assert driver.read("EXISTS k") == 0


def test_a_step_looks_for_a_few_values_only() -> None:
    """However many patterns there are for one element."""
    driver = Driver()
    driver.one("RPUSH l 1 2 3")
    asked = sorting._parsed([b"GET", b"w*"] * 100, can_store=False)
    assert not isinstance(asked, CommandError)
    db = driver.machine.space.databases[0]
    source = sorting._source(db, b"l")
    assert source is not None
    sizes = [len(step) for step in sorting._Sorting(db, source, asked)._shown(db.find)]
    assert sum(sizes) == 300
    assert max(sizes) <= 64
    inside = driver.execute("LLEN l", "SORT_RO l GET w*")
    assert inside == [3, [None] * 3]


OWN = CommandTable()


@OWN.command("NESTED", by=By.LOG, group="test")
def nested(call: Call, key: Key) -> Reply:
    """What SORT_RO answers inside of another command."""
    return [call.run([b"SORT_RO", key])]


def test_a_command_that_calls_it_gets_its_error() -> None:
    """It is an answer of SORT's, not an exception of the caller's."""
    driver = Driver(table=TABLE.merged_with(OWN))
    driver.one("RPUSH l 2 1")
    assert driver.one("NESTED l") == [[b"1", b"2"]]
    driver.one("RPUSH l x")
    assert driver.one("NESTED l") == [NOT_NUMBERS]
