"""Which rules a peer's release knows: its last word, or the first level; an error if it is too low."""

import structlog

from trikv.node.peers.levels import UNTOLD, Levels


def test_a_peer_knows_what_it_said_last() -> None:
    """It may have been stopped and started with another release."""
    levels = Levels()
    assert levels.of(2) == UNTOLD
    levels.told(2, 3, cluster=0)
    levels.told(3, 1, cluster=0)
    assert (levels.of(2), levels.of(3)) == (3, 1)
    levels.told(2, 2, cluster=0)
    assert levels.of(2) == 2


def test_a_release_that_does_not_know_the_clusters_rules_is_an_error() -> None:
    """It would carry out the log differently; one that knows them, or more, is none."""
    levels = Levels()
    with structlog.testing.capture_logs() as lines:
        levels.told(2, 2, cluster=2)
        levels.told(3, 3, cluster=2)
    assert lines == []
    with structlog.testing.capture_logs() as lines:
        levels.told(2, 1, cluster=2)
    assert [(line["log_level"], line["peer"], line["knows"]) for line in lines] == [("error", 2, 1)]
