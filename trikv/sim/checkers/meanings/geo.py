"""Places: a score is a row of bits, of longitude and latitude in turns; every member is looked at.

Coordinates are made of a score as Redis says, in its order. Sines and their like are calculated with sixty
digits and rounded once.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext
from functools import lru_cache
from math import sqrt
from typing import Any

import attrs

from trikv.sim.checkers.expected import Degrees, Drawn, Failure
from trikv.sim.checkers.meanings.registry import first, meaning_of, means, two
from trikv.sim.checkers.state import Args, Refused, State
from trikv.sim.checkers.values import Scores

_STEPS, _EAST, _NORTH = 26, 180.0, 85.05112878
_EARTH_M, _PI = 6372797.560856, 3.141592653589793
_UNITS = {b"m": 1.0, b"km": 1000.0, b"ft": 0.3048, b"mi": 1609.34}
_LETTERS = "0123456789bcdefghjkmnpqrstuvwxyz"
_NO_MEMBER = Failure("ERR could not decode requested zset member")
_DIGITS = 60
_TERMS = 80


def _bits(number: int) -> str:
    return f"{number:0{_STEPS + 1}b}"  # the end of the map is in a cell of its own


def _in_turns(longitude: int, latitude: int) -> str:
    return "".join(map("".join, zip(_bits(longitude), _bits(latitude), strict=True)))


def _cell(degrees: float, most: float) -> int:
    return int((degrees + most) / (most + most) * (1 << _STEPS))


def _score(longitude: float, latitude: float) -> float:
    return float(int(_in_turns(_cell(longitude, _EAST), _cell(latitude, _NORTH)), 2))


def _middle(cell: int, most: float) -> float:
    ends = [-most + (number / (1 << _STEPS)) * (most + most) for number in (cell, cell + 1)]
    return max(min((ends[0] + ends[1]) / 2, most), -most)


def _place(score: float) -> tuple[float, float]:
    bits = f"{int(score):0{2 * _STEPS + 2}b}"
    return _middle(int(bits[::2], 2), _EAST), _middle(int(bits[1::2], 2), _NORTH)


def _text(score: float) -> bytes:
    longitude, latitude = _place(score)
    bits = _in_turns(_cell(longitude, _EAST), _cell(latitude, 90.0))[2:]
    return ("".join(_LETTERS[int(bits[at : at + 5], 2)] for at in range(0, 50, 5)) + "0").encode()


# Distances.


def _rounded(series: Callable[[Decimal], Decimal], number: float) -> float:
    with localcontext() as context:
        context.prec = _DIGITS
        return float(series(Decimal(number)))


def _sine_series(angle: Decimal) -> Decimal:
    total = term = angle
    for place in range(1, _TERMS):
        term *= -angle * angle / (2 * place * (2 * place + 1))
        total += term
    return total


def _cosine_series(angle: Decimal) -> Decimal:
    total = term = Decimal(1)
    for place in range(1, _TERMS):
        term *= -angle * angle / (2 * place * (2 * place - 1))
        total += term
    return total


def _arcsine_by_newton(number: Decimal) -> Decimal:
    """The angle of that sine: a half of the angle whose sine is known better, if it is near a right one."""
    if number > Decimal("0.71"):
        right = 2 * _arcsine_by_newton(Decimal("0.5").sqrt())
        return right - 2 * _arcsine_by_newton(((1 - number) / 2).sqrt())
    angle = number
    for _ in range(9):
        angle += (number - _sine_series(angle)) / _cosine_series(angle)
    return angle


def _sine(angle: float) -> float:
    return _rounded(_sine_series, angle)


@lru_cache(maxsize=1024)
def _distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    """In metres: the haversine formula."""
    east, north, other_east, other_north = (degrees * (_PI / 180.0) for degrees in (*one, *other))
    across = _sine((other_east - east) / 2)
    if not across:
        return _EARTH_M * abs(other_north - north)
    along = _sine((other_north - north) / 2)
    cosines = _rounded(_cosine_series, north) * _rounded(_cosine_series, other_north)
    share = along * along + cosines * across * across
    return 2.0 * _EARTH_M * _rounded(_arcsine_by_newton, min(sqrt(share), 1.0))


def _shown_distance(metres: float, unit_m: float) -> bytes:
    return f"{Decimal(round(metres / unit_m * 10000)) / 10000:.4f}".encode()


# Members.


@means("GEOADD", writes=True, repeats=True)
def _geoadd(state: State, args: Args) -> Any:
    words = [word for word in args[2:] if word in {b"NX", b"XX", b"CH"}]
    places = args[2 + len(words) :]
    pairs = [
        word
        for longitude, latitude, member in zip(places[::3], places[1::3], places[2::3], strict=True)
        for word in (b"%d" % _score(float(longitude), float(latitude)), member)
    ]
    return meaning_of((b"ZADD",)).run(state, (b"ZADD", args[1], *words, *pairs))


@means("GEOPOS")
def _geopos(state: State, args: Args) -> Any:
    scores = state.scores_of(args[1])
    return [list(map(Degrees, _place(scores[each]))) if each in scores else None for each in args[2:]]


@means("GEOHASH")
def _geohash(state: State, args: Args) -> Any:
    scores = state.scores_of(args[1])
    return [_text(scores[each]) if each in scores else None for each in args[2:]]


@means("GEODIST")
def _geodist(state: State, args: Args) -> Any:
    scores = state.scores_of(args[1])
    if not {args[2], args[3]} <= scores.keys():
        return None
    unit_m = _UNITS[args[4].lower()] if len(args) > 4 else 1.0
    return _shown_distance(_distance(_place(scores[args[2]]), _place(scores[args[3]])), unit_m)


# Searches.


@attrs.define
class _Search:
    """What is searched around which place, and what is wanted of it."""

    middle: tuple[float, float] | None
    """None: the member is not there."""
    radius: float | None
    sides: tuple[float, float]
    """Width and height of a box."""
    unit_m: float
    options: Sequence[bytes]

    def found(self, scores: Scores) -> list[tuple[bytes, float]]:
        """The members inside with their distances, in the order asked for; by their scores if none is."""
        if scores and self.middle is None:
            raise Refused(_NO_MEMBER)
        inside = [
            (member, distance)
            for member, score in scores.in_order()
            if (distance := self._distance(_place(score))) is not None
        ]
        if b"DESC" in self.options:
            return self._limited(sorted(inside, key=lambda pair: (-pair[1], pair[0])))
        if b"ASC" in self.options or (b"COUNT" in self.options and b"ANY" not in self.options):
            return self._limited(sorted(inside, key=lambda pair: (pair[1], pair[0])))
        return inside

    def _limited(self, found: list[tuple[bytes, float]]) -> list[tuple[bytes, float]]:
        return found[: self.count] if b"COUNT" in self.options else found

    @property
    def count(self) -> int:
        """How many are wanted at most."""
        return int(self.options[list(self.options).index(b"COUNT") + 1])

    def _distance(self, place: tuple[float, float]) -> float | None:
        """From the middle, in metres; None if it is outside."""
        assert self.middle is not None, "there are members"
        distance = _distance(self.middle, place)
        if self.radius is not None:
            return distance if distance <= self.radius * self.unit_m else None
        width, height = (side * self.unit_m / 2 for side in self.sides)
        is_high = _distance((0.0, place[1]), (0.0, self.middle[1])) > height
        is_wide = _distance(place, (self.middle[0], place[1])) > width
        return None if is_high or is_wide else distance

    def shown(self, scores: Scores) -> Any:
        """The answer."""
        found = self.found(scores)
        if b"ANY" in self.options:
            return Drawn(tuple(member for member, _ in found), min(self.count, len(found)))
        if not {b"ASC", b"DESC", b"COUNT"} & {*self.options}:
            return Drawn(tuple(member for member, _ in found), len(found))
        rows: list[Any] = []
        for member, distance in found:
            row: list[Any] = [member]
            if b"WITHDIST" in self.options:
                row.append(_shown_distance(distance, self.unit_m))
            if b"WITHHASH" in self.options:
                row.append(int(scores[member]))
            if b"WITHCOORD" in self.options:
                row.append(list(map(Degrees, _place(scores[member]))))
            rows.append(row if len(row) > 1 else member)
        return rows

    def store(self, state: State, key: bytes, scores: Scores) -> int:
        """Keep it, with scores or distances; how many."""
        keeps_distance = b"STOREDIST" in self.options
        return state.replace(
            key,
            Scores(
                {
                    member: distance / self.unit_m if keeps_distance else scores[member]
                    for member, distance in self.found(scores)
                }
            ),
        )


def _member(scores: Scores, member: bytes) -> tuple[float, float] | None:
    return _place(scores[member]) if member in scores else None


def _searched(scores: Scores, words: Args) -> _Search:
    """Of GEOSEARCH: a place, a shape, options."""
    if words[0] == b"FROMMEMBER":
        middle, rest = _member(scores, words[1]), words[2:]
    else:
        middle, rest = (float(words[1]), float(words[2])), words[3:]
    if rest[0] == b"BYRADIUS":
        return _Search(middle, float(rest[1]), (0.0, 0.0), _UNITS[rest[2]], rest[3:])
    return _Search(middle, None, (float(rest[1]), float(rest[2])), _UNITS[rest[3]], rest[4:])


@means("GEOSEARCH")
def _geosearch(state: State, args: Args) -> Any:
    scores = state.scores_of(args[1])
    return _searched(scores, args[2:]).shown(scores)


@means("GEOSEARCHSTORE", two, writes=True, repeats=True)
def _geosearchstore(state: State, args: Args) -> Any:
    scores = state.scores_of(args[2])
    return _searched(scores, args[3:]).store(state, args[1], scores)


def _target(args: Args) -> Args:
    """The key that is to have what is found, if it is to be stored."""
    for word in (b"STORE", b"STOREDIST"):
        if word in args:
            return args[args.index(word) + 1 :][:1]
    return ()


def _source_and_target(args: Args) -> Args:
    return (*first(args), *_target(args))


def _circle(state: State, args: Args) -> Any:
    scores = state.scores_of(args[1])
    if args[0].startswith(b"GEORADIUSBYMEMBER"):
        middle, rest = _member(scores, args[2]), args[3:]
    else:
        middle, rest = (float(args[2]), float(args[3])), args[4:]
    search = _Search(middle, float(rest[0]), (0.0, 0.0), _UNITS[rest[1]], rest[2:])
    target = _target(args)
    return search.store(state, target[0], scores) if target else search.shown(scores)


@means("GEORADIUS_RO, GEORADIUSBYMEMBER_RO")
def _georadius_ro(state: State, args: Args) -> Any:
    return _circle(state, args)


@means("GEORADIUS, GEORADIUSBYMEMBER", _source_and_target, writes=True, repeats=True)
def _georadius(state: State, args: Args) -> Any:
    return _circle(state, args)
