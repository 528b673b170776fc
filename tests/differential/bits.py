"""Commands on the bits of strings."""

from hypothesis import strategies as st

from tests.differential.keys import COMMON
from tests.differential.words import (
    INTEGERS,
    KEYS,
    MEMBERS,
    Words,
    call,
    in_any_case,
    mixed,
    of_wrong_arity,
    row,
    small,
    some,
    weighted,
)

WIDTHS = weighted(
    (12, st.sampled_from([b"u1", b"u8", b"i8", b"i64", b"u63", b"i5", b"u13", b"i1", b"u32"])),
    (1, st.sampled_from([b"u64", b"i65", b"u0", b"i0", b"x3", b"u", b"", b"U8", b"i08", b"u-1"])),
)
BITS = weighted(
    (10, small(0, 40)),
    (1, st.sampled_from([b"100", b"1000", b"200"])),
    (1, st.sampled_from([b"-1", b"x", b"", b"4294967296", b"9223372036854775807", b"1.5"])),
)
"""Places of single bits, none so far off that a value would take half a gigabyte."""
FIELDS = weighted(
    (12, BITS),
    (6, st.integers(0, 9).map(lambda number: b"#%d" % number)),
    (1, st.sampled_from([b"#-1", b"#", b"#x"])),
)
ENDS = weighted(
    (12, small(-12, 40)),
    (1, st.sampled_from([b"x", b"", b"9223372036854775807", b"-9223372036854775808"])),
)
UNIT = in_any_case(b"BIT", b"BYTE", b"BIT", b"z")
RANGES = st.one_of(
    st.just(()), row(ENDS), row(ENDS, ENDS), row(ENDS, ENDS, UNIT), row(ENDS, ENDS, UNIT, ENDS)
)
GET = row(in_any_case(b"GET"), WIDTHS, FIELDS)
GOOD = st.one_of(
    GET,
    row(in_any_case(b"SET", b"INCRBY"), WIDTHS, FIELDS, INTEGERS),
    row(in_any_case(b"INCRBY"), WIDTHS, FIELDS, INTEGERS),
    row(in_any_case(b"OVERFLOW"), in_any_case(b"WRAP", b"SAT", b"FAIL", b"y")),
)
OPERATIONS = weighted((20, GOOD), (1, row(in_any_case(b"GET", b"SET", b"OVERFLOW", b"foo"))))


def joined(parts: list[tuple[bytes, ...]]) -> tuple[bytes, ...]:
    """Operations, one after another."""
    return tuple(word for part in parts for word in part)


VALUES = st.one_of(
    st.binary(max_size=6),
    st.tuples(st.sampled_from([b"\0", b"\xff", b"\xaa", b"\1"]), st.integers(0, 12)).map(
        lambda pair: pair[0] * pair[1]
    ),
    MEMBERS,
)

FILLS: Words = call(b"SET", KEYS, VALUES)
ASKS: Words = st.one_of(
    call(b"GET STRLEN", KEYS),
    call(b"SETBIT", KEYS, BITS, st.sampled_from([b"0", b"1", b"1", b"2", b"x", b"-1", b""])),
    call(b"SETBIT", KEYS, BITS, st.sampled_from([b"0", b"1"])),
    call(b"GETBIT", KEYS, BITS),
    call(b"BITCOUNT", KEYS, RANGES),
    call(b"BITPOS", KEYS, st.sampled_from([b"0", b"1", b"1", b"0", b"2", b"x"]), RANGES),
    call(b"BITOP", in_any_case(b"AND", b"OR", b"XOR", b"NOT", b"foo"), KEYS, some(KEYS, 1, 3)),
    call(b"BITFIELD", KEYS, st.lists(OPERATIONS, max_size=3).map(joined)),
    call(b"BITFIELD", KEYS, st.lists(OPERATIONS, max_size=3).map(joined)),
    call(b"BITFIELD_RO", KEYS, st.lists(st.one_of(GET, GET, GET, OPERATIONS), max_size=3).map(joined)),
)
COMMANDS = mixed(
    FILLS,
    ASKS,
    COMMON,
    of_wrong_arity(b"SETBIT", b"GETBIT", b"BITCOUNT", b"BITPOS", b"BITOP", b"BITFIELD", b"BITFIELD_RO"),
)
