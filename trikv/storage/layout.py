"""Which names of the data directory are trikv's own.

A data directory is seldom ours alone: it is a mount point with a `lost+found`, an editor leaves `…wal~`
beside a segment, somebody puts notes beside the backups. Three rules:

1. Only a file whose name has one of our patterns, in the directory of that pattern, is removed or replaced.
2. A file of any other name is left alone. A start names it in the log (`strangers`).
3. Two things are refused (`StrayName`), with the advice to move them away: a `*.wal` of another name, because
   it may be a renamed segment, and a directory, a pipe or a device in the place of a file. A file under a
   name of ours is ours, and anything wrong in it is corruption.
"""

import errno
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from trikv.storage.disk import Disk
from trikv.storage.errors import StrayName, room_for

WAL: Final = "wal"
"""The directory of the log's segments, in the data directory."""
SNAPSHOTS: Final = "snapshots"
BACKUPS: Final = "backups"
ASIDE: Final = "aside"
"""What is out of use and kept for the operator: torn tails, and the state that a refill replaced."""
DIRECTORIES: Final = (WAL, SNAPSHOTS, BACKUPS, ASIDE)

UNFINISHED: Final = ".tmp"
"""The suffix of a file that is not yet whole. A start removes those of ours."""

SEGMENT: Final = re.compile(r"([0-9]{20})\.wal")
SNAPSHOT: Final = re.compile(r"([0-9]{20})-([0-9]{20})\.json")
BACKUP: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z-([0-9]+)\.json")
TORN: Final = re.compile(r"([0-9]{20})-([0-9]+)\.torn")
STATE: Final = re.compile(r"identity\.json|dump\.json|dump\.incomplete\.json|wal|snapshots")
"""A node's state, by its names in the data directory itself: this is what a refill sets aside."""

_OTHERS: Final = re.compile(r"backups|aside|lock|node\.log(\.1(\.tmp)?)?|cluster\.secret")
_FINISHED: Final = {WAL: SEGMENT, SNAPSHOTS: SNAPSHOT, BACKUPS: BACKUP, ASIDE: TORN}
_SET_ASIDE: Final = re.compile(r"refill-[0-9]{8}T[0-9.]+Z|dump-.*\.json")
_UNFINISHED: Final = {
    "": re.compile(r"(identity|dump|dump\.incomplete)\.json\.tmp"),
    WAL: re.compile(r"(next|[0-9]{20})\.tmp"),
    SNAPSHOTS: re.compile(SNAPSHOT.pattern + r"(\.install)?\.tmp"),
    BACKUPS: re.compile(BACKUP.pattern + r"\.tmp"),
    ASIDE: re.compile(TORN.pattern + r"\.tmp"),
}


def path_of(directory: str, name: str) -> str:
    """`name` in `directory`, where "" is the data directory."""
    return f"{directory}/{name}" if directory else name


def is_unfinished(directory: str, name: str) -> bool:
    """Whether this is a file of ours that an earlier life left half written."""
    return _UNFINISHED[directory].fullmatch(name) is not None


def is_own(directory: str, name: str) -> bool:
    """Whether trikv gives such a name in `directory`, to finished or unfinished files."""
    if is_unfinished(directory, name):
        return True
    if not directory:
        return bool(STATE.fullmatch(name) or _OTHERS.fullmatch(name))
    if directory == ASIDE and _SET_ASIDE.fullmatch(name):
        return True
    return _FINISHED[directory].fullmatch(name) is not None


def obsolete(names: Iterable[str], pattern: re.Pattern[str], keep: int, written: str) -> list[str]:
    """The names to remove, lowest first: all that match `pattern` except `written` and the highest others.

    `keep` are left in all. `written` is the newest, whatever its number says.
    """
    # Ordered by the numbers in the pattern's groups: by the log, not by a clock, which may have been wrong.
    own = sorted(
        ([int(number) for number in match.groups()], name)
        for name in names
        if name != written and (match := pattern.fullmatch(name)) is not None
    )
    return [name for _, name in own[: max(0, len(own) + 1 - keep)]]


def obsolete_backups(names: Iterable[str], keep: int, written: str) -> list[str]:
    """The backups to remove of those up to the index of `written`; `keep` of them are left."""
    # A log only grows, so a backup at a higher index is of another log: of a cluster that had this directory
    # before. Nothing here replaces it, and it must not crowd out the backups of this cluster.
    newest = _backup_index(written)
    return obsolete((name for name in names if _backup_index(name) <= newest), BACKUP, keep, written)


def _backup_index(name: str) -> int:
    """The log index at which a backup was made; -1 for a name that is no backup's."""
    match = BACKUP.fullmatch(name)
    return int(match[1]) if match is not None else -1


async def names_in(disk: Disk, directory: str) -> list[str]:
    """The names in one of our directories. Raises StrayName if it is no directory, or NoRoom."""
    try:
        with room_for(f"a look at the {directory or 'data directory'}"):
            return await disk.names(directory)
    except NotADirectoryError:
        raise StrayName(directory, "trikv keeps a directory of that name, and it is none") from None


async def strangers(disk: Disk) -> list[str]:
    """Paths of all that is not ours, in the data directory and in our directories below it."""
    return [
        path_of(directory, name)
        for directory in ("", *DIRECTORIES)
        for name in await names_in(disk, directory)
        if not is_own(directory, name)
    ]


@contextmanager
def own_file(path: str) -> Iterator[None]:
    """The block opens or removes a file of ours, just seen at `path`. Raises StrayName if it is no file."""
    try:
        yield
    except IsADirectoryError:
        raise StrayName(path, "it is a directory") from None
    except FileNotFoundError:
        raise StrayName(path, "it is a link that leads nowhere") from None
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        raise StrayName(path, "it is a pipe, a socket or a device") from None
