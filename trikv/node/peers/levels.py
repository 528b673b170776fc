"""Which rules the peers' releases know: the feature level that each told with its link (PROTOCOL 22)."""

import structlog

from trikv.raft.types import NodeId

UNTOLD = 1
"""The level of a release that does not tell one."""

log = structlog.get_logger()


class Levels:
    """The last word of each peer. Followers keep them too: any of them may lead next."""

    def __init__(self) -> None:
        self._known: dict[NodeId, int] = {}

    def told(self, peer: NodeId, level: int, *, cluster: int) -> None:
        """A peer said which level it knows. `cluster`: the level of the cluster's rules; 0 if not founded."""
        self._known[peer] = level
        if level < cluster:
            log.error(
                "a peer's release does not know this cluster's rules, so what it shows may be wrong: "
                "stop it, then start it with this release and --refill",
                peer=peer,
                knows=level,
                cluster=cluster,
            )

    def of(self, peer: NodeId) -> int:
        """What `peer` knows, as far as this node was told."""
        return self._known.get(peer, UNTOLD)
