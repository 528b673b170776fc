"""``help``: the most wanted commands first, then all by group; with a name, that command's usage."""

from typing import Final

from trikv.front.caller import Caller
from trikv.front.commands.table import COMMANDS
from trikv.machine.declaration import By, Command
from trikv.machine.errors import text_of
from trikv.machine.replies import CommandError, Reply, Verbatim

_FIRST: Final = (
    ("set name value", 'store a value; with spaces: set name "John Smith"'),
    ("get name", "read it"),
    ("delete name", "remove it"),
    ("count", "how many keys there are"),
    ("keys user:*", "find keys"),
    ("clean", "remove everything"),
    ("backup", "write all keys to a JSON file on this node"),
    ("memstats", "how much memory is used"),
    ("exit", "leave"),
)


@COMMANDS.command("HELP", by=By.NODE, group="server", options="[command | group | groups]")
def help_(caller: Caller, *topics: bytes) -> Reply:
    """Show what can be typed; of one command, how it is used."""
    if not topics:
        return _text([*_columns(list(_FIRST)), "", "help set shows one command, help groups shows all."])
    topic = " ".join(text_of(word) for word in topics).strip()
    by_group = _by_group(caller)
    if topic.lower() == "groups":
        lines = [
            f"{group}: {', '.join(one.name.lower().replace('|', ' ') for one in members)}"
            for group, members in by_group.items()
        ]
        return _text([*lines, "", "help set shows one command, help string shows a group."])
    # A word may name a command and a group, as keys does, or a command and its subcommands: all is shown.
    one = caller.table.get(topic.replace(" ", "|")) or _begins_with(caller, topic)
    members = by_group.get(topic.lower()) or caller.table.subcommands(topic.upper())
    if one is None and not members:
        return CommandError(f"ERR no help on '{topic[:128]}'; type help groups")
    lines = [one.usage, f"    {one.summary}"] if one is not None else []
    if lines and members:
        lines.append("")
    return _text([*lines, *_columns([(command.usage, command.summary) for command in members])])


def _begins_with(caller: Caller, topic: str) -> Command | None:
    """The command whose usage begins with `topic`: ``debug work`` is a word of DEBUG's, and no subcommand."""
    one = caller.table.get(topic.partition(" ")[0])
    return one if one is not None and one.usage.startswith(topic.upper()) else None


def _by_group(caller: Caller) -> dict[str, list[Command]]:
    groups: dict[str, list[Command]] = {}
    for command in caller.table:
        groups.setdefault(command.group, []).append(command)
    return dict(sorted(groups.items()))


def _columns(rows: list[tuple[str, str]]) -> list[str]:
    width = min(40, max((len(left) for left, _ in rows), default=0))
    return [f"{left:<{width}}  {right}" for left, right in rows]


def _text(lines: list[str]) -> Reply:
    return Verbatim("".join(f"{line}\r\n" for line in lines).encode())
