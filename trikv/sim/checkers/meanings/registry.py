"""The one table of meanings, to which each family adds its own."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import attrs

from trikv.sim.checkers.state import Args, State
from trikv.sim.history import Key

Run: TypeAlias = Callable[[State, Args], Any]
Keys: TypeAlias = Callable[[Args], Sequence[bytes]]
Elsewhere: TypeAlias = Callable[[Args], list[Key]]


def first(args: Args) -> Args:
    """The one key of most commands."""
    return args[1:2]


def second(args: Args) -> Args:
    """The key behind a subcommand."""
    return args[2:3]


def everything(args: Args) -> Args:
    """All arguments are keys."""
    return args[1:]


def two(args: Args) -> Args:
    """The first two arguments are keys."""
    return args[1:3]


def numbered(args: Args, at: int = 1) -> Args:
    """As many keys as the argument in front of them says."""
    return args[at + 1 : at + 1 + int(args[at])]


def target_and_numbered(args: Args) -> Args:
    """A key, then as many as an argument says."""
    return (args[1], *numbered(args, 2))


def none(_: Args) -> Args:
    """No key is named."""
    return ()


def nowhere(_: Args) -> list[Key]:
    """No key of another database is named."""
    return []


@attrs.frozen
class Meaning:
    """The meaning of one command, and who can judge its answers."""

    run: Run
    keys: Keys
    elsewhere: Elsewhere
    """Keys of databases that it names itself."""
    writes: bool
    is_timed: bool
    """Whether it sets or shows deadlines."""
    is_of_keys: bool
    """Whether it depends only on its keys, and not on a whole database, on time or on the node."""
    is_local: bool
    """Whether the node answers it without the machine."""
    repeats: bool
    """Whether it may write a value that was there before. What the others write is there only once."""
    draws: bool
    """Whether chance decides what it does: only its answer tells."""


MEANINGS: dict[bytes, Meaning] = {}
"""Meanings by name. The name of a subcommand is two words with a blank between them."""


def means(
    names: str,
    keys: Keys = first,
    elsewhere: Elsewhere = nowhere,
    *,
    writes: bool = False,
    timed: bool = False,
    of_keys: bool = True,
    local: bool = False,
    repeats: bool = False,
    draws: bool = False,
) -> Callable[[Run], Run]:
    """Enter the decorated function for `names`, with commas between."""

    def enter(run: Run) -> Run:
        for name in names.encode().split(b", "):
            MEANINGS[name] = Meaning(run, keys, elsewhere, writes, timed, of_keys, local, repeats, draws)
        return run

    return enter


def meaning_of(args: Args) -> Meaning:
    """The meaning of a command. Raises KeyError, with its name, if the table has none."""
    return MEANINGS.get(args[0]) or MEANINGS[b" ".join(args[:2])]


def places_of(database: int, args: Args) -> list[Key]:
    """The keys that a command names, `database` being selected."""
    meaning = meaning_of(args)
    return [*((database, key) for key in meaning.keys(args)), *meaning.elsewhere(args)]
