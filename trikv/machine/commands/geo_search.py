"""Searches: the members of a sorted set that are inside of a circle or a box on the earth.

A search goes over the members in nine cells at most (`trikv.machine.great_circle.Shape.cells`), a few at a
step, because each takes 10 to 25 us. If the answer has an order, what is found is put into a sorted set of
its own: the scores are the distances, negative ones if the farthest come first.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from trikv.machine.call import Steps
from trikv.machine.commands.elements import built, in_chunks, looked, short
from trikv.machine.commands.gathering import gathered_into
from trikv.machine.commands.geo import (
    LOOKED,
    STEP_PLACES,
    distance_text,
    position_from,
    position_shown,
)
from trikv.machine.commands.geo_options import (
    NOTHING,
    SEARCH_STORES,
    SEARCHES,
    STORES,
    Asked,
    circle_from,
    place_of,
    read_options,
)
from trikv.machine.commands.several import with_target
from trikv.machine.commands.sorted_sets import more_bytes
from trikv.machine.database import Database
from trikv.machine.declaration import By, Told
from trikv.machine.features import STREAMS
from trikv.machine.geohash import position_of
from trikv.machine.grammar import Key
from trikv.machine.great_circle import Shape
from trikv.machine.keyspec import Index, KeySpec, Keyword, Range
from trikv.machine.long_reads import LongRead
from trikv.machine.replies import CommandError, Reply
from trikv.machine.table import CommandTable
from trikv.machine.values.sorted_set import SortedSet

COMMANDS = CommandTable(STREAMS)

_SEARCH: Final = "O(N+log(M)), N being the number of members in the cells that are searched, M that of all"

Found: TypeAlias = tuple[bytes, float, float]
"""A member, its score, and its distance in metres."""


# What is found.


def _cells(asked: Asked) -> tuple[Shape, list[tuple[int, int]]]:
    """The shape, and the ranks of the members that are looked at."""
    assert asked.set_ is not None, "nothing is found without it"
    assert asked.place is not None, "it was read, or refused"
    assert asked.measures is not None, "the same"
    radius, width, height, unit_m = asked.measures
    shape = Shape(*asked.place, unit_m, radius, width, height)
    index = asked.set_.index
    scores = [cell.scores() for cell in shape.cells()]
    return shape, [
        (index.rank_of_score(least, behind=False), index.rank_of_score(behind, behind=False))
        for least, behind in scores
    ]


def _inside(asked: Asked, shape: Shape, spans: Sequence[tuple[int, int]]) -> Iterator[list[Found]]:
    """What is inside, in steps, in the order in which Redis finds it."""
    assert asked.set_ is not None, "nothing is found without it"
    left = asked.most if asked.stops_early else -1
    for first, last in spans:
        for some in in_chunks(asked.set_.index.span(first, last), STEP_PLACES):
            found: list[Found] = []
            for score, member in some:
                distance = shape.distance_if_inside(*position_of(score))
                if distance is not None:
                    found.append((member, score, distance))
                    if len(found) == left:
                        break
            yield found
            left -= len(found)
            if not left:
                return


def _ordered(target: SortedSet, asked: Asked, rows: Iterator[list[Found]]) -> Iterator[None]:
    """Put what is found into `target`, which has nothing yet, in the order that is asked for."""
    return gathered_into(
        target, ([(member, asked.order * distance) for member, _, distance in some] for some in rows), None
    )


def _of_order(target: SortedSet, asked: Asked) -> Iterator[list[Found]]:
    """What `_ordered` has put there, from the first to be answered on."""
    assert asked.set_ is not None, "something was found in it"
    last = min(asked.most or target.count, target.count)
    for some in in_chunks(target.index.span(0, last), STEP_PLACES):
        scores = asked.set_.get_each([member for _, member in some])
        yield [(member, score, asked.order * key) for (key, member), score in zip(some, scores, strict=True)]


def _shown(asked: Asked, unit_m: float, found: Sequence[Found]) -> list[Reply]:
    """The members as they are answered, with what was asked for."""
    if not (asked.shows_distance or asked.shows_hash or asked.shows_place):
        return [member for member, _, _ in found]
    rows: list[Reply] = []
    for member, score, distance in found:
        row: list[Reply] = [member]
        if asked.shows_distance:
            row.append(distance_text(distance, unit_m))
        if asked.shows_hash:
            row.append(int(score))
        if asked.shows_place:
            row.append(position_shown(position_of(score)))
        rows.append(row)
    return rows


class _Search:
    """A search that is ready to be carried out."""

    def __init__(self, db: Database, asked: Asked) -> None:
        if asked.most and not asked.order and not asked.stops_early:
            asked.order = 1
        self._db = db
        self._asked = asked
        self._shape, self._spans = _cells(asked)
        self._target = db.created(SortedSet)
        """What is found in its order, if it has one."""
        self.size = sum(last - first for first, last in self._spans) * LOOKED
        """How many elements of another command take as long."""

    def _rows(self) -> Iterator[list[Found]]:
        """What is found, in steps, of which the first may be empty. Goes over the target if that is full."""
        rows = _inside(self._asked, self._shape, self._spans)
        if not self._asked.order:
            yield from rows
            return
        if not self._target.count:
            for _ in _ordered(self._target, self._asked, rows):
                yield []
        yield from _of_order(self._target, self._asked)

    def _replies(self) -> Iterator[list[Reply]]:
        return (_shown(self._asked, self._shape.unit_m, some) for some in self._rows())

    def read(self, key: bytes) -> LongRead:
        """The answer, made from the sorted set of `key` as it is now."""
        assert self._asked.set_ is not None, "it was found"
        over: Mapping[bytes, Any] = {key: self._asked.set_}
        if self._asked.order:
            over = with_target(over, self._target)
        return LongRead.of_values(self._db, over, self._replies, size=self.size)

    def steps(self) -> Steps[Reply]:
        """The answer, inside of an entry."""
        replies: list[Reply] = []
        for some in self._replies():
            replies += some
            yield
        return replies

    def stored(self, key: bytes) -> Steps[Reply]:
        """Keep what is found under another key; how many that is."""
        unit_m, stores_distance = self._shape.unit_m, self._asked.stores_distance
        rows = (
            [(member, distance / unit_m if stores_distance else score) for member, score, distance in some]
            for some in self._rows()
        )
        made = self._db.created(SortedSet)
        return built(self._db, key, made, gathered_into(made, rows, None))


def _answer(db: Database, key: bytes, asked: Asked) -> Reply | LongRead:
    """Of a command that only reads."""
    return [] if asked.set_ is None else _Search(db, asked).read(key)


def _write(db: Database, asked: Asked) -> Reply | Steps[Reply]:
    """Of a command that may store."""
    if asked.set_ is None:
        if asked.store is None:
            return []
        db.drop(asked.store)
        return 0
    search = _Search(db, asked)
    steps = search.steps() if asked.store is None else search.stored(asked.store)
    return short(steps, search.size)


# The commands.


def _around_place(
    db: Database, name: str, key: bytes, args: Sequence[bytes], can: frozenset[bytes]
) -> Asked | CommandError:
    """GEORADIUS: longitude, latitude, radius, unit, options. Raises WrongTypeError."""
    asked = Asked(name, looked(db, key, SortedSet))
    place = position_from(args[0], args[1])
    if isinstance(place, CommandError):
        return place
    measures = circle_from(args[2], args[3])
    if isinstance(measures, CommandError):
        return measures
    asked.place, asked.measures = place, measures
    return read_options(asked, args[4:], can) or asked


def _around_member(
    db: Database, name: str, key: bytes, args: Sequence[bytes], can: frozenset[bytes]
) -> Asked | CommandError:
    """GEORADIUSBYMEMBER: member, radius, unit, options. Raises WrongTypeError."""
    asked = Asked(name, looked(db, key, SortedSet))
    place = place_of(asked.set_, args[0])
    if isinstance(place, CommandError):
        return place
    if place is not None:  # Redis does not look at the radius if there is no sorted set
        measures = circle_from(args[1], args[2])
        if isinstance(measures, CommandError):
            return measures
        asked.place, asked.measures = place, measures
    return read_options(asked, args[3:], can) or asked


_SHOWN_OPTIONS: Final = "[WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC|DESC]"
_STORE_OPTIONS: Final = f"{_SHOWN_OPTIONS} [STORE key|STOREDIST key]"
_UNIT: Final = {"unit": "<M|KM|FT|MI>"}
_FROM_BY: Final = (
    "<FROMMEMBER member|FROMLONLAT longitude latitude> "
    "<BYRADIUS radius <M|KM|FT|MI>|BYBOX width height <M|KM|FT|MI>> [ASC|DESC] [COUNT count [ANY]]"
)


def _store_specs(first: int) -> tuple[KeySpec, ...]:
    """The keys of GEORADIUS, whose options begin at that argument."""
    return (
        KeySpec(Index(1), Range(), "RO access"),
        KeySpec(Keyword("STORE", first), Range(), "OW update"),
        KeySpec(Keyword("STOREDIST", first), Range(), "OW update"),
    )


@COMMANDS.command(
    "GEORADIUS",
    by=By.LOG,
    group="geo",
    denies_oom=True,
    grows_more=more_bytes,
    choices=_UNIT,
    options=_STORE_OPTIONS,
    specs=_store_specs(6),
    complexity=_SEARCH,
    told=Told(
        "3.2.0",
        deprecated="6.2.0",
        instead="`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument",
    ),
)
def georadius(
    db: Database, key: Key, longitude: bytes, latitude: bytes, radius: bytes, unit: bytes, *options: bytes
) -> Reply | Steps[Reply]:
    """The members inside of a circle around a place, answered or kept under another key."""
    args = (longitude, latitude, radius, unit, *options)
    asked = _around_place(db, "georadius", key, args, STORES)
    return asked if isinstance(asked, CommandError) else _write(db, asked)


@COMMANDS.command(
    "GEORADIUS_RO",
    by=By.READ,
    group="geo",
    choices=_UNIT,
    options=_SHOWN_OPTIONS,
    complexity=_SEARCH,
    told=Told("3.2.10", deprecated="6.2.0", instead="`GEOSEARCH` with the `BYRADIUS` argument"),
)
def georadius_ro(
    db: Database, key: Key, longitude: bytes, latitude: bytes, radius: bytes, unit: bytes, *options: bytes
) -> Reply | LongRead:
    """The members inside of a circle around a place."""
    args = (longitude, latitude, radius, unit, *options)
    asked = _around_place(db, "georadius_ro", key, args, NOTHING)
    return asked if isinstance(asked, CommandError) else _answer(db, key, asked)


@COMMANDS.command(
    "GEORADIUSBYMEMBER",
    by=By.LOG,
    group="geo",
    denies_oom=True,
    grows_more=more_bytes,
    choices=_UNIT,
    options=_STORE_OPTIONS,
    specs=_store_specs(5),
    complexity=_SEARCH,
    told=Told(
        "3.2.0",
        deprecated="6.2.0",
        instead="`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
    ),
)
def georadiusbymember(
    db: Database, key: Key, member: bytes, radius: bytes, unit: bytes, *options: bytes
) -> Reply | Steps[Reply]:
    """The members inside of a circle around another member, answered or kept under another key."""
    asked = _around_member(db, "georadiusbymember", key, (member, radius, unit, *options), STORES)
    return asked if isinstance(asked, CommandError) else _write(db, asked)


@COMMANDS.command(
    "GEORADIUSBYMEMBER_RO",
    by=By.READ,
    group="geo",
    choices=_UNIT,
    options=_SHOWN_OPTIONS,
    complexity=_SEARCH,
    told=Told(
        "3.2.10",
        deprecated="6.2.0",
        instead="`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments",
    ),
)
def georadiusbymember_ro(
    db: Database, key: Key, member: bytes, radius: bytes, unit: bytes, *options: bytes
) -> Reply | LongRead:
    """The members inside of a circle around another member."""
    asked = _around_member(db, "georadiusbymember_ro", key, (member, radius, unit, *options), NOTHING)
    return asked if isinstance(asked, CommandError) else _answer(db, key, asked)


@COMMANDS.command(
    "GEOSEARCH",
    by=By.READ,
    group="geo",
    options=f"{_FROM_BY} [WITHCOORD] [WITHDIST] [WITHHASH]",
    open_least=5,
    complexity=_SEARCH,
    told=Told("6.2.0"),
)
def geosearch(db: Database, key: Key, *args: bytes) -> Reply | LongRead:
    """The members inside of a circle or a box, around a place or another member."""
    asked = Asked("geosearch", looked(db, key, SortedSet))
    refused = read_options(asked, args, SEARCHES)
    return refused or _answer(db, key, asked)


@COMMANDS.command(
    "GEOSEARCHSTORE",
    by=By.LOG,
    group="geo",
    denies_oom=True,
    grows_more=more_bytes,
    options=f"{_FROM_BY} [STOREDIST]",
    open_least=5,
    complexity=_SEARCH,
    told=Told("6.2.0", ("OW update", "RO access")),
)
def geosearchstore(db: Database, destination: Key, source: Key, *args: bytes) -> Reply | Steps[Reply]:
    """Keep what GEOSEARCH would find under another key, and answer how many members that are."""
    asked = Asked("geosearchstore", looked(db, source, SortedSet), store=destination)
    refused = read_options(asked, args, SEARCH_STORES)
    return refused or _write(db, asked)
