"""What answers say of the values before them: dead ends of the search, seen when they are entered.

An answered GET of ``x`` must find ``x``. Where ``x`` can be written only once, whoever overwrites it while
such a GET is still to come has gone wrong, though it may take thousands of attempts to come to that GET. The
same with INCR: who answered 7 found 6, and a counter that nothing else writes has been 6 only once.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from trikv.sim.history import Args, Operation

Need = tuple[bytes, bytes]
"""A key and the value that it must have."""


def needs_of(one: Operation) -> Iterator[Need]:
    """The values that an answered operation has found, as far as its answers tell."""
    touched: dict[bytes, None] = {}
    for key, _ in one.expected:  # it, or nothing: see `search`
        touched[key] = None
    replies = one.reply if isinstance(one.reply, list) and one.is_transaction else [one.reply]
    for args, reply in zip(one.commands, replies, strict=False):  # an error may answer all
        for key, value in _found(args, reply):
            if key not in touched and value is not None:
                yield key, value
            touched[key] = None
        touched.update(dict.fromkeys(_written(args)))


def _found(args: Args, reply: object) -> list[tuple[bytes, bytes | None]]:
    match args[0], reply:
        case b"GET" | b"GETSET", bytes(value):
            return [(args[1], value)]
        case b"MGET", list(values):
            return list(zip(args[1:], values, strict=True))
        case b"INCR", int(number) if number > 1:
            return [(args[1], b"%d" % (number - 1))]
        case _:
            return []


def _written(args: Args) -> tuple[bytes, ...]:
    match args[0]:
        case b"GET" | b"MGET" | b"WATCH":
            return ()
        case b"MSET":
            return args[1::2]
        case _:
            return args[1:2]


def written_once(operations: Iterable[Operation], needs: Iterable[Need]) -> set[Need]:
    """Those of `needs` whose key can have that value only once in any order of `operations`."""
    kinds: dict[bytes, set[bytes]] = {}
    sets: Counter[Need] = Counter()
    for one in operations:
        for args in one.commands:
            for key in _written(args):
                kinds.setdefault(key, set()).add(_kind(args))
            match args[0]:
                case b"SET" | b"GETSET":
                    sets[args[1], args[2]] += 1
                case b"MSET":
                    sets.update(zip(args[1::2], args[2::2], strict=True))
                case _:
                    pass
    once = set()
    for key, value in needs:
        grows = kinds.get(key, set()) in ({b"INCR"}, {b"APPEND"})
        if grows or (kinds.get(key, set()) <= {b"SET"} and sets[key, value] == 1):
            once.add((key, value))
    return once


def _kind(args: Args) -> bytes:
    return b"SET" if args[0] in {b"SET", b"GETSET", b"MSET", b"DEL"} else args[0]
