"""What the commands of the workload mean: a dictionary, a few lines a command, and no code of the machine.

Both history checkers evaluate by it.
"""

from copy import copy
from typing import Any, Self

from trikv.sim.checkers.choices import Choices
from trikv.sim.checkers.expected import ANYTHING
from trikv.sim.checkers.meanings import meaning_of
from trikv.sim.checkers.state import Args, Refused, State
from trikv.sim.history import UNTOLD


class Model(State):
    """A state, with a method that runs commands on it."""

    def run(self, args: Args, told: Any = UNTOLD, choices: Choices | None = None) -> Any:
        """Carry out one command in the selected database; return what it may answer.

        `told` is what it was answered, if anybody knows, and `choices` else says what it draws: by default
        the first of everything.
        """
        meaning = meaning_of(args)
        if self.is_partial and not meaning.is_of_keys:
            return ANYTHING
        self.commands += 1
        self.told, self.choices = told, choices or Choices()
        try:
            return meaning.run(self, args)
        except Refused as refused:
            return refused.expected

    def copied(self) -> Self:
        """Another one in the same state."""
        other = copy(self)
        other.databases = {database: items.copy() for database, items in self.databases.items()}
        return other
