"""Which interpreters are found, which are chosen, and that the documents promise no more than was run."""

import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests import versions

ROOT = Path(__file__).parents[1]


def _interpreter(path: Path, says: str, code: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {says}\nexit {code}\n")
    path.chmod(0o755)
    return path


def test_this_interpreter_is_found_and_known() -> None:
    """The version that runs these tests is among those that the machine has."""
    own = Path(sys.executable)
    assert versions.version_of(own) == "{}.{}.{}".format(*sys.version_info[:3])


def test_interpreters_are_looked_for_on_path_and_among_pyenvs(tmp_path: Path) -> None:
    """Files of the right names in PATH and in pyenv's versions are candidates; folders are not."""
    plain = _interpreter(tmp_path / "bin/python3", "3.12.4")
    _interpreter(tmp_path / "bin/python2", "2.7.18")
    (tmp_path / "other/python3").mkdir(parents=True)
    own = _interpreter(tmp_path / "home/.pyenv/versions/3.13.1/bin/python3.13", "3.13.1")
    path = os.pathsep.join((f"{tmp_path}/bin", f"{tmp_path}/other", f"{tmp_path}/absent"))
    environment = {"PATH": path, "HOME": f"{tmp_path}/home"}
    assert versions.candidates(environment, ["3.12", "3.13"]) == [plain, own]


def test_an_interpreter_that_fails_is_no_candidate(tmp_path: Path) -> None:
    """A shim of pyenv's for a version that is not chosen exits with an error, and is passed over."""
    shim = _interpreter(tmp_path / "python3.12", "3.12.0", code=127)
    no_program = tmp_path / "python3.13"
    no_program.write_text("neither a script nor a program")
    assert versions.version_of(shim) is None
    assert versions.version_of(no_program) is None


def test_the_newest_patch_of_each_promised_version_is_chosen() -> None:
    """One interpreter a version, oldest first (3.9 is older than 3.11), and only promised versions."""
    found = {
        Path("/a"): "3.13.0",
        Path("/b"): "3.11.7",
        Path("/c"): "3.11.12",
        Path("/d"): "3.15.0",
        Path("/e"): None,
        Path("/f"): "3.9.1",
    }
    chosen = versions.interpreters(found, ["3.9", "3.11", "3.13"])
    assert list(chosen.items()) == [("3.9", Path("/f")), ("3.11", Path("/c")), ("3.13", Path("/a"))]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Path]:
    """Makes this a machine that has, and trikv one that promises, some versions; gives the folder in PATH."""

    def made(has: Sequence[str], promises: Sequence[str]) -> Path:
        for version in has:
            _interpreter(tmp_path / f"python{version}", f"{version}.1")
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
        monkeypatch.delenv("TRIKV_STRICT", raising=False)
        monkeypatch.setattr(versions, "promised", lambda: list(promises))
        return tmp_path

    return made


def test_ends_are_the_oldest_and_the_newest(
    machine: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    """`--ends` leaves out what lies between, `--but` what has run already; whatever does not run is named."""
    place = machine(["3.11", "3.12", "3.13"], promises=["3.11", "3.12", "3.13", "3.14"])
    assert versions.main(["--list", "--ends", "--but", "3.11"]) == 0
    assert capfd.readouterr().out.splitlines() == [
        "PROMISED AND NOT RUN: Python 3.12 (between the ends), Python 3.14 (not on this machine)",
        f"== Python 3.13: {place}/python3.13",
    ]


def test_an_absent_version_is_said_again_at_the_end(
    machine: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Thousands of lines of tests lie between; it is no failure, for few machines have all versions."""
    machine(["3.11", "3.13"], promises=["3.11", "3.12", "3.13"])
    monkeypatch.setattr(versions, "run_quick", lambda *_: 0)
    monkeypatch.setenv("TRIKV_STRICT", "1")
    assert versions.main(["--ends", "--but", "3.11"]) == 0
    first, *_, last = capfd.readouterr().out.splitlines()
    assert first == last == "PROMISED AND NOT RUN: Python 3.12 (not on this machine)"


def test_a_version_that_fails_is_named(
    machine: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """All versions run even if one fails; the exit code tells, and the last line says which."""
    machine(["3.11", "3.12"], promises=["3.11", "3.12"])
    ran: list[str] = []

    def run_quick(version: str, _: Path) -> int:
        ran.append(version)
        return int(version == "3.11")

    monkeypatch.setattr(versions, "run_quick", run_quick)
    assert versions.main([]) == 1
    assert ran == ["3.11", "3.12"]
    assert capfd.readouterr().out.splitlines()[-1] == "failed on Python 3.11"


def test_one_version_alone_is_named(machine: Callable[..., Path], capfd: pytest.CaptureFixture[str]) -> None:
    """CI that had no Python beside the one in force does not look like one that tried several."""
    machine(["3.11"], promises=["3.11", "3.12"])
    assert versions.main(["--ends", "--but", "3.11"]) == 0
    assert capfd.readouterr().out.splitlines() == [
        "PROMISED AND NOT RUN: Python 3.12 (not on this machine)",
        "of the promised versions of Python this machine has only 3.11",
    ]


def test_none_to_run_is_a_failure(machine: Callable[..., Path]) -> None:
    """A machine without any promised version must not look like one where all passed."""
    machine([], promises=["3.11"])
    assert versions.main([]) == 1


def test_documents_promise_the_versions_that_are_run() -> None:
    """README and pyproject.toml name the same oldest and newest version; this interpreter is one of them."""
    oldest, *_, newest = versions.promised()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"Python (3\.\d+) to (3\.\d+)", readme) == [(oldest, newest)]
    assert f'requires-python = ">={oldest}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert "{}.{}".format(*sys.version_info[:2]) in versions.promised()
