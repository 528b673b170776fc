"""What an installed trikv brings besides its modules."""

import re
import tomllib
from importlib import resources
from pathlib import Path

from packaging.version import Version

from trikv import __version__

ROOT = Path(__file__).parents[1]
MARKER = "py.typed"


def test_the_package_says_that_it_is_typed() -> None:
    """Without the marker of PEP 561 a type checker takes every import of trikv for `Any`."""
    assert resources.files("trikv").joinpath(MARKER).is_file()


def test_the_marker_is_installed() -> None:
    """A wheel has files that are no modules only if they are declared."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert MARKER in project["tool"]["setuptools"]["package-data"]["trikv"]


def test_the_version_is_that_of_the_release_to_come() -> None:
    """While there are unreleased changes: nobody may take a checkout for a release that behaves otherwise."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"], "it is said once, in the package"
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    ours, newest = Version(__version__), Version(headings[headings[0] == "Unreleased"])
    assert str(ours) == __version__, "in the spelling of PEP 440"
    if headings[0] == "Unreleased":
        assert ours.is_devrelease
        assert ours > newest
    else:
        assert ours == newest
