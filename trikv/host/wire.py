"""The seam between a client's connection and its logic. Both sides are synchronous; neither knows Trio."""

from typing import Protocol


class Wire(Protocol):
    """A connection as its conversation sees it. No method blocks or raises for a dead peer."""

    remote: str
    """The client's address as ``host:port`` (``[host]:port`` for IPv6)."""
    local: str
    """The server's address on this connection."""

    def send(self, data: bytes) -> int:
        """Send `data` behind all that was sent before. It is kept in memory until the peer takes it.

        Returns what `unsent_bytes` says after it. Ignored after `close`, `abort` and the end of the
        connection.
        """

    def unsent_bytes(self) -> int:
        """How many bytes are held in memory because the peer has not taken them.

        A piece that it took in part may count whole, because it is held whole.
        """

    def pause(self) -> None:
        """Stop reading, as back-pressure. `received` is not called until `resume`."""

    def resume(self) -> None:
        """Read again after `pause`; harmless without one."""

    def close(self) -> None:
        """Read no more, send what waits (for at most 5 s), then close."""

    def abort(self) -> None:
        """Close at once; what waits is dropped."""


class Conversation(Protocol):
    """The logic of one client connection: synchronous, never sees a socket."""

    def received(self, data: bytes) -> None:
        """The peer sent `data` (at least one byte)."""

    def ended(self) -> None:
        """The peer will send no more (it closed or half-closed).

        What is in flight may still be answered; the conversation must then call ``wire.close``.
        """

    def drained(self) -> None:
        """The peer has taken all that waited for it. Called, like `received`, from outside of `Wire`."""

    def closed(self) -> None:
        """The connection is gone. Called exactly once for each connection, last.

        It is never called from inside a method of `Wire`, so logic may end its connection at any place.
        """
