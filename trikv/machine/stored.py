"""What a key holds: a value, and the version and the deadline that belong to it.

Nearly all values are short strings. Such a one is *packed* with its version and deadline into a single
`bytes`, which takes a quarter less memory a key than an object that refers to three. A longer one stays in a
`Stored`: to copy it out at each read would cost more than it saves. Both forms mean the same, and nothing of
the state depends on which it is. A small value of another type is `Packed` already, and goes into the same
`bytes`. Only this module and ``_runs.c`` know how that is laid out.

It begins with 8 bytes, little-endian: the version from bit 4 on; in bits 1 to 3 the code of the type, 0 for a
string; bit 0 is set if the deadline follows in 8 more. Then comes the value.
"""

from struct import Struct
from typing import Final, TypeAlias, TypeGuard

import msgspec

from trikv.machine.values.value import Packed, Value

PACKED_BYTES_MAX: Final = 4096
"""Longest value that is packed. Part of the account of a cluster whose charges tell both forms apart."""
VERSION_BITS: Final = 60
"""A version that needs more bits is not packed."""
HAS_DEADLINE: Final = 1
KIND: Final = 0b1110
"""The bits of the first byte that say the type."""
KIND_SHIFT: Final = 1

PLAIN_BYTES: Final = 8
"""Where the value begins if no deadline is set."""

_VERSION_SHIFT: Final = 4
_DUE_BYTES: Final = 16
_plain = Struct("<Q")
_due = Struct("<QQ")
_pack_plain, _read_plain = _plain.pack, _plain.unpack_from
_pack_due, _read_due = _due.pack, _due.unpack_from


AnyValue: TypeAlias = bytes | Packed | Value
"""A string, or a value of another type in one of its two forms."""


class Stored(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The value of a key and what belongs to it, in full. A write replaces it and never changes it."""

    value: AnyValue
    version: int
    """The change counter when this was written (PROTOCOL 23)."""
    deadline: int = 0
    """Log time in ms from which on the key is absent; 0 for never."""


Held: TypeAlias = bytes | Stored
"""How a bucket holds it. Walks share it with the live database."""


# Each asks whether it has bytes: to ask whether something is a `Value` or a `Stored` takes ten times as long.


def held(value: AnyValue, version: int, deadline: int = 0) -> Held:
    """The form in which a bucket holds this; version and deadline are from 0 to 2**63 - 1."""
    code = 0
    if not isinstance(value, bytes):
        if not isinstance(value, Packed) or version >> VERSION_BITS:
            return Stored(value, version, deadline)
        code, value = value.code << KIND_SHIFT, value.body
    elif len(value) > PACKED_BYTES_MAX or version >> VERSION_BITS:
        return Stored(value, version, deadline)
    if deadline:
        return _pack_due(version << _VERSION_SHIFT | code | HAS_DEADLINE, deadline) + value
    return _pack_plain(version << _VERSION_SHIFT | code) + value


def stored(one: Held) -> Stored:
    """What a bucket holds, in full."""
    if not isinstance(one, bytes):
        return one
    if one[0] & HAS_DEADLINE:
        word, deadline = _read_due(one)
    else:
        (word,), deadline = _read_plain(one), 0
    return Stored(value_of(one), word >> _VERSION_SHIFT, deadline)


def deadline_of(one: Held) -> int:
    """`Stored.deadline` of what a bucket holds."""
    if not isinstance(one, bytes):
        return one.deadline
    return _read_due(one)[1] if one[0] & HAS_DEADLINE else 0


def value_of(one: Held) -> AnyValue:
    """`Stored.value` of what a bucket holds."""
    if not isinstance(one, bytes):
        return one.value
    value = one[_DUE_BYTES if one[0] & HAS_DEADLINE else PLAIN_BYTES :]
    return Packed((one[0] & KIND) >> KIND_SHIFT, value) if one[0] & KIND else value


def is_in_parts(value: AnyValue) -> TypeGuard[Value]:
    """Whether it is a value in parts."""
    return not isinstance(value, (bytes, Packed))


def size_of(value: AnyValue) -> int:
    """What the account charges for it: the length of a string, or of a packed value."""
    if isinstance(value, bytes):
        return len(value)
    return len(value.body) if isinstance(value, Packed) else value.charge


def indexed_of(one: Held) -> int:
    """`Value.indexed` of what a bucket holds; 0 if it is not in parts."""
    return one.value.indexed if isinstance(one, Stored) and isinstance(one.value, Value) else 0


def value_bytes_of(one: Held) -> int:
    """The same of what a bucket holds; of a value in parts, what the account was charged for it."""
    if isinstance(one, bytes):
        return len(one) - (_DUE_BYTES if one[0] & HAS_DEADLINE else PLAIN_BYTES)
    return one.value.charged if isinstance(one.value, Value) else size_of(one.value)
