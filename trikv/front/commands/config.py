"""CONFIG: the few settings that Redis' clients and tools ask for, under Redis' names.

``CONFIG SET maxmemory`` is replicated state: the conversation sends it to the machine. The other settings
that may be set belong to this node and last until it stops.
"""

from collections.abc import Callable, Sequence
from typing import Final

import attrs

from trikv.front.commands.table import LOCAL, help_of
from trikv.front.turn import Args, Caller
from trikv.machine.errors import text_of, wrong_arity
from trikv.machine.glob import matcher, too_long
from trikv.machine.memory import CAP_BYTES_MAX, parse_memory
from trikv.machine.numerics import parse_integer
from trikv.machine.replies import OK, CommandError, Reply
from trikv.machine.table import Kind
from trikv.protocol.events import LONGEST_REQUEST_BYTES
from trikv.system_text import to_bytes


@attrs.frozen
class _Setting:
    read: Callable[[Caller], str]
    field: str = ""
    """Of `RuntimeSettings`; empty where it cannot be set."""
    least: int = 0
    most: int = 0
    unreadable: str = "argument couldn't be parsed into an integer"
    """What Redis says of a value that is no such number."""


def _cap_bytes(caller: Caller) -> int:
    """The cap in force; 0 before the log is open."""
    member = caller.service.figures.member
    return 0 if member is None else member.applier().machine.cap_bytes


_INT_MAX: Final = (1 << 31) - 1
_SETTINGS: Final = {
    b"maxmemory": _Setting(
        lambda caller: str(_cap_bytes(caller)),
        most=CAP_BYTES_MAX,
        unreadable="argument must be a memory value",
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
    ),
    b"appendonly": _Setting(lambda _: "yes"),
    b"appendfsync": _Setting(lambda _: "always"),
    b"save": _Setting(lambda _: ""),
    b"databases": _Setting(lambda _: "16"),
    b"requirepass": _Setting(lambda caller: caller.service.settings.requirepass),
    b"reads": _Setting(lambda caller: caller.service.settings.reads),
    b"latency-tracking": _Setting(lambda _: "no"),
    b"proto-max-bulk-len": _Setting(lambda _: str(8 << 20)),
    b"cluster-enabled": _Setting(lambda _: "no"),
}


@LOCAL.command("CONFIG|GET", kind=Kind.LOCAL, group="server", options="pattern [pattern ...]", open_least=1)
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


@LOCAL.command(
    "CONFIG|SET", kind=Kind.LOCAL, group="server", options="setting value [setting value ...]", open_least=2
)
def config_set(caller: Caller, *words: bytes) -> Reply:
    """Change maxmemory (all nodes) or timeout, typed-timeout, maxclients, input-bytes-max (this node)."""
    error = check(caller, words)
    if error is not None:
        return error
    for name, value in pairs(words):
        field = _SETTINGS[name].field
        if field:
            setattr(caller.service.settings, field, int(value))
    return OK


def split(caller: Caller, args: Args) -> tuple[CommandError | None, Args | None]:
    """What CONFIG SET asks of the machine: (None, its command), nothing (None, None), or an error."""
    error = check(caller, args[2:])
    if error is not None:
        return error, None
    for name, value in pairs(args[2:]):
        if name == b"maxmemory":
            return None, (b"CONFIG", b"SET", b"maxmemory", value)
    return None, None


def after_maxmemory(caller: Caller, args: Args, reply: Reply) -> Reply:
    """The cap was changed: so are the settings that came along with it."""
    return config_set(caller, *args) if reply == OK else reply


def pairs(words: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    """Settings by lower-case name with their values."""
    return [(name.lower(), value) for name, value in zip(words[::2], words[1::2], strict=True)]


def check(caller: Caller, words: Sequence[bytes]) -> CommandError | None:
    """What Redis would say of CONFIG SET with these words; None if they are in order.

    maxmemory is judged here, before it is proposed: what the log holds is obeyed by every replica, and the
    first release took any number.
    """
    if len(words) % 2:
        return wrong_arity("config|set")
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
        number = parse_memory(value) if name == b"maxmemory" else parse_integer(value)
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


@LOCAL.command("CONFIG|RESETSTAT", kind=Kind.LOCAL, group="server")
def config_resetstat(caller: Caller) -> Reply:
    """Let the counters that INFO shows begin at 0 again."""
    caller.service.statistics.reset()
    return OK


@LOCAL.command("CONFIG|HELP", kind=Kind.LOCAL, group="server")
def config_help(caller: Caller) -> Reply:
    """Show the subcommands of CONFIG."""
    return help_of(caller, "CONFIG")
