"""Files: what is between header and end, what is skipped and told, and what is refused before a load."""

import io
import struct
from collections.abc import Iterable

import pytest

from tests.rdb import craft
from tests.rdb.craft import length, listpack, raw, raws
from tests.rdb.test_reading import module_number
from trikv import rdb
from trikv.rdb.files import Contents


def key(number: int, name: bytes, body: bytes) -> bytes:
    """A key with a value of this type."""
    return bytes([number]) + raw(name) + body


def ms(number: int) -> bytes:
    """A deadline."""
    return b"\xfc" + struct.pack("<q", number)


MODULE = b"\xf7" + length(module_number("redisgear"))
FIELDS = (
    b"\x01\x05\x02\x81" + bytes(8) + b"\x03" + bytes(4) + b"\x04" + bytes(8) + b"\x05" + raw(b"text") + b"\0"
)


def body_of(count: int) -> bytes:
    """A file's body with something of everything, and a list of so many elements."""
    return (
        (b"\xfa" + raws(b"redis-ver", b"7.0.15"))
        + (b"\xfa" + raw(b"redis-bits") + b"\xc0\x40")
        + (b"\xf5" + raw(b"#!lua name=lib"))
        + (MODULE + b"\2\1" + FIELDS)
        + (b"\xfe\0" + b"\xfb\2\1")
        + key(0, b"a", raw(b"1"))
        + (ms(1_700_000_000_000) + b"\xf8\x40\x41" + key(0, b"b", b"\xc0\x07"))
        + (b"\xfd" + struct.pack("<i", 1_700_000_000) + b"\xf9\xc8" + key(0, b"c" * 100, raw(b"x" * 100)))
        + (
            b"\xfe\x0f"
            + ms(-5)
            + key(1, b"list", length(count) + raws(*[b"%d" % one for one in range(count)]))
        )
        + key(17, b"z", raw(listpack([b"m", 1])))
        + key(0, b"last", raw(b"!"))
    )


BODY = body_of(600)


def records(data: bytes, **options: bool) -> list[rdb.Record | rdb.Value]:
    """All records, values that are no strings behind their keys."""
    found: list[rdb.Record | rdb.Value] = []
    for record in rdb.read_file(io.BytesIO(data), **options):
        if isinstance(record, rdb.Key) and not isinstance(record.value, bytes):
            found += (record._replace(value=b"parts"), rdb.gathered(record.value))
        else:
            found.append(record)
    return found


def place(found: bytes) -> int:
    """Where in the file these bytes of its body are."""
    return craft.file(BODY).index(found)


def test_a_file_is_read_record_by_record() -> None:
    """Deadlines, databases, and what belongs to no key; a deadline is the next key's alone."""
    assert records(craft.file(BODY)) == [
        rdb.Header(10),
        rdb.Aux(b"redis-ver", b"7.0.15"),
        rdb.Aux(b"redis-bits", b"64"),
        rdb.Library(b"#!lua name=lib", place(b"\xf5\x0e#!lua")),
        rdb.ModuleData("redisgear", place(MODULE)),
        rdb.Sizes(0, 2, 1),
        rdb.Key(0, b"a", None, b"1", place(b"\0\1a")),
        rdb.Key(0, b"b", 1_700_000_000_000, b"7", place(b"\0\1b")),
        rdb.Key(0, b"c" * 100, 1_700_000_000_000, b"x" * 100, place(b"\0\x40\x64c")),
        rdb.Key(15, b"list", -5, b"parts", place(b"\1\4list")),
        rdb.List([b"%d" % one for one in range(600)]),
        rdb.Key(15, b"z", None, b"parts", place(b"\x11\1z")),
        rdb.SortedSet([(b"m", 1.0)]),
        rdb.Key(15, b"last", None, b"!", place(b"\0\4last")),
    ]


def test_values_need_not_be_read() -> None:
    """What is left of one is skipped; half of one, too."""
    names = []
    for record in rdb.read_file(io.BytesIO(craft.file(BODY))):
        if isinstance(record, rdb.Key):
            names.append(record.key)
            if record.key == b"list" and not isinstance(record.value, bytes):
                next(record.value)
                assert iter(record.value) is record.value
    assert names == [b"a", b"b", b"c" * 100, b"list", b"z", b"last"]


@pytest.mark.parametrize("version", [1, 4, 5, 9, 10, 11])
def test_every_version_is_read(version: int) -> None:
    """Those before 5 have no checksum; since then it may be missing, as zeros."""
    data = craft.file(key(0, b"k", raw(b"v")), version)
    assert records(data)[0] == rdb.Header(version)
    assert rdb.check_file(io.BytesIO(data)) == Contents(version, 1, 1, 0, ())
    without = craft.file(key(0, b"k", raw(b"v")), version, has_checksum=False)
    assert rdb.check_file(io.BytesIO(without)).keys == 1


def test_a_check_says_what_is_there() -> None:
    """And keeps nothing."""
    assert rdb.check_file(io.BytesIO(craft.file(BODY))) == Contents(10, 6, 2, 1, ("redisgear",))


def test_many_small_keys_are_read_over_the_borders_of_chunks() -> None:
    """Wherever a chunk of the file ends; offsets are those of the file."""
    body = b"".join(key(0, b"key:%d" % one, raw(b"value %d" % (one * 7919))) for one in range(60_000))
    data = craft.file(body, has_checksum=False)
    found = [record for record in rdb.read_file(io.BytesIO(data)) if isinstance(record, rdb.Key)]
    assert [record.key for record in found] == [b"key:%d" % one for one in range(60_000)]
    assert all(data[record.offset + 2 :].startswith(record.key) for record in found[::1000])


def check(data: bytes) -> None:
    """Read it all."""
    rdb.check_file(io.BytesIO(data))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "ends where 9 bytes should follow"),
        (b"REDIS001", "ends where 9 bytes should follow"),
        (b"RADIS0010\xff", "no RDB file begins with b'RADIS0010'"),
        (b"REDIS00x0\xff", "no RDB file begins with"),
        (b"REDIS0000\xff", "no RDB version 0"),
        (craft.file(b"")[:-1], "ends where 8 bytes should follow"),
        (craft.file(b"")[:-8] + b"\1" * 8, "checksum is not that of the file"),
        (craft.file(b"") + b"*1\r\n", "bytes follow the end; if this is an append-only file"),
        (craft.file(b"\x80"), "128 is neither a type nor an opcode"),
        (craft.file(b"\xf4\1\1\1"), "244 is neither a type nor an opcode"),
        (craft.file(b"\x08\1k\0"), "8 is neither a type nor an opcode"),
        (craft.file(key(1, b"k", length(3) + raw(b"x")))[:-9], "ends where 1 byte should follow"),
        (craft.file(MODULE + b"\1\1\0"), "data of module 'redisgear': it does not begin with a number"),
        (craft.file(MODULE + b"\2\1\6"), "data of module 'redisgear': 6 is no kind of a field"),
        (craft.file(MODULE + b"\2\1\4")[:-9], "data of module 'redisgear': it ends where"),
        (b"REDIS0010" + ms(1)[:5], "ends where 8 bytes should follow"),
    ],
)
def test_what_is_wrong_is_refused(data: bytes, why: str) -> None:
    """The header, the end, what is between."""
    with pytest.raises(rdb.DamagedError, match=why):
        check(data)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (craft.file(b"", 12), "the file is of RDB version 12: RDB versions up to 11 are read"),
        (craft.file(b"\xf6\0"), "library of functions in a form of Redis 7.0 before its release"),
        (
            craft.file(key(7, b"doc", length(module_number("ReJSON-RL")))),
            "key b'doc' .* value of module 'ReJSON-RL'",
        ),
        (craft.file(key(22, b"h", b"\0")), "key b'h' of database 0, .* RDB version 12"),
    ],
)
def test_what_is_not_known_is_told_from_damage(data: bytes, why: str) -> None:
    """Newer versions, values of modules: with the key, and what can be done."""
    with pytest.raises(rdb.UnsupportedError, match=why):
        check(data)


@pytest.mark.parametrize(
    "body",
    [
        key(1, b"my\xffkey", length(700) + raws(*[b"x"] * 699) + b"\xc4"),
        key(0, b"my\xffkey", b"\xc4"),
        key(16, b"my\xffkey", raw(b"")),
        key(2, b"my\xffkey", b"\xc4"),
    ],
)
def test_an_error_says_which_key_it_is(body: bytes) -> None:
    """Its name, its database, its type, and the place in the file."""
    data = craft.file(b"\xfe\x03" + key(0, b"before", raw(b"x")) + body)
    with pytest.raises(
        rdb.DamagedError, match=r"key b'my\\xffkey' of database 3, (list|string|hash|set).*: .*\(offset \d+\)"
    ) as caught:
        check(data)
    assert caught.value.offset is not None
    assert data.index(b"my\xffkey") < caught.value.offset < len(data) - 8


def test_a_value_without_elements_is_given_as_it_is() -> None:
    """Older versions of Redis wrote some, and newer ones skip them."""
    assert records(craft.file(key(2, b"s", b"\0") + key(1, b"l", b"\0")))[2::2] == [rdb.Set([]), rdb.List([])]


def test_what_is_twice_is_found_if_that_is_asked_for() -> None:
    """Packed values are small enough to be compared always."""
    twice = craft.file(key(2, b"s", length(2) + raws(b"a", b"a")))
    assert records(twice)[2] == rdb.Set([b"a", b"a"])
    with pytest.raises(rdb.DamagedError, match=r"key b's' .* member b'a' is there twice"):
        records(twice, all_unique=True)
    with pytest.raises(rdb.DamagedError, match=r"key b's' .* member b'a' is there twice"):
        records(craft.file(key(20, b"s", raw(listpack([b"a", b"a"])))))
    hashes = key(4, b"h", length(1) + raws(b"f", b"v")) + key(5, b"z", length(1) + raw(b"m") + bytes(8))
    assert records(craft.file(hashes)) == records(craft.file(hashes), all_unique=True)


class Measured:
    """A file that is made as it is read: so many keys of so many bytes, and how far it was read ahead."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._left = b""
        self.given = 0

    def read(self, size: int, /) -> bytes:
        """As much as is asked for."""
        while len(self._left) < size and (piece := next(self._pieces, b"")):
            self._left += piece
        given, self._left = self._left[:size], self._left[size:]
        self.given += len(given)
        return given


def test_a_file_is_read_no_further_than_a_chunk_ahead() -> None:
    """Also within one value: what is behind need not be there yet."""
    element = raw(b"x" * 1000)
    file = Measured([b"REDIS0010\x01\x01k" + length(5000), *[element] * 5000, b"\xff", bytes(8)])
    seen = 0
    for record in rdb.read_file(file):
        if isinstance(record, rdb.Key) and not isinstance(record.value, bytes):
            for part in record.value:
                assert isinstance(part, rdb.ListPart)
                seen += len(part.elements)
                assert file.given <= seen * len(element) + 2 * 256 * 1024
    assert seen == 5000


def test_many_modules_are_not_all_remembered() -> None:
    """A hundred names are enough to tell what will be missing."""
    body = b"".join(b"\xf7" + length(number << 10) + b"\2\1\0" for number in range(150))
    assert len(rdb.check_file(io.BytesIO(craft.file(body))).modules) == 100
