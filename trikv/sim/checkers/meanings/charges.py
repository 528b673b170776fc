"""What the memory account charges for a key, by docs/ARCHITECTURE.md (Memory)."""

from typing import Any

import msgspec

from trikv.sim.checkers.expected import Between
from trikv.sim.checkers.meanings.registry import means, second
from trikv.sim.checkers.state import Args, State
from trikv.sim.checkers.values import Collection, Value, strings_in

KEY_BYTES, DEADLINE_BYTES = 136, 136
"""For a key and for a deadline, besides their lengths."""
SHORT_BYTES_MAX, LONG_BYTES = 4096, 64
"""A longer value is charged so much more."""
ELEMENT_BYTES = {"hash": 112, "list": 5, "set": 74, "zset": 128}
"""For an element of a value in parts, besides its strings."""
FIELD_DEADLINE_BYTES, FIELD_DEADLINES_BYTES = 96, 1200
"""For the deadline of each field of a hash, and once if it has any."""
PART_BYTES = {"hash": 288, "list": 160, "set": 288, "zset": 288}
END_BYTES, ENDS_MAX = 51, 256
"""Besides for each element of a list, up to so many."""


def charge(key: bytes, value: Value, deadline: int, parts: int = 0) -> int:
    """The bytes that the account charges for a key; `deadline` is 0 if it has none.

    `parts`: how many parts its value is in, 0 if it is not.
    """
    size = len(value) if isinstance(value, bytes) else _size(value, parts)
    long_bytes = LONG_BYTES if size > SHORT_BYTES_MAX else 0
    return KEY_BYTES + len(key) + size + long_bytes + (DEADLINE_BYTES if deadline else 0)


def _size(value: Collection, parts: int) -> int:
    if not parts:
        return len(msgspec.msgpack.encode(_packed(value)))
    count = len(value.elements)
    size = sum(map(len, strings_in(value.elements))) + ELEMENT_BYTES[value.kind] * count
    ends = END_BYTES * min(count, ENDS_MAX) if value.kind == "list" else 0
    deadlines = FIELD_DEADLINES_BYTES + FIELD_DEADLINE_BYTES * len(value.deadlines) if value.deadlines else 0
    return size + ends + deadlines + PART_BYTES[value.kind] * parts


def _packed(value: Collection) -> Any:
    if value.kind == "hash":
        return dict(value.elements)
    if value.kind == "zset":
        return [(score, member) for member, score in value.elements]
    return value.elements


@means("MEMORY USAGE", second)
def _memory_usage(state: State, args: Args) -> Any:
    """Exact, but for a large value: how many parts it is in, nobody outside can tell."""
    item = state.items.get(args[2])
    if item is None:
        return None
    if isinstance(item.value, bytes) or not item.value.is_large:
        return charge(args[2], item.value, item.deadline)
    parts_max = len(item.value.elements) + 1
    return Between(*(charge(args[2], item.value, item.deadline, parts) for parts in (1, parts_max)))
