"""Numbers as Redis reads and writes them inside strings.

Integers are 64-bit and canonical: no plus sign, no leading zeros, no spaces. INCRBYFLOAT is done in decimal,
in a context that is fixed here, because a C long double differs between machines. So 0.1 + 0.2 is 0.3, and
Redis prints the same. Results beyond 19 significant digits are exact; Redis rounds them to 64 bits of
mantissa.
"""

import decimal
import re
from collections.abc import Sequence
from math import copysign, inf, isinf, isnan
from typing import Final

INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)

FLOAT_DIGITS_MAX = 4999
"""A result has at most this many digits: 4,932 before the point (a long double's range) and 17 after."""

_CONTEXT = decimal.Context(
    prec=FLOAT_DIGITS_MAX,
    rounding=decimal.ROUND_HALF_EVEN,
    Emin=-4951,
    Emax=4931,
    traps=[],
)
_SEVENTEEN_PLACES = decimal.Decimal("1e-17")
_FLOAT = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DOUBLE_TEXT_BYTES_MAX: Final = 5 * 1024
_DOUBLE = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NOT_ZERO = re.compile(rb"[+-]?(?:[0.]*[1-9]|0x[0.]*[1-9a-f])", re.IGNORECASE)
_INFINITE = re.compile(rb"[+-]?inf(?:inity)?", re.IGNORECASE)
_HEXADECIMAL = re.compile(rb"[+-]?0x(?:[0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)(?:p[+-]?[0-9]+)?", re.IGNORECASE)
_BLANKS: Final = b" \t\n\v\f\r"
"""What C's strtod passes over in front of a number."""
_WHOLE_MAX: Final = 2.0**52
"""Doubles below this that are whole are printed as integers."""
_ZEROS: Final = 7
"""A double is printed without an exponent if it needs fewer zeros than this at either end."""
_PLAIN_DIGITS_MAX: Final = 15
"""So few digits are always a double, and need no other look."""
_NEAR_ONE: Final = 4
"""Or if its exponent is less."""
_NORMAL_MIN: Final = float.fromhex("0x1p-1022")
"""Of lesser doubles strtod says that they are out of range."""
_FLOAT_TEXT_BYTES_MAX = 5 * 1024


def parse_integer(text: bytes) -> int | None:
    """The 64-bit integer whose canonical text is `text`, else None."""
    if len(text) > 20:
        return None
    try:
        number = int(text)
    except ValueError:
        return None
    if b"%d" % number != text or not INT64_MIN <= number <= INT64_MAX:
        return None
    return number


def parse_float(text: bytes) -> decimal.Decimal | None:
    """The finite number that `text` denotes, else None. Hexadecimal and inf, which C reads, are refused."""
    if len(text) >= _FLOAT_TEXT_BYTES_MAX or _FLOAT.fullmatch(text) is None:
        return None
    number = _CONTEXT.create_decimal(text.decode("ascii"))
    return number if number.is_finite() else None


def is_infinite(text: bytes) -> bool:
    """Whether `text` denotes an infinity, as C reads it: a number to begin with, but no sum."""
    return _INFINITE.fullmatch(text) is not None


def parse_double(text: bytes) -> float | None:
    """The double that `text` denotes as C's strtod reads it, infinities included; None for NaN and no number.

    None also for what is too large or too small for a double.
    """
    if len(text) <= _PLAIN_DIGITS_MAX and text.isdigit():  # nearly always
        return float(text)
    number = _nearest_double(text)
    if number is None or _INFINITE.fullmatch(text) is not None:
        return number
    is_out_of_range = isinf(number) or (number == 0 and _NOT_ZERO.match(text) is not None)
    return None if is_out_of_range else number


def parse_doubles(texts: Sequence[bytes]) -> list[float]:
    """`parse_double` of each, up to the first one that denotes none."""
    if (
        b"".join(texts).isdigit() and all(texts) and max(map(len, texts)) <= _PLAIN_DIGITS_MAX
    ):  # nearly always
        return list(map(float, texts))
    found = []
    for text in texts:
        number = parse_double(text)
        if number is None:
            break
        found.append(number)
    return found


def parse_bound(text: bytes) -> float | None:
    """The double that `text`, an end of a range of scores, denotes; None for NaN and no number.

    It is less strict than `parse_double`, as in Redis: nothing is 0, blanks may be in front, a NUL ends the
    text, and what is too large is infinite.
    """
    shown = text.partition(b"\0")[0]
    return _nearest_double(shown.lstrip(_BLANKS)) if shown else 0.0


def parse_weight(text: bytes) -> float | None:
    """The double by which SORT orders `text`; None for NaN, no number, and what is no normal double.

    As C's strtod reads it: nothing is 0, blanks may be in front, a NUL ends the text.
    """
    if len(text) <= _PLAIN_DIGITS_MAX and text.isdigit():  # nearly always
        return float(text)
    shown = text[: _DOUBLE_TEXT_BYTES_MAX + 1].partition(b"\0")[0]
    number = parse_double(shown.lstrip(_BLANKS)) if shown else 0.0
    return None if number is None or 0 < abs(number) < _NORMAL_MIN else number


def _nearest_double(text: bytes) -> float | None:
    """What `text` denotes, infinite if it is too large for a double; None for NaN and no number."""
    if len(text) > _DOUBLE_TEXT_BYTES_MAX:
        return None
    if _DOUBLE.fullmatch(text) is not None:
        return float(text)
    if _INFINITE.fullmatch(text) is not None:
        return -inf if text.startswith(b"-") else inf
    if _HEXADECIMAL.fullmatch(text) is not None:
        try:
            return float.fromhex(text.decode("ascii"))
        except OverflowError:
            return -inf if text.startswith(b"-") else inf
    return None


def human_text(number: float) -> bytes:
    """A finite double with up to 17 digits behind the point, as Redis shows coordinates."""
    text = f"{number:.17f}".rstrip("0").rstrip(".")
    return b"0" if text == "-0" else text.encode("ascii")


def double_text(number: float) -> bytes:
    """A double in the shortest text that reads back as itself, as Redis 7.2 prints it.

    Small whole numbers are printed as such. Any other has the fewest digits that tell it from its neighbours,
    with a point or zeros among them if few are needed, else with an exponent.
    """
    if -_WHOLE_MAX < number < _WHOLE_MAX and number == (whole := int(number)):
        return b"%d" % whole if whole or copysign(1, number) > 0 else b"-0"
    if isinf(number) or isnan(number):
        return repr(number).encode("ascii")
    sign, row, scale = decimal.Decimal(repr(number)).normalize().as_tuple()
    assert isinstance(scale, int), "it is finite"
    digits, minus = "".join(map(str, row)), "-" * sign
    exponent = scale + len(digits) - 1
    if scale >= 0 and abs(exponent) < len(digits) + _ZEROS:
        text = digits + "0" * scale
    elif scale < 0 and (scale > -_ZEROS or abs(exponent) < _NEAR_ONE):
        text = digits.rjust(1 - scale, "0")
        text = f"{text[:scale]}.{text[scale:]}"
    else:
        point = "." if len(digits) > 1 else ""
        text = f"{digits[0]}{point}{digits[1:]}e{exponent:+d}"
    return (minus + text).encode("ascii")


def add_floats(left: decimal.Decimal, right: decimal.Decimal) -> bytes | None:
    """The sum to 17 places, without trailing zeros; None if it leaves the range of a long double."""
    total = _CONTEXT.add(left, right)
    if not total.is_finite():
        return None
    text = f"{_CONTEXT.quantize(total, _SEVENTEEN_PLACES):f}".rstrip("0").rstrip(".")
    return b"0" if text == "-0" else text.encode("ascii")
