"""``help``: the most wanted commands and the groups; with a name, a command's usage or a group's commands."""

import re
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
_WORDS: Final = re.compile(r"(?:(?<=[<|])|(?<= ))[A-Z][A-Z-]+")
_OTHER_NAMES: Final = {
    "strings": "string",
    "bits": "bitmap",
    "bitmaps": "bitmap",
    "hashes": "hash",
    "lists": "list",
    "sets": "set",
    "zset": "sorted-set",
    "zsets": "sorted-set",
    "sorted-sets": "sorted-set",
    "hyperloglogs": "hyperloglog",
    "places": "geo",
}
"""What else a person may call a group."""


@COMMANDS.command("HELP", by=By.NODE, group="server", options="[command | group | groups]")
def help_(caller: Caller, *topics: bytes) -> Reply:
    """Show what can be typed; of one command, how it is used."""
    by_group = _by_group(caller)
    if not topics:
        more = (
            ("help set", "how one command is used"),
            ("help hash", "the commands of a group, with a line each"),
            ("help groups", "all commands by group"),
        )
        groups = f"groups: {', '.join(by_group)}"
        return _text([*_columns(list(_FIRST)), "", *_columns(list(more)), "", groups])
    topic = " ".join(text_of(word) for word in topics).strip()
    if topic.lower() == "groups":
        lines = [
            f"{group}: {', '.join(one.name.lower().replace('|', ' ') for one in members)}"
            for group, members in by_group.items()
        ]
        return _text([*lines, "", "help set shows one command, help hash shows a group."])
    # A word may name a command and a group, as keys does, or a command and its subcommands: all is shown.
    one = caller.table.get(topic.replace(" ", "|")) or _begins_with(caller, topic)
    group = "-".join(topic.lower().split())
    members = by_group.get(_OTHER_NAMES.get(group, group)) or caller.table.subcommands(topic.upper())
    if one is None and not members:
        return CommandError(f"ERR no help on '{topic[:128]}'; type help groups")
    lines = [one.usage, f"    {one.summary}"] if one is not None else []
    if lines and members:
        lines.append("")
    return _text([*lines, *_columns([(command.usage, command.summary) for command in members])])


def _begins_with(caller: Caller, topic: str) -> Command | None:
    """The command that knows the second word of `topic`: ``debug work`` is DEBUG with one of its words."""
    name, _, word = topic.upper().partition(" ")
    one = caller.table.get(name)
    return one if one is not None and word in _WORDS.findall(one.usage.removeprefix(name)) else None


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
