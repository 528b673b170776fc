"""Sizes in Redis' notation, read in one place for settings and for CONFIG SET, which goes through the log.

This is the lowest layer, because the state machine reads sizes too. How it reads them is part of the
replicated behaviour: a change needs a new feature level (PROTOCOL 22).
"""

import re
from typing import Final

UNITS: Final = {
    b"": 1,
    b"b": 1,
    b"k": 1000,
    b"kb": 1024,
    b"m": 1000**2,
    b"mb": 1024**2,
    b"g": 1000**3,
    b"gb": 1024**3,
}
"""Redis' units (redis.conf, "Note on units"): with a ``b`` powers of 1024, without it powers of 1000."""
_SIZE: Final = re.compile(rb"([0-9]+)([a-z]*)")


def split_size(text: bytes) -> tuple[bytes, int] | None:
    """The digits of ``256mb``, ``1G`` or ``4096``, and the bytes of its unit; None if it is no size.

    The caller decides how many digits are allowed, and whether the first may be a zero.
    """
    found = _SIZE.fullmatch(text.lower())
    if found is None or found[2] not in UNITS:
        return None
    return found[1], UNITS[found[2]]


def counted(number: int, noun: str, *, plural: str = "", form: str = "") -> str:
    """Write a number of things: ``1 key``, ``2 keys``. `form` formats the number, as in ``{number:,}``.

    `noun` is in the singular. Its `plural` is made with an s if it is not given.
    """
    return f"{number:{form}} {noun if number == 1 else plural or noun + 's'}"
