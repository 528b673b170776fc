"""Doubles as scores are read and printed."""

from math import inf

import pytest

from trikv.machine.numerics import double_text, is_infinite, parse_bound, parse_double, parse_doubles

READ = {
    b"1.5": 1.5,
    b"-.5": -0.5,
    b"3.": 3.0,
    b"+1e2": 100.0,
    b"0x10": 16.0,
    b"-0x1p-2": -0.25,
    b"0": 0.0,
    b"0e5": 0.0,
    b"0x0p3": 0.0,
    b"inf": inf,
    b"-Infinity": -inf,
}
OUT_OF_RANGE = {
    b"1e309": inf,
    b"-1e309": -inf,
    b"1e-400": 0.0,
    b"0x1p2000": inf,
    b"-0x1p2000": -inf,
    b"0x1p-2000": 0.0,
}
NONE = [b"nan", b"-nan", b"x", b"1e", b"0x", b"1_0", b"1 ", b"- 1", b"--1", b" ", b"0" * 6_000]


@pytest.mark.parametrize("text", READ)
def test_what_is_read(text: bytes) -> None:
    """Decimal, hexadecimal, infinite."""
    assert parse_double(text) == parse_bound(text) == READ[text]


@pytest.mark.parametrize("text", OUT_OF_RANGE)
def test_what_no_double_holds(text: bytes) -> None:
    """It is no score, but may be the end of a range."""
    assert parse_double(text) is None
    assert parse_bound(text) == OUT_OF_RANGE[text]


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_number(text: bytes) -> None:
    """Neither."""
    assert parse_double(text) is None
    assert parse_bound(text) is None


@pytest.mark.parametrize(("text", "number"), [(b"", 0.0), (b" \t1", 1.0), (b"1\0x", 1.0), (b"\0", 0.0)])
def test_ends_of_ranges_are_read_less_strictly(text: bytes, number: float) -> None:
    """As C reads them: blanks in front, a NUL at the end, nothing at all."""
    assert parse_double(text) is None
    assert parse_bound(text) == number


def test_infinities() -> None:
    """In any case of letters, with a sign or without; nothing else is one."""
    assert all(map(is_infinite, (b"inf", b"-INF", b"+Infinity")))
    assert not any(map(is_infinite, (b"1e999", b"nan", b"", b"infinit")))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.1, b"0.1"),
        (3.0, b"3"),
        (-0.0, b"-0"),
        (1e20, b"1e+20"),
        (5e-324, b"5e-324"),
        (inf, b"inf"),
        (1e-7, b"1e-7"),
    ],
)
def test_what_is_printed(number: float, text: bytes) -> None:
    """The shortest text that reads back as the same."""
    assert double_text(number) == text
    assert parse_double(text) == number


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        ([], []),
        ([b"7", b"0", b"999999999999999"], [7.0, 0.0, 999999999999999.0]),
        ([b"7", b"-1.5", b"inf", b"9"], [7.0, -1.5, inf, 9.0]),
        ([b"7", b"", b"9"], [7.0]),
        ([b"7", b"1_0"], [7.0]),
        ([b" 7"], []),
        ([b"9007199254740993", b"1"], [9007199254740992.0, 1.0]),
    ],
)
def test_many_are_read_as_one_is(texts: list[bytes], numbers: list[float]) -> None:
    """Up to the first one that is none."""
    assert parse_doubles(texts) == numbers
    assert [parse_double(text) for text in texts[: len(numbers)]] == numbers
    assert len(numbers) == len(texts) or parse_double(texts[len(numbers)]) is None
