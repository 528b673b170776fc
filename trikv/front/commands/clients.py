"""CLIENT's subcommands about how a client is treated: REPLY, PAUSE, UNPAUSE, NO-EVICT, NO-TOUCH."""

from typing import Final

from trikv.front.caller import Caller
from trikv.front.commands.operations import timeout_of
from trikv.front.commands.table import COMMANDS
from trikv.front.connections import MUTED
from trikv.machine.declaration import By, Inside, Told, When
from trikv.machine.errors import SYNTAX
from trikv.machine.replies import OK, CommandError, Reply

_OF_ALL: Final = "noscript loading stale"
_OF_ADMIN: Final = "admin noscript loading stale"
_UNJOINED: Final = CommandError("CLUSTERDOWN this node has not joined its cluster yet; nobody is paused")
_TOO_MANY: Final = CommandError(
    "ERR unknown subcommand or wrong number of arguments for 'PAUSE'. Try CLIENT HELP."
)
_NEXT_TOO: Final = 2
"""No reply of SKIP itself, and none of the next request."""


@COMMANDS.command(
    "CLIENT|REPLY",
    by=By.NODE,
    group="connection",
    fast=True,
    when=When.ALONE,
    inside=Inside.REFUSED,
    told=Told("3.2.0", flags=_OF_ALL),
)
def client_reply(caller: Caller, mode: bytes) -> Reply:
    """Send replies (ON), none from now on (OFF), or none to the next request (SKIP)."""
    connection = caller.connection
    match mode.upper():
        case b"ON":
            connection.muted_turns = 0
        case b"OFF":
            connection.muted_turns = MUTED
        case b"SKIP" if connection.muted_turns != MUTED:
            connection.muted_turns = _NEXT_TOO
        case b"SKIP":
            pass  # nothing is sent anyway, nor after the next
        case _:
            return SYNTAX
    return OK


@COMMANDS.command(
    "CLIENT|PAUSE",
    by=By.NODE,
    group="connection",
    options="[WRITE|ALL]",
    fast=True,
    when=When.ALONE,
    told=Told("3.0.0", flags=_OF_ADMIN),
)
def client_pause(caller: Caller, timeout: bytes, *mode: bytes) -> Reply:
    """Hold back the commands of this node's clients for so many milliseconds, or those that write."""
    if len(mode) > 1:
        return _TOO_MANY
    is_of_all = not mode or mode[0].upper() == b"ALL"
    if not is_of_all and mode[0].upper() != b"WRITE":
        return CommandError("ERR CLIENT PAUSE mode must be WRITE or ALL")
    for_ms = timeout_of(timeout)
    if isinstance(for_ms, CommandError):
        return for_ms
    if caller.service.figures.member is None:
        return _UNJOINED
    caller.connections.pause.begin(caller.service, for_ms, of_all=is_of_all)
    return OK


@COMMANDS.command(
    "CLIENT|UNPAUSE", by=By.NODE, group="connection", fast=True, told=Told("6.2.0", flags=_OF_ADMIN)
)
def client_unpause(caller: Caller) -> Reply:
    """End what CLIENT PAUSE has begun."""
    caller.connections.pause.end()
    return OK


@COMMANDS.command(
    "CLIENT|NO-EVICT", by=By.NODE, group="connection", fast=True, told=Told("7.0.0", flags=_OF_ADMIN)
)
def client_no_evict(caller: Caller, on_or_off: bytes) -> Reply:
    """Give up this connection's waiting input only after that of all others (ON)."""
    is_on = _switch(on_or_off)
    if isinstance(is_on, CommandError):
        return is_on
    caller.connection.is_spared = is_on
    return OK


@COMMANDS.command(
    "CLIENT|NO-TOUCH", by=By.NODE, group="connection", fast=True, told=Told("7.2.0", flags=_OF_ALL)
)
def client_no_touch(caller: Caller, on_or_off: bytes) -> Reply:
    """Leave the age of keys alone (ON): no read changes it, so only CLIENT LIST shows the difference."""
    is_on = _switch(on_or_off)
    if isinstance(is_on, CommandError):
        return is_on
    caller.connection.touches_nothing = is_on
    return OK


def _switch(word: bytes) -> bool | CommandError:
    known = {b"ON": True, b"OFF": False}
    return known.get(word.upper(), SYNTAX)
