"""All mutants, and the list of mistakes that they must cover.

`LISTED` is the list that was set, word for word. A mistake on it is covered by at least one mutant of that
name, or stands in `ABSENT` with the reason. Mutants of other names were added by what building has taught.
"""

from tests.mutants import (
    of_calls,
    of_checkers,
    of_collections,
    of_dumps,
    of_effects,
    of_forks,
    of_front,
    of_geo_and_counts,
    of_host,
    of_long_reads,
    of_machine,
    of_members_and_forwards,
    of_node,
    of_quick_reads,
    of_raft,
    of_split_buckets,
    of_stops_and_snapshots,
    of_storage,
    of_values,
    of_workload,
)
from tests.mutants.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (
    of_raft.MUTANTS
    + of_storage.MUTANTS
    + of_machine.MUTANTS
    + of_calls.MUTANTS
    + of_values.MUTANTS
    + of_collections.MUTANTS
    + of_geo_and_counts.MUTANTS
    + of_split_buckets.MUTANTS
    + of_long_reads.MUTANTS
    + of_effects.MUTANTS
    + of_forks.MUTANTS
    + of_node.MUTANTS
    + of_quick_reads.MUTANTS
    + of_front.MUTANTS
    + of_dumps.MUTANTS
    + of_workload.MUTANTS
    + of_stops_and_snapshots.MUTANTS
    + of_members_and_forwards.MUTANTS
    + of_host.MUTANTS
    + of_checkers.MUTANTS
)

LISTED: tuple[str, ...] = (
    "skip persisting the vote",
    "skip persisting the term",
    "acknowledge before the fsync",
    "reply before the quorum",
    "commit a prior term's entry by counting",
    "ignore prev_log_term",
    "truncate even where entries match",
    "accept AppendEntries of an old term",
    "grant a vote to a shorter log",
    "two votes in one term",
    "no pre-vote",
    "read from the leader without a quorum round",
    "ReadIndex before the new term's no-op committed",
    "a read joins a round broadcast before it arrived",
    "follower read before its applied index reached the read index",
    "lease that ignores drift",
    "no duplicate suppression",
    "a gap in sequences applied",
    "incarnation not compared",
    "origin rows missing from the snapshot",
    "snapshot written with a later index than its state",
    "snapshot ahead of the own log",
    "install without resetting the log",
    "installed snapshot keeps a conflicting suffix",
    "compaction past what a snapshot covers",
    "torn tail kept",
    "corruption in the middle treated as torn",
    "flipped byte in the last batch cut",
    "tail not rewritten at recovery",
    "log file reused after a sync error",
    "fsync error swallowed",
    "directory not synced after a segment is created",
    "an old write job's completion acknowledges replaced entries",
    "hard state lost with a compacted segment",
    "truncation not recorded",
    "TTL by the local clock",
    "log time goes back at election",
    "live() differs between two commands",
    "iteration order from a set",
    "account leak on overwrite",
    "the local cap decides at apply",
    "reply order swapped inside a pipeline",
    "a pipelined GET sees its own later SET",
    "MULTI split over two entries",
    "WATCH checked at propose time",
    "commit past the last verified entry",
    "no step-down on a higher term in an ack",
    "votes of an old term counted",
    "acks of an old term counted (5 nodes)",
    "ReadIndex id reused",
    "proposals not re-sent after a link reset",
    "a timed-out proposal leaves a gap",
    'waiter told "failed" on step-down',
    "empty disk votes under its old id",
    "dump written before the last acknowledged entry applied",
    "heartbeat starved by a slow sync",
    "a part missed by a first-write copy",
    "a split at another size on a restored replica",
    "SPOP by set order",
    "a score compared as text",
    "-0.0",
    "a zset index not updated by ZADD CH of an equal score",
    "account drift by HSET of an existing field",
    "account drift by LREM",
    "account drift by SPOP count",
    "account drift by ZREMRANGE",
    "RENAME of a collection over another that is not released",
    "a write to a copy that changes the original",
)

ABSENT: dict[str, str] = {}
"""Mistakes that cannot be made, since the product lacks what they are about."""
