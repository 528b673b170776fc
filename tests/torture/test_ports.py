"""Ports of a torture: kept while nothing listens on them."""

import fcntl
import tempfile
from pathlib import Path
from typing import IO

import pytest

from tests.ports import PortBlock
from trikv.torture.options import PORTS
from trikv.torture.ports import Claim, Ports
from trikv.torture.system import TortureError


def test_two_tortures_get_different_ports() -> None:
    """Though nobody listens on either's, as while their nodes are dead; released ones may be had again."""
    one, other = Ports(), Ports()
    try:
        assert one.first != other.first
        assert {one.first, other.first} <= set(PORTS)
        with pytest.raises(TortureError, match=f"port {one.first} is in use by another torture"):
            Ports(one.first)
    finally:
        one.release()
        other.release()
    again = Ports(one.first)
    assert again.first == one.first
    again.release()


def test_a_claim_is_one_processs_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Taken once, whoever asks; its file is gone once it is released, also one that a killed process left."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "name").touch()
    for _ in range(2):
        claim = Claim.take("name")
        assert claim is not None
        assert Claim.take("name") is None
        claim.release()
        assert list(tmp_path.iterdir()) == []


def test_a_claim_on_a_file_that_was_removed_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who opened it before it was removed has locked nothing that the next one would meet."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    flock = fcntl.flock

    def late(file: IO[bytes], how: int) -> None:
        (tmp_path / "name").unlink()
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    assert Claim.take("name") is None
    monkeypatch.setattr(fcntl, "flock", flock)
    claim = Claim.take("name")
    assert claim is not None
    claim.release()


def test_ports_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not those of a torture, and not those of a test with real nodes."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for kind in (Ports, PortBlock):
        ports = kind()
        assert len(list(tmp_path.iterdir())) == 1
        ports.release()
        assert list(tmp_path.iterdir()) == []


def test_a_strangers_port_is_named(taken_port: int) -> None:
    """With what it was for, and the option that helps."""
    with pytest.raises(TortureError, match=rf"port {taken_port} \(node1's client port\) is taken; .* --port"):
        Ports(taken_port)


def test_no_ports_at_all(taken_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The person is told which were tried, and what to do."""
    monkeypatch.setattr("trikv.torture.ports.PORTS", range(taken_port, taken_port + 1))
    with pytest.raises(TortureError, match=r"no three free ports from .* give --port"):
        Ports()
