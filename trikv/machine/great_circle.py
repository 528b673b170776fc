"""Distances on the earth, and shapes that are searched, in metres: what Redis calculates, in its order.

Every function is deterministic (`trikv.machine.trigonometry`; + - * / and the square root of doubles, which
IEEE 754 demands to be rounded correctly), because distances decide which members are stored, and are stored.
"""

from math import sqrt
from typing import Final

import attrs

from trikv.machine.geohash import STEP_MAX, Area, Cell, cell_at
from trikv.machine.trigonometry import PI, arcsine, cosine, sine

EARTH_RADIUS_M: Final = 6372797.560856
_MERCATOR_MAX_M: Final = 20037726.37
_RADIANS: Final = PI / 180.0
"""Of a degree."""
_SURELY: Final = 1.000001
"""A distance that is so many times too great is not near the edge of a circle, however it was rounded."""
_FAR, _FARTHER = 66.0, 80.0
"""Beyond these latitudes a cell is narrow, and one that is twice as wide is searched."""


def _latitude_distance(one: float, other: float) -> float:
    """Along a meridian."""
    return EARTH_RADIUS_M * abs(other * _RADIANS - one * _RADIANS)


def distance(
    longitude: float,
    latitude: float,
    other_longitude: float,
    other_latitude: float,
    own_cosine: float | None = None,
) -> float:
    """Along the great circle between two places, which are given in degrees: the haversine formula.

    `own_cosine`: that of `latitude`, for who knows it.
    """
    across = sine((other_longitude * _RADIANS - longitude * _RADIANS) / 2)
    if across == 0.0:
        return _latitude_distance(latitude, other_latitude)
    one, other = latitude * _RADIANS, other_latitude * _RADIANS
    along = sine((other - one) / 2)
    if own_cosine is None:
        own_cosine = cosine(one)
    share = along * along + own_cosine * cosine(other) * across * across
    return 2.0 * EARTH_RADIUS_M * arcsine(sqrt(share))


@attrs.frozen
class Shape:
    """A circle or a box around a place. Lengths are in a unit of so many metres."""

    longitude: float
    latitude: float
    unit_m: float
    radius: float | None
    """None: it is a box."""
    width: float = 0.0
    height: float = 0.0
    own_cosine: float = attrs.field(init=False)
    """Of the latitude."""

    @own_cosine.default
    def _cosine_of_latitude(self) -> float:
        return cosine(self.latitude * _RADIANS)

    def distance_if_inside(self, longitude: float, latitude: float) -> float | None:
        """The distance in metres of that place from the middle; None if it is outside."""
        if self.radius is not None:
            most = self.radius * self.unit_m
            # The distance is not less than that of the latitudes, but for the rounding of either.
            if _latitude_distance(self.latitude, latitude) > most * _SURELY:
                return None
            found = distance(self.longitude, self.latitude, longitude, latitude, self.own_cosine)
            return found if found <= most else None
        if _latitude_distance(latitude, self.latitude) > self.height * self.unit_m / 2:
            return None
        if distance(longitude, latitude, self.longitude, latitude) > self.width * self.unit_m / 2:
            return None
        return distance(self.longitude, self.latitude, longitude, latitude, self.own_cosine)

    def cells(self) -> list[Cell]:
        """The cells that are searched, each once, in Redis' order: which members come first depends on it."""
        step = self._step()
        own = cell_at(self.longitude, self.latitude, step)
        if step == 1:  # they cover the whole map
            return _around(own, _EVERYWHERE)
        bounds = self._bounds()
        if _is_too_small(own, bounds):
            step -= 1
            own = cell_at(self.longitude, self.latitude, step)
        return _around(own, _needed(own.area(), bounds) if step > 1 else _EVERYWHERE)

    def _step(self) -> int:
        """How fine the cells are of which nine around the place cover the shape, as a rule."""
        if self.radius is not None:
            reach = self.radius
        else:
            reach = sqrt((self.width / 2) * (self.width / 2) + (self.height / 2) * (self.height / 2))
        reach *= self.unit_m
        if reach == 0:
            return STEP_MAX
        step = 1
        while reach < _MERCATOR_MAX_M:
            reach *= 2
            step += 1
        step -= 2 + (abs(self.latitude) > _FAR) + (abs(self.latitude) > _FARTHER)
        return min(max(step, 1), STEP_MAX)

    def _bounds(self) -> Area:
        """The box, in degrees, that the shape is in."""
        half_width = self.unit_m * (self.width / 2 if self.radius is None else self.radius)
        half_height = self.unit_m * (self.height / 2 if self.radius is None else self.radius)
        north = half_height / EARTH_RADIUS_M / _RADIANS
        # Farther from the equator a degree of longitude is shorter.
        widest = self.latitude - north if self.latitude < 0 else self.latitude + north
        east = half_width / EARTH_RADIUS_M / cosine(widest * _RADIANS) / _RADIANS
        return Area(
            self.longitude - east, self.latitude - north, self.longitude + east, self.latitude + north
        )


_EVERYWHERE: Final = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))
"""A cell and its neighbours: so many to the north, so many to the east."""


def _is_too_small(own: Cell, bounds: Area) -> bool:
    """Whether the cell and its neighbours do not reach as far as the shape does."""
    return (
        own.moved(1, 0).area().north < bounds.north
        or own.moved(-1, 0).area().south > bounds.south
        or own.moved(0, 1).area().east < bounds.east
        or own.moved(0, -1).area().west > bounds.west
    )


def _needed(own: Area, bounds: Area) -> list[tuple[int, int]]:
    """Those neighbours that the shape reaches, itself first."""
    left_out = [
        side
        for side, is_not_reached in (
            ((-1, 0), own.south < bounds.south),
            ((1, 0), own.north > bounds.north),
            ((0, -1), own.west < bounds.west),
            ((0, 1), own.east > bounds.east),
        )
        if is_not_reached
    ]
    return [
        (north, east)
        for north, east in _EVERYWHERE
        if not any((north and north == side[0]) or (east and east == side[1]) for side in left_out)
    ]


def _around(own: Cell, sides: "list[tuple[int, int]] | tuple[tuple[int, int], ...]") -> list[Cell]:
    """The cell and its neighbours at these sides. Of large ones some are the same, one behind another."""
    found: list[Cell] = []
    for north, east in sides:
        cell = own.moved(north, east)
        if len(found) < 2 or found[-1] != cell:
            found.append(cell)
    return found
