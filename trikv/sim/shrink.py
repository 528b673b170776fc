"""Making a failing run small: faults are taken away while the same class of failure remains.

That is possible because faults are data and random streams are per component: without one fault the others
stay the same. It is delta debugging over the list (Zeller and Hildebrandt), then a shorter chaos.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from trikv.notation import counted
from trikv.sim.faults import Strike
from trikv.sim.run import Plan, Result

T = TypeVar("T")
Execute = Callable[[Plan], Result]
TAIL_S = 2.0
"""Chaos goes on this long after the last fault of a shrunk run."""


def shrink(plan: Plan, execute: Execute, progress: Callable[[str], None] = lambda _: None) -> Plan:
    """The smallest plan found that fails like `plan`. Raises ValueError if `plan` does not fail."""
    failure = execute(plan).failure
    if not failure:
        raise ValueError("the run does not fail")

    def fails(strikes: Sequence[Strike]) -> bool:
        found = execute(msgspec.structs.replace(plan, strikes=tuple(strikes))).failure == failure
        progress(f"{counted(len(strikes), 'fault')}: {'still ' + failure if found else 'not any more'}")
        return found

    small = msgspec.structs.replace(plan, strikes=tuple(minimal(list(plan.strikes), fails)))
    last_s = small.strikes[-1].at_ms / 1000 if small.strikes else 0.0
    shorter = msgspec.structs.replace(small, seconds=min(small.seconds, last_s + TAIL_S))
    return shorter if execute(shorter).failure == failure else small


def minimal(items: list[T], fails: Callable[[list[T]], bool]) -> list[T]:
    """A sublist that fails and from which no single item can be taken (ddmin, on complements)."""
    parts = 2
    if items and fails([]):
        return []
    while len(items) >= 2:
        size = -(-len(items) // parts)
        for start in range(0, len(items), size):
            rest = items[:start] + items[start + size :]
            if rest and fails(rest):
                items, parts = rest, max(parts - 1, 2)
                break
        else:
            if parts >= len(items):
                return items
            parts = min(2 * parts, len(items))
    return items
