"""Filling a new cluster with the keys of a backup or dump (`--load`).

Whatever is submitted may have an unknown outcome, and is then sent again. So each key is put in a way that
does nothing the second time, and leaves alone what a client has written meanwhile:

- A string is set with NX. Many travel in one batch.
- Another value that fits into one piece is a transaction that watches the key's absence, and many of these
  travel in one batch, too.
- The pieces of a larger value follow one another, each in a transaction that watches the version that the key
  had after the piece before it. What came of one is seen in this node's own state, by the key's version and
  by how many elements it has.

Fields of a hash may fall due meanwhile. That changes the key's version, too, and how many fields it has. So
only those are counted that are not due, and their deadlines say how many there have to be at any time. If
that is what is missing and no more, no client has written to the key, and loading goes on.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

import structlog
import trio

from trikv.machine.batch import Transaction, Watch
from trikv.machine.importing import Command, Imported, Piece, SnapshotError, import_keys
from trikv.machine.replies import CommandError, Reply
from trikv.machine.values.score_index import ScoreIndex
from trikv.node.barrier import barrier
from trikv.node.events import Event
from trikv.node.mailbox import Mailbox
from trikv.node.state.applier import Applier
from trikv.node.state.own_writes import RETRY_S, submit

Document: TypeAlias = Callable[[], Iterable[bytes]]
"""Opens a backup or dump and yields it in pieces of any size."""

BATCH_BYTES: Final = 64 * 1024
SLICE_BYTES: Final = 32 * 1024
"""What is read between two checkpoints, which takes about a millisecond."""
KEY_BYTES: Final = 32
"""What a key counts for in both besides its own size."""
ABSENT: Final = 0
"""The version of a key that is not there."""

log = structlog.get_logger()


async def load_keys(inbox: Mailbox[Event], applier: Applier, document: Document) -> None:
    """Fill a new cluster with the keys of a backup or dump; one that has ever held a key is left alone.

    A cluster that was emptied is not new: otherwise each start would bring back what was deleted. The change
    counter tells the two apart. It is part of the replicated state, it never goes back, and only writes,
    deletions and expiries of keys move it.

    The document is read twice, so that a damaged one loads nothing.
    """
    try:
        expected = await _count(document)
    except SnapshotError as error:
        log.error("nothing is loaded: the file is not a whole backup or dump", reason=str(error))
        return
    await _catch_up(inbox)
    if applier.machine.changes:
        log.error(
            "nothing is loaded: the cluster holds keys, or has held some; load into a new one",
            keys=applier.machine.keys(),
        )
        return
    load = _Load(inbox, applier)
    try:
        refused = await load.run(document)
    except SnapshotError as error:
        log.error("loading stopped: the file has changed", reason=str(error), loaded=load.keys, of=expected)
    except trio.Cancelled:
        log.error("loading was cut short by a stop: load into a new cluster", loaded=load.keys, of=expected)
        raise
    else:
        if refused is None:
            log.info("loaded", keys=load.keys)
        else:
            reason = refused.text
            log.error("loading stopped: a key was refused", reason=reason, loaded=load.keys, of=expected)


async def _count(document: Document) -> int:
    """How many keys the document holds. Raises SnapshotError if it is damaged."""
    count = size = 0
    for item in import_keys(document()):
        count += _ends_key(item)
        size += item.size + KEY_BYTES
        if size >= SLICE_BYTES:
            size = 0
            await trio.lowlevel.checkpoint()
    return count


def _ends_key(item: Imported) -> bool:
    return not isinstance(item, Piece) or item.is_last


async def _catch_up(inbox: Mailbox[Event]) -> None:
    """Wait until this node has applied all that was acknowledged before, however long that takes."""
    while (failure := await barrier(inbox)) is not None:
        log.info("cannot load yet", reason=failure.text)
        await trio.sleep(RETRY_S)


class _Batch:
    """Whole keys of one database that are submitted together."""

    def __init__(self) -> None:
        self.db = 0
        self.commands: list[Command] = []
        self.transactions: list[Transaction] = []
        self.keys = 0
        self._size = 0

    def takes(self, item: Imported) -> bool:
        """Whether another key still fits."""
        return not self.keys or (item.db == self.db and self._size + item.size <= BATCH_BYTES)

    def add(self, item: Imported) -> None:
        """Put in another key."""
        self.db = item.db
        if isinstance(item, Piece):
            self.transactions.append(_transaction(item, ABSENT, start=len(self.commands)))
            self.commands += item.commands
        else:
            self.commands.append(item.command)
        self.keys += 1
        self._size += item.size + KEY_BYTES


def _transaction(piece: Piece, version: int, start: int = 0) -> Transaction:
    """It is carried out only if the piece's key has that version."""
    return Transaction(start, len(piece.commands), (Watch(piece.db, piece.key, version),))


def _submissions(items: Iterable[Imported]) -> Iterator[_Batch | Piece]:
    """Batches of whole keys, up to a size that easily fits one entry, and single pieces of larger values."""
    batch = _Batch()
    for item in items:
        part = item if isinstance(item, Piece) and not (item.is_first and item.is_last) else None
        if batch.keys and (part is not None or not batch.takes(item)):
            yield batch
            batch = _Batch()
        if part is not None:
            yield part
        else:
            batch.add(item)
    if batch.keys:
        yield batch


class _Held:
    """What a key held at some time, as far as is needed to tell what has become of it since."""

    def __init__(self, version: int, count: int = 0, deadlines: ScoreIndex | None = None) -> None:
        self.version = version
        self._count = count
        self._deadlines = None if deadlines is None else deadlines.twin()
        if self._deadlines is not None:
            # Ranks of deadlines need no names. Without them, a hash that is deleted is not kept from going
            # in steps, nor does it go with this.
            self._deadlines.members.clear()

    def due(self, now: int) -> int:
        """How many of the elements are due at that time."""
        return 0 if self._deadlines is None else self._deadlines.rank_of_score(now, behind=True)

    def count_at(self, now: int) -> int:
        """How many elements there are at that time if nobody has written to the key."""
        return self._count - self.due(now)


class _Load:
    """Puts the keys of a document, one submission after another."""

    def __init__(self, inbox: Mailbox[Event], applier: Applier) -> None:
        self._inbox = inbox
        self._applier = applier
        self.keys = 0
        """Keys that are done with."""
        self._left = 0
        """Those of which only a part was put, because a client wrote to them meanwhile."""
        self._held: _Held | None = _Held(ABSENT)
        """What the key holds whose pieces are being put, after the last of them; None if it is a client's."""

    async def run(self, document: Document) -> CommandError | None:
        """Put all keys, or those before one that is refused; returns why that is. Raises SnapshotError."""
        refused = None
        try:
            for some in _submissions(import_keys(document())):
                refused = await (self._put(some) if isinstance(some, _Batch) else self._go_on(some))
                if refused is not None:
                    break
        finally:
            if self._left:
                log.warning("a client has written to keys that were being loaded", left=self._left)
        return refused

    async def _put(self, batch: _Batch) -> CommandError | None:
        """Submit whole keys until the outcome is known; returns the error if one was refused."""
        commands, transactions = tuple(batch.commands), tuple(batch.transactions)
        while isinstance(outcome := await self._submit(batch.db, commands, transactions), CommandError):
            pass
        refused = _refusal(outcome)
        if refused is None:
            self.keys += batch.keys
        return refused

    async def _go_on(self, piece: Piece) -> CommandError | None:
        """Put the next piece of a key, unless that is a client's by now; returns why it was refused."""
        if piece.is_first:
            self._held = _Held(ABSENT)
        if self._held is None:
            await trio.lowlevel.checkpoint()
        else:
            refused = await self._add(piece, self._held)
            if refused is not None:
                return refused
        self.keys += piece.is_last
        return None

    async def _add(self, piece: Piece, before: _Held) -> CommandError | None:
        """Add a piece to its key, which held that `before`; returns the error if it was refused."""
        may_have_been_put = False
        while True:
            outcome = await self._submit(piece.db, piece.commands, (_transaction(piece, before.version),))
            is_put = outcome != [None]
            if isinstance(outcome, CommandError):
                # It may have happened, or happen yet. If it happens late, a second one finds another version.
                may_have_been_put, is_put = True, False
                await _catch_up(self._inbox)
            elif (refused := _refusal(outcome)) is not None:
                return refused
            await self._applier.until_whole()
            held, now = self._found(piece), self._applier.machine.now_ms
            has_changed = held.version != before.version
            count, count_before = held.count_at(now), before.count_at(now)
            is_over = piece.is_last and held.version == ABSENT  # its deadline has passed
            is_there = is_over or count == count_before + piece.count_at(now)
            if is_there and (is_put or (may_have_been_put and has_changed)):
                self._held = held
                return None
            is_only_due = count == count_before and before.due(now) > 0
            if is_put or (has_changed and not is_only_due):
                self._held = None
                self._left += 1
                return None
            before = held  # as it was, but for what fell due

    def _found(self, piece: Piece) -> _Held:
        """What a piece's key holds here; no elements if it is of another type."""
        db = self._applier.machine.space.databases[piece.db]
        entry = db.find(piece.key)
        if entry is None:
            return _Held(ABSENT)
        is_same = db.type_name(piece.key) == piece.kind.type_name
        value = db.value(piece.key, piece.kind) if is_same else None
        return _Held(entry.version) if value is None else _Held(entry.version, value.count, value.deadlines)

    async def _submit(
        self, db: int, commands: tuple[Command, ...], transactions: tuple[Transaction, ...]
    ) -> list[Reply] | CommandError:
        """Submit once; an error if it is not known what came of it, after a while."""
        outcome = await submit(self._inbox, db, commands, transactions)
        if isinstance(outcome, CommandError):
            log.warning("loading waits", reason=outcome.text)
            await trio.sleep(RETRY_S)
        return outcome


def _refusal(replies: Iterable[Reply]) -> CommandError | None:
    """The first error among the replies of commands and transactions; None if there is none."""
    for reply in replies:
        inside = reply if isinstance(reply, list) else [reply]
        refused = next((each for each in inside if isinstance(each, CommandError)), None)
        if refused is not None:
            return refused
    return None
