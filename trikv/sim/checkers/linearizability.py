"""Black-box linearizability: some order of all operations explains every answer, or the product is wrong.

Operations that share no key cannot contradict each other, so the history falls into components: keys that are
joined by commands which touch several. Each component is searched alone (`trikv.sim.checkers.search`), within
one budget for all. An operation of unknown fate may take effect at any time after its call, or never. The
search knows no time, so it leaves out keys with deadlines, and commands on a whole database: the witness
checks those. It says nothing at all about a history in which whole databases are flushed.
"""

from collections.abc import Iterable

import attrs

from trikv.sim.checkers.meanings import is_timed, meaning_of, places_of
from trikv.sim.checkers.search import Move, Search
from trikv.sim.history import Key, Operation

BUDGET = 1_000_000
"""Most attempts of the search over a history. They take a few seconds; a run usually needs a few thousand."""


@attrs.frozen
class Verdict:
    """The outcome. `problem` is None if an order was found, or the budget ran out (`out_of_budget`)."""

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
            return Verdict(f"no order explains the answers about {' '.join(map(_shown, keys))}", steps=steps)
        out = out or found is None
    return Verdict(out_of_budget=out, steps=steps)


def _shown(key: Key) -> str:
    database, name = key
    return name.decode() + (f" of database {database}" if database else "")


def _move(one: Operation, keys: list[Key]) -> Move:
    mine = tuple(keys_of(one))
    return Move(one, mine, tuple(keys.index(key) for key in mine))


def keys_of(operation: Operation) -> list[Key]:
    """The keys that it touches or has watched; none for WATCH, whose effect shows in its transaction."""
    touched = [
        key
        for database, args in operation.placed()
        if args[0] != b"WATCH"
        for key in places_of(database, args)
    ]
    return list(dict.fromkeys([*touched, *(key for key, _ in operation.expected)]))


def components(operations: Iterable[Operation]) -> list[tuple[list[Key], list[Operation]]]:
    """Operations by connected keys, without those that tell nothing (refused, reads without an answer)."""
    chosen = [one for one in operations if _matters(one)]
    mortal = _mortal(chosen)
    parent: dict[Key, Key] = {}

    def root(key: Key) -> Key:
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
    parts: dict[Key, list[Operation]] = {}
    for key, one in suitable:
        parts.setdefault(root(key), []).append(one)
    return [(sorted(key for key in parent if root(key) == top), part) for top, part in sorted(parts.items())]


def _matters(one: Operation) -> bool:
    if one.failed or (one.is_known and one.is_transaction and one.reply is None):
        return False  # nothing was done
    return not (one.is_ambiguous and not any(meaning_of(args).writes for args in one.commands))


def _mortal(operations: list[Operation]) -> set[Key]:
    """Keys with deadlines, and keys that were written together with one: RENAME hands a deadline on.

    A write that is left out because of one of its keys would be missing for the others.
    """
    mortal = {key for one in operations if _unsuitable(one) for key in keys_of(one)}
    writes = [keys_of(one) for one in operations if any(meaning_of(args).writes for args in one.commands)]
    while True:
        grown = {key for keys in writes if not mortal.isdisjoint(keys) for key in keys}
        if grown <= mortal:
            return mortal
        mortal |= grown


def _unsuitable(one: Operation) -> bool:
    return any(map(is_timed, one.commands))
