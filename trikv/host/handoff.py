"""The way of jobs to a thread and back: in C (`_handoff.c` says why), or in Python where that is not there.

One task posts a job, waits until `fileno` can be read, and takes the outcome; one thread serves and rings.
There is one job at a time, which the task ensures, and the end may be posted at any time. The descriptors are
closed when both have let go of it: a number that is another file's by then must never be written to.

The part in C is not used if it is of another version than this, or if a try shows that it does something else
here. Either way the same comes of it, and nobody needs to ask which it is.
"""

import contextlib
import errno
import os
import queue
from types import ModuleType
from typing import Final, Protocol

import attrs

VERSION: Final = 2
"""Version of `_handoff.c`, which has the same number; a test compares both with the source."""


class Handoff(Protocol):
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
        """Of a job that is done: the errno of a write that has failed, else 0.

        Raises what else has become of a write: without memory, say, in Python.
        """


@attrs.frozen
class _Write:
    fd: int
    offset: int
    data: bytes
    syncs: bool


class PythonHandoff:
    """A handoff without the part in C. Raises OSError if there is no descriptor left."""

    def __init__(self) -> None:
        self._posted: queue.SimpleQueue[_Write | bool] = queue.SimpleQueue()
        self._failure: BaseException | None = None
        self._done_fd = self._ring_fd = -1  # `__del__` looks at them, even if there is no room for a pipe
        self._done_fd, self._ring_fd = os.pipe()
        os.set_blocking(self._done_fd, False)

    def fileno(self) -> int:
        """As `Handoff.fileno`."""
        return self._done_fd

    def post_write(self, fd: int, offset: int, data: bytes, syncs: bool, /) -> None:  # noqa: FBT001 - as in C
        """As `Handoff.post_write`."""
        self._posted.put(_Write(fd, offset, data, syncs))

    def post_call(self) -> None:
        """As `Handoff.post_call`."""
        self._posted.put(True)

    def post_end(self) -> None:
        """As `Handoff.post_end`."""
        self._posted.put(False)

    def serve(self) -> bool:
        """As `Handoff.serve`."""
        while True:
            posted = self._posted.get()
            if isinstance(posted, bool):
                return posted
            try:
                _write(posted)
            except BaseException as error:  # noqa: BLE001 - it is raised again, in the task that waits
                self._failure = error
            del posted  # its bytes are nobody's while the thread waits
            self.ring()

    def ring(self) -> None:
        """As `Handoff.ring`."""
        os.write(self._ring_fd, b"\0")

    def take(self) -> int:
        """As `Handoff.take`."""
        os.read(self._done_fd, 1)
        failure, self._failure = self._failure, None
        if failure is None:
            return 0
        if isinstance(failure, OSError) and failure.errno:
            return failure.errno
        try:
            raise failure
        finally:
            del failure  # its traceback holds this frame

    def __del__(self) -> None:
        """As the part in C does when it is freed."""
        for fd in (self._done_fd, self._ring_fd):
            if fd >= 0:
                os.close(fd)


def sync(fd: int) -> None:
    """``fdatasync``; macOS has only ``fsync``. Raises OSError."""
    if fd < 0:  # Python has another exception for it
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
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
    """Try it on a file in memory, on one that is none, and on one that cannot be synced.

    No thread is needed: what is posted waits.
    """
    results: list[object] = []
    with contextlib.ExitStack() as stack:
        try:
            file = os.memfd_create("trikv", os.MFD_CLOEXEC)
            stack.callback(os.close, file)
            pipe = os.pipe()
            for fd in pipe:
                stack.callback(os.close, fd)
            for write in (
                (file, 1, b"abc", True),
                (file, 3, b"", False),
                (-1, 0, b"", True),
                (pipe[1], 0, b"", True),
            ):
                one: Handoff = compiled.Handoff()
                one.post_write(*write)
                one.post_end()
                results += [one.serve(), one.take()]
                one.post_call()
                results.append(one.serve())
                one.ring()
                results.append(one.take())
            results.append(os.pread(file, 9, 0))
        except Exception:  # noqa: BLE001 - after any error it is not used
            return False
    outcomes = [each for error in (0, 0, errno.EBADF, errno.EINVAL) for each in (False, error, True, 0)]
    return results == [*outcomes, b"\0abc"]


new_handoff: type[Handoff] = PythonHandoff
is_compiled = False
"""Whether it is the one in C."""
try:
    from trikv.host import _handoff
except ImportError:
    pass
else:
    if getattr(_handoff, "VERSION", None) == VERSION and _does_it(_handoff):
        new_handoff = _handoff.Handoff
        is_compiled = True
