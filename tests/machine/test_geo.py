"""Places on the earth: scores, distances and searches as Redis has them, the same on every replica."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.machine.dialogue import check, text
from tests.machine.driving import Driver, reborn
from trikv.machine.call import at_once
from trikv.machine.commands import geo, geo_search
from trikv.machine.geohash import Cell, cell_at, position_of, score_at, text_of
from trikv.machine.great_circle import Shape, distance
from trikv.machine.replies import CommandError, Streamed
from trikv.machine.values.sorted_set import SortedSet
from trikv.sim.checkers.meanings import geo as naive

SICILY = "GEOADD s 13.361389 38.115556 Palermo 15.087269 37.502669 Catania"
PALERMO, CATANIA = (13.36138933897018433, 38.11555639549629859), (15.08726745843887329, 37.50266842333162032)
DEGREES = st.tuples(st.floats(-180, 180), st.floats(-85.05112878, 85.05112878))


def test_places_are_scores() -> None:
    """The examples of Redis' documentation."""
    check(f"""
        {SICILY} -> 2
        {SICILY} -> 0
        ZSCORE s Palermo -> 3479099956230698.0
        GEODIST s Palermo Catania -> 166274.1516
        GEODIST s Palermo Catania km -> 166.2742
        GEODIST s Palermo Catania MI -> 103.3182
        GEODIST s Palermo Catania ft -> 545518.8700
        GEODIST s Palermo Palermo -> 0.0000
        GEODIST s Palermo x -> nil
        GEODIST absent Palermo Catania -> nil
        GEODIST s Palermo Catania cm -> ERR unsupported unit provided. please use M, KM, FT, MI
        GEODIST s Palermo Catania m m -> ERR syntax error
        GEOHASH s Palermo Catania x -> [sqc8b49rny0 sqdtr74hyu0 nil]
        GEOHASH absent a -> [nil]
        GEOPOS s x -> [nil]
        GEOPOS s -> []
        GEOPOS absent a b -> [nil nil]
        TYPE s -> zset
    """)
    driver = Driver()
    driver.one(SICILY)
    (shown,) = as_list(driver.read("GEOPOS s Palermo"))
    assert [each.text for each in as_list(shown)] == [b"13.36138933897018433", b"38.11555639549629859"]


def as_list(reply: object) -> list[Any]:
    """An array."""
    assert isinstance(reply, list)
    return reply


def test_places_are_added_as_scores_are() -> None:
    """NX, XX and CH as of ZADD; what is no place is refused before anything is done."""
    check("""
        GEOADD s NX 1 2 a -> 1
        GEOADD s NX 3 4 a -> 0
        GEOADD s XX 3 4 b -> 0
        GEOADD s XX CH 3 4 a -> 1
        GEOADD s NX XX 3 4 a -> ERR syntax error
        GEOADD s 3 4 a 5 -> ERR syntax error
        GEOADD s CH CH CH -> ERR syntax error
        GEOADD s x 4 a -> ERR value is not a valid float
        GEOADD s 3 nan a -> ERR value is not a valid float
        GEOADD s 181 4 a -> ERR invalid longitude,latitude pair 181.000000,4.000000
        GEOADD s 1 2 b 3 -86 c -> ERR invalid longitude,latitude pair 3.000000,-86.000000
        GEOADD s inf 4 a -> ERR invalid longitude,latitude pair inf,4.000000
        ZCARD s -> 1
        GEOADD s 180 85.05112878 e -180 -85.05112878 w -> 2
        ZSCORE s w -> 0.0
        GEOHASH s e w -> [bp05b5048p0 00bh0hbj200]
        SET k v -> OK
        GEOADD k 1 2 a -> WRONGTYPE Operation against a key holding the wrong kind of value
        GEOPOS k a -> WRONGTYPE Operation against a key holding the wrong kind of value
    """)


def test_any_score_is_some_place() -> None:
    """Also those that ZADD has put: as a PC's processor converts them for Redis."""
    for score in (-1.0, -1e15, 2.0**63, 2.0**64 - 2048, 2.0**64, math.inf, -math.inf, 0.5, 2.0**62):
        longitude, latitude = position_of(score)
        assert -180 <= longitude <= 180
        assert abs(latitude) <= 85.05112878
    assert position_of(0.75) == position_of(0.0)
    assert position_of(math.inf) == position_of(0.0)


def test_searches_by_circle_and_by_box() -> None:
    """The examples of Redis' documentation, with what can be shown of each."""
    check(f"""
        {SICILY} -> 2
        GEOADD s 12.758489 38.788135 edge1 17.241510 38.788135 edge2 -> 2
        GEOSEARCH s FROMLONLAT 15 37 BYRADIUS 200 km ASC -> [Catania Palermo]
        GEOSEARCH s FROMLONLAT 15 37 BYBOX 400 400 km ASC WITHDIST COUNT 3 -> [[Catania 56.4413]...
        GEOSEARCH s FROMLONLAT 15 37 BYBOX 400 400 km DESC WITHDIST COUNT 1 -> [[edge1 279.7405]]
        GEOSEARCH s BYRADIUS 200 km FROMLONLAT 15 37 DESC -> [Palermo Catania]
        GEOSEARCH s FROMMEMBER Palermo BYRADIUS 0 m -> [Palermo]
        GEOSEARCH s FROMLONLAT 15 37 BYRADIUS 200 km COUNT 1 -> [Catania]
        GEOSEARCH s FROMLONLAT 15 37 BYRADIUS 200 km COUNT 1 DESC WITHHASH -> [[Palermo 3479099956230698]]
        GEOSEARCH s FROMLONLAT 15 37 BYRADIUS 20 km -> []
        GEOSEARCH s FROMLONLAT 15 37 BYRADIUS 20 km ASC -> []
        GEOSEARCH absent FROMLONLAT 15 37 BYRADIUS 200 km -> []
        GEOSEARCH absent FROMMEMBER x BYRADIUS 200 km -> []
        GEORADIUS s 15 37 200 km WITHDIST ASC -> [[Catania 56.4413] [Palermo 190.4424]]
        GEORADIUS_RO s 15 37 200 km ASC -> [Catania Palermo]
        GEORADIUSBYMEMBER s Catania 200 km DESC -> [Palermo Catania]
        GEORADIUSBYMEMBER_RO s Catania 100 km -> [Catania]
        GEORADIUSBYMEMBER absent x y z -> []
        GEORADIUSBYMEMBER_RO absent x y z -> []
        GEORADIUS absent 15 37 200 km -> []
        GEORADIUS_RO absent 15 37 200 km -> []
    """)
    driver = Driver()
    driver.one(SICILY)
    found = driver.read("GEOSEARCH s FROMLONLAT 15 37 BYRADIUS 100 km WITHCOORD WITHDIST WITHHASH")
    ((member, metres, score, place),) = as_list(found)
    assert (member, metres, score) == (b"Catania", b"56.4413", 3479447370796909)
    assert [each.text for each in as_list(place)] == [b"15.08726745843887329", b"37.50266842333162032"]
    some = driver.read("GEOSEARCH s FROMLONLAT 15 37 BYRADIUS 200 km COUNT 1 ANY")
    assert len(as_list(some)) == 1
    assert len(as_list(driver.read("GEOSEARCH s FROMLONLAT 15 37 BYRADIUS 200 km COUNT 1 ANY DESC"))) == 1


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ("BYRADIUS 1 m ASC ASC", "exactly one of FROMMEMBER or FROMLONLAT can be specified for geosearch"),
        ("FROMLONLAT 1 2 ASC ASC", "exactly one of BYRADIUS and BYBOX can be specified for geosearch"),
        ("FROMLONLAT 1 2 BYRADIUS 1 m BYBOX 1 1 m", "syntax error"),
        ("FROMLONLAT 1 2 BYBOX 1 1 m BYRADIUS 1 m", "syntax error"),
        ("FROMLONLAT 1 2 FROMMEMBER a BYRADIUS 1 m", "syntax error"),
        ("FROMMEMBER a FROMLONLAT 1 2 BYRADIUS 1 m", "syntax error"),
        ("FROMLONLAT 1 2 BYRADIUS 1 m FROMMEMBER", "syntax error"),
        ("FROMLONLAT 1 2 BYRADIUS 1 m FROMLONLAT 1", "syntax error"),
        ("FROMLONLAT 1 2 BYRADIUS 1 m BYRADIUS 1", "syntax error"),
        ("FROMLONLAT 1 2 BYBOX 1 m", "syntax error"),
        ("FROMLONLAT 1 2 BYRADIUS 1 m STOREDIST", "syntax error"),
        ("FROMLONLAT 1 2 BYRADIUS 1 m COUNT", "syntax error"),
        ("FROMLONLAT 1 2 BYRADIUS 1 m COUNT 0", "COUNT must be > 0"),
        ("FROMLONLAT 1 2 BYRADIUS 1 m COUNT x", "value is not an integer or out of range"),
        ("FROMLONLAT 1 2 BYRADIUS 1 m ANY", "the ANY argument requires COUNT argument"),
        ("FROMLONLAT 1 x BYRADIUS 1 m", "value is not a valid float"),
        ("FROMLONLAT 1 90 BYRADIUS 1 m", "invalid longitude,latitude pair 1.000000,90.000000"),
        ("FROMLONLAT 1 2 BYRADIUS x m", "need numeric radius"),
        ("FROMLONLAT 1 2 BYRADIUS -1 m", "radius cannot be negative"),
        ("FROMLONLAT 1 2 BYRADIUS 1 y", "unsupported unit provided. please use M, KM, FT, MI"),
        ("FROMLONLAT 1 2 BYBOX x 1 m", "need numeric width"),
        ("FROMLONLAT 1 2 BYBOX 1 x m", "need numeric height"),
        ("FROMLONLAT 1 2 BYBOX 1 -1 m", "height or width cannot be negative"),
        ("FROMLONLAT 1 2 BYBOX 1 1 y", "unsupported unit provided. please use M, KM, FT, MI"),
        ("FROMMEMBER x BYRADIUS 1 m ASC", "could not decode requested zset member"),
    ],
)
def test_what_a_search_may_not_ask(options: str, error: str) -> None:
    """In Redis' words."""
    driver = Driver()
    driver.one("GEOADD s 1 2 a")
    assert text(driver.read(f"GEOSEARCH s {options}")) == f"ERR {error}"


def test_older_commands_refuse_in_the_same_words() -> None:
    """Their place and shape stand in front; STORE is for those that write."""
    check("""
        GEOADD s 1 2 a -> 1
        GEORADIUS s 1 x 1 m -> ERR value is not a valid float
        GEORADIUS s 1 2 x m -> ERR need numeric radius
        GEORADIUS_RO s 1 2 1 m STORE k -> ERR syntax error
        GEORADIUS s 1 2 1 m STORE -> ERR syntax error
        GEORADIUS s 1 2 1 m FROMMEMBER a -> ERR syntax error
        GEORADIUS s 1 2 1 m STORE k WITHDIST -> ERR STORE option in GEORADIUS is not compatible with...
        GEOSEARCHSTORE k s FROMMEMBER a BYRADIUS 1 m WITHCOORD -> ERR GEOSEARCHSTORE is not compatible...
        GEORADIUSBYMEMBER s x 1 m -> ERR could not decode requested zset member
        GEORADIUSBYMEMBER s a x m -> ERR need numeric radius
        GEORADIUSBYMEMBER_RO s a 1 y -> ERR unsupported unit provided. please use M, KM, FT, MI
        SET k v -> OK
        GEORADIUS k 1 2 1 m -> WRONGTYPE Operation against a key holding the wrong kind of value
        GEOSEARCH k FROMMEMBER a BYRADIUS 1 m -> WRONGTYPE Operation against a key holding...
    """)


def test_what_is_found_is_stored() -> None:
    """With its scores, or its distances in the unit that was asked for; nothing found is nothing kept."""
    check(f"""
        {SICILY} -> 2
        GEOSEARCHSTORE k s FROMLONLAT 15 37 BYRADIUS 200 km -> 2
        GEOHASH k Palermo Catania -> [sqc8b49rny0 sqdtr74hyu0]
        GEOSEARCHSTORE k s FROMLONLAT 15 37 BYRADIUS 200 km STOREDIST COUNT 1 DESC -> 1
        ZRANGE k 0 -1 WITHSCORES -> [Palermo=190.44242984775784]
        GEORADIUS s 15 37 200 km STORE k ASC COUNT 1 -> 1
        GEOHASH k Palermo Catania -> [nil sqdtr74hyu0]
        GEORADIUSBYMEMBER s Palermo 0 m STOREDIST k -> 1
        ZRANGE k 0 -1 WITHSCORES -> [Palermo=0.0]
        GEORADIUS s 15 37 200 km STOREDIST j STORE k -> 2
        EXISTS j -> 0
        ZSCORE k Palermo -> 3479099956230698.0
        GEOSEARCHSTORE k s FROMLONLAT 0 0 BYRADIUS 1 m -> 0
        EXISTS k -> 0
        SET k v -> OK
        GEOSEARCHSTORE k absent FROMLONLAT 0 0 BYRADIUS 1 m -> 0
        EXISTS k -> 0
        GEOSEARCHSTORE s s FROMLONLAT 15 37 BYRADIUS 100 km -> 1
        ZCARD s -> 1
    """)


def crowd(driver: Driver, count: int) -> None:
    """So many members all over a country."""
    for first in range(0, count, 500):
        places = [
            word
            for number in range(first, min(first + 500, count))
            for word in (
                b"%.6f" % (number * 37 % 1009 / 500),
                b"%.6f" % (number * 11 % 997 / 500),
                b"m%d" % number,
            )
        ]
        driver.call(b"GEOADD", b"s", *places)


@pytest.mark.parametrize("order", ["", "ASC", "DESC"])
def test_long_searches_go_in_steps(order: str) -> None:
    """No step looks at more than some dozen members; what comes of it is what one step would find."""
    driver = Driver()
    crowd(driver, 1500)
    whole = driver.read(f"GEOSEARCH s FROMLONLAT 1 1 BYRADIUS 80 km {order} WITHDIST WITHHASH")
    assert isinstance(whole, Streamed)
    rows: list[object] = []
    driver.one("ZREM s m0 m1 m2 m3")
    driver.one("GEOADD s 1 1 new")
    while not whole.is_over:
        step = whole.step()
        assert len(step) <= geo.STEP_PLACES
        rows += step
    assert len(rows) == whole.count
    middle, other = (1.0, 1.0), Driver()
    crowd(other, 1500)
    set_ = other.machine.space.databases[0].value(b"s", SortedSet)
    assert set_ is not None
    expected = {
        member: score
        for some in set_.index.span(0, set_.count)
        for score, member in some
        if distance(*middle, *position_of(score)) <= 80_000
    }
    assert {row[0]: row[2] for row in map(as_list, rows)} == expected
    metres = [float(as_list(row)[1]) for row in rows]
    if order:
        assert metres == sorted(metres, reverse=order == "DESC")
    assert driver.one("GEOSEARCHSTORE k s FROMLONLAT 1 1 BYRADIUS 80 km COUNT 500") == 500
    inside = driver.execute("GEOSEARCH s FROMLONLAT 1 1 BYRADIUS 80 km", "ZCARD s")
    (error, *_) = as_list(inside)
    assert isinstance(error, CommandError)
    assert "inside MULTI" in error.text
    positions = driver.read("GEOPOS s " + " ".join(f"m{number}" for number in range(200)))
    assert isinstance(positions, Streamed)
    assert sum(len(positions.step()) for _ in iter(lambda: positions.is_over, True)) == 200


def test_what_is_stored_is_the_same_on_every_replica() -> None:
    """Wherever it is stopped; and no function of a machine's library has a say (PROTOCOL 73)."""
    one, other = Driver(), Driver()
    for driver in (one, other):
        crowd(driver, 700)
        driver.one("GEOSEARCHSTORE k s FROMLONLAT 1 1 BYBOX 90 120 km STOREDIST ASC COUNT 300")
        driver.one("GEORADIUS s 0.5 0.5 60 mi STOREDIST j")
    assert one.machine.digest() == other.machine.digest() == reborn(one.machine).digest()
    set_ = one.machine.space.databases[0].value(b"j", SortedSet)
    source = one.machine.space.databases[0].value(b"s", SortedSet)
    assert set_ is not None
    assert source is not None
    for some in set_.index.span(0, 40):
        for score, member in some:
            assert score == naive._distance((0.5, 0.5), position_of(source.get(member))) / 1609.34


@pytest.mark.parametrize(
    ("place", "metres"),
    [
        ((4, 64), 7126052.444902683),
        ((31, -32), 4824025.794693931),
        ((43, -32), 5746792.464067085),
    ],
)
def test_the_last_digit_of_a_distance_is_no_librarys(place: tuple[float, float], metres: float) -> None:
    """Where glibc's sines make another one: what is stored must be the same on every machine."""
    assert distance(0.0, 0.0, *position_of(score_at(*place))) == metres
    assert naive._distance((0.0, 0.0), position_of(score_at(*place))) == metres


@settings(max_examples=60)
@given(DEGREES, DEGREES)
def test_distances_are_those_of_a_naive_model(one: tuple[float, float], other: tuple[float, float]) -> None:
    """Of sixty digits, rounded where Redis rounds."""
    assert distance(*one, *other) == naive._distance(one, other)


@settings(max_examples=60)
@given(DEGREES)
def test_scores_are_those_of_a_naive_model(place: tuple[float, float]) -> None:
    """A member's place is that of its cell's middle, half a metre away at most."""
    score = score_at(*place)
    assert score == naive._score(*place)
    found = position_of(score)
    assert found == naive._place(score)
    assert distance(*place, *found) < 0.5
    assert text_of(score) == naive._text(score)


@settings(max_examples=60)
@given(DEGREES, DEGREES, st.floats(0, 6_000_000), st.sampled_from(["circle", "box"]))
def test_a_member_that_is_inside_is_found(
    middle: tuple[float, float], place: tuple[float, float], length: float, kind: str
) -> None:
    """Its cell is among those that are searched, but for what Redis misses around the poles, too."""
    shape = Shape(*middle, 1.0, None if kind == "box" else length, length, length)
    found = position_of(score_at(*place))
    if shape.distance_if_inside(*found) is None or max(abs(middle[1]), abs(place[1])) > 66:
        return
    score = score_at(*place)
    spans = [cell.scores() for cell in shape.cells()]
    assert sum(least <= score < behind for least, behind in spans) == 1


def test_cells_around_the_edge_of_the_map() -> None:
    """Neighbours go around; those of large cells are the same, and are searched once."""
    own = cell_at(179.99, 0.1, 8)
    assert own.moved(0, 1) == Cell(own.latitude, 0, 8)
    assert cell_at(180, 85.05112878, 2) == Cell(4, 4, 2)
    assert len(Shape(0, 0, 1000, 9000).cells()) == 4
    assert len(Shape(0.123, 0.456, 1, 0.0).cells()) == 1
    assert len(Shape(0, 0, 1, None, 1e300, 1e300).cells()) == 4
    assert len(Shape(0, 81, 1000, 500).cells()) <= 9
    assert len(Shape(0, 70, 1000, 500).cells()) <= 9
    assert len(Shape(0, 1, 1000, 5000).cells()) == 4, "cells twice as wide are needed, which cover the map"


def test_no_room_for_what_is_found() -> None:
    """It is given up before anybody sees it."""
    driver = Driver(cap=250_000)
    crowd(driver, 900)
    driver.call(b"SET", b"full", b"." * (240_000 - driver.machine.used_memory))
    found = driver.one("GEOSEARCHSTORE k s FROMLONLAT 1 1 BYRADIUS 300 km")
    assert isinstance(found, CommandError)
    assert found.text.startswith("OOM")
    assert driver.read("EXISTS k") == 0


def test_steps_of_a_search() -> None:
    """Inside of an entry it stops after each few members."""
    driver = Driver()
    crowd(driver, 400)
    asked = geo_search._around_place(
        driver.machine.space.databases[0], "georadius", b"s", (b"1", b"1", b"900", b"km"), frozenset()
    )
    assert not isinstance(asked, CommandError)
    steps = geo_search._Search(driver.machine.space.databases[0], asked).steps()
    assert sum(1 for _ in steps) >= 400 // geo.STEP_PLACES
    again = geo_search._Search(driver.machine.space.databases[0], asked).steps()
    assert len(as_list(at_once(again))) == 400
