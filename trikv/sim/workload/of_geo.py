"""Requests about members with places on the earth: some towns and islands, far apart and near."""

from trikv.sim.history import Args
from trikv.sim.workload.draw import MEMBERS, PLACES, Draw
from trikv.sim.workload.requests import Step, command, request

_TOWNS: Args = (
    *(
        b"13.361389 38.115556",
        b"15.087269 37.502669",
        b"2.3522 48.8566",
        b"2.2945 48.8584",
        b"-0.1276 51.5072",
    ),
    *(b"-74.0060 40.7128", b"139.6917 35.6895", b"-179.9 -16.5", b"179.95 -16.6", b"18.4241 -33.9249"),
    *(b"25.6 71.17", b"0 0", b"-70.9 -53.1"),
)
"""No two pairs are equally far apart, and none lies at the edge of a circle or box that is asked for."""
_MEASURES: Args = (b"200 km", b"3 km", b"1500 mi", b"900000 m", b"40000000 ft", b"12000 km", b"0 m")


def _place(draw: Draw) -> Args:
    return tuple(draw.one_of(*_TOWNS).split())


def _around(draw: Draw) -> Args:
    """A place or a member, and a circle or a box."""
    place = (b"FROMLONLAT", *_place(draw))
    middle = draw.one_of(place, (b"FROMMEMBER", draw.one_of(*MEMBERS)))
    radius, unit = draw.one_of(*_MEASURES).split()
    height = draw.one_of(*_MEASURES).split()[0] if unit == b"km" else radius
    return (*middle, *draw.one_of((b"BYRADIUS", radius, unit), (b"BYBOX", radius, height, unit)))


def _order(draw: Draw) -> Args:
    return (draw.one_of(b"ASC", b"DESC"), *draw.one_of((), (), (b"COUNT", b"2")))


def _shown(draw: Draw) -> Args:
    return tuple(draw.some((b"WITHDIST", b"WITHCOORD", b"WITHHASH"), 3))


@request("place", "GEOADD", weight=4)
def _geoadd(draw: Draw) -> list[Step]:
    words = draw.one_of((), (), (), (b"NX",), (b"XX", b"CH"), (b"CH",))
    places = [word for member in draw.members() for word in (*_place(draw), member)]
    return [command(b"GEOADD", draw.key(PLACES), *words, *places)]


@request("place", "ZREM", "DEL", "GEOPOS", "GEOHASH", "GEODIST", weight=3)
def _look(draw: Draw) -> list[Step]:
    key, members = draw.key(PLACES), draw.members()
    unit = draw.one_of((), (b"km",), (b"FT",))
    return [
        draw.one_of(
            command(b"GEOPOS", key, *members),
            command(b"GEOHASH", key, *members),
            command(b"GEODIST", key, draw.one_of(*MEMBERS), members[0], *unit),
            command(b"ZREM", key, *members),
            command(b"DEL", key),
        )
    ]


@request("place", "GEOSEARCH", weight=3)
def _geosearch(draw: Draw) -> list[Step]:
    key = draw.key(PLACES)
    return [
        draw.one_of(
            command(b"GEOSEARCH", key, *_around(draw), *_order(draw), *_shown(draw)),
            command(b"GEOSEARCH", key, *_around(draw)),
            command(b"GEOSEARCH", key, *_around(draw), b"COUNT", b"1", b"ANY"),
        )
    ]


@request("place", "GEORADIUS", "GEORADIUS_RO", "GEORADIUSBYMEMBER", "GEORADIUSBYMEMBER_RO", weight=2)
def _georadius(draw: Draw) -> list[Step]:
    key, circle = draw.key(PLACES), tuple(draw.one_of(*_MEASURES).split())
    order, shown, member = _order(draw), _shown(draw), draw.one_of(*MEMBERS)
    store = (draw.one_of(b"STORE", b"STOREDIST"), draw.key(PLACES))
    return [
        draw.one_of(
            command(b"GEORADIUS", key, *_place(draw), *circle, *order, *shown),
            command(b"GEORADIUS", key, *_place(draw), *circle, *order, *store),
            command(b"GEORADIUS_RO", key, *_place(draw), *circle, *order, *shown),
            command(b"GEORADIUSBYMEMBER", key, member, *circle, *order, *shown),
            command(b"GEORADIUSBYMEMBER", key, member, *circle, *order, *store),
            command(b"GEORADIUSBYMEMBER_RO", key, member, *circle, *order, *shown),
        )
    ]


@request("place", "GEOSEARCHSTORE")
def _geosearchstore(draw: Draw) -> list[Step]:
    keys, distance = (draw.key(PLACES), draw.key(PLACES)), draw.one_of((), (b"STOREDIST",))
    return [command(b"GEOSEARCHSTORE", *keys, *_around(draw), *draw.one_of((), _order(draw)), *distance)]
