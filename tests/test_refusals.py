"""What a node that does not start tells its operator, as its settings are."""

import errno

import pytest

from trikv.config import NodeConfig
from trikv.refusals import refusal

ALONE = NodeConfig(port=8080, listen="127.0.0.1 ::1", unix_socket="/run/trikv.sock")
MEMBER = NodeConfig(port=8080, peer_port=18080, peers={1: "127.0.0.1:18080", 2: "127.0.0.1:18081"})


@pytest.mark.parametrize(
    ("config", "place", "way"),
    [
        (ALONE, "127.0.0.1:8080", "give this node another port (--port)"),
        (ALONE, "[::1]:8080", "give this node another port (--port)"),
        (ALONE, "/run/trikv.sock", "give this node another path (--unix-socket)"),
        (MEMBER, "127.0.0.1:8080", "give this node another port (--port)"),
        (MEMBER, "127.0.0.1:18080", "give this node another peer port (--peers, at every node)"),
    ],
)
def test_a_taken_address_says_how_to_choose_another(config: NodeConfig, place: str, way: str) -> None:
    """By the setting that it comes from; and how to find out who has it."""
    error = OSError(errno.EADDRINUSE, f"cannot listen on {place}: Address already in use")
    line = refusal(ExceptionGroup("nursery", [error]), config)
    assert line.startswith(
        f"cannot listen on {place}: Address already in use; another process listens there: "
    )
    assert line.endswith(way)
    assert " names it), or " in line


def test_an_address_that_is_not_this_machines_is_no_taken_one() -> None:
    """Nobody listens there."""
    error = OSError(errno.EADDRNOTAVAIL, "cannot listen on 10.9.8.7:1: Cannot assign requested address")
    assert refusal(error, ALONE) == error.strerror
