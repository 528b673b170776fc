"""Text of the system: whatever bytes it came from, it leaves as the same, and nothing raises on the way."""

import contextlib
import os
import socket
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trikv.system_text import LOSSLESS, check, check_host, of_utf8, to_bytes


@given(st.binary())
def test_bytes_of_the_system_come_out_as_they_went_in(data: bytes) -> None:
    """A path or a password that is no UTF-8 keeps every byte."""
    assert to_bytes(os.fsdecode(data)) == data


def one_by_one(text: str, encoding: str) -> bytes:
    """What `LOSSLESS` is to do, one character at a time."""
    parts = []
    for character in text:
        if "\udc80" <= character <= "\udcff":
            parts.append(bytes([ord(character) & 0xFF]))
        else:
            try:
                parts.append(character.encode(encoding))
            except UnicodeEncodeError:
                parts.append(character.encode("ascii", "backslashreplace"))
    return b"".join(parts)


@given(st.text(alphabet=st.characters()))
def test_no_text_raises(text: str) -> None:
    """Not even what no system would hand over: each character leaves as itself, as its byte, or escaped."""
    assert to_bytes(text) == one_by_one(text, sys.getfilesystemencoding())
    for encoding in ("ascii", "latin-1", "utf-8"):
        assert text.encode(encoding, LOSSLESS) == one_by_one(text, encoding)


def test_what_an_encoding_lacks_is_escaped() -> None:
    """Bytes that were no text come out as they were, other characters as escapes."""
    assert "d\udcff".encode("utf-8", LOSSLESS) == b"d\xff"
    assert "d\udcff\u2026\ud800".encode("ascii", LOSSLESS) == b"d\xff\\u2026\\ud800"
    assert "\xe9\u2026".encode("latin-1", LOSSLESS) == b"\xe9\\u2026"
    with pytest.raises(UnicodeDecodeError):
        b"\xff".decode("ascii", LOSSLESS)


@given(st.text())
def test_a_file_that_is_utf_8_means_its_bytes(text: str) -> None:
    """What a TOML file says is the same path and password in every locale."""
    assert os.fsencode(of_utf8(text)) == text.encode()


def test_what_can_be_no_path_is_refused() -> None:
    """Zero bytes, and what the file system's encoding cannot hold."""
    check("a/b\udcff")
    with pytest.raises(ValueError, match="zero byte"):
        check("a\0b")
    with pytest.raises(ValueError, match=f"this system's encoding, {sys.getfilesystemencoding()}"):
        check("\ud800")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "::1", "fe80::1%eth0", "db-1.example", "b\xfccher.example", "a_b"]
)
def test_hosts(host: str) -> None:
    """Addresses and names, of other scripts too: to dial them can fail, by nothing but OSError."""
    check_host(host)
    with contextlib.suppress(OSError):
        found = socket.getaddrinfo(host, 1, flags=socket.AI_NUMERICHOST)  # asks no server
        assert {address[0] for *_, address in found} == {host.partition("%")[0]}


@pytest.mark.parametrize("host", ["a..b", "x" * 64, "h\udcff"])
def test_what_is_no_host(host: str) -> None:
    """It would raise in the midst of dialling, where only OSError is awaited."""
    with pytest.raises(ValueError, match="is no name of a host"):
        check_host(host)
    with pytest.raises(UnicodeError):
        socket.getaddrinfo(host, 1, flags=socket.AI_NUMERICHOST)
