"""CLIENT's subcommands about client-side caching: what Redis answers a client that does not track keys."""

from typing import Final

from trikv.front.caller import Caller
from trikv.front.commands.table import COMMANDS
from trikv.machine.declaration import By, Told
from trikv.machine.errors import SYNTAX
from trikv.machine.replies import OK, CommandError, Reply

_FLAGS: Final = "noscript loading stale"
_NOT_TRACKING: Final = CommandError(
    "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode "
    "enabled"
)
NO_TRACKING: Final = CommandError("ERR this server keeps no track of the keys that clients cache")
_PLAIN_OPTIONS: Final = frozenset({b"BCAST", b"OPTIN", b"OPTOUT", b"NOLOOP"})
_OPTIONS_WITH_VALUE: Final = frozenset({b"REDIRECT", b"PREFIX"})


@COMMANDS.command(
    "CLIENT|CACHING", by=By.NODE, group="connection", fast=True, told=Told("6.0.0", flags=_FLAGS)
)
def client_caching(_caller: Caller, yes_or_no: bytes) -> Reply:
    """Refused: no connection tracks keys."""
    del yes_or_no  # Redis does not look at it either
    return _NOT_TRACKING


@COMMANDS.command(
    "CLIENT|GETREDIR", by=By.NODE, group="connection", fast=True, told=Told("6.0.0", flags=_FLAGS)
)
def client_getredir(_caller: Caller) -> Reply:
    """Answer -1: no connection tracks keys."""
    return -1


@COMMANDS.command(
    "CLIENT|TRACKING",
    by=By.NODE,
    group="connection",
    options="<ON|OFF> [option ...]",
    open_least=1,
    fast=True,
    told=Told("6.0.0", flags=_FLAGS),
)
def client_tracking(_caller: Caller, *words: bytes) -> Reply:
    """Accept OFF, which is always so; ON is refused."""
    options = iter(word.upper() for word in words[1:])
    for option in options:
        if option in _OPTIONS_WITH_VALUE:
            if next(options, None) is None:
                return SYNTAX
        elif option not in _PLAIN_OPTIONS:
            return SYNTAX
    match words[0].upper():
        case b"OFF":
            return OK
        case b"ON":
            return NO_TRACKING
        case _:
            return SYNTAX


@COMMANDS.command(
    "CLIENT|TRACKINGINFO", by=By.NODE, group="connection", fast=True, told=Told("6.2.0", flags=_FLAGS)
)
def client_trackinginfo(_caller: Caller) -> Reply:
    """Tell that this connection does not track keys."""
    return {b"flags": (b"off",), b"redirect": -1, b"prefixes": []}
