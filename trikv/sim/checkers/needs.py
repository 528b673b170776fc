"""What answers say about the values before them, so that the search sees a dead end when it enters one.

A GET that was answered ``x`` must find ``x``. If ``x`` can be written only once, an order that overwrites it
while such a GET is still to come is wrong, but it may take thousands of attempts to come to that GET. The
same holds for INCR: one that was answered 7 found 6, and a counter that nothing else writes has been 6 only
once.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from trikv.sim.checkers.meanings import meaning_of, places_of
from trikv.sim.checkers.values import Value
from trikv.sim.history import Args, Key, Operation

Need = tuple[Key, Value]
"""A key and the value that it must have."""
_REPLACING = frozenset(
    {b"SET", b"SETNX", b"GETSET", b"MSET", b"MSETNX", b"DEL", b"UNLINK", b"DELETE", b"GETDEL"}
)
"""Commands that replace a value, whatever it was, by one of their own or by none."""


def needs_of(one: Operation) -> Iterator[Need]:
    """The values that an answered operation must have found, as far as its answers tell."""
    touched: dict[Key, None] = {}
    for key, _ in one.expected:  # the value, or nothing: see `search`
        touched[key] = None
    replies = one.reply if isinstance(one.reply, list) and one.is_transaction else [one.reply]
    for (database, args), reply in zip(one.placed(), replies, strict=False):  # one error may answer all
        for name, value in _found(args, reply):
            key = (database, name)
            if key not in touched and value is not None:
                yield key, value
            touched[key] = None
        touched.update(dict.fromkeys(_written(database, args)))


def _found(args: Args, reply: object) -> list[tuple[bytes, bytes | None]]:
    match args[0], reply:
        case b"GET" | b"GETSET" | b"GETDEL", bytes(value):
            return [(args[1], value)]
        case b"MGET", list(values):
            return list(zip(args[1:], values, strict=True))
        case b"INCR", int(number) if number > 1:
            return [(args[1], b"%d" % (number - 1))]
        case _:
            return []


def _written(database: int, args: Args) -> list[Key]:
    return places_of(database, args) if meaning_of(args).writes else []


def written_once(operations: Iterable[Operation], needs: Iterable[Need]) -> set[Need]:
    """The `needs` whose key can have that value only once, in any order of `operations`."""
    kinds: dict[Key, set[bytes]] = {}
    sets: Counter[Need] = Counter()
    for one in operations:
        for database, args in one.placed():
            for key in _written(database, args):
                kinds.setdefault(key, set()).add(b"SET" if args[0] in _REPLACING else args[0])
            match args[0]:
                case b"SET" | b"SETNX" | b"GETSET":
                    sets[(database, args[1]), args[2]] += 1
                case b"MSET" | b"MSETNX":
                    sets.update(
                        ((database, name), value) for name, value in zip(args[1::2], args[2::2], strict=True)
                    )
                case _:
                    pass
    once = set()
    for key, value in needs:
        grows = kinds.get(key, set()) in ({b"INCR"}, {b"APPEND"})
        if grows or (kinds.get(key, set()) <= {b"SET"} and sets[key, value] == 1):
            once.add((key, value))
    return once
