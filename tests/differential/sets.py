"""Commands on sets."""

from hypothesis import strategies as st

from tests.differential.keys import COMMON, CURSORS, PAGE
from tests.differential.words import (
    COUNTS,
    KEYS,
    LENGTHS,
    MEMBERS,
    Words,
    call,
    in_any_case,
    long,
    many,
    mixed,
    numbered,
    of_wrong_arity,
    options,
    row,
    some,
)

MANY: Words = LENGTHS.flatmap(lambda length: many(b"SADD", lambda number: (long(length, number),)))

FILLS: Words = call(b"SADD", KEYS, some(MEMBERS, 1, 5))
ASKS: Words = st.one_of(
    call(b"SREM SMISMEMBER", KEYS, some(MEMBERS)),
    call(b"SCARD SMEMBERS SRANDMEMBER SPOP", KEYS),
    call(b"SMEMBERS", KEYS),
    call(b"SISMEMBER", KEYS, MEMBERS),
    call(b"SSCAN", KEYS, CURSORS, PAGE),
    call(b"SRANDMEMBER SPOP", KEYS, some(COUNTS, 1, 2)),
    call(b"SRANDMEMBER SPOP", KEYS, COUNTS),
    call(b"SMOVE", KEYS, KEYS, MEMBERS),
    call(b"SINTER SUNION SDIFF", some(KEYS, 1, 3)),
    call(b"SINTERSTORE SUNIONSTORE SDIFFSTORE", KEYS, some(KEYS, 1, 3)),
    call(b"SINTERCARD", numbered(), options(row(in_any_case(b"LIMIT"), COUNTS))),
)
COMMANDS = mixed(
    FILLS,
    ASKS,
    COMMON,
    of_wrong_arity(
        b"SADD", b"SREM", b"SMEMBERS", b"SPOP", b"SMOVE", b"SINTER", b"SUNIONSTORE", b"SINTERCARD"
    ),
)
