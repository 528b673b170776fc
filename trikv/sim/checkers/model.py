"""What the commands of the workload mean: a dictionary, a few lines a command, and no code of the machine.

Both history checkers evaluate by it.
"""

from typing import Any

from trikv.sim.checkers.expected import ANYTHING
from trikv.sim.checkers.meanings import meaning_of
from trikv.sim.checkers.state import Args, State


class Model(State):
    """A state, with a method that runs commands on it."""

    def run(self, args: Args) -> Any:
        """Carry out one command in the selected database; return what it may answer."""
        meaning = meaning_of(args)
        return ANYTHING if self.is_partial and not meaning.is_of_keys else meaning.run(self, args)
