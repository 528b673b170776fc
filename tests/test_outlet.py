"""The stream of a node's log: never late, never failing, and honest about what it lost."""

import contextlib
import errno
import fcntl
import os
import threading
import time
from collections.abc import Iterator

import pytest

from trikv.outlet import HELD_BYTES_MAX, Outlet

PATIENCE_S = 60


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe's two ends."""
    reader, writer = os.pipe()
    yield reader, writer
    for descriptor in (reader, writer):
        with contextlib.suppress(OSError):
            os.close(descriptor)


class Device:
    """What an outlet writes to, with an error at will, and a gate."""

    def __init__(self) -> None:
        self.error: OSError | None = None
        self.room: int | None = None
        """Bytes it takes before the error; None: any number."""
        self.text = b""
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        """Somebody stands before the gate, or has passed it."""

    def write(self, _: int, data: bytes) -> int:
        """Take `data`, or some of it, or fail."""
        self.entered.set()
        assert self.gate.wait(PATIENCE_S)
        if self.error is not None and not self.room:
            raise self.error
        taken = data if self.room is None else data[: self.room]
        if self.room is not None:
            self.room -= len(taken)
        self.text += taken
        return len(taken)


def fill(writer: int) -> int:
    """Fill a pipe without waiting; how many bytes that took."""
    os.set_blocking(writer, False)
    taken = 0
    for piece in (bytes(4096), b"\0"):
        with contextlib.suppress(BlockingIOError):
            while True:
                taken += os.write(writer, piece)
    os.set_blocking(writer, True)
    return taken


def drain(outlet: Outlet) -> None:
    """Wait until it holds nothing."""
    assert outlet.drain(PATIENCE_S)


def test_lines_leave_in_order(pipe: tuple[int, int]) -> None:
    """Whole lines at once, half a line with its end or a flush."""
    reader, writer = pipe
    outlet = Outlet(writer)
    print("one", file=outlet)
    outlet.write("two\nthr")
    drain_of_lines = outlet.drain(PATIENCE_S)
    outlet.write("ee\n")
    drain(outlet)
    assert drain_of_lines
    assert os.read(reader, 100) == b"one\ntwo\nthree\n"
    assert (outlet.fileno(), outlet.isatty(), outlet.writable(), outlet.lines_lost) == (
        writer,
        False,
        True,
        0,
    )


def test_a_full_pipe_holds_nobody_up(pipe: tuple[int, int]) -> None:
    """Nobody reads, and the descriptor would block: writing returns, and all comes when somebody reads."""
    reader, writer = pipe
    junk = fill(writer)
    outlet = Outlet(writer)
    before = time.perf_counter()
    for number in range(1000):
        print(f"line {number}", file=outlet, flush=True)
    assert time.perf_counter() - before < PATIENCE_S / 2
    assert not outlet.drain(0.01)
    expected = b"".join(b"line %d\n" % number for number in range(1000))
    seen = b""
    while len(seen) < junk + len(expected):
        seen += os.read(reader, 65536)
    assert seen[junk:] == expected
    drain(outlet)
    assert outlet.lines_lost == 0


def test_a_full_pipe_that_does_not_block_is_waited_for(pipe: tuple[int, int]) -> None:
    """Somebody who shares the open file made it non-blocking: EAGAIN loses no line."""
    reader, writer = pipe
    junk = fill(writer)
    flags = fcntl.fcntl(writer, fcntl.F_GETFL)
    os.set_blocking(writer, False)
    outlet = Outlet(writer)
    print("kept", file=outlet)
    assert not outlet.drain(0.01)
    seen = b""
    while len(seen) < junk + 5:
        seen += os.read(reader, 65536)
    drain(outlet)
    assert seen[junk:] == b"kept\n"
    assert outlet.lines_lost == 0
    assert fcntl.fcntl(writer, fcntl.F_GETFL) == flags | os.O_NONBLOCK  # it is somebody else's to change


def test_what_has_no_room_is_dropped_and_told_at_its_place() -> None:
    """The buffer is bounded; the notice stands between what was kept before and what comes after."""
    device = Device()
    device.gate.clear()
    outlet = Outlet(-1, write=device.write)
    line = "x" * 1023
    kept = HELD_BYTES_MAX // 1024
    for _ in range(kept + 5):
        print(line, file=outlet)
    assert outlet.lines_lost == 5
    device.gate.set()
    drain(outlet)
    print("after", file=outlet)
    drain(outlet)
    expected = f"{line}\n" * kept + "trikv: 5 lines of the log were lost: nobody reads them\nafter\n"
    assert device.text.decode() == expected
    assert outlet.lines_lost == 5


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EPIPE, errno.EIO, errno.EBADF, errno.ECONNRESET])
def test_what_cannot_be_written_is_told_when_it_works_again(number: int) -> None:
    """Once, with the number of lines and the reason; it is counted for good."""
    device = Device()
    outlet = Outlet(-1, write=device.write)
    device.error = OSError(number, os.strerror(number))
    for _ in range(3):
        print("lost", file=outlet)
        drain(outlet)
    assert (device.text, outlet.lines_lost) == (b"", 3)
    device.error = None
    for _ in range(2):
        print("written", file=outlet)
        drain(outlet)
    notice = f"trikv: 3 lines of the log were lost: {os.strerror(number)}\n"
    assert device.text.decode() == f"{notice}written\nwritten\n"
    assert outlet.lines_lost == 3
    device.error = OSError(number, os.strerror(number))
    print("lost", file=outlet)
    drain(outlet)
    device.error = None
    print("written", file=outlet)
    drain(outlet)
    assert device.text.decode().endswith(f"1 line of the log was lost: {os.strerror(number)}\nwritten\n")


def test_half_a_line_does_not_swallow_the_next() -> None:
    """The disk was full in the middle of a line: the next one begins anew."""
    device = Device()
    outlet = Outlet(-1, write=device.write)
    device.error, device.room = OSError(errno.ENOSPC, "full"), 4
    print("torn off", file=outlet)
    drain(outlet)
    device.error = device.room = None
    print("whole", file=outlet)
    drain(outlet)
    assert device.text == b"torn\ntrikv: 1 line of the log was lost: full\nwhole\n"


def test_an_error_after_the_buffer_was_full_loses_no_count() -> None:
    """Lines dropped for want of room, and then the descriptor fails: one notice tells of all."""
    device = Device()
    device.gate.clear()
    outlet = Outlet(-1, write=device.write)
    print("first", file=outlet)
    assert device.entered.wait(PATIENCE_S)
    for _ in range(HELD_BYTES_MAX // 1024 + 1):
        print("x" * 1023, file=outlet)
    device.error = OSError(errno.EIO, "gone")
    device.gate.set()
    drain(outlet)
    lost = outlet.lines_lost
    assert lost > HELD_BYTES_MAX // 1024
    device.error = None
    print("back", file=outlet)
    drain(outlet)
    assert device.text == b"trikv: %d lines of the log were lost: gone\nback\n" % lost


def test_a_line_without_end_is_bounded() -> None:
    """What never ends leaves in pieces."""
    device = Device()
    outlet = Outlet(-1, write=device.write)
    for _ in range(100):
        outlet.write("y" * 1000)
    drain(outlet)
    assert device.text == b"y" * 100_000


def test_any_text_can_be_written() -> None:
    """Bytes that were no text come out as they were, characters that the encoding lacks as escapes."""
    device = Device()
    outlet = Outlet(-1, encoding="ascii", write=device.write)
    print("\udcff\u2026", file=outlet)
    drain(outlet)
    assert device.text == b"\xff\\u2026\n"
    assert outlet.encoding == "ascii"
