"""What arguments are drawn from, by all families: few keys, so that types meet, and odd numbers."""

from collections.abc import Callable
from typing import Any, TypeAlias

from hypothesis import strategies as st

Command: TypeAlias = tuple[bytes, ...]
Word: TypeAlias = st.SearchStrategy[bytes]
Words: TypeAlias = st.SearchStrategy[Command]


def weighted(*choices: tuple[int, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """One of these, each as often as its number says; not a part of a choice around it, as of `one_of`."""
    table = [strategy for times, strategy in choices for _ in range(times)]

    @st.composite
    def one(draw: st.DrawFn) -> Any:
        return draw(table[draw(st.integers(0, len(table) - 1))])

    return one()


def small(least: int, most: int) -> Word:
    """The text of a number."""
    return st.integers(least, most).map(lambda number: b"%d" % number)


KEYS = st.sampled_from([b"a", b"a", b"a", b"b", b"b", b"", b"\xff\0 k\r\n"])
"""Few, so that commands meet."""

_ODD_INTEGERS = st.one_of(
    st.sampled_from([b"9223372036854775807", b"-9223372036854775808", b"-9223372036854775807"]),
    st.sampled_from([b"9223372036854775808", b"-9223372036854775809", b"99999999999999999999999"]),
    st.sampled_from([b"", b"abc", b"1.5", b"1e3", b"01", b"-0", b"+1", b" 1", b"1 ", b"1\0"]),
)
INTEGERS: Word = weighted(
    (16, small(-5, 7)),
    (3, st.sampled_from([b"100", b"-100", b"127", b"128", b"300", b"-129"])),
    (2, _ODD_INTEGERS),
)
COUNTS: Word = weighted(
    (16, small(0, 7)),
    (3, small(-7, -1)),
    (2, st.sampled_from([b"100", b"129", b"300", b"-300"])),
    (1, st.sampled_from([b"x", b"", b"+1", b"-9223372036854775808", b"9223372036854775808"])),
)
"""How many elements are wanted. No greater one: as many would be drawn."""

FLOATS: Word = weighted(
    (8, small(-3, 12)),
    (8, st.sampled_from([b"0.1", b"0.2", b"-0.25", b"1.5", b"3.0", b"0.3", b"1e-2", b"5.0e3", b"-1e300"])),
    (2, st.sampled_from([b"1e16", b"9007199254740993", b"123456789.123456789", b"3.14159265358979"])),
    (3, st.sampled_from([b"inf", b"-inf", b"+Infinity", b"-0", b"-0.0", b".5", b"3.", b"+1", b"5e-324"])),
    (1, st.sampled_from([b"1e309", b"-1e400", b"1e-400", b"0x10", b"0x1p-2", b"0x1p-2000", b"-0x1p2000"])),
    (1, st.sampled_from([b"nan", b"-nan", b"", b"abc", b" 1", b"1 ", b"1e", b"1_0", b"- 1", b"1\0", b"0x"])),
)

DECIMALS = FLOATS.filter(lambda text: b"x" not in text)
"""Without those that trikv, unlike Redis, takes for none where it adds to them."""

MEMBERS: Word = weighted(
    (8, st.sampled_from([b"m0", b"m1", b"m2", b"m3", b"m4", b"m5"])),
    (4, small(-5, 12)),
    (2, st.sampled_from([b"", b"3.5", b"10.50", b"01", b"x\xff\r\n", b"\0", b"1e3", b"9223372036854775807"])),
    (1, st.sampled_from([b"v" * 63, b"v" * 64, b"v" * 65, b"w" * 300])),
)
"""Names of fields and members, elements of lists, values of strings."""

CASED = st.sampled_from([bytes.upper, bytes.upper, bytes.lower, bytes.title])


def in_any_case(*words: bytes) -> Word:
    """One of these words."""
    return st.tuples(st.sampled_from(words), CASED).map(lambda pair: pair[1](pair[0]))


def call(names: bytes, *arguments: Word | Words) -> Words:
    """A command: one of the names, which blanks separate, then its arguments, some of them several words."""
    head = in_any_case(*names.split())
    return st.tuples(head, *arguments).map(flat)


def flat(parts: tuple[bytes | Command, ...]) -> Command:
    """One row of words."""
    row: list[bytes] = []
    for part in parts:
        if isinstance(part, bytes):
            row.append(part)
        else:
            row.extend(part)
    return tuple(row)


def some(word: Word, least: int = 1, most: int = 4) -> Words:
    """So many of them."""
    return st.lists(word, min_size=least, max_size=most).map(tuple)


def row(*parts: Word | Words) -> Words:
    """These words, one after another."""
    return st.tuples(*parts).map(flat)


def maybe(*parts: Word | Words) -> Words:
    """These words, or nothing."""
    return st.one_of(st.just(()), row(*parts))


def options(*each: Word | Words) -> Words:
    """Up to three of these, in any order, perhaps one of them twice, rarely with a foreign word."""
    foreign = in_any_case(b"FOO", b"LIMIT", b"COUNT", b"NX", b"WITHSCORES")
    one = weighted((20, st.one_of(*[row(choice) for choice in each])), (1, row(foreign)))
    few = st.lists(one, max_size=3).map(lambda parts: flat(tuple(parts)))
    return st.one_of(st.just(()), few)


def numbered(keys: Word = KEYS) -> Words:
    """A number of keys and the keys; the number is not always theirs."""

    def counted(drawn: tuple[list[bytes], bytes]) -> Command:
        names, other = drawn
        return (other or b"%d" % len(names), *names)

    right = st.just(b"")
    wrong = st.sampled_from([b"0", b"-1", b"x", b"9", b"2", b"9223372036854775807"])
    return st.tuples(st.lists(keys, min_size=1, max_size=3), weighted((15, right), (1, wrong))).map(counted)


def of_wrong_arity(*names: bytes) -> Words:
    """A command with too few or too many words, mostly."""
    return call(b" ".join(names), some(MEMBERS, 0, 4))


def mixed(fills: Words, asks: Words, others: Words, arity: Words) -> Words:
    """What a family is tested with.

    `fills` give keys its type, `asks` are all its commands, `others` those of keys of any type, `arity` is
    wrong.
    """
    return weighted((26, fills), (60, asks), (12, others), (2, arity))


def many(name: bytes, element: Callable[[int], Command]) -> Words:
    """A command that names as many elements as fit into the small form of a value, and one more, and more."""
    counts = st.sampled_from([5, 126, 127, 128, 129, 130, 257, 300])
    starts = st.sampled_from([0, 100, 250])
    return st.tuples(KEYS, counts, starts).map(
        lambda drawn: (
            name,
            drawn[0],
            *[word for number in range(drawn[2], drawn[2] + drawn[1]) for word in element(number)],
        )
    )


def long(length: int, number: int) -> bytes:
    """A name of that length, with a number at its end."""
    return b"%d" % number if not length else (b"%d" % number).rjust(length, b"n")


LENGTHS = st.sampled_from([0, 0, 63, 64, 65])
