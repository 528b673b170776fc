"""Places on the earth as numbers: cells of a grid, and the scores that are made of them, as Redis has them.

A cell is an interval of latitude and one of longitude, of 2**step each. Bits of both, in turns, make a number
in which cells that are close together have much in common: the score of a member is that of its cell of 26
steps. Only + - * / of doubles are used, in Redis' order, so that a score is the same on every machine.
"""

from typing import Final

import attrs

LONGITUDE_MAX: Final = 180.0
LATITUDE_MAX: Final = 85.05112878
"""The map is a square (EPSG:900913)."""
STEP_MAX: Final = 26

_TEXT_LATITUDE_MAX: Final = 90.0
"""The usual notation has the poles, too."""
_ALPHABET: Final = b"0123456789bcdefghjkmnpqrstuvwxyz"
_TEXT_BITS: Final = 5
_SPREAD: Final = (
    (16, 0x0000FFFF0000FFFF),
    (8, 0x00FF00FF00FF00FF),
    (4, 0x0F0F0F0F0F0F0F0F),
    (2, 0x3333333333333333),
    (1, 0x5555555555555555),
)
_SHARE: Final = 1.0 / (1 << STEP_MAX)
_MASK: Final = (1 << 64) - 1
_HALF_MASK: Final = (1 << 32) - 1
_SIGNED_END: Final = float(1 << 63)


def _twice(mask: int) -> int:
    """For two numbers in one, the second above 64 bits."""
    return mask | mask << 64


_GATHER: Final = tuple(
    (1 << place, _twice(mask)) for place, (_, mask) in enumerate((*_SPREAD[-2::-1], (0, _HALF_MASK)))
)
_EVERY_OTHER: Final = _SPREAD[-1][1]


def _spread(number: int) -> int:
    """The 32 bits of `number`, with a zero above each."""
    for shift, mask in _SPREAD:
        number = (number | number << shift) & mask
    return number


def _gathered(number: int) -> tuple[int, int]:
    """Every other bit of 64, from the lowest on; and the others."""
    both = number & _EVERY_OTHER | (number >> 1 & _EVERY_OTHER) << 64
    for shift, mask in _GATHER:
        both = (both | both >> shift) & mask
    return both & _HALF_MASK, both >> 64


def _edge(number: int, share: float, most: float) -> float:
    """Where an interval begins in degrees. `share`: each is such a part of all, from -`most` to that."""
    return -most + (number & _HALF_MASK) * share * (most + most)


@attrs.frozen
class Area:
    """What a cell covers, in degrees."""

    west: float
    south: float
    east: float
    north: float


@attrs.frozen
class Cell:
    """A cell of the grid of 2**`step` intervals each way."""

    latitude: int
    """From the south; the northern end of the map is in a cell of its own."""
    longitude: int
    step: int

    @property
    def bits(self) -> int:
        """Its number: bits of longitude and latitude in turns, the longitude's highest first."""
        return _spread(self.latitude) | _spread(self.longitude) << 1

    def scores(self) -> tuple[float, float]:
        """The least score of a member in it, and the one behind the greatest."""
        shift = 2 * (STEP_MAX - self.step)
        return float(self.bits << shift), float(self.bits + 1 << shift)

    def moved(self, north: int, east: int) -> "Cell":
        """The cell so many cells from here, around the map."""
        count = 1 << self.step
        latitude = (self.latitude + north) % count if north else self.latitude
        longitude = (self.longitude + east) % count if east else self.longitude
        return Cell(latitude, longitude, self.step)

    def area(self) -> Area:
        """What it covers."""
        share = 1.0 / (1 << self.step)  # to divide by a power of two is to multiply by this
        return Area(
            _edge(self.longitude, share, LONGITUDE_MAX),
            _edge(self.latitude, share, LATITUDE_MAX),
            _edge(self.longitude + 1, share, LONGITUDE_MAX),
            _edge(self.latitude + 1, share, LATITUDE_MAX),
        )


def cell_at(longitude: float, latitude: float, step: int, latitude_max: float = LATITUDE_MAX) -> Cell:
    """The cell of a place on the map, which goes from -`latitude_max` to that."""
    of_latitude = (latitude + latitude_max) / (latitude_max + latitude_max)
    of_longitude = (longitude + LONGITUDE_MAX) / (LONGITUDE_MAX + LONGITUDE_MAX)
    count = 1 << step
    return Cell(int(of_latitude * count), int(of_longitude * count), step)


def score_at(longitude: float, latitude: float) -> float:
    """The score of a member at that place, which is on the map."""
    return float(cell_at(longitude, latitude, STEP_MAX).bits)


def is_on_map(longitude: float, latitude: float) -> bool:
    """Whether there are scores for that place."""
    return -LONGITUDE_MAX <= longitude <= LONGITUDE_MAX and -LATITUDE_MAX <= latitude <= LATITUDE_MAX


def _bits_of(score: float) -> int:
    """The number that a score says. What ZADD has put may be any: then as a PC converts it for Redis."""
    if -_SIGNED_END <= score < _SIGNED_END:
        return int(score) & _MASK
    if _SIGNED_END <= score < 2 * _SIGNED_END:
        return int(score)
    return 0 if score > 0 else 1 << 63


def position_of(score: float) -> tuple[float, float]:
    """The middle of the cell that a score says, in degrees: longitude and latitude."""
    row, column = _gathered(_bits_of(score))
    longitude, latitude = (
        (_edge(number, _SHARE, most) + _edge(number + 1, _SHARE, most)) / 2
        for number, most in ((column, LONGITUDE_MAX), (row, LATITUDE_MAX))
    )
    return (
        min(max(longitude, -LONGITUDE_MAX), LONGITUDE_MAX),
        min(max(latitude, -LATITUDE_MAX), LATITUDE_MAX),
    )


def text_of(score: float) -> bytes:
    """The usual notation of the place of a score (geohash.org). Its last letter is always 0, as in Redis."""
    bits = cell_at(*position_of(score), STEP_MAX, _TEXT_LATITUDE_MAX).bits
    shifts = range(2 * STEP_MAX - _TEXT_BITS, 0, -_TEXT_BITS)
    return bytes(_ALPHABET[bits >> shift & len(_ALPHABET) - 1] for shift in shifts) + _ALPHABET[:1]
