"""The states that there may be by the log: one, until a command draws and nobody is told what.

From then on each state that the draw may have led to is followed. An answer, or the contents of a node,
refutes those that do not agree with it; equal ones are joined.
"""

from collections.abc import Callable
from typing import Any, Final

import attrs

from trikv.notation import counted
from trikv.sim.checkers.choices import Choices, ways
from trikv.sim.checkers.expected import ANYTHING, agrees
from trikv.sim.checkers.meanings import meaning_of
from trikv.sim.checkers.model import Model
from trikv.sim.checkers.state import Contents
from trikv.sim.history import UNTOLD, Args, Key

WORLDS_MAX: Final = 5_000
"""Requests are such that a few hundred are the most. A workload that makes more must draw less at once."""
Watched = tuple[tuple[Key, int], ...]


@attrs.frozen
class Step:
    """What the log carries out at once: a command, or a transaction."""

    database: int
    commands: tuple[Args, ...]
    told: Any = UNTOLD
    """The answer to all of it."""
    is_transaction: bool = False
    watched: Watched = ()
    """The watched keys of a transaction with the machine's version of each: None is answered, and nothing
    is done, if one has changed."""

    def told_at(self, place: int) -> Any:
        """The answer to one of its commands."""
        if not self.is_transaction:
            return self.told
        return self.told[place] if isinstance(self.told, list) and place < len(self.told) else UNTOLD


@attrs.define
class World:
    """One of the states, and what was watched in it."""

    model: Model = attrs.field(factory=Model)
    versions: dict[tuple[Key, int], int] = attrs.field(factory=dict)
    """From the machine's version of a key, which a WATCH was told, to the model's."""

    def copied(self) -> "World":
        """Another one in the same state."""
        return World(self.model.copied(), self.versions.copy())

    def take(self, step: Step, choices: Choices | None = None) -> Any:
        """Carry out a step; what each command may answer, or None for a transaction that does nothing."""
        self.model.selected = step.database
        if not all(self._is_unchanged(*each) for each in step.watched):
            return None
        return [
            self.model.run(args, step.told_at(place), choices) for place, args in enumerate(step.commands)
        ]

    def _is_unchanged(self, key: Key, version: int) -> bool:
        then = self.versions.get((key, version), 0 if version == 0 else -1)
        return then == self.model.version(key)

    def is_like(self, other: "World") -> bool:
        """Whether no later command can tell them apart."""
        mine, its = self.model.databases, other.model.databases
        return self.versions == other.versions and all(
            mine.get(number, {}) == its.get(number, {}) for number in {*mine, *its}
        )


class Worlds:
    """All states that there may be; there is always one."""

    def __init__(self) -> None:
        self._worlds = [World()]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._worlds)

    def take(self, step: Step) -> tuple[Any, int]:
        """Carry out a step in each; what it may be answered, and the database that is selected then."""
        if step.told is UNTOLD and any(meaning_of(args).draws for args in step.commands):
            self._worlds = [forked for world in self._worlds for forked in _forked(world, step)]
            self._join()
            return [ANYTHING] * len(step.commands), self._selected()
        taken = [(world, world.take(step)) for world in self._worlds]
        if step.told is not UNTOLD and len(taken) > 1:
            taken = [each for each in taken if _fits(each[1], step)] or taken[:1]
        expected = taken[0][1]
        self._worlds = [world for world, _ in taken]
        if len(taken) > 1:
            self._join()
        return expected, self._selected()

    def _selected(self) -> int:
        return self._worlds[0].model.selected

    def _join(self) -> None:
        """Of those that are alike keep one."""
        kept: list[World] = []
        for world in self._worlds:
            if not any(map(world.is_like, kept)):
                kept.append(world)
        assert len(kept) <= WORLDS_MAX, f"the log leaves {counted(len(kept), 'state')} possible"
        self._worlds = kept

    def watched(self, key: Key, version: int) -> None:
        """A WATCH was told this version: it stands for the present one."""
        for world in self._worlds:
            world.versions[key, version] = world.model.version(key)

    def advance(self, now_ms: int) -> tuple[int, int]:
        """Let log time move on; how many keys were due, and how many fields of other keys."""
        due = [world.model.advance(now_ms) for world in self._worlds]
        return max(keys for keys, _ in due), max(fields for _, fields in due)

    def holding(self, contents: Contents) -> Contents | None:
        """Keep those with these contents; what another one would hold if there is none."""
        held = [world for world in self._worlds if world.model.contents() == contents]
        if not held:
            return self._worlds[0].model.contents()
        self._worlds = held
        return None

    def agreed(self, look: Callable[[Model], dict[bytes, int]]) -> dict[bytes, int]:
        """Of what is seen in each state that which is alike in all."""
        first, *others = [look(world.model) for world in self._worlds]
        return {name: each for name, each in first.items() if all(one.get(name) == each for one in others)}


def _forked(world: World, step: Step) -> list[World]:
    def way(choices: Choices) -> World:
        fork = world.copied()
        fork.take(step, choices)
        return fork

    return list(ways(way))


def _fits(expected: Any, step: Step) -> bool:
    return agrees(expected if step.is_transaction else expected[0], step.told)
