"""The cost of a stranger's bytes: work is linear in the bytes. It is counted, not timed."""

from collections.abc import Callable, Collection
from typing import Any

import pytest

from tests.protocol.events import drain
from trikv.client.commands import encode_command
from trikv.protocol import requests
from trikv.protocol.arrays import split_requests
from trikv.protocol.events import Args, memory_of
from trikv.protocol.requests import ClientWire


def counting(function: Callable[[bytes], object], sizes: list[int]) -> Callable[[bytes], object]:
    """`function`, noting the size of what it is given."""

    def counted(data: bytes) -> object:
        sizes.append(len(data))
        return function(data)

    return counted


def test_a_chunk_is_split_once_however_its_requests_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client whose every request stops the short way does not make the node read the rest each time."""
    sizes: list[int] = []
    monkeypatch.setattr(requests, "split_requests", counting(split_requests, sizes))
    chunk = encode_command([b"ECHO", b"\r\n"]) * 1000
    wire = ClientWire()
    wire.receive(chunk)
    assert len(drain(wire)) == 1000
    assert sizes == [len(chunk)]


def test_a_long_pipeline_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory of waiting requests is asked for with each piece that is taken, but counted only once."""
    counted = 0

    def counting_memory_of(waiting: Collection[Args]) -> int:
        nonlocal counted
        counted += len(waiting)
        return memory_of(waiting)

    monkeypatch.setattr(requests, "memory_of", counting_memory_of)
    wire = ClientWire()
    wire.receive(encode_command([b"PING"]) * 4_000)
    taken = 0
    while run := wire.run(100)[0]:
        taken += len(run)
        assert wire.memory_bytes >= 80 * (4_000 - taken)
    assert (taken, wire.memory_bytes) == (4_000, 0)
    assert counted <= 2 * 4_000


class Searched(bytearray):
    """A buffer that counts the bytes that were searched."""

    sought_bytes = 0

    def find(self, wanted: Any, start: Any = 0, end: Any = None) -> int:
        """Where it is."""
        self.sought_bytes += min(len(self), len(self) if end is None else end) - start
        return super().find(wanted, start, end)


@pytest.mark.parametrize("line", [b"GET " + b"x" * 20_000 + b"\r\n", b"*" + b"1" * 20_000 + b"\r\n"])
def test_a_line_that_comes_byte_by_byte_is_looked_through_once(line: bytes) -> None:
    """A program's line, and the line that announces an array: no byte of it is searched twice for its end."""
    wire = ClientWire()
    drain_after(wire, encode_command([b"PING"]))
    wire._buffer = buffer = Searched()
    for byte in line:
        drain_after(wire, bytes((byte,)))
    assert buffer.sought_bytes <= 3 * len(line)


def drain_after(wire: ClientWire, data: bytes) -> None:
    """Let `data` come, and take what is whole."""
    wire.receive(data)
    drain(wire)


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
