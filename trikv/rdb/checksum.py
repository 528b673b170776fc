"""CRC-64 as Redis computes it: the polynomial of Jones, reflected, from 0 (crc64.c)."""

from typing import Final

import anycrc

CHECKSUM_BYTES: Final = 8
_CRC: Final = anycrc.CRC(
    width=64, poly=0xAD93D23594C935A9, init=0, refin=True, refout=True, xorout=0
)  # it keeps nothing of what it has computed


def checksum(data: bytes | memoryview, before: int = 0) -> int:
    """That of these bytes; `before` is that of those before them."""
    return int(_CRC.calc(data, before)) if data else before
