"""What a key holds."""

import msgspec


class Stored(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The value of a key and what belongs to it. A write replaces it and never changes it.

    Walks share it with the live database.
    """

    value: bytes
    version: int
    """The change counter when this entry was written (PROTOCOL 23)."""
    deadline: int = 0
    """Log time in ms from which on the key is absent; 0 for never."""
