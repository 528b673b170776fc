"""Bits of strings: single ones, counts and places, several values joined, integers of any width."""

from tests.machine.dialogue import check
from tests.machine.driving import Driver


def test_single_bits() -> None:
    """Bit 0 is the highest of the first byte; a value is filled up with zeros, and behind it are more."""
    check("""
        SETBIT k 7 1 -> 0
        GET k -> \\x01
        SETBIT k 7 1 -> 1
        SETBIT k 15 1 -> 0
        STRLEN k -> 2
        SETBIT k 7 0 -> 1
        GETBIT k 15 -> 1
        GETBIT k 14 -> 0
        GETBIT k 1000 -> 0
        GETBIT absent 0 -> 0
        SETBIT k -1 1 -> ERR bit offset is not an integer or out of range
        SETBIT k x 1 -> ERR bit offset is not an integer or out of range
        SETBIT k 99999999999 1 -> ERR bit offset is not an integer or out of range
        SETBIT k 0 2 -> ERR bit is not an integer or out of range
        GETBIT k 67108864 -> 0
        GETBIT k 4294967295 -> 0
        GETBIT k 4294967296 -> ERR bit offset is not an integer or out of range
        SETBIT k 67108864 1 -> ERR bit offset is not an integer or out of range
        GETBIT k -1 -> ERR bit offset is not an integer or out of range
        RPUSH l a -> 1
        SETBIT l 0 1 -> WRONGTYPE Operation against a key holding the wrong kind of value
        GETBIT l 0 -> WRONGTYPE Operation against a key holding the wrong kind of value
    """)


def test_counting() -> None:
    """Of a whole value, some bytes, or some bits; negative places count from the end."""
    check("""
        SET k foobar -> OK
        BITCOUNT k -> 26
        BITCOUNT k 0 0 -> 4
        BITCOUNT k 1 -2 -> 18
        BITCOUNT k 5 30 BIT -> 17
        BITCOUNT k 5 30 byte -> 4
        BITCOUNT k 1 2 BIT -> 2
        BITCOUNT k 3 3 BIT -> 0
        BITCOUNT k -100 -3 -> 19
        BITCOUNT k 4 2 -> 0
        BITCOUNT k -9 -99 -> 0
        BITCOUNT k 0 0 x -> ERR syntax error
        BITCOUNT k 0 x -> ERR value is not an integer or out of range
        BITCOUNT k 0 -> ERR syntax error
        BITCOUNT absent -> 0
        BITCOUNT absent 0 -> 0
        BITCOUNT absent 0 x -> 0
    """)


def test_places() -> None:
    """Of the first bit that is 1 or 0; zeros behind a value belong to it unless an end is given."""
    check("""
        SET k foobar -> OK
        BITPOS k 1 -> 1
        BITPOS k 0 -> 0
        BITPOS k 1 2 -> 17
        BITPOS k 1 13 15 BIT -> 13
        BITPOS k 0 10 13 BIT -> 11
        BITPOS k 1 -1 -1 -> 41
        BITPOS k 1 4 2 -> -1
        BITPOS k 1 9 -> -1
        SET ones ÿÿ -> OK
        BITPOS ones 0 -> 16
        BITPOS ones 0 0 -> 16
        BITPOS ones 0 0 -1 -> -1
        BITPOS ones 0 -4 -5 -> -1
        BITPOS absent 1 -> -1
        BITPOS absent 0 -> 0
        BITPOS k 2 -> ERR The bit argument must be 1 or 0.
        BITPOS k x -> ERR value is not an integer or out of range
        BITPOS k 1 x -> ERR value is not an integer or out of range
        BITPOS k 1 0 x -> ERR value is not an integer or out of range
        BITPOS k 1 0 x z -> ERR syntax error
        BITPOS k 1 x 0 z -> ERR value is not an integer or out of range
        BITPOS k 1 0 1 z -> ERR syntax error
        BITPOS k 1 0 1 BIT 2 -> ERR syntax error
    """)


def test_places_in_long_values() -> None:
    """Far behind the beginning, whatever is sought for."""
    driver = Driver()
    driver.run([b"SET", b"zeros", b"\0" * 300_000 + b"\x10"], [b"SET", b"ones", b"\xff" * 300_000 + b"\xf7"])
    check("BITPOS zeros 1 -> 2400003\nBITPOS ones 0 -> 2400004\nBITPOS ones 0 0 9 -> -1", driver)


def test_values_are_joined() -> None:
    """The shorter are filled up with zeros; nothing is kept of nothing."""
    check("""
        MSET a abc b zz c . -> OK
        BITOP AND r a b -> 3
        GET r -> `b\\x00
        BITOP or r a b absent -> 3
        GET r -> {zc
        BITOP XOR r a a -> 3
        BITCOUNT r -> 0
        BITOP NOT r a -> 3
        BITOP AND r r a -> 3
        BITCOUNT r -> 0
        BITOP NOT r a b -> ERR BITOP NOT must be called with a single source key.
        BITOP foo r a -> ERR syntax error
        BITOP AND r c absent -> 0
        EXISTS r -> 0
        RPUSH l a -> 1
        BITOP AND r l a -> WRONGTYPE Operation against a key holding the wrong kind of value
    """)


def test_values_of_more_than_a_slice_are_joined() -> None:
    """As short ones are, with other work in between."""
    driver = Driver()
    half = b"\xf0" * (600 << 10)
    driver.run([b"SET", b"a", half], [b"SET", b"b", half + b"\x0f"])
    assert driver.one("BITOP OR r a b") == len(half) + 1
    assert driver.read("GET r") == half + b"\x0f"
    assert driver.one("BITOP NOT r a") == len(half)
    assert driver.read("BITCOUNT r") == 4 * len(half)


def test_integers() -> None:
    """Signed and unsigned, of 1 to 64 bits, at any bit or numbered in their own width."""
    check("""
        BITFIELD k SET u8 0 255 GET u8 0 GET i8 0 -> [0 255 -1]
        BITFIELD k SET i5 #1 -3 GET i5 5 INCRBY u4 100 1 -> [-4 -3 1]
        STRLEN k -> 13
        BITFIELD k GET u63 0 -> [9196350439090552832]
        BITFIELD k INCRBY i64 3 -9223372036854775808 -> [8791026472627208192]
        BITFIELD k -> []
        BITFIELD absent GET u8 0 -> [0]
        EXISTS absent -> 0
        BITFIELD_RO k GET i8 0 get u2 #1 -> [-17 2]
        BITFIELD_RO k SET u8 0 1 -> ERR BITFIELD_RO only supports the GET subcommand
        BITFIELD_RO k GET u8 -> ERR syntax error
        BITFIELD k GET u64 0 -> ERR Invalid bitfield type. Use something like i16 u8. Note...
        BITFIELD k GET i65 0 -> ERR Invalid bitfield type. Use something like i16 u8. Note...
        BITFIELD k GET x8 0 -> ERR Invalid bitfield type. Use something like i16 u8. Note that...
        BITFIELD k GET u8 4294967295 -> [0]
        BITFIELD_RO k GET i64 #67108863 -> [0]
        BITFIELD k GET u8 4294967296 -> ERR bit offset is not an integer or out of range
        BITFIELD k SET u8 67108857 1 -> ERR bit offset is not an integer or out of range
        BITFIELD k INCRBY u8 #8388608 1 -> ERR bit offset is not an integer or out of range
        BITFIELD k GET u8 -1 -> ERR bit offset is not an integer or out of range
        BITFIELD k GET u8 #x -> ERR bit offset is not an integer or out of range
        BITFIELD k GET -> ERR syntax error
        BITFIELD k SET u8 0 x -> ERR value is not an integer or out of range
        BITFIELD k foo -> ERR syntax error
        BITFIELD k OVERFLOW foo -> ERR Invalid OVERFLOW type specified
        BITFIELD k OVERFLOW -> ERR syntax error
        RPUSH l a -> 1
        BITFIELD l GET u8 0 -> WRONGTYPE Operation against a key holding the wrong kind of value
    """)


def test_integers_that_do_not_fit() -> None:
    """They wrap around, stop at the limit, or nothing is done, as was said last."""
    check("""
        BITFIELD k INCRBY u2 0 5 -> [1]
        BITFIELD k OVERFLOW SAT INCRBY u2 0 5 INCRBY i2 2 -9 INCRBY i2 4 9 -> [3 -2 1]
        BITFIELD k OVERFLOW FAIL INCRBY u2 0 1 SET i2 2 1 OVERFLOW WRAP INCRBY u2 0 1 -> [nil -2 0]
        BITFIELD k SET i8 8 200 GET i8 8 -> [0 -56]
        BITFIELD k OVERFLOW SAT SET u4 16 -1 GET u4 16 -> [0 15]
    """)


def test_no_room_for_bits() -> None:
    """A place far behind the end takes as many bytes: it is refused before anything is done."""
    for line in ("SETBIT k 80000 1", "BITFIELD k SET u8 80000 1", "BITOP NOT k other"):
        driver = Driver(cap=12_000)
        driver.run("SET k a", [b"SET", b"other", b"x" * 9_000])
        driver.now += 1
        check(f"{line} -> OOM command not allowed when used memory > 'maxmemory'.\nGET k -> a", driver)
