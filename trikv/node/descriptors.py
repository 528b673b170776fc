"""The division of descriptors: first the node's own needs, then its peers; clients get the rest.

A descriptor that a client holds may be the one that the log needs for its next segment. So the process's
limit (``ulimit -n``) is divided before anybody connects, and each share has a bound that is enforced: live
clients (`maxclients`), clients that are being closed, accepted peers. Pure: the host says how many there are.
"""

from typing import Final

import attrs

from trikv.host.endings import LINGERING_MAX
from trikv.host.seam import Descriptors

FILE: Final = 3
"""An open file of the data directory: its own descriptor, and two that its thread is asked and answers by."""
LOG_FILES: Final = 3
"""The segment being written, the one being prepared, and one whose thread has not ended yet."""
WALK_FILES: Final = 3
"""One snapshot, backup or dump at a time; one being received beside it; and one existing file being read."""
DIRECTORIES: Final = 6
"""Kept open for syncs: the data directory, log, snapshots, backups, files set aside, and a refill's."""
NAMES: Final = 5
"""The threads that rename and remove files have two each; and the directory that is being listed."""
LOOP: Final = 8
"""The epolls of Trio and of the clients' hub, and what wakes them, if they are not open yet."""
READER: Final = FILE
"""For each peer: the snapshot that is sent to it."""
DIALLED: Final = 5
"""For each peer: the connection to it, one being made beside it, and the files of a look-up of its name."""
ACCEPTED_A_PEER: Final = 4
"""Connections that a peer may have here: one, and those of its earlier lives, found dead after 10 s."""
STRANGERS_MAX: Final = 16
"""Connections on the peer port that have not proved themselves yet."""
ACCEPTED_MORE: Final = 1
"""The newest stranger, until it has pushed out the oldest."""
SPARE: Final = 16
"""A file of keys to load, figures from ``/proc``, modules loaded late, what an embedding program opens."""

CLIENTS_MAX: Final = 1_000_000
"""The limit if the system has none."""
LINGERING_MIN: Final = 4
LINGERING_PART: Final = 8
"""One in eight of the descriptors left for clients goes to clients that are being closed."""


class TooFewDescriptors(OSError):  # noqa: N818 - a state of the world, told to the operator
    """The process's limit leaves no descriptor for clients."""

    def __init__(self, most: int, least: int) -> None:
        super().__init__(
            f"the limit of {most} open files leaves none for clients; {least} are the least here: "
            "raise it (ulimit -n 1024), then start again"
        )


@attrs.frozen
class Shares:
    """How many of each kind may be open at once."""

    clients_max: int
    """Live clients: the upper limit of `maxclients`."""
    lingering_max: int
    """Clients that were closed by this node and have not taken their last replies."""
    accepted_peers_max: int
    """Connections on the peer port, strangers included."""


def share(there: Descriptors, *, peers: int, listeners: int) -> Shares:
    """Divide the descriptors of a process among a node's own needs, its `peers` and its clients.

    `peers`: the other nodes; `listeners`: sockets that listen, for clients and for peers. Raises
    TooFewDescriptors.
    """
    accepted = STRANGERS_MAX + ACCEPTED_MORE + ACCEPTED_A_PEER * peers if peers else 0
    if there.most is None:
        return Shares(CLIENTS_MAX, LINGERING_MAX, accepted)
    files = FILE * (LOG_FILES + WALK_FILES) + DIRECTORIES + NAMES
    reserve = there.open + LOOP + files + (READER + DIALLED) * peers + accepted + listeners + SPARE
    left = there.most - reserve
    if left <= LINGERING_MIN:
        raise TooFewDescriptors(there.most, reserve + LINGERING_MIN + 1)
    lingering = min(LINGERING_MAX, max(LINGERING_MIN, left // LINGERING_PART))
    return Shares(min(CLIENTS_MAX, left - lingering), lingering, accepted)
