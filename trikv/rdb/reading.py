"""Every form of a value: what its type byte says that follows, in parts."""

import re
from collections.abc import Callable, Iterator
from math import inf, isnan
from typing import Final, Protocol, TypeAlias

from trikv.rdb import forms
from trikv.rdb.errors import DamagedError, RdbError, UnsupportedError
from trikv.rdb.intset import Intset
from trikv.rdb.listpack import Listpack
from trikv.rdb.parts import (
    HashPart,
    ListPart,
    Parts,
    SetPart,
    SortedSetPart,
)
from trikv.rdb.source import Source
from trikv.rdb.steps import STEP_BYTES, STEP_ELEMENTS
from trikv.rdb.stream_reading import stream_parts
from trikv.rdb.unique import Unique
from trikv.rdb.values import String
from trikv.rdb.ziplist import Ziplist
from trikv.rdb.zipmap import Zipmap

_SCORE: Final = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?inf(?:inity)?")
_SCORE_BYTES_MAX: Final = 128
"""Redis reads no longer ones."""
_SCORES: Final = {254: inf, 255: -inf}
_NO_NUMBER: Final = 253
_PLAIN: Final = 1
_PACKED: Final = 2

Chunks: TypeAlias = Iterator[list[bytes] | None]
"""Elements as they are, a few hundred at a time: an even number, except at the end."""


class Pack(Protocol):
    """Packed elements."""

    def some(self) -> list[bytes]:
        """The next ones; none at the end."""


Kind: TypeAlias = Callable[[bytes, int], Pack]


def parts_of(source: Source, number: int, offset: int) -> Parts:
    """The value of type `number` that follows; `offset` is where its type byte was."""
    read = _READERS.get(number)
    if read is None:
        raise refusal(source, number, offset)
    return read(source, number)


def refusal(source: Source, number: int, offset: int) -> RdbError:
    """Why there is no value of this type, with the name of the module if it is one's."""
    if number == forms.MODULE_2:
        name = forms.module_name(source.length())
        return UnsupportedError(f"a value of module {name!r}, which only that can read", offset)
    return forms.refusal_of_type(number, offset)


# Elements, however they are kept.


def _strings(source: Source, count: int) -> Chunks:
    """`count` strings, one behind the other."""
    while count:
        found: list[bytes] = []
        size = 0
        for _ in range(min(count, STEP_ELEMENTS)):
            one = source.short()
            if one is None:
                one = yield from source.long()
            found.append(one)
            size += len(one)
            if size > STEP_BYTES and not len(found) & 1:
                break
        count -= len(found)
        yield found


def _packed(source: Source, kind: Kind) -> Chunks:
    """What is packed in the next string."""
    offset = source.offset
    data = yield from source.text()
    pack = kind(data, offset)
    found = pack.some()
    yield found  # also if there are none: a list may have a million nodes without any
    while found := pack.some():
        yield found


def _nodes(source: Source, kind: Kind) -> Chunks:
    """What is packed in each of a number of strings."""
    for _ in range(source.length()):
        yield from _packed(source, kind)


def _quicklist(source: Source) -> Chunks:
    """The same, or single elements that are too large for it."""
    for _ in range(source.length()):
        offset = source.offset
        container = source.length()
        if container == _PACKED:
            yield from _packed(source, Listpack)
        elif container == _PLAIN:
            yield from _strings(source, 1)
        else:
            raise DamagedError(f"{container} is no kind of a list's node", offset)


# Parts of them.


def _list(source: Source, chunks: Chunks) -> Parts:
    is_empty = True
    for chunk in chunks:
        is_empty = is_empty and not chunk
        yield ListPart(chunk) if chunk else None
    if is_empty:
        yield source.empty(ListPart([]))


def _unique(source: Source, what: str, *, is_packed: bool) -> Unique | None:
    """What finds elements that are there twice, unless they would have to be remembered and need not be."""
    return Unique(what) if is_packed or source.is_compared else None


def _set(source: Source, chunks: Chunks, *, is_packed: bool) -> Parts:
    members, is_empty = _unique(source, "member", is_packed=is_packed), True
    for chunk in chunks:
        if not chunk:
            yield None
            continue
        if members is not None:
            members.add(chunk, source.offset)
        is_empty = False
        yield SetPart(chunk)
    if is_empty:
        yield source.empty(SetPart([]))
    if members is not None:
        yield from members.forgotten()


def _hash(source: Source, chunks: Chunks, *, is_packed: bool) -> Parts:
    fields, is_empty = _unique(source, "field", is_packed=is_packed), True
    for chunk in chunks:
        if not chunk:
            yield None
            continue
        names = chunk[::2]
        if len(chunk) & 1:
            raise DamagedError(f"field {names[-1][:100]!r} has no value", source.offset)
        if fields is not None:
            fields.add(names, source.offset)
        is_empty = False
        yield HashPart(list(zip(names, chunk[1::2], strict=True)))
    if is_empty:
        yield source.empty(HashPart([]))
    if fields is not None:
        yield from fields.forgotten()


def _packed_sorted_set(source: Source, kind: Kind) -> Parts:
    members, is_empty = Unique("member"), True
    for chunk in _packed(source, kind):
        if not chunk:
            yield None
            continue
        names = chunk[::2]
        if len(chunk) & 1:
            raise DamagedError(f"member {names[-1][:100]!r} has no score", source.offset)
        members.add(names, source.offset)
        is_empty = False
        scores = [_score(text, source) for text in chunk[1::2]]
        yield SortedSetPart(list(zip(names, scores, strict=True)))
    if is_empty:
        yield source.empty(SortedSetPart([]))
    yield from members.forgotten()


def _sorted_set(source: Source, score: Callable[[Source], float]) -> Parts:
    members = _unique(source, "member", is_packed=False)
    count = source.length()
    if not count:
        yield source.empty(SortedSetPart([]))
    while count:
        found: list[tuple[bytes, float]] = []
        size = 0
        for _ in range(min(count, STEP_ELEMENTS)):
            one = source.short()
            if one is None:
                one = yield from source.long()
            found.append((one, score(source)))
            size += len(one)
            if size > STEP_BYTES:
                break
        if members is not None:
            members.add([one for one, _ in found], source.offset)
        count -= len(found)
        yield SortedSetPart(found)
    if members is not None:
        yield from members.forgotten()


# Scores.


def _score(text: bytes, source: Source) -> float:
    if len(text) > _SCORE_BYTES_MAX or _SCORE.fullmatch(text) is None:
        raise DamagedError(f"{text[:_SCORE_BYTES_MAX]!r} is no score", source.offset)
    return float(text)


def _text_score(source: Source) -> float:
    size = source.byte()
    if size in _SCORES:
        return _SCORES[size]
    if size == _NO_NUMBER:
        raise DamagedError("a score is no number", source.offset - 1)
    return _score(source.take(size), source)


def _double_score(source: Source) -> float:
    number = source.double()
    if isnan(number):
        raise DamagedError("a score is no number", source.offset - 8)
    return number


# Types.


def _string(source: Source) -> Parts:
    data = yield from source.text()
    yield String(data)


_Reader: TypeAlias = Callable[[Source, int], Parts]


def _packed_hash(kind: Kind) -> _Reader:
    return lambda source, _: _hash(source, _packed(source, kind), is_packed=True)


def _packed_set(kind: Kind) -> _Reader:
    return lambda source, _: _set(source, _packed(source, kind), is_packed=True)


_READERS: Final[dict[int, _Reader]] = {
    forms.STRING: lambda source, _: _string(source),
    forms.LIST: lambda source, _: _list(source, _strings(source, source.length())),
    forms.LIST_ZIPLIST: lambda source, _: _list(source, _packed(source, Ziplist)),
    forms.LIST_QUICKLIST: lambda source, _: _list(source, _nodes(source, Ziplist)),
    forms.LIST_QUICKLIST_2: lambda source, _: _list(source, _quicklist(source)),
    forms.SET: lambda source, _: _set(source, _strings(source, source.length()), is_packed=False),
    forms.SET_INTSET: _packed_set(Intset),
    forms.SET_LISTPACK: _packed_set(Listpack),
    forms.ZSET: lambda source, _: _sorted_set(source, _text_score),
    forms.ZSET_2: lambda source, _: _sorted_set(source, _double_score),
    forms.ZSET_ZIPLIST: lambda source, _: _packed_sorted_set(source, Ziplist),
    forms.ZSET_LISTPACK: lambda source, _: _packed_sorted_set(source, Listpack),
    forms.HASH: lambda source, _: _hash(source, _strings(source, 2 * source.length()), is_packed=False),
    forms.HASH_ZIPMAP: _packed_hash(Zipmap),
    forms.HASH_ZIPLIST: _packed_hash(Ziplist),
    forms.HASH_LISTPACK: _packed_hash(Listpack),
    forms.STREAM_LISTPACKS: stream_parts,
    forms.STREAM_LISTPACKS_2: stream_parts,
    forms.STREAM_LISTPACKS_3: stream_parts,
}
