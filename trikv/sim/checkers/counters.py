"""Each acknowledged increment took effect exactly once, each ambiguous one at most once."""

from collections import Counter
from collections.abc import Iterable, Mapping

from trikv.sim.history import Operation
from trikv.units import counted


def check_counters(operations: Iterable[Operation], finals: Mapping[bytes, int]) -> str | None:
    """What is wrong with the INCRs, or None. `finals`: each counter's value when all was over.

    Holds only where nothing but INCR changes a counter. No two increments get one answer; as many took
    effect as were answered, and at most as many more as nobody answered.
    """
    answered: Counter[bytes] = Counter()
    ambiguous: Counter[bytes] = Counter()
    seen: set[tuple[bytes, int]] = set()
    for operation in operations:
        for key, reply in _increments(operation):
            if operation.is_ambiguous:
                ambiguous[key] += 1
                continue
            if (key, reply) in seen:
                return f"two increments of {key!r} were answered {reply}"
            seen.add((key, reply))
            answered[key] += 1
    for key in sorted(answered.keys() | ambiguous.keys() | finals.keys()):
        final = finals.get(key, 0)
        if not answered[key] <= final <= answered[key] + ambiguous[key]:
            known = counted(answered[key], "increment")
            return f"{key!r} is {final}: {known} answered, {ambiguous[key]} of unknown fate"
    return None


def _increments(operation: Operation) -> Iterable[tuple[bytes, int]]:
    """Key and answer of each increment that may have happened."""
    if operation.failed or (operation.is_known and operation.is_transaction and operation.reply is None):
        return
    replies = operation.reply if operation.is_transaction else [operation.reply]
    for place, args in enumerate(operation.commands):
        if args[0] == b"INCR":
            yield args[1], 0 if operation.is_ambiguous else replies[place]
