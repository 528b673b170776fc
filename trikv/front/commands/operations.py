"""Commands that the node carries out off the hot path: only their arguments are checked here.

A handler returns the request for the node (`trikv.front.seam.Asked`), or the error that refuses the command.
"""

from trikv.front.caller import Caller
from trikv.front.commands.table import COMMANDS
from trikv.front.seam import Backup, Digest, Save, Shutdown, Wait, WaitAof
from trikv.machine.declaration import By, Told
from trikv.machine.errors import NOT_INTEGER, SYNTAX
from trikv.machine.numerics import parse_integer
from trikv.machine.replies import CommandError

_NO_SHUTDOWN = CommandError("ERR No shutdown in progress.")


@COMMANDS.command(
    "BACKUP",
    by=By.OPERATION,
    group="server",
    complexity="O(N), N being the number of keys",
    told=Told(flags="admin noscript"),
)
def backup(_caller: Caller) -> Backup:
    """Write all keys to a JSON file on this node; answers its path and the number of keys."""
    return Backup()


@COMMANDS.command(
    "SAVE",
    by=By.OPERATION,
    group="server",
    complexity="O(N), N being the number of keys",
    told=Told("1.0.0", flags="admin noscript no_async_loading no_multi"),
)
def save(_caller: Caller) -> Save:
    """Write a snapshot on this node and wait for it."""
    return Save(in_background=False)


@COMMANDS.command(
    "BGSAVE",
    by=By.OPERATION,
    group="server",
    options="[SCHEDULE]",
    complexity="O(N), N being the number of keys",
    told=Told("1.0.0", flags="admin noscript no_async_loading"),
)
def bgsave(_caller: Caller, *options: bytes) -> Save | CommandError:
    """Begin a snapshot on this node."""
    if not options or (len(options) == 1 and options[0].upper() == b"SCHEDULE"):
        return Save(in_background=True)
    return SYNTAX


@COMMANDS.command(
    "DIGEST",
    by=By.OPERATION,
    group="server",
    complexity="O(N), N being the number of keys",
    told=Told(flags="admin noscript"),
)
def digest(_caller: Caller) -> Digest:
    """Answer the applied index and a hash of the state: equal on all nodes at the same index."""
    return Digest()


@COMMANDS.command(
    "SHUTDOWN",
    by=By.OPERATION,
    group="server",
    options="[NOSAVE|SAVE] [NOW] [FORCE]",
    complexity="O(N), N being the number of keys",
    told=Told("1.0.0", flags="admin noscript loading stale no_multi allow_busy"),
)
def shutdown(_caller: Caller, *options: bytes) -> Shutdown | CommandError:
    """Stop this node in order: warn clients, finish, hand over, write the dump."""
    words = frozenset(option.upper() for option in options)
    if words == {b"ABORT"}:
        return _NO_SHUTDOWN  # a node that is stopping refuses SHUTDOWN itself: its stop cannot be taken back
    known = words <= {b"NOSAVE", b"SAVE", b"NOW", b"FORCE"}
    return Shutdown() if known and not words >= {b"NOSAVE", b"SAVE"} else SYNTAX


@COMMANDS.command(
    "WAIT",
    by=By.OPERATION,
    group="server",
    told=Told(
        "3.0.0",
        flags="",
        categories="connection",
        group="generic",
        tips="request_policy:all_shards response_policy:agg_min",
    ),
)
def wait(_caller: Caller, numreplicas: bytes, timeout_ms: bytes) -> Wait | CommandError:
    """Tell how many other voters hold this connection's last write on disk."""
    replicas, limit_ms = parse_integer(numreplicas), timeout_of(timeout_ms)
    if replicas is None:
        return NOT_INTEGER
    return limit_ms if isinstance(limit_ms, CommandError) else Wait(replicas, limit_ms)


@COMMANDS.command(
    "WAITAOF",
    by=By.OPERATION,
    group="server",
    told=Told(
        "7.2.0",
        flags="noscript",
        categories="connection",
        group="generic",
        tips="request_policy:all_shards response_policy:agg_min",
    ),
)
def waitaof(
    _caller: Caller, numlocal: bytes, numreplicas: bytes, timeout_ms: bytes
) -> WaitAof | CommandError:
    """Tell whether this node has this connection's last write on disk, and how many other voters have."""
    local, replicas = parse_integer(numlocal), parse_integer(numreplicas)
    if local is None:
        return NOT_INTEGER
    if local not in (0, 1):
        return CommandError("ERR value is out of range, value must between 0 and 1")
    if replicas is None or replicas < 0:
        return CommandError("ERR value is out of range, must be positive")
    limit_ms = timeout_of(timeout_ms)
    return limit_ms if isinstance(limit_ms, CommandError) else WaitAof(local, replicas, limit_ms)


def timeout_of(word: bytes) -> int | CommandError:
    """The milliseconds that `word` gives, or Redis' error."""
    limit_ms = parse_integer(word)
    if limit_ms is None:
        return CommandError("ERR timeout is not an integer or out of range")
    return CommandError("ERR timeout is negative") if limit_ms < 0 else limit_ms
