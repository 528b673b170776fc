"""Each acknowledged increment took effect exactly once, each ambiguous one at most once."""

from collections import Counter
from collections.abc import Iterable, Mapping

from trikv.sim.history import Args, Key, Operation


def check_counters(operations: Iterable[Operation], finals: Mapping[Key, int]) -> str | None:
    """What is wrong with the sums in the keys of `finals`, or None.

    `finals` has the value of each key at the end. Only INCR, DECR, INCRBY and DECRBY may have changed them.
    Answered changes must have taken effect, and any part of the unanswered ones may have. If only INCR
    changes a key, no two increments may get the same answer.
    """
    answered: Counter[Key] = Counter()
    might_add: Counter[Key] = Counter()
    might_take: Counter[Key] = Counter()
    seen: dict[Key, set[int]] = {}
    twice: dict[Key, int] = {}
    falls: set[Key] = set()
    for operation in operations:
        for key, args, reply in _changes(operation):
            amount = _amount(args)
            falls.update([key] if args[0] != b"INCR" else [])
            if reply is None:
                (might_add if amount > 0 else might_take)[key] += amount
                continue
            answered[key] += amount
            if reply in seen.setdefault(key, set()):
                twice.setdefault(key, reply)
            seen[key].add(reply)
    for key, reply in twice.items():
        if key not in falls and key in finals:
            return f"two increments of {key[1]!r} were answered {reply}"
    for key, final in sorted(finals.items()):
        least, most = answered[key] + might_take[key], answered[key] + might_add[key]
        if not least <= final <= most:
            return (
                f"{key[1]!r} of database {key[0]} is {final}: {answered[key]} were answered, and of unknown"
                f" fate are {might_add[key]} and {might_take[key]}"
            )
    return None


def _amount(args: Args) -> int:
    number = int(args[2]) if len(args) > 2 else 1
    return -number if args[0].startswith(b"DECR") else number


def _changes(operation: Operation) -> Iterable[tuple[Key, Args, int | None]]:
    """Key, command and answer of each change that may have happened; the answer is None if it is unknown."""
    if operation.failed or (
        operation.is_known and operation.is_transaction and not isinstance(operation.reply, list)
    ):
        return
    replies = operation.reply if operation.is_transaction else [operation.reply]
    for place, (database, args) in enumerate(operation.placed()):
        if args[0] in {b"INCR", b"DECR", b"INCRBY", b"DECRBY"}:
            yield (database, args[1]), args, None if operation.is_ambiguous else replies[place]
