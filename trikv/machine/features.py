"""The levels of replicated behaviour: which rules a cluster's log is carried out by (PROTOCOL 22).

A cluster keeps the level that it was founded with, in its log and in its snapshots, so that replicas of two
releases never disagree about an entry. A rule that changed asks for its level here, by name.
"""

from typing import Final

FEATURE_LEVEL: Final = 2
"""What this release founds new clusters with, and the highest level whose rules it knows."""

SPARE_ROOM: Final = 2
"""From this level on, what Redis carries out at full memory may pass the cap a little: `Account.spare`."""


class FeatureLevelError(Exception):
    """A newer release founded the cluster: this one cannot carry out its log as its other replicas do."""

    def __init__(self, level: int) -> None:
        super().__init__(
            f"the cluster was founded at feature level {level} and this release knows {FEATURE_LEVEL}; "
            "start this node with the release that the other nodes run"
        )


def check_level(level: int) -> None:
    """Raise FeatureLevelError if this release does not know that level's rules; 0 is "not founded yet"."""
    if level > FEATURE_LEVEL:
        raise FeatureLevelError(level)
