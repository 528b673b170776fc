"""How a conversation stands: what the register and CLIENT LIST ask of it, and what nothing here changes."""

from trikv.front.caller import Caller
from trikv.front.connections import Connection, InputMemory
from trikv.front.intake import Intake
from trikv.front.seam import Operation
from trikv.front.turn import Turn
from trikv.host.wire import Wire


class Figures:
    """The part of `trikv.front.connections.Control` that only looks."""

    __slots__ = (
        "_in_flight_bytes",
        "_intake",
        "_leaving",
        "_operation",
        "_over",
        "_turn",
        "_wire",
        "caller",
        "connection",
    )

    caller: Caller
    connection: Connection
    _in_flight_bytes: int
    _intake: Intake
    _leaving: bool
    _operation: Operation | None
    _over: bool
    _turn: Turn | None
    _wire: Wire

    def typed(self) -> bool | None:
        """Whether a person is at the other end; None if the client has said nothing so far."""
        return self._intake.typed

    def is_busy(self) -> bool:
        """Whether a turn or an operation is in flight."""
        return self._turn is not None or self._operation is not None

    def blocked_ms(self) -> int | None:
        """The client's limit for the operation in flight, if that waits for others; 0 for none."""
        return None if self._operation is None else self._operation.asked.blocked_ms

    def is_leaving(self) -> bool:
        """Whether it is already closing, now or after its answers."""
        return self._over or self._leaving or self.connection.closing

    def queued_count(self) -> int:
        """Commands queued since MULTI; -1 outside of one."""
        return self.caller.transactions.queued_count()

    def is_watching(self) -> bool:
        """Whether there was a WATCH that is still in force."""
        return bool(self.caller.transactions.watched)

    def unsent_bytes(self) -> int:
        """Output that the client has not taken yet."""
        return self._wire.unsent_bytes()

    def buffered_bytes(self) -> int:
        """Input that has not been read yet."""
        return self._intake.buffered_bytes

    def memory(self) -> InputMemory:
        """How much memory this client's requests take."""
        intake, transactions = self._intake, self.caller.transactions
        return InputMemory(intake.memory_bytes, self._in_flight_bytes, transactions.memory_bytes)

    def waiting_bytes(self) -> int:
        """The part of `memory` that waits for the client, and not for the node."""
        return self._intake.memory_bytes + self.caller.transactions.memory_bytes
