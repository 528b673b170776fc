"""The requests of clients: drawn from a seed, one random stream for each client.

The commands on groups are those that the checker's model knows (`trikv.sim.checkers.model`). Values are
unique, so that it can tell which write a read has seen.
"""

import random
from typing import Final

import attrs

from trikv.sim.history import Args
from trikv.torture.evidence import Evidence

COUNTERS: Final = 3
GROUPS_ACTIVE: Final = 4
"""Few, so that clients meet."""
GROUP_STEPS_MAX: Final = 250
GROUP_UNKNOWN_MAX: Final = 6
"""Limited because each step of unknown fate may double the search."""

WEIGHTS: Final = {"unique": 6, "count": 3, "counted": 1, "get": 5, "set": 3, "more": 2, "many": 2, "multi": 1}
"""How often each kind of step is drawn."""


@attrs.frozen
class Step:
    """The commands that a client sends at once: one, or a transaction (without MULTI and EXEC)."""

    commands: tuple[Args, ...]
    writes: bool
    is_transaction: bool = False
    unique: bytes | None = None
    """The key of a unique write."""
    counter: bytes | None = None
    group: int | None = None

    def on_the_wire(self) -> list[Args]:
        """The commands as sent."""
        return [(b"MULTI",), *self.commands, (b"EXEC",)] if self.is_transaction else list(self.commands)


class Groups:
    """The groups in use; one with enough steps, or with too many of unknown fate, is replaced."""

    def __init__(self, prefix: bytes) -> None:
        self._prefix = prefix
        self._active = list(range(GROUPS_ACTIVE))
        self._steps = dict.fromkeys(self._active, 0)
        self._unknown = dict.fromkeys(self._active, 0)
        self._next = GROUPS_ACTIVE

    def pick(self, source: random.Random) -> int:
        """Choose a group for a step."""
        place = source.randrange(len(self._active))
        group = self._active[place]
        if self._steps[group] >= GROUP_STEPS_MAX or self._unknown[group] >= GROUP_UNKNOWN_MAX:
            group = self._active[place] = self._next
            self._next += 1
            self._steps[group] = self._unknown[group] = 0
        self._steps[group] += 1
        return group

    def unknown(self, group: int) -> None:
        """A step on `group` was not answered."""
        self._unknown[group] += 1


def keys_of_group(prefix: bytes, group: int) -> tuple[bytes, bytes, bytes, bytes]:
    """Two registers, a number and a text."""
    registers = (b"%br%d.0" % (prefix, group), b"%br%d.1" % (prefix, group))
    return *registers, b"%bn%d" % (prefix, group), b"%bt%d" % (prefix, group)


def counter_key(prefix: bytes, number: int) -> bytes:
    """The key of a counter that lives as long as the run."""
    return b"%bc%d" % (prefix, number)


class Draw:
    """The steps of one client."""

    def __init__(self, client: int, seed: int, evidence: Evidence, groups: Groups) -> None:
        self._client = client
        self._prefix = evidence.prefix
        self._groups = groups
        self._source = random.Random(f"{seed} client {client}")  # noqa: S311 - a load, not a secret
        self._evidence = evidence
        self._uniques = 0
        self._values = 0

    def pause_s(self, mean_s: float) -> float:
        """How long the client pauses before its next step."""
        return self._source.expovariate(1 / mean_s)

    def step(self) -> Step:
        """Draw the next step."""
        (kind,) = self._source.choices(list(WEIGHTS), list(WEIGHTS.values()))
        match kind:
            case "unique":
                return self._unique()
            case "count" | "counted":
                key = counter_key(self._prefix, self._source.randrange(COUNTERS))
                counts = kind == "count"
                return Step(((b"INCR" if counts else b"GET", key),), writes=counts, counter=key)
            case _:
                return self._on_group(kind)

    def _unique(self) -> Step:
        self._uniques += 1
        key = b"%bu%d.%d" % (self._prefix, self._client, self._uniques)
        return Step(((b"SET", key, self._evidence.value_of(key)),), writes=True, unique=key)

    def _on_group(self, kind: str) -> Step:
        group = self._groups.pick(self._source)
        *registers, number, text = keys_of_group(self._prefix, group)
        self._source.shuffle(registers)
        one, other = registers
        match kind:
            case "get":
                return Step(((b"GET", self._source.choice((one, one, number, text))),), False, group=group)
            case "set":
                return Step((self._write(one),), True, group=group)
            case "more":
                step = self._source.choice(((b"INCR", number), (b"APPEND", text, self._value() + b",")))
                return Step((step,), True, group=group)
            case "many" if self._source.random() < 0.5:
                return Step(((b"MGET", one, other),), False, group=group)
            case "many":
                return Step(((b"MSET", one, self._value(), other, self._value()),), True, group=group)
            case _:
                commands = ((b"INCR", number), (b"GET", one), (b"SET", other, self._value()))
                return Step(commands, True, is_transaction=True, group=group)

    def _write(self, key: bytes) -> Args:
        draw = self._source.random()
        if draw < 0.1:
            return (b"DEL", key)
        if draw < 0.2:
            return (b"GETSET", key, self._value())
        if draw < 0.3:
            return (b"SET", key, self._value(), b"NX")
        return (b"SET", key, self._value())

    def _value(self) -> bytes:
        self._values += 1
        return b"%d.%d" % (self._client, self._values)
