"""What a stranger's bytes may cost: work linear in the bytes, counted, not timed."""

from collections.abc import Callable

import pytest

from tests.protocol.events import drain
from trikv.protocol import client
from trikv.protocol.arrays import split_requests
from trikv.protocol.client import ClientWire
from trikv.protocol.resp import encode_command


def counting(function: Callable[[bytes], object], sizes: list[int]) -> Callable[[bytes], object]:
    """`function`, noting the size of what it is given."""

    def counted(data: bytes) -> object:
        sizes.append(len(data))
        return function(data)

    return counted


def test_a_chunk_is_split_once_however_its_requests_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client whose every request stops the short way does not make the node read the rest each time."""
    sizes: list[int] = []
    monkeypatch.setattr(client, "split_requests", counting(split_requests, sizes))
    chunk = encode_command([b"ECHO", b"\r\n"]) * 1000
    wire = ClientWire()
    wire.receive(chunk)
    assert len(drain(wire)) == 1000
    assert sizes == [len(chunk)]


@pytest.mark.parametrize(
    "unit",
    [
        b"\xff\xf1",
        b"\x7f",
        b"a\x7f",
        b"a\xff\xf8",
        b"\xff\xfd\x01",
        b"*0\r\n",
        b"*0\r\n\r\n \n",
        b"\r",
        b"\x08a\xff\xf7\r\0",
    ],
)
def test_hostile_lines_leave_nothing_behind(unit: bytes) -> None:
    """Telnet commands, erasures and empty requests by the thousand are consumed as they come."""
    wire = ClientWire()
    for _ in range(4):
        wire.receive(unit * 500)
        drain(wire)
    assert wire.buffered_bytes <= len(unit) * 2000
    assert len(wire._buffer) == 0
