"""``sometimes("...")``: counts of rare paths that matter, so that a run can say what it has *not* seen.

If many seeds never reach a mark, the faults or the knobs do not provoke what they should.
"""

from collections import Counter
from collections.abc import Iterable

from trikv.sim.history import Args

KNOWN = (
    "leader lost mid-batch",
    "leader elected",
    "leader deposed alive",
    "log truncated",
    "snapshot taken",
    "snapshot installed",
    "install raced by an append",
    "torn tail cut",
    "proposal sent under two terms",
    "duplicate skipped",
    "gap skipped",
    "reply lost to an install",
    "write of unknown fate",
    "command refused as not executed",
    "expiry at a leader change",
    "key expired",
    "field of a hash expired",
    "transaction aborted by a watch",
    "read served by a follower",
    "read answered at once by a lease",
    "disk ended a node",
    "disk was full",
    "refused for want of memory",
    "lies of a disk lost",
    "membership changed",
    "left to the applier's task",
    "blank disk swapped in",
    "durable loss withheld by the budget",
    "node stopped in order",
    "whole dump looked at",
    "backup looked at",
    "count of WAIT looked up on platters",
    "long read streamed",
    "rest of a turn asked for later",
    "between two slices of an entry",
    "inside an entry longer than a client waits",
    "stopped between two submissions of an entry",
    "read waited for the end of an entry",
    "node crashed inside an entry",
    "node stopped inside an entry",
    "install overtook an entry",
)
"""All marks: a table shows those that were never reached, too."""
CONTAINERS = frozenset({b"CLIENT", b"CONFIG", b"COMMAND", b"MEMORY", b"OBJECT"})
"""Commands that have subcommands."""


class Marks:
    """Counts the marks and the commands of one run."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.commands: Counter[str] = Counter()
        """How often each command was answered, by its name in a node's table."""

    def sometimes(self, mark: str) -> None:
        """Count that `mark`, one of `KNOWN`, was reached."""
        assert mark in KNOWN, mark
        self.counts[mark] += 1

    def answered(self, commands: Iterable[Args]) -> None:
        """Count that a client was answered these commands."""
        self.commands.update(map(name_of, commands))


def name_of(args: Args) -> str:
    """A command's name as a node's table has it: ``GET``, ``CLIENT|ID``."""
    words = 2 if args[0] in CONTAINERS and len(args) > 1 else 1
    return "|".join(word.decode() for word in args[:words])


def table(counts: Counter[str]) -> str:
    """One line a mark; those that were never reached come first."""
    ordered = sorted(KNOWN, key=lambda mark: (counts[mark] > 0, KNOWN.index(mark)))
    return "\n".join(f"{counts[mark] or 'never':>8}  {mark}" for mark in ordered)
