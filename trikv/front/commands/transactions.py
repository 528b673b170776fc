"""MULTI, EXEC, DISCARD, UNWATCH as commands. WATCH is the machine's: it answers versions."""

from trikv.front.commands.table import LOCAL
from trikv.front.transaction import DISCARD_WITHOUT_MULTI, EXEC_WITHOUT_MULTI, NESTED_MULTI
from trikv.front.turn import Caller
from trikv.machine.replies import OK, Reply
from trikv.machine.table import Kind


@LOCAL.command("MULTI", kind=Kind.LOCAL, group="transactions", fast=True)
def multi(caller: Caller) -> Reply:
    """Begin a transaction: what follows is queued."""
    if caller.transactions.open:
        return NESTED_MULTI
    caller.transactions.open = True
    return OK


@LOCAL.command("DISCARD", kind=Kind.LOCAL, group="transactions", fast=True)
def discard(caller: Caller) -> Reply:
    """Drop the transaction and its watches."""
    if not caller.transactions.open:
        return DISCARD_WITHOUT_MULTI
    caller.transactions.reset()
    return OK


@LOCAL.command("UNWATCH", kind=Kind.LOCAL, group="transactions", fast=True)
def unwatch(caller: Caller) -> Reply:
    """Forget all watched keys."""
    caller.transactions.unwatch()
    return OK


@LOCAL.command("EXEC", kind=Kind.LOCAL, group="transactions")
def exec_(_caller: Caller) -> Reply:
    """Carry out the transaction: all of it at once, or nothing."""
    # Inside MULTI the conversation turns the queue into one step instead of calling this.
    return EXEC_WITHOUT_MULTI
