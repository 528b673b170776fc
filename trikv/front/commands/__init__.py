"""Commands that a node answers by itself, without the log and without the machine.

They are evaluated only by the node that holds the client and never feed replicated state (PROTOCOL 6). Each
module is one family and declares its commands in `COMMANDS`, by the same decorator as the machine's: the
signature is the grammar, the docstring is the help. A handler takes the `Caller`, which is the narrow part of
a conversation that it may use, and the arguments behind the command's name; it returns a Reply.

==============  =============================================================================
connection      HELLO AUTH PING ECHO QUIT EXIT RESET, and CLIENT: who a client is, and who there are
clients         CLIENT: how a client is treated (REPLY PAUSE UNPAUSE NO-EVICT NO-TOUCH)
tracking        CLIENT: client-side caching, which there is not
server          INFO ROLE LASTSAVE READONLY READWRITE, and the help on OBJECT
memory          MEMSTATS, and MEMORY but for USAGE, which is the machine's
introspection   COMMAND
debugging       DEBUG: who may use it, and all of it but WORK, which is the machine's
config          CONFIG GET, SET, RESETSTAT (SET maxmemory goes to the machine)
transactions    MULTI EXEC DISCARD UNWATCH, and the answer to WATCH
operations      BACKUP SAVE BGSAVE DIGEST SHUTDOWN WAIT WAITAOF: only their arguments; the node does the work
help            HELP
==============  =============================================================================

A command's declaration says which part evaluates it and when; `trikv.front.dispatch` turns that into
decisions. A command that goes none of the usual ways has a function that decides about each call
(`table.treats`); the machine's WATCH, SELECT and CONFIG SET are among them.
`hints` adds to an error what a person can do about it.
"""

from typing import Final

from trikv.front.commands import (
    clients,
    config,
    connection,
    debugging,
    introspection,
    memory,
    operations,
    server,
    tracking,
    transactions,
)
from trikv.front.commands import help as help_
from trikv.front.commands.table import COMMANDS
from trikv.machine import commands as machine

TABLE: Final = machine.TABLE.merged_with(COMMANDS)
"""Every command of a node."""

__all__ = [
    "TABLE",
    "clients",
    "config",
    "connection",
    "debugging",
    "help_",
    "introspection",
    "memory",
    "operations",
    "server",
    "tracking",
    "transactions",
]
