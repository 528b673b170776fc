"""Files on the way out."""

import io
import struct

import pytest

from tests.rdb import craft
from tests.rdb.craft import length, listpack, raw, raws
from trikv import rdb


def test_a_file_is_written_as_by_hand() -> None:
    """Header, aux fields, libraries, databases, keys with deadlines, end with checksum."""
    file = io.BytesIO()
    writer = rdb.FileWriter(file, compress=False)
    writer.aux(b"redis-ver", b"7.0.15")
    writer.aux(b"redis-bits", b"64")
    writer.library(b"#!lua name=lib")
    writer.database(3, keys=3, deadlines=1)
    writer.key(b"a", b"12345")
    writer.key(b"b", b"text", 1_700_000_000_000)
    writer.key(b"l", rdb.List([b"x"]))
    for _ in writer.key_in_steps(b"s", rdb.String(b"y")):
        pass
    writer.end()
    assert file.getvalue() == craft.file(
        (b"\xfa" + raws(b"redis-ver", b"7.0.15"))
        + (b"\xfa" + raw(b"redis-bits") + b"\xc0\x40")
        + (b"\xf5" + raw(b"#!lua name=lib"))
        + (b"\xfe\x03\xfb\x03\x01")
        + (b"\0\1a\xc1" + struct.pack("<h", 12_345))
        + (b"\xfc" + struct.pack("<q", 1_700_000_000_000) + b"\0" + raws(b"b", b"text"))
        + (b"\x12\1l\1\2" + raw(listpack([b"x"])))
        + (b"\0" + raws(b"s", b"y"))
    )


def test_a_checksum_may_be_left_out() -> None:
    """It is zeros then, as with Redis' rdbchecksum no."""
    file = io.BytesIO()
    writer = rdb.FileWriter(file, version=11, has_checksum=False)
    writer.end()
    assert file.getvalue() == b"REDIS0011\xff" + bytes(8)
    assert rdb.check_file(io.BytesIO(file.getvalue())).version == 11


def test_no_other_version_is_written() -> None:
    """Nothing has been written then."""
    file = io.BytesIO()
    with pytest.raises(rdb.UnsupportedError, match="not 12"):
        rdb.FileWriter(file, version=12)
    assert file.getvalue() == b""


class Pieces:
    """A file that remembers how much it got at once."""

    def __init__(self) -> None:
        self.data = b""
        self.most = 0

    def write(self, data: bytes, /) -> None:
        """Take these."""
        self.data += data
        self.most = max(self.most, len(data))


def test_it_is_written_piece_by_piece() -> None:
    """About 64 KiB at once, however large a value is; and it is read back."""
    file = Pieces()
    writer = rdb.FileWriter(file)
    members = [b"member %d" % number for number in range(30_000)]
    writer.database(0, keys=1, deadlines=0)
    steps = sum(1 for _ in writer.key_in_steps(b"s", rdb.Set(members)))
    writer.end()
    assert steps > 100
    assert file.most < 100_000
    for record in rdb.read_file(io.BytesIO(file.data), all_unique=True):
        if isinstance(record, rdb.Key):
            assert not isinstance(record.value, bytes)
            assert rdb.gathered(record.value) == rdb.Set(members)


def test_a_hash_with_deadlines_is_refused() -> None:
    """There is no form for it; the file is not finished then."""
    writer = rdb.FileWriter(io.BytesIO(), version=11)
    with pytest.raises(rdb.UnsupportedError, match="deadlines has no form in RDB version 11"):
        writer.key(b"h", rdb.Hash([(b"f", b"v")], has_deadlines=True))


def test_lengths_are_in_their_shortest_form() -> None:
    """Those of a database with very many keys, too."""
    file = io.BytesIO()
    writer = rdb.FileWriter(file)
    writer.database(0, keys=2**33, deadlines=100)
    writer.end()
    assert b"\xfb" + length(2**33) + length(100) + b"\xff" in file.getvalue()
