"""The table that this package's modules fill: commands that this node answers by itself."""

from collections.abc import Callable

import attrs

from trikv.front.caller import Caller
from trikv.front.decisions import Queue, Take, Treatment
from trikv.machine.commands import TABLE
from trikv.machine.replies import Reply, SimpleString
from trikv.machine.table import CommandTable

COMMANDS = CommandTable()
"""Handlers take the `Caller` and the arguments behind the name. They never feed the machine's state."""


def treats(
    name: str,
    *,
    queue: Queue | None = None,
    decides: bool = False,
    refused: Callable[[Caller], None] | None = None,
    summary: str = "",
) -> Callable[[Take], Take]:
    """Let the decorated function decide what is to be done with the command `name`: see `Treatment`.

    The command has been declared before, here or by the machine. Of its declaration only the summary may
    change: `summary`, if it is given, says what the machine cannot know.
    """

    def register(take: Take) -> Take:
        command = COMMANDS.get(name) or TABLE.get(name)
        assert command is not None, f"nobody declares {name}"
        treatment = Treatment(take, queue, decides, refused)
        COMMANDS.add(attrs.evolve(command, treatment=treatment, summary=summary or command.summary))
        return take

    return register


def help_of(caller: Caller, container: str) -> Reply:
    """The answer to, for example, ``CLIENT HELP``: a line for each subcommand."""
    lines = [f"{container} <subcommand> [<arg> ...]. Subcommands are:"]
    for one in caller.table.subcommands(container):
        lines += [one.usage.removeprefix(f"{container} "), f"    {one.summary}"]
    return [SimpleString(line) for line in lines]
