"""``tests/run``, with stand-ins for all that it starts: what it leaves behind."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.cluster import eventually

ROOT = Path(__file__).parents[2]
PROGRAMS = ("python", "ruff", "mypy", "lint-imports", "coverage", "trikv")
PATIENCE_S = 30

NOTES = '#!/bin/sh\necho "${0##*/} $*"\n'
"""A program that says how it was called."""
LINGERS = '#!/bin/sh\necho $$ >>"$TMPDIR/pids"\nexec sleep 60\n'
"""A program that stays, and says as what."""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The script in a place of its own, where every program only says how it was called."""
    script(tmp_path / "tools" / "venv.sh", "#!/bin/sh\n")
    script(tmp_path / "tests" / "run", (ROOT / "tests" / "run").read_text(encoding="utf-8"))
    for name in PROGRAMS:
        script(tmp_path / ".venv" / "bin" / name, NOTES)
    (tmp_path / "tmp").mkdir()
    return tmp_path


def script(path: Path, text: str) -> None:
    """Write a program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def start(checkout: Path, *words: str) -> "subprocess.Popen[str]":
    """Start it as from a terminal: a group of its own, which Ctrl-C reaches as a whole."""
    return subprocess.Popen(
        [checkout / "tests" / "run", *words],
        env=os.environ | {"TMPDIR": str(checkout / "tmp")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize(("words", "halves"), [((), 4), (("quick",), 2)])
def test_it_leaves_nothing_behind(words: tuple[str, ...], halves: int, checkout: Path) -> None:
    """All halves have run and are shown, and no temporary file stays."""
    with start(checkout, *words) as run:
        shown = run.communicate(timeout=PATIENCE_S)[0]
    assert run.returncode == 0
    assert len(re.findall(r"^python -m pytest -q", shown, re.MULTILINE)) == halves
    assert list((checkout / "tmp").iterdir()) == []


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_runs_nothing(word: str, checkout: Path) -> None:
    """It shows the comment at the script's head, with all there is to say, and none of the script."""
    with start(checkout, word) as run:
        shown = run.communicate(timeout=PATIENCE_S)[0]
    assert run.returncode == 0
    assert [line.partition("  ")[0] for line in shown.splitlines()][:2] == [
        "All checks, as CI runs them:",
        "The fast ones:",
    ]
    assert "tests/run quick" in shown
    assert len(shown.splitlines()) == 3
    assert (
        (ROOT / "tests" / "run")
        .read_text(encoding="utf-8")
        .startswith("#!/bin/sh\n" + "".join(f"# {line}\n" for line in shown.splitlines()))
    )


@pytest.mark.parametrize("words", [("quik",), ("quick", "tests/sim"), ("",), ("--", "quick")])
def test_what_it_does_not_know_is_refused(words: tuple[str, ...], checkout: Path) -> None:
    """At once, with what there is: it was half an hour of everything."""
    with start(checkout, *words) as run:
        shown = run.communicate(timeout=PATIENCE_S)[0]
    assert run.returncode == 2
    assert shown == (
        f"tests/run: not understood: {' '.join(words)}; "
        "there is 'tests/run', 'tests/run quick' and 'tests/run --help'\n"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_both_halves(number: signal.Signals, checkout: Path) -> None:
    """What runs behind ignores Ctrl-C by itself: it would go on for minutes, unseen."""
    script(checkout / ".venv" / "bin" / "python", LINGERS)
    pids = checkout / "tmp" / "pids"
    with start(checkout, "quick") as run:
        eventually(
            lambda: pids.exists() and len(pids.read_text().split()) == 2,
            within_s=PATIENCE_S,
            what="two halves at once",
        )
        os.killpg(run.pid, number)
        assert run.wait(PATIENCE_S) == 128 + number
        run.communicate(timeout=PATIENCE_S)  # ends once nobody holds the pipe
    assert [path.name for path in (checkout / "tmp").iterdir()] == ["pids"]
    for pid in pids.read_text().split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)
