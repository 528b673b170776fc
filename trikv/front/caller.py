"""Which client a command came from: all that a handler of a node's own command may read and change."""

import attrs

from trikv.front.connections import Connection, Connections
from trikv.front.seam import Service
from trikv.front.transaction import Transactions
from trikv.machine.table import CommandTable


@attrs.define(eq=False)
class Caller:
    """One connection, the other clients of the node, and what the node can be asked for."""

    connection: Connection
    transactions: Transactions
    connections: Connections
    service: Service
    table: CommandTable
    """Every command that there is for this connection."""
