"""A thread that runs one blocking call after another for one Trio task: the shortest way to a disk.

Measured here for a 512-byte write and fdatasync (median; 225 us without any thread):
`trio.to_thread.run_sync` 700 us, a thread that wakes Trio by `TrioToken.run_sync_soon` 530 us, this one
420 us. It answers through a descriptor that the waiting task itself reads: that is one turn of Trio's loop,
and the token needs two. Writes need no Python in the thread, and do not wait for its interpreter (`handoff`).
"""

import errno
import os
import queue
import threading
import traceback
from collections.abc import Callable
from typing import Any, TypeVar

import attrs
import trio

from trikv.errors import NO_THREADS
from trikv.host.handoff import Handoff, new_handoff

T = TypeVar("T")


@attrs.define
class _Call:
    """One call on its way to the thread and back."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    result: Any = None
    error: BaseException | None = None


class Worker:
    """One thread, started by `start` or the first call, ended by `close`.

    All that a call needs (descriptors, a thread, an epoll watch) is taken in `start`, before anything depends
    on it. No later call needs more.

    A call cannot be cancelled: `run` returns only when the thread is done with it, so that nothing is written
    after the caller has gone on. Cancellation is noticed before a call starts, and after it by the caller's
    next checkpoint.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: queue.SimpleQueue[_Call] = queue.SimpleQueue()
        self._handoff: Handoff | None = None
        """None before it is started, and once it is closed."""
        self._busy = False
        self._closed = False

    async def start(self) -> None:
        """Start the thread. Raises OSError if the system lacks what it needs; then nothing is left behind."""
        assert self._handoff is None, f"{self._name}: the worker has been started"
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            await self.run(_nothing)  # the kernel watches the handoff from here on; it may refuse that, too
        except OSError as error:
            if self._handoff is None:  # there was no descriptor, or no thread
                raise
            refusal = error.strerror
        else:
            return
        # Outside of the handler: a traceback would keep the handoff's descriptors open.
        self.close()
        raise OSError(errno.EAGAIN, f"the system refuses to watch more files ({refusal})")

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Call ``function(*args)`` in the thread and return its result or raise its exception.

        One call or write at a time, which the owner ensures: there is no lock.
        """
        handoff = await self._ready()
        call = _Call(function, args)
        self._calls.put(call)
        handoff.post_call()
        await self._outcome(handoff)
        if call.error is not None:
            try:
                raise call.error
            finally:
                del call  # its traceback holds this frame: keeping the call here would make a cycle
        result: T = call.result
        return result

    async def write(self, fd: int, offset: int, data: bytes, *, syncs: bool) -> None:
        """Write all of `data` at `offset` of a file, and then ``fdatasync`` it if it `syncs`.

        Raises OSError, of the write or of its sync.
        """
        handoff = await self._ready()
        handoff.post_write(fd, offset, data, syncs)
        error = await self._outcome(handoff)
        if error:
            raise OSError(error, os.strerror(error))

    def close(self) -> None:
        """End the thread, now or after what it is at. Harmless twice."""
        if self._handoff is not None:
            self._handoff.post_end()
        self._handoff = None
        self._closed = True

    async def _ready(self) -> Handoff:
        """The handoff, for one job."""
        assert not self._busy, f"{self._name}: one call must return before the next starts"
        assert not self._closed, f"{self._name}: the worker is closed"
        await trio.lowlevel.checkpoint_if_cancelled()
        return self._handoff or self._start()

    async def _outcome(self, handoff: Handoff) -> int:
        """Wait until the job is done, whatever is cancelled; what `Handoff.take` says."""
        self._busy = True
        # Not in a shield from the start: a cancel scope for each call was 40 us of the main thread's 145 us.
        try:
            await trio.lowlevel.wait_readable(handoff.fileno())
        except trio.Cancelled:  # Trio delivers it again, at the caller's next checkpoint
            with trio.CancelScope(shield=True):
                await trio.lowlevel.wait_readable(handoff.fileno())
        self._busy = False
        return handoff.take()

    def _start(self) -> Handoff:
        handoff = new_handoff()
        # A daemon, because a device that hangs must not keep alive a process that has given up on it.
        thread = threading.Thread(target=_work, args=(self._calls, handoff), name=self._name, daemon=True)
        is_started = True
        try:
            thread.start()
        except RuntimeError:
            is_started = False
        if not is_started:
            del handoff, thread  # or the traceback would keep its descriptors open
            raise OSError(errno.EAGAIN, NO_THREADS)
        self._handoff = handoff
        return handoff


def _nothing() -> None:
    """Do nothing, as the first call of a thread: it shows that the way there and back works."""


def _work(calls: queue.SimpleQueue[_Call], handoff: Handoff) -> None:
    """Run in the thread. It knows neither its `Worker` nor Trio."""
    try:
        while handoff.serve():
            call = calls.get()
            try:
                call.result = call.function(*call.args)
            except BaseException as error:  # noqa: BLE001 - it is raised again, in the task that waits
                call.error = error
            del call
            handoff.ring()
    except BaseException:  # noqa: BLE001 - it ends the process
        # A bug, or a kernel that takes back what it has given. Nobody could be told: the task would wait for
        # ever, and the node would stay up without a disk.
        traceback.print_exc()
        os.abort()
