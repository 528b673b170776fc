"""How a conversation treats each command: one lookup by name for the hot path.

The machine's table and `trikv.front.commands` say what a command is and who evaluates it; a `Plan` adds when.
"""

from collections.abc import Iterator
from enum import Enum
from typing import Any, Final

import attrs

from trikv.front.turn import Args
from trikv.machine.errors import text_of
from trikv.machine.replies import CommandError
from trikv.machine.table import Command, CommandTable, Kind


class Mode(Enum):
    """Who answers a command, and when."""

    WRITE = "write"
    """The machine, by the log."""
    READ = "read"
    """The machine, by a read round."""
    LOCAL = "local"
    """This node, at its place among the replies."""
    IMMEDIATE = "immediate"
    """This node, as soon as it is read: it only concerns how the connection reads on (MULTI, QUIT)."""
    BARRIER = "barrier"
    """This node, when all before it has been answered and before the next is looked at.

    What decides how the connection goes on (HELLO, AUTH), and what shows how it stands (CLIENT INFO).
    """
    ACTION = "operation"
    """This node, off the hot path, when all before it has been answered (SAVE, WAIT)."""
    SPECIAL = "special"
    """The conversation has a method for it."""


_MODES: Final = {
    "MULTI": Mode.IMMEDIATE,
    "DISCARD": Mode.IMMEDIATE,
    "UNWATCH": Mode.IMMEDIATE,
    "QUIT": Mode.IMMEDIATE,
    "EXIT": Mode.IMMEDIATE,
    "HELLO": Mode.BARRIER,
    "AUTH": Mode.BARRIER,
    "RESET": Mode.BARRIER,
    "CLIENT|INFO": Mode.BARRIER,
    "CLIENT|LIST": Mode.BARRIER,
    "BACKUP": Mode.ACTION,
    "SAVE": Mode.ACTION,
    "BGSAVE": Mode.ACTION,
    "DIGEST": Mode.ACTION,
    "SHUTDOWN": Mode.ACTION,
    "WAIT": Mode.ACTION,
    "EXEC": Mode.SPECIAL,
    "SELECT": Mode.SPECIAL,
    "WATCH": Mode.SPECIAL,
    "CONFIG|SET": Mode.SPECIAL,
}
_OF_KIND: Final = {Kind.WRITE: Mode.WRITE, Kind.READ: Mode.READ, Kind.LOCAL: Mode.LOCAL}
_BEFORE_AUTH: Final = frozenset({"AUTH", "HELLO", "QUIT", "EXIT", "RESET"})
_CHECKED: Final = frozenset({"PING", "AUTH", "SELECT", "QUIT"})
"""What health checkers send as lines, to look for ``+PONG`` or ``+OK`` in the answer."""
_INSIDE_MULTI: Final = frozenset({"MULTI", "EXEC", "DISCARD", "WATCH", "QUIT", "EXIT", "RESET"})

QUICK_US: Final = 8
"""PING and the like, and a slot whose reply is known."""
_TEXT_US: Final = 400
"""INFO, HELP: some kilobytes of text."""
_ALL_COMMANDS_US: Final = 3_000
"""COMMAND and its kin describe every command."""
ARGUMENTS_MAX: Final = 16_384
"""Of one command, and of all that wait for one EXEC: every replica applies them in one step, which takes 20
to 40 ms then. Half a million, which fit an entry, took 1.7 s: longer than an election timeout."""
TOO_MANY_ARGUMENTS: Final = CommandError(
    f"ERR too many arguments: at most {ARGUMENTS_MAX} in a command or transaction; send them in smaller parts"
)
_KEYSPACE_US: Final = {"KEYS": 10_000, "SCAN": 5_000}
"""Reads that go over many keys: KEYS over the most it takes, SCAN with the greatest COUNT."""
_REWRITING: Final = frozenset({"APPEND", "SETRANGE"})
"""A few bytes of them change a value of megabytes, and every replica copies it whole."""
COPIED_BYTES_PER_US: Final = 2048
"""Slower than most memory is: a thousand SETRANGEs on a value of 8 MB stopped a whole cluster for 30 s."""
_CONNECTION_US: Final = {"CLIENT|LIST": 8, "CLIENT|KILL": 6, "INFO": 2, "MEMSTATS": 1}
"""What goes over all connections, and how much longer for each: with ten thousand INFO takes some 15 ms."""


@attrs.define(eq=False)
class Plan:
    """One command as a conversation sees it; a plain class of constants, read for every command."""

    command: Command
    name: str
    """As CLIENT LIST shows it: lower case."""
    mode: Mode
    travels: bool
    """True where it goes to the machine as it is."""
    is_plain: bool
    """It travels, and is bounded by its own bytes: nothing about it has to be looked at."""
    writes: bool
    least: int
    """Arguments, the name included."""
    most: int
    """The grammar's limit or `ARGUMENTS_MAX`, whichever is less."""
    before_auth: bool
    """May be called without having given the password."""
    acts_inside: bool
    """Is not queued inside MULTI."""
    is_checked: bool
    """Health checkers type it: a status is answered in Redis' very bytes, which a person can read as well."""
    cost_us: int
    """About how long this node is busy with it (most of a machine's commands are bounded by their number)."""
    connection_us: int
    """So much more for each connection of this node, because it goes over all of them."""
    rewrites: bool
    """Copies the value of its key: costs more the longer that is."""

    def call(self, caller: Any, args: Args) -> Any:
        """Evaluate a local command."""
        return self.command.handler(caller, *args[self.command.words :])


class Plans:
    """Every command of a node."""

    def __init__(self, table: CommandTable) -> None:
        self.table = table
        self._by_name = {command.name: _plan(command) for command in table}
        self.by_spelling: dict[bytes, Plan] = {}
        """Plain commands as they usually arrive, all upper or all lower case: the hot path's one lookup."""
        containers = {name.partition("|")[0] for name in self._by_name if "|" in name}
        for name, plan in self._by_name.items():
            if "|" not in name and name not in containers:
                self.by_spelling[name.encode()] = plan
                self.by_spelling[name.lower().encode()] = plan

    def __iter__(self) -> Iterator[Plan]:
        return iter(self._by_name.values())

    def name_of(self, args: Args) -> str:
        """Whose call this is, whatever its arity: ``CONFIG|SET``; empty for what is no command."""
        command = self.by_spelling.get(args[0]) if args else None
        if command is not None:
            return command.command.name
        words = [text_of(word).upper() for word in args[:2]]
        named = [self.table.get("|".join(words)), self.table.get(words[0] if words else "")]
        return next((command.name for command in named if command is not None), "")

    def find(self, args: Args) -> Plan | CommandError:
        """The plan of a request, or the error Redis gives: an unknown name, a wrong number of arguments."""
        command = self.table.find(args)
        if isinstance(command, CommandError):
            return command
        return self._by_name[command.name]


def _plan(command: Command) -> Plan:
    mode = _MODES.get(command.name) or _OF_KIND[command.kind]
    return Plan(
        command=command,
        name=command.name.lower(),
        mode=mode,
        travels=mode in (Mode.WRITE, Mode.READ),
        is_plain=mode in (Mode.WRITE, Mode.READ) and command.name not in _KEYSPACE_US.keys() | _REWRITING,
        writes=mode is Mode.WRITE,
        least=command.least,
        most=min(command.most, ARGUMENTS_MAX),
        before_auth=command.name in _BEFORE_AUTH,
        acts_inside=command.name in _INSIDE_MULTI,
        is_checked=command.name in _CHECKED,
        cost_us=_cost_us(command),
        connection_us=_CONNECTION_US.get(command.name, 0),
        rewrites=command.name in _REWRITING,
    )


def _cost_us(command: Command) -> int:
    if command.name in _REWRITING:
        return 0
    if command.name in _KEYSPACE_US:
        return _KEYSPACE_US[command.name]
    if command.name.startswith("COMMAND"):
        return _ALL_COMMANDS_US
    return QUICK_US if "fast" in command.flags else _TEXT_US
