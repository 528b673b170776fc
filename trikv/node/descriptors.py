"""Who gets how many descriptors: the node's own first, then its peers, and clients what is left.

A descriptor that a client holds is one that the log may want for its next segment. So the process's limit
(``ulimit -n``) is divided before anybody connects, and each share has a bound that nobody can pass: live
clients (`maxclients`), clients that are being closed, accepted peers. Pure: the host says what there is.
"""

from typing import Final

import attrs

from trikv.host.seam import LINGERING_MAX, Descriptors

FILE: Final = 3
"""An open file of the data directory: its own descriptor, and the two of the pipe its thread answers by."""
LOG_FILES: Final = 3
"""The segment that is written, the one that is made ready, and one whose thread has not ended yet."""
WALK_FILES: Final = 3
"""One snapshot, backup or dump at a time; one that is received beside it; and one look at those there are."""
DIRECTORIES: Final = 6
"""Kept open to be synced: the data directory, log, snapshots, backups, what is set aside, and a refill's."""
NAMES: Final = 5
"""The pipes of the threads that rename and that remove, and the directory that is listed."""
LOOP: Final = 8
"""The epolls of Trio and of the clients' hub and what wakes them, where they are not open yet."""
READER: Final = FILE
"""For each peer: the snapshot that it is sent."""
DIALLED: Final = 5
"""For each peer: the connection to it, one being made beside it, and what a look-up of its name opens."""
ACCEPTED_A_PEER: Final = 4
"""Connections that a peer may have here: one, and those of its last lives that have not been noticed to be
dead, which takes 10 s."""
STRANGERS_MAX: Final = 16
"""Connections on the peer port that have not proved themselves yet."""
ACCEPTED_MORE: Final = 1
"""The stranger that pushes out the oldest one."""
SPARE: Final = 16
"""A file of keys to load, figures from ``/proc``, modules loaded late, what an embedding program opens."""

CLIENTS_MAX: Final = 1_000_000
"""Where the system has no limit."""
LINGERING_MIN: Final = 4
LINGERING_PART: Final = 8
"""One in so many of what is left for clients goes to those that are being closed."""


class TooFewDescriptors(OSError):  # noqa: N818 - a state of the world, told to the operator
    """The limit leaves none for clients."""

    def __init__(self, most: int, least: int) -> None:
        super().__init__(
            f"the limit of {most} open files leaves none for clients; {least} are the least here: "
            "raise it (ulimit -n 1024), then start again"
        )


@attrs.frozen
class Shares:
    """How many of each there may be at once."""

    clients_max: int
    """Live clients: `maxclients` can never be more."""
    lingering_max: int
    """Clients that were closed here and have not taken the last words."""
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
