"""What a node that does not start, or ends, tells its operator: one line, with advice that fits its settings.

Those who raise an error know what is wrong. Some advice depends on what only the settings know: which of them
gave an address, and whether there are peers at all.
"""

import errno
from typing import Final

from trikv.config import NodeConfig
from trikv.errors import first_line, leaves
from trikv.storage.errors import REFILL

NO_REFILL: Final = (
    "A single node has no peers to take a full copy from: start it with a new data directory and --load a "
    "backup or dump. Keep this directory until that has worked"
)


def refusal(error: BaseException, config: NodeConfig) -> str:
    """What the first exception in `error` says to the operator of a node with that `config`."""
    line, first = first_line(error), next(leaves(error))
    if isinstance(first, OSError) and first.errno == errno.EADDRINUSE:
        return f"{line}; another process listens there: {_another_place(line, config)}"
    return line if config.peers else line.replace(REFILL, NO_REFILL)


def _another_place(line: str, config: NodeConfig) -> str:
    """How to find who listens at the place that `line` names, and how to choose another."""
    if config.unix_socket and f"listen on {config.unix_socket}:" in line:
        return "stop it (ss -lxp names it), or give this node another path (--unix-socket)"
    if config.peers and any(f"listen on {address}:" in line for address in config.peer_addresses):
        return "stop it (ss -ltnp names it), or give this node another peer port (--peers, at every node)"
    return "stop it (ss -ltnp names it), or give this node another port (--port)"
