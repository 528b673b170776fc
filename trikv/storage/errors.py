# ruff: noqa: N818 - the names are sentences: "raise StorageCorrupt"
"""What storage refuses, and how it says so.

::

    StorageError
    ├── StorageCorrupt       bytes on disk contradict themselves: the node must not start from them
    ├── LogMissing           there is no log in this data directory (a blank disk)
    ├── IdentityWithoutLog   the disk was a member once and has lost its log
    ├── NoRoom               nothing is lost, because nothing depended on it yet: try again later
    │   ├── DiskFull         no space for the next segment or snapshot
    │   └── Exhausted        no descriptor, thread or memory to open it with, no larger file allowed
    ├── StrayName            something that is not trikv's is in a place for its own files only
    ├── DirectoryGone        somebody has moved or removed the log under a running node
    ├── Unwritable           a directory is read-only, gone or another user's: not the device's fault
    └── WalDead              an earlier write failed: this log object takes nothing more

Sentences are written for the operator who reads them at three in the morning: what, where, what to do.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

DISK_FULL = "the disk is full"
_LACKS = {
    errno.EMFILE: "this process has no more files to open (ulimit -n)",
    errno.ENFILE: "the system has no more files to open (fs.file-max)",
    errno.ENOMEM: "the system has no more memory",
    errno.EFBIG: "this process may write no larger file (ulimit -f)",
}
EXHAUSTED = frozenset({*_LACKS, errno.EAGAIN})
"""EAGAIN is about threads or watches; the error's own text says which."""

REFILL = (
    "Start this node with `trikv serve --refill`: it sets this data directory aside and takes a full copy "
    "from its peers, which is safe while a majority of the cluster is up"
)


class StorageError(Exception):
    """The base of every refusal of this package; an OSError of the device passes as it is."""


class StorageCorrupt(StorageError):
    """Bytes that were once durable do not read back as written, or files are missing."""

    def __init__(self, file: str, offset: int, what: str, remedy: str = REFILL) -> None:
        super().__init__(f"{file} is corrupt at byte {offset}: {what}. {remedy}.")
        self.file = file
        self.offset = offset
        self.what = what
        self.remedy = remedy


class LogMissing(StorageError):
    """There is no segment in this data directory: the disk is blank, or its log is lost."""

    def __init__(self) -> None:
        super().__init__("there is no log in this data directory")


class IdentityWithoutLog(StorageError):
    """`identity.json` names a cluster, the log is gone, and with it the votes it had given (PROTOCOL 14)."""

    def __init__(self, node: int) -> None:
        super().__init__(
            f"identity.json says this disk is node {node} of a cluster, but its log is gone, and with it the "
            f"votes it gave. {REFILL}."
        )


class NoRoom(StorageError):
    """The system has no more of something, before any record depended on it. Retry later (PROTOCOL 12)."""

    def __init__(self, lack: str, what: str) -> None:
        super().__init__(f"{lack}: no room for {what}")
        self.lack = lack
        """What there is no more of, as a sentence without its end."""


class DiskFull(NoRoom):
    """ENOSPC, or a quota's EDQUOT."""

    def __init__(self, what: str) -> None:
        super().__init__(DISK_FULL, what)


class Exhausted(NoRoom):
    """Descriptors, threads, watches or the kernel's memory have run out: `errno` is one of `EXHAUSTED`."""

    def __init__(self, error: OSError, what: str) -> None:
        super().__init__(_LACKS.get(error.errno or 0, str(error.strerror)), what)


class StrayName(StorageError):
    """Something that is not trikv's is in a place for its own files only. Nothing was changed."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(
            f"{path} in the data directory is not trikv's: {why}. Move it away, then start again; trikv "
            "removes nothing that is not its own."
        )
        self.path = path


class DirectoryGone(StorageError):
    """The log's directory is not where it was. What this node acknowledges is on no disk that has a name."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path} was moved, removed or replaced under this running node, which ends: nobody would find "
            f"what it writes there. Put it back, then start again. If it is lost: {REFILL}"
        )


class Unwritable(StorageError):
    """A file cannot be written aside, because of what somebody has done to its directory."""

    def __init__(self, path: str, error: OSError) -> None:
        super().__init__(f"{path} cannot be written: {error.strerror}")
        self.path = path


OPERATORS_DOING = (
    StrayName,
    Unwritable,
    PermissionError,
    FileNotFoundError,
    IsADirectoryError,
    NotADirectoryError,
)
"""Errors that come from what somebody has done to a directory, not from the device. A snapshot or a backup
that meets one is given up, and the node goes on: the log is written elsewhere."""
_DOINGS = frozenset(
    {
        *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EISDIR),
        *(errno.ELOOP, errno.ENAMETOOLONG, errno.ESTALE, errno.EXDEV, errno.ENXIO, errno.ENODEV),
    }
)


class WalDead(StorageError):
    """A write or sync failed earlier; what the disk holds is unknown, so nothing is written after it."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the log takes no more writes since an earlier one failed: {why}")


@contextmanager
def room_for(what: str) -> Iterator[None]:
    """Turn errors that say that something has run out into NoRoom; others pass.

    Only for blocks whose effect nothing depends on yet. A file that failed inside is not used again after
    the block: nobody knows what the failed write or sync left on disk (RELIABILITY 15).
    """
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFull(what) from error
        if error.errno in EXHAUSTED:
            raise Exhausted(error, what) from error
        raise


@contextmanager
def writable(path: str) -> Iterator[None]:
    """`room_for`, and also turn errors that somebody caused in the directory of `path` into Unwritable.

    Not for the log: if that cannot be written where it is, the node must end.
    """
    try:
        with room_for(path):
            yield
    except OSError as error:
        if error.errno in _DOINGS:
            raise Unwritable(path, error) from error
        raise
