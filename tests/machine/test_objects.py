"""COPY, MOVE and OBJECT, whatever a key holds."""

import pytest

from tests.machine.dialogue import check, words
from tests.machine.driving import Driver


def test_copies() -> None:
    """Of value and deadline, to a free name or over another, here or in another database."""
    check("""
        SET a text EX 100 -> OK
        COPY a b -> 1
        TTL b -> 100
        COPY a b -> 0
        RPUSH l 1 2 3 -> 3
        COPY l b -> 0
        COPY l b REPLACE -> 1
        LRANGE b 0 -1 -> [1 2 3]
        TTL b -> -1
        COPY absent b REPLACE -> 0
        COPY a a -> ERR source and destination objects are the same
        COPY a a DB 1 -> 1
        COPY a a DB 1 -> 0
        COPY a a REPLACE DB 1 -> 1
        COPY a b DB 16 -> ERR DB index is out of range
        COPY a b DB -1 -> ERR DB index is out of range
        COPY a b DB x -> ERR value is not an integer or out of range
        COPY a b DB 99999999999 -> ERR value is out of range, value must between -2147483648 and 2147483647
        COPY a b DB -> ERR syntax error
        COPY a b foo -> ERR syntax error
    """)


def test_moves() -> None:
    """To the same name in another database, if that is free there."""
    check("""
        HSET h f v -> 1
        MOVE h 1 -> 1
        EXISTS h -> 0
        MOVE h 1 -> 0
        HSET h g w -> 1
        MOVE h 1 -> 0
        MOVE h 0 -> ERR source and destination objects are the same
        MOVE h 16 -> ERR DB index is out of range
        MOVE h x -> ERR value is not an integer or out of range
        MOVE h 99999999999 -> ERR value is out of range, value must between -2147483648 and 2147483647
        HGETALL h -> {g=w}
    """)


def test_encodings() -> None:
    """As Redis would have them at its own limits."""
    check("""
        MSET i 17 s text l x*45 -> OK
        OBJECT ENCODING i -> int
        OBJECT ENCODING s -> embstr
        OBJECT ENCODING l -> raw
        OBJECT ENCODING absent -> nil
        HSET h f v -> 1
        OBJECT ENCODING h -> listpack
        HSET h f v*65 -> 0
        OBJECT ENCODING h -> hashtable
        HSET g 1..1024 -> 512
        OBJECT ENCODING g -> listpack
        HSET g f v -> 1
        OBJECT ENCODING g -> hashtable
        HSET t 1..600 -> 300
        HEXPIRE t 100 FIELDS 1 1 -> [1]
        OBJECT ENCODING t -> hashtable
        RPUSH r a -> 1
        OBJECT ENCODING r -> listpack
        RPUSH r a*65 1..200 -> 202
        OBJECT ENCODING r -> listpack
        RPUSH r 200 -5000 70000 -9000000 3000000000 a*5000 -> 208
        OBJECT ENCODING r -> listpack
        RPUSH r a1..1500 -> 1708
        OBJECT ENCODING r -> quicklist
        RPUSH q 1..5000 -> 5000
        OBJECT ENCODING q -> quicklist
        SADD n 1 2 -> 2
        OBJECT ENCODING n -> intset
        SADD n a -> 1
        OBJECT ENCODING n -> listpack
        SADD n m1..200 -> 200
        OBJECT ENCODING n -> hashtable
        ZADD z 1 a -> 1
        OBJECT ENCODING z -> listpack
        ZADD z 1 a*65 -> 1
        OBJECT ENCODING z -> skiplist
        OBJECT REFCOUNT z -> 1
        OBJECT REFCOUNT absent -> nil
        OBJECT IDLETIME z -> 0
        OBJECT IDLETIME absent -> nil
        OBJECT FREQ absent -> nil
    """)


@pytest.mark.parametrize("fill", ["HSET k f v", "RPUSH k a", "SADD k a", "ZADD k 1 a", "SET k a"])
def test_a_name_is_taken_over_whatever_had_it(fill: str) -> None:
    """RENAME leaves nothing of it, nor of its account (the driver compares)."""
    for other in ("HSET n f1..200", "RPUSH n f1..300", "SADD n f1..300", "SET n x*5000"):
        driver = Driver()
        check(f"{fill} -> {'OK' if fill.startswith('SET') else 1}", driver)
        alone = driver.machine.used_memory
        driver.one(words(other))
        check("RENAME k n -> OK\nEXISTS k -> 0", driver)
        assert driver.machine.used_memory == alone


def test_no_room_for_a_copy() -> None:
    """It is refused, and nothing is done; what moves takes no more than it did."""
    driver = Driver(cap=9_000)
    driver.run([b"SET", b"a", b"x" * 6_000])
    check(
        """
        COPY a b -> OOM command not allowed when used memory > 'maxmemory'.
        EXISTS b -> 0
        MOVE a 1 -> 1
        """,
        driver,
    )
