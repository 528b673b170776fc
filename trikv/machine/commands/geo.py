"""Places: members of a sorted set whose scores say where on the earth they are (`trikv.machine.geohash`)."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from trikv.machine.commands.elements import looked
from trikv.machine.commands.sorted_sets import Adding, added_scores, more_bytes
from trikv.machine.database import Database
from trikv.machine.declaration import By, Told
from trikv.machine.errors import NOT_FLOAT, SYNTAX
from trikv.machine.features import STREAMS
from trikv.machine.geohash import is_on_map, position_of, score_at, text_of
from trikv.machine.grammar import Key
from trikv.machine.great_circle import distance
from trikv.machine.long_reads import LongRead
from trikv.machine.numerics import human_text, parse_double
from trikv.machine.replies import NULL_ARRAY, CommandError, DoubleText, Reply
from trikv.machine.table import CommandTable
from trikv.machine.values.sorted_set import SortedSet

COMMANDS = CommandTable(STREAMS)

_NAMED: Final = "O(N), N being the number of members named"
_UNITS: Final = {b"M": 1.0, b"KM": 1000.0, b"FT": 0.3048, b"MI": 1609.34}
_NO_UNIT: Final = CommandError("ERR unsupported unit provided. please use M, KM, FT, MI")
_ADD_WORDS: Final = frozenset({b"NX", b"XX", b"CH"})
STEP_PLACES: Final = 32
"""Places that one step looks at: each takes 10 to 25 us."""
LOOKED: Final = 16
"""So many elements of another long read take as long as a place."""
_PLACES: Final = 10_000
"""Distances are shown with four digits behind the point."""

Position = tuple[float, float]
"""Longitude and latitude in degrees."""


def position_from(longitude: bytes, latitude: bytes) -> Position | CommandError:
    """The place that two arguments say, if it is on the map."""
    east, north = parse_double(longitude), parse_double(latitude)
    if east is None or north is None:
        return NOT_FLOAT
    if not is_on_map(east, north):
        return CommandError(f"ERR invalid longitude,latitude pair {east:f},{north:f}")
    return east, north


def unit_from(text: bytes) -> float | CommandError:
    """How many metres a unit has."""
    return _UNITS.get(text.upper(), _NO_UNIT)


def distance_text(metres: float, unit_m: float) -> bytes:
    """A distance as it is shown, rounded to four digits as Redis 7.2 rounds."""
    whole, places = divmod(round(metres / unit_m * _PLACES), _PLACES)
    return b"%d.%04d" % (whole, places)


def position_shown(position: Position) -> list[Reply]:
    """Coordinates as they are answered."""
    return [DoubleText(human_text(each)) for each in position]


@COMMANDS.command(
    "GEOADD",
    by=By.LOG,
    group="geo",
    denies_oom=True,
    grows_more=more_bytes,
    grows_once=SortedSet.unpacked_bytes(),
    options="[NX|XX] [CH] longitude latitude member [longitude latitude member ...]",
    open_least=3,
    complexity="O(M log N), N being the number of members and M that of those named",
    told=Told("3.2.0", "RW update"),
)
def geoadd(db: Database, key: Key, *args: bytes) -> Reply:
    """Add members with their places to a sorted set, or move those that it has."""
    at, words = 0, set()
    while at < len(args) and args[at].upper() in _ADD_WORDS:
        words.add(args[at].upper())
        at += 1
    given = args[at:]
    if len(given) % 3 or {b"NX", b"XX"} <= words:
        return SYNTAX
    pairs: list[tuple[float, bytes]] = []
    for longitude, latitude, member in zip(given[::3], given[1::3], given[2::3], strict=True):
        position = position_from(longitude, latitude)
        if isinstance(position, CommandError):
            return position
        pairs.append((score_at(*position), member))
    return added_scores(db, key, Adding(words), pairs) if pairs else SYNTAX


def _each(
    db: Database, key: bytes, members: Sequence[bytes], show: Callable[[float], Reply], none: Reply
) -> Reply | LongRead:
    """What there is to show of each member's score; `none` of one that is not there."""
    set_ = looked(db, key, SortedSet)
    if set_ is None:
        return [none] * len(members)

    def rows() -> Iterator[list[Reply]]:
        for at in range(0, len(members), STEP_PLACES):
            scores = set_.get_each(list(members[at : at + STEP_PLACES]))
            yield [none if score is None else show(score) for score in scores]

    count = len(members)
    return LongRead.of_values(db, {key: set_}, rows, size=count * LOOKED, count=count)


@COMMANDS.command("GEOPOS", by=By.READ, group="geo", complexity=_NAMED, told=Told("3.2.0"))
def geopos(db: Database, key: Key, *members: bytes) -> Reply | LongRead:
    """The longitude and the latitude of members, as exactly as their scores say."""
    return _each(db, key, members, lambda score: position_shown(position_of(score)), NULL_ARRAY)


@COMMANDS.command("GEOHASH", by=By.READ, group="geo", complexity=_NAMED, told=Told("3.2.0"))
def geohash(db: Database, key: Key, *members: bytes) -> Reply | LongRead:
    """The places of members in eleven letters, as geohash.org has them."""
    return _each(db, key, members, text_of, None)


@COMMANDS.command("GEODIST", by=By.READ, group="geo", options="[M|KM|FT|MI]", told=Told("3.2.0"))
def geodist(db: Database, key: Key, member1: bytes, member2: bytes, *unit: bytes) -> Reply:
    """How far it is from one member to another, in metres unless a unit is named."""
    if len(unit) > 1:
        return SYNTAX
    unit_m = unit_from(unit[0]) if unit else 1.0
    if isinstance(unit_m, CommandError):
        return unit_m
    set_ = looked(db, key, SortedSet)
    one, other = (None if set_ is None else set_.get(member) for member in (member1, member2))
    if one is None or other is None:
        return None
    return distance_text(distance(*position_of(one), *position_of(other)), unit_m)
