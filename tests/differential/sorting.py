"""SORT, of all types, by elements and by other keys."""

from hypothesis import strategies as st

from tests.differential import words
from tests.differential.keys import COMMON
from tests.differential.words import (
    COUNTS,
    FLOATS,
    KEYS,
    MEMBERS,
    Words,
    call,
    in_any_case,
    mixed,
    of_wrong_arity,
    options,
    row,
    some,
    weighted,
)

_NUMBERS = st.sampled_from([b"1", b"2", b"3", b"10", b"-4", b"0.5", b"1.0", b"7", b"21"])
TEXTS = MEMBERS.filter(lambda text: b"\0" not in text)
"""C compares texts up to the first NUL."""


def _is_in_range(text: bytes) -> bool:
    """Redis remembers that a number was out of range, and takes the next one for one that is, too."""
    return b"\0" not in text and not any(mark in text for mark in (b"e30", b"e-3", b"e40", b"e-4", b"p"))


_FLOATS = FLOATS.filter(_is_in_range)
ELEMENTS = weighted((12, _NUMBERS), (2, _FLOATS), (1, TEXTS))
OTHERS = st.sampled_from([b"w1", b"w2", b"w3", b"w10", b"w7", b"wm1"])
PATTERNS = weighted(
    (10, st.sampled_from([b"w*", b"w*", b"h*->f", b"#", b"*", b"nosort"])),
    (2, st.sampled_from([b"w*->f", b"h*->", b"->*", b"h*->f->g", b"", b"w*x*", b"*->f"])),
)
OPTIONS = options(
    row(in_any_case(b"BY"), PATTERNS),
    row(in_any_case(b"GET"), PATTERNS),
    row(in_any_case(b"LIMIT"), COUNTS, COUNTS),
    in_any_case(b"ASC", b"DESC", b"DESC", b"ALPHA"),
    in_any_case(b"ALPHA"),
)
MANY: Words = words.many(b"RPUSH", lambda number: (b"%d" % (number * 77 % 311),))

FILLS: Words = weighted(
    (6, call(b"RPUSH", KEYS, some(ELEMENTS))),
    (2, call(b"RPUSH", KEYS, some(TEXTS))),
    (2, call(b"ZADD", KEYS, _NUMBERS, ELEMENTS)),
    (2, call(b"SADD", KEYS, some(ELEMENTS))),
    (3, call(b"SET", OTHERS, ELEMENTS)),
    (2, call(b"HSET", st.sampled_from([b"h1", b"h2", b"h3", b"hm1"]), in_any_case(b"f", b"g"), ELEMENTS)),
)
ASKS: Words = weighted(
    (5, call(b"SORT SORT_RO", KEYS, OPTIONS)),
    (2, call(b"SORT SORT_RO", KEYS, in_any_case(b"BY"), PATTERNS, OPTIONS)),
    (2, call(b"SORT", KEYS, OPTIONS, in_any_case(b"STORE"), KEYS)),
    (1, call(b"LRANGE", KEYS, st.just(b"0"), st.just(b"-1"))),
    (1, call(b"DEL", OTHERS)),
    (1, call(b"COMMAND", in_any_case(b"GETKEYS"), st.just(b"SORT"), KEYS, OPTIONS)),
)
COMMANDS = mixed(FILLS, ASKS, COMMON, of_wrong_arity(b"SORT", b"SORT_RO"))
