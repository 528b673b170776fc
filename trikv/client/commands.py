"""A command as bytes."""

from collections.abc import Sequence
from typing import TypeAlias

import hiredis  # noqa: TID251 - only this package may

Argument: TypeAlias = str | bytes | int
Command: TypeAlias = Sequence[Argument]
"""A name and its arguments. Text goes as UTF-8, a number in digits."""


def encode_command(args: Command) -> bytes:
    """Encode a command in RESP: an array of bulk strings."""
    packed: bytes = hiredis.pack_command(tuple(args))  # type: ignore[arg-type]  # its stub knows tuples of one
    return packed
