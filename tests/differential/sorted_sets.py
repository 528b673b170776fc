"""Commands that add members to sorted sets, look for them and remove them."""

from hypothesis import strategies as st

from tests.differential.keys import COMMON, CURSORS, PAGE
from tests.differential.words import (
    COUNTS,
    FLOATS,
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
    small,
    some,
    weighted,
)

SCORES = weighted((1, small(-2, 4)), (1, FLOATS))
PAIRS = st.lists(st.tuples(SCORES, MEMBERS), min_size=1, max_size=4).map(
    lambda pairs: tuple(word for pair in pairs for word in pair)
)
ENDS = in_any_case(b"MIN", b"MAX", b"MIN", b"x")
HOW = options(*[in_any_case(word) for word in (b"NX", b"XX", b"GT", b"LT", b"CH", b"INCR")])
WHOLE = small(-2, 4)

MANY: Words = LENGTHS.flatmap(
    lambda length: many(b"ZADD", lambda number: (b"%d" % (number % 7), long(length, number)))
)
FILLS: Words = st.one_of(
    call(b"ZADD", KEYS, PAIRS, PAIRS, PAIRS),
    call(b"ZADD", KEYS, WHOLE, MEMBERS, WHOLE, MEMBERS, WHOLE, MEMBERS),
    call(b"ZADD", KEYS, st.just(b"0"), MEMBERS, st.just(b"0"), MEMBERS, st.just(b"0"), MEMBERS),
)

ASKS: Words = st.one_of(
    call(b"ZADD", KEYS, HOW, PAIRS),
    call(b"ZADD", KEYS, HOW, SCORES, MEMBERS),
    call(b"ZADD", KEYS, HOW, some(MEMBERS, 0, 3)),
    call(b"ZINCRBY", KEYS, SCORES, MEMBERS),
    call(b"ZREM ZMSCORE", KEYS, some(MEMBERS)),
    call(b"ZPOPMIN ZPOPMAX", KEYS, some(COUNTS, 0, 2)),
    call(b"ZMPOP", numbered(), ENDS, maybe(in_any_case(b"COUNT"), COUNTS)),
    call(b"ZMPOP", numbered(), ENDS, options(row(in_any_case(b"COUNT"), COUNTS))),
    call(b"ZCARD", KEYS),
    call(b"ZSCORE ZRANK ZREVRANK", KEYS, MEMBERS),
    call(b"ZSCAN", KEYS, CURSORS, PAGE),
    call(b"ZRANDMEMBER", KEYS),
    call(b"ZRANDMEMBER", KEYS, COUNTS, options(in_any_case(b"WITHSCORES"))),
    call(b"ZRANGE", KEYS, st.just(b"0"), st.just(b"-1"), maybe(in_any_case(b"WITHSCORES"))),
)
COMMANDS = mixed(
    FILLS,
    ASKS,
    COMMON,
    of_wrong_arity(b"ZADD", b"ZREM", b"ZSCORE", b"ZINCRBY", b"ZPOPMIN", b"ZMPOP", b"ZRANK", b"ZRANDMEMBER"),
)
