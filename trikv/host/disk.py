"""The data directory on a real file system: `trikv.storage.disk.Disk`.

Each open file has a thread of its own (`trikv.host.worker`), so that zeroing a segment or writing a
snapshot never stands in front of the write-ahead log's sync. Operations on names are rare and share one more
thread. Removals have another: to unlink gigabytes takes a file system its time, and the log's next segment
must get its name meanwhile. No operation is ever abandoned by cancellation: when an await returns, the disk
is quiet.

Descriptors, threads and watches may run out. So all that a file will ever need is taken when it is created or
opened, its directory's descriptor included, which stays open from then on: no write, sync, rename or removal
can fail for want of one when something depends on it already.
"""

import contextlib
import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import TypeVar

import trio

from trikv.host.worker import Worker

T = TypeVar("T")

LOCK_NAME = "lock"
"""The file that is `flock`ed; `names` does not show it."""
FILE_MODE = 0o600
DIRECTORY_MODE = 0o700

_fdatasync = getattr(os, "fdatasync", os.fsync)  # macOS has only the latter


class DataDirectoryBusy(OSError):  # noqa: N818 - a state of the world, told to the operator
    """Another process uses the data directory."""

    def __init__(self, directory: str) -> None:
        super().__init__(errno.EWOULDBLOCK, f"data directory {directory} is in use by another process")


class RealFile:
    """An open file: `trikv.storage.disk.DiskFile`."""

    def __init__(self, fd: int, path: str, worker: Worker) -> None:
        """`worker`: started, and the file's own from now on."""
        self._fd = fd
        self._path = path
        self._worker = worker
        self._running = False
        self._closed = False

    async def write(self, offset: int, data: bytes) -> None:
        """All of `data`, however the kernel cuts it."""
        await self._call(_write, offset, data)

    async def write_and_sync(self, offset: int, data: bytes) -> None:
        """Both in one hop."""
        await self._call(_write_and_sync, offset, data)

    async def sync(self) -> None:
        """``fdatasync``: the data, and the length where it changed."""
        await self._call(_fdatasync)

    async def read(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes."""
        return await self._call(_read, offset, size)

    def size(self) -> int:
        """Length in bytes."""
        if self._closed:
            raise self._bad()
        return os.fstat(self._fd).st_size

    def close(self) -> None:
        """Close; the descriptor outlives an operation that is still running."""
        if self._closed:
            return
        self._closed = True
        self._worker.close()
        if not self._running:
            os.close(self._fd)

    async def _call(self, function: Callable[..., T], *args: object) -> T:
        if self._closed:
            raise self._bad()
        self._running = True
        try:
            return await self._worker.run(function, self._fd, *args)
        finally:
            self._running = False
            if self._closed:  # meanwhile
                os.close(self._fd)

    def _bad(self) -> OSError:
        return OSError(errno.EBADF, f"{self._path} is closed")


class _Directories:
    """Directories that are kept open, to be synced: the handful a node has. Used in one thread only."""

    def __init__(self) -> None:
        self._open: dict[Path, int] = {}

    def hold(self, path: Path) -> int:
        """The descriptor of the directory that bears this name now. OSError where there is none."""
        fd = self._open.get(path)
        if fd is not None:
            if os.path.samestat(path.stat(), os.fstat(fd)):
                return fd
            os.close(self._open.pop(path))  # somebody has put another in its place
        fd = self._open[path] = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return fd

    def held(self, path: Path) -> int | None:
        """The descriptor of the directory that bore this name when it was held last; None if it never was."""
        return self._open.get(path)

    def sync(self, path: Path) -> None:
        """``fsync`` on the directory itself."""
        os.fsync(self.hold(path))

    def close(self) -> None:
        """Close them all."""
        while self._open:
            os.close(self._open.popitem()[1])


class RealDisk:
    """A locked data directory: `trikv.storage.disk.Disk`."""

    def __init__(self, directory: str) -> None:
        """Make the directory if needed and lock it. `DataDirectoryBusy` if another process holds it."""
        self._root = Path(directory)
        _make_directory(self._root)
        _sync_parent(self._root)  # also where an earlier life made it and was killed before it could
        self._lock_fd = os.open(self._root / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock_fd)
            raise DataDirectoryBusy(directory) from None
        self._directories = _Directories()
        self._names_worker = Worker(f"disk {directory}")
        self._names_lock = trio.Lock()
        self._removals_worker: Worker | None = None
        self._removals_lock = trio.Lock()

    def close(self) -> None:
        """Give the directory to the next process. Open files are the owner's to close, before."""
        if self._lock_fd >= 0:
            self._names_worker.close()
            if self._removals_worker is not None:
                self._removals_worker.close()
            self._directories.close()
            os.close(self._lock_fd)
            self._lock_fd = -1

    async def create(self, path: str) -> RealFile:
        """A new file; its directory can be synced and it can be removed from now on, whatever runs out."""
        await self._on_names(self._directories.hold, self._at(path).parent)
        async with self._removals_lock:
            await self._removals()
        return await self._open_file(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)

    async def open(self, path: str) -> RealFile:
        """An existing file."""
        return await self._open_file(path, os.O_RDWR)

    async def make_directory(self, path: str) -> None:
        """The directory and its parents, for the owner only; the one it is in can be synced from now on."""
        await self._on_names(_make_directory, self._at(path))
        await self._on_names(self._directories.hold, self._at(path).parent)

    async def names(self, path: str) -> list[str]:
        """Sorted names, without the lock."""
        found = await self._on_names(_names, self._at(path))
        return [name for name in found if path or name != LOCK_NAME]

    async def exists(self, path: str) -> bool:
        """A file or a directory."""
        return await self._on_names(self._at(path).exists)

    async def rename(self, old: str, new: str) -> None:
        """Atomic."""
        await self._on_names(os.replace, self._at(old), self._at(new))

    async def remove(self, path: str) -> None:
        """Remove a file."""
        async with self._removals_lock:
            worker = await self._removals()
            await worker.run(os.unlink, self._at(path))

    async def sync_directory(self, path: str) -> None:
        """``fsync`` on the directory itself."""
        await self._on_names(self._directories.sync, self._at(path))

    async def is_in_place(self, path: str) -> bool:
        """Of the directories that were held open; True also while nobody can tell."""
        return await self._on_names(self._is_in_place, self._at(path))

    def _is_in_place(self, path: Path) -> bool:
        held = self._directories.held(path)
        try:
            is_ours = os.path.samestat((self._root / LOCK_NAME).stat(), os.fstat(self._lock_fd))
            return is_ours and (held is None or os.path.samestat(path.stat(), os.fstat(held)))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True

    async def _open_file(self, path: str, flags: int) -> RealFile:
        """The thread first: a file that was created always has one."""
        worker = Worker(f"disk {path}")
        await worker.start()
        try:
            fd = await worker.run(os.open, self._at(path), flags | os.O_CLOEXEC, FILE_MODE)
        except BaseException:
            worker.close()
            raise
        return RealFile(fd, path, worker)

    async def _on_names(self, function: Callable[..., T], *args: object) -> T:
        """Run it in the one thread for names, in turn."""
        async with self._names_lock:
            return await self._names_worker.run(function, *args)

    async def _removals(self) -> Worker:
        """The thread for removals. If it cannot be started, nothing is left behind; the next call tries."""
        if self._removals_worker is None:
            worker = Worker(f"removals in {self._root}")
            await worker.start()
            self._removals_worker = worker
        return self._removals_worker

    def _at(self, path: str) -> Path:
        relative = PurePosixPath(path)
        assert not relative.is_absolute(), path
        assert ".." not in relative.parts, path
        return self._root / relative


def _write(fd: int, offset: int, data: bytes) -> None:
    """``pwrite`` may take a part (a signal, a full disk): go on until the rest raises or is written."""
    written = os.pwrite(fd, data, offset)
    if written < len(data):
        rest = memoryview(data)
        while written < len(data):
            written += os.pwrite(fd, rest[written:], offset + written)


def _write_and_sync(fd: int, offset: int, data: bytes) -> None:
    _write(fd, offset, data)
    _fdatasync(fd)


def _read(fd: int, offset: int, size: int) -> bytes:
    pieces = []
    while size and (piece := os.pread(fd, size, offset)):
        pieces.append(piece)
        offset += len(piece)
        size -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _make_directory(path: Path) -> None:
    """`Path.mkdir(parents=True)` gives the mode to the last part only. What is made is durable."""
    if not path.is_dir():
        if path.parent != path:
            _make_directory(path.parent)
        with contextlib.suppress(FileExistsError):  # but a *file* of that name must not pass for success
            path.mkdir(mode=DIRECTORY_MODE)
        if not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{path} is not a directory")
        _sync_parent(path)


def _sync_parent(path: Path) -> None:
    """Make the name of a directory durable: without it a power cut takes all that is synced below."""
    with contextlib.suppress(PermissionError):  # a parent that we may write in, and not read
        fd = os.open(path.absolute().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _sync_for_good(fd, path)
        finally:
            os.close(fd)


def _sync_for_good(fd: int, path: Path) -> None:
    """Sync the directory above a new one. Whatever is wrong is the disk's, never a shortage to be waited for.

    A second sync could report success for what the first one lost, and the directory would be taken for made.
    A file system that knows no such sync says so (fsync(2): EINVAL): there is no more to be had from it.
    """
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno in {errno.EINVAL, errno.ENOTSUP}:
            return
        raise OSError(errno.EIO, f"the name of {path} could not be made durable: {error.strerror}") from error


def _names(path: Path) -> list[str]:
    try:
        return sorted(os.listdir(path))  # noqa: PTH208 - names, not paths
    except FileNotFoundError:
        return []
