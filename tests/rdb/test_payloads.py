"""The end of a payload: its version, and its checksum."""

import struct

import pytest

from tests.rdb.craft import crc64, length, payload, raw
from trikv import rdb
from trikv.rdb.payloads import payload_of, read_payload


def test_redis_own_example_is_read() -> None:
    """``DUMP`` of 10, from Redis' documentation of the command."""
    known = b"\x00\xc0\n\n\x00n\x9fWE\x0e\xaec\xbb"
    assert rdb.gathered(read_payload(known)) == rdb.String(b"10")
    assert b"".join(payload_of(rdb.String(b"10"))) == known


def test_a_newer_version_is_refused_with_what_can_be_done() -> None:
    """Before anything of the value is looked at."""
    with pytest.raises(rdb.PayloadError, match="RDB version 12: RDB versions up to 11 are read") as caught:
        list(read_payload(payload(0, raw(b"x"), 12)))
    assert rdb.NEWER in str(caught.value)


@pytest.mark.parametrize("size", range(11))
def test_what_is_too_short_has_no_end(size: int) -> None:
    """Neither does nothing."""
    with pytest.raises(rdb.PayloadError):
        list(read_payload(payload(0, b"\0")[:size]))


def test_a_wrong_checksum_is_told_from_damage() -> None:
    """RESTORE has a reply of its own for it."""
    good = payload(0, raw(b"hello"))
    for place in range(len(good)):
        for bit in range(8):
            bad = bytearray(good)
            bad[place] ^= 1 << bit
            with pytest.raises(rdb.PayloadError, match=r"the checksum is not|of RDB version"):
                list(read_payload(bytes(bad)))


def test_a_long_payload_is_summed_in_steps() -> None:
    """Both ways; and the sum is that of all of it."""
    text = bytes(range(256)) * 5000
    pieces = list(payload_of(rdb.String(text), compress=False))
    data = b"".join(pieces)
    assert data == payload(0, raw(text))
    assert pieces.count(b"") >= 2
    parts = list(read_payload(data))
    assert [part for part in parts if part is not None] == [rdb.String(text)]
    assert parts.count(None) >= 2
    with pytest.raises(rdb.PayloadError, match="checksum"):
        list(read_payload(data[:-20] + bytes(20)))


def test_a_string_is_no_longer_than_the_caller_wants() -> None:
    """The bound is the caller's."""
    data = payload(0, raw(b"x" * 101))
    assert rdb.gathered(read_payload(data, string_bytes_max=101)) == rdb.String(b"x" * 101)
    with pytest.raises(rdb.UnsupportedError, match="of 101 bytes; above 100 they are not read"):
        list(read_payload(data, string_bytes_max=100))


def test_the_version_is_what_was_asked_for() -> None:
    """10 unless it was; no older and no newer one."""
    for version in (10, 11):
        data = b"".join(payload_of(rdb.String(b"x"), version=version))
        assert data[-10:-8] == struct.pack("<H", version)
        assert data[-8:] == struct.pack("<Q", crc64(data[:-8]))
    for version in (9, 12):
        with pytest.raises(rdb.UnsupportedError, match=f"RDB versions 10 and 11, not {version}"):
            list(payload_of(rdb.String(b"x"), version=version))


def test_the_value_must_fill_the_payload() -> None:
    """What follows it is no part of it, although Redis would not look."""
    with pytest.raises(rdb.DamagedError, match="the value ends 3 bytes early"):
        list(read_payload(payload(1, length(1) + raw(b"x") + b"abc")))
