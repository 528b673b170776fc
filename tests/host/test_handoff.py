"""The way of jobs to a thread and back: the part in C and the one in Python do the same."""

import errno
import importlib
import mmap
import os
import resource
import select
import subprocess
import sys
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.host.rig import descriptors
from tests.tools import needs
from trikv.host import handoff
from trikv.host.handoff import Handoff, PythonHandoff

needs_it = needs(
    handoff.is_compiled, "NOT COMPILED: the part in C is not tested, nor its speed; install a C compiler"
)

SOURCE_OF_VERSION = (2, "c764bc4cbe2b0951a6669728c98c639012ac12736d17bc1f8da22f3a762d6d0a")


HANDOFFS = list(dict.fromkeys([PythonHandoff, handoff.new_handoff]))
"""Both, where there is one in C."""
both = pytest.mark.parametrize("kind", HANDOFFS, ids=lambda kind: kind.__name__)


def test_the_version_counts_up_with_the_source() -> None:
    """An object built from an older source is told by its version: change it in both files, then here."""
    source = Path(handoff.__file__).with_name("_handoff.c").read_bytes()
    assert (handoff.VERSION, sha256(source).hexdigest()) == SOURCE_OF_VERSION
    assert b"#define VERSION %d\n" % handoff.VERSION in source


@needs_it
def test_the_part_in_c_is_there() -> None:
    """CI and developers test what users get who have a compiler."""
    assert handoff.new_handoff is not PythonHandoff


def reloaded(fake: object) -> bool:
    """Whether this module in C (None: none) would be used."""
    name = "trikv.host._handoff"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, name, cast("Any", fake))
        patch.setattr(name, fake, raising=False)
        if fake is None:
            patch.delattr(name)
        kept = dict(vars(handoff))
        try:
            return bool(importlib.reload(handoff).is_compiled)
        finally:
            vars(handoff).update(kept)


class _ThatTellsNoError(PythonHandoff):
    def take(self) -> int:
        super().take()
        return 0


class _ThatForgetsItsSync(PythonHandoff):
    def post_write(self, fd: int, offset: int, data: bytes, syncs: bool, /) -> None:  # noqa: FBT001 - as in C
        super().post_write(fd, offset, data, syncs and fd < 0)


class _ThatRefuses(PythonHandoff):
    def serve(self) -> bool:
        raise TypeError


def test_only_a_part_in_c_that_fits_is_used() -> None:
    """None, of another source, or one that does something else here: then Python does all."""
    assert not reloaded(None)
    assert not reloaded(SimpleNamespace(Handoff=PythonHandoff))
    assert not reloaded(SimpleNamespace(VERSION=handoff.VERSION + 1, Handoff=PythonHandoff))
    assert reloaded(SimpleNamespace(VERSION=handoff.VERSION, Handoff=PythonHandoff))
    assert not reloaded(SimpleNamespace(VERSION=handoff.VERSION, Handoff=_ThatTellsNoError))
    assert not reloaded(SimpleNamespace(VERSION=handoff.VERSION, Handoff=_ThatForgetsItsSync))
    assert not reloaded(SimpleNamespace(VERSION=handoff.VERSION, Handoff=_ThatRefuses))


def outcome(kind: type[Handoff], fd: int, offset: int, data: bytes, *, syncs: bool) -> int:
    """What becomes of a write. It is told once: of what the handoff does afterwards nothing is."""
    one = kind()
    one.post_write(fd, offset, data, syncs)
    one.post_end()
    assert one.serve() is False
    error = one.take()
    with pytest.raises(BlockingIOError):
        one.take()
    one.post_call()
    assert one.serve() is True
    one.ring()
    assert one.take() == 0
    return error


@both
def test_what_becomes_of_a_write(kind: type[Handoff], tmp_path: Path) -> None:
    """All of it is written, or the kernel's error comes back: of the write, or of its sync."""
    with (tmp_path / "file").open("wb+") as file, Path("/dev/null").open("wb") as null:
        assert outcome(kind, file.fileno(), 3, b"abc", syncs=True) == 0
        assert outcome(kind, file.fileno(), 1 << 33, b"far", syncs=False) == 0
        assert os.pread(file.fileno(), 6, 0) == b"\0\0\0abc"
        assert os.pread(file.fileno(), 6, 1 << 33) == b"far"
        assert outcome(kind, null.fileno(), 0, b"abc", syncs=False) == 0
        assert outcome(kind, null.fileno(), 0, b"abc", syncs=True) == errno.EINVAL, "nothing to be synced"
        assert outcome(kind, -1, 0, b"abc", syncs=False) == errno.EBADF
        assert outcome(kind, file.fileno(), -1, b"abc", syncs=True) == errno.EINVAL


@needs(Path("/dev/full").exists(), "writes to /dev/full")
@both
def test_a_full_device_is_told(kind: type[Handoff]) -> None:
    """As the kernel tells it."""
    with Path("/dev/full").open("wb") as full:
        assert outcome(kind, full.fileno(), 0, b"abc", syncs=True) == errno.ENOSPC


@both
def test_the_rest_of_a_write_is_the_rest(kind: type[Handoff], tmp_path: Path) -> None:
    """Not its beginning another time: of two pages the kernel takes one, and the other one is gone."""
    size = mmap.PAGESIZE
    with (tmp_path / "from").open("wb+") as source, (tmp_path / "to").open("wb+") as target:
        source.write(b"a" * size + b"b" * size)
        source.flush()
        with mmap.mmap(source.fileno(), 2 * size) as pages:
            os.truncate(source.fileno(), size)
            assert outcome(kind, target.fileno(), 0, cast("bytes", pages), syncs=False) == errno.EFAULT
        assert target.read() == b"a" * size


CUT_SHORT = """
import resource, sys
from trikv.host import handoff
kind = handoff.PythonHandoff if sys.argv[2] == "PythonHandoff" else handoff.new_handoff
resource.setrlimit(resource.RLIMIT_FSIZE, (10, resource.RLIM_INFINITY))
with open(sys.argv[1], "wb+") as file:
    one = kind()
    one.post_write(file.fileno(), 0, b"0123456789abcdef", True)
    one.post_end()
    one.serve()
    print(one.take())
"""


@both
def test_a_write_that_the_kernel_cuts_goes_on(kind: type[Handoff], tmp_path: Path) -> None:
    """Up to the limit of a file's size; the rest is tried, and refused."""
    path = tmp_path / "file"
    command = [sys.executable, "-c", CUT_SHORT, str(path), kind.__name__]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert int(said) == errno.EFBIG
    assert path.read_bytes() == b"0123456789"


@both
def test_a_thread_does_the_jobs_in_order(kind: type[Handoff], tmp_path: Path) -> None:
    """Writes without coming back, calls by its owner; the end after the job that is under way."""
    one, calls = kind(), 0

    def serve() -> None:
        nonlocal calls
        while one.serve():
            calls += 1
            one.ring()

    def done() -> int:
        while True:
            try:
                return one.take()
            except BlockingIOError:
                pass

    thread = threading.Thread(target=serve)
    thread.start()
    with (tmp_path / "file").open("wb+") as file:
        for at in range(200):
            one.post_write(file.fileno(), at, b"%d" % (at % 10), at % 50 == 0)
            assert done() == 0
            if at % 3 == 0:
                one.post_call()
                assert done() == 0
        one.post_write(file.fileno(), 200, b"!" * (8 << 20), False)
        one.post_end()
        thread.join()
        assert done() == 0
        assert file.read() == b"0123456789" * 20 + b"!" * (8 << 20)
    assert calls == 67


@both
def test_its_descriptors_go_with_it(kind: type[Handoff]) -> None:
    """Those of one whose job was never taken, too."""
    before = descriptors()
    data = bytes(1000)
    held = sys.getrefcount(data)
    for _ in range(3):
        one = kind()
        assert len(descriptors() - before) == 2
        one.post_write(-1, 0, data, False)
        del one
        assert descriptors() == before
    assert sys.getrefcount(data) == held


@needs_it
def test_arguments_of_another_kind_are_refused() -> None:
    """And a second write while one is under way, whose bytes must not change."""
    one: Any = handoff.new_handoff()
    calls: list[Callable[[], object]] = [
        lambda: one.post_write("1", 0, b"", False),
        lambda: one.post_write(1, 0.5, b"", False),
        lambda: one.post_write(1, 0, "text", False),
        lambda: one.post_write(1, 0, b""),
    ]
    for call in calls:
        with pytest.raises(TypeError):
            call()
    one.post_write(-1, 0, b"first", False)
    for post in (lambda: one.post_write(-1, 0, b"second", False), one.post_call):
        with pytest.raises(ValueError, match="under way"):
            post()


@both
def test_without_descriptors_there_is_none(kind: type[Handoff], capfd: pytest.CaptureFixture[str]) -> None:
    """It says so, and keeps none."""
    before = descriptors()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    probe = os.dup(0)  # the lowest free number: all below are taken
    os.close(probe)
    for limit in (probe, probe + 1):
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        try:
            with pytest.raises(OSError, match="Too many open files"):
                kind()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert descriptors() == before
    assert capfd.readouterr().err == "", "nothing is complained of where it is freed"


@both
def test_what_was_written_is_kept_no_longer(kind: type[Handoff]) -> None:
    """While the thread waits for the next job, its bytes are nobody's: they may be a megabyte."""
    one, data = kind(), bytes(1000)
    held = sys.getrefcount(data)
    thread = threading.Thread(target=one.serve)
    thread.start()
    one.post_write(-1, 0, data, False)
    select.select([one.fileno()], [], [])
    assert one.take() == errno.EBADF
    assert sys.getrefcount(data) == held
    one.post_end()
    thread.join()
