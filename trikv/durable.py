"""Names that survive a power cut: a new directory, and all below it, can be lost until its parent is synced.

This is for directories that are made before a node runs. A node's own files go through `trikv.host.disk`.
"""

import contextlib
import os
from pathlib import Path


def make_directory(path: Path) -> None:
    """Make a directory and its missing parents, for the owner alone, durably. Raises OSError."""
    if not path.is_dir():
        if path.parent != path:
            make_directory(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    # Even if it was there: the process that made it may have been killed before it could sync.
    sync_names(path.absolute().parent)


def sync_names(directory: Path) -> None:
    """Make the names in `directory` durable. Raises OSError."""
    with contextlib.suppress(PermissionError):  # a directory in which we may write, but not read
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
