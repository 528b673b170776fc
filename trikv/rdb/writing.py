"""Values on the way out, in the forms of Redis 7.0, and with its thresholds."""

from collections.abc import Generator, Iterable, Iterator
from itertools import chain
from math import isfinite, isnan
from struct import Struct
from typing import Any, Final, TypeAlias, assert_never

from trikv.rdb import encoding, forms
from trikv.rdb.errors import UnsupportedError
from trikv.rdb.intset import packed_integers
from trikv.rdb.listpack import Packing, integer_of
from trikv.rdb.steps import STEP_BYTES, STEP_ELEMENTS
from trikv.rdb.stream_writing import stream_pieces
from trikv.rdb.values import Hash, List, Many, Set, SortedSet, Stream, String, Value

LIST_NODE_BYTES: Final = 8192
"""Redis' list-max-listpack-size -2."""
PACKED_BYTES_MAX: Final = 64
"""An element of a packed hash or sorted set has no more (hash- and zset-max-listpack-value)."""
HASH_PACKED_MAX: Final = 512
SORTED_SET_PACKED_MAX: Final = 128
INTSET_MAX: Final = 512
_DOUBLE: Final = Struct("<d")
_HEADER_BYTES: Final = 7
"""Those of a listpack without elements."""
_PACKED_MORE: Final = 10
"""A listpack's element takes at most so much more than its bytes."""
_WHOLE_MAX: Final = 2.0**53
_PLAIN: Final = encoding.length(1)
_PACKED: Final = encoding.length(2)

Pieces: TypeAlias = Generator[bytes, None, None]
"""The bytes of a value, one step each; none: a step that brought nothing."""


def form_of(value: Value, version: int, *, compress: bool) -> tuple[int, Pieces]:
    """The type byte of a value in an RDB version, and what follows it.

    Raises UnsupportedError if there is no form for it.
    """
    forms.check_version(version)
    match value:
        case String(data):
            return forms.STRING, encoding.string(data, compress=compress)
        case List(elements):
            _check(elements)
            return forms.LIST_QUICKLIST_2, _list(elements, compress=compress)
        case Set(members):
            _check(members)
            return _set(members, compress=compress)
        case SortedSet(members):
            _check(members)
            return _sorted_set(members, compress=compress)
        case Hash(fields, has_deadlines):
            _check(fields)
            if has_deadlines:
                raise UnsupportedError(
                    f"a hash whose fields have deadlines has no form in RDB version {version}: 12 brought it"
                )
            return _hash(fields, compress=compress)
        case Stream():
            number = forms.STREAM_LISTPACKS_2 if version == forms.VERSION else forms.STREAM_LISTPACKS_3
            return number, stream_pieces(value, number, compress=compress)
        case _:
            assert_never(value)


def _check(elements: Many[Any]) -> None:
    if not len(elements):
        raise UnsupportedError("a value without elements has no form")


def _strings(strings: Iterable[bytes], *, compress: bool) -> Pieces:
    """One behind the other."""
    made: list[bytes] = []
    size = 0
    for one in strings:
        if len(one) > STEP_BYTES:
            yield b"".join(made)
            made, size = [], 0
            yield from encoding.string(one, compress=compress)
            continue
        made.append(encoding.short_string(one, compress=compress))
        size += len(one)
        if len(made) >= STEP_ELEMENTS or size > STEP_BYTES:
            yield b"".join(made)
            made, size = [], 0
    yield b"".join(made)


# Lists.


def _nodes(elements: Iterable[bytes]) -> Iterator[list[bytes] | bytes | None]:
    """The nodes of a list: elements that fill one, or a single one that is too large. None: a step."""
    node: list[bytes] = []
    size = _HEADER_BYTES
    for place, element in enumerate(elements):
        more = len(element) + _PACKED_MORE
        if node and size + more > LIST_NODE_BYTES:
            yield node
            node, size = [], _HEADER_BYTES
        if more > LIST_NODE_BYTES - _HEADER_BYTES:
            yield element
        else:
            node.append(element)
            size += more
        if not (place + 1) % STEP_ELEMENTS:
            yield None
    if node:
        yield node


def _list(elements: Many[bytes], *, compress: bool) -> Pieces:
    count = 0
    for place, node in enumerate(_nodes(elements)):
        count += node is not None
        if not place % STEP_ELEMENTS or node is None:
            yield b""
    yield encoding.length(count)
    for node in _nodes(elements):
        if node is None:
            yield b""
        elif isinstance(node, bytes):
            yield _PLAIN
            yield from encoding.string(node, compress=compress)
        else:
            yield _PACKED + _packed(node, compress=compress)


def _packed(elements: Iterable[bytes], *, compress: bool) -> bytes:
    """A listpack of these, as a string."""
    packing = Packing()
    for element in elements:
        packing.add(element)
    return encoding.short_string(packing.made(), compress=compress)


def _one(piece: bytes) -> Pieces:
    yield piece


# Sets, sorted sets, hashes: packed if they are small.


def _set(members: Many[bytes], *, compress: bool) -> tuple[int, Pieces]:
    if len(members) <= INTSET_MAX:
        numbers = [integer_of(member) for member in members]
        whole = [number for number in numbers if number is not None]
        if len(whole) == len(numbers):
            intset = encoding.short_string(packed_integers(whole), compress=compress)
            return forms.SET_INTSET, _one(intset)
    head = encoding.length(len(members))
    return forms.SET, _behind(head, _strings(members, compress=compress))


def _behind(head: bytes, pieces: Pieces) -> Pieces:
    yield head
    yield from pieces


def _hash(fields: Many[tuple[bytes, bytes]], *, compress: bool) -> tuple[int, Pieces]:
    if len(fields) <= HASH_PACKED_MAX:
        flat = list(chain.from_iterable(fields))
        if max(map(len, flat)) <= PACKED_BYTES_MAX:
            return forms.HASH_LISTPACK, _in_two(flat, compress=compress)
    head = encoding.length(len(fields))
    return forms.HASH, _behind(head, _strings(chain.from_iterable(fields), compress=compress))


def _in_two(flat: list[bytes], *, compress: bool) -> Pieces:
    """A listpack of up to a thousand elements: in two steps, packing and compressing."""
    packing = Packing()
    for element in flat:
        packing.add(element)
    yield b""
    yield from encoding.string(packing.made(), compress=compress)


def score_text(score: float) -> bytes:
    """A score as a listpack has it: Redis reads it back as the same double."""
    if isfinite(score) and abs(score) < _WHOLE_MAX and score == int(score):
        return b"-0" if str(score) == "-0.0" else b"%d" % score
    return repr(score).encode("ascii")


def _sorted_set(members: Many[tuple[bytes, float]], *, compress: bool) -> tuple[int, Pieces]:
    if len(members) <= SORTED_SET_PACKED_MAX:
        # Redis takes a listpack to be in order, and looks no further.
        ordered = sorted(((score, member) for member, score in members), key=_checked)
        if max(len(member) for _, member in ordered) <= PACKED_BYTES_MAX:
            flat = chain.from_iterable((member, score_text(score)) for score, member in ordered)
            return forms.ZSET_LISTPACK, _one(_packed(flat, compress=compress))
    return forms.ZSET_2, _scored(members, compress=compress)


def _checked(scored: tuple[float, bytes]) -> tuple[float, bytes]:
    if isnan(scored[0]):
        raise UnsupportedError(f"the score of {scored[1][:100]!r} is no number")
    return scored


def _scored(members: Many[tuple[bytes, float]], *, compress: bool) -> Pieces:
    made: list[bytes] = [encoding.length(len(members))]
    size = 0
    for member, score in members:
        _checked((score, member))
        if len(member) > STEP_BYTES:
            yield b"".join(made)
            made, size = [], 0
            yield from encoding.string(member, compress=compress)
        else:
            made.append(encoding.short_string(member, compress=compress))
        made.append(_DOUBLE.pack(score))
        size += len(member)
        if len(made) >= 2 * STEP_ELEMENTS or size > STEP_BYTES:
            yield b"".join(made)
            made, size = [], 0
    yield b"".join(made)
