"""The supervisor before it starts a node: where its directory cannot be made."""

import errno
from pathlib import Path

import pytest

from tests.tools import needs
from trikv import file_limit, secret
from trikv.cluster import command
from trikv.config import ConfigError


@pytest.fixture(autouse=True)
def _limits_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that is raised to many files would be that of the tests."""
    monkeypatch.setattr(file_limit, "raise_file_limit", lambda: None)


def start(data: Path, first_port: int) -> int:
    """Start a cluster on those data; it does not come to its nodes here."""
    environment = {"TRIKV_DATA": str(data)}
    return command.run_cluster(port=str(first_port), max_volume=None, timeout=None, environment=environment)


@needs(Path("/proc/self").exists(), "looks at /proc")
def test_a_place_for_no_data_is_refused(first_port: int) -> None:
    """As a setting that is wrong, in one line: below /proc even root can make nothing."""
    with pytest.raises(ConfigError, match=r"^TRIKV_DATA: '/proc/trikv[^\n]* give another (directory|path)$"):
        start(Path("/proc/trikv"), first_port)


def test_a_full_disk_is_no_wrong_setting(
    tmp_path: Path, first_port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another directory might be on the same one: the error stands as it is, exit code 1."""

    def fail(path: str) -> bool:
        raise OSError(errno.ENOSPC, "No space left on device", path)

    monkeypatch.setattr(secret, "make", fail)
    assert start(tmp_path, first_port) == 1
    assert capsys.readouterr().err == f"trikv: {tmp_path}/cluster.secret: No space left on device\n"
