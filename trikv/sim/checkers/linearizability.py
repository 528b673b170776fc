"""Black-box linearizability: Wing and Gong's search with Lowe's memory of states, over parts of the history.

Operations that share no key cannot contradict each other, so the history falls into components: keys joined
by the commands that touch several. Each is searched alone, within one budget of steps. An operation of
unknown fate may take effect at any moment after its call, or never.
"""

from collections.abc import Iterable, Sequence

import attrs

from trikv.sim.checkers.model import Model, agrees
from trikv.sim.history import Operation

BUDGET = 200_000
"""Steps of the search over a whole history: a few seconds; a run usually needs a few thousand."""
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
        search = _Search(component, budget - steps)
        found = search.run()
        steps += search.steps
        if found is False:
            return Verdict(f"no order explains the answers about {b' '.join(keys).decode()}", steps=steps)
        out = out or found is None
    return Verdict(out_of_budget=out, steps=steps)


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


class _Search:
    """Depth first over what may come next; a state seen with the same set done is not tried again.

    Two shortcuts, both sound. An answered operation that may come next and changes nothing is taken at once:
    later it could only be harder to place. Of several unanswered operations that do the same, only the one
    called first is tried.
    """

    def __init__(self, operations: Sequence[Operation], budget: int) -> None:
        self._operations = sorted(operations, key=lambda one: one.called)
        self._budget = budget
        self.steps = 0

    def run(self) -> bool | None:
        """Whether there is an order; None: out of budget."""
        wanted = sum(1 << place for place, one in enumerate(self._operations) if one.is_known)
        seen: set[tuple[int, frozenset[tuple[bytes, bytes]]]] = set()
        done, first, places = self._absorb(0, 0, {})
        stack = [(done, first, dict[bytes, bytes](), iter(places))]
        while stack:
            done, first, values, choices = stack[-1]
            if done & wanted == wanted:
                return True
            if self.steps > self._budget:
                return None
            place = next(choices, None)
            if place is None:
                stack.pop()
                continue
            after = self._step(place, values)
            if after is None:
                continue
            done, first, places = self._absorb(done | 1 << place, first, after)
            key = (done, frozenset(after.items()))
            if key not in seen:
                seen.add(key)
                stack.append((done, first, after, iter(places)))
        return False

    def _absorb(self, done: int, first: int, values: dict[bytes, bytes]) -> tuple[int, int, list[int]]:
        """Take what changes nothing; then what is done, where to look from, and what may come next."""
        while True:
            while done >> first & 1:
                first += 1
            known, unknown = self._next(done, first)
            taken = [place for place in known if self._step(place, values) == values]
            if not taken:
                return done, first, known + unknown
            for place in taken:
                done |= 1 << place

    def _next(self, done: int, first: int) -> tuple[list[int], list[int]]:
        """Those called before the first answer among those not done: answered ones, and others."""
        known: list[int] = []
        unknown: dict[tuple[object, ...], int] = {}
        deadline = float("inf")
        for place in range(first, len(self._operations)):
            one = self._operations[place]
            if one.called > deadline:
                break
            if done >> place & 1:
                continue
            if one.returned is None:
                unknown.setdefault((one.commands, one.expected), place)
            else:
                known.append(place)
                deadline = min(deadline, one.returned)
        known = [place for place in known if self._operations[place].called <= deadline]
        known.sort(key=lambda place: self._operations[place].returned or 0)
        return known, list(unknown.values())

    def _step(self, place: int, values: dict[bytes, bytes]) -> dict[bytes, bytes] | None:
        """The values after an operation, or None where it could not have answered so."""
        self.steps += 1
        one = self._operations[place]
        if any(values.get(key) != value for key, value in one.expected):
            return None
        model = Model(values)
        replies = [model.run(args) for args in one.commands]
        reply = replies if one.is_transaction else replies[0]
        return model.values if one.is_ambiguous or agrees(reply, one.reply) else None
