"""Commands on several sorted sets, and on sets among them."""

from hypothesis import strategies as st

from tests.differential import sets, sorted_sets
from tests.differential.keys import COMMON
from tests.differential.sorted_sets import FILLS as FILL
from tests.differential.sorted_sets import SCORES
from tests.differential.words import (
    COUNTS,
    KEYS,
    MEMBERS,
    Words,
    call,
    in_any_case,
    mixed,
    numbered,
    of_wrong_arity,
    options,
    row,
    some,
    weighted,
)

WEIGHTS = row(in_any_case(b"WEIGHTS"), some(SCORES, 1, 3))
AGGREGATE = row(in_any_case(b"AGGREGATE"), in_any_case(b"SUM", b"MIN", b"MAX", b"x"))
WITHSCORES = in_any_case(b"WITHSCORES")
JOINS = options(WEIGHTS, AGGREGATE)
MANY: Words = st.one_of(sorted_sets.MANY, sorted_sets.MANY, sets.MANY)


@st.composite
def weighed(draw: st.DrawFn) -> tuple[bytes, ...]:
    """Keys with as many weights."""
    keys = draw(st.lists(KEYS, min_size=1, max_size=3))
    weights = draw(st.lists(SCORES, min_size=len(keys), max_size=len(keys)))
    return (b"%d" % len(keys), *keys, draw(in_any_case(b"WEIGHTS")), *weights)


FILLS: Words = weighted((4, FILL), (1, call(b"SADD", KEYS, some(MEMBERS))))
ASKS: Words = st.one_of(
    call(b"ZUNIONSTORE ZINTERSTORE", KEYS, numbered(), JOINS),
    call(b"ZUNIONSTORE ZINTERSTORE", KEYS, weighed(), options(AGGREGATE)),
    call(b"ZDIFFSTORE", KEYS, numbered(), options(WITHSCORES)),
    call(b"ZDIFFSTORE", KEYS, numbered()),
    call(b"ZUNION ZINTER", numbered(), options(WITHSCORES, WEIGHTS, AGGREGATE)),
    call(b"ZUNION ZINTER", weighed(), options(WITHSCORES, AGGREGATE)),
    call(b"ZDIFF", numbered(), options(WITHSCORES)),
    call(b"ZINTERCARD", numbered(), options(row(in_any_case(b"LIMIT"), COUNTS))),
    call(b"ZRANGE", KEYS, st.just(b"0"), st.just(b"-1"), WITHSCORES),
)
COMMANDS = mixed(
    FILLS,
    ASKS,
    COMMON,
    of_wrong_arity(b"ZUNIONSTORE", b"ZUNION", b"ZINTER", b"ZDIFF", b"ZDIFFSTORE", b"ZINTERCARD"),
)
