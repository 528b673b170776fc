"""Ranges of sorted sets: by rank, by score, by name."""

from collections.abc import Sequence
from typing import Any, TypeAlias

from trikv.sim.checkers.expected import Pairs, Score
from trikv.sim.checkers.meanings.registry import first, means, two
from trikv.sim.checkers.meanings.sorted_sets import remove
from trikv.sim.checkers.state import Args, State
from trikv.sim.checkers.values import Scores

Ordered: TypeAlias = list[tuple[bytes, float]]


def _by_rank(members: Ordered, start: bytes, stop: bytes) -> Ordered:
    ends = [int(text) + (len(members) if int(text) < 0 else 0) for text in (start, stop)]
    return [pair for rank, pair in enumerate(members) if ends[0] <= rank <= ends[1]]


def _by_score(members: Ordered, least: bytes, greatest: bytes) -> Ordered:
    low, high = float(least.removeprefix(b"(")), float(greatest.removeprefix(b"("))
    return [
        (member, score)
        for member, score in members
        if (score > low if least.startswith(b"(") else score >= low)
        and (score < high if greatest.startswith(b"(") else score <= high)
    ]


def _by_name(members: Ordered, least: bytes, greatest: bytes) -> Ordered:
    """Members behind `[`, or behind `(` and outside; `-` is below all, `+` above."""

    def is_inside(member: bytes) -> bool:
        above = least == b"-" or member > least[1:] or (least[:1] == b"[" and member == least[1:])
        below = greatest == b"+" or member < greatest[1:] or (greatest[:1] == b"[" and member == greatest[1:])
        return above and below and least != b"+" and greatest != b"-"

    return [(member, score) for member, score in members if is_inside(member)]


def _found(scores: Scores, args: Args) -> Ordered:
    """What a command finds: its name, a key, two ends, options."""
    name, options = args[0], args[4:]
    is_reverse = name.startswith(b"ZREVRANGE") or b"REV" in options
    members, one, other = scores.in_order(), args[2], args[3]
    if name.endswith(b"BYSCORE") or b"BYSCORE" in options:
        found = _by_score(members, *((other, one) if is_reverse else (one, other)))
    elif name.endswith(b"BYLEX") or b"BYLEX" in options:
        found = _by_name(members, *((other, one) if is_reverse else (one, other)))
    else:
        return _by_rank(members[::-1] if is_reverse else members, one, other)
    return _limited(found[::-1] if is_reverse else found, options)


def _limited(found: Ordered, options: Sequence[bytes]) -> Ordered:
    if b"LIMIT" not in options:
        return found
    at = options.index(b"LIMIT")
    offset, count = int(options[at + 1]), int(options[at + 2])
    if offset < 0:
        return []
    return found[offset:] if count < 0 else found[offset : offset + count]


@means("ZRANGE, ZREVRANGE, ZRANGEBYSCORE, ZREVRANGEBYSCORE, ZRANGEBYLEX, ZREVRANGEBYLEX")
def _zrange(state: State, args: Args) -> Any:
    found = _found(state.scores_of(args[1]), args)
    if b"WITHSCORES" in args[4:]:
        return Pairs(tuple((member, Score(score)) for member, score in found))
    return [member for member, _ in found]


@means("ZRANGESTORE", two, writes=True, repeats=True)
def _zrangestore(state: State, args: Args) -> Any:
    found = _found(state.scores_of(args[2]), (b"ZRANGE", *args[2:]))
    return state.replace(args[1], Scores(found))


@means("ZCOUNT")
def _zcount(state: State, args: Args) -> Any:
    return len(_by_score(state.scores_of(args[1]).in_order(), args[2], args[3]))


@means("ZLEXCOUNT")
def _zlexcount(state: State, args: Args) -> Any:
    return len(_by_name(state.scores_of(args[1]).in_order(), args[2], args[3]))


@means("ZREMRANGEBYRANK, ZREMRANGEBYSCORE, ZREMRANGEBYLEX", first, writes=True)
def _zremrange(state: State, args: Args) -> Any:
    return remove(state, args[1], {member for member, _ in _found(state.scores_of(args[1]), args)})
