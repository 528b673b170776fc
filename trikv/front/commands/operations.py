"""Commands that the node carries out off the hot path: only their arguments are checked here.

A handler returns the request for the node (`trikv.front.seam.Asked`), or the error that refuses the command.
"""

from trikv.front.caller import Caller
from trikv.front.commands.table import COMMANDS
from trikv.front.seam import Backup, Digest, Save, Shutdown, Wait
from trikv.machine.declaration import By, Told
from trikv.machine.errors import NOT_INTEGER, SYNTAX
from trikv.machine.replies import CommandError


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
    words = [option.upper() for option in options]
    known = all(word in (b"NOSAVE", b"SAVE", b"NOW", b"FORCE") for word in words)
    return Shutdown() if known and not (b"NOSAVE" in words and b"SAVE" in words) else SYNTAX


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
    if not numreplicas.removeprefix(b"-").isdigit() or len(numreplicas) > 18:
        return NOT_INTEGER
    if not timeout_ms.removeprefix(b"-").isdigit() or len(timeout_ms) > 18:
        return CommandError("ERR timeout is not an integer or out of range")
    if timeout_ms.startswith(b"-"):
        return CommandError("ERR timeout is negative")
    return Wait(int(numreplicas), int(timeout_ms))
