"""Lengths and strings, from memory and from a file that gives what it likes."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rdb import craft
from trikv.rdb import encoding, lzf
from trikv.rdb.errors import DamagedError, UnsupportedError
from trikv.rdb.source import FileSource, Source
from trikv.rdb.steps import STEP_BYTES, drained


class Dripping:
    """A file that gives one byte at a time, whatever is asked for."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read(self, _: int, /) -> bytes:
        """The next one."""
        return self._file.read(1)


def sources(data: bytes, most: int = 1 << 20) -> list[Source]:
    """From memory, where other bytes follow, and from two files."""
    return [
        Source(data + b"\x05other", len(data), most),
        FileSource(io.BytesIO(data), most),
        FileSource(Dripping(data), most),
    ]


LZF = b"\xc3" + craft.length(4) + craft.length(9) + b"\x00a\xc0\x00"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\0", b""),
        (b"\x05hello", b"hello"),
        (b"\x40\x05hello", b"hello"),
        (b"\x80\0\0\0\x05hello", b"hello"),
        (b"\x81\0\0\0\0\0\0\0\x05hello", b"hello"),
        (craft.raw(b"x" * 63), b"x" * 63),
        (craft.raw(b"x" * 64), b"x" * 64),
        (craft.raw(b"x" * 20_000), b"x" * 20_000),
        (b"\xc0\xff", b"-1"),
        (b"\xc1\x00\x80", b"-32768"),
        (b"\xc2\xff\xff\xff\x7f", b"2147483647"),
        (LZF, b"a" * 9),
    ],
)
def test_every_form_of_a_string_is_read(data: bytes, text: bytes) -> None:
    """Its length may be longer than it needs to be."""
    for source in sources(data):
        assert source.string() == text
        assert source.offset == len(data)


@pytest.mark.parametrize("number", [0, 63, 64, 16_383, 16_384, 2**32 - 1, 2**32, 2**64 - 1])
def test_every_length_is_read_and_written(number: int) -> None:
    """Six, 14, 32 or 64 bits, big-endian."""
    assert encoding.length(number) == craft.length(number)
    for source in sources(craft.length(number)):
        assert source.length() == number


def test_numbers_of_fixed_width_are_read() -> None:
    """Times, doubles, single bytes."""
    data = struct.pack("<qdB", -5, 1.5, 200)
    for source in sources(data):
        assert (source.milliseconds(), source.double(), source.byte()) == (-5, 1.5, 200)


@pytest.mark.parametrize(
    ("data", "why", "offset"),
    [
        (b"", "ends where 1 byte should follow, and there are 0", 0),
        (b"\x05hell", "ends where 5 bytes should follow, and there are 4", 1),
        (b"\x40", "ends where 2 bytes", 0),
        (b"\x80\0\0", "ends where 4 bytes", 1),
        (b"\x82\0\0", "no length begins with byte 0x82", 0),
        (b"\xc4\0\0", "no string begins with byte 0xc4", 0),
        (b"\xff", "no string begins with byte 0xff", 0),
        (b"\xc1\0", "ends where 2 bytes", 1),
        (b"\xc3\xc0\0", "no length begins with byte 0xc0", 1),
        (LZF[:-1], "ends where 4 bytes", 3),
        (b"\xc3\x03\x03\x05ab", "compressed string: the compressed bytes end within a token", 0),
        (b"\xc3\x03\x04\x01ab", "compressed string: .* do not make the 4", 0),
        (b"\xc3\x01\x50\0\0", "compressed string: 1 compressed bytes cannot make 4096", 0),
    ],
)
def test_what_is_wrong_is_refused(data: bytes, why: str, offset: int) -> None:
    """The error says what, and where it begins."""
    for source in sources(data):
        with pytest.raises(DamagedError, match=why) as caught:
            source.string()
        assert caught.value.offset == offset


@pytest.mark.parametrize("head", [craft.length(1001), b"\xc3\x14" + craft.length(1001)])
def test_a_string_is_no_longer_than_wanted(head: bytes) -> None:
    """However it is written, and before its bytes are looked for."""
    for source in sources(craft.length(2**63) + b"x", 1000):
        with pytest.raises(UnsupportedError, match=r"of 9223372036854775808 bytes.* above 1000 they are not"):
            source.string()
    for source in sources(head, 1000):
        with pytest.raises(UnsupportedError, match=r"of 1001 bytes.* above 1000 they are not read"):
            source.string()


def test_a_compressed_string_is_no_bomb() -> None:
    """What would be read of the file is bounded as well as what comes out."""
    for source in sources(b"\xc3" + craft.length(2000) + b"\x05", 1000):
        with pytest.raises(UnsupportedError, match="of 2000 bytes"):
            source.string()


def test_a_long_compressed_string_comes_in_steps() -> None:
    """`short` says so, `text` does either."""
    text = b"".join(b"%d," % number for number in range(400_000))
    tokens = drained(lzf.compressed_in_steps(text))
    data = b"\xc3" + craft.length(len(tokens)) + craft.length(len(text)) + tokens + b"\x01x"
    assert len(text) > 10 * STEP_BYTES
    for source in sources(data, 1 << 30)[:2]:
        assert source.short() is None
        assert sum(1 for _ in source.long()) > 3
        assert source.string() == b"x"
    for source in sources(data, 1 << 30)[:2]:
        assert drained(source.text()) == text
    for source in sources(data, 1 << 30)[:2]:
        assert source.string() == text
    wrong = b"\xc3" + craft.length(len(tokens)) + craft.length(len(text) - 1) + tokens
    for source in sources(wrong, 1 << 30)[:2]:
        with pytest.raises(DamagedError, match="do not make") as caught:
            source.string()
        assert caught.value.offset == 0


def test_a_file_is_summed_as_it_is_taken() -> None:
    """In any pieces; what is behind does not count."""
    data = b"".join(craft.raw(b"x" * size) for size in (0, 5, 70, 20_000, 700_000))
    for source in sources(data + b"behind")[1:]:
        assert isinstance(source, FileSource)
        for _ in range(5):
            source.string()
        assert source.sum_up() == craft.crc64(data)
        assert not source.is_at_end()
        assert source.take(6) == b"behind"
        assert source.is_at_end()


@given(
    st.lists(st.binary(max_size=400) | st.integers(-(2**33), 2**33).map(lambda n: b"%d" % n)), st.booleans()
)
def test_what_is_written_is_read(texts: list[bytes], compress: bool) -> None:  # noqa: FBT001
    """Strings one behind the other, compressed or not."""
    data = b"".join(encoding.short_string(text, compress=compress) for text in texts)
    for source in sources(data):
        assert [source.string() for _ in texts] == texts
