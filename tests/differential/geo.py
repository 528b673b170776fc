"""Members with places on the earth, and searches for them."""

from hypothesis import strategies as st

from tests.differential.keys import COMMON
from tests.differential.words import (
    KEYS,
    MEMBERS,
    Word,
    Words,
    call,
    flat,
    in_any_case,
    mixed,
    of_wrong_arity,
    options,
    row,
    some,
    weighted,
)

_NAMES = weighted((8, st.sampled_from([b"m%d" % number for number in range(12)])), (1, MEMBERS))


def _degrees(most: float, odd: list[bytes]) -> Word:
    anywhere = st.floats(-most, most).map(lambda degrees: f"{degrees:.7f}".encode())
    near = st.floats(-0.4, 0.4).map(lambda degrees: f"{degrees:.7f}".encode())
    return weighted((12, near), (12, anywhere), (1, st.sampled_from(odd)))


LONGITUDES = _degrees(180, [b"180", b"-180", b"179.9999", b"180.1", b"x", b"", b"nan", b"0", b"1e-5"])
LATITUDES = _degrees(85.05, [b"85.05112878", b"-85.05112878", b"85.06", b"-86", b"90", b"inf", b"y", b"0"])
UNITS = weighted((20, in_any_case(b"m", b"km", b"ft", b"mi")), (1, st.sampled_from([b"cm", b"", b"kms"])))
LENGTHS = weighted(
    (12, st.floats(0, 30_000).map(lambda length: f"{length:.3f}".encode())),
    (12, st.floats(0, 400).map(lambda length: f"{length:.3f}".encode())),
    (2, st.sampled_from([b"0", b"1", b"100000000", b"1e300", b"inf"])),
    (1, st.sampled_from([b"-1", b"x", b"nan", b""])),
)
COUNT = row(
    in_any_case(b"COUNT"),
    weighted((9, st.sampled_from([b"1", b"2", b"3", b"100"])), (1, st.sampled_from([b"0", b"-1", b"x"]))),
)
ORDER = in_any_case(b"ASC", b"DESC")
WITH = in_any_case(b"WITHDIST", b"WITHCOORD", b"WITHHASH")
STORE = row(in_any_case(b"STORE", b"STOREDIST"), KEYS)
SHOWN = options(COUNT, ORDER, WITH, WITH, row(COUNT, in_any_case(b"ANY")), in_any_case(b"ANY"))
MIDDLE = weighted(
    (5, row(in_any_case(b"FROMLONLAT"), LONGITUDES, LATITUDES)), (5, row(in_any_case(b"FROMMEMBER"), _NAMES))
)
SHAPE = weighted(
    (5, row(in_any_case(b"BYRADIUS"), LENGTHS, UNITS)),
    (5, row(in_any_case(b"BYBOX"), LENGTHS, LENGTHS, UNITS)),
)
ANY_ORDER = st.tuples(st.permutations([0, 1, 2]), MIDDLE, SHAPE, SHOWN).map(
    lambda drawn: flat(tuple(drawn[1:][place] for place in drawn[0]))
)
BROKEN = st.lists(st.one_of(MIDDLE, SHAPE, SHOWN, row(in_any_case(b"STOREDIST"))), max_size=3).map(
    lambda parts: flat(tuple(parts))
)
SEARCH = weighted((12, ANY_ORDER), (1, BROKEN))

PLACED = st.lists(row(LONGITUDES, LATITUDES, _NAMES), min_size=1, max_size=6).map(
    lambda parts: flat(tuple(parts))
)
MANY: Words = st.tuples(KEYS, st.sampled_from([5, 126, 130, 300])).map(
    lambda drawn: (
        b"GEOADD",
        drawn[0],
        *[
            word
            for number in range(drawn[1])
            for word in (
                b"%.6f" % (number * 37 % 359 - 179.5),
                b"%.6f" % (number * 11 % 167 - 83.2),
                b"m%d" % number,
            )
        ],
    )
)
FILLS: Words = weighted(
    (8, call(b"GEOADD", KEYS, PLACED)),
    (1, call(b"GEOADD", KEYS, options(in_any_case(b"NX"), in_any_case(b"XX"), in_any_case(b"CH")), PLACED)),
)
ASKS: Words = weighted(
    (2, call(b"GEOPOS GEOHASH", KEYS, some(_NAMES, 0, 3))),
    (2, call(b"GEODIST", KEYS, _NAMES, _NAMES, options(UNITS))),
    (4, call(b"GEOSEARCH", KEYS, SEARCH)),
    (3, call(b"GEOSEARCHSTORE", KEYS, KEYS, SEARCH, options(in_any_case(b"STOREDIST")))),
    (2, call(b"GEORADIUS GEORADIUS_RO", KEYS, LONGITUDES, LATITUDES, LENGTHS, UNITS, SHOWN)),
    (1, call(b"GEORADIUS", KEYS, LONGITUDES, LATITUDES, LENGTHS, UNITS, options(STORE, ORDER, COUNT))),
    (2, call(b"GEORADIUSBYMEMBER GEORADIUSBYMEMBER_RO", KEYS, _NAMES, LENGTHS, UNITS, SHOWN)),
    (1, call(b"GEORADIUSBYMEMBER", KEYS, _NAMES, LENGTHS, UNITS, options(STORE, ORDER, COUNT))),
    (2, call(b"ZRANGE", KEYS, st.just(b"0"), st.just(b"-1"), st.just(b"WITHSCORES"))),
    (1, call(b"ZREM", KEYS, _NAMES)),
    (1, call(b"ZADD", KEYS, st.sampled_from([b"0", b"1e15", b"-5", b"1e300", b"2.5", b"-inf"]), _NAMES)),
)
COMMANDS = mixed(
    FILLS, ASKS, COMMON, of_wrong_arity(b"GEOADD", b"GEOPOS", b"GEODIST", b"GEOSEARCH", b"GEORADIUS")
)
