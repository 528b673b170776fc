"""Sorted sets: members with scores."""

from math import isnan
from typing import Any

from trikv.sim.checkers.expected import Failure, Pairs, Score
from trikv.sim.checkers.meanings.elements import drawn, page
from trikv.sim.checkers.meanings.registry import means, numbered, target_and_numbered
from trikv.sim.checkers.state import Args, Refused, State
from trikv.sim.checkers.values import Scores

NOT_A_NUMBER = Failure("ERR resulting score is not a number (NaN)")
_WORDS = frozenset({b"NX", b"XX", b"GT", b"LT", b"CH", b"INCR"})


def shown(scores: Scores) -> dict[bytes, Score]:
    """The scores as they are answered."""
    return {member: Score(score) for member, score in scores.items()}


@means("ZADD", writes=True, repeats=True)
def _zadd(state: State, args: Args) -> Any:
    words = set[bytes]()
    pairs = list(args[2:])
    while pairs[0] in _WORDS:
        words.add(pairs.pop(0))
    scores = state.scores_of(args[1])
    before, changed, last = len(scores), 0, None
    for text, member in zip(pairs[::2], pairs[1::2], strict=True):
        old = scores.get(member)
        score = float(text) if old is None or b"INCR" not in words else float(text) + old
        if isnan(score):
            raise Refused(NOT_A_NUMBER)
        if (b"NX" in words and old is not None) or (b"XX" in words and old is None):
            continue
        if old is not None and ((b"GT" in words and score <= old) or (b"LT" in words and score >= old)):
            continue
        last = Score(score)
        changed += old is None or score != old
        scores[member] = score
    if changed:
        state.keep(args[1], scores)
    if b"INCR" in words:
        return last
    return changed if b"CH" in words else len(scores) - before


@means("ZINCRBY", writes=True, repeats=True)
def _zincrby(state: State, args: Args) -> Any:
    return _zadd(state, (b"ZADD", args[1], b"INCR", args[2], args[3]))


@means("ZREM", writes=True)
def _zrem(state: State, args: Args) -> Any:
    return remove(state, args[1], set(args[2:]))


def remove(state: State, key: bytes, members: set[bytes]) -> int:
    """Take members out; how many there were."""
    scores = state.scores_of(key)
    left = Scores({member: score for member, score in scores.items() if member not in members})
    if len(left) < len(scores):
        state.keep(key, left)
    return len(scores) - len(left)


def _pop(state: State, key: bytes, count: int, *, is_max: bool) -> list[tuple[bytes, Score]]:
    in_order = state.scores_of(key).in_order()
    if is_max:
        in_order.reverse()
    gone = in_order[:count]
    remove(state, key, {member for member, _ in gone})
    return [(member, Score(score)) for member, score in gone]


@means("ZPOPMIN, ZPOPMAX", writes=True)
def _zpop(state: State, args: Args) -> Any:
    count = int(args[2]) if len(args) > 2 else 1
    gone = _pop(state, args[1], count, is_max=args[0] == b"ZPOPMAX")
    return Pairs(tuple(gone)) if len(args) > 2 else [each for pair in gone for each in pair]


@means("ZMPOP", numbered, writes=True)
def _zmpop(state: State, args: Args) -> Any:
    keys = numbered(args)
    side, *options = args[2 + len(keys) :]
    for key in keys:
        if state.scores_of(key):
            gone = _pop(state, key, int(options[1]) if options else 1, is_max=side == b"MAX")
            return [key, [list(pair) for pair in gone]]
    return None


@means("ZCARD")
def _zcard(state: State, args: Args) -> Any:
    return len(state.scores_of(args[1]))


@means("ZSCORE")
def _zscore(state: State, args: Args) -> Any:
    return shown(state.scores_of(args[1])).get(args[2])


@means("ZMSCORE")
def _zmscore(state: State, args: Args) -> Any:
    scores = shown(state.scores_of(args[1]))
    return [scores.get(member) for member in args[2:]]


@means("ZRANK, ZREVRANK")
def _zrank(state: State, args: Args) -> Any:
    scores = state.scores_of(args[1])
    if args[2] not in scores:
        return None
    members = [member for member, _ in scores.in_order()]
    if args[0] == b"ZREVRANK":
        members.reverse()
    rank = members.index(args[2])
    return [rank, Score(scores[args[2]])] if len(args) > 3 else rank


@means("ZRANDMEMBER")
def _zrandmember(state: State, args: Args) -> Any:
    return drawn(shown(state.scores_of(args[1])), args[2:])


@means("ZSCAN")
def _zscan(state: State, args: Args) -> Any:
    scores = shown(state.scores_of(args[1]))
    return page(state, args, {member: score.text for member, score in scores.items()})


# Several, sets among them: their members have the score 1.


def _given(state: State, key: bytes) -> Scores:
    try:
        return state.scores_of(key)
    except Refused:
        return Scores(dict.fromkeys(state.set_of(key), 1.0))


def _joined(state: State, name: bytes, keys: Args, options: Args) -> Scores:
    """What ZUNION, ZINTER or ZDIFF makes of them."""
    weights = [1.0] * len(keys)
    if b"WEIGHTS" in options:
        at = options.index(b"WEIGHTS") + 1
        weights = [float(text) for text in options[at : at + len(keys)]]
    how = options[options.index(b"AGGREGATE") + 1] if b"AGGREGATE" in options else b"SUM"
    given = [_given(state, key) for key in keys]
    if name.startswith(b"ZDIFF"):
        others = set().union(*given[1:])
        return Scores({member: score for member, score in given[0].items() if member not in others})
    joined = Scores()
    is_intersection = name.startswith(b"ZINTER")
    for scores, weight in sorted(zip(given, weights, strict=True), key=lambda pair: len(pair[0])):
        for member, score in scores.items():
            weighed = score * weight
            if member not in joined:
                joined[member] = _number(weighed)
            # Of an intersection Redis compares what is no number as it is: nothing is less or greater.
            elif not (is_intersection and how != b"SUM" and isnan(weighed)):
                joined[member] = _both(how, joined[member], _number(weighed))
    if is_intersection:
        return Scores({m: score for m, score in joined.items() if all(m in scores for scores in given)})
    return joined


def _both(how: bytes, one: float, other: float) -> float:
    if how == b"SUM":
        return _number(one + other)
    return min(one, other) if how == b"MIN" else max(one, other)


def _number(score: float) -> float:
    """0 for what is none, infinity times zero or infinities of either sign added; and for -0."""
    return 0.0 if isnan(score) else score + 0.0


@means("ZUNION, ZINTER, ZDIFF", numbered)
def _zunion(state: State, args: Args) -> Any:
    keys = numbered(args)
    options = args[2 + len(keys) :]
    in_order = _joined(state, args[0], keys, options).in_order()
    if b"WITHSCORES" in options:
        return Pairs(tuple((member, Score(score)) for member, score in in_order))
    return [member for member, _ in in_order]


@means("ZUNIONSTORE, ZINTERSTORE, ZDIFFSTORE", target_and_numbered, writes=True, repeats=True)
def _zunionstore(state: State, args: Args) -> Any:
    keys = numbered(args, 2)
    return state.replace(args[1], _joined(state, args[0], keys, args[3 + len(keys) :]))


@means("ZINTERCARD", numbered)
def _zintercard(state: State, args: Args) -> Any:
    keys = numbered(args)
    options = args[2 + len(keys) :]
    count = len(_joined(state, b"ZINTER", keys, ()))
    return min(count, int(options[1]) or count) if options else count
