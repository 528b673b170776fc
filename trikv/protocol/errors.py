"""The exceptions of this package. What a client does wrong is an event (`BadBytes`), not an exception.

Exception
├── PeerProtocolError    a link between nodes: drop it
└── ReplyProtocolError   our own client: close the connection
"""


class PeerProtocolError(Exception):
    """A peer's bytes are not what they must be. The text says why, in words for an operator's log.

    Drop the link and back off; nothing the peer sent since its last whole message has had any effect.
    """


class ReplyProtocolError(Exception):
    """A server's bytes are no replies. The text says what is wrong with them."""
