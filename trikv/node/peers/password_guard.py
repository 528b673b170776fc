"""Whether this node asks its clients for the password that its peers ask for.

A node that was started without the cluster's password, by a command that lacked it, would let everybody read
and write what the others guard. So each node tells its peers by a mark whether it has a password and which
(`trikv.protocol.handshake.password_mark`), when a link opens and before anything else; and a node without
one, of whose peers any has one, serves nobody until it is started with it. Two different passwords are no
danger, and are what a change of password looks like half-way: that is told, and each node asks for its own.

A peer's last word counts for as long as this node lives: a peer that is down has withdrawn nothing.
"""

from typing import Protocol

import structlog

from trikv.front.figures import PasswordStatistics
from trikv.protocol.handshake import password_mark
from trikv.raft.types import NodeId

log = structlog.get_logger()


class Gate(Protocol):
    """What lets clients in."""

    def lock(self) -> None:
        """Close every connection, and refuse whatever is asked from now on."""

    def unlock(self) -> None:
        """Serve again."""


class PasswordGuard:
    """Knows the marks of this node and of its peers."""

    def __init__(self, secret: bytes, password: bytes, gate: Gate) -> None:
        self.mark = password_mark(secret, password)
        """What to tell the peers."""
        self._none = password_mark(secret, b"")
        self._gate = gate
        self._peers: dict[NodeId, bytes] = {}
        self._is_locked = False

    def heard(self, peer: NodeId, mark: bytes) -> None:
        """A peer told its mark; an empty one is an older version's, which says nothing."""
        if not mark or self._peers.get(peer) == mark:
            return
        was = self.statistics()
        self._peers[peer] = mark
        if self.mark == self._none:
            self._lock_or_unlock()
        elif mark == self._none:
            log.warning("a peer was started without this node's password: it serves no clients", peer=peer)
        elif mark != self.mark:
            log.warning("a peer has another password than this node", peer=peer)
        elif was.differing:
            log.info("a peer has this node's password now", peer=peer)

    def statistics(self) -> PasswordStatistics:
        """For INFO: whom of the peers this node agrees with."""
        return PasswordStatistics(
            is_missing=self.mark == self._none,
            heard=bool(self._peers),
            differing=tuple(peer for peer, mark in sorted(self._peers.items()) if mark != self.mark),
        )

    def _lock_or_unlock(self) -> None:
        """This node has no password: whether it may serve depends on the peers."""
        requiring = sorted(peer for peer, mark in self._peers.items() if mark != self._none)
        if requiring and not self._is_locked:
            log.error(
                "this node has no password and a peer requires one: it serves no clients; "
                "start it with the password of the cluster (requirepass)",
                peers=requiring,
            )
            self._gate.lock()
        elif self._is_locked and not requiring:
            log.info("no peer requires a password any more: clients are served")
            self._gate.unlock()
        self._is_locked = bool(requiring)
