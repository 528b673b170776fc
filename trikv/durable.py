"""Names that survive a power cut: a new directory, and all below it, can be lost until its parent is synced.

For what is made before a node runs, by whoever starts it; a node's own files go through `trikv.host.disk`.
"""

import contextlib
import os
from pathlib import Path


def make_directory(path: Path) -> None:
    """Make a directory and those above it that are not there, for the owner alone, durably. Raises OSError.

    The name of `path` is synced also if it stood there already: whoever made it may have been killed before.
    """
    if not path.is_dir():
        if path.parent != path:
            make_directory(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    sync_names(path.absolute().parent)


def sync_names(directory: Path) -> None:
    """Make the names in `directory` durable. Raises OSError."""
    with contextlib.suppress(PermissionError):  # one that we may write in, and not read
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
