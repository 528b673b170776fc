"""Evaluating the commands of a submission, one after another, transactions whole.

This module keeps a bug in a handler from stopping a cluster (PROTOCOL 24): handlers check, then change, and
`Account.dirty` tells whether an exception came before or after the first change.
"""

from collections.abc import Sequence
from functools import partial
from hashlib import blake2b
from types import GeneratorType

import msgspec

from trikv.machine.account import NO_LIMIT
from trikv.machine.batch import Transaction, Watch
from trikv.machine.call import NOT_A_READ, READER, REPLICA, Call, Steps, View, would_not_fit
from trikv.machine.cut import Cut
from trikv.machine.declaration import Command
from trikv.machine.errors import (
    EXEC_ERRORS,
    EXEC_OOM,
    INTERNAL,
    OOM,
    WRONG_TYPE,
    RefusedError,
    WrongTypeError,
)
from trikv.machine.hold import Hold
from trikv.machine.keyspace import DATABASES, Keyspace
from trikv.machine.long_reads import WHOLE_MAX, LongRead, streamed
from trikv.machine.replies import CommandError, Reply, weight
from trikv.machine.table import CommandTable
from trikv.machine.tally import Tally

SHOWN_BYTES_MAX = 64 * 1024 * 1024
"""The most bytes that the reads of one submission may answer, before they are encoded: 40 KB of input could
ask for 8 GB."""
ENTRY_SHOWN_BYTES_MAX = 4 * SHOWN_BYTES_MAX
"""And those of all submissions of one entry together: their replies are held until all of it is done."""
SHOWN_BYTES_LEAST = 256 * 1024
"""What a submission may answer all the same, when others have taken the entry's share."""
LOOKED_MAX = 20_000
"""Keys and elements that the long reads of one submission go over before its client is asked to take what it
has: about 10 ms."""
COPIED_BYTES_MAX = 4 * 1024 * 1024
"""What commands of an entry copy between two pauses, and what the last of them does besides: milliseconds."""
LOOKED_BYTES = 256
"""Going over a key or an element takes about as long as copying so many bytes."""
SLICE_COMMANDS = 256
"""Commands of a transaction, which may have any number, between two pauses: about half a millisecond of short
ones. One that takes long, as MGET of many keys does, takes its own time for each."""
OF_PROCESS = (MemoryError, RecursionError)
"""What depends on this process and not on the log is never an error reply: other replicas may not have it."""
_UNFINISHED = frozenset({LongRead, GeneratorType})
"""What a handler may return instead of a reply: what it will answer, or work that is to be done in slices."""
NO_ROOM_TO_SHOW = CommandError(
    "ERR no memory for this reply, because other clients ask for too much at once; it was done all the same"
)
TOO_MUCH_SHOWN = CommandError("ERR the replies of this pipeline are too large together; ask in smaller parts")


class Poisoned(msgspec.Struct, frozen=True, gc=False):
    """A command whose checks raised an exception: a bug to report, without effect (PROTOCOL 24)."""

    index: int
    """The index of its entry; for a read, that of the last applied."""
    command: str
    digest: str
    """A hash of the whole command, because the command itself may hold secrets."""
    problem: str
    """The exception's type."""


class Evaluator:
    """Runs commands against a keyspace."""

    WHOLE_MAX = WHOLE_MAX
    """A long read of more keys or elements is answered by a stream."""

    __slots__ = (
        "_all",
        "_by_spelling",
        "_cut",
        "_elsewhere",
        "_is_inside",
        "_others",
        "_space",
        "_stopped",
        "_table",
        "_tally",
        "call",
        "poison_count",
        "poisoned",
    )

    def __init__(self, space: Keyspace, table: CommandTable) -> None:
        self._all = self._table = table
        self._by_spelling = table.by_spelling.get
        self._space = space
        self._cut: Cut | None = None
        """The cut of the last long read, perhaps closed by now."""
        self.call = Call(space, table)
        """The context of the running command; whoever begins an entry or a read says there which it is."""
        self._stopped: tuple[Command, Sequence[bytes], Steps[Reply] | None] | None = None
        """The command that `_run` has stopped in front of, to go on with its steps; without steps, to meet it
        again after a pause. None if it has not stopped, or because a reader has to take what there is."""
        self._elsewhere = Tally()
        """The tally for submissions whose client is at another node: nobody asks for it."""
        self._others = 0
        """Commands of such submissions that were carried out since the last `spent`."""
        self._is_inside = False
        """Whether a transaction is being carried out: it is answered whole."""
        self.poisoned: Poisoned | None = None
        """The latest poisoned command; not state."""
        self.poison_count = 0
        """How many since this object was made; not state."""
        self._change_view(REPLICA)

    def know(self, feature_level: int) -> None:
        """Evaluate what a cluster of that level knows, and nothing later."""
        # Of all commands: a replica that was restored from before the founding has known level 0 first.
        self._table = self.call.table = self._all.at_level(feature_level)
        self._by_spelling = self._table.by_spelling.get

    def run(
        self,
        db: int,
        commands: Sequence[Sequence[bytes]],
        transactions: Sequence[Transaction],
        view: View,
    ) -> list[Reply] | Steps[list[Reply]]:
        """Run `commands`, the first one in database `db`; returns one reply for each step.

        If not all of it is done at once, returns the rest, which gives the replies in the end. Until then
        nothing else may be evaluated. A reader gets fewer replies if the first ones show more than
        `SHOWN_BYTES_MAX`: it asks again for the rest.
        """
        call = self.call
        if view is not call.view:
            self._change_view(view)
        call.db = self._space.databases[db]
        call.position = 0
        if view is READER:
            call.shown_bytes = call.looked = 0
        if call.shown_bytes:
            self._share()
        else:
            call.shown_bytes_max, call.shown_bytes_end = SHOWN_BYTES_MAX, NO_LIMIT
        self._is_inside = False
        if not transactions:
            replies = self._run(commands)
            return replies if self._stopped is None else self._rest(commands, replies)
        steps = self._with(commands, transactions)
        try:
            next(steps)
        except StopIteration as end:
            answers: list[Reply] = end.value
            return answers
        return steps

    def _with(
        self, commands: Sequence[Sequence[bytes]], transactions: Sequence[Transaction]
    ) -> Steps[list[Reply]]:
        """`run` in slices: one reply for each transaction, and for each command that is in none."""
        replies: list[Reply] = []
        position = 0
        for transaction in transactions:
            between = commands[position : transaction.start]
            replies += yield from self._rest(between, self._run(between))
            if self._is_full():
                return replies
            position = transaction.start + transaction.count
            inside = commands[transaction.start : position]
            replies.append((yield from self._transaction(inside, transaction.watches)))
        behind = commands[position:]
        replies += yield from self._rest(behind, self._run(behind))
        return replies

    def _is_full(self) -> bool:
        """Whether a reader has to take what there is before it gets more."""
        return self.call.view is READER and self.call.shown_bytes > self.call.shown_bytes_max

    def _share(self) -> None:
        """Bound what a submission may show that is not the first of its entry to show anything."""
        call = self.call
        left_bytes = ENTRY_SHOWN_BYTES_MAX - call.shown_bytes
        call.shown_bytes_max = call.shown_bytes + SHOWN_BYTES_MAX
        if left_bytes < SHOWN_BYTES_MAX:
            call.shown_bytes_end = call.shown_bytes + max(left_bytes, SHOWN_BYTES_LEAST)

    def _took_back(self, reply: Reply) -> CommandError:
        """What is answered instead of `reply`, for which the entry has no room: others have taken it."""
        self.call.shown_bytes -= weight([reply])
        return NO_ROOM_TO_SHOW

    def _change_view(self, view: View) -> None:
        """Evaluate and count for `view` until told otherwise: most submissions have the view of the last."""
        self.call.view = view
        account = self._space.account
        self._tally = account.lookups = self._elsewhere if view is REPLICA else account.tally

    def _run(self, commands: Sequence[Sequence[bytes]]) -> list[Reply]:
        """A reply for each command, up to one that it stops at (`_rest` goes on)."""
        # Only once, not after each run: a client that varies the spelling of SET would cause a try for each.
        replies = self._run_quickly(commands)
        if len(replies) < len(commands):
            self._run_each(commands[len(replies) :] if replies else commands, replies)
        return replies

    def _run_each(self, commands: Sequence[Sequence[bytes]], replies: list[Reply]) -> None:  # noqa: PLR0915
        """The innermost loop of `_run`: it puts a reply of each command behind those that there are."""
        call, account, tally = self.call, self._space.account, self._tally
        has_client = call.view is not REPLICA
        for args in commands:
            count = len(args)
            command = self._by_spelling(args[0]) if count else None
            if command is None or not command.least <= count <= command.most:
                found = self._table.find(args)
                if isinstance(found, CommandError):
                    replies.append(tally.rejected(None, found))
                    continue
                command = found
            call.position += 1  # on every replica alike, shown or not
            reads = command.reads
            if reads:
                if not has_client:
                    replies.append(None)
                    continue
                if call.shown_bytes > call.shown_bytes_max:
                    if call.view is READER and not self._is_inside:
                        break  # the client asks for the rest when it has taken these
                    replies.append(tally.rejected(command.name, TOO_MUCH_SHOWN))
                    continue
            elif call.view is READER and command.writes:
                replies.append(NOT_A_READ)
                continue
            if command.denies_oom and account.is_over:
                replies.append(tally.rejected(command.name, OOM))
                continue
            account.dirty = False
            try:
                if command.plain and count == 2:  # GET: unpacking a slice costs 0.3 us
                    reply = command.handler(call.db, args[1])
                else:
                    call.drawn = None
                    if command.stops and self._stop_before(command, args):
                        return
                    reply = command.handler(call if command.whole else call.db, *args[command.words :])
                if type(reply) in _UNFINISHED:
                    if type(reply) is not LongRead:
                        self._stopped = command, args, reply
                        return
                    reply = self._long(command, args, reply)
            except Exception as problem:
                if account.dirty or isinstance(problem, OF_PROCESS):
                    raise
                reply = self._note(command, args, problem)
            if not has_client:
                self._others += 1
            elif type(reply) is CommandError:
                tally.failed(command.name, reply)
            else:
                tally.ran[command.name] += 1
                if reads and reply is not None:  # nearly always a string, or none
                    call.shown_bytes += len(reply) if type(reply) is bytes else weight([reply])
                    if call.shown_bytes > call.shown_bytes_end:
                        reply = self._took_back(reply)
            replies.append(reply)

    def _long(self, command: Command, args: Sequence[bytes], asked: LongRead) -> Reply:
        """The answer to a long read: at once, or from what is held from now on."""
        if self._is_inside:
            self._space.account.copied_bytes += asked.size * LOOKED_BYTES
            return asked.inside()
        call, is_whole = self.call, asked.size <= self.WHOLE_MAX
        if call.view is READER:
            call.looked += asked.size
            if not is_whole or call.looked > LOOKED_MAX:
                # As if it had shown all that it may: the client takes it before it asks for more.
                call.shown_bytes = call.shown_bytes_max + 1
        if is_whole:
            self._space.account.copied_bytes += asked.size * LOOKED_BYTES
            return asked.at_once()
        return streamed(asked, self._held(asked), partial(self._note, command, args))

    def _held(self, asked: LongRead) -> Cut | Hold:
        if asked.over is not None:
            return Hold(asked.db, asked.over)
        # Reads that nothing separates share a cut, so that a write copies for all of them once.
        last = self._cut
        self._cut = last.share() if last is not None and last.is_of(asked.db) else Cut((asked.db,))
        return self._cut

    def _stop_before(self, command: Command, args: Sequence[bytes]) -> bool:
        """Have `_run` stop if `command` works in slices, or those before it have copied much. True if so."""
        call = self.call
        if command.resumable:
            steps = command.handler(call if command.whole else call.db, *args[command.words :])
            self._stopped = command, args, steps
            return True
        account = self._space.account
        # What a reader copies at once was bounded before it came here: it is no part of an entry.
        if call.view is READER or account.copied_bytes < COPIED_BYTES_MAX:
            return False
        account.copied_bytes = 0
        call.position -= 1  # the loop meets it again
        self._stopped = command, args, None
        return True

    def _rest(self, commands: Sequence[Sequence[bytes]], replies: list[Reply]) -> Steps[list[Reply]]:
        """All replies to `commands`, of which `_run` has answered the first with `replies`.

        Where nothing says why it has stopped, a reader has to take these first (`_is_full`).
        """
        while len(replies) < len(commands) and self._stopped is not None:
            command, args, steps = self._stopped
            self._stopped = None
            if steps is None:
                yield
            else:
                replies.append((yield from self._resumable(command, args, steps)))
            replies += self._run(commands[len(replies) :])
        return replies

    def _resumable(self, command: Command, args: Sequence[bytes], steps: Steps[Reply]) -> Steps[Reply]:
        """The reply of a resumable command that `_run` has stopped in front of. Nothing of it has run yet."""
        account, tally = self._space.account, self._tally
        reply: Reply
        # Its growth is judged whole, before its first change: a command that met the cap in its middle could
        # neither go on nor go back.
        if would_not_fit(account, [(command, args)]):
            reply = OOM
        else:
            try:
                reply = yield from steps
            except Exception as problem:
                if account.dirty or isinstance(problem, OF_PROCESS):
                    raise
                reply = self._note(command, args, problem)
        if self.call.view is REPLICA:
            self._others += 1
        elif type(reply) is CommandError:
            tally.failed(command.name, reply)
        else:
            tally.ran[command.name] += 1
        return reply

    def _run_quickly(self, commands: Sequence[Sequence[bytes]]) -> list[Reply]:
        """Carry out as many of `commands` as one run can hold, from the first on; returns their replies."""
        call, first = self.call, commands[0] if commands else ()
        command = self._by_spelling(first[0]) if first else None
        if command is None or command.of_run is None or call.view is READER:
            return []
        account = self._space.account
        account.dirty = False
        try:
            replies = command.of_run(call, commands)
        except Exception as problem:
            if account.dirty or isinstance(problem, OF_PROCESS):
                raise
            return []  # each alone meets the same, and says which it was
        done = len(replies)
        call.position += done
        if call.view is REPLICA:
            self._others += done
        elif done:
            self._tally.ran[command.name] += done
        return replies

    def spent(self, usec: float) -> None:
        """Commands run since the last call took `usec`; see `Tally`."""
        own = self._space.account.tally
        if own.ran:  # not so on most followers, after most entries
            own.spent(usec, self._others)
        self._others = 0

    def count_on(self, tally: Tally) -> None:
        """Count in `tally` from now on: that of the node, which outlives its machines."""
        self._space.account.tally = tally
        self._change_view(self.call.view)

    def _note(self, command: Command, args: Sequence[bytes], problem: Exception) -> CommandError:
        """The error for the client, if nothing was changed; keep what the node should log."""
        if isinstance(problem, WrongTypeError):
            return WRONG_TYPE
        if isinstance(problem, RefusedError):
            return problem.error
        self.poison_count += 1
        digest = blake2b(repr(tuple(args)).encode(), digest_size=8).hexdigest()
        self.poisoned = Poisoned(self.call.index, command.name, digest, type(problem).__name__)
        return INTERNAL

    def _transaction(self, commands: Sequence[Sequence[bytes]], watches: Sequence[Watch]) -> Steps[Reply]:
        """All of it, or nothing: None if a watched key changed, an error if it cannot run whole."""
        if not all(self._is_unchanged(watch) for watch in watches):
            return None
        found: list[tuple[Command, Sequence[bytes]]] = []
        for args in commands:
            command = self._table.find(args)
            if isinstance(command, CommandError):
                return EXEC_ERRORS
            found.append((command, args))
        if would_not_fit(self._space.account, found):
            return EXEC_OOM
        call, before_bytes = self.call, 0
        if call.view is READER:
            # It is answered whole, so what its reads may show does not depend on those in front of it.
            before_bytes, call.shown_bytes = call.shown_bytes, 0
        self._is_inside = True
        replies: list[Reply] = []
        for start in range(0, len(commands), SLICE_COMMANDS):
            if start:
                yield
            some = commands[start : start + SLICE_COMMANDS]
            replies += yield from self._rest(some, self._run(some))
        self._is_inside = False
        call.shown_bytes += before_bytes
        return replies

    def _is_unchanged(self, watch: Watch) -> bool:
        if not 0 <= watch.db < DATABASES:
            return False
        entry = self._space.databases[watch.db].find(watch.key)
        return watch.version == (0 if entry is None else entry.version)
