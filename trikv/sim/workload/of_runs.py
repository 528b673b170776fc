"""Runs: one pipeline of commands of one name that each put or take an element of the same key."""

from trikv.sim.workload.draw import (
    HASHES,
    LARGE_HASHES,
    LARGE_LISTS,
    LARGE_SETS,
    LARGE_SORTED,
    LISTS,
    MEMBERS,
    SETS,
    SORTED,
    Draw,
)
from trikv.sim.workload.requests import Step, command, request


def _count(draw: Draw) -> int:
    """Three are a run, fewer are none. A search tries all orders in which members may have been drawn."""
    return draw.one_of(3, 3, 4, 5)


@request("run", "LPUSH", "RPUSH", "LPOP", "RPOP", weight=3)
def _of_list(draw: Draw) -> list[Step]:
    name, key = draw.one_of(b"LPUSH", b"RPUSH"), draw.key(draw.one_of(LISTS, LARGE_LISTS))
    if draw.chance(0.4):
        return [command(draw.one_of(b"LPOP", b"RPOP"), key)] * _count(draw)
    return [command(name, key, draw.element()) for _ in range(_count(draw))]


@request("run", "SADD", "SPOP", weight=2)
def _of_set(draw: Draw) -> list[Step]:
    key = draw.key(draw.one_of(SETS, LARGE_SETS))
    if draw.chance(0.4):
        return [command(b"SPOP", key)] * _count(draw)
    return [command(b"SADD", key, draw.one_of(*MEMBERS)) for _ in range(_count(draw))]


@request("run", "HSET", weight=2)
def _of_hash(draw: Draw) -> list[Step]:
    key = draw.key(draw.one_of(HASHES, LARGE_HASHES))
    return [command(b"HSET", key, draw.one_of(*MEMBERS), draw.element()) for _ in range(_count(draw))]


@request("run", "ZADD", "ZPOPMIN", "ZPOPMAX", weight=3)
def _of_sorted_set(draw: Draw) -> list[Step]:
    key = draw.key(draw.one_of(SORTED, LARGE_SORTED))
    if draw.chance(0.3):
        return [command(draw.one_of(b"ZPOPMIN", b"ZPOPMAX"), key)] * _count(draw)
    return [command(b"ZADD", key, draw.score(), draw.one_of(*MEMBERS)) for _ in range(_count(draw))]
