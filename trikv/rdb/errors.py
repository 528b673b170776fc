"""What is raised about bytes that cannot be read, and values that cannot be written.

::

    RdbError (ValueError)
    +-- PayloadError        a payload's version or checksum: RESTORE has a reply of its own for it
    +-- DamagedError        the bytes are no value, or no file: RESTORE's "Bad data format"
    +-- UnsupportedError    sound as far as can be told, but of a kind that is not known here
"""

from typing import Final, Self

VERSION_MAX: Final = 11
"""The newest RDB version that is read: that of Redis 7.2."""

NEWER: Final = (
    f"RDB versions up to {VERSION_MAX} are read, those of Redis 7.2 and older: move the data with plain "
    "commands, or have it written by such a Redis, which must itself have got it by plain commands"
)
"""What can be done about a newer version."""


class RdbError(ValueError):
    """Bytes that are not what they should be, or a value that has no form. The text says what, and where."""

    def __init__(self, problem: str, offset: int | None = None) -> None:
        super().__init__(problem if offset is None else f"{problem} (offset {offset})")
        self.problem = problem
        self.offset = offset
        """Where in the payload or file it was found; None if it is about a value that is to be written."""

    def at_key(self, key: bytes, kind: str, database: int) -> Self:
        """The same about the value of a key in a file."""
        return type(self)(f"key {key[:100]!r} of database {database}, {kind}: {self.problem}", self.offset)


class PayloadError(RdbError):
    """A payload whose end says that it is another version's, or that it was not copied in full."""


class DamagedError(RdbError):
    """What contradicts the format, or itself, or ends too early."""


class UnsupportedError(RdbError):
    """What only a module or a newer Redis understands, or has no form in the version that is written."""
