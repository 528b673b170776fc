"""The witness: every answer is what the applied log says it must be, and the log respects real time.

Inside the simulator the place of each operation in the log is known. So the check takes linear time: replay
the log into a model, compare each answer with the model's at its place, and check that no operation comes in
the log behind one that was called only after it had been answered. A few lines of the witness' own replay
the rules of proposals (incarnation, sequence), so that a submission that was applied twice, or out of turn,
shows. So does a command that took effect in another database than its client had selected.

It also compares the contents of nodes and of backups with the model at their index.

A command that draws is answered what it drew. If nobody was told, the witness goes on with every state that
there may be (`trikv.sim.checkers.worlds`), until answers and contents leave only one.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs
import msgspec

from trikv.machine.batch import Batch, Bootstrap, Forgotten, Hello, Submission
from trikv.raft.types import Entry, EntryKind, Membership
from trikv.sim.checkers.expected import agrees
from trikv.sim.checkers.meanings import meaning_of
from trikv.sim.checkers.scans import Scans
from trikv.sim.checkers.state import Sighting
from trikv.sim.checkers.worlds import Step, Worlds
from trikv.sim.history import UNTOLD, Args, Effect, Key, Operation

Identity = tuple[int, int, int]
Place = tuple[int, int, int, int]
"""Index; 0 for the entry's own items, 1 for reads after it; item of the entry; step of the item."""
_batch = msgspec.msgpack.Decoder(Batch).decode
_membership = msgspec.msgpack.Decoder(Membership).decode


@attrs.frozen
class _Written:
    """A step of a submission in the log, and the model's answer."""

    database: int
    commands: tuple[Args, ...]
    expected: Any
    watched: tuple[Key, ...] = ()


@attrs.define
class _Row:
    incarnation: int
    nonce: bytes
    next: int = 1


class Witness:
    """One replay. Make it with the whole history, then ask `problem`."""

    def __init__(
        self,
        log: Mapping[int, Entry],
        effects: Mapping[tuple[str, int], Effect],
        operations: Iterable[Operation],
        sometimes: Callable[[str], None] = lambda _: None,
        *,
        sightings: Iterable[Sighting] = (),
        scans: Iterable[list[Operation]] = (),
    ) -> None:
        self._log = log
        self._sightings: dict[int, list[Sighting]] = {}
        for sighting in sightings:
            self._sightings.setdefault(sighting.index, []).append(sighting)
        self._scans = Scans(scans)
        self._operations = list(operations)
        self._effects = effects
        self._sometimes = sometimes
        self._worlds = Worlds()
        self._rows: dict[int, _Row] = {}
        self._members: tuple[int, ...] = ()
        self._written: dict[Identity, list[_Written]] = {}
        self._places: dict[Identity, tuple[int, int]] = {}
        self._read: dict[tuple[str, int], Any] = {}
        self._answered: dict[tuple[Identity, int], Operation] = {}
        """Those whose client was told the answer, by submission and step."""
        self._terms: dict[Identity, int] = {}
        self._term = 0
        self._strange = ""
        """What is wrong with a sighting; empty if nothing is."""

    def problem(self) -> str | None:
        """What is wrong with the history, or None."""
        if not self._log:
            return None
        missing = [index for index in range(1, max(self._log) + 1) if index not in self._log]
        if missing:
            return f"nobody was seen to apply entry {missing[0]}"
        self._replay()
        if self._strange:
            return self._strange
        places: list[tuple[Place, Operation]] = []
        for operation in self._operations:
            if not operation.is_known:
                continue
            effect = self._effects.get((operation.connection, operation.ordinal))
            if effect is None:
                return f"answered, and took effect nowhere: {operation}"
            place, problem = self._at(operation, effect)
            if place is None or problem:
                return f"at {effect.index} {problem}: {operation}"
            places.append((place, operation))
        return _order_problem(places) or self._scans.problem()

    def _at(self, operation: Operation, effect: Effect) -> tuple[Place | None, str]:
        """The place of an operation, and what is wrong with its answer there (empty if nothing is)."""
        if effect.identity is None:
            expected = self._read[operation.connection, operation.ordinal]
            place: Place = (effect.index, 1, 0, 0)
            if not agrees(expected, operation.reply):
                return place, f"the log says {expected!r}"
            return place, ""
        found = self._places.get(effect.identity)
        if found is None or found[0] != effect.index:
            return None, "it was answered, where the log does not apply it"
        place = (*found[:1], 0, found[1], effect.step)
        written = self._written[effect.identity][effect.step]
        commands = tuple(args for args in operation.commands if not meaning_of(args).is_local)
        if written.commands != commands:
            return place, f"the log has {written.commands}"
        if written.database != operation.database:
            return place, f"it took effect in database {written.database}"
        if not set(written.watched) <= set(operation.watched):
            return place, f"it had watched {written.watched}"
        if not agrees(written.expected, _of_machine(operation)):
            return place, f"the log says {written.expected!r}"
        return place, ""

    # Replaying.

    def _replay(self) -> None:
        reads: dict[int, list[tuple[Operation, Effect]]] = {}
        watches: dict[Identity, dict[int, tuple[Operation, Effect]]] = {}
        for operation in self._operations:
            effect = self._effects.get((operation.connection, operation.ordinal))
            if effect is None:
                continue
            if effect.identity is None:
                reads.setdefault(effect.index, []).append((operation, effect))
                continue
            if _is_watch(operation, effect):
                watches.setdefault(effect.identity, {})[effect.step] = operation, effect
            if operation.is_known:
                self._answered[effect.identity, effect.step] = operation
        self._run_reads(reads.get(0, []))
        for index in range(1, max(self._log) + 1):
            self._apply(self._log[index], watches)
            self._compare(index)
            self._run_reads(reads.get(index, []))

    def _compare(self, index: int) -> None:
        for sighting in self._sightings.get(index, ()):
            expected = self._worlds.holding(sighting.contents)
            if expected is not None and not self._strange:
                held = sighting.contents.items()
                self._strange = (
                    f"{sighting.whose} at {index} holds {dict(sorted(held - expected.items()))},"
                    f" and by the log it is {dict(sorted(expected.items() - held))}"
                )

    def _run_reads(self, reads: list[tuple[Operation, Effect]]) -> None:
        for operation, effect in reads:
            if _is_watch(operation, effect):
                self._saw(operation, effect)
            if self._scans.wants(operation):
                self._scans.saw(operation, self._worlds)
            told = operation.reply if operation.is_known else UNTOLD
            step = Step(operation.database, operation.commands, told, operation.is_transaction)
            replies, _ = self._worlds.take(step)
            self._read[operation.connection, operation.ordinal] = (
                replies if operation.is_transaction else replies[0]
            )

    def _saw(self, operation: Operation, effect: Effect) -> None:
        """Note that the versions which a WATCH was told stand for the model's present ones."""
        assert isinstance(effect.reply, list)
        for name, version in zip(operation.commands[0][1:], effect.reply, strict=True):
            assert isinstance(version, int)
            self._worlds.watched((operation.database, name), version)

    def _apply(self, entry: Entry, watches: dict[Identity, dict[int, tuple[Operation, Effect]]]) -> None:
        if entry.kind is EntryKind.MEMBERSHIP:
            self._members = tuple(member.id for member in _membership(entry.payload).members)
            self._rows = {origin: row for origin, row in self._rows.items() if origin in self._members}
        if entry.kind is not EntryKind.BATCH:
            return
        batch = _batch(entry.payload)
        keys, fields = self._worlds.advance(batch.stamp_ms)
        if keys:
            self._sometimes("key expired" if entry.term == self._term else "expiry at a leader change")
        if fields:
            self._sometimes("field of a hash expired")
        self._term = entry.term
        for place, item in enumerate(batch.items):
            match item:
                case Hello(origin, nonce):
                    self._greet(origin, nonce, entry.index)
                case Submission() | Forgotten():
                    identity = (item.origin, item.incarnation, item.sequence)
                    if self._terms.setdefault(identity, entry.term) != entry.term:
                        self._sometimes("proposal sent under two terms")
                    if self._admits(identity) and isinstance(item, Submission):
                        self._places[identity] = (entry.index, place)
                        self._written[identity] = self._run(identity, item, watches.get(identity, {}))
                case Bootstrap():
                    pass

    def _greet(self, origin: int, nonce: bytes, index: int) -> None:
        row = self._rows.get(origin)
        known = row is not None and (row.nonce == nonce or row.incarnation == index)
        if origin in self._members and not known:
            self._rows[origin] = _Row(index, nonce)

    def _admits(self, identity: Identity) -> bool:
        origin, incarnation, sequence = identity
        row = self._rows.get(origin)
        if row is None or row.incarnation != incarnation or row.next != sequence:
            return False
        row.next += 1
        return True

    def _run(
        self, identity: Identity, item: Submission, watches: dict[int, tuple[Operation, Effect]]
    ) -> list[_Written]:
        steps: list[_Written] = []
        starts = {transaction.start: transaction for transaction in item.transactions}
        position, database = 0, item.db
        while position < len(item.commands):
            if len(steps) in watches:
                self._saw(*watches[len(steps)])
            transaction = starts.get(position)
            count = 1 if transaction is None else transaction.count
            commands = item.commands[position : position + count]
            answered = self._answered.get((identity, len(steps)))
            told = UNTOLD if answered is None else _of_machine(answered)
            watched = () if transaction is None else transaction.watches
            step = Step(
                database,
                commands,
                told,
                transaction is not None,
                tuple(((watch.db, watch.key), watch.version) for watch in watched),
            )
            expected, selected = self._worlds.take(step)
            if transaction is None:
                expected = expected[0]
            steps.append(_Written(database, commands, expected, tuple(key for key, _ in step.watched)))
            database = selected
            position += count
        return steps


def _is_watch(operation: Operation, effect: Effect) -> bool:
    return operation.commands[0][0] == b"WATCH" and isinstance(effect.reply, list)


def _of_machine(operation: Operation) -> Any:
    """The machine's part of an answer: without what the node itself answered inside a transaction."""
    if not operation.is_transaction or not isinstance(operation.reply, list):
        return operation.reply
    return [
        reply
        for args, reply in zip(operation.commands, operation.reply, strict=False)
        if not meaning_of(args).is_local
    ]


def _order_problem(places: list[tuple[Place, Operation]]) -> str | None:
    """What is wrong if an operation was answered before one of an earlier place was called. O(n log n)."""
    places.sort(key=lambda one: (one[0], one[1].called))
    earliest, witness = None, None  # the earliest answer among all later places, and its operation
    group: list[Operation] = []
    last: Place | None = None
    for place, operation in reversed(places):
        if place != last:
            for one in group:
                assert one.returned is not None
                if earliest is None or one.returned < earliest:
                    earliest, witness = one.returned, one
            group, last = [], place
        if earliest is not None and operation.called > earliest:
            return (
                f"{operation} at {place[0]} was called after this was answered, which comes later: {witness}"
            )
        group.append(operation)
    return None
