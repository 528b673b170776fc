"""The table that this package's modules fill: commands that this node answers by itself."""

from trikv.front.turn import Caller
from trikv.machine.replies import Reply, SimpleString
from trikv.machine.table import CommandTable

LOCAL = CommandTable()
"""Handlers take the `Caller` and the arguments behind the name. They never feed the machine's state."""


def help_of(caller: Caller, container: str) -> Reply:
    """What ``CLIENT HELP`` answers: a line for each subcommand there is."""
    lines = [f"{container} <subcommand> [<arg> ...]. Subcommands are:"]
    for plan in caller.plans:
        if plan.command.name.startswith(f"{container}|"):
            lines += [plan.command.usage.removeprefix(f"{container} "), f"    {plan.command.summary}"]
    return [SimpleString(line) for line in lines]
