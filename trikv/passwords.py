"""How a password is given otherwise than on the command line, which ``ps`` shows to every user of a machine.

A node reads its own as the settings ``requirepass`` and ``requirepass_file`` (`trikv.config`). Clients read
the same two variables, so that a shell that starts a cluster can also ask it. Errors here are ValueError with
half a sentence that the caller completes.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

from trikv.system_text import to_bytes

BYTES_MAX: Final = 4096
"""A file that is longer is a mistaken path, not a password."""
VARIABLE: Final = "TRIKV_REQUIREPASS"
FILE_VARIABLE: Final = "TRIKV_REQUIREPASS_FILE"
ON_THE_COMMAND_LINE: Final = (
    "the password is on the command line, where 'ps' shows it to every user of this machine"
)
WANTED: Final = "NOAUTH Authentication required."
"""A node's answer to a client that has given no password, in Redis' words."""
HOW_TO_GIVE: Final = f"set {FILE_VARIABLE}=FILE, or give --password-file FILE"
NEVER_EMPTY: Final = "is given, but empty, which would mean no password; set it, or leave it out"


@attrs.frozen
class Found:
    """A password (None if none is given), and a warning about the way in which it was given."""

    password: bytes | None
    warning: str = ""


def _named(path: str) -> str:
    """A path as a message names it: in one line, with nothing that a terminal would obey."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in path)


def read(path: str) -> str:
    """Read a password from a file of one line, without the line's end. Raises ValueError."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(BYTES_MAX + 1)
    except OSError as error:
        raise ValueError(
            f"{_named(path)}: {error.strerror or error}; the password's file must be readable"
        ) from error
    line = data.removesuffix(b"\n").removesuffix(b"\r")
    if not line:
        raise ValueError(f"{_named(path)}: the file is empty; write the password into it")
    if len(line) > BYTES_MAX or b"\n" in line or b"\0" in line:
        raise ValueError(
            f"{_named(path)}: expected one line of at most {BYTES_MAX} bytes; is it the right file?"
        )
    return os.fsdecode(line)


def warning_of(path: str) -> str:
    """A warning about the file's permissions; empty if only its owner can read it."""
    mode = stat.S_IMODE(Path(path).stat().st_mode)
    return (
        f"{_named(path)}: others can read the password (mode {mode:04o}); chmod 600 it"
        if mode & 0o077
        else ""
    )


def for_client(given: str | None, file: str | None, environment: Mapping[str, str]) -> Found:
    """What a client sends with AUTH: ``--password``, ``--password-file``, else the node's own variables.

    Raises ValueError with a whole sentence.
    """
    if given is not None and file is not None:
        raise ValueError("--password and --password-file are both given; give one of them")
    if given is not None:
        if not given:
            raise ValueError(f"--password {NEVER_EMPTY}")
        return Found(to_bytes(given), f"{ON_THE_COMMAND_LINE}; use --password-file, or {VARIABLE}")
    if file is not None:
        return _from_file("--password-file", file)
    if VARIABLE in environment and FILE_VARIABLE in environment:
        raise ValueError(f"{VARIABLE} and {FILE_VARIABLE} are both set; unset one of them")
    if FILE_VARIABLE in environment:
        return _from_file(FILE_VARIABLE, environment[FILE_VARIABLE])
    if VARIABLE not in environment:
        return Found(None)
    if not environment[VARIABLE]:
        raise ValueError(f"{VARIABLE} {NEVER_EMPTY}")
    return Found(to_bytes(environment[VARIABLE]))


def _from_file(source: str, path: str) -> Found:
    if not path:
        raise ValueError(f"{source} {NEVER_EMPTY}")
    try:
        return Found(to_bytes(read(path)), warning_of(path))
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
