"""Makes a row of commands that fails as short as it can be: first of commands, then of their words."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from tests.differential.words import Command

T = TypeVar("T")


def shrunk(commands: list[Command], fails: Callable[[list[Command]], bool]) -> list[Command]:
    """Some of these commands, with some of their words, which fail if these do."""
    commands = _without(commands, fails)
    for at, command in enumerate(commands):

        def still_fails(words: Sequence[bytes], at: int = at, command: Command = command) -> bool:
            return fails([*commands[:at], (command[0], *words), *commands[at + 1 :]])

        commands[at] = (command[0], *_without(list(command[1:]), still_fails))
    return commands


def _without(row: list[T], fails: Callable[[list[T]], bool]) -> list[T]:
    """What is left of a failing row if as much is left out as may be: halves first, single ones last."""
    size = len(row) // 2
    while size:
        at = 0
        while at < len(row):
            fewer = row[:at] + row[at + size :]
            if fails(fewer):
                row = fewer
            else:
                at += size
        size //= 2
    return row
