"""Zipmaps, which only very old files have."""

import pytest

from tests.rdb.craft import zipmap
from trikv.rdb.errors import DamagedError
from trikv.rdb.zipmap import Zipmap

PAIRS = [(b"a", b"1"), (b"", b""), (b"long" * 100, b"x" * 253), (b"b", b"y" * 254)]


def read(data: bytes) -> list[bytes]:
    """All fields and values."""
    pack, found = Zipmap(data, 100), []
    while some := pack.some():
        found += some
    return found


@pytest.mark.parametrize("unused", [0, 1, 4])
def test_what_is_in_it_is_read(unused: int) -> None:
    """With unused bytes behind the values, and lengths of both forms."""
    assert read(zipmap(PAIRS, unused)) == [text for pair in PAIRS for text in pair]


def test_many_fields_are_counted_in_chunks() -> None:
    """From 254 on the first byte says nothing."""
    pairs = [(b"%d" % number, b"x") for number in range(300)]
    pack = Zipmap(zipmap(pairs), 0)
    assert [len(pack.some()) for _ in range(4)] == [256, 256, 88, 0]
    assert read(zipmap([])) == []


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "has no end"),
        (b"\xff", "has no end"),
        (b"\0\0", "has no end"),
        (zipmap(PAIRS, count=3), "of 4 fields says that it has 3"),
        (b"\1\xff\xff", "ends before its end"),
        (b"\1\1a\xff", "ends before its end"),
        (b"\1\1a\1\xff", "ends within a value"),
        (b"\1\1a\xfe\0\xff", "ends within a value"),
        (b"\1\5a\1\0b\xff", "ends behind its end"),
        (b"\1\1a\1\x05b\xff", "ends behind its end"),
        (b"\1\xfe\xff\xff\xff\xff\xff", "ends behind its end"),
    ],
)
def test_what_is_wrong_is_refused(data: bytes, why: str) -> None:
    """The error says what, at which byte, and where the zipmap is."""
    with pytest.raises(DamagedError, match=rf"zipmap .*{why}.* at its byte \d+ \(offset 100\)"):
        read(data)
