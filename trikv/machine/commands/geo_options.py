"""What a search for places asks for: a place, a shape, an order, what is shown or kept."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, TypeAlias

import attrs

from trikv.machine.commands.geo import Position, position_from, unit_from
from trikv.machine.errors import NOT_INTEGER, SYNTAX
from trikv.machine.geohash import position_of
from trikv.machine.numerics import parse_double, parse_integer
from trikv.machine.replies import CommandError
from trikv.machine.values.sorted_set import SortedSet

_NO_RADIUS: Final = CommandError("ERR need numeric radius")
_NEGATIVE_RADIUS: Final = CommandError("ERR radius cannot be negative")
_NO_WIDTH: Final = CommandError("ERR need numeric width")
_NO_HEIGHT: Final = CommandError("ERR need numeric height")
_NEGATIVE_BOX: Final = CommandError("ERR height or width cannot be negative")
_NO_MEMBER: Final = CommandError("ERR could not decode requested zset member")
_NO_COUNT: Final = CommandError("ERR COUNT must be > 0")
_ANY_ALONE: Final = CommandError("ERR the ANY argument requires COUNT argument")

Measures: TypeAlias = tuple[float | None, float, float, float]
"""Radius (None: of a box), width and height in a unit, and that in metres."""


@attrs.define
class Asked:
    """What a call says, as far as it was read."""

    name: str
    """Of the command, as an error shows it."""
    set_: SortedSet | None
    """What is searched; None if it is not there: then nothing is found, but the options are still judged."""
    place: Position | None = None
    """The middle of the shape; None if it is not named, or the sorted set is not there."""
    has_place: str = ""
    """By which word it is named."""
    measures: Measures | None = None
    has_shape: str = ""
    shows_distance: bool = False
    shows_hash: bool = False
    shows_place: bool = False
    stops_early: bool = False
    """It stops as soon as it has found `most`, whichever they are."""
    order: int = 0
    """1: the nearest first; -1: the farthest first; 0: as they are found."""
    most: int = 0
    """No more are answered; 0: all."""
    store: bytes | None = None
    """The key that is to have what is found."""
    stores_distance: bool = False

    def problem(self) -> CommandError | None:
        """What is missing, or contradicts something else."""
        is_search = self.name.startswith("geosearch")
        if self.store is not None and (self.shows_distance or self.shows_hash or self.shows_place):
            what = "GEOSEARCHSTORE" if is_search else "STORE option in GEORADIUS"
            return CommandError(f"ERR {what} is not compatible with WITHDIST, WITHHASH and WITHCOORD options")
        if is_search and not self.has_place:
            return CommandError(
                f"ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for {self.name}"
            )
        if is_search and not self.has_shape:
            return CommandError(f"ERR exactly one of BYRADIUS and BYBOX can be specified for {self.name}")
        return _ANY_ALONE if self.stops_early and not self.most else None


def circle_from(radius: bytes, unit: bytes) -> Measures | CommandError:
    """A circle, from two arguments."""
    length = parse_double(radius)
    if length is None:
        return _NO_RADIUS
    if length < 0:
        return _NEGATIVE_RADIUS
    unit_m = unit_from(unit)
    return unit_m if isinstance(unit_m, CommandError) else (length, 0.0, 0.0, unit_m)


def _box_from(width: bytes, height: bytes, unit: bytes) -> Measures | CommandError:
    wide, high = parse_double(width), parse_double(height)
    if wide is None:
        return _NO_WIDTH
    if high is None:
        return _NO_HEIGHT
    if wide < 0 or high < 0:
        return _NEGATIVE_BOX
    unit_m = unit_from(unit)
    return unit_m if isinstance(unit_m, CommandError) else (None, wide, high, unit_m)


def place_of(set_: SortedSet | None, member: bytes) -> Position | CommandError | None:
    """Where a member is; None if there is no sorted set."""
    if set_ is None:
        return None
    score = set_.get(member)
    return _NO_MEMBER if score is None else position_of(score)


_SHOWS: Final = {
    b"WITHDIST": "shows_distance",
    b"WITHHASH": "shows_hash",
    b"WITHCOORD": "shows_place",
    b"ANY": "stops_early",
}
_ORDERS: Final = {b"ASC": 1, b"DESC": -1}


def read_options(asked: Asked, words: Sequence[bytes], can: frozenset[bytes]) -> CommandError | None:
    """Read the options of a call into `asked`. `can`: those that this command has besides the usual ones."""
    at = 0
    while at < len(words):
        word, left = words[at].upper(), words[at + 1 :]
        at += 1
        if word in _SHOWS:
            setattr(asked, _SHOWS[word], True)
        elif word in _ORDERS:
            asked.order = _ORDERS[word]
        elif word == b"COUNT" and left:
            most = parse_integer(left[0])
            if most is None or most <= 0:
                return NOT_INTEGER if most is None else _NO_COUNT
            asked.most = most
            at += 1
        elif word in can:
            taken = _OTHERS[word](asked, left)
            if isinstance(taken, CommandError):
                return taken
            at += taken
        else:
            return SYNTAX
    return asked.problem()


def _store(asked: Asked, left: Sequence[bytes], *, is_distance: bool) -> int | CommandError:
    if not left:
        return SYNTAX
    asked.store, asked.stores_distance = left[0], is_distance
    return 1


def _store_distance(asked: Asked, left: Sequence[bytes]) -> int | CommandError:
    if asked.name != "geosearchstore":
        return _store(asked, left, is_distance=True)
    asked.stores_distance = True
    return 0


def _from_member(asked: Asked, left: Sequence[bytes]) -> int | CommandError:
    if not left or asked.has_place == "place":
        return SYNTAX
    place = place_of(asked.set_, left[0])
    if isinstance(place, CommandError):
        return place
    asked.place, asked.has_place = place, "member"
    return 1


def _from_place(asked: Asked, left: Sequence[bytes]) -> int | CommandError:
    if len(left) < 2 or asked.has_place == "member":
        return SYNTAX
    place = position_from(left[0], left[1])
    if isinstance(place, CommandError):
        return place
    asked.place, asked.has_place = place, "place"
    return 2


def _by_radius(asked: Asked, left: Sequence[bytes]) -> int | CommandError:
    if len(left) < 2 or asked.has_shape == "box":
        return SYNTAX
    measures = circle_from(left[0], left[1])
    if isinstance(measures, CommandError):
        return measures
    asked.measures, asked.has_shape = measures, "circle"
    return 2


def _by_box(asked: Asked, left: Sequence[bytes]) -> int | CommandError:
    if len(left) < 3 or asked.has_shape == "circle":
        return SYNTAX
    measures = _box_from(left[0], left[1], left[2])
    if isinstance(measures, CommandError):
        return measures
    asked.measures, asked.has_shape = measures, "box"
    return 3


_OTHERS: Final[dict[bytes, Callable[[Asked, Sequence[bytes]], int | CommandError]]] = {
    b"STORE": partial(_store, is_distance=False),
    b"STOREDIST": _store_distance,
    b"FROMMEMBER": _from_member,
    b"FROMLONLAT": _from_place,
    b"BYRADIUS": _by_radius,
    b"BYBOX": _by_box,
}
"""What else may be said: each returns how many arguments it has taken."""
SEARCHES: Final = frozenset({b"FROMMEMBER", b"FROMLONLAT", b"BYRADIUS", b"BYBOX"})
SEARCH_STORES: Final = SEARCHES | {b"STOREDIST"}
STORES: Final = frozenset({b"STORE", b"STOREDIST"})
NOTHING: Final[frozenset[bytes]] = frozenset()
