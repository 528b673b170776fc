"""Freed memory goes back to the system. Tested in a process of its own: the settings cannot be undone."""

import ctypes
import subprocess
import sys
from types import SimpleNamespace

import pytest

from tests.tools import needs
from trikv.host import allocator, hub_wire, peer_socket, stream_server
from trikv.node.peers import incoming

BURST = """
import ctypes, os, sys
from trikv.host.allocator import give_back_freed_memory
if sys.argv[1] == "settled":
    assert give_back_freed_memory()
def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
b"".join([b"x" * (20 << 20)])  # by itself glibc serves the next ones from its heap
before, kept = resident(), []
values = []
for _ in range(100):
    values.append(bytearray(1 << 20))
    kept.append(bytearray(1000))  # what lives on lies between
del values
print((resident() - before) >> 20)
"""


def left_mib(how: str) -> int:
    """The memory in MiB that a process keeps after a burst of 100 MiB."""
    done = subprocess.run([sys.executable, "-c", BURST, how], capture_output=True, text=True, check=True)
    return int(done.stdout)


@needs(sys.platform == "linux", "reads /proc")
def test_a_burst_of_large_values_is_given_back() -> None:
    """Without the setting most of it stays with the process; with it nothing does."""
    assert left_mib("settled") < 10
    assert left_mib("as it is") > 50, "glibc has learnt: the setting may go"


def test_what_the_c_library_lacks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in musl, which has neither call: nothing is set, nothing fails, and whoever asked can say so."""
    monkeypatch.setattr(allocator, "_LIBRARY", SimpleNamespace())
    assert not allocator.give_back_freed_memory()
    assert not allocator.trim()

    def lacking(_: str) -> None:
        raise OSError("no such library")

    monkeypatch.setattr(ctypes, "CDLL", lacking)
    assert not allocator.load_what_ends_threads()


def test_all_three_settings_are_made_or_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The size of a mapping, how many there may be, what stays at the heap's end: one refusal counts."""
    asked: list[tuple[int, int]] = []

    def mallopt(name: int, value: int) -> int:
        asked.append((name, value))
        return int(len(asked) != refused)

    monkeypatch.setattr(allocator, "_LIBRARY", SimpleNamespace(mallopt=mallopt, malloc_trim=lambda _: 1))
    refused = 0
    assert allocator.give_back_freed_memory()
    assert asked == [(-3, 256 << 10), (-4, 16_384), (-1, 4 << 20)]
    assert allocator.trim()
    asked.clear()
    refused = 2
    assert not allocator.give_back_freed_memory()


@needs(sys.platform == "linux", "is about glibc")
def test_threads_can_end_without_loading_anything() -> None:
    """It is loaded before address space runs out."""
    assert allocator.load_what_ends_threads()


@pytest.mark.parametrize(
    "buffer_bytes",
    [hub_wire.RECV_BYTES, incoming.RECEIVE_BYTES, peer_socket.RECEIVE_BYTES, stream_server.READ_BYTES],
)
def test_what_a_socket_is_read_into_is_no_mapping_of_its_own(buffer_bytes: int) -> None:
    """A mapping made and taken back for every read cost a SET a twentieth, all of it in the kernel."""
    assert buffer_bytes <= allocator.MAPPED_BYTES_MIN // 2
