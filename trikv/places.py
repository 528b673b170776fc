"""Paths of directories to be made: a path that can be none is refused before anything starts."""

import errno
from pathlib import Path


def demand_directory(path: Path) -> None:
    """Raise OSError if `path` is, or would have to be below, a file that is no directory."""
    while not path.exists() and path != path.parent:
        path = path.parent
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{path} is no directory; give another path")
