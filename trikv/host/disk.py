"""The data directory on a real file system: `trikv.storage.disk.Disk`.

Each open file has a thread of its own (`trikv.host.worker`), so that the write-ahead log's sync never waits
behind the zeroing of a segment or the writing of a snapshot. Operations on names are rare and share one more
thread. Removals have another: a file system needs time to unlink gigabytes, and the log's next segment must
get its name meanwhile. No operation is ever abandoned by cancellation: when an await returns, the disk is
quiet.

Descriptors, threads and watches may run out. So all that a file will ever need is taken when it is created or
opened. Its directory's descriptor is among that, and stays open from then on. No write, sync, rename or
removal can fail because one is lacking when something depends on it already.
"""

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TypeVar

import trio

from trikv.host.handoff import sync
from trikv.host.locks import locking_pid
from trikv.host.worker import Worker
from trikv.places import NO_PLACE

T = TypeVar("T")

LOCK_NAME = "lock"
"""The file that is `flock`ed; `names` does not show it."""
FILE_MODE = 0o600
DIRECTORY_MODE = 0o700


class DataDirectoryBusy(OSError):  # noqa: N818 - a state of the world, told to the operator
    """Another process uses the data directory."""

    def __init__(self, directory: str, pid: int | None) -> None:
        """`pid`: that process, if the system tells which it is."""
        who = "another process" if pid is None else f"another process (pid {pid})"
        super().__init__(
            errno.EWOULDBLOCK,
            f"data directory {directory} is in use by {who}; stop that, or give this node another directory "
            "(data_directory)",
        )


class DataDirectoryUnusable(OSError):  # noqa: N818 - as above
    """The data directory cannot be made, or nothing in it: below /proc, say, whatever the permissions are."""

    def __init__(self, directory: str, error: OSError) -> None:
        super().__init__(
            error.errno,
            f"data directory {directory} cannot be made or written ({error.strerror}); look at its "
            "permissions (ls -ld) and its file system, or give another path (data_directory)",
        )


class RealFile:
    """An open file: `trikv.storage.disk.DiskFile`."""

    def __init__(self, fd: int, path: str, worker: Worker) -> None:
        """`worker` is started, and belongs to the file from now on."""
        self._fd = fd
        self._path = path
        self._worker = worker
        self._running = False
        self._closed = False

    async def write(self, offset: int, data: bytes) -> None:
        """Write all of `data`, in several calls if the kernel takes only parts."""
        await self._use(partial(self._worker.write, self._fd, offset, data, syncs=False))

    async def write_and_sync(self, offset: int, data: bytes) -> None:
        """Write and sync in one trip to the thread: a trip costs as much as a small sync."""
        await self._use(partial(self._worker.write, self._fd, offset, data, syncs=True))

    async def sync(self) -> None:
        """``fdatasync``: the data, and the file's length if it changed."""
        await self._use(partial(self._worker.run, sync, self._fd))

    async def read(self, offset: int, size: int) -> bytes:
        """Read up to `size` bytes; fewer only at the end of the file."""
        return await self._use(partial(self._worker.run, _read, self._fd, offset, size))

    def size(self) -> int:
        """Length of the file in bytes, by ``fstat``; it does not wait for the thread."""
        if self._closed:
            raise self._bad()
        return os.fstat(self._fd).st_size

    def close(self) -> None:
        """Close the file. A descriptor that an operation still uses is closed when that has ended."""
        if self._closed:
            return
        self._closed = True
        self._worker.close()
        if not self._running:
            os.close(self._fd)

    async def _use(self, job: Callable[[], Awaitable[T]]) -> T:
        """Let the worker do something with the descriptor."""
        if self._closed:
            raise self._bad()
        self._running = True
        try:
            return await job()
        except OSError as error:
            raise OSError(error.errno, f"{self._path}: {error.strerror}") from error
        finally:
            self._running = False
            if self._closed:  # while the operation ran: `close` has left the descriptor to us
                os.close(self._fd)

    def _bad(self) -> OSError:
        return OSError(errno.EBADF, f"{self._path} is closed")


class _Directories:
    """Directories that are kept open, to be synced: the few that a node has.

    Used only in the thread for names, so there is no lock.
    """

    def __init__(self) -> None:
        self._open: dict[Path, int] = {}

    def hold(self, path: Path) -> int:
        """The descriptor of the directory that has this name now. Raises OSError if there is none."""
        fd = self._open.get(path)
        if fd is not None:
            if os.path.samestat(path.stat(), os.fstat(fd)):
                return fd
            os.close(self._open.pop(path))  # somebody has put another directory in its place
        fd = self._open[path] = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return fd

    def held(self, path: Path) -> int | None:
        """The descriptor of the directory that had this name when it was last held; None if it never was."""
        return self._open.get(path)

    def sync(self, path: Path) -> None:
        """``fsync`` the directory, so that new names in it survive a power cut."""
        os.fsync(self.hold(path))

    def close(self) -> None:
        """Close all that are open. `hold` would open them again."""
        while self._open:
            os.close(self._open.popitem()[1])


class RealDisk:
    """A locked data directory: `trikv.storage.disk.Disk`."""

    def __init__(self, directory: str) -> None:
        """Make the directory if needed and lock it.

        Raises DataDirectoryBusy if another process holds it, DataDirectoryUnusable if there can be none.
        """
        self._root = Path(directory)
        try:
            _make_directory(self._root)
            _sync_parent(self._root)  # even if it was there: an earlier life may have been killed before that
            self._lock_fd = os.open(self._root / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        except OSError as error:
            if error.errno in NO_PLACE:
                raise DataDirectoryUnusable(directory, error) from error
            raise
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = locking_pid(self._lock_fd)
            os.close(self._lock_fd)
            raise DataDirectoryBusy(directory, pid) from None
        self._directories = _Directories()
        self._names_worker: Worker | None = None
        self._names_lock = trio.Lock()
        self._removals_worker: Worker | None = None
        self._removals_lock = trio.Lock()

    def close(self) -> None:
        """Unlock the directory for the next process. The owner closes open files before. Harmless twice."""
        if self._lock_fd >= 0:
            for worker in (self._names_worker, self._removals_worker):
                if worker is not None:
                    worker.close()
            self._directories.close()
            os.close(self._lock_fd)
            self._lock_fd = -1

    async def create(self, path: str) -> RealFile:
        """A new file. From now on it can be removed, and its directory synced, whatever runs out."""
        await self._on_names(self._directories.hold, self._at(path).parent)
        async with self._removals_lock:
            await self._removals()
        return await self._open_file(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)

    async def open(self, path: str) -> RealFile:
        """Open a file that is there, for reading and writing. Raises FileNotFoundError if it is not."""
        return await self._open_file(path, os.O_RDWR)

    async def make_directory(self, path: str) -> None:
        """Make the directory and its parents, for the owner only. From now on its parent can be synced."""
        await self._on_names(_make_directory, self._at(path))
        await self._on_names(self._directories.hold, self._at(path).parent)

    async def names(self, path: str) -> list[str]:
        """The names in a directory, sorted; the lock file's is left out."""
        found = await self._on_names(_names, self._at(path))
        return [name for name in found if path or name != LOCK_NAME]

    async def exists(self, path: str) -> bool:
        """Whether there is a file or directory at `path`; a link that leads nowhere is none."""
        return await self._on_names(self._at(path).exists)

    async def rename(self, old: str, new: str) -> None:
        """Rename a file, atomically replacing `new` if it is there. Durable after `sync_directory`."""
        await self._on_names(os.replace, self._at(old), self._at(new))

    async def remove(self, path: str) -> None:
        """Remove a file, in the thread for removals. Durable after `sync_directory`."""
        async with self._removals_lock:
            worker = await self._removals()
            await worker.run(os.unlink, self._at(path))

    async def sync_directory(self, path: str) -> None:
        """``fsync`` the directory, in the thread for names."""
        await self._on_names(self._directories.sync, self._at(path))

    async def is_in_place(self, path: str) -> bool:
        """Whether `path` is still the directory that was held open; True also while nobody can tell."""
        return await self._on_names(self._is_in_place, self._at(path))

    def _is_in_place(self, path: Path) -> bool:
        held = self._directories.held(path)
        try:
            is_ours = os.path.samestat((self._root / LOCK_NAME).stat(), os.fstat(self._lock_fd))
            return is_ours and (held is None or os.path.samestat(path.stat(), os.fstat(held)))
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:  # nobody can tell, and a healthy node must not end for that
            return True

    async def _open_file(self, path: str, flags: int) -> RealFile:
        """Open a file with a thread of its own. Raises OSError."""
        # The thread first: a file that could be created but has no thread would be left behind.
        worker = Worker(f"disk {path}")
        await worker.start()
        try:
            fd = await worker.run(_open_file, self._at(path), flags)
        except BaseException:
            worker.close()
            raise
        return RealFile(fd, path, worker)

    async def _on_names(self, function: Callable[..., T], *args: object) -> T:
        """Run `function` in the one thread for names, one call at a time."""
        async with self._names_lock:
            if self._names_worker is None:
                worker = Worker(f"disk {self._root}")
                await worker.start()
                self._names_worker = worker
            return await self._names_worker.run(function, *args)

    async def _removals(self) -> Worker:
        """The thread for removals. If it cannot be started, nothing is left; the next call tries again."""
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


def _open_file(path: Path, flags: int) -> int:
    """A descriptor of a file. Raises OSError: ENXIO for a pipe, a socket or a device."""
    fd = os.open(path, flags | os.O_CLOEXEC, FILE_MODE)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.ENXIO, os.strerror(errno.ENXIO), str(path))
    return fd


def _read(fd: int, offset: int, size: int) -> bytes:
    pieces = []
    while size and (piece := os.pread(fd, size, offset)):
        pieces.append(piece)
        offset += len(piece)
        size -= len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _make_directory(path: Path) -> None:
    """Make a directory and its parents, each with our mode and durable. Raises NotADirectoryError."""
    # Not `Path.mkdir(parents=True)`, which gives the mode to the last part only.
    if not path.is_dir():
        if path.parent != path:
            _make_directory(path.parent)
        with contextlib.suppress(FileExistsError):  # but a *file* of that name must not pass for success
            path.mkdir(mode=DIRECTORY_MODE)
        if not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{path} is not a directory")
        _sync_parent(path)


def _sync_parent(path: Path) -> None:
    """Make the name of a directory durable: without it a power cut takes all that is synced below it."""
    with contextlib.suppress(PermissionError):  # a parent in which we may write, but not read
        fd = os.open(path.absolute().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _sync_for_good(fd, path)
        finally:
            os.close(fd)


def _sync_for_good(fd: int, path: Path) -> None:
    """Sync the directory above a new one. Any error is raised as EIO: the disk's, not a shortage to wait for.

    A second sync could report success for what the first one lost, and the directory would be taken for made.
    """
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno in {errno.EINVAL, errno.ENOTSUP}:  # a file system without such a sync (fsync(2))
            return
        raise OSError(errno.EIO, f"the name of {path} could not be made durable: {error.strerror}") from error


def _names(path: Path) -> list[str]:
    try:
        return sorted(os.listdir(path))  # noqa: PTH208 - names, not paths
    except FileNotFoundError:
        return []
