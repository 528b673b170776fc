"""Numbers as Redis reads and writes them inside strings.

Integers are 64-bit and canonical: no plus sign, no leading zeros, no spaces. INCRBYFLOAT is done in decimal,
in a context that is fixed here, because a C long double differs between machines. So 0.1 + 0.2 is 0.3, and
Redis prints the same. Results beyond 19 significant digits are exact; Redis rounds them to 64 bits of
mantissa.
"""

import decimal
import re

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


def add_floats(left: decimal.Decimal, right: decimal.Decimal) -> bytes | None:
    """The sum to 17 places, without trailing zeros; None if it leaves the range of a long double."""
    total = _CONTEXT.add(left, right)
    if not total.is_finite():
        return None
    text = f"{_CONTEXT.quantize(total, _SEVENTEEN_PLACES):f}".rstrip("0").rstrip(".")
    return b"0" if text == "-0" else text.encode("ascii")
