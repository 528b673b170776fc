"""Requests about deadlines: set, kept, removed, past, and shown. One family of keys, in every database.

A client knows the log's time only roughly, by the world's clocks; the checkers know it exactly.
"""

import trio

from trikv.sim.clock import EPOCH_MS
from trikv.sim.workload.draw import MORTALS, Draw
from trikv.sim.workload.requests import Step, command, request


def soon_ms(draw: Draw) -> int:
    """An amount of ms that passes within a run."""
    return draw.one_of(1, 50, 300, 2000)


def at_ms(draw: Draw) -> int:
    """A time in ms: long ago, just past, or still to come."""
    return EPOCH_MS + int(trio.current_time() * 1000) + draw.one_of(-1_600_000_000_000, -3000, 300, 2000)


def at_s(draw: Draw) -> int:
    """The same in seconds."""
    return (at_ms(draw) + 999) // 1000


def until(draw: Draw) -> tuple[bytes, bytes]:
    """EX, PX, EXAT or PXAT, with its number."""
    unit = draw.one_of(b"EX", b"PX", b"PX", b"EXAT", b"PXAT")
    amounts = {b"EX": draw.one_of(1, 2), b"PX": soon_ms(draw), b"EXAT": at_s(draw), b"PXAT": at_ms(draw)}
    return unit, b"%d" % amounts[unit]


@request("mortal", "SET", weight=5)
def _set(draw: Draw) -> list[Step]:
    return [command(b"SET", draw.key(MORTALS), draw.value(), *until(draw))]


@request("mortal", "SET", "GETSET", "APPEND", weight=2)
def _overwrite(draw: Draw) -> list[Step]:
    """Commands that replace the value: some keep the deadline, some do not."""
    key, value = draw.key(MORTALS), draw.value()
    return [
        draw.one_of(
            command(b"SET", key, value),
            command(b"SET", key, value, b"KEEPTTL"),
            command(b"GETSET", key, value),
            command(b"APPEND", key, value),
            command(b"SETRANGE", key, b"1", value),
        )
    ]


@request("mortal", "SETEX", "PSETEX")
def _setex(draw: Draw) -> list[Step]:
    key, value = draw.key(MORTALS), draw.value()
    return [
        draw.one_of(
            command(b"SETEX", key, b"%d" % draw.one_of(1, 2), value),
            command(b"PSETEX", key, b"%d" % soon_ms(draw), value),
        )
    ]


@request("mortal", "EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT", weight=5)
def _expire(draw: Draw) -> list[Step]:
    """EXPIRE and its relatives; a deadline that has passed deletes the key."""
    name = draw.one_of(b"EXPIRE", b"PEXPIRE", b"PEXPIRE", b"EXPIREAT", b"PEXPIREAT")
    amounts = {
        b"EXPIRE": draw.one_of(1, 2, -1),
        b"PEXPIRE": draw.one_of(soon_ms(draw), soon_ms(draw), 0),
        b"EXPIREAT": at_s(draw),
        b"PEXPIREAT": at_ms(draw),
    }
    condition = draw.some((b"NX", b"XX", b"GT", b"LT"), 1) if draw.chance(0.5) else []
    return [command(name, draw.key(MORTALS), b"%d" % amounts[name], *condition)]


@request("mortal", "GETEX", "PERSIST", weight=2)
def _getex(draw: Draw) -> list[Step]:
    key = draw.key(MORTALS)
    return [
        draw.one_of(
            command(b"GETEX", key),
            command(b"GETEX", key, *until(draw)),
            command(b"GETEX", key, b"PERSIST"),
            command(b"PERSIST", key),
        )
    ]


@request("mortal", "RENAME", "RENAMENX", weight=3)
def _rename(draw: Draw) -> list[Step]:
    """RENAME, which takes the deadline along in place of the other key's."""
    name = draw.one_of(b"RENAME", b"RENAME", b"RENAMENX")
    return [command(name, draw.key(MORTALS), draw.key(MORTALS))]


@request("mortal", "TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME", weight=4)
def _show(draw: Draw) -> list[Step]:
    return [command(draw.one_of(b"TTL", b"PTTL", b"EXPIRETIME", b"PEXPIRETIME"), draw.key(MORTALS))]


@request("mortal", "GET", "EXISTS", "MEMORY|USAGE", weight=4)
def _look(draw: Draw) -> list[Step]:
    words = draw.one_of((b"GET",), (b"GET",), (b"EXISTS",), (b"TYPE",), (b"MEMORY", b"USAGE"), (b"DEL",))
    return [command(*words, draw.key(MORTALS))]
