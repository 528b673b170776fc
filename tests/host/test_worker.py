"""The disk's thread."""

import contextlib
import errno
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import trio

from tests.host.rig import descriptors
from trikv.host import handoff
from trikv.host import worker as module
from trikv.host.worker import Worker

HANDOFFS = list(dict.fromkeys([handoff.PythonHandoff, handoff.new_handoff]))


@pytest.fixture(params=HANDOFFS, ids=lambda kind: kind.__name__, autouse=True)
def new_handoff(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The part in C and the one in Python, where there are both."""
    monkeypatch.setattr("trikv.host.worker.new_handoff", request.param)


async def test_writes_go_between_calls(tmp_path: Path) -> None:
    """In order, in the one thread, at their places; what the kernel refuses is raised, and the next works."""
    worker = Worker("test")
    with (tmp_path / "file").open("wb+") as file:
        fd = file.fileno()
        await worker.write(fd, 2, b"cde", syncs=True)
        assert await worker.run(os.pread, fd, 9, 0) == b"\0\0cde"
        await worker.write(fd, 0, b"ab", syncs=False)
        await worker.write(fd, 9, b"", syncs=True)
        assert await worker.run(os.pread, fd, 9, 0) == b"abcde"
    with pytest.raises(OSError, match="Bad file descriptor") as caught:
        await worker.write(fd, 0, b"x", syncs=True)
    assert caught.value.errno == errno.EBADF
    assert await worker.run(int, "7") == 7
    worker.close()


async def test_whatever_becomes_of_a_write_reaches_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only what the kernel says: without memory the thread goes on, and nobody waits for ever."""

    def fail(*_: object) -> int:
        raise MemoryError

    monkeypatch.setattr("trikv.host.worker.new_handoff", handoff.PythonHandoff)
    worker = Worker("test")
    with (tmp_path / "file").open("wb+") as file, trio.fail_after(5):
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", fail)
            with pytest.raises(MemoryError):
                await worker.write(file.fileno(), 0, b"x", syncs=True)
        await worker.write(file.fileno(), 0, b"y", syncs=True)
        assert file.read() == b"y"
    worker.close()


BROKEN = """
import trio
from trikv.host import handoff, worker

class Broken(handoff.PythonHandoff):
    def serve(self):
        raise OSError("no more")

worker.new_handoff = Broken
trio.run(worker.Worker("test").run, int)
"""


async def test_a_thread_that_cannot_answer_ends_the_process() -> None:
    """Its task would wait for ever, and the node would stay up without a disk."""
    ended = await trio.run_process([sys.executable, "-c", BROKEN], capture_stderr=True, check=False)
    assert ended.returncode == -signal.SIGABRT
    assert b"OSError: no more" in ended.stderr


async def test_a_write_that_began_is_waited_for(tmp_path: Path) -> None:
    """Cancelled or not, closed or not, it is over when `write` returns."""
    worker = Worker("test")
    size = 64 << 20
    with (tmp_path / "file").open("wb+") as file:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(worker.write, file.fileno(), 0, bytes(size), syncs=False))
            await trio.testing.wait_all_tasks_blocked()
            worker.close()
            nursery.cancel_scope.cancel()
    assert (tmp_path / "file").stat().st_size == size


async def test_runs_elsewhere_and_in_order() -> None:
    """Calls run one after another in one thread that is not Trio's; results and errors come back."""
    worker = Worker("test")
    idents = [await worker.run(threading.get_ident) for _ in range(3)]
    assert len(set(idents)) == 1
    assert idents[0] != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        await worker.run(lambda: 1 // 0)
    assert await worker.run(max, 1, 2) == 2
    worker.close()
    worker.close()


async def test_close_ends_the_thread() -> None:
    """After `close` the thread ends, and a call is refused."""
    worker = Worker("soon gone")
    await worker.run(int)
    worker.close()
    with trio.fail_after(5):
        while any(thread.name == "soon gone" for thread in threading.enumerate()):  # noqa: ASYNC110 - a thread
            await trio.sleep(0.001)
    with pytest.raises(AssertionError, match="closed"):
        await worker.run(int)
    Worker("never started").close()


@pytest.mark.parametrize("lacking", ["descriptor", "thread", "watch"])
async def test_a_worker_that_cannot_be_started_leaves_nothing(
    lacking: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a descriptor, a thread or a watch `start` raises an OSError that says so; a later one works."""

    def refuse(*_: object) -> None:
        raise {
            "descriptor": OSError(errno.EMFILE, "Too many open files"),
            "thread": RuntimeError("can't start new thread"),
            "watch": OSError(errno.ENOSPC, "No space left on device"),
        }[lacking]

    async def refuse_later(_: object) -> None:
        await trio.lowlevel.checkpoint()
        refuse()

    what = {
        "descriptor": (module, "new_handoff", refuse, errno.EMFILE, "Too many open files"),
        "thread": (threading.Thread, "start", refuse, errno.EAGAIN, "no more threads can be started"),
        "watch": (trio.lowlevel, "wait_readable", refuse_later, errno.EAGAIN, "refuses to watch more files"),
    }
    where, name, replacement, code, text = what[lacking]
    leaving = os.pipe()
    open_before = descriptors()
    worker = Worker("poor")
    with monkeypatch.context() as patch:
        patch.setattr(where, name, replacement)
        with pytest.raises(OSError, match=text) as caught:
            await worker.start()
    assert caught.value.errno == code
    await eventually(lambda: not any(thread.name == "poor" for thread in threading.enumerate()))
    for descriptor in leaving:  # as a worker of an earlier test does, whose thread ends only now
        os.close(descriptor)
    assert descriptors() <= open_before
    again = Worker("rich")
    await again.start()
    assert await again.run(int, "7") == 7
    again.close()


async def eventually(predicate: Callable[[], bool]) -> None:
    """Wait until `predicate` is true, which a thread will bring about."""
    with trio.fail_after(5):
        while not predicate():  # noqa: ASYNC110 - a thread sets no event
            await trio.sleep(0.001)


async def test_cancelled_call_is_waited_for() -> None:
    """A call that started is over when `run` returns, cancelled or not."""
    worker = Worker("test")
    finished = []

    def slow() -> None:
        time.sleep(0.05)
        finished.append(True)

    with trio.move_on_after(0.005):
        await worker.run(slow)
    assert finished
    worker.close()


async def test_closed_in_the_middle_of_a_call_it_leaves_no_descriptor() -> None:
    """The call ends as it would have, and its handoff is closed behind it."""
    open_before = descriptors()
    worker = Worker("cut short")
    may_end = threading.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.run, may_end.wait)
        await trio.testing.wait_all_tasks_blocked()
        worker.close()
        may_end.set()
    await eventually(lambda: not any(thread.name == "cut short" for thread in threading.enumerate()))
    assert descriptors() <= open_before


async def test_one_call_at_a_time() -> None:
    """A second call during the first is a bug."""
    worker = Worker("test")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.run, time.sleep, 0.02)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(AssertionError, match="one call"):
            await worker.run(int)
        worker.close()


async def test_no_cycles() -> None:
    """Calls, failing ones too, leave nothing to the cyclic collector (it is off in a node)."""
    worker = Worker("test")

    async def use() -> None:
        for _ in range(100):
            await worker.run(int, "7")
            with contextlib.suppress(ValueError):
                await worker.run(int, "x")

    await use()
    gc.collect()
    gc.disable()
    try:
        await use()
        assert gc.collect() < 20
    finally:
        gc.enable()
        worker.close()


async def test_a_thread_that_cannot_be_started_names_both_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python does not tell whether processes or address space ran out, so the message names both."""

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(OSError, match=r"no more threads can be started \(ulimit -u; or ulimit -v"):
        await Worker("a disk").start()
