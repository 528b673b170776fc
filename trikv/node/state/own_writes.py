"""Writes that a node submits by itself, such as the cap that an operator asked for."""

from typing import TypeAlias

import structlog
import trio

from trikv.front.seam import Work
from trikv.machine.batch import Transaction
from trikv.machine.replies import CommandError, Reply
from trikv.node.barrier import barrier
from trikv.node.events import Event
from trikv.node.mailbox import Mailbox
from trikv.node.state.applier import Applier

Command: TypeAlias = tuple[bytes, ...]

RETRY_S = 0.5

log = structlog.get_logger()


async def submit(
    inbox: Mailbox[Event],
    db: int,
    commands: tuple[Command, ...],
    transactions: tuple[Transaction, ...] = (),
) -> list[Reply] | CommandError:
    """Submit writes to a database as a client would, and wait for the replies, or for the error."""
    done = trio.Event()
    outcome: list[list[Reply] | CommandError] = []

    def settled(result: list[Reply] | CommandError) -> None:
        outcome.append(result)
        done.set()

    inbox.put(Work(db, commands, transactions, True, settled, settled))
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
