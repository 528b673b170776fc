"""Keys as an attacker makes them: any number of one crc32, in no time, because crc32 is linear."""

from zlib import crc32

_ALL = 0xFFFFFFFF


def _table_entry(byte: int) -> int:
    for _ in range(8):
        byte = 0xEDB88320 ^ (byte >> 1) if byte & 1 else byte >> 1
    return byte


_TABLE = [_table_entry(byte) for byte in range(256)]
_BY_TOP = {entry >> 24: byte for byte, entry in enumerate(_TABLE)}


def _four_bytes_before(register: int) -> int:
    """The register of the crc that four zero bytes turn into `register`."""
    for _ in range(4):
        byte = _BY_TOP[register >> 24]
        register = (register ^ _TABLE[byte]) << 8 & _ALL | byte
    return register


def with_crc(beginning: bytes, crc: int) -> bytes:
    """`beginning` and four bytes more, so that the crc32 is `crc`."""
    end = _four_bytes_before(crc ^ _ALL) ^ crc32(beginning) ^ _ALL
    return beginning + end.to_bytes(4, "little")


def crafted(count: int, crc: int = 0x12345678, name: bytes = b"key") -> list[bytes]:
    """That many keys of one crc32."""
    return [with_crc(b"%b:%d:" % (name, number), crc) for number in range(count)]
