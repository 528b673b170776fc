"""COMMAND: the description of each command, in Redis 7.2's format. All of it follows from declarations."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, assert_never

from trikv.front.caller import Caller
from trikv.front.commands.table import COMMANDS, help_of
from trikv.machine.arguments import Argument, arguments_of
from trikv.machine.declaration import By, Command, Cost, Told
from trikv.machine.errors import SYNTAX, text_of
from trikv.machine.glob import matcher, too_long
from trikv.machine.keyspec import Found, Index, KeyNumber, KeySpec, Keyword, Range
from trikv.machine.replies import CommandError, Reply, SimpleString
from trikv.machine.table import CommandTable
from trikv.machine.telling import categories_of, flags_of, group_of, redis_group
from trikv.notation import counted

_DESCRIBES: Final = Cost(8_000)
"""To describe every command takes several milliseconds, most of them for the encoding."""
_LISTS: Final = Cost(3_000)
_PAIRS: Final = Cost(10_000)
"""`_NAMES_MAX` keys, each with a set of flags: encoding them takes most of it."""
_NAMES_MAX: Final = 1024
"""Names of one COMMAND INFO or DOCS, and arguments of a call whose keys are asked for.

The costs here hold for so many. The count is checked before anything is done with them.
"""
_ENTRIES_MAX: Final = 384
"""The most commands and subcommands that one COMMAND INFO describes by name: these take about 20 ms."""
_OF_NAMES: Final = "O(N), N being the number of commands named"
_OF_ALL: Final = "O(N), N being the number of commands there are"


@COMMANDS.command(
    "COMMAND",
    by=By.NODE,
    group="server",
    cost=_DESCRIBES,
    complexity=_OF_ALL,
    told=Told("2.8.13", categories="connection", tips="nondeterministic_output_order"),
)
def command(caller: Caller) -> Reply:
    """Describe every command, for client libraries."""
    return [_described(caller.table, name) for name in _names(caller.table)]


@COMMANDS.command(
    "COMMAND|COUNT", by=By.NODE, group="server", cost=_LISTS, told=Told("2.8.13", categories="connection")
)
def command_count(caller: Caller) -> Reply:
    """Tell how many commands there are."""
    return len(_names(caller.table))


@COMMANDS.command(
    "COMMAND|LIST",
    by=By.NODE,
    group="server",
    options="[FILTERBY <MODULE module|ACLCAT category|PATTERN pattern>]",
    cost=_LISTS,
    complexity=_OF_ALL,
    told=Told("7.0.0", categories="connection", tips="nondeterministic_output_order"),
)
def command_list(caller: Caller, *options: bytes) -> Reply:
    """Name every command and subcommand, or those of a category or a pattern."""
    table = caller.table
    if not options:
        return [_shown(name) for name in sorted({*_names(table), *(one.name for one in table)})]
    if len(options) != 3 or options[0].upper() != b"FILTERBY":
        return SYNTAX
    match options[1].upper():
        case b"MODULE":
            return []
        case b"ACLCAT":
            wanted = text_of(options[2]).lower()
            return [_shown(one.name) for one in table if wanted in categories_of(one)]
        case b"PATTERN":
            refused = too_long(len(options[2]))
            matches = matcher(options[2].lower())
            names = sorted({*_names(table), *(one.name for one in table)})
            return refused or [shown for shown in map(_shown, names) if matches(shown)]
        case _:
            return SYNTAX


@COMMANDS.command(
    "COMMAND|INFO",
    by=By.NODE,
    group="server",
    options="[command ...]",
    cost=_DESCRIBES,
    complexity=_OF_NAMES,
    told=Told("2.8.13", categories="connection", tips="nondeterministic_output_order"),
)
def command_info(caller: Caller, *names: bytes) -> Reply:
    """Describe some commands."""
    if not names:
        return [_described(caller.table, name) for name in _names(caller.table)]
    refused = _too_many(names, "names")
    if refused is not None:
        return refused
    wanted = [text_of(name).upper() for name in names]
    described = {name: _described(caller.table, name) for name in dict.fromkeys(wanted)}
    entries = sum(1 + len(one[-1]) for one in map(described.__getitem__, wanted) if one is not None)
    if entries > _ENTRIES_MAX:
        return CommandError(f"ERR {counted(entries, 'command')}: at most {_ENTRIES_MAX}")
    return [described[name] for name in wanted]


@COMMANDS.command(
    "COMMAND|DOCS",
    by=By.NODE,
    group="server",
    options="[command ...]",
    cost=_DESCRIBES,
    complexity=_OF_NAMES,
    told=Told("7.0.0", categories="connection", tips="nondeterministic_output_order"),
)
def command_docs(caller: Caller, *names: bytes) -> Reply:
    """Explain commands, for redis-cli's hints."""
    refused = _too_many(names, "names")
    if refused is not None:
        return refused
    wanted = dict.fromkeys(text_of(name).upper() for name in names) or _names(caller.table)
    found = {_shown(name): _documented(caller.table, name) for name in wanted}
    return {name: told for name, told in found.items() if told}


@COMMANDS.command(
    "COMMAND|GETKEYS",
    by=By.NODE,
    group="server",
    options="command [argument ...]",
    open_least=1,
    cost=_LISTS,
    complexity="O(N), N being the number of arguments",
    told=Told("2.8.13", categories="connection"),
)
def command_getkeys(caller: Caller, *args: bytes) -> Reply:
    """Tell the keys of a call."""
    found = _keys(caller.table, args)
    return found if isinstance(found, CommandError) else [args[place] for place, _ in found]


@COMMANDS.command(
    "COMMAND|GETKEYSANDFLAGS",
    by=By.NODE,
    group="server",
    options="command [argument ...]",
    open_least=1,
    cost=_PAIRS,
    complexity="O(N), N being the number of arguments",
    told=Told("7.0.0", categories="connection"),
)
def command_getkeysandflags(caller: Caller, *args: bytes) -> Reply:
    """Tell the keys of a call, and how it accesses each."""
    found = _keys(caller.table, args)
    if isinstance(found, CommandError):
        return found
    flags = {access: _words(access.split()) for access in {access for _, access in found}}
    return [[args[place], flags[access]] for place, access in found]


@COMMANDS.command(
    "COMMAND|HELP", by=By.NODE, group="server", cost=_LISTS, told=Told("5.0.0", categories="connection")
)
def command_help(caller: Caller) -> Reply:
    """Show the subcommands of COMMAND."""
    return help_of(caller, "COMMAND")


def _names(table: CommandTable) -> list[str]:
    """The names of all commands and containers, without subcommands."""
    return sorted({command.name.partition("|")[0] for command in table})


def _shown(name: str) -> bytes:
    return name.lower().encode()


def _words(words: Iterable[str], mark: str = "") -> tuple[Reply, ...]:
    """Flags or categories, as a set of simple strings."""
    return tuple(SimpleString(f"{mark}{word}") for word in words)


def _described(table: CommandTable, name: str) -> list[Any] | None:
    """The ten fields of COMMAND INFO; None if there is no such command."""
    one, container = table.get(name), table.container(name)
    parts = [] if container is None else [_described(table, part.name) for part in table.subcommands(name)]
    if one is None and container is None:
        return None
    if one is None:
        return [_shown(name), -2, (), 0, 0, 0, _words(["slow"], "@"), (), (), parts]
    keys = one.keys
    return [
        _shown(name),
        one.arity if container is None else -abs(one.arity),
        _words(flags_of(one)),
        keys.first,
        keys.last,
        keys.step,
        _words(categories_of(one), "@"),
        tuple(tip.encode() for tip in one.told.tips.split()),
        tuple(_of_spec(spec) for spec in keys.specs),
        parts,
    ]


def _of_spec(spec: KeySpec) -> Reply:
    match spec.begin:
        case Index(index):
            begin = _typed("index", {b"index": index})
        case Keyword(keyword, start):
            begin = _typed("keyword", {b"keyword": keyword.encode(), b"startfrom": start})
        case None:
            begin = _typed("unknown", {})
        case _:
            assert_never(spec.begin)
    match spec.find:
        case Range(last, step, limit):
            find = _typed("range", {b"lastkey": last, b"keystep": step, b"limit": limit})
        case KeyNumber(number, first, step):
            find = _typed("keynum", {b"keynumidx": number, b"firstkey": first, b"keystep": step})
        case None:
            find = _typed("unknown", {})
        case _:
            assert_never(spec.find)
    return {b"flags": _words(spec.access.split()), b"begin_search": begin, b"find_keys": find}


def _typed(kind: str, spec: dict[Reply, Reply]) -> Reply:
    return {b"type": kind.encode(), b"spec": spec}


def _documented(table: CommandTable, name: str) -> dict[Reply, Reply]:
    """The description in COMMAND DOCS; empty if there is no such command."""
    one, container = table.get(name), table.container(name)
    if one is not None:
        told = _of_command(one)
    elif container is not None:
        texts = {
            "summary": container.summary,
            "since": container.since,
            "group": redis_group(container.group),
        }
        told = _texts({**texts, "complexity": "Depends on subcommand."})
    else:
        return {}
    if container is not None:
        parts = table.subcommands(name)
        told[b"subcommands"] = {_shown(part.name): _documented(table, part.name) for part in parts}
    return told


def _of_command(one: Command) -> dict[Reply, Reply]:
    told = one.told
    found = _texts(
        {
            "summary": one.summary,
            "since": told.since,
            "group": group_of(one),
            "complexity": one.complexity,
        }
    )
    marks = {"deprecated": bool(told.deprecated), "syscmd": told.is_internal}
    if any(marks.values()):
        found[b"doc_flags"] = _words(mark for mark, is_set in marks.items() if is_set)
    found |= _texts({"deprecated_since": told.deprecated, "replaced_by": told.instead})
    usage = one.usage.removeprefix(one.name.replace("|", " "))
    arguments = arguments_of(usage, one.key_names)
    if arguments:
        found[b"arguments"] = [_of_argument(argument) for argument in arguments]
    return found


def _of_argument(argument: Argument) -> Reply:
    found = _texts({"name": argument.name, "type": argument.kind})
    if argument.kind not in ("oneof", "block"):
        found[b"display_text"] = argument.name.encode()
    if argument.kind == "key":
        found[b"key_spec_index"] = 0
    found |= _texts({"token": argument.token})
    marks = {"optional": argument.is_optional, "multiple": argument.is_multiple}
    if any(marks.values()):
        found[b"flags"] = _words(mark for mark, is_set in marks.items() if is_set)
    if argument.parts:
        found[b"arguments"] = [_of_argument(part) for part in argument.parts]
    return found


def _texts(texts: dict[str, str]) -> dict[Reply, Reply]:
    """The fields that are not empty."""
    return {name.encode(): text.encode() for name, text in texts.items() if text}


def _too_many(words: Sequence[bytes], what: str) -> CommandError | None:
    return CommandError(f"ERR {len(words)} {what}: at most {_NAMES_MAX}") if len(words) > _NAMES_MAX else None


def _keys(table: CommandTable, args: Sequence[bytes]) -> Sequence[Found] | CommandError:
    """Each key of the call `args`, or Redis' error."""
    refused = _too_many(args, "arguments")
    if refused is not None:
        return refused
    one = table.get(table.name_of(args))
    if one is None:
        return CommandError("ERR Invalid command specified")
    if not (one.keys.specs or one.keys.finder):
        return CommandError("ERR The command has no key arguments")
    if not one.least <= len(args) <= one.most:
        return CommandError("ERR Invalid number of arguments specified for command")
    found = one.keys.find(args)
    if not found and "no_mandatory_keys" not in flags_of(one):
        return CommandError("ERR Invalid arguments specified for command")
    return found or ()
