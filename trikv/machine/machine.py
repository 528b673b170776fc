"""The machine: entries in, outcomes out. `Machine.apply` is a function of state and entry alone."""

from collections.abc import Callable, Iterable, Sequence
from typing import assert_never

import msgspec

from trikv.machine.batch import Batch, Bootstrap, Forgotten, Hello, Submission, Transaction
from trikv.machine.call import ORIGIN, READER, REPLICA, Steps, at_once
from trikv.machine.codec import Settings
from trikv.machine.commands import TABLE
from trikv.machine.cut import Cut
from trikv.machine.digest import hash_some, state_digest
from trikv.machine.discarded import Discarded
from trikv.machine.effects import Awaited
from trikv.machine.errors import DB_INDEX
from trikv.machine.evaluation import Evaluator, Poisoned
from trikv.machine.features import check_level
from trikv.machine.fork import ForkedKeyspace
from trikv.machine.keyspace import DATABASES, Keyspace
from trikv.machine.outcomes import Applied, OriginRow, Origins, Outcome, Skipped, Whole
from trikv.machine.quick_reads import Question, QuickReads
from trikv.machine.replies import Reply
from trikv.machine.statistics import DatabaseStatistics, MachineStatistics
from trikv.machine.suspended import Progress, Stopped, Suspended, a_pause, never
from trikv.machine.table import CommandTable
from trikv.machine.tally import Tally
from trikv.machine.walk import Walk

EXPIRED_PER_BATCH_MAX = 200
"""Most keys that one entry reaps; more wait for the next (PROTOCOL 21)."""

INSIDE = "nothing begins inside an entry"

_decode = msgspec.msgpack.Decoder(Batch).decode


class Machine:
    """The replicated state, at one applied index."""

    __slots__ = ("_call", "_evaluator", "_origins", "_quick_reads", "_table", "index", "space", "suspended")

    def __init__(self, table: CommandTable = TABLE, space: Keyspace | None = None) -> None:
        """`table`: the commands that it evaluates, the same on every replica. `space`: its keys; else none.

        All machines of a node have the default. Another table is for trying declarations out; a snapshot does
        not hold it, so whoever restores one names the table again.
        """
        self._table = table
        self.index = 0
        """The last applied entry; while `suspended`, the one that it is inside of."""
        self.suspended = False
        """Whether it is inside an entry: no state of the log, so nothing is read, cut or begun (PROTOCOL 61).

        Single figures may be asked for, such as those of INFO.
        """
        self.space = Keyspace() if space is None else space
        self._evaluator = Evaluator(self.space, table)
        self._call = self._evaluator.call
        self._quick_reads = QuickReads(self.space, table)
        self._origins = Origins()

    # What may be asked.

    @property
    def now_ms(self) -> int:
        """Log time: the stamp of the last applied batch."""
        return self.space.account.now

    @property
    def feature_level(self) -> int:
        """The level that the cluster was founded at; 0 before the bootstrap item."""
        return self.space.account.feature_level

    def value_bytes(self, key: bytes) -> int:
        """The length of the longest value under `key` in any database; 0 if there is none."""
        return max(db.value_bytes(key) for db in self.space.databases)

    @property
    def maxmemory(self) -> int:
        """The cap in bytes, 0 for none."""
        return self.space.account.cap

    @property
    def used_memory(self) -> int:
        """The account in bytes: what the keys are charged, not what the process takes."""
        return self.space.account.used

    @property
    def changes(self) -> int:
        """The change counter: it has risen by one for each changed key since the cluster was founded."""
        return self.space.account.changes

    @property
    def members(self) -> tuple[int, ...]:
        """Origins whose proposals count, ascending."""
        return self._origins.members

    @property
    def poisoned(self) -> Poisoned | None:
        """The latest command whose checks failed with an exception, for the node to log; not state."""
        return self._evaluator.poisoned

    @property
    def poison_count(self) -> int:
        """How many commands failed like that since this object was made; not state."""
        return self._evaluator.poison_count

    @property
    def tally(self) -> Tally:
        """Counts of what this replica's databases did, for INFO; not state."""
        return self.space.account.tally

    @property
    def discarded(self) -> Discarded:
        """What is to be freed in slices; not state."""
        return self.space.account.discarded

    def row(self, origin: int) -> OriginRow | None:
        """A copy of the origin's incarnation, nonce and next sequence; None if it has no row."""
        row = self._origins.rows.get(origin)
        return None if row is None else OriginRow(row.incarnation, row.nonce, row.next)

    def keys(self) -> int:
        """Keys in all databases, those due but not yet reaped included."""
        return self.space.keys()

    def next_deadline_ms(self) -> int | None:
        """The earliest deadline; in the past while due keys wait for another entry to reap them."""
        return self.space.next_deadline_ms()

    def statistics(self, at_ms: int) -> MachineStatistics:
        """The figures; how long keys have still to live is reckoned from log time `at_ms`."""
        databases = [db for db in self.space.databases if db.size]
        keys, deadlines = self.keys(), sum([len(db.deadlines) for db in databases])
        charges = self.space.account.charges
        return MachineStatistics(
            used_bytes=self.used_memory,
            overhead_bytes=charges.entry_bytes * keys + charges.expiry_bytes * deadlines,
            cap_bytes=self.maxmemory,
            keys=keys,
            deadlines=deadlines,
            due=sum([db.deadlines.bisect_left((self.now_ms + 1, b"")) for db in databases]),
            pending_keys=self.space.pending_keys(),
            changes=self.changes,
            feature_level=self.feature_level,
            poison_count=self.poison_count,
            databases=tuple(
                DatabaseStatistics(
                    number=db.number,
                    keys=db.size,
                    deadlines=len(db.deadlines),
                    mean_ttl_ms=db.mean_ttl_ms(at_ms),
                )
                for db in databases
            ),
        )

    def recount(self) -> int:
        """The account computed from scratch, for tests and checkers."""
        return self.space.recount()

    def hash_some(self, parts: int) -> bool:
        """Prepare `digest` by hashing up to `parts` parts of what has changed; True while more are left."""
        assert not self.suspended, INSIDE
        return hash_some(self.space, parts)

    def digest(self) -> str:
        """A hash of all that `apply` can read, order included. Only what changed is hashed again."""
        return state_digest(self.space, self.settings())

    def read(
        self,
        db: int,
        commands: Sequence[Sequence[bytes]],
        at_ms: int = 0,
        transactions: Sequence[Transaction] = (),
        *,
        seed: int = 0,
    ) -> list[Reply]:
        """Evaluate read-only commands, one reply a step. TTL and TIME show `at_ms` if it is later.

        There are fewer replies if the first ones are long: ask again for the rest. The last may be a
        `Streamed`, which the caller has to close or take whole.

        `seed`: 64 bits that decide what they draw, another number for each call.
        """
        assert not self.suspended, INSIDE
        assert 0 <= db < DATABASES, db
        call = self._call
        now_ms = self.space.account.now
        call.shown_ms = at_ms if at_ms > now_ms else now_ms  # noqa: FURB136 - a call less for each read
        call.seed, call.origin, call.sequence = seed, 0, 0
        replies = self._evaluator.run(db, commands, transactions, READER)
        return replies if isinstance(replies, list) else at_once(replies)

    def read_quickly(self, questions: Iterable[Question]) -> list[list[Reply]]:
        """`QuickReads.answer`: the answers to those first `questions` that are one GET each."""
        assert not self.suspended, INSIDE
        return self._quick_reads.answer(questions)

    def read_one_quickly(self, question: Question) -> list[Reply] | None:
        """`QuickReads.answer_one`: the answer to `question`; None if only `read` can answer it."""
        assert not self.suspended, INSIDE
        return self._quick_reads.answer_one(question)

    # What it counts; none of it is state.

    def spent(self, usec: float) -> None:
        """`Evaluator.spent`: the commands run since the last call took `usec`."""
        self._evaluator.spent(usec)

    def count_on(self, tally: Tally) -> None:
        """`Evaluator.count_on`: count in `tally` from now on."""
        self._evaluator.count_on(tally)

    def tell_of(self, awaited: Awaited) -> None:
        """From now on answer effects on what is `awaited`: that of the node, which outlives its machines."""
        self.space.tell_of(awaited)

    # What changes it.

    def apply(
        self, index: int, payload: bytes, *, origin: int = 0, is_over: Callable[[], bool] = never
    ) -> Whole | Suspended:
        """Apply the batch at `index`. Outcomes are given for the items of `origin` only, in order.

        Effects are given for all items. If a command takes long, or `is_over` says between two submissions
        that it is time to let others work, returns what is left to be done of the entry, which gives both in
        the end. Where it stops changes nothing of what comes of it.
        Raises msgspec.DecodeError for bytes that are no batch, and FeatureLevelError.
        """
        # What cannot be read stops the node: a release that can read it would apply it, and skipping it here
        # would part the replicas.
        batch: Batch = _decode(payload)
        self._advance(index)
        account = self.space.account
        # A new leader's clock may be behind; log time never goes back (PROTOCOL 20).
        account.now = max(account.now, batch.stamp_ms)
        call = self._call
        call.shown_ms = account.now
        call.seed = batch.seed
        call.shown_bytes = 0
        effects = account.effects
        effects.index, effects.item, effects.room = index, 0, len(payload)
        self.space.expire(EXPIRED_PER_BATCH_MAX)
        outcomes: list[Outcome] = []
        progress = Progress(enumerate(batch.items, 1), len(batch.items), origin, outcomes, is_over)
        stopped = self._carry_out(progress)
        if stopped is None:
            return Whole(outcomes, effects.take())
        self.suspended = True
        return Suspended(self._rest(stopped, progress))

    def _carry_out(self, progress: Progress) -> Stopped | None:
        """Carry out the next items, and stop where the rest is for another slice."""
        outcome: Outcome
        effects, origin, is_over = self.space.account.effects, progress.origin, progress.is_over
        for number, item in progress.items:
            match item:
                case Submission():
                    refused = self._refused(item, number)
                    if refused is None:
                        effects.item = number
                        call = self._call
                        call.origin, call.sequence = item.origin, item.sequence
                        view = ORIGIN if item.origin == origin else REPLICA
                        replies = self._evaluator.run(item.db, item.commands, item.transactions, view)
                        if not isinstance(replies, list):
                            return Stopped(number, item, replies)
                        outcome = Applied(item.incarnation, item.sequence, replies, number)
                    else:
                        outcome = refused
                case Forgotten():
                    outcome = self._forgotten(item, number)
                case Hello():
                    outcome = self._origins.greet(item, self.index)
                case Bootstrap():
                    self._bootstrap(item)
                    continue
                case _:
                    assert_never(item)
            if item.origin == origin:  # only this node's clients wait for them
                progress.outcomes.append(outcome)
            if number < progress.count and is_over():
                return Stopped(number, None, a_pause())
        return None

    def _rest(self, stopped: Stopped | None, progress: Progress) -> Steps[Whole]:
        """What is left of an entry: of the item that it has stopped at, then all behind it."""
        while stopped is not None:
            item = stopped.item
            replies = yield from stopped.steps
            if item is not None and item.origin == progress.origin:
                progress.outcomes.append(Applied(item.incarnation, item.sequence, replies, stopped.number))
            stopped = self._carry_out(progress)
        self.suspended = False
        return Whole(progress.outcomes, self.space.account.effects.take())

    def apply_membership(self, index: int, members: Iterable[int]) -> None:
        """Apply a membership entry: `members` are all ids that may propose, learners included."""
        self._advance(index)
        self._origins.set_members(tuple(sorted(set(members))))

    def skip(self, index: int) -> None:
        """Apply an entry without content: only the index moves."""
        self._advance(index)

    def walk(self, header: dict[str, object]) -> Walk:
        """Begin to write the state as it is now; see `trikv.machine.walk`. Several walks may run at once."""
        return Walk(Cut(self.space.databases), self.settings(), header)

    def fork(self) -> "Fork":
        """A machine in this one's state, to rehearse entries on. This one must not change meanwhile."""
        return Fork(self)

    # What frees memory.

    def retire(self) -> None:
        """Empty a machine that is no longer used, so that `release` can free it in slices."""
        self.space.tell_nobody()
        for db in self.space.databases:
            db.flush()
        self.discarded.stop_counting()

    def discard_to(self, discarded: Discarded) -> None:
        """Free what goes here together with what is there: that of the node, which outlives its machines.

        A cut of a machine that was replaced is closed later, and what it has kept goes there, too.
        """
        assert not self.discarded, "a machine that was restored has dropped nothing yet"
        self.space.account.discarded = discarded

    def release(self, objects: int) -> bool:
        """Free about `objects` keys or index entries that FLUSH set aside; True while more are left."""
        return self.space.release(objects)

    # How.

    def _advance(self, index: int) -> None:
        assert not self.suspended, INSIDE
        assert index > self.index, f"entry {index} after {self.index}"
        self.index = index
        self._call.index = index

    def _bootstrap(self, item: Bootstrap) -> None:
        """Take over level and cap, once: not after another bootstrap item or a CONFIG SET maxmemory.

        Raises FeatureLevelError.
        """
        account = self.space.account
        if account.feature_level == 0:
            check_level(item.feature_level)
            account.set_level(item.feature_level, self._call.seed)
            self._evaluator.know(item.feature_level)
        if not account.is_founded:
            account.is_founded = True
            account.set_cap(item.maxmemory)

    def _refused(self, item: Submission, number: int) -> Outcome | None:
        """Why `item` is not carried out. None if it is; then its sequence is used up."""
        reason = self._origins.admit(item.origin, item.incarnation, item.sequence)
        if reason is not None:
            return Skipped(item.incarnation, item.sequence, reason)
        if not 0 <= item.db < DATABASES:  # a bug of the origin's: the sequence is used, nothing is done
            return Applied(item.incarnation, item.sequence, [DB_INDEX] * len(item.commands), number)
        return None

    def _forgotten(self, item: Forgotten, number: int) -> Outcome:
        reason = self._origins.admit(item.origin, item.incarnation, item.sequence)
        if reason is not None:
            return Skipped(item.incarnation, item.sequence, reason)
        return Applied(item.incarnation, item.sequence, [], number)

    def settings(self) -> Settings:
        """All that `apply` can read besides the keys. Every walk and digest begins with it."""
        assert not self.suspended, INSIDE
        account = self.space.account
        return Settings(
            index=self.index,
            now_ms=account.now,
            maxmemory=account.cap,
            is_founded=account.is_founded,
            feature_level=self.feature_level,
            changes=account.changes,
            members=self._origins.members,
            rows={
                origin: (row.incarnation, row.nonce, row.next)
                for origin, row in sorted(self._origins.rows.items())
            },
            bucket_seed=account.bucket_seed,
        )

    @classmethod
    def restored(cls, settings: Settings, space: Keyspace, table: CommandTable = TABLE) -> "Machine":
        """The machine with a snapshot's `settings` and the keys in `space`, charged at the same level.

        Raises FeatureLevelError.
        """
        check_level(settings.feature_level)
        machine = cls(table, space)
        machine._take_over(settings)
        return machine

    def _take_over(self, settings: Settings) -> None:
        """Go on from where another machine was. Keys, and what they are charged, are there already."""
        self.index = self._call.index = settings.index
        account = self.space.account
        account.now = settings.now_ms
        account.set_cap(settings.maxmemory)
        account.is_founded = settings.is_founded
        account.changes = settings.changes
        self._evaluator.know(account.feature_level)
        self._origins.members = settings.members
        self._origins.rows = {origin: OriginRow(*row) for origin, row in settings.rows.items()}


class Fork(Machine):
    """A machine on which entries are rehearsed, at the cost of what they change (PROTOCOL 66).

    It does to an entry what its base would do: it has all that `settings` says, and the keys. When it has
    been used it is dropped, and the base was never touched. A fork may be forked.
    """

    __slots__ = ("_base", "_place")

    def __init__(self, base: Machine) -> None:
        super().__init__(base._table, ForkedKeyspace(base.space))  # noqa: SLF001 - it is a machine itself
        self._take_over(base.settings())
        self._base = base
        self._place = base.index, base.changes
        """Where the base stands, as long as this may be used: they share what the fork has not changed."""

    def _advance(self, index: int) -> None:
        self._assert_that_the_base_stands()
        super()._advance(index)

    def settings(self) -> Settings:
        """Those of the fork."""
        self._assert_that_the_base_stands()
        return super().settings()

    def _assert_that_the_base_stands(self) -> None:
        # Here, once an entry, and not in the base, which would pay for it in every write.
        assert (self._base.index, self._base.changes) == self._place, "the base of a fork has changed"
