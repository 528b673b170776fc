"""Commands that the node carries out off the hot path: only their arguments are checked here.

A handler answers None where the node should go ahead (`trikv.front.seam.Operation`), else the error.
"""

from trikv.front.commands.table import LOCAL
from trikv.front.turn import Caller
from trikv.machine.errors import NOT_INTEGER, SYNTAX
from trikv.machine.replies import CommandError
from trikv.machine.table import Kind


@LOCAL.command("BACKUP", kind=Kind.LOCAL, group="server")
def backup(_caller: Caller) -> CommandError | None:
    """Write all keys to a JSON file on this node; answers its path and the number of keys."""
    return None


@LOCAL.command("SAVE", kind=Kind.LOCAL, group="server")
def save(_caller: Caller) -> CommandError | None:
    """Write a snapshot on this node and wait for it."""
    return None


@LOCAL.command("BGSAVE", kind=Kind.LOCAL, group="server", options="[SCHEDULE]")
def bgsave(_caller: Caller, *options: bytes) -> CommandError | None:
    """Begin a snapshot on this node."""
    return None if not options or (len(options) == 1 and options[0].upper() == b"SCHEDULE") else SYNTAX


@LOCAL.command("DIGEST", kind=Kind.LOCAL, group="server")
def digest(_caller: Caller) -> CommandError | None:
    """Answer the applied index and a hash of the state: equal on all nodes at the same index."""
    return None


@LOCAL.command("SHUTDOWN", kind=Kind.LOCAL, group="server", options="[NOSAVE|SAVE] [NOW] [FORCE]")
def shutdown(_caller: Caller, *options: bytes) -> CommandError | None:
    """Stop this node in order: warn clients, finish, hand over, write the dump."""
    words = [option.upper() for option in options]
    known = all(word in (b"NOSAVE", b"SAVE", b"NOW", b"FORCE") for word in words)
    return None if known and not (b"NOSAVE" in words and b"SAVE" in words) else SYNTAX


@LOCAL.command("WAIT", kind=Kind.LOCAL, group="server")
def wait(_caller: Caller, numreplicas: bytes, timeout_ms: bytes) -> CommandError | None:
    """Tell how many other voters hold this connection's last write on disk."""
    if not numreplicas.removeprefix(b"-").isdigit() or len(numreplicas) > 18:
        return NOT_INTEGER
    if not timeout_ms.removeprefix(b"-").isdigit() or len(timeout_ms) > 18:
        return CommandError("ERR timeout is not an integer or out of range")
    return CommandError("ERR timeout is negative") if timeout_ms.startswith(b"-") else None
