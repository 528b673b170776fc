"""Commands on hashes."""

from hypothesis import strategies as st

from tests.differential.keys import COMMON, CURSORS, PAGE
from tests.differential.words import (
    COUNTS,
    DECIMALS,
    FLOATS,
    INTEGERS,
    KEYS,
    LENGTHS,
    MEMBERS,
    Words,
    call,
    in_any_case,
    long,
    many,
    mixed,
    of_wrong_arity,
    options,
    some,
)

MANY: Words = LENGTHS.flatmap(
    lambda length: many(b"HSET", lambda number: (b"f%d" % number, long(length, number)))
)

FILLS: Words = st.one_of(
    call(b"HSET HMSET", KEYS, MEMBERS, MEMBERS, MEMBERS, MEMBERS),
    call(b"HSET", KEYS, MEMBERS, INTEGERS, MEMBERS, DECIMALS),
)
ASKS: Words = st.one_of(
    call(b"HSET HMSET", KEYS, MEMBERS, MEMBERS, some(MEMBERS, 0, 4)),
    call(b"HSETNX", KEYS, MEMBERS, MEMBERS),
    call(b"HGET HEXISTS HSTRLEN", KEYS, MEMBERS),
    call(b"HMGET HDEL", KEYS, some(MEMBERS)),
    call(b"HLEN HGETALL HKEYS HVALS", KEYS),
    call(b"HGETALL", KEYS),
    call(b"HINCRBY", KEYS, MEMBERS, INTEGERS),
    call(b"HINCRBYFLOAT", KEYS, MEMBERS, FLOATS),
    call(b"HSCAN", KEYS, CURSORS, PAGE),
    call(b"HRANDFIELD", KEYS),
    call(b"HRANDFIELD", KEYS, COUNTS, options(in_any_case(b"WITHVALUES"))),
)
COMMANDS = mixed(
    FILLS,
    ASKS,
    COMMON,
    of_wrong_arity(b"HSET", b"HMSET", b"HGET", b"HDEL", b"HGETALL", b"HINCRBY", b"HSCAN", b"HRANDFIELD"),
)
