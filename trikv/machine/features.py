"""The levels of replicated behaviour: the rules by which a cluster's log is carried out (PROTOCOL 22).

A cluster keeps the level at which it was founded, in its log and in its snapshots, so that replicas of two
releases never disagree about an entry. Code whose rule has changed compares with a level here, by name.
"""

from typing import Final

FEATURE_LEVEL: Final = 5
"""The level at which this release founds new clusters, and the highest whose rules it knows."""

SPARE_ROOM: Final = 2
"""From this level on, commands that Redis carries out at full memory may pass the cap by `Account.spare`."""

PACKED_VALUES: Final = 3
"""From this level on, the account charges a key what it takes in one object (`trikv.machine.stored`)."""

VALUES_IN_PARTS: Final = 3
"""From this level on, a key may hold other values than strings, and documents have version 2."""

SPLIT_BUCKETS: Final = 3
"""From this level on, a bucket of many keys is divided (`trikv.machine.split`)."""

LONG_WORK: Final = 3
"""From this level on, there is DEBUG WORK."""

COLLECTIONS: Final = 4
"""From this level on, there are the commands of hashes, lists, sets, sorted sets and bits, and some of keys:
each declares it (`trikv.machine.declaration.Command.level`)."""

STREAMS: Final = 5
"""From this level on, there are the commands of streams, places, HyperLogLogs, and SORT: as above."""


class FeatureLevelError(Exception):
    """A newer release founded the cluster: this one cannot carry out its log as its other replicas do."""

    def __init__(self, level: int) -> None:
        super().__init__(
            f"the cluster was founded at feature level {level} and this release knows {FEATURE_LEVEL}; "
            "start this node with the release that the other nodes run"
        )


def check_level(level: int) -> None:
    """Raise FeatureLevelError if this release does not know the rules of `level`; 0 is "not founded yet"."""
    if level > FEATURE_LEVEL:
        raise FeatureLevelError(level)
