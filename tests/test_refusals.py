"""What a node that does not start tells its operator, as its settings are."""

import errno

import pytest

from trikv.config import NodeConfig
from trikv.refusals import NO_REFILL, refusal
from trikv.storage.errors import (
    REFILL,
    DirectoryGone,
    IdentityWithoutLog,
    StorageCorrupt,
    StorageError,
    StrayName,
)

ALONE = NodeConfig(port=8080, listen="127.0.0.1 ::1", unix_socket="/run/trikv.sock")
MEMBER = NodeConfig(port=8080, peer_port=18080, peers={1: "127.0.0.1:18080", 2: "127.0.0.1:18081"})


LOST = (
    StorageCorrupt("wal/00000000000000000001.wal", 7, "its checksum is wrong"),
    IdentityWithoutLog(1),
    DirectoryGone("data/wal"),
)


@pytest.mark.parametrize("error", LOST, ids=lambda error: type(error).__name__)
def test_a_refill_is_advised_only_where_there_are_peers(error: StorageError) -> None:
    """A single node would be refused it: it is told of the way that there is, and of nothing else."""
    group = ExceptionGroup("nursery", [error])
    assert refusal(group, MEMBER) == str(error)
    assert REFILL in str(error)
    alone = refusal(group, ALONE)
    assert alone == str(error).replace(REFILL, NO_REFILL)
    assert "--refill" not in alone
    assert "new data directory and --load a backup or dump" in alone
    assert "\n" not in alone


def test_other_advice_is_everybodys() -> None:
    """It stands as it is."""
    error = StrayName("wal/x", "it is no segment")
    assert refusal(error, ALONE) == refusal(error, MEMBER) == str(error)


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
