"""What an installed trikv brings besides its modules."""

import tomllib
from importlib import resources
from pathlib import Path

ROOT = Path(__file__).parents[1]
MARKER = "py.typed"


def test_the_package_says_that_it_is_typed() -> None:
    """Without the marker of PEP 561 a type checker takes every import of trikv for `Any`."""
    assert resources.files("trikv").joinpath(MARKER).is_file()


def test_the_marker_is_installed() -> None:
    """A wheel has files that are no modules only if they are declared."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert MARKER in project["tool"]["setuptools"]["package-data"]["trikv"]
