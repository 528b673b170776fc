"""Files: a header, then keys with what belongs to them between opcodes, then the end with a checksum.

::

    REDIS 5 | version 4, digits | opcode or type | ... | 255 | CRC-64 of all before 8, or zeros

What stands before a key, such as its deadline, belongs to the next one.
"""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple, Self, TypeAlias

import attrs

from trikv.rdb import forms
from trikv.rdb.checksum import CHECKSUM_BYTES
from trikv.rdb.errors import NEWER, VERSION_MAX, DamagedError, RdbError, UnsupportedError
from trikv.rdb.parts import Part, Parts
from trikv.rdb.reading import parts_of
from trikv.rdb.source import STRING_BYTES_MAX, FileSource, Readable

MAGIC: Final = b"REDIS"
_VERSION_DIGITS: Final = 4
_MODULE_END: Final = 0
_MODULE_UNSIGNED: Final = 2
_MODULE_STRING: Final = 5
_SHORT: Final = 0x40
"""Below it a length is one byte."""
_QUICK_BYTES: Final = 9 + 3 + 255 + _SHORT
"""A deadline, a key and a value that are shorter take less, and no byte is looked at behind these."""
_MODULES_TOLD: Final = 100
"""So many names of modules are remembered."""


class Header(NamedTuple):
    """The first record."""

    version: int


class Aux(NamedTuple):
    """What the writer says of itself, such as redis-ver."""

    name: bytes
    value: bytes


class Sizes(NamedTuple):
    """How many keys a database has, and how many of them deadlines: a hint, which nothing is believed of."""

    database: int
    keys: int
    deadlines: int


class Library(NamedTuple):
    """A library of functions: its source. Whoever cannot load it must say so."""

    code: bytes
    offset: int


class ModuleData(NamedTuple):
    """What a module keeps beside the keys, which has been skipped. Whoever reads on should say so."""

    module: str
    offset: int


class Key(NamedTuple):
    """A key with its value: bytes if that is a string, else its parts."""

    database: int
    key: bytes
    deadline_ms: int | None
    """In milliseconds since 1970; it may have passed. None: it has none."""
    value: bytes | Parts
    """Parts are read until the next record is asked for, which skips what is left of them."""
    offset: int
    """Where its type byte is."""


Record: TypeAlias = Header | Aux | Sizes | Library | ModuleData | Key


def read_file(
    file: Readable, *, string_bytes_max: int = STRING_BYTES_MAX, all_unique: bool = False
) -> Iterator[Record]:
    """One record after another of a file that stands at its beginning.

    A value without elements is given as it is: older versions of Redis wrote such by mistake, and newer ones
    skip it. With `all_unique` the elements of sets, hashes and sorted sets are compared also if they are not
    packed, which takes the memory of the largest one. Raises DamagedError and UnsupportedError, and what the
    file raises. The checksum is at the end: until the iterator has ended nothing is sure (`check_file`).
    """
    source = FileSource(file, string_bytes_max)
    source.is_compared = all_unique
    version = _header(source)
    yield Header(version)
    yield from _Reading(source).records()
    _end(source, version)


def _header(source: FileSource) -> int:
    head = source.take(len(MAGIC) + _VERSION_DIGITS)
    digits = head[len(MAGIC) :]
    if not head.startswith(MAGIC) or not digits.isdigit():
        raise DamagedError(f"no RDB file begins with {head!r}", 0)
    version = int(digits)
    if version > VERSION_MAX:
        raise UnsupportedError(f"the file is of RDB version {version}: {NEWER}", len(MAGIC))
    if version == 0:
        raise DamagedError("there is no RDB version 0", len(MAGIC))
    return version


def _end(source: FileSource, version: int) -> None:
    summed = source.sum_up()
    if version >= forms.SINCE_CHECKSUM:
        offset = source.offset
        said = int.from_bytes(source.take(CHECKSUM_BYTES), "little")
        if said not in (0, summed):
            raise DamagedError("the checksum is not that of the file", offset)
    if not source.is_at_end():
        raise DamagedError(
            "bytes follow the end; if this is an append-only file that begins like a dump, it is not read",
            source.offset,
        )


class _Value:
    """The parts of a value, whose errors say of which key it is."""

    __slots__ = ("_database", "_key", "_kind", "_parts")

    def __init__(self, parts: Parts, database: int, key: bytes, kind: str) -> None:
        self._parts, self._database, self._key, self._kind = parts, database, key, kind

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Part | None:
        try:
            return next(self._parts)
        except RdbError as error:
            raise error.at_key(self._key, self._kind, self._database) from None


class _Reading:
    """What has been read before the next key."""

    def __init__(self, source: FileSource) -> None:
        self._source = source
        self._database = 0
        self._deadline_ms: int | None = None

    def records(self) -> Iterator[Record]:
        """All of them up to the end."""
        source = self._source
        while True:
            data, at = source.data, source.at
            if source.end - at > _QUICK_BYTES:
                if data[at] == forms.EXPIRE_TIME_MS:
                    self._deadline_ms = int.from_bytes(data[at + 1 : at + 9], "little", signed=True)
                    source.at = at = at + 9
                middle = at + 2 + data[at + 1]
                # Nearly always: a string, it and its key shorter than 64 bytes, and all of it at hand.
                if not data[at] and data[at + 1] < _SHORT and data[middle] < _SHORT:
                    behind = middle + 1 + data[middle]
                    key, value = data[at + 2 : middle], data[middle + 1 : behind]
                    deadline_ms, self._deadline_ms = self._deadline_ms, None
                    source.at = behind
                    yield Key(self._database, key, deadline_ms, value, source.base + at)
                    continue
            offset, number = source.offset, source.byte()
            if number == forms.EOF:
                return
            special = _SPECIAL.get(number)
            if special is not None:
                record = special(self, offset)
                if record is not None:
                    yield record
                continue
            yield from self._key(number, offset)

    def _key(self, number: int, offset: int) -> Iterator[Key]:
        source, deadline_ms = self._source, self._deadline_ms
        self._deadline_ms = None
        if number not in forms.NAMES and number not in forms.WITH_KEYS:
            raise DamagedError(f"{number} is neither a type nor an opcode", offset)
        key = source.string()
        kind = forms.NAMES.get(number, "a type that is not read")
        try:
            value = source.string() if number == forms.STRING else parts_of(source, number, offset)
        except RdbError as error:
            raise error.at_key(key, kind, self._database) from None
        if isinstance(value, bytes):
            yield Key(self._database, key, deadline_ms, value, offset)
            return
        parts = _Value(value, self._database, key, kind)
        yield Key(self._database, key, deadline_ms, parts, offset)
        for _ in parts:
            pass

    # Opcodes.

    def select(self, _: int) -> None:
        """The database of the keys that follow."""
        self._database = self._source.length()

    def deadline(self, _: int) -> None:
        """That of the next key, in milliseconds."""
        self._deadline_ms = self._source.milliseconds()

    def deadline_s(self, _: int) -> None:
        """The same in seconds, as older versions wrote it."""
        self._deadline_ms = 1000 * int.from_bytes(self._source.take(4), "little", signed=True)

    def idle(self, _: int) -> None:
        """How long nobody has asked for the next key, which is of no use here."""
        self._source.length()

    def freq(self, _: int) -> None:
        """The same for how often somebody asked."""
        self._source.byte()

    def aux(self, _: int) -> Aux:
        """A name and a value."""
        return Aux(self._source.string(), self._source.string())

    def sizes(self, _: int) -> Sizes:
        """Of the database."""
        return Sizes(self._database, self._source.length(), self._source.length())

    def library(self, offset: int) -> Library:
        """One of Redis 7.0 and later."""
        return Library(self._source.string(), offset)

    def old_library(self, offset: int) -> None:
        """One of a form that was never released."""
        raise UnsupportedError("a library of functions in a form of Redis 7.0 before its release", offset)

    def module(self, offset: int) -> ModuleData:
        """Skip what a module has: its fields say what they are."""
        source = self._source
        name = forms.module_name(source.length())
        try:
            _skip_fields(source)
        except RdbError as error:
            raise DamagedError(f"data of module {name!r}: {error.problem}", error.offset) from None
        return ModuleData(name, offset)


def _skip_fields(source: FileSource) -> None:
    """What a module has written: when, then fields, then the end."""
    if source.length() != _MODULE_UNSIGNED:
        raise DamagedError("it does not begin with a number", source.offset - 1)
    source.length()
    while (field := source.length()) != _MODULE_END:
        skip = _MODULE_FIELDS.get(field)
        if skip is None:
            raise DamagedError(f"{field} is no kind of a field", source.offset - 1)
        skip(source)


_SPECIAL: Final[dict[int, Callable[[_Reading, int], Record | None]]] = {
    forms.SELECT_DB: _Reading.select,
    forms.EXPIRE_TIME_MS: _Reading.deadline,
    forms.EXPIRE_TIME: _Reading.deadline_s,
    forms.IDLE: _Reading.idle,
    forms.FREQ: _Reading.freq,
    forms.AUX: _Reading.aux,
    forms.RESIZE_DB: _Reading.sizes,
    forms.FUNCTION_2: _Reading.library,
    forms.FUNCTION_PRE_GA: _Reading.old_library,
    forms.MODULE_AUX: _Reading.module,
}
_MODULE_FIELDS: Final[dict[int, Callable[[FileSource], object]]] = {
    1: FileSource.length,
    _MODULE_UNSIGNED: FileSource.length,
    3: lambda source: source.take(4),
    4: lambda source: source.take(8),
    _MODULE_STRING: FileSource.string,
}


@attrs.frozen
class Contents:
    """What is in a file that is whole."""

    version: int
    keys: int
    databases: int
    """So many have keys."""
    libraries: int
    modules: tuple[str, ...]
    """Those that have data beside the keys, which are skipped: the first hundred names."""


def check_file(
    file: Readable, *, string_bytes_max: int = STRING_BYTES_MAX, all_unique: bool = False
) -> Contents:
    """Read a file to its end and keep nothing: what is in it, and that it is whole.

    Raises what `read_file` raises, so that nothing needs to be loaded of a file that is damaged.
    """
    version = keys = libraries = 0
    databases: set[int] = set()
    modules: dict[str, None] = {}
    for record in read_file(file, string_bytes_max=string_bytes_max, all_unique=all_unique):
        if type(record) is Key:
            keys += 1
            databases.add(record.database)
        elif type(record) is Header:
            version = record.version
        elif type(record) is Library:
            libraries += 1
        elif type(record) is ModuleData and len(modules) < _MODULES_TOLD:
            modules[record.module] = None
    return Contents(version, keys, len(databases), libraries, tuple(modules))
