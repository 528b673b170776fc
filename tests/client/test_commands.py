"""Commands as bytes."""

import hiredis  # noqa: TID251 - what a server reads
from hypothesis import given
from hypothesis import strategies as st

from trikv.client.commands import encode_command
from trikv.protocol.arrays import split_requests


def test_text_bytes_and_numbers_are_arguments() -> None:
    """Text goes as UTF-8, a number in digits, bytes as they are; an empty argument is one."""
    expected = b"*5\r\n$3\r\nSET\r\n$2\r\n\xc3\xa4\r\n$2\r\n\x00\r\r\n$2\r\n-1\r\n$0\r\n\r\n"
    assert encode_command(("SET", "ä", b"\x00\r", -1, "")) == expected
    assert encode_command(["SET", "ä", b"\x00\r", -1, ""]) == expected


@given(st.lists(st.lists(st.binary(max_size=20), min_size=1, max_size=5), min_size=1, max_size=5))
def test_a_server_reads_what_was_meant(commands: list[list[bytes]]) -> None:
    """Whatever the bytes are; one command behind the other."""
    reader = hiredis.Reader()
    reader.feed(b"".join(map(encode_command, commands)))
    assert [reader.gets() for _ in commands] == commands


def test_a_node_reads_what_was_meant() -> None:
    """The quick way of its parser takes it."""
    requests, _ = split_requests(encode_command(("GET", b"k")) * 2)
    assert requests == [(b"GET", b"k")] * 2
