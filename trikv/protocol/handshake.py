"""The handshake that opens a link between two nodes: each proves who it is, and that it knows the secret.

The listener speaks first, with a challenge that is no secret: protocol version, its node, disk and cluster
id, and a nonce. The dialer checks that it reached the node that it wanted, and answers with the same of its
own and a MAC over both. Only then does the listener prove itself, with a MAC of its own over the same. Each
MAC covers both nonces, so it cannot be replayed. It names its side's role, so it cannot be reflected. It
covers both ends' identities, so no third node accepts it (PROTOCOL 15). The keys of both directions are
derived from the same bytes.

The first bytes and the version are at the same place in every version, so that a node can say clearly why
it does not talk to another.
"""

from hashlib import blake2b
from hmac import compare_digest
from struct import Struct
from typing import Final, Literal, TypeAlias

import attrs
import msgspec

from trikv.protocol.errors import PeerProtocolError
from trikv.protocol.events import NEED_DATA, NeedData
from trikv.protocol.frames import DEFAULT_LIMITS, PeerReceiver, PeerSender, PeerWire, PieceLimits
from trikv.raft.types import DiskId, NodeId

__all__ = [
    "BLANK_CLUSTER",
    "NEED_DATA",
    "NONCE_BYTES",
    "STRANGER_BYTES_MAX",
    "VERSION",
    "Established",
    "HandshakeEvent",
    "PeerHandshake",
    "PeerProtocolError",
    "PeerWire",
    "Send",
    "password_mark",
]

VERSION: Final = 1
"""Version of the handshake, the pieces and the messages together."""
NONCE_BYTES: Final = 32
BLANK_CLUSTER: Final = bytes(16)
"""The cluster id of a disk that belongs to no cluster yet."""
STRANGER_BYTES_MAX: Final = 4096
"""More than this before the proof, and the listener hangs up."""

_MAGIC: Final = b"trikvpr\n"
_SELF: Final = Struct(f">8sHH16s16s{NONCE_BYTES}s")
"""Magic, version, node id, disk id, cluster id, nonce."""
_MAC_BYTES: Final = 32
_PREFIX_BYTES: Final = len(_MAGIC) + 2


def password_mark(secret: bytes, password: bytes) -> bytes:
    """What nodes tell each other of the password that AUTH must give (empty: none is asked).

    Equal passwords have equal marks. Without the cluster's secret a mark tells nothing, not even whether
    there is a password.
    """
    return blake2b(password, key=_key_of(secret), digest_size=16, person=b"trikv password").digest()


def _key_of(secret: bytes) -> bytes:
    """A key of 32 bytes: the secret's file may hold text of any length, and BLAKE2b takes at most 64."""
    return blake2b(secret, digest_size=32, person=b"trikv secret").digest()


class Send(msgspec.Struct, frozen=True):
    """An event of the handshake: write `data` to the peer, then go on."""

    data: bytes


@attrs.frozen
class Established:
    """Both sides have proved themselves. What came behind the handshake is already in `wire`."""

    peer_id: NodeId
    peer_disk: DiskId
    wire: PeerWire


HandshakeEvent: TypeAlias = Send | Established


@attrs.frozen
class _Introduction:
    """What a side says of itself, and the bytes in which it said it."""

    node_id: NodeId
    disk: DiskId
    cluster: bytes
    encoded: bytes


class PeerHandshake:
    """One side of the handshake. Write `outgoing`, then feed `receive` and act on `next_event`.

    Raises PeerProtocolError, from `next_event` alone; then close the connection without another byte.
    """

    def __init__(
        self,
        *,
        role: Literal["dialer", "listener"],
        node_id: NodeId,
        disk: DiskId,
        cluster: bytes,
        secret: bytes,
        nonce: bytes,
        expected_peer: NodeId | None = None,
        limits: PieceLimits = DEFAULT_LIMITS,
    ) -> None:
        """`nonce` is fresh random bytes. `expected_peer` must be at the other end; None for any node."""
        assert len(disk) == 16
        assert len(cluster) == 16
        assert len(nonce) == NONCE_BYTES
        assert secret
        self._dials = role == "dialer"
        self._own = _Introduction(
            node_id, disk, cluster, _SELF.pack(_MAGIC, VERSION, node_id, disk, cluster, nonce)
        )
        self._key = _key_of(secret)
        self._expected_peer = expected_peer
        self._limits = limits
        self._buffer = bytearray()
        self._peer: _Introduction | None = None
        self._outcome: Established | None = None
        self._over = False

    def outgoing(self) -> bytes:
        """What to write before anything was received: the listener's challenge; nothing from a dialer."""
        return b"" if self._dials else self._own.encoded

    def receive(self, data: bytes) -> None:
        """Take `data`, which came after all that was received before."""
        if not self._dials:
            # A listener must not hold more for a stranger that has proved nothing. One byte beyond the limit
            # shows that it was passed. (A dialer may receive the peer's first messages behind its proof.)
            data = data[: STRANGER_BYTES_MAX + 1 - len(self._buffer)]
        self._buffer += data

    def next_event(self) -> HandshakeEvent | NeedData:
        """Bytes to write, or the outcome, or NEED_DATA. Raises PeerProtocolError."""
        assert not self._over, "the handshake has failed, or the link's bytes now go to its PeerWire"
        self._over = True  # stays so if what follows raises: nobody gets a second try at one nonce
        event = self._dial() if self._dials else self._listen()
        self._over = isinstance(event, Established)
        return event

    def _dial(self) -> HandshakeEvent | NeedData:
        if self._peer is None:
            peer = self._read_introduction()
            if peer is None:
                return NEED_DATA
            if self._expected_peer not in (None, peer.node_id):
                raise PeerProtocolError(f"dialed node {self._expected_peer}, reached node {peer.node_id}")
            self._check_peer(peer)
            self._peer = peer
            return Send(self._own.encoded + self._mac(peer.encoded, self._own.encoded, b"trikv dialer"))
        proof = self._take(_MAC_BYTES)
        if proof is None:
            return NEED_DATA
        if not compare_digest(proof, self._mac(self._peer.encoded, self._own.encoded, b"trikv listener")):
            raise PeerProtocolError(f"node {self._peer.node_id} does not know this cluster's secret")
        return self._established(self._peer)

    def _listen(self) -> HandshakeEvent | NeedData:
        if self._outcome is not None:
            return self._outcome
        if len(self._buffer) > STRANGER_BYTES_MAX:
            raise PeerProtocolError(f"more than {STRANGER_BYTES_MAX} bytes before the proof")
        if self._peer is None:
            self._peer = self._read_introduction()
        proof = self._take(_MAC_BYTES) if self._peer is not None else None
        if self._peer is None or proof is None:
            return NEED_DATA
        # The proof is checked first: a stranger without the secret must learn no more than that it lacks it.
        if not compare_digest(proof, self._mac(self._own.encoded, self._peer.encoded, b"trikv dialer")):
            raise PeerProtocolError(f"one that calls itself node {self._peer.node_id} has another secret")
        self._check_peer(self._peer)
        if self._expected_peer not in (None, self._peer.node_id):
            raise PeerProtocolError(f"expected node {self._expected_peer}, got node {self._peer.node_id}")
        if self._buffer:  # bytes before our proof would be unauthenticated
            raise PeerProtocolError("the dialer spoke before its turn")
        self._outcome = self._established(self._peer)
        return Send(self._mac(self._own.encoded, self._peer.encoded, b"trikv listener"))

    def _read_introduction(self) -> _Introduction | None:
        """What the peer says of itself, not yet proved. Raises as soon as the bytes show a stranger."""
        if not _MAGIC.startswith(self._buffer[: len(_MAGIC)]):
            raise PeerProtocolError("not a trikv peer")
        if len(self._buffer) >= _PREFIX_BYTES:
            version = int.from_bytes(self._buffer[len(_MAGIC) : _PREFIX_BYTES], "big")
            if version != VERSION:
                raise PeerProtocolError(f"speaks version {version} of the peer protocol, this node {VERSION}")
        encoded = self._take(_SELF.size)
        if encoded is None:
            return None
        _, _, node_id, disk, cluster, _ = _SELF.unpack(encoded)
        return _Introduction(node_id, disk, cluster, encoded)

    def _check_peer(self, peer: _Introduction) -> None:
        if peer.node_id == self._own.node_id:
            raise PeerProtocolError(f"node {peer.node_id} is this node's own id")
        if peer.disk == self._own.disk:
            raise PeerProtocolError(f"node {peer.node_id} has this node's own disk id: was its data copied?")
        if BLANK_CLUSTER not in (peer.cluster, self._own.cluster) and peer.cluster != self._own.cluster:
            raise PeerProtocolError(
                f"node {peer.node_id} belongs to cluster {peer.cluster.hex()}, "
                f"this node to {self._own.cluster.hex()}"
            )

    def _take(self, count: int) -> bytes | None:
        if len(self._buffer) < count:
            return None
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def _mac(self, listener: bytes, dialer: bytes, purpose: bytes) -> bytes:
        """A keyed hash of both introductions; each `purpose` gives a different one."""
        return blake2b(listener + dialer, key=self._key, digest_size=_MAC_BYTES, person=purpose).digest()

    def _established(self, peer: _Introduction) -> Established:
        pair = (peer.encoded, self._own.encoded) if self._dials else (self._own.encoded, peer.encoded)
        to_listener, to_dialer = self._mac(*pair, b"trikv to listen"), self._mac(*pair, b"trikv to dial")
        out, into = (to_listener, to_dialer) if self._dials else (to_dialer, to_listener)
        wire = PeerWire(PeerSender(out, self._limits), PeerReceiver(into, self._limits))
        wire.receive(bytes(self._buffer))
        self._buffer.clear()
        return Established(peer.node_id, peer.disk, wire)
