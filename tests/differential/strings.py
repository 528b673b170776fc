"""Commands on strings."""

from hypothesis import strategies as st

from tests.differential.keys import COMMON, MILLISECONDS, MOMENTS, MOMENTS_MS, SECONDS
from tests.differential.words import (
    COUNTS,
    DECIMALS,
    FLOATS,
    INTEGERS,
    KEYS,
    MEMBERS,
    Words,
    call,
    in_any_case,
    mixed,
    of_wrong_arity,
    options,
    row,
    small,
    some,
    weighted,
)

TEXTS = st.binary(max_size=12).map(lambda text: bytes(b"abc\0"[byte % 4] for byte in text))
VALUES = weighted((1, MEMBERS), (1, INTEGERS), (1, DECIMALS), (1, TEXTS))
DEADLINES = [
    row(in_any_case(b"EX"), SECONDS),
    row(in_any_case(b"PX"), MILLISECONDS),
    row(in_any_case(b"EXAT"), MOMENTS),
    row(in_any_case(b"PXAT"), MOMENTS_MS),
]
PLACES = weighted((12, small(-1, 30)), (1, st.sampled_from([b"-9223372036854775808", b"x", b"", b"1.5"])))
"""A SETRANGE at a place that is far off would fill half a gigabyte."""

FILLS: Words = st.one_of(call(b"SET", KEYS, VALUES), call(b"SET", KEYS, TEXTS))
ASKS: Words = st.one_of(
    call(
        b"SET",
        KEYS,
        VALUES,
        options(*[in_any_case(word) for word in (b"NX", b"XX", b"GET", b"KEEPTTL")], *DEADLINES),
    ),
    call(b"GETEX", KEYS, options(in_any_case(b"PERSIST"), *DEADLINES)),
    call(b"GET GETDEL STRLEN", KEYS),
    call(b"GETSET SETNX APPEND", KEYS, VALUES),
    call(b"SETEX", KEYS, SECONDS, VALUES),
    call(b"PSETEX", KEYS, MILLISECONDS, VALUES),
    call(b"MGET", some(KEYS, 1, 3)),
    call(b"MSET MSETNX", KEYS, VALUES, some(st.one_of(KEYS, VALUES), 0, 3)),
    call(b"GETRANGE SUBSTR", KEYS, INTEGERS, INTEGERS),
    call(b"SETRANGE", KEYS, PLACES, VALUES),
    call(b"INCR DECR", KEYS),
    call(b"INCRBY DECRBY", KEYS, INTEGERS),
    call(b"INCRBYFLOAT", KEYS, FLOATS),
    call(
        b"LCS",
        KEYS,
        KEYS,
        options(
            in_any_case(b"LEN"),
            in_any_case(b"IDX"),
            in_any_case(b"WITHMATCHLEN"),
            row(in_any_case(b"MINMATCHLEN"), COUNTS),
        ),
    ),
    call(b"LCS", KEYS, KEYS, in_any_case(b"IDX"), options(in_any_case(b"WITHMATCHLEN"))),
)
COMMANDS = mixed(
    FILLS,
    ASKS,
    COMMON,
    of_wrong_arity(b"SET", b"GET", b"MSET", b"GETRANGE", b"SETEX", b"LCS", b"INCRBY", b"APPEND"),
)
