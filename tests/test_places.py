"""Directories to be made: what can be none is refused, by people without root's rights too."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from trikv.places import demand_directory, demand_writable_directory

NOBODY = 65534


@contextmanager
def not_root() -> Iterator[None]:
    """Root may write everywhere: be somebody else for the time of a block."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(was)


@pytest.fixture
def parent() -> Iterator[Path]:
    """A directory that everybody may enter and read, and nobody may write; pytest's own are for one user."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o555)
        yield path
        path.chmod(0o755)


@pytest.mark.parametrize("below", ["", "data", "data/node1"])
def test_where_nothing_can_be_written_is_refused(parent: Path, below: str) -> None:
    """The directory that is there is named, because its permissions are to be changed."""
    with not_root(), pytest.raises(PermissionError) as caught:
        demand_writable_directory(parent / below)
    assert str(caught.value.strerror).startswith(
        f"nothing can be written in {parent}; look at its permissions"
    )
    with not_root():
        assert demand_directory(parent / below) == parent, "to read in it is no fault"


def test_a_directory_of_ones_own_in_one_of_somebody_else_will_do(parent: Path) -> None:
    """As an administrator makes it for a service: its parent need not be writable."""
    data = parent / "data"
    parent.chmod(0o755)
    data.mkdir()
    os.chown(data, NOBODY if os.geteuid() == 0 else os.geteuid(), -1)
    parent.chmod(0o555)
    with not_root():
        demand_writable_directory(data)
        demand_writable_directory(data / "node1" / "wal")
    parent.chmod(0o755)
    data.rmdir()


def test_what_is_no_directory_is_refused(tmp_path: Path) -> None:
    """Wherever on the way it stands."""
    (tmp_path / "file").touch()
    for path in ("file", "file/a/b"):
        with pytest.raises(NotADirectoryError, match="file is no directory; give another path"):
            demand_writable_directory(tmp_path / path)
    demand_writable_directory(tmp_path / "a" / "b")


@pytest.mark.parametrize("target", ["unmounted", "link"])
def test_a_link_that_leads_nowhere_is_refused(target: str, tmp_path: Path) -> None:
    """Its target is named, a disk that is not mounted perhaps, or the link itself."""
    link = tmp_path / "link"
    link.symlink_to(target)
    for path in (link, link / "node1"):
        with pytest.raises(NotADirectoryError) as caught:
            demand_writable_directory(path)
        assert caught.value.strerror == (
            f"{link} is a link to {target}, which is not there; mount or make that directory, "
            "or give another path"
        )
    (tmp_path / "unmounted").mkdir()
    if target == "unmounted":
        demand_writable_directory(link / "node1")
