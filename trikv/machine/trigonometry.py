"""Sine, cosine and arcsine of doubles, the same on every machine: they are made of integers.

A machine's library may round the last bit as it likes, and versions of it differ. What decides state, or is
stored, must not (PROTOCOL 73). Here a number is an integer, in units of 2**-112, and each function is its
Taylor series, or that of the complement. What comes of it is off by less than 2**-100 and is rounded once: it
is the double next to the true value but for one case in millions. Good libraries nearly always give the same.

It takes 2 to 5 us, the less the smaller the argument: of small ones a few terms are enough.
"""

from collections.abc import Callable, Sequence
from math import factorial, isqrt
from typing import Final

_BITS: Final = 112
_ONE: Final = 1 << _BITS
_SCALE: Final = float(_ONE)
PI: Final = 3.141592653589793
"""The double."""
_PI: Final = 0x3243F6A8885A308D313198A2E0370
"""The number, as the others here; the digits that follow are 7344A409..."""
_HALF_PI: Final = _PI // 2
_QUARTER_PI: Final = _PI // 4
_TINY: Final = 1.0 / (1 << 27)
"""The sine and the arcsine of less are the number itself, as near as a double can be."""


def _sine_term(place: int) -> int:
    return (-_ONE if place % 2 else _ONE) // factorial(2 * place + 1)


def _cosine_term(place: int) -> int:
    return (-_ONE if place % 2 else _ONE) // factorial(2 * place)


def _arcsine_term(place: int) -> int:
    return _ONE * factorial(2 * place) // ((1 << 2 * place) * factorial(place) ** 2 * (2 * place + 1))


def _terms(term: Callable[[int], int], square_bits: int) -> Sequence[int]:
    """The terms that count if the square of the argument has so many bits, the last of them first."""
    found = [_ONE]
    while abs(term(len(found))) >> max(_BITS - square_bits, 0) * len(found):
        found.append(term(len(found)))
    return tuple(found[::-1])


_SINE: Final = [_terms(_sine_term, bits) for bits in range(_BITS + 1)]
_COSINE: Final = [_terms(_cosine_term, bits) for bits in range(_BITS + 1)]
_ARCSINE: Final = [_terms(_arcsine_term, bits) for bits in range(_BITS)]


def _sum(terms: Sequence[Sequence[int]], square: int) -> int:
    total = 0
    for term in terms[square.bit_length()]:
        total = (total * square >> _BITS) + term
    return total


def _small_sine(angle: int) -> int:
    return _sum(_SINE, angle * angle >> _BITS) * angle >> _BITS


def _first_sine(angle: int) -> int:
    """Of an angle from 0 to half of pi."""
    if angle <= _QUARTER_PI:
        return _small_sine(angle)
    rest = _HALF_PI - angle
    return _sum(_COSINE, rest * rest >> _BITS)


def sine(angle: float) -> float:
    """Of an angle from -pi to pi, or hardly beyond, in radians."""
    if -_TINY < angle < _TINY:
        return angle
    fixed = int(abs(angle) * _SCALE)  # exactly
    if fixed > _HALF_PI:
        fixed = _PI - fixed
    found = _first_sine(fixed) if fixed >= 0 else -_first_sine(-fixed)
    return (found if angle > 0 else -found) / _ONE  # rounded once, as Python does with integers


def cosine(angle: float) -> float:
    """Of an angle from -pi to pi, in radians."""
    fixed = _HALF_PI - int(abs(angle) * _SCALE)
    return (_first_sine(fixed) if fixed >= 0 else -_first_sine(-fixed)) / _ONE


def _small_arcsine(number: int) -> int:
    return _sum(_ARCSINE, number * number >> _BITS) * number >> _BITS


def arcsine(number: float) -> float:
    """Of a number from 0 to 1, in radians; of a greater one as of 1."""
    if number < _TINY:
        return number
    if number >= 1.0:
        return PI / 2
    fixed = int(number * _SCALE)
    if number <= 0.5:
        return _small_arcsine(fixed) / _ONE
    # The series would be long: by the sine of half of the complement, which is at most a half.
    half = isqrt((_ONE - fixed) // 2 << _BITS)
    return (_HALF_PI - 2 * _small_arcsine(half)) / _ONE
