"""The witness: every answer is what the applied log says it must be, and the log respects real time.

Inside the simulator the place in the log where each operation took effect is known. That makes the check
linear: replay the log into a model, compare each answer with the model's at its place, and see that no
operation stands in the log behind one that was called only after it had been answered. The rules of
proposals (incarnation, sequence) are replayed by a few lines of their own, so that a submission applied
twice, or out of turn, shows.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs
import msgspec

from trikv.machine.batch import Batch, Bootstrap, Forgotten, Hello, Submission
from trikv.raft.types import Entry, EntryKind, Membership
from trikv.sim.checkers.model import Model, agrees
from trikv.sim.history import Effect, Operation

Identity = tuple[int, int, int]
Place = tuple[int, int, int, int]
"""Index; 0 for what the entry brought, 1 for reads after it; item of the entry; step of the item."""
_batch = msgspec.msgpack.Decoder(Batch).decode
_membership = msgspec.msgpack.Decoder(Membership).decode


@attrs.define
class _Row:
    incarnation: int
    nonce: bytes
    next: int = 1


class Witness:
    """One replay. Give it everything, then ask `problem`."""

    def __init__(
        self,
        log: Mapping[int, Entry],
        effects: Mapping[tuple[str, int], Effect],
        operations: Iterable[Operation],
        sometimes: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._log = log
        self._operations = list(operations)
        self._effects = effects
        self._sometimes = sometimes
        self._model = Model()
        self._rows: dict[int, _Row] = {}
        self._members: tuple[int, ...] = ()
        self._written: dict[Identity, list[Any]] = {}
        self._places: dict[Identity, tuple[int, int]] = {}
        self._read: dict[tuple[str, int], Any] = {}
        self._watched: dict[tuple[bytes, int], int] = {}
        """The machine's version of a key, as a WATCH was told it, to the model's."""
        self._terms: dict[Identity, int] = {}
        self._term = 0

    def problem(self) -> str | None:
        """What is wrong, or None."""
        if not self._log:
            return None
        missing = [index for index in range(1, max(self._log) + 1) if index not in self._log]
        if missing:
            return f"nobody was seen to apply entry {missing[0]}"
        self._replay()
        places: list[tuple[Place, Operation]] = []
        for operation in self._operations:
            if not operation.is_known:
                continue
            effect = self._effects.get((operation.connection, operation.ordinal))
            if effect is None:
                return f"answered, and took effect nowhere: {operation}"
            place, expected = self._at(operation, effect)
            if place is None:
                return f"answered at {effect.index}, where the log does not apply it: {operation}"
            if not agrees(expected, operation.reply):
                return f"at {effect.index} the log says {expected!r}: {operation}"
            places.append((place, operation))
        return _order_problem(places)

    def _at(self, operation: Operation, effect: Effect) -> tuple[Place | None, Any]:
        if effect.identity is None:
            return (effect.index, 1, 0, 0), self._read[operation.connection, operation.ordinal]
        found = self._places.get(effect.identity)
        if found is None or found[0] != effect.index:
            return None, None
        return (*found[:1], 0, found[1], effect.step), self._written[effect.identity][effect.step]

    # Replaying.

    def _replay(self) -> None:
        reads: dict[int, list[tuple[tuple[str, int], Operation, Effect]]] = {}
        watches: dict[Identity, dict[int, tuple[bytes, int]]] = {}
        for operation in self._operations:
            key = (operation.connection, operation.ordinal)
            effect = self._effects.get(key)
            if effect is None:
                continue
            if effect.identity is None:
                reads.setdefault(effect.index, []).append((key, operation, effect))
            elif operation.commands[0][0] == b"WATCH" and isinstance(effect.reply, list):
                version = effect.reply[0]
                assert isinstance(version, int)
                steps = watches.setdefault(effect.identity, {})
                steps[effect.step] = (operation.commands[0][1], version)
        self._run_reads(reads.get(0, []))
        for index in range(1, max(self._log) + 1):
            self._apply(self._log[index], watches)
            self._run_reads(reads.get(index, []))

    def _run_reads(self, reads: list[tuple[tuple[str, int], Operation, Effect]]) -> None:
        for key, operation, effect in reads:
            replies = [self._model.run(args) for args in operation.commands]
            self._read[key] = replies if operation.is_transaction else replies[0]
            if operation.commands[0][0] == b"WATCH" and isinstance(effect.reply, list):
                version = effect.reply[0]
                assert isinstance(version, int)
                self._saw(operation.commands[0][1], version)

    def _saw(self, key: bytes, version: int) -> None:
        self._watched[key, version] = self._model.version(key)

    def _apply(self, entry: Entry, watches: dict[Identity, dict[int, tuple[bytes, int]]]) -> None:
        if entry.kind is EntryKind.MEMBERSHIP:
            self._members = tuple(member.id for member in _membership(entry.payload).members)
            self._rows = {origin: row for origin, row in self._rows.items() if origin in self._members}
        if entry.kind is not EntryKind.BATCH:
            return
        batch = _batch(entry.payload)
        if self._model.advance(batch.stamp_ms):
            self._sometimes("key expired" if entry.term == self._term else "expiry at a leader change")
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
                        self._written[identity] = self._run(item, watches.get(identity, {}))
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

    def _run(self, item: Submission, watches: dict[int, tuple[bytes, int]]) -> list[Any]:
        replies: list[Any] = []
        starts = {transaction.start: transaction for transaction in item.transactions}
        position = 0
        while position < len(item.commands):
            if len(replies) in watches:
                self._saw(*watches[len(replies)])
            transaction = starts.get(position)
            if transaction is None:
                replies.append(self._model.run(item.commands[position]))
                position += 1
                continue
            unchanged = all(
                self._watched.get((watch.key, watch.version), 0 if watch.version == 0 else -1)
                == self._model.version(watch.key)
                for watch in transaction.watches
            )
            inner = item.commands[position : position + transaction.count]
            replies.append([self._model.run(args) for args in inner] if unchanged else None)
            position += transaction.count
        return replies


def _order_problem(places: list[tuple[Place, Operation]]) -> str | None:
    """An operation that was answered before one of an earlier place was called, or None. O(n log n)."""
    places.sort(key=lambda one: (one[0], one[1].called))
    earliest, witness = None, None  # the first answer among all later places
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
