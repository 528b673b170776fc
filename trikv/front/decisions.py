"""What is to be done with a request, decided when it is read: the intake asks, and does it.

A command that the machine evaluates as it came needs no decision. For all others the declaration says who
evaluates it and when, from which `trikv.front.dispatch` derives the decision; or a `Treatment` hangs at the
declaration, because none of the usual ways will do (EXEC, WATCH, SELECT, CONFIG SET).
"""

from collections.abc import Callable
from typing import TypeAlias

import attrs
import msgspec

from trikv.front.caller import Caller
from trikv.front.seam import Asked
from trikv.front.slots import After, Args, Local, Step
from trikv.front.turn import Turn
from trikv.machine.declaration import Command
from trikv.machine.replies import CommandError, Reply
from trikv.protocol.events import Request


class Refuse(msgspec.Struct, frozen=True):
    """It is not carried out: an error at once, which also spoils a transaction that is open."""

    error: CommandError


class Fail(msgspec.Struct, frozen=True):
    """It was carried out here and now, and failed: the same, counted otherwise."""

    error: CommandError


class Done(msgspec.Struct, frozen=True):
    """It was carried out here and now."""

    reply: Reply


class Send(msgspec.Struct, frozen=True):
    """The machine evaluates `command`, which may be another one than the client sent."""

    command: Args
    args: Args
    """What the reply is shown by."""
    after: After
    writes: bool = False
    cuts: bool = False
    """What follows can only be read when this is answered."""


class Evaluate(msgspec.Struct, frozen=True):
    """This node evaluates it when all before it is answered."""

    slot: Local
    cuts: bool = False


class CarryOut(msgspec.Struct, frozen=True):
    """This node carries it out, off the hot path; nothing else is in its turn."""

    asked: Asked


class Postpone(msgspec.Struct, frozen=True):
    """It is looked at again when what is before it in the turn has been answered."""


class Execute(msgspec.Struct, frozen=True):
    """The transaction of the connection is carried out."""


Decision: TypeAlias = Refuse | Fail | Done | Send | Evaluate | CarryOut | Postpone | Execute


class Queued(msgspec.Struct, frozen=True):
    """What is kept of a request between MULTI and EXEC."""

    slot: Step | Local
    command: Args
    """What the machine will evaluate, if `slot` is a step."""
    writes: bool = False


Take: TypeAlias = Callable[[Caller, Turn, Request], Decision]
Queue: TypeAlias = Callable[[Caller, Request], Queued]


@attrs.frozen
class Treatment:
    """How the front takes a command that goes none of the usual ways."""

    take: Take
    queue: Queue | None = None
    """How it is queued inside MULTI, if not like any other."""
    decides: bool = False
    """Queued, it decides how the connection goes on: what is behind EXEC waits for the outcome."""
    refused: Callable[[Caller], None] | None = None
    """What a refusal brings with it, because the node is stopping."""


def local(command: Command, request: Request) -> Local:
    """The slot of a command that this node evaluates."""
    return Local(command, command.handler, request.args, request.typed)
