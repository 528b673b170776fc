"""Payloads and files built by hand, from the description of the format: nothing of `trikv.rdb` is used."""

import struct
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TypeAlias

Element: TypeAlias = bytes | int


@cache
def _table() -> tuple[int, ...]:
    """CRC-64 bit by bit: 0xad93d23594c935a9 reflected."""
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (0x95AC9329AC4BC9B5 if value & 1 else 0)
        table.append(value)
    return tuple(table)


def crc64(data: bytes) -> int:
    """The checksum of all of these."""
    value = 0
    for byte in data:
        value = value >> 8 ^ _table()[(value ^ byte) & 0xFF]
    return value


def payload(number: int, body: bytes, version: int = 10) -> bytes:
    """What DUMP answers."""
    data = bytes([number]) + body + struct.pack("<H", version)
    return data + struct.pack("<Q", crc64(data))


def file(body: bytes, version: int = 10, *, has_checksum: bool = True) -> bytes:
    """A dump.rdb with this between header and end."""
    data = b"REDIS%04d" % version + body + b"\xff"
    if version < 5:
        return data
    return data + struct.pack("<Q", crc64(data) if has_checksum else 0)


def length(number: int) -> bytes:
    """A length in its shortest form."""
    if number < 64:
        return bytes([number])
    if number < 16384:
        return struct.pack(">H", 0x4000 + number)
    if number < 2**32:
        return b"\x80" + struct.pack(">I", number)
    return b"\x81" + struct.pack(">Q", number)


def raw(text: bytes) -> bytes:
    """A string as it is."""
    return length(len(text)) + text


def raws(*texts: bytes) -> bytes:
    """Several, one behind the other."""
    return b"".join(map(raw, texts))


# Packed elements: an int is packed as the smallest kind of integer, bytes as a string, digits or not.


def _signed(number: int, width: int) -> bytes:
    return number.to_bytes(width, "little", signed=True)


def _back(size: int) -> bytes:
    """Seven bits a byte, the lowest last. The borders are those of lpEncodeBacklen."""
    count = 1 + sum(size > border for border in (127, 16_382, 2_097_150, 268_435_454))
    groups = [size >> 7 * place & 127 for place in reversed(range(count))]
    return bytes([groups[0], *(group | 128 for group in groups[1:])])


def listpack_element(element: Element) -> bytes:
    """One, with what is behind it."""
    if isinstance(element, int):
        if 0 <= element < 128:
            head = bytes([element])
        elif -4096 <= element < 4096:
            head = struct.pack(">H", 0xC000 | element & 0x1FFF)
        else:
            width = next(
                width for width in (2, 3, 4, 8) if -(1 << 8 * width - 1) <= element < 1 << 8 * width - 1
            )
            head = bytes([{2: 0xF1, 3: 0xF2, 4: 0xF3, 8: 0xF4}[width]]) + _signed(element, width)
    elif len(element) < 64:
        head = bytes([0x80 | len(element)]) + element
    elif len(element) < 4096:
        head = struct.pack(">H", 0xE000 | len(element)) + element
    else:
        head = b"\xf0" + struct.pack("<I", len(element)) + element
    return head + _back(len(head))


def listpack(elements: Iterable[Element], count: int | None = None) -> bytes:
    """All of these; `count` says another number of them."""
    made = [listpack_element(element) for element in elements]
    body = b"".join(made)
    return (
        struct.pack("<IH", 7 + len(body), min(len(made), 65_535) if count is None else count) + body + b"\xff"
    )


def ziplist_entry(element: Element, before: int, *, is_long: bool = False) -> bytes:
    """One behind an entry of `before` bytes."""
    head = b"\xfe" + struct.pack("<I", before) if is_long or before >= 254 else bytes([before])
    if isinstance(element, int):
        if 0 <= element <= 12:
            return head + bytes([0xF1 + element])
        kinds = {1: 0xFE, 2: 0xC0, 3: 0xF0, 4: 0xD0, 8: 0xE0}
        width = next(width for width in kinds if -(1 << 8 * width - 1) <= element < 1 << 8 * width - 1)
        return head + bytes([kinds[width]]) + _signed(element, width)
    if len(element) < 64:
        return head + bytes([len(element)]) + element
    if len(element) < 16384:
        return head + struct.pack(">H", 0x4000 | len(element)) + element
    return head + b"\x80" + struct.pack(">I", len(element)) + element


def ziplist(elements: Iterable[Element], count: int | None = None, *, is_long: bool = False) -> bytes:
    """All of these, each of which may have the long form of what was before it."""
    body, before, seen, tail = b"", 0, 0, 10
    for element in elements:
        tail = 10 + len(body)
        entry = ziplist_entry(element, before, is_long=is_long)
        body, before, seen = body + entry, len(entry), seen + 1
    return struct.pack("<IIH", 11 + len(body), tail, seen if count is None else count) + body + b"\xff"


def intset(numbers: Sequence[int], width: int) -> bytes:
    """In this order, which should ascend."""
    code = {2: "h", 4: "i", 8: "q"}[width]
    return struct.pack(f"<II{len(numbers)}{code}", width, len(numbers), *numbers)


def zipmap(pairs: Sequence[tuple[bytes, bytes]], unused: int = 0, count: int | None = None) -> bytes:
    """Fields and values, the latter with so many unused bytes behind them."""

    def size(text: bytes) -> bytes:
        return bytes([len(text)]) if len(text) < 254 else b"\xfe" + struct.pack("<I", len(text))

    body = b"".join(
        size(field) + field + size(value) + bytes([unused]) + value + b"?" * unused for field, value in pairs
    )
    return bytes([min(len(pairs), 254) if count is None else count]) + body + b"\xff"


# Streams.

Id: TypeAlias = tuple[int, int]


def raw_id(id_: Id) -> bytes:
    """16 bytes."""
    return struct.pack(">QQ", *id_)


def ids(*given: Id) -> bytes:
    """Each as two lengths."""
    return b"".join(length(half) for id_ in given for half in id_)


NODE: tuple[Element, ...] = (
    *(2, 1, 1, b"f", 0),
    *(2, 0, 0, b"one", 4),
    *(3, 0, 1, b"two", 4),
    *(0, 5, -3, 1, b"g", b"three", 6),
)
"""A node of three entries from 10-3 on: 10-3 (f one), 10-4 that is deleted, and 15-0 (g three)."""


def stream(
    version: int,
    *,
    node: Iterable[Element] = NODE,
    count: int = 2,
    groups: Sequence[bytes] = (),
    last: Id = (20, 0),
) -> bytes:
    """One of that node; with `groups` it has these."""
    made = length(1) + raw(raw_id((10, 3))) + raw(listpack(node)) + length(count) + ids(last)
    if version > 1:
        made += ids((10, 3), (10, 4)) + length(7)
    return made + length(len(groups)) + b"".join(groups)


def group(
    version: int,
    name: bytes = b"g",
    *,
    pending: Sequence[tuple[Id, int, int]] = (),
    consumers: Sequence[tuple[bytes, int, int, Sequence[Id]]] = (),
    read: int = 3,
) -> bytes:
    """A group of a stream; a consumer is its name, two times, and ids."""
    made = raw(name) + ids((15, 0)) + (length(read) if version > 1 else b"") + length(len(pending))
    for id_, at_ms, times in pending:
        made += raw_id(id_) + struct.pack("<q", at_ms) + length(times)
    made += length(len(consumers))
    for consumer, seen_ms, active_ms, owned in consumers:
        made += raw(consumer) + struct.pack("<q", seen_ms)
        made += struct.pack("<q", active_ms) if version > 2 else b""
        made += length(len(owned)) + b"".join(map(raw_id, owned))
    return made
