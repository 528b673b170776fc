"""CONFIG: the few settings that Redis' clients and tools ask for, under Redis' names.

``CONFIG SET maxmemory`` is replicated state: the conversation sends it to the machine. The other settings
that may be set belong to this node and last until it stops.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import attrs

from trikv.front.caller import Caller
from trikv.front.commands.table import COMMANDS, help_of, treats
from trikv.front.decisions import Decision, Evaluate, Fail, Queued, Send
from trikv.front.slots import Args, Local, Step
from trikv.front.turn import Turn
from trikv.machine.declaration import By, Container, Told
from trikv.machine.errors import SYNTAX, text_of
from trikv.machine.glob import matcher, too_long
from trikv.machine.memory import CAP_BYTES_MAX, parse_memory
from trikv.machine.numerics import parse_integer
from trikv.machine.replies import OK, CommandError, Reply
from trikv.protocol.events import LONGEST_REQUEST_BYTES, Request
from trikv.system_text import to_bytes


@attrs.frozen
class _Setting:
    read: Callable[[Caller], str]
    field: str = ""
    """The attribute of `RuntimeSettings`; empty if it cannot be set."""
    least: int = 0
    most: int = 0
    is_size: bool = False
    """People may write ``32mb``, as for maxmemory."""

    def parse(self, value: bytes) -> int | None:
        """The number that is meant; None if it is none."""
        return parse_memory(value) if self.is_size else parse_integer(value)

    @property
    def unreadable(self) -> str:
        """Redis' error for a value that is no valid number."""
        if self.is_size:
            return "argument must be a memory value"
        return "argument couldn't be parsed into an integer"


def _cap_bytes(caller: Caller) -> int:
    """The cap in force; 0 before the log is open."""
    member = caller.service.figures.member
    return 0 if member is None else member.cap_bytes()


_INT_MAX: Final = (1 << 31) - 1
_SETTINGS: Final = {
    b"maxmemory": _Setting(
        lambda caller: str(_cap_bytes(caller)),
        most=CAP_BYTES_MAX,
        is_size=True,
    ),
    b"maxmemory-policy": _Setting(lambda _: "noeviction"),
    b"timeout": _Setting(lambda caller: str(caller.service.settings.timeout_s), "timeout_s", 0, _INT_MAX),
    b"typed-timeout": _Setting(
        lambda caller: str(caller.service.settings.typed_timeout_s), "typed_timeout_s", 0, _INT_MAX
    ),
    b"maxclients": _Setting(
        lambda caller: str(caller.service.settings.maxclients), "maxclients", 1, 4294967295
    ),
    b"input-bytes-max": _Setting(
        lambda caller: str(caller.connections.input_bytes_max()),
        "input_bytes_max",
        LONGEST_REQUEST_BYTES,
        1 << 40,
        is_size=True,
    ),
    b"appendonly": _Setting(lambda _: "yes"),
    b"appendfsync": _Setting(lambda _: "always"),
    b"save": _Setting(lambda _: ""),
    b"databases": _Setting(lambda _: "16"),
    b"requirepass": _Setting(lambda caller: caller.service.settings.requirepass),
    b"reads": _Setting(lambda caller: caller.service.settings.reads),
    b"enable-debug-command": _Setting(lambda caller: caller.service.settings.enable_debug_command),
    b"latency-tracking": _Setting(lambda _: "no"),
    b"proto-max-bulk-len": _Setting(lambda _: str(8 << 20)),
    b"cluster-enabled": _Setting(lambda _: "no"),
}
_OF_THIS_NODE: Final = ", ".join(name.decode() for name, setting in _SETTINGS.items() if setting.field)
"""The settings that may be set and are no replicated state, for help."""


@COMMANDS.command(
    "CONFIG|GET",
    by=By.NODE,
    group="server",
    options="pattern [pattern ...]",
    open_least=1,
    complexity="O(N), N being the number of patterns",
    told=Told("2.0.0", flags="admin noscript loading stale"),
)
def config_get(caller: Caller, *patterns: bytes) -> Reply:
    """Show settings whose names match."""
    refused = too_long(sum(map(len, patterns)))
    if refused is not None:
        return refused
    matchers = [matcher(pattern.lower()) for pattern in patterns]
    found: dict[Reply, Reply] = {}
    for name, setting in _SETTINGS.items():
        if any(match(name) for match in matchers):
            found[name] = to_bytes(setting.read(caller))
    return found


def _set_here(caller: Caller, *words: bytes) -> Reply:
    """Change those settings among `words` that are this node's own."""
    error = check(caller, words)
    if error is not None:
        return error
    for name, value in pairs(words):
        setting = _SETTINGS[name]
        if setting.field:
            setattr(caller.service.settings, setting.field, setting.parse(value))
    return OK


def _cap_set(caller: Caller, words: Sequence[bytes], reply: Reply) -> Reply:
    """After the cap was changed: change the settings that came with it."""
    return _set_here(caller, *words) if reply == OK else reply


def _for_machine(words: Sequence[bytes]) -> Args | None:
    """The part of CONFIG SET that belongs in the log: its maxmemory, if it has one."""
    for name, value in pairs(words):
        if name == b"maxmemory":
            return (b"CONFIG", b"SET", b"maxmemory", value)
    return None


def _slot(caller: Caller, request: Request) -> Local:
    """The slot of a CONFIG SET without maxmemory, which is the only setting that the machine handles."""
    command = caller.table.get("CONFIG|SET")
    assert command is not None
    return Local(command, _set_here, request.args, request.typed)


def _queue_set(caller: Caller, request: Request) -> Queued:
    """Queue it even if it is faulty, as in Redis: its error is then its reply."""
    words = request.args[2:]
    command = _for_machine(words) if check(caller, words) is None else None
    if command is None:
        return Queued(_slot(caller, request), request.args)
    return Queued(Step(args=words, after=partial(_cap_set, caller, words)), command, writes=True)


@treats(
    "CONFIG|SET",
    queue=_queue_set,
    summary=f"Change maxmemory (all nodes) or {_OF_THIS_NODE} (this node).",
)
def take_set(caller: Caller, _turn: Turn, request: Request) -> Decision:
    """Send maxmemory to the machine, because it is replicated state; other settings belong to this node."""
    words = request.args[2:]
    error = check(caller, words)
    if error is not None:
        return Fail(error)
    command = _for_machine(words)
    if command is None:
        return Evaluate(_slot(caller, request))
    return Send(command, words, partial(_cap_set, caller, words), writes=True)


def pairs(words: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    """The settings that CONFIG SET names, in lower case, with their values."""
    return [(name.lower(), value) for name, value in zip(words[::2], words[1::2], strict=True)]


def check(caller: Caller, words: Sequence[bytes]) -> CommandError | None:
    """Redis' error for CONFIG SET with these words; None if they are valid.

    maxmemory is checked here, before it is proposed: every replica obeys what the log holds, and the first
    release accepted any number.
    """
    if len(words) % 2:
        return SYNTAX
    seen: set[bytes] = set()
    for name, value in pairs(words):
        setting = _SETTINGS.get(name)
        if setting is None:
            return CommandError(
                f"ERR Unknown option or number of arguments for CONFIG SET - '{text_of(name[:128])}'"
            )
        if name in seen:
            return _failed(name, "duplicate parameter")
        seen.add(name)
        if not (setting.field or name == b"maxmemory"):
            return _failed(name, "can't set immutable config")
        number = setting.parse(value)
        if number is None:
            return _failed(name, setting.unreadable)
        if not setting.least <= number <= setting.most:
            return _failed(name, f"argument must be between {setting.least} and {setting.most} inclusive")
        clients_max = caller.service.settings.clients_max
        if name == b"maxclients" and number > clients_max:
            return _failed(
                name,
                "The operating system is not able to handle the specified number of clients, "
                f"try with {clients_max}",
            )
    return None


def _failed(name: bytes, why: str) -> CommandError:
    return CommandError(f"ERR CONFIG SET failed (possibly related to argument '{name.decode()}') - {why}")


COMMANDS.add_container(Container("CONFIG", "Shows and changes settings: subcommands.", "server", "2.0.0"))


@COMMANDS.command(
    "CONFIG|RESETSTAT",
    by=By.NODE,
    group="server",
    told=Told(
        "2.0.0",
        flags="admin noscript loading stale",
        tips="request_policy:all_nodes response_policy:all_succeeded",
    ),
)
def config_resetstat(caller: Caller) -> Reply:
    """Let the counters that INFO shows begin at 0 again."""
    caller.service.counters.reset()
    return OK


@COMMANDS.command("CONFIG|HELP", by=By.NODE, group="server", told=Told("5.0.0"))
def config_help(caller: Caller) -> Reply:
    """Show the subcommands of CONFIG."""
    return help_of(caller, "CONFIG")
