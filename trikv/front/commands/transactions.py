"""MULTI, EXEC, DISCARD, WATCH and UNWATCH: their part at the connection's node."""

from functools import partial

from trikv.front.caller import Caller
from trikv.front.commands.table import COMMANDS, treats
from trikv.front.decisions import Decision, Done, Execute, Fail, Refuse, Send
from trikv.front.slots import Args
from trikv.front.transaction import (
    ABORTED,
    DISCARD_WITHOUT_MULTI,
    EXEC_WITHOUT_MULTI,
    NESTED_MULTI,
    WATCH_INSIDE_MULTI,
    WATCHED_TOO_MUCH,
)
from trikv.front.turn import Turn
from trikv.machine.declaration import By, Inside, Told, When
from trikv.machine.replies import OK, CommandError, Reply
from trikv.protocol.events import Request


@COMMANDS.command(
    "MULTI",
    by=By.NODE,
    group="transactions",
    fast=True,
    when=When.AT_ONCE,
    inside=Inside.ACTS,
    told=Told("1.2.0", flags="noscript loading stale fast allow_busy"),
)
def multi(caller: Caller) -> Reply:
    """Begin a transaction: what follows is queued."""
    if caller.transactions.open:
        return NESTED_MULTI
    caller.transactions.open = True
    return OK


@COMMANDS.command(
    "DISCARD",
    by=By.NODE,
    group="transactions",
    fast=True,
    when=When.AT_ONCE,
    inside=Inside.ACTS,
    complexity="O(N), N being the number of queued commands",
    told=Told("2.0.0", flags="noscript loading stale fast allow_busy"),
)
def discard(caller: Caller) -> Reply:
    """Drop the transaction and its watches."""
    if not caller.transactions.open:
        return DISCARD_WITHOUT_MULTI
    caller.transactions.reset()
    return OK


@COMMANDS.command(
    "UNWATCH",
    by=By.NODE,
    group="transactions",
    fast=True,
    when=When.AT_ONCE,
    told=Told("2.2.0", flags="noscript loading stale fast allow_busy"),
)
def unwatch(caller: Caller) -> Reply:
    """Forget all watched keys."""
    caller.transactions.unwatch()
    return OK


@COMMANDS.command(
    "EXEC",
    by=By.NODE,
    group="transactions",
    inside=Inside.ACTS,
    complexity="That of the queued commands",
    told=Told("1.2.0", flags="noscript loading stale skip_slowlog"),
)
def exec_(_caller: Caller) -> CommandError:
    """Carry out the transaction: all of it at once, or nothing."""
    return EXEC_WITHOUT_MULTI  # inside MULTI `take_exec` handles it, and this is not called


def _forget(caller: Caller) -> None:
    """When a stopping node refuses EXEC, the transaction is over, as after any other refusal."""
    caller.transactions.reset()


@treats("EXEC", refused=_forget)
def take_exec(caller: Caller, _turn: Turn, _request: Request) -> Decision:
    """Carry out the queued commands, unless the transaction was spoiled or given up."""
    transactions = caller.transactions
    if not transactions.open:
        return Fail(exec_(caller))
    if transactions.spoiled or transactions.aborted is not None:
        error = transactions.aborted or ABORTED
        transactions.reset()
        return Done(error)
    return Execute()


@treats("WATCH")
def take_watch(caller: Caller, _turn: Turn, request: Request) -> Decision:
    """Ask the machine for the versions. Inside MULTI it is an error that spoils nothing, as in Redis."""
    if caller.transactions.open:
        return Done(WATCH_INSIDE_MULTI)
    if not caller.transactions.may_watch(request.args[1:]):
        return Refuse(WATCHED_TOO_MUCH)
    # It cuts the turn, because an EXEC behind it must know the versions.
    return Send(request.args, request.args, partial(_watched, caller, request.args), cuts=True)


def _watched(caller: Caller, args: Args, reply: Reply) -> Reply:
    """Keep the versions that the machine has answered; the client's reply is OK."""
    if not isinstance(reply, list):
        return reply
    versions = [version for version in reply if isinstance(version, int)]
    caller.transactions.watch(caller.connection.database, args[1:], versions)
    return OK
