"""Makes .venv beside the one in use and puts it in its place; the standard library alone.

`tools/venv.sh` finds a Python and calls this::

    .venv/bin/python tools/make_venv.py check [EXTRA]   says by its exit code if it is up to date: 0, else 3
    PYTHON tools/make_venv.py make PYTHON [EXTRA]       makes it with that Python

An environment cannot be moved, for its scripts hold its path. So each is made where it stays, in a directory
of its own below .venvs, and .venv is a link to the one in force, replaced in one step once all is
installed. Whatever goes wrong before leaves the old environment as it was, and a node that runs keeps the
files it was started with. What no process uses any more is removed when the next one is made.

The stamp in an environment tells what it was made from: a hash of the files that decide its content and of
the checkout's path (the scripts and the editable install point there), its Python's ABI, whether there was a
compiler, and the extras. Which Python or compiler comes first in PATH later is no reason to make another.
"""

import fcntl
import hashlib
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parents[1]
LINK = ROOT / ".venv"
ENVIRONMENTS = ROOT / ".venvs"
PARTS_IN_C = (
    "trikv/host/_handoff.c",
    "trikv/machine/_bits.c",
    "trikv/machine/_runs.c",
    "trikv/machine/values/_order.c",
    "trikv/machine/values/_parts.c",
    "trikv/rdb/_lzf.c",
)
SOURCES = ("pyproject.toml", "constraints.txt", "setup.py", *PARTS_IN_C)

UP_TO_DATE, FAILED, STALE, INTERRUPTED = 0, 1, 3, 130


def say(text: str) -> None:
    """One line for the person."""
    sys.stderr.write(f"trikv: {text}\n")
    sys.stderr.flush()


def fingerprint() -> str:
    """Of what an environment is made from."""
    digest = hashlib.sha256(os.fsencode(ROOT))
    for name in SOURCES:
        content = (ROOT / name).read_bytes()
        digest.update(b"\0%d\0%b" % (len(content), content))
    return digest.hexdigest()


def is_untried(version: str) -> bool:
    """True if pyproject.toml names the versions of Python that were tried, and `version` is none of them."""
    tried = re.findall(r"Programming Language :: Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    return bool(tried) and version not in tried


def has_compiler() -> bool:
    """True if the part in C may be built."""
    return bool(shutil.which("cc") or shutil.which("gcc"))


def is_up_to_date(extra: str) -> bool:
    """True if .venv, whose Python runs this, serves: made from what is here, with the extra or more.

    A compiler that has come since then is a reason to make it anew, one that has gone is none.
    """
    try:
        made_from, made_for, compiler, *extras = (LINK / "stamp").read_text().split()
    except (OSError, ValueError):
        return False
    return (
        made_from == fingerprint()
        and made_for == sys.implementation.cache_tag
        and (compiler == "cc" or not has_compiler())
        and (not extra or extra in extras)
    )


@contextmanager
def alone() -> Iterator[None]:
    """Hold the lock, so that two runs at once make one environment."""
    ENVIRONMENTS.mkdir(exist_ok=True)
    with (ENVIRONMENTS / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another run is making .venv: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make(python: str, extra: str) -> int:
    """Make it, unless another run has done so meanwhile; the exit code."""
    with alone():
        if _succeeds([str(LINK / "bin" / "python"), "-I", __file__, "check", extra], quiet=True):
            return UP_TO_DATE
        if not _succeeds([python, "-c", "import ensurepip, venv"], quiet=True):
            version = "{}.{}".format(*sys.version_info)
            say(f"{python} cannot make virtual environments: apt-get install -y python{version}-venv")
            return FAILED
        version = ".".join(map(str, sys.version_info[:3]))
        say(f"making .venv with Python {version}; this takes a minute")
        if is_untried("{}.{}".format(*sys.version_info)):
            say(f"it was never tried with Python {version}: './tests/run quick' tells whether all works")
        directory = _new_directory()
        try:
            if not _install(python, extra, directory):
                return FAILED
            _put_in_place(directory)
        finally:
            _tidy()
        return UP_TO_DATE


def _new_directory() -> Path:
    """Make one whose name no environment has; those of earlier ones may be in use."""
    for number in itertools.count(1):
        directory = ENVIRONMENTS / f"{sys.version_info[0]}.{sys.version_info[1]}-{number}"
        try:
            directory.mkdir()
        except FileExistsError:
            continue
        return directory
    raise AssertionError("numbers have no end")


def _install(python: str, extra: str, directory: Path) -> bool:
    """Fill `directory`, the stamp last; False if that failed, and it has been said."""
    kept = "; .venv is left as it was" if LINK.exists() else ""
    if not _succeeds([python, "-m", "venv", "--prompt", "trikv", str(directory)]):
        say(f"the environment could not be made (above is why){kept}")
        return False
    begun_ns = directory.stat().st_mtime_ns
    own = str(directory / "bin" / "python")
    pip = [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    what = f".[{extra}]" if extra else "."
    if not _succeeds([*pip, "--constraint", "constraints.txt", "--editable", what]):
        say(f"the packages could not be installed (above is why){kept}; start again when they can")
        return False
    for built in (path for part in PARTS_IN_C for path in ROOT.glob(f"{part[:-2]}*.so")):
        if (
            built.stat().st_mtime_ns < begun_ns
        ):  # of an older source or another Python, and could not be built anew
            built.unlink()
    imports = "import " + ", ".join(part[:-2].replace("/", ".") for part in PARTS_IN_C)
    if not _succeeds([own, "-c", imports], quiet=True):
        say(
            "without its parts in C, which need a compiler and Python's headers: all works, writes are slower"
        )
    compiler = "cc" if has_compiler() else "-"
    stamp = f"{fingerprint()} {sys.implementation.cache_tag} {compiler} {extra}\n"
    (directory / "stamp").write_text(stamp)
    return True


def _succeeds(command: list[str], *, quiet: bool = False) -> bool:
    """Run `command` in the checkout; an interruption of ours ends it too."""
    output = subprocess.DEVNULL if quiet else None
    try:
        return subprocess.run(command, cwd=ROOT, stdout=output, stderr=output, check=False).returncode == 0
    except OSError as error:
        if not quiet:
            say(f"{command[0]}: {error.strerror}")
        return False


def _put_in_place(directory: Path) -> None:
    """Make .venv a link to `directory`, a relative one: that of a copied checkout must not lead back here."""
    link = ENVIRONMENTS / "link"
    link.unlink(missing_ok=True)
    link.symlink_to(directory.relative_to(ROOT))
    if LINK.is_dir() and not LINK.is_symlink():  # as earlier versions made it; nodes may run from it
        LINK.rename(ENVIRONMENTS / f"of-before-{directory.name}")
    link.replace(LINK)


def _tidy() -> None:
    """Remove what is neither in force nor in use: failed, interrupted and replaced environments."""
    kept = LINK.resolve()
    for directory in ENVIRONMENTS.iterdir():
        if directory.is_dir() and directory.resolve() != kept and not _is_in_use(directory):
            shutil.rmtree(directory, ignore_errors=True)


def _is_in_use(directory: Path) -> bool:
    """True if a process was started from `directory` or has a library from there in its memory.

    Also if nobody can tell: there is no /proc, or a process of another user runs from a .venv.
    """
    if not Path("/proc/self/maps").exists():
        return True
    place = os.fsencode(directory) + b"/"
    for process in Path("/proc").glob("[0-9]*"):
        command = b""
        try:
            command = (process / "cmdline").read_bytes()
            if place in command or place in (process / "maps").read_bytes():
                return True
        except PermissionError:
            if LINK.name.encode() in command:
                return True
        except OSError:  # it has ended
            continue
    return False


def _interrupted(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(arguments: list[str]) -> int:
    """Do what the arguments say; the exit code."""
    try:
        if arguments[0] == "check":
            extra = arguments[1] if len(arguments) > 1 else ""
            return UP_TO_DATE if is_up_to_date(extra) else STALE
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:  # not under nohup
                signal.signal(number, _interrupted)
        if "\n" in str(ROOT):
            say("cannot make .venv in a directory whose path holds a line break: move the checkout")
            return FAILED
        return make(arguments[1], arguments[2] if len(arguments) > 2 else "")
    except KeyboardInterrupt:
        say("interrupted; .venv is as it was")
        return INTERRUPTED
    except OSError as error:
        say(f"cannot make .venv in {ROOT}: {error.strerror or error}")
        return FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
