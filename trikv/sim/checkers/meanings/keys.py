"""Keys, whatever they hold: there or not, their names, their types."""

from typing import Any

from trikv.sim.checkers.expected import Failure
from trikv.sim.checkers.meanings.registry import everything, first, means, second, two
from trikv.sim.checkers.state import Args, Refused, State
from trikv.sim.checkers.values import (
    PACKED_BYTES_MAX,
    PACKED_ELEMENTS_MAX,
    Collection,
    Value,
    kind_of,
    strings_in,
)
from trikv.sim.history import Key

NO_SUCH_KEY = Failure("ERR no such key")
SAME = Failure("ERR source and destination objects are the same")
INTEGERS_MAX = 512
"""Redis keeps a set of so many integers as an array of numbers."""
EMBEDDED_BYTES_MAX = 44
"""And so long a string together with its header."""
LISTPACK_FIELDS_MAX = 512
"""And a hash of so many short fields as a listpack,"""
LISTPACK_BYTES_MAX = 8192
"""and a list of so many bytes in all,"""
LISTPACK_HEAD_BYTES = 7
"""of which these stand in front of its elements."""


@means("DEL, UNLINK, DELETE", everything, writes=True)
def _del(state: State, args: Args) -> Any:
    return sum(state.drop(key) for key in args[1:])


@means("EXISTS, TOUCH", everything)
def _exists(state: State, args: Args) -> Any:
    return sum(state.get(key) is not None for key in args[1:])


@means("TYPE")
def _type(state: State, args: Args) -> Any:
    value = state.get(args[1])
    return b"none" if value is None else kind_of(value).encode()


@means("RENAME", two, writes=True)
def _rename(state: State, args: Args) -> Any:
    value, deadline = state.get(args[1]), state.deadline(args[1])
    if value is None:
        raise Refused(NO_SUCH_KEY)
    if args[1] != args[2]:
        state.drop(args[1])
        state.drop(args[2])
        state.put(args[2], value, deadline)
    return b"OK"


@means("RENAMENX", two, writes=True)
def _renamenx(state: State, args: Args) -> Any:
    if state.get(args[1]) is not None and state.get(args[2]) is not None:
        return 0
    _rename(state, args)
    return 1


def _copied_to(args: Args) -> list[Key]:
    return [(int(args[args.index(b"DB") + 1]), args[2])] if b"DB" in args[3:] else []


@means("COPY", two, _copied_to, writes=True, repeats=True)
def _copy(state: State, args: Args) -> Any:
    value, deadline = state.get(args[1]), state.deadline(args[1])
    database = _copied_to(args)[0][0] if _copied_to(args) else state.selected
    if (database, args[2]) == (state.selected, args[1]):
        raise Refused(SAME)
    with state.at(database):
        if value is None or (state.get(args[2]) is not None and b"REPLACE" not in args[3:]):
            return 0
        state.drop(args[2])
        state.put(args[2], value, deadline)
    return 1


@means("MOVE", first, lambda args: [(int(args[2]), args[1])], writes=True, repeats=True)
def _move(state: State, args: Args) -> Any:
    value, deadline = state.get(args[1]), state.deadline(args[1])
    if int(args[2]) == state.selected:
        raise Refused(SAME)
    with state.at(int(args[2])):
        if value is None or state.get(args[1]) is not None:
            return 0
        state.put(args[1], value, deadline)
    state.drop(args[1])
    return 1


@means("WATCH", everything)
def _watch(_: State, __: Args) -> Any:
    return b"OK"


# What Redis tells of an object.


@means("OBJECT ENCODING", second)
def _object_encoding(state: State, args: Args) -> Any:
    value = state.get(args[2])
    return None if value is None else _encoding(value)


def _encoding(value: Value) -> bytes:
    if isinstance(value, bytes):
        if _is_integer(value):
            return b"int"
        return b"embstr" if len(value) <= EMBEDDED_BYTES_MAX else b"raw"
    if value.kind == "set" and len(value.elements) <= INTEGERS_MAX and all(map(_is_integer, value.elements)):
        return b"intset"
    if value.kind == "list":
        is_short = LISTPACK_HEAD_BYTES + sum(map(_entry_bytes, value.elements)) <= LISTPACK_BYTES_MAX
        return b"listpack" if is_short else b"quicklist"
    if not value.is_large or _is_longer_listpack(value):
        return b"listpack"
    return b"skiplist" if value.kind == "zset" else b"hashtable"


def _is_longer_listpack(value: Collection) -> bool:
    """Whether this is a hash with more fields than other values have that Redis packs."""
    is_of_size = PACKED_ELEMENTS_MAX < len(value.elements) <= LISTPACK_FIELDS_MAX
    is_short = all(len(text) <= PACKED_BYTES_MAX for text in strings_in(value.elements))
    return value.kind == "hash" and is_of_size and is_short and not value.deadlines


def _entry_bytes(element: bytes) -> int:
    """What an element of a list takes in a listpack, with its length behind it."""
    if _is_integer(element):
        number = int(element)
        limits = ((1 << 12, 2), (1 << 15, 3), (1 << 23, 4), (1 << 31, 5))
        fitting = (size for limit, size in limits if -limit <= number < limit)
        return 1 + (1 if 0 <= number <= 127 else next(fitting, 9))
    size = len(element) + (1 if len(element) <= 63 else 2 if len(element) <= 4095 else 5)
    return size + (1 if size <= 127 else 2 if size < 1 << 14 else 3 if size < 1 << 21 else 4)


def _is_integer(text: object) -> bool:
    """Whether this is a number of 64 bits, written as Redis writes it."""
    assert isinstance(text, bytes)
    if not text.removeprefix(b"-").isdigit():
        return False
    return b"%d" % int(text) == text and -(2**63) <= int(text) < 2**63


@means("OBJECT REFCOUNT", second)
def _object_refcount(state: State, args: Args) -> Any:
    return None if state.get(args[2]) is None else 1


@means("OBJECT IDLETIME", second)
def _object_idletime(state: State, args: Args) -> Any:
    return None if state.get(args[2]) is None else 0


@means("OBJECT FREQ", second)
def _object_freq(state: State, args: Args) -> Any:
    return None if state.get(args[2]) is None else Failure("ERR An LFU maxmemory policy is not selected")
