"""Sines and their like are the doubles next to the true values, on every machine."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trikv.machine.trigonometry import arcsine, cosine, sine
from trikv.sim.checkers.meanings import geo

ANGLES = st.floats(-math.pi, math.pi)
SHARES = st.floats(0, 1)


@given(ANGLES)
def test_sines_are_rounded_once(angle: float) -> None:
    """As from sixty digits; a library's differ by the last bit at most."""
    assert sine(angle) == geo._rounded(geo._sine_series, angle)
    assert math.isclose(sine(angle), math.sin(angle), rel_tol=3e-16, abs_tol=1e-300)


@given(ANGLES)
def test_cosines_are_rounded_once(angle: float) -> None:
    """The same."""
    assert cosine(angle) == geo._rounded(geo._cosine_series, angle)
    assert math.isclose(cosine(angle), math.cos(angle), rel_tol=3e-16)


@given(SHARES)
def test_arcsines_are_rounded_once(share: float) -> None:
    """The same."""
    assert arcsine(share) == geo._rounded(geo._arcsine_by_newton, share)
    assert math.isclose(arcsine(share), math.asin(share), rel_tol=3e-16)


@pytest.mark.parametrize(
    ("function", "number", "expected"),
    [
        (sine, 0.0, 0.0),
        (sine, 1e-300, 1e-300),
        (sine, -1e-9, -1e-9),
        (sine, math.pi, math.sin(math.pi)),
        (sine, -math.pi / 2, -1.0),
        (cosine, 0.0, 1.0),
        (cosine, math.pi, -1.0),
        (cosine, math.pi / 2, math.cos(math.pi / 2)),
        (arcsine, 0.5, math.asin(0.5)),
        (arcsine, math.nextafter(0.5, 1), math.asin(math.nextafter(0.5, 1))),
        (arcsine, 1.0, math.pi / 2),
        (arcsine, 1.0000000000000002, math.pi / 2),
        (arcsine, 1e-12, 1e-12),
    ],
)
def test_ends(function: Callable[[float], float], number: float, expected: float) -> None:
    """Of the series, of the complements, and what rounding brings beyond 1."""
    assert function(number) == expected
