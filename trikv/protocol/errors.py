"""The exception of this package. What a client does wrong is an event (`BadBytes`), not an exception."""


class PeerProtocolError(Exception):
    """A peer's bytes are not what they must be. The text says why, in words for an operator's log.

    Drop the link and back off; nothing the peer sent since its last whole message has had any effect.
    """
