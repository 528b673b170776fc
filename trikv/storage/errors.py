# ruff: noqa: N818 - the names are sentences: "raise StorageCorrupt"
"""What storage refuses, and how it says so.

::

    StorageError
    ├── StorageCorrupt       bytes on disk contradict themselves: the node must not start from them
    ├── LogMissing           there is no log in this data directory (a blank disk)
    ├── IdentityWithoutLog   the disk was a member once and has lost its log
    ├── DiskFull             no room for the next segment or snapshot: nothing is lost, try again later
    ├── StrayName            something that is not trikv's stands where only its own files can
    └── WalDead              an earlier write failed: this log object takes nothing more

Sentences are written for the operator who reads them at three in the morning: what, where, what to do.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

REFILL = (
    "Start this node with `trikv serve --refill`: it sets this data directory aside and takes a full copy "
    "from its peers, which is safe while a majority of the cluster is up"
)


class StorageError(Exception):
    """Any refusal of this package."""


class StorageCorrupt(StorageError):
    """Bytes that were once durable do not read back as written, or files are missing."""

    def __init__(self, file: str, offset: int, what: str, remedy: str = REFILL) -> None:
        super().__init__(f"{file} is corrupt at byte {offset}: {what}. {remedy}.")
        self.file = file
        self.offset = offset
        self.what = what
        self.remedy = remedy


class LogMissing(StorageError):
    """No segment exists."""

    def __init__(self) -> None:
        super().__init__("there is no log in this data directory")


class IdentityWithoutLog(StorageError):
    """`identity.json` names a cluster, the log is gone, and with it the votes it had given (PROTOCOL 14)."""

    def __init__(self, node: int) -> None:
        super().__init__(
            f"identity.json says this disk is node {node} of a cluster, but its log is gone, and with it the "
            f"votes it gave. {REFILL}."
        )


class DiskFull(StorageError):
    """ENOSPC before any record depended on the space. Retry when there is room (PROTOCOL 12)."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the disk is full: no room for {what}")


class StrayName(StorageError):
    """Something that is not trikv's stands where only its own files can. Nothing was changed."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(
            f"{path} in the data directory is not trikv's: {why}. Move it away, then start again; trikv "
            "removes nothing that is not its own."
        )
        self.path = path


class WalDead(StorageError):
    """A write or sync failed earlier; what the disk holds is unknown, so nothing is written after it."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the log takes no more writes since an earlier one failed: {why}")


@contextmanager
def room_for(what: str) -> Iterator[None]:
    """Turn ENOSPC (or a quota's EDQUOT) in the block into DiskFull; other errors pass."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFull(what) from error
        raise
