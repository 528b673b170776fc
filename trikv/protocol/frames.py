"""Messages as authenticated pieces on three lanes: what travels on a link once its handshake is done.

A piece is ``length (4 bytes) | flags (1) | body | MAC (16)``, integers big-endian. The flags hold the lane
(bits 0-1) and whether the message ends here (bit 2). The MAC is keyed BLAKE2b over a counter of the
direction, the header and the body; each direction has its own key. So a receiver notices any piece that was
altered, left out, repeated, moved or reflected (PROTOCOL 15).

`lanes` says which lane goes first. Within a lane messages keep their order.
"""

from collections import deque
from hashlib import blake2b
from hmac import compare_digest
from struct import Struct
from typing import Final, NoReturn

import attrs
import msgspec

from trikv.protocol.errors import PeerProtocolError
from trikv.protocol.events import NEED_DATA, NeedData
from trikv.protocol.lanes import Lane, lane_of
from trikv.protocol.messages import PeerMessage, decode_message, encode_message

PIECE_BODY_BYTES_MAX: Final = 64 * 1024
PIECE_MAC_BYTES: Final = 16
_HEADER: Final = Struct(">IB")
_COUNTER: Final = Struct(">Q")
_LANE_BITS: Final = 0b011
_END_BIT: Final = 0b100
_LANES: Final = len(Lane)
"""Counted once: to count an enum's members takes two calls, and each piece that comes is checked by it."""


@attrs.frozen
class PieceLimits:
    """What a link may hold in memory, in bytes."""

    message_bytes_max: int = 32 * 1024 * 1024
    """One message (`peer_frame_bytes_max`): above the largest entry, with room for several."""
    urgent_bytes_max: int = 1024 * 1024
    """One urgent message, and all that wait to be sent."""
    queue_bytes_max: int = 16 * 1024 * 1024
    """What may wait in the log's lane, and as much again in the bulk lane."""


DEFAULT_LIMITS: Final = PieceLimits()


class _Sealer:
    """Makes the MACs of one direction, in order."""

    def __init__(self, key: bytes) -> None:
        self._keyed = blake2b(key=key, digest_size=PIECE_MAC_BYTES)  # copied: cheaper than keying each time
        self._counter = 0

    def next_mac(self, header: bytes, body: bytes | memoryview) -> bytes:
        """The MAC of the next piece of this direction, whose number it uses up."""
        # Called when the piece leaves, not when its message is queued: until then another lane may go first.
        mac = self._keyed.copy()
        mac.update(_COUNTER.pack(self._counter) + header)
        mac.update(body)
        self._counter += 1
        return mac.digest()


class PeerSender:
    """The sending half of a link: a bounded queue of messages on lanes, handed out as bytes to write."""

    def __init__(self, key: bytes, limits: PieceLimits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._sealer = _Sealer(key)
        self._lanes: tuple[deque[bytes], ...] = tuple(deque() for _ in Lane)
        self._lane_bytes = [0 for _ in Lane]
        self._sent_of_head = [0 for _ in Lane]
        self._bulk_is_next = False

    @property
    def queued_bytes(self) -> int:
        """Bytes of messages that wait, or of which a part waits."""
        return sum(self._lane_bytes)

    def put(self, message: PeerMessage) -> bool:
        """Queue `message`; False if its lane is full and the message is dropped, which Raft tolerates."""
        data = encode_message(message)
        size = len(data)
        lane = lane_of(message)
        urgent = lane is Lane.URGENT
        assert size <= (self._limits.urgent_bytes_max if urgent else self._limits.message_bytes_max)
        room = self._limits.urgent_bytes_max if urgent else self._limits.queue_bytes_max
        # An empty lane takes any one message: one larger than the queue could never be sent otherwise.
        if self._lanes[lane] and self._lane_bytes[lane] + size > room:
            return False
        self._lanes[lane].append(data)
        self._lane_bytes[lane] += size
        return True

    def next_piece(self) -> bytes | None:
        """The next piece to write, None if nothing waits. All must be written, in this order."""
        lane = self._next_lane()
        if lane is None:
            return None
        queue = self._lanes[lane]
        message = queue[0]
        size = len(message)
        start = self._sent_of_head[lane]
        end = min(start + PIECE_BODY_BYTES_MAX, size)
        body: bytes | memoryview = message
        if end == size:
            flags = lane | _END_BIT
            queue.popleft()
            self._lane_bytes[lane] -= size
            self._sent_of_head[lane] = 0
        else:
            flags = int(lane)
            self._sent_of_head[lane] = end
        if end - start < size:
            body = memoryview(message)[start:end]
        header = _HEADER.pack(end - start, flags)
        return b"".join((header, body, self._sealer.next_mac(header, body)))

    def next_write(self, bytes_max: int = 2 * PIECE_BODY_BYTES_MAX) -> bytes:
        """Several pieces for one send, empty if nothing waits.

        Stops when another whole piece might pass `bytes_max`. An urgent message that comes after that waits
        for one send.
        """
        pieces: list[bytes] = []
        size = 0
        room = max(bytes_max - PIECE_BODY_BYTES_MAX - _HEADER.size - PIECE_MAC_BYTES, 0)
        while size <= room:
            piece = self.next_piece()
            if piece is None:
                break
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)

    def _next_lane(self) -> Lane | None:
        if self._lanes[Lane.URGENT]:
            return Lane.URGENT
        # In turns: neither an endless log nor an endless snapshot may starve the other.
        bulk_waits = bool(self._lanes[Lane.BULK])
        if self._lanes[Lane.LOG] and not (self._bulk_is_next and bulk_waits):
            self._bulk_is_next = True
            return Lane.LOG
        self._bulk_is_next = False
        return Lane.BULK if bulk_waits else None


class PeerReceiver:
    """The receiving half of a link: bytes in, messages out.

    Holds at most what was received and not yet taken, and one unfinished message a lane.
    """

    def __init__(self, key: bytes, limits: PieceLimits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._sealer = _Sealer(key)
        self._buffer = bytearray()
        self._unfinished: tuple[bytearray, ...] = tuple(bytearray() for _ in Lane)
        self._broken: str | None = None

    def receive(self, data: bytes | bytearray) -> None:
        """Take `data`, which came after all that was received before."""
        self._buffer += data

    def next_event(self) -> PeerMessage | NeedData:
        """The next message, or NEED_DATA. Raises PeerProtocolError, and then at each call: drop the link."""
        if self._broken is not None:
            raise PeerProtocolError(self._broken)
        while True:
            piece = self._next_piece()
            if piece is None:
                return NEED_DATA
            lane, ends, body = piece
            data: bytes | bytearray = body
            unfinished = self._unfinished[lane]
            if unfinished or not ends:
                urgent = lane == Lane.URGENT
                most = self._limits.urgent_bytes_max if urgent else self._limits.message_bytes_max
                if len(unfinished) + len(body) > most:
                    self._break(f"a message is longer than {most} bytes")
                unfinished += body
                if not ends:
                    continue
                data = bytes(unfinished)
                unfinished.clear()
            try:
                return decode_message(data)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                problem = f"a message does not decode: {error}"
            self._break(problem)

    def _next_piece(self) -> tuple[int, bool, bytes] | None:
        """Take a whole piece off the buffer: its lane, whether its message ends with it, its body."""
        buffer = self._buffer
        if len(buffer) < _HEADER.size:
            return None
        length, flags = _HEADER.unpack_from(buffer)
        lane = flags & _LANE_BITS
        # The header is read before the MAC can be checked, to know how much to wait for. A flipped bit is
        # caught here or by the MAC. In both cases no more than one piece is collected.
        if length > PIECE_BODY_BYTES_MAX or lane >= _LANES or flags & ~(_LANE_BITS | _END_BIT):
            self._break("a piece has an impossible header")
        end = _HEADER.size + length
        if len(buffer) < end + PIECE_MAC_BYTES:
            return None
        header, body = bytes(buffer[: _HEADER.size]), bytes(buffer[_HEADER.size : end])
        mac = bytes(buffer[end : end + PIECE_MAC_BYTES])
        if not compare_digest(mac, self._sealer.next_mac(header, body)):
            self._break("a piece is not authentic: altered, lost, repeated or out of order")
        del buffer[: end + PIECE_MAC_BYTES]
        return lane, bool(flags & _END_BIT), body

    def _break(self, problem: str) -> NoReturn:
        self._broken = problem
        self._buffer.clear()
        for unfinished in self._unfinished:
            unfinished.clear()
        raise PeerProtocolError(problem)


@attrs.define
class PeerWire:
    """Both halves of an authenticated link."""

    sender: PeerSender
    receiver: PeerReceiver

    def receive(self, data: bytes) -> None:
        """Take what the peer sent."""
        self.receiver.receive(data)

    def next_event(self) -> PeerMessage | NeedData:
        """The next message, or NEED_DATA. Raises PeerProtocolError."""
        return self.receiver.next_event()
