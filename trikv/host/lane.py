"""The way of jobs to a thread and back: in C (`_lane.c` says why), or in Python where that is not there.

One task posts a job, waits until `fileno` can be read, and takes the outcome; one thread serves and rings.
There is one job at a time, which the task ensures, and the end may be posted at any time. The descriptors are
closed when both have let go of the lane: a number that is another file's by then must never be written to.

The part in C is not used if it is of another version than this, or if a try shows that it does something else
here. Either way the same comes of it, and nobody needs to ask which it is.
"""

import errno
import os
import queue
from types import ModuleType
from typing import Final, Protocol

import attrs

VERSION: Final = 1
"""Version of `_lane.c`, which has the same number; a test compares both with the source."""


class Lane(Protocol):
    """What a worker and its thread share."""

    def fileno(self) -> int:
        """A descriptor that can be read once a job is done."""

    def post_write(self, fd: int, offset: int, data: bytes, syncs: bool, /) -> None:  # noqa: FBT001 - as in C
        """Post a write of all of `data`, and with `syncs` an ``fdatasync`` behind it."""

    def post_call(self) -> None:
        """Let `serve` return True."""

    def post_end(self) -> None:
        """Let `serve` return False, after the job that is under way."""

    def serve(self) -> bool:
        """For the thread: do what is posted until there is a call (True) or the end (False)."""

    def ring(self) -> None:
        """For the thread: the call is done."""

    def take(self) -> int:
        """Of a job that is done: the errno of a write that has failed, else 0."""


@attrs.frozen
class _Write:
    fd: int
    offset: int
    data: bytes
    syncs: bool


class PythonLane:
    """A lane without the part in C. Raises OSError if there is no descriptor left."""

    def __init__(self) -> None:
        self._posted: queue.SimpleQueue[_Write | bool] = queue.SimpleQueue()
        self._error = 0
        self._done_fd, self._ring_fd = os.pipe()
        os.set_blocking(self._done_fd, False)

    def fileno(self) -> int:
        """As `Lane.fileno`."""
        return self._done_fd

    def post_write(self, fd: int, offset: int, data: bytes, syncs: bool, /) -> None:  # noqa: FBT001 - as in C
        """As `Lane.post_write`."""
        self._posted.put(_Write(fd, offset, data, syncs))

    def post_call(self) -> None:
        """As `Lane.post_call`."""
        self._posted.put(True)

    def post_end(self) -> None:
        """As `Lane.post_end`."""
        self._posted.put(False)

    def serve(self) -> bool:
        """As `Lane.serve`."""
        while isinstance(posted := self._posted.get(), _Write):
            try:
                _write(posted)
            except OSError as error:
                self._error = error.errno or errno.EIO
            self.ring()
        return posted

    def ring(self) -> None:
        """As `Lane.ring`."""
        os.write(self._ring_fd, b"\0")

    def take(self) -> int:
        """As `Lane.take`."""
        os.read(self._done_fd, 1)
        error, self._error = self._error, 0
        return error

    def __del__(self) -> None:
        """As the part in C does when it is freed."""
        for fd in (self._done_fd, self._ring_fd):
            os.close(fd)


def sync(fd: int) -> None:
    """``fdatasync``; macOS has only ``fsync``."""
    if hasattr(os, "fdatasync"):
        os.fdatasync(fd)
    else:
        os.fsync(fd)


def _write(what: _Write) -> None:
    """``pwrite`` may take only a part (a signal, a full disk), so the rest is tried."""
    rest = memoryview(what.data)
    while rest:
        written = os.pwrite(what.fd, rest, what.offset + len(what.data) - len(rest))
        if not written:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        rest = rest[written:]
    if what.syncs:
        sync(what.fd)


def _does_it(compiled: ModuleType) -> bool:
    """Try it on a file in memory, and on one that is none. No thread is needed: what is posted waits."""
    results: list[object] = []
    try:
        fd = os.memfd_create("trikv", os.MFD_CLOEXEC)
        try:
            for write in ((fd, 1, b"abc", True), (fd, 3, b"", False), (-1, 0, b"d", True)):
                lane: Lane = compiled.Lane()
                lane.post_write(*write)
                lane.post_end()
                results += [lane.serve(), lane.take()]
                lane.post_call()
                results.append(lane.serve())
                lane.ring()
                results.append(lane.take())
            results.append(os.pread(fd, 9, 0))
        finally:
            os.close(fd)
    except Exception:  # noqa: BLE001 - after any error it is not used
        return False
    return results == [False, 0, True, 0, False, 0, True, 0, False, errno.EBADF, True, 0, b"\0abc"]


new_lane: type[Lane] = PythonLane
is_compiled = False
"""Whether it is the one in C."""
try:
    from trikv.host import _lane
except ImportError:
    pass
else:
    if getattr(_lane, "VERSION", None) == VERSION and _does_it(_lane):
        new_lane = _lane.Lane
        is_compiled = True
