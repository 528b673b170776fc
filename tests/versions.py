"""Every promised version of Python that this machine has runs the quick tests.

::

    python3 -m tests.versions              all of them, one after the other; some minutes each
    python3 -m tests.versions --ends       the oldest and the newest, as CI does
    python3 -m tests.versions --but 3.11   all but one, whose tests have run already; goes with --ends
    python3 -m tests.versions --list       only say which would run

A version is promised by its line in pyproject.toml ("Programming Language :: Python :: 3.12"), and only what
has been run belongs there. Interpreters are looked for on PATH and among pyenv's. Each runs in a copy of
this tree with a ``.venv`` of its own, so nothing here is touched. Needs nothing but the standard library.

A promised version that does not run is named in the first line and again in the last one: few machines have
all of them, so that is no failure. The exit code is 1 if a version fails, and if none was found to run: with
``--but`` only under TRIKV_STRICT=1, for then CI would have tested a single version and promised several.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
_CLASSIFIER: Final = re.compile(r"Programming Language :: Python :: (\d+\.\d+)")
_ASK_VERSION: Final = "import sys, ensurepip, venv; print('%d.%d.%d' % sys.version_info[:3])"

Version = tuple[int, ...]


def promised(pyproject: Path = ROOT / "pyproject.toml") -> list[str]:
    """The versions that trikv promises to run on, such as ``3.11``, oldest first."""
    classifiers = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["classifiers"]
    found = [match[1] for line in classifiers if (match := _CLASSIFIER.fullmatch(line))]
    return sorted(found, key=_as_numbers)


def candidates(environment: Mapping[str, str], versions: Sequence[str]) -> list[Path]:
    """Where interpreters of these versions may be: each folder of PATH, each version of pyenv."""
    pyenv = Path(environment.get("PYENV_ROOT") or Path(environment.get("HOME", "/")) / ".pyenv")
    folders = [Path(one) for one in environment.get("PATH", "").split(os.pathsep) if one]
    folders += sorted((pyenv / "versions").glob("*/bin"))
    paths = [folder / name for folder in folders for name in ("python3", *(f"python{v}" for v in versions))]
    return [path for path in paths if path.is_file()]


def version_of(interpreter: Path) -> str | None:
    """The version that `interpreter` says it is, such as ``3.11.7``; None if it cannot make a ``.venv``.

    Asking is the only way: pyenv's shims exist for versions that are not chosen, and then fail.
    """
    try:
        asked = subprocess.run([interpreter, "-c", _ASK_VERSION], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return asked.stdout.strip() if asked.returncode == 0 else None


def interpreters(found: Mapping[Path, str | None], versions: Sequence[str]) -> dict[str, Path]:
    """For each of `versions` that was `found`, oldest first, the interpreter with its newest patch."""
    chosen: dict[str, Path] = {}
    for path, version in sorted(found.items(), key=lambda one: _as_numbers(one[1] or "0"), reverse=True):
        minor = ".".join((version or "").split(".")[:2])
        if minor in versions:
            chosen.setdefault(minor, path)
    return dict(sorted(chosen.items(), key=lambda one: _as_numbers(one[0])))


def _as_numbers(version: str) -> Version:
    return tuple(map(int, version.split(".")))


def run_quick(version: str, interpreter: Path) -> int:
    """Run the quick tests under `interpreter` in a copy of this tree; the exit code."""
    with tempfile.TemporaryDirectory(prefix=f"trikv-python{version}-") as folder:
        copy = Path(folder) / "trikv"
        ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
        shutil.copytree(
            ROOT, copy, ignore=shutil.ignore_patterns(".git", *(one.strip("/") for one in ignored))
        )
        first = Path(folder) / "bin"
        first.mkdir()
        (first / "python3").symlink_to(interpreter)
        # Where `python3` is this one, tools/venv.sh takes it: the way a user's own choice is heard.
        environment = os.environ | {"PATH": f"{first}{os.pathsep}{os.environ['PATH']}"}
        environment.pop("VIRTUAL_ENV", None)
        return subprocess.run([copy / "tests" / "run", "quick"], env=environment, check=False).returncode


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a command line prints


def choose(
    found: Mapping[str, Path], *, ends: bool = False, but: Sequence[str] = ()
) -> tuple[dict[str, Path], dict[str, str]]:
    """Of the versions `found`, oldest first, those to run; and why each of the others is not."""
    kept = {*list(found)[:1], *list(found)[-1:]} if ends else set(found)
    run = {version: path for version, path in found.items() if version in kept and version not in but}
    left_out = {version: "between the ends" for version in found if version not in {*kept, *but}}
    return run, left_out


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the versions that were asked for; the exit code."""
    parser = argparse.ArgumentParser(prog="python3 -m tests.versions", description=__doc__.splitlines()[0])
    parser.add_argument("--ends", action="store_true", help="only the oldest and the newest")
    parser.add_argument("--but", action="append", default=[], metavar="VERSION", help="leave this one out")
    parser.add_argument("--list", action="store_true", help="only say which would run")
    options = parser.parse_args(arguments)
    versions = promised()
    paths = candidates(os.environ, versions)
    found = interpreters({path: version_of(path) for path in paths}, versions)
    chosen, left_out = choose(found, ends=options.ends, but=options.but)
    absent = {one: "not on this machine" for one in versions if one not in found and one not in options.but}
    not_run = ", ".join(f"Python {one} ({why})" for one, why in sorted((absent | left_out).items(), key=_age))
    if not_run:
        _say(f"PROMISED AND NOT RUN: {not_run}")
    if not chosen:
        return _none_to_run(versions, options.but)
    failed = []
    for version, path in chosen.items():
        _say(f"== Python {version}: {path}")
        if not options.list and run_quick(version, path):
            failed.append(version)
    if not_run and not options.list:  # again, for thousands of lines lie between
        _say(f"PROMISED AND NOT RUN: {not_run}")
    if failed:
        _say(f"failed on Python {', '.join(failed)}")
    return 1 if failed else 0


def _age(one: tuple[str, str]) -> Version:
    return _as_numbers(one[0])


def _none_to_run(versions: Sequence[str], but: Sequence[str]) -> int:
    """Say what an empty choice means; the exit code."""
    if not but:
        _say("none of the promised versions of Python is on this machine")
        return 1
    if not set(versions) - set(but):
        return 0
    _say(f"of the promised versions of Python this machine has only {', '.join(but)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
