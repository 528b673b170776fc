"""Writes that a node submits by itself: the cap an operator asked for, and the keys of a backup to load."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

import structlog
import trio

from trikv.front.seam import Work
from trikv.machine.replies import CommandError, Reply
from trikv.machine.snapshot import SnapshotError, import_keys
from trikv.node.barrier import barrier
from trikv.node.events import Event
from trikv.node.mailbox import Mailbox
from trikv.node.state.applier import Applier

Command: TypeAlias = tuple[bytes, ...]
Document: TypeAlias = Callable[[], Iterable[bytes]]
"""Opens a backup or dump and yields it in pieces of any size."""

BATCH_BYTES = 64 * 1024
KEYS_PER_SLICE = 500
"""Keys read between two checkpoints, which takes about a millisecond."""
RETRY_S = 0.5

log = structlog.get_logger()


async def submit(inbox: Mailbox[Event], db: int, commands: tuple[Command, ...]) -> list[Reply] | CommandError:
    """Submit writes to a database as a client would, and wait for the replies, or for the error."""
    done = trio.Event()
    outcome: list[list[Reply] | CommandError] = []

    def settled(result: list[Reply] | CommandError) -> None:
        outcome.append(result)
        done.set()

    inbox.put(Work(db, commands, (), True, settled, settled))
    await done.wait()
    return outcome[0]


async def send_maxmemory(inbox: Mailbox[Event], maxmemory: int) -> None:
    """Set the cluster's cap through the log, once, as soon as there is a leader (PROTOCOL 22).

    To set it twice is harmless, so after an unknown outcome it is sent again.
    """
    command = (b"CONFIG", b"SET", b"maxmemory", b"%d" % maxmemory)
    while True:
        outcome = await submit(inbox, 0, (command,))
        refusal = outcome if isinstance(outcome, CommandError) else outcome[0]
        if not isinstance(refusal, CommandError):
            break
        log.info("the cap could not be set yet", reason=refusal.text)
        await trio.sleep(RETRY_S)
    log.info("the cap is set", maxmemory=maxmemory)


async def warn_of_cap(inbox: Mailbox[Event], applier: Applier, configured: int) -> None:
    """Warn if the cap in force, which is the log's, differs from this node's file, or is below the data.

    It waits by polling: for a majority, which may take minutes, and for the log's first entries.
    """
    while await barrier(inbox) is not None or not applier.machine.feature_level:  # noqa: ASYNC110 - see below
        await trio.sleep(RETRY_S)
    machine = applier.machine
    if machine.maxmemory != configured:
        log.warning(
            "the cap in force is the cluster's, not the configured one; CONFIG SET maxmemory changes it",
            in_force=machine.maxmemory,
            configured=configured,
        )
    if 0 < machine.maxmemory < machine.used_memory:
        log.warning(
            "the cap is below what is stored: growth is refused, reads and deletes go on",
            cap=machine.maxmemory,
            used=machine.used_memory,
        )


async def load_keys(inbox: Mailbox[Event], applier: Applier, document: Document) -> None:
    """Fill a new cluster with the keys of a backup or dump; one that has ever held a key is left alone.

    A cluster that was emptied is not new: otherwise each start would bring back what was deleted. The change
    counter tells the two apart. It is part of the replicated state, it never goes back, and only writes,
    deletions and expiries of keys move it.

    The document is read twice, so that a damaged one loads nothing. Keys are set with NX, so that a batch of
    unknown outcome can be sent again, and a value that a client has written meanwhile stays.
    """
    try:
        expected = await _count(document)
    except SnapshotError as error:
        log.error("nothing is loaded: the file is not a whole backup or dump", reason=str(error))
        return
    while (failure := await barrier(inbox)) is not None:
        log.info("cannot load yet", reason=failure.text)
        await trio.sleep(RETRY_S)
    if applier.machine.changes:
        log.error(
            "nothing is loaded: the cluster holds keys, or has held some; load into a new one",
            keys=applier.machine.keys(),
        )
        return
    loaded = 0
    try:
        for db, commands in _batches(import_keys(document())):
            refused = await _load_batch(inbox, db, commands)
            if refused is not None:
                reason = refused.text
                log.error("loading stopped: a key was refused", reason=reason, loaded=loaded, of=expected)
                return
            loaded += len(commands)
    except trio.Cancelled:
        log.error("loading was cut short by a stop: load into a new cluster", loaded=loaded, of=expected)
        raise
    log.info("loaded", keys=loaded)


async def _load_batch(inbox: Mailbox[Event], db: int, commands: tuple[Command, ...]) -> CommandError | None:
    """Submit until the outcome is known; returns the error if a key was refused."""
    while isinstance(outcome := await submit(inbox, db, commands), CommandError):
        log.warning("loading waits", reason=outcome.text)
        await trio.sleep(RETRY_S)
    return next((reply for reply in outcome if isinstance(reply, CommandError)), None)


async def _count(document: Document) -> int:
    """How many keys the document holds. Raises SnapshotError if it is damaged."""
    count = 0
    for count, _ in enumerate(import_keys(document()), start=1):
        if count % KEYS_PER_SLICE == 0:
            await trio.lowlevel.checkpoint()
    return count


def _batches(keys: Iterable[tuple[int, Command]]) -> Iterator[tuple[int, tuple[Command, ...]]]:
    """Groups of commands, each for one database, up to a size that easily fits one entry."""
    batch: list[Command] = []
    size, batch_db = 0, 0
    for db, command in keys:
        if batch and (db != batch_db or size >= BATCH_BYTES):
            yield batch_db, tuple(batch)
            batch, size = [], 0
        batch_db = db
        batch.append((*command, b"NX"))
        size += sum(map(len, command))
    if batch:
        yield batch_db, tuple(batch)
