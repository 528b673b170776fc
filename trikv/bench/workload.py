"""The load: batches of encoded commands, drawn from the mix by a seeded generator.

There are two sources with one method. `Ring` encodes its batches before the clock starts and reuses them,
because ready bytes cost nothing during the run. `Stamped` builds each batch when it is asked for, because a
run that verifies must write values never used before, each key from one connection only.
"""

import random
from typing import Final, Protocol, assert_never

import msgspec

from trikv.bench.ledger import ABSENT, Change, Kind, key_of, stamp
from trikv.bench.options import MSET_KEYS, Options
from trikv.client.commands import encode_command

_RING_COMMANDS: Final = 20_000
_RING_BYTES: Final = 64 << 20
_AHEAD: Final = 1024
_WRITES: Final = frozenset({"set", "mset", "incr", "append", "del"})
_KINDS: Final = {"incr": Kind.COUNTER, "append": Kind.TAIL}


class Batch(msgspec.Struct, frozen=True, gc=False):
    """The commands that one connection sends in one piece."""

    data: bytes
    count: int
    writes: tuple[bool, ...]
    """For each command: whether it writes."""
    write_count: int
    changes: tuple[Change | None, ...]
    """For each command what it changes; empty if the run does not verify."""


class Source(Protocol):
    """Where links get their batches."""

    def next_batch(self, owner: int) -> Batch:
        """Give the next batch to connection number `owner`."""


def written_kinds(options: Options) -> list[Kind]:
    """Name the kinds of keys a run writes: what its ledger has to keep."""
    used = {_KINDS.get(name, Kind.REGISTER) for name, _ in options.mix if name in _WRITES}
    return [kind for kind in Kind if kind in used]


class Draw:
    """Draws commands: the mix's choice, keys, encoding. The same seed draws the same commands."""

    def __init__(self, options: Options) -> None:
        self._names = [name for name, _ in options.mix]
        self._weights = [weight for _, weight in options.mix]
        self._value = b"x" * options.value_bytes
        self._random = random.Random(options.seed)  # noqa: S311 - a load, not a secret
        self._pipeline = options.pipeline
        self._drawn: list[str] = []

    def names(self) -> list[str]:
        """Draw the commands of one batch."""
        if len(self._drawn) < self._pipeline:
            # `choices` costs as much for one as for ten, so to draw ahead costs a tenth.
            self._drawn = self._random.choices(self._names, self._weights, k=max(_AHEAD, self._pipeline))
        names = self._drawn[-self._pipeline :]
        del self._drawn[-self._pipeline :]
        return names

    def below(self, limit: int) -> int:
        """Draw a number from 0 up to `limit`; several times as fast as `randrange`."""
        return int(self._random.random() * limit)

    def command(self, name: str, slots: tuple[int, ...], mark: bytes = b"") -> bytes:
        """Encode command `name` on `slots`; a value it writes begins with `mark`."""
        keys = [key_of(_KINDS.get(name, Kind.REGISTER), slot) for slot in slots]
        value = mark + self._value[len(mark) :]
        match name:
            case "set" | "append":
                return encode_command((name.upper(), keys[0], value))
            case "mset":
                return encode_command((b"MSET", *(part for key in keys for part in (key, value))))
            case "ping":
                return encode_command((b"PING",))
            case _:
                return encode_command((name.upper(), *keys))


def _batch(data: bytes, names: list[str], changes: tuple[Change | None, ...]) -> Batch:
    writes = tuple(name in _WRITES for name in names)
    return Batch(data, len(names), writes, sum(writes), changes)


def _keys_in(name: str) -> int:
    return MSET_KEYS if name in {"mset", "mget"} else 1


class Ring:
    """Batches encoded once, handed out in turn to all connections."""

    def __init__(self, options: Options) -> None:
        draw = Draw(options)
        self._batches: list[Batch] = []
        size = 0
        while not self._batches or (
            len(self._batches) * options.pipeline < _RING_COMMANDS and size < _RING_BYTES
        ):
            names = draw.names()
            data = b"".join(
                draw.command(name, tuple(draw.below(options.keys) for _ in range(_keys_in(name))))
                for name in names
            )
            size += len(data)
            self._batches.append(_batch(data, names, ()))
        self._next = 0

    def next_batch(self, owner: int) -> Batch:  # noqa: ARG002 - any batch fits any connection
        """Give the next batch of the ring."""
        batch = self._batches[self._next]
        self._next += 1
        if self._next == len(self._batches):
            self._next = 0
        return batch


class Stamped:
    """Batches made to be verified: unique values, and each slot owned by one connection."""

    def __init__(self, options: Options, run: int) -> None:
        self._draw = Draw(options)
        self._run = run
        self._connections = options.connections
        self._per_owner = options.keys // options.connections
        self._value_bytes = options.value_bytes
        self._number = ABSENT

    def next_batch(self, owner: int) -> Batch:
        """Build a batch that writes only to slots of `owner`."""
        names = self._draw.names()
        parts: list[bytes] = []
        changes: list[Change | None] = []
        for name in names:
            self._number += 1
            slots = tuple(self._slot(owner) for _ in range(_keys_in(name)))
            parts.append(self._draw.command(name, slots, stamp(self._run, self._number)))
            changes.append(self._change(name, slots))
        return _batch(b"".join(parts), names, tuple(changes))

    def _slot(self, owner: int) -> int:
        return self._draw.below(self._per_owner) * self._connections + owner

    def _change(self, name: str, slots: tuple[int, ...]) -> Change | None:
        if name not in _WRITES:
            return None
        kind = _KINDS.get(name, Kind.REGISTER)
        match kind:
            case Kind.REGISTER:
                return Change(kind, slots, ABSENT if name == "del" else self._number)
            case Kind.COUNTER:
                return Change(kind, slots, 1)
            case Kind.TAIL:
                return Change(kind, slots, self._value_bytes)
            case _:
                assert_never(kind)
