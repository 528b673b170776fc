"""Requests about the bits of short strings, and about what two of them have in common."""

from trikv.sim.history import Args
from trikv.sim.workload.draw import BITS, Draw
from trikv.sim.workload.requests import Step, command, request


def _place(draw: Draw) -> bytes:
    return b"%d" % draw.source.randrange(40)


def _field(draw: Draw) -> Args:
    return draw.one_of(b"u8", b"i5", b"u3", b"i16", b"u1"), draw.one_of(b"0", b"#1", b"3", b"13")


@request("bit", "SETBIT", weight=3)
def _setbit(draw: Draw) -> list[Step]:
    return [command(b"SETBIT", draw.key(BITS), _place(draw), draw.one_of(b"0", b"1", b"1"))]


@request("bit", "SET", "DEL")
def _set(draw: Draw) -> list[Step]:
    key = draw.key(BITS)
    return [draw.one_of(command(b"SET", key, draw.value()), command(b"DEL", key))]


@request("bit", "GETBIT", "BITCOUNT", "BITPOS", weight=3)
def _look(draw: Draw) -> list[Step]:
    key = draw.key(BITS)
    ends = draw.one_of(
        (b"0", b"-1"), (b"1", b"2"), (b"-2", b"-1"), (b"3", b"20", b"BIT"), (b"0", b"1", b"BYTE")
    )
    bit = draw.one_of(b"0", b"1")
    return [
        draw.one_of(
            command(b"GETBIT", key, _place(draw)),
            command(b"BITCOUNT", key, *draw.one_of((), ends)),
            command(b"BITPOS", key, bit, *draw.one_of((), ends[:1], ends)),
        )
    ]


@request("bit", "BITFIELD", "BITFIELD_RO", weight=3)
def _bitfield(draw: Draw) -> list[Step]:
    key, number = draw.key(BITS), draw.one_of(b"1", b"-3", b"7", b"200")
    overflow = draw.one_of((), (b"OVERFLOW", draw.one_of(b"WRAP", b"SAT", b"FAIL")))
    change = (draw.one_of(b"SET", b"INCRBY"), *_field(draw), number)
    get = (b"GET", *_field(draw))
    return [
        draw.one_of(
            command(b"BITFIELD", key, *overflow, *change),
            command(b"BITFIELD", key, *get, *overflow, *change, *get),
            command(b"BITFIELD_RO", key, *get, b"GET", *_field(draw)),
        )
    ]


@request("bit", "BITOP", weight=1.5)
def _bitop(draw: Draw) -> list[Step]:
    words = draw.one_of((b"AND", 2), (b"OR", 2), (b"XOR", 2), (b"NOT", 1))
    return [command(b"BITOP", words[0], draw.key(BITS), *(draw.key(BITS) for _ in range(words[1])))]


@request("bit", "LCS", weight=1.5)
def _lcs(draw: Draw) -> list[Step]:
    indexes = (b"IDX", *draw.one_of((), (b"MINMATCHLEN", b"2")), *draw.one_of((), (b"WITHMATCHLEN",)))
    return [command(b"LCS", draw.key(BITS), draw.key(BITS), *draw.one_of((), (b"LEN",), indexes))]
