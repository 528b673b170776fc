"""Paths of directories to be made: a path that can be none is refused before anything starts."""

import errno
import os
from pathlib import Path
from typing import Final

NO_PLACE: Final = frozenset({errno.EPERM, errno.EACCES, errno.EROFS, errno.ENOENT, errno.ENOTSUP})
"""What a place for no data answers, such as /proc, as opposed to a device that fails or is full."""


def demand_directory(path: Path) -> Path:
    """Raise OSError if `path` is, or would have to be below, a file that is no directory.

    A link that leads nowhere is one: nothing can be made under its name. Returns the part of `path` that is
    there.
    """
    while not path.exists() and path != path.parent:
        if path.is_symlink():
            raise NotADirectoryError(
                errno.ENOTDIR,
                f"{path} is a link to {path.readlink()}, which is not there; mount or make that directory, "
                "or give another path",
            )
        path = path.parent
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{path} is no directory; give another path")
    return path


def demand_writable_directory(path: Path) -> None:
    """`demand_directory`; raise OSError also if the directory cannot be made, or nothing written in it."""
    there = demand_directory(path)
    if not os.access(there, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise PermissionError(
            errno.EACCES,
            f"nothing can be written in {there}; look at its permissions (ls -ld) and its file system, "
            "or give another path",
        )
