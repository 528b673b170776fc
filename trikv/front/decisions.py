"""What is to be done with a request, decided when it is read: the intake asks, and does it.

A command that the machine evaluates unchanged needs no decision. For every other the declaration says which
part evaluates it and when, and `trikv.front.dispatch` derives the decision from that. If none of the usual
ways will do (EXEC, WATCH, SELECT, CONFIG SET), the declaration has a `Treatment`.
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
    """It is not carried out: an error at once, which also spoils an open transaction."""

    error: CommandError


class Fail(msgspec.Struct, frozen=True):
    """It was carried out at once, and failed: like `Refuse`, but counted as a call that failed."""

    error: CommandError


class Done(msgspec.Struct, frozen=True):
    """It was carried out at once, and this is its reply."""

    reply: Reply


class Send(msgspec.Struct, frozen=True):
    """The machine evaluates `command`, which may differ from what the client sent."""

    command: Args
    args: Args
    """The client's own words, by which its reply is rendered."""
    after: After | None = None
    writes: bool = False
    cuts: bool = False
    """Later requests can only be read once this one is answered."""


class Evaluate(msgspec.Struct, frozen=True):
    """This node evaluates it after everything before it has been answered."""

    slot: Local
    cuts: bool = False


class CarryOut(msgspec.Struct, frozen=True):
    """This node carries it out, off the hot path; its turn holds nothing else."""

    asked: Asked


class Postpone(msgspec.Struct, frozen=True):
    """It is decided again after the requests before it in the turn have been answered."""


class Execute(msgspec.Struct, frozen=True):
    """The connection's transaction is carried out."""


Decision: TypeAlias = Refuse | Fail | Done | Send | Evaluate | CarryOut | Postpone | Execute


class Queued(msgspec.Struct, frozen=True):
    """The part of a request that is kept between MULTI and EXEC."""

    slot: Step | Local
    command: Args
    """The command for the machine, if `slot` is a step."""
    writes: bool = False


Take: TypeAlias = Callable[[Caller, Turn, Request], Decision]
Queue: TypeAlias = Callable[[Caller, Request], Queued | CommandError]
"""Makes what is kept of a call inside MULTI, or refuses it, which spoils the transaction."""


@attrs.frozen
class Treatment:
    """How the front handles a command that goes none of the usual ways."""

    take: Take
    queue: Queue | None = None
    """How it is queued inside MULTI, if not in the usual way."""
    decides: bool = False
    """Queued, it decides how the connection goes on: requests after EXEC wait for the outcome."""
    refused: Callable[[Caller], None] | None = None
    """Called when the command is refused because the node is stopping."""


def local(command: Command, request: Request) -> Local:
    """The slot of a command that this node evaluates."""
    return Local(command, command.handler, request.args, request.typed)
