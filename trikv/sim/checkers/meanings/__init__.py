"""What each command means, written from Redis' documentation: small, naive, and no code of the machine.

A meaning says what a command does to a `State`, what it may answer, which of its arguments are keys, and
whether the search (`linearizability`) can judge it: that knows neither time nor keys that are not named.

Each module here is a family of commands and enters its meanings in the one table (`registry`) when it is
imported, as every module of this package is: a new family is a new file. A meaning takes the elements of a
value out of the state as a plain list, set or dict. If it changes them, it lets the state keep what it made.
"""

from importlib import import_module
from pkgutil import iter_modules

from trikv.sim.checkers.meanings.charges import charge
from trikv.sim.checkers.meanings.deadlines import is_timed
from trikv.sim.checkers.meanings.registry import MEANINGS, Meaning, meaning_of, places_of

__all__ = ["MEANINGS", "Meaning", "charge", "is_timed", "meaning_of", "places_of"]

for _module in iter_modules(__path__, f"{__name__}."):
    import_module(_module.name)
