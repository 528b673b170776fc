"""Ports of a torture: kept while nothing listens on them."""

import pytest

from trikv.torture.options import PORTS
from trikv.torture.ports import Ports
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


def test_a_strangers_port_is_named(taken_port: int) -> None:
    """With what it was for, and the option that helps."""
    with pytest.raises(TortureError, match=rf"port {taken_port} \(node1's client port\) is taken; .* --port"):
        Ports(taken_port)


def test_no_ports_at_all(taken_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The person is told which were tried, and what to do."""
    monkeypatch.setattr("trikv.torture.ports.PORTS", range(taken_port, taken_port + 1))
    with pytest.raises(TortureError, match=r"no three free ports from .* give --port"):
        Ports()
