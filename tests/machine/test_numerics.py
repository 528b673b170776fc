"""Numbers inside strings, as Redis reads and writes them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trikv.machine.numerics import (
    FLOAT_DIGITS_MAX,
    add_floats,
    double_text,
    parse_double,
    parse_float,
    parse_integer,
)


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_round_trip(number: int) -> None:
    """Every 64-bit integer is read from its own spelling."""
    assert parse_integer(b"%d" % number) == number


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"-",
        b"+1",
        b"01",
        b"-0",
        b" 1",
        b"1 ",
        b"1_0",
        b"0x1",
        b"9223372036854775808",
        b"1" * 30,
        b"\xd9\xa1",
    ],
)
def test_other_spellings_are_no_integers(text: bytes) -> None:
    """Only the canonical spelling within 64 bits counts."""
    assert parse_integer(text) is None


@pytest.mark.parametrize("text", [b"", b"nan", b"inf", b"1_0", b"0x1", b"e5", b".", b"1e99999", b"1" * 6000])
def test_no_floats(text: bytes) -> None:
    """What is no finite decimal number is refused."""
    assert parse_float(text) is None


@pytest.mark.parametrize(
    ("left", "right", "total"),
    [
        (b"0.1", b"0.2", b"0.3"),
        (b"10.50", b"0.1", b"10.6"),
        (b"5.0e3", b"200", b"5200"),
        (b"3", b"-3", b"0"),
        (b"-1e-18", b"0", b"0"),
        (b"1e30", b"0", b"1" + b"0" * 30),
        (b"100", b"0", b"100"),
        (b".5", b"+2.", b"2.5"),
    ],
)
def test_sums(left: bytes, right: bytes, total: bytes) -> None:
    """Sums are printed in full, to 17 places, without trailing zeros."""
    first, second = parse_float(left), parse_float(right)
    assert first is not None
    assert second is not None
    assert add_floats(first, second) == total


def test_sum_out_of_range() -> None:
    """A sum beyond a long double's range is none; the largest one fits the bound given for it."""
    assert add_floats(Decimal("9e4931"), Decimal("9e4931")) is None
    largest = add_floats(Decimal("9e4931"), Decimal("-0.00000000000000001"))
    assert largest is not None
    assert len(largest) <= FLOAT_DIGITS_MAX


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (3.0, "3"),
        (-0.0, "-0"),
        (-2.5, "-2.5"),
        (0.1, "0.1"),
        (12345.678, "12345.678"),
        (0.00001, "0.00001"),
        (0.0000001, "1e-7"),
        (-0.00012345, "-1.2345e-4"),
        (4503599627370498.0, "4503599627370498"),
        (6e15, "6e+15"),
        (123456789012345680.0, "123456789012345680"),
        (1e21, "1e+21"),
        (1.5e300, "1.5e+300"),
        (5e-324, "5e-324"),
        (float("inf"), "inf"),
        (float("-inf"), "-inf"),
        (float("nan"), "nan"),
    ],
)
def test_a_double_is_printed_as_redis_prints_it(number: float, text: str) -> None:
    """In the form of Redis 7.2, whose digits are the fewest that read back as the number."""
    assert double_text(number) == text.encode()


@given(st.floats(allow_nan=False))
def test_a_double_reads_back_as_itself(number: float) -> None:
    """Whatever its size: nothing is lost."""
    assert parse_double(double_text(number)) == number
