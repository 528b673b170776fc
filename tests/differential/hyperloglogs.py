"""HyperLogLogs, and strings that are nearly ones."""

from hypothesis import strategies as st

from tests.differential.keys import COMMON
from tests.differential.words import (
    KEYS,
    MEMBERS,
    Words,
    call,
    in_any_case,
    mixed,
    of_wrong_arity,
    row,
    some,
    weighted,
)

MANY_ELEMENTS = st.tuples(st.integers(0, 4000), st.sampled_from([10, 60, 250, 900])).map(
    lambda drawn: tuple(b"e%d" % number for number in range(drawn[0], drawn[0] + drawn[1]))
)
"""So many that a value comes to be packed."""
LONG_ELEMENTS = st.integers(0, 40).map(lambda number: b"x" * (number * 7))
ELEMENTS = weighted((5, some(MEMBERS, 0, 4)), (2, MANY_ELEMENTS), (1, some(LONG_ELEMENTS, 1, 3)))
DAMAGES = st.one_of(
    row(st.just(b"0"), in_any_case(b"HYLL", b"hyll")),
    row(st.just(b"4"), st.sampled_from([b"\0", b"\2"])),
    row(st.just(b"5"), st.sampled_from([b"\0\0\0", b"abc"])),
    row(st.just(b"8"), st.sampled_from([b"\0" * 8, b"\5" + b"\0" * 7, b"\xff" * 8, b"\xff" * 7 + b"\x7f"])),
)
"""Places and what stands there. The count is replaced whole, and no register alone: Redis may have counted.
"""
SPARSE = b"HYLL\1" + bytes(10) + b"\x80"
VALUES = st.sampled_from(
    [
        SPARSE + b"\x7f\xff",
        SPARSE + b"\x7f\xfe\x80",
        SPARSE + b"\x40\x00\x84\x84\x84\x7f\xfb",
        SPARSE + b"\x7f\xff\x80",
        SPARSE,
        b"HYLL\0" + bytes(11) + bytes(12288),
        b"HYLL\0" + bytes(10) + b"\x80" + b"\x41\x10\x04" * 4096,
        b"HYLL\0" + bytes(11) + bytes(12287),
        b"HYLL\2" + bytes(11),
        b"HYLL\1" + bytes(10),
        b"12345",
    ]
)

FILLS: Words = call(b"PFADD", KEYS, ELEMENTS)
ASKS: Words = weighted(
    (4, call(b"PFADD", KEYS, ELEMENTS)),
    (4, call(b"PFCOUNT", some(KEYS, 1, 3))),
    (3, call(b"PFMERGE", some(KEYS, 1, 3))),
    (4, call(b"GET STRLEN", KEYS)),
    (1, call(b"SET", KEYS, VALUES)),
    (1, call(b"SETRANGE", KEYS, DAMAGES)),
    (1, call(b"APPEND", KEYS, st.just(b""))),
    (2, call(b"PFDEBUG", in_any_case(b"ENCODING", b"DECODE", b"TODENSE", b"GETREG", b"foo"), KEYS)),
)
COMMANDS = mixed(FILLS, ASKS, COMMON, of_wrong_arity(b"PFADD", b"PFCOUNT", b"PFMERGE", b"PFDEBUG"))
