"""What a machine lacks: tests that need it are skipped by name, and fail where nothing may be skipped."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.tools import Skipped, require_tool, skip_unless_strict

ROOT = Path(__file__).parents[1]
MARKED = """
import pytest
from tests.tools import needs

@pytest.fixture
def costly():
    raise AssertionError("made though its test cannot run")

@needs(None, "no such thing")
def test_needs_it(costly):
    pass

@needs("something", "never said")
def test_has_it():
    pass
"""


def test_a_skip_is_a_failure_under_strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """TRIKV_STRICT=1 and nothing else: the failure gives the reason and says what to do."""
    for value in ("", "0"):
        monkeypatch.setenv("TRIKV_STRICT", value)
        with pytest.raises(Skipped, match=r"^too dark$"):
            skip_unless_strict("too dark")
    monkeypatch.setenv("TRIKV_STRICT", "1")
    with pytest.raises(pytest.fail.Exception, match=r"^too dark; TRIKV_STRICT=1 .* \.ci/run$"):
        skip_unless_strict("too dark")


def test_a_tool_is_found_or_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing program is named, so that it can be installed."""
    monkeypatch.setenv("TRIKV_STRICT", "0")
    assert Path(require_tool("sh")).is_file()
    with pytest.raises(Skipped, match=r"^no-such-program is not installed"):
        require_tool("no-such-program")


@pytest.mark.parametrize(
    ("strict", "code", "outcome"),
    [("0", 0, "1 passed, 1 skipped"), ("1", 1, "no such thing; TRIKV_STRICT=1 allows no skip")],
)
def test_a_mark_does_the_same_before_any_fixture(
    strict: str, code: int, outcome: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Marked tests are skipped or fail by the same rule, and what they need of fixtures is not made."""
    (tmp_path / "test_marked.py").write_text(MARKED)
    monkeypatch.setenv("TRIKV_STRICT", strict)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-c", "pyproject.toml"]
    done = subprocess.run([*command, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout
    assert outcome in done.stdout
    assert "made though" not in done.stdout
