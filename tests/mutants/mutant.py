"""What a mutant is: one seeded mistake as data, and what is known to catch it.

A mutant never exists as code in the tree. It is a replacement of text in a module's source, made while a
fresh process imports that module (`tests.mutants.hook`); the files are not touched.
"""

from pathlib import Path
from typing import TypeAlias

import attrs
import msgspec

ROOT = Path(__file__).parents[2]
"""The work tree."""


@attrs.frozen
class Edit:
    """A replacement in one module's source."""

    module: str
    """Dotted name, such as ``trikv.raft.log``."""
    old: str
    """Occurs exactly once in the source; a test demands it, so a refactoring that passes by is seen."""
    new: str

    @property
    def path(self) -> Path:
        """The module's file."""
        plain = ROOT / (self.module.replace(".", "/") + ".py")
        return plain if plain.exists() else ROOT / self.module.replace(".", "/") / "__init__.py"

    def applied_to(self, source: str) -> str:
        """The mutated source. ValueError where `old` is not there exactly once."""
        count = source.count(self.old)
        if count != 1:
            raise ValueError(f"{self.module}: {count} times instead of once: {self.old!r}")
        return source.replace(self.old, self.new)


@attrs.frozen
class ByTest:
    """Caught by a unit test or a scripted scenario."""

    node_id: str
    """As pytest names it, below ``tests/``: ``storage/test_wal_damage.py::test_a_prefix_is_torn[100]``."""

    def __str__(self) -> str:
        return self.node_id


class BySeed(msgspec.Struct, frozen=True):
    """Caught by a run of the simulator: ``trikv sim --seed SEED --nodes NODES --seconds SECONDS`` fails."""

    seed: int
    nodes: int = 3
    seconds: float = 10.0

    def __str__(self) -> str:
        return f"sim:{self.seed} --nodes {self.nodes} --seconds {self.seconds:g}"


Killer: TypeAlias = ByTest | BySeed


@attrs.frozen
class Mutant:
    """A seeded mistake."""

    name: str
    """The mistake in the words of the issue's list, and after a colon what tells it from its likes."""
    edits: tuple[Edit, ...]
    killer: ByTest
    """Stands still, whatever moves the random runs."""

    @property
    def bug(self) -> str:
        """The mistake, as listed."""
        return self.name.partition(": ")[0]

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that it changes."""
        return tuple(dict.fromkeys(edit.module for edit in self.edits))

    def source_of(self, module: str) -> str:
        """The mutated source of one of its modules."""
        mine = [edit for edit in self.edits if edit.module == module]
        source = mine[0].path.read_text(encoding="utf-8")
        for edit in mine:
            source = edit.applied_to(source)
        return source


def mutant(name: str, module: str, old: str, new: str, killer: str) -> Mutant:
    """Write a mutant of one edit whose killer is a test."""
    return Mutant(name, (Edit(module, old, new),), ByTest(killer))
