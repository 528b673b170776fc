"""What leaves a connection: the bytes of its replies, collected until they are sent together."""

from trikv.front.answers import shown
from trikv.front.caller import Caller
from trikv.host.wire import Wire
from trikv.machine.replies import Reply


class Output:
    """The way out of one connection."""

    __slots__ = ("_caller", "_wire", "is_slow", "pieces")

    def __init__(self, caller: Caller, wire: Wire) -> None:
        self._caller = caller
        self._wire = wire
        self.pieces: list[bytes] = []
        """What the next `flush` sends."""
        self.is_slow = False
        """Whether the peer had not taken everything when something was last sent."""

    def put(self, reply: Reply) -> None:
        """Add a reply that no slot holds, unless its client wants to hear none."""
        connection = self._caller.connection
        if not connection.muted_turns:
            self.pieces.append(shown(self._caller, reply, (), typed=connection.is_typed()))

    def flush(self) -> None:
        """Send what there is. The register hears what the peer has not taken, and may end the talk."""
        pieces = self.pieces
        if not pieces:
            return
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        unsent_bytes = self._wire.send(data)
        if unsent_bytes or self.is_slow:
            self.is_slow = unsent_bytes > 0
            self._caller.connections.note_unsent(self._caller.connection, unsent_bytes)

    def is_behind(self) -> bool:
        """Whether the peer has so much to take that nothing more is to be made; the register hears of it."""
        connections = self._caller.connections
        if not self.is_slow or self._wire.unsent_bytes() <= connections.behind_bytes:
            return False
        connections.note_unsent(self._caller.connection, self._wire.unsent_bytes())
        return True
