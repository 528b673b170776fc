"""Commands that a node answers by itself, without the log and without the machine.

They are evaluated only by the node that holds the client and never feed replicated state (PROTOCOL 6). Each
module is one family and registers its handlers in `LOCAL`, by the same decorator as the machine's commands:
the signature is the grammar, the docstring is the help. A handler takes the `Caller`, which is the
conversation seen through a keyhole, and the arguments behind the command's name; it returns a Reply.

==============  =============================================================================
connection      HELLO AUTH PING ECHO QUIT EXIT RESET CLIENT
server          INFO MEMSTATS ROLE LASTSAVE COMMAND READONLY READWRITE DEBUG
config          CONFIG GET, SET, RESETSTAT (SET maxmemory goes to the machine)
transactions    MULTI EXEC DISCARD UNWATCH
operations      BACKUP SAVE BGSAVE SHUTDOWN WAIT: only their arguments; the node does the work
help            HELP
==============  =============================================================================

`hints` puts what people can do about it behind an error, `reference` writes ``docs/COMMANDS.md``.
When a command is evaluated (at its place among the replies, at once, behind a barrier) is not said here but
in `trikv.front.dispatch`, in one table.
"""

from trikv.front.commands import config, connection, operations, server, transactions
from trikv.front.commands import help as help_
from trikv.front.commands.table import LOCAL

__all__ = ["LOCAL", "config", "connection", "help_", "operations", "server", "transactions"]
