"""Evaluating the commands of a submission, one after another, transactions whole.

This is where a bug in a handler is kept from stopping a cluster (PROTOCOL 24): handlers check, then change,
and `Ledger.dirty` tells on which side an exception fell.
"""

from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from trikv.machine.batch import Transaction, Watch
from trikv.machine.commands import TABLE
from trikv.machine.errors import EXEC_ERRORS, EXEC_OOM, INTERNAL, OOM
from trikv.machine.keyspace import DATABASES, Keyspace
from trikv.machine.replies import CommandError, Reply, weight
from trikv.machine.table import Command, Kind

SHOWN_BYTES_MAX = 64 * 1024 * 1024
"""What the reads of one submission may answer in all, before it is even encoded: 40 KB of input could ask
for 8 GB."""
TOO_MUCH_SHOWN = CommandError("ERR the replies of this pipeline are too large together; ask in smaller parts")
_NOT_A_READ = CommandError("ERR only commands that read can be evaluated without the log")


class Poisoned(msgspec.Struct, frozen=True, gc=False):
    """A command whose checks failed with an exception: a bug to report, without effect (PROTOCOL 24)."""

    index: int
    """The entry it came with; for a read, the last applied."""
    command: str
    digest: str
    """Of the whole command, which may hold secrets."""
    problem: str
    """The exception's type."""


class Evaluator:
    """Runs commands against a keyspace."""

    __slots__ = ("_may_write", "_shown_bytes", "_shows_reads", "_space", "index", "poison_count", "poisoned")

    def __init__(self, space: Keyspace) -> None:
        self._space = space
        self._shows_reads = False
        self._shown_bytes = 0
        """What the reads of the present submission have copied; only their origin pays for it."""
        self._may_write = False
        self.index = 0
        """The last applied entry, for `Poisoned`."""
        self.poisoned: Poisoned | None = None
        """The latest; not state."""
        self.poison_count = 0
        """How many since this object was made; not state."""

    def steps(
        self,
        db: int,
        commands: Sequence[Sequence[bytes]],
        transactions: Sequence[Transaction],
        *,
        shows_reads: bool,
        may_write: bool,
    ) -> list[Reply]:
        """Run `commands`, the first one in database `db`, and answer one reply a step.

        Without `shows_reads` reads are passed over: another node answers them.
        """
        space = self._space
        space.current = space.databases[db]
        space.position = 0
        self._shown_bytes = 0
        self._shows_reads = shows_reads
        self._may_write = may_write
        if not transactions:
            return [self._perform(args) for args in commands]
        replies: list[Reply] = []
        position = 0
        for transaction in transactions:
            replies.extend(self._perform(args) for args in commands[position : transaction.start])
            position = transaction.start + transaction.count
            replies.append(self._transaction(commands[transaction.start : position], transaction.watches))
        replies.extend(self._perform(args) for args in commands[position:])
        return replies

    def _perform(self, args: Sequence[bytes]) -> Reply:
        """One command: find it, refuse it or run it, and keep its bugs from spreading."""
        command = TABLE.find(args)
        if isinstance(command, CommandError):
            return command
        space = self._space
        space.position += 1  # on every replica alike, shown or not
        if command.kind is Kind.READ:
            if not self._shows_reads:
                return None
            if self._shown_bytes > SHOWN_BYTES_MAX:
                return TOO_MUCH_SHOWN
        elif command.kind is Kind.WRITE and not self._may_write:
            return _NOT_A_READ
        ledger = space.ledger
        if command.denies_oom and 0 < ledger.cap < ledger.used:
            return OOM
        ledger.dirty = False
        try:
            reply: Reply = command.handler(space if command.whole else space.current, *args[command.words :])
        except (MemoryError, RecursionError):
            raise  # they depend on this process, not on the log
        except Exception as problem:
            if ledger.dirty:
                raise
            self._note(command, args, problem)
            return INTERNAL
        if command.kind is Kind.READ:
            self._shown_bytes += weight([reply])
        return reply

    def _note(self, command: Command, args: Sequence[bytes], problem: Exception) -> None:
        """Keep what the node should log."""
        self.poison_count += 1
        digest = blake2b(repr(tuple(args)).encode(), digest_size=8).hexdigest()
        self.poisoned = Poisoned(self.index, command.name, digest, type(problem).__name__)

    def _transaction(self, commands: Sequence[Sequence[bytes]], watches: Sequence[Watch]) -> Reply:
        """All of it, or nothing: None where a watched key changed, an error where it cannot run whole."""
        if not all(self._is_unchanged(watch) for watch in watches):
            return None
        found: list[tuple[Command, Sequence[bytes]]] = []
        for args in commands:
            command = TABLE.find(args)
            if isinstance(command, CommandError):
                return EXEC_ERRORS
            found.append((command, args))
        if not self._has_room(found):
            return EXEC_OOM
        return [self._perform(args) for args in commands]

    def _is_unchanged(self, watch: Watch) -> bool:
        if not 0 <= watch.db < DATABASES:
            return False
        entry = self._space.databases[watch.db].find(watch.key)
        return watch.version == (0 if entry is None else entry.version)

    def _has_room(self, found: Sequence[tuple[Command, Sequence[bytes]]]) -> bool:
        """True where no command of a transaction can meet the cap, so that none refuses half-way.

        Decided by upper bounds before any effect: near the cap a transaction may be refused that, with luck
        in what it overwrites, would have fitted.
        """
        ledger = self._space.ledger
        if not ledger.cap:
            return True
        if ledger.used > ledger.cap and any(command.denies_oom for command, _ in found):
            return False
        return ledger.has_room(sum(command.growth_bound(args) for command, args in found))
