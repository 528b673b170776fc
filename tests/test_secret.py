"""The cluster's secret: made once, private, and refused in one line that says what to do."""

import os
from pathlib import Path

import pytest

from tests.host.kernel import Kernel
from trikv import secret
from trikv.config import ConfigError


def test_it_is_made_once_and_is_private(tmp_path: Path) -> None:
    """0600, random, and never replaced: the nodes that have it already must still be understood."""
    path = tmp_path / "data" / "cluster.secret"
    assert secret.make(str(path))
    assert path.stat().st_mode & 0o777 == 0o600
    first = secret.read(str(path), node_id=1)
    assert len(first) == 2 * secret.BYTES
    assert not secret.make(str(path))
    assert secret.read(str(path), node_id=1) == first
    assert [file.name for file in path.parent.iterdir()] == ["cluster.secret"]


def test_its_name_is_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And that of its directory: a power cut does not leave nodes that trust each other by nothing."""
    data = tmp_path / "data"
    kernel = Kernel(monkeypatch)
    assert secret.make(str(data / "cluster.secret"))
    aside = data / f".cluster.secret.{os.getpid()}"
    kernel.order(
        *(("mkdir", data), ("fsync", tmp_path), ("open", aside), ("fsync", aside)),
        *(("unlink", aside), ("fsync", data)),
    )


def test_two_are_not_alike(tmp_path: Path) -> None:
    """A secret that can be guessed is none."""
    paths = [str(tmp_path / name) for name in "ab"]
    assert all(secret.make(path) for path in paths)
    assert secret.read(paths[0], node_id=1) != secret.read(paths[1], node_id=1)


def test_one_made_by_another_at_the_same_moment_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two that start at once one wins, and both use its secret."""
    path = tmp_path / "cluster.secret"
    monkeypatch.setattr(Path, "exists", lambda _: False)
    assert secret.make(str(path))
    before = path.read_bytes()
    assert not secret.make(str(path))
    assert path.read_bytes() == before


def refusal(path: Path) -> str:
    """Read what must be refused; the one line."""
    with pytest.raises(ConfigError, match=r"^[^\n]*$") as caught:
        secret.read(str(path), node_id=2)
    return str(caught.value)


def test_a_missing_one_says_what_to_copy(tmp_path: Path) -> None:
    """A node with peers and no secret does not invent one: the others would not know it."""
    assert "copy cluster.secret there from another node" in refusal(tmp_path / "cluster.secret")


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o604])
def test_one_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    """Whoever can read it may speak as a node."""
    path = tmp_path / "cluster.secret"
    path.write_text("x" * 64)
    path.chmod(mode)
    assert "chmod 600" in refusal(path)


@pytest.mark.parametrize("content", ["", "short\n", "x" * 2000])
def test_what_is_no_secret_is_refused(tmp_path: Path, content: str) -> None:
    """An empty file or a mistaken path is not taken for a key."""
    path = tmp_path / "cluster.secret"
    path.touch(mode=0o600)
    path.write_text(content)
    assert "expected 16 to 1024" in refusal(path)


def test_one_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A directory in its place is one line, no traceback."""
    assert "must be readable" in refusal(tmp_path)
