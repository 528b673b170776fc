"""What the commands of the workload mean: a dictionary, a few lines a command, and no code of the machine.

Both history checkers evaluate by it. It knows the commands the workload sends, and no more.
"""

from collections.abc import Callable, Sequence
from typing import Any

import attrs

Args = Sequence[bytes]


@attrs.frozen
class UpTo:
    """A reply that may be any integer from 1 to `limit`: how long a key has still to live."""

    limit: int


@attrs.frozen
class AnyOrder:
    """A list whose order says nothing."""

    items: tuple[bytes, ...]


def agrees(expected: Any, reply: Any) -> bool:
    """`reply`, as hiredis gave it, is what the model says."""
    if isinstance(expected, UpTo):
        return isinstance(reply, int) and 1 <= reply <= expected.limit
    if isinstance(expected, AnyOrder):
        return isinstance(reply, list) and sorted(reply) == sorted(expected.items)
    if isinstance(expected, list):
        return isinstance(reply, list) and len(reply) == len(expected) and all(map(agrees, expected, reply))
    return bool(expected == reply)


class Model:
    """Keys and values, deadlines, and a number for each change of a key."""

    def __init__(self, values: dict[bytes, bytes] | None = None) -> None:
        self.values: dict[bytes, bytes] = dict(values or {})
        self.deadlines: dict[bytes, int] = {}
        self.versions: dict[bytes, int] = {}
        self.changes = 0
        self.now_ms = 0

    def advance(self, now_ms: int) -> int:
        """Log time moves on; how many keys were due."""
        self.now_ms = max(self.now_ms, now_ms)
        due = [key for key, deadline in self.deadlines.items() if deadline <= self.now_ms]
        for key in due:
            self._drop(key)
        return len(due)

    def version(self, key: bytes) -> int:
        """The number of the last change of a live key; 0 where there is none."""
        return self.versions.get(key, 0)

    def run(self, args: Args) -> Any:
        """Evaluate one command."""
        return _COMMANDS[args[0]](self, args)

    def _put(self, key: bytes, value: bytes, deadline: int = 0) -> None:
        self.values[key] = value
        self.deadlines.pop(key, None)
        if deadline:
            self.deadlines[key] = deadline
        self.changes += 1
        self.versions[key] = self.changes

    def _drop(self, key: bytes) -> None:
        del self.values[key]
        self.deadlines.pop(key, None)
        self.versions.pop(key, None)

    def _get(self, args: Args) -> Any:
        return self.values.get(args[1])

    def _set(self, args: Args) -> Any:
        key, value, *options = args[1:]
        if options == [b"NX"] and key in self.values:
            return None
        deadline = self.now_ms + int(options[1]) if options[:1] == [b"PX"] else 0
        self._put(key, value, deadline)
        return b"OK"

    def _getset(self, args: Args) -> Any:
        old = self.values.get(args[1])
        self._put(args[1], args[2])
        return old

    def _del(self, args: Args) -> Any:
        if args[1] not in self.values:
            return 0
        self._drop(args[1])
        return 1

    def _incr(self, args: Args) -> Any:
        number = int(self.values.get(args[1], b"0")) + 1
        self._put(args[1], b"%d" % number, self.deadlines.get(args[1], 0))
        return number

    def _append(self, args: Args) -> Any:
        text = self.values.get(args[1], b"") + args[2]
        self._put(args[1], text, self.deadlines.get(args[1], 0))
        return len(text)

    def _mget(self, args: Args) -> Any:
        return [self.values.get(key) for key in args[1:]]

    def _mset(self, args: Args) -> Any:
        for key, value in zip(args[1::2], args[2::2], strict=True):
            self._put(key, value)
        return b"OK"

    def _pexpire(self, args: Args) -> Any:
        if args[1] not in self.values:
            return 0
        self._put(args[1], self.values[args[1]], self.now_ms + int(args[2]))
        return 1

    def _persist(self, args: Args) -> Any:
        if args[1] not in self.deadlines:
            return 0
        self._put(args[1], self.values[args[1]])
        return 1

    def _pttl(self, args: Args) -> Any:
        if args[1] not in self.values:
            return -2
        deadline = self.deadlines.get(args[1])
        return UpTo(deadline - self.now_ms) if deadline else -1

    def _flushall(self, _: Args) -> Any:
        for key in list(self.values):
            self._drop(key)
        return b"OK"

    def _dbsize(self, _: Args) -> Any:
        return len(self.values)

    def _keys(self, _: Args) -> Any:
        return AnyOrder(tuple(self.values))

    def _watch(self, _: Args) -> Any:
        return b"OK"


_COMMANDS: dict[bytes, Callable[[Model, Args], Any]] = {
    b"GET": Model._get,  # noqa: SLF001 - the class's own table
    b"SET": Model._set,  # noqa: SLF001 - the same, and so on
    b"GETSET": Model._getset,  # noqa: SLF001
    b"DEL": Model._del,  # noqa: SLF001
    b"INCR": Model._incr,  # noqa: SLF001
    b"APPEND": Model._append,  # noqa: SLF001
    b"MGET": Model._mget,  # noqa: SLF001
    b"MSET": Model._mset,  # noqa: SLF001
    b"PEXPIRE": Model._pexpire,  # noqa: SLF001
    b"PERSIST": Model._persist,  # noqa: SLF001
    b"PTTL": Model._pttl,  # noqa: SLF001
    b"FLUSHALL": Model._flushall,  # noqa: SLF001
    b"DBSIZE": Model._dbsize,  # noqa: SLF001
    b"KEYS": Model._keys,  # noqa: SLF001
    b"WATCH": Model._watch,  # noqa: SLF001
}
READS = frozenset({b"GET", b"MGET", b"PTTL", b"DBSIZE", b"KEYS", b"WATCH"})
