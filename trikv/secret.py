"""The cluster's shared secret: a 0600 file, never a line of a configuration file (PROTOCOL 15).

Anybody who has it may speak as a node, so a file that others can read is refused.
"""

import os
import secrets
import stat
from pathlib import Path
from typing import Final

from trikv import durable
from trikv.config import ConfigError
from trikv.notation import counted

BYTES: Final = 32
"""256 bits of entropy, twice the strength of the 128-bit MAC it keys."""
_BYTES_MAX: Final = 1024
"""A file that is longer is a mistaken path, not a secret."""


def make(path: str) -> bool:
    """Make the file, durably, if there is none; True if it was made. Raises OSError."""
    target = Path(path)
    if target.exists():
        return False
    durable.make_directory(target.parent)
    # Written aside and linked into place: two starts at once agree on one file, and none reads half of it.
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())  # before the link: a power cut must not leave an empty secret
        try:
            os.link(aside, target)
        except FileExistsError:
            return False
    finally:
        aside.unlink()
    durable.sync_names(target.parent)
    return True


def read(path: str, *, node_id: int) -> bytes:
    """Read the secret. Raises ConfigError with one line that says what to copy or to change."""
    try:
        with Path(path).open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read(_BYTES_MAX + 1).strip()
    except FileNotFoundError:
        raise ConfigError(
            f"{path}: node {node_id} has peers and no secret; copy cluster.secret there from another node "
            "('trikv cluster' makes one), and chmod 600 it"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror or error}; the cluster's secret must be readable"
        ) from error
    if mode & 0o077:
        raise ConfigError(f"{path}: others can read the cluster's secret (mode {mode:04o}); chmod 600 it")
    if not 16 <= len(text) <= _BYTES_MAX:
        raise ConfigError(
            f"{path}: holds {counted(len(text), 'byte')}, expected 16 to {_BYTES_MAX}; "
            "copy it again from another node"
        )
    return text
