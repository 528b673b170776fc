"""What a node submits of its own accord: the cap."""

from typing import cast

import attrs
import pytest
import structlog
import trio
from trio.testing import MockClock

from tests.node.state.submitting import DOWN, UNKNOWN, Cluster, commands
from trikv.node.state.applier import Applier
from trikv.node.state.own_writes import send_maxmemory, warn_of_cap


def test_cap_is_set_once_there_is_a_leader() -> None:
    """CONFIG SET through the log, again and again until it has an outcome."""
    cluster = Cluster(DOWN, UNKNOWN)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cluster.run)
            await send_maxmemory(cluster.inbox, 12_345)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert commands(cluster) == [(0, (b"CONFIG", b"SET", b"maxmemory", b"12345"))] * 3


def test_cap_that_is_refused_is_tried_again() -> None:
    """An error among the replies is no success either."""
    cluster = Cluster(refuse="SET")
    tries: list[float] = []

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cluster.run)
            with trio.move_on_after(2.2):
                await send_maxmemory(cluster.inbox, 1)
            tries.append(len(cluster.works))
            nursery.cancel_scope.cancel()

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert tries == [5]


@attrs.define
class Capped:
    """Stands for the applier: what the cluster's cap is, once the log has brought its first settings."""

    maxmemory: int
    used_memory: int = 0
    feature_level: int = 1

    @property
    def machine(self) -> "Capped":
        return self


@pytest.mark.parametrize(
    ("capped", "told"),
    [
        (Capped(100, 50), []),
        (Capped(0, 50), [("the cap in force is the cluster's", {"in_force": 0, "configured": 100})]),
        (Capped(200, 50), [("the cap in force is the cluster's", {"in_force": 200, "configured": 100})]),
        (Capped(100, 101), [("the cap is below what is stored", {"cap": 100, "used": 101})]),
    ],
    ids=["as configured", "none", "another", "below the data"],
)
def test_a_cap_that_is_not_as_configured_is_told(
    capped: Capped, told: list[tuple[str, dict[str, int]]]
) -> None:
    """The log's is in force, whatever the file says; and growth is refused where it is below the data."""
    cluster = Cluster(DOWN)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cluster.run)
            await warn_of_cap(cluster.inbox, cast("Applier", capped), 100)
            nursery.cancel_scope.cancel()

    with structlog.testing.capture_logs() as lines:
        trio.run(main, clock=MockClock(autojump_threshold=0))
    assert cluster.barriers == 2, "nothing is known before a majority has answered"
    assert [line["event"].startswith(words) for line, (words, _) in zip(lines, told, strict=True)] == [
        True for _ in told
    ]
    for line, (_, figures) in zip(lines, told, strict=True):
        assert figures.items() <= line.items()
