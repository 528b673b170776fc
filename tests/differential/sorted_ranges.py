"""Commands on ranges of sorted sets."""

from hypothesis import strategies as st

from tests.differential import sorted_sets
from tests.differential.keys import COMMON
from tests.differential.sorted_sets import FILLS as FILL
from tests.differential.words import (
    COUNTS,
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
    weighted,
)

BOUNDS = weighted(
    (8, st.sampled_from([b"-inf", b"+inf", b"0", b"1", b"2", b"(1", b"(2", b"(-inf", b"(+inf", b"-1"])),
    (2, FLOATS),
    (2, FLOATS.map(lambda text: b"(" + text)),
    (1, st.sampled_from([b"", b"(", b"((1", b"[1", b"x", b"(nan"])),
)
NAMES = weighted(
    (6, st.sampled_from([b"-", b"+", b"[m1", b"(m1", b"[m5", b"(m7", b"[", b"("])),
    (1, st.sampled_from([b"m", b"", b"-x", b"+1"])),
    (3, st.tuples(st.sampled_from([b"[", b"("]), MEMBERS).map(b"".join)),
)
LIMIT = row(in_any_case(b"LIMIT"), COUNTS, COUNTS)
WITHSCORES = in_any_case(b"WITHSCORES")
ANY = st.one_of(INTEGERS, BOUNDS, NAMES)
REST = options(in_any_case(b"REV"), WITHSCORES, LIMIT, in_any_case(b"BYSCORE"), in_any_case(b"BYLEX"))
BY_SCORE = row(in_any_case(b"BYSCORE"), options(in_any_case(b"REV"), WITHSCORES, LIMIT))
BY_NAME = row(options(in_any_case(b"REV"), LIMIT), in_any_case(b"BYLEX"))

MANY = sorted_sets.MANY

FILLS: Words = st.one_of(FILL, call(b"ZADD", st.just(b"b"), st.just(b"0"), MEMBERS, st.just(b"0"), MEMBERS))
ASKS: Words = st.one_of(
    call(b"ZRANGE", KEYS, INTEGERS, INTEGERS, options(in_any_case(b"REV"), WITHSCORES)),
    call(b"ZRANGE", KEYS, BOUNDS, BOUNDS, BY_SCORE),
    call(b"ZRANGE", KEYS, NAMES, NAMES, BY_NAME),
    call(b"ZRANGE", KEYS, ANY, ANY, REST),
    call(b"ZREVRANGE", KEYS, INTEGERS, INTEGERS, options(WITHSCORES)),
    call(b"ZRANGEBYSCORE ZREVRANGEBYSCORE", KEYS, BOUNDS, BOUNDS, options(WITHSCORES, LIMIT)),
    call(b"ZRANGEBYLEX ZREVRANGEBYLEX", KEYS, NAMES, NAMES, options(LIMIT)),
    call(b"ZRANGESTORE", KEYS, KEYS, INTEGERS, INTEGERS, options(in_any_case(b"REV"))),
    call(b"ZRANGESTORE", KEYS, KEYS, BOUNDS, BOUNDS, BY_SCORE),
    call(b"ZRANGESTORE", KEYS, KEYS, NAMES, NAMES, BY_NAME),
    call(b"ZCOUNT ZREMRANGEBYSCORE", KEYS, BOUNDS, BOUNDS),
    call(b"ZLEXCOUNT ZREMRANGEBYLEX", KEYS, NAMES, NAMES),
    call(b"ZREMRANGEBYRANK", KEYS, INTEGERS, INTEGERS),
    call(b"ZCARD", KEYS),
)
COMMANDS = mixed(
    FILLS,
    ASKS,
    COMMON,
    of_wrong_arity(b"ZRANGE", b"ZREVRANGE", b"ZRANGEBYSCORE", b"ZRANGESTORE", b"ZCOUNT", b"ZREMRANGEBYRANK"),
)
