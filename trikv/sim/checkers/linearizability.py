"""Black-box linearizability: some order of all operations explains every answer, or the product is wrong.

Operations that share no key cannot contradict each other, so the history falls into components: keys joined
by the commands that touch several. Each is searched alone (`trikv.sim.checkers.search`), within one budget
for all. An operation of unknown fate may take effect at any moment after its call, or never.
"""

from collections.abc import Iterable

import attrs

from trikv.sim.checkers.search import Move, Search
from trikv.sim.history import Operation

BUDGET = 1_000_000
"""Attempts of the search over a whole history: a few seconds; a run usually needs a few thousand."""
UNSUITABLE = frozenset({b"PEXPIRE", b"PERSIST", b"PTTL", b"FLUSHALL", b"DBSIZE", b"KEYS"})
"""Time and the whole keyspace are beyond this checker; the witness sees to them."""


@attrs.frozen
class Verdict:
    """`problem` is None where an order was found, or the budget ran out (`out_of_budget`)."""

    problem: str | None = None
    out_of_budget: bool = False
    steps: int = 0


def check(operations: Iterable[Operation], budget: int = BUDGET) -> Verdict:
    """Look for an order that explains all answers."""
    steps, out = 0, False
    for keys, component in components(operations):
        search = Search([_move(one, keys) for one in component], len(keys), budget - steps)
        found = search.run()
        steps += search.steps
        if found is False:
            return Verdict(f"no order explains the answers about {b' '.join(keys).decode()}", steps=steps)
        out = out or found is None
    return Verdict(out_of_budget=out, steps=steps)


def _move(one: Operation, keys: list[bytes]) -> Move:
    mine = tuple(dict.fromkeys([*keys_of(one), *(key for key, _ in one.expected)]))
    return Move(one, mine, tuple(keys.index(key) for key in mine))


def keys_of(operation: Operation) -> list[bytes]:
    """The keys it touches; none for WATCH, whose effect shows in its transaction."""
    keys: dict[bytes, None] = {}
    for args in operation.commands:
        match args[0]:
            case b"WATCH":
                pass
            case b"MGET":
                keys.update(dict.fromkeys(args[1:]))
            case b"MSET":
                keys.update(dict.fromkeys(args[1::2]))
            case _:
                keys[args[1]] = None
    return list(keys)


def components(operations: Iterable[Operation]) -> list[tuple[list[bytes], list[Operation]]]:
    """Operations by connected keys; without those that say nothing (refused, reads without an answer)."""
    chosen = [one for one in operations if _matters(one)]
    mortal = {key for one in chosen if _unsuitable(one) for key in keys_of(one)}
    parent: dict[bytes, bytes] = {}

    def root(key: bytes) -> bytes:
        while parent.setdefault(key, key) != key:
            key = parent[key]
        return key

    suitable = []
    for one in chosen:
        keys = keys_of(one)
        if keys and mortal.isdisjoint(keys):
            suitable.append((root(keys[0]), one))
            for key in keys[1:]:
                parent[root(key)] = root(keys[0])
    parts: dict[bytes, list[Operation]] = {}
    for key, one in suitable:
        parts.setdefault(root(key), []).append(one)
    return [(sorted(key for key in parent if root(key) == top), part) for top, part in sorted(parts.items())]


def _matters(one: Operation) -> bool:
    if one.failed or (one.is_known and one.is_transaction and one.reply is None):
        return False  # nothing was done
    return not (one.is_ambiguous and all(args[0] in {b"GET", b"MGET", b"WATCH"} for args in one.commands))


def _unsuitable(one: Operation) -> bool:
    return any(args[0] in UNSUITABLE or b"PX" in args[3:] for args in one.commands)
