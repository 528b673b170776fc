"""Commands on lists."""

from hypothesis import strategies as st

from tests.differential.keys import COMMON
from tests.differential.words import (
    COUNTS,
    INTEGERS,
    KEYS,
    LENGTHS,
    MEMBERS,
    Words,
    call,
    in_any_case,
    long,
    many,
    maybe,
    mixed,
    numbered,
    of_wrong_arity,
    options,
    row,
    some,
)

SIDES = in_any_case(b"LEFT", b"RIGHT", b"LEFT", b"RIGHT", b"x")
ELEMENTS = st.one_of(MEMBERS, st.sampled_from([b"m1", b"m2", b"3"]))

MANY: Words = st.tuples(LENGTHS, st.sampled_from([b"LPUSH", b"RPUSH"])).flatmap(
    lambda drawn: many(drawn[1], lambda number: (long(drawn[0], number % 60),))
)

FILLS: Words = call(b"LPUSH RPUSH", KEYS, some(ELEMENTS, 1, 5))
ASKS: Words = st.one_of(
    call(b"LPUSHX RPUSHX", KEYS, some(ELEMENTS)),
    call(b"LPOP RPOP LLEN", KEYS),
    call(b"LPOP RPOP", KEYS, some(INTEGERS, 1, 1)),
    call(b"LPOP RPOP", KEYS, some(COUNTS, 1, 2)),
    call(b"LINDEX", KEYS, INTEGERS),
    call(b"LSET", KEYS, INTEGERS, ELEMENTS),
    call(b"LRANGE", KEYS, INTEGERS, INTEGERS),
    call(b"LRANGE", KEYS, st.just(b"0"), st.just(b"-1")),
    call(b"LTRIM", KEYS, INTEGERS, INTEGERS),
    call(b"LTRIM", KEYS, st.sampled_from([b"0", b"1", b"-100"]), st.sampled_from([b"-1", b"-2", b"100"])),
    call(b"LINSERT", KEYS, in_any_case(b"BEFORE", b"AFTER", b"BEFORE", b"x"), ELEMENTS, ELEMENTS),
    call(b"LREM", KEYS, COUNTS, ELEMENTS),
    call(
        b"LPOS",
        KEYS,
        ELEMENTS,
        options(*[row(in_any_case(word), INTEGERS) for word in (b"RANK", b"COUNT", b"MAXLEN")]),
    ),
    call(b"RPOPLPUSH", KEYS, KEYS),
    call(b"LMOVE", KEYS, KEYS, SIDES, SIDES),
    call(b"LMPOP", numbered(), SIDES, maybe(in_any_case(b"COUNT"), COUNTS)),
    call(b"LMPOP", numbered(), SIDES, options(row(in_any_case(b"COUNT"), COUNTS))),
)
COMMANDS = mixed(
    FILLS,
    ASKS,
    COMMON,
    of_wrong_arity(b"LPUSH", b"LPOP", b"LLEN", b"LRANGE", b"LPOS", b"LINSERT", b"LMOVE", b"LMPOP", b"LREM"),
)
