"""From a request to the part that answers it: one lookup by name for the hot path, and the ways of commands.

A `Route` is a declaration in the form that a conversation needs; everything in it is derived.
"""

from collections.abc import Callable
from functools import partial
from typing import Final, assert_never

import attrs

from trikv.front.caller import Caller
from trikv.front.decisions import (
    CarryOut,
    Decision,
    Done,
    Evaluate,
    Fail,
    Postpone,
    Queue,
    Queued,
    Take,
    Treatment,
    local,
)
from trikv.front.slots import PLAIN_STEP, Args
from trikv.front.turn import Turn
from trikv.machine.declaration import By, Command, Copied, Cost, Inside, When
from trikv.machine.replies import CommandError
from trikv.machine.table import CommandTable
from trikv.protocol.events import Request

ARGUMENTS_MAX: Final = 16_384
"""Of one command, and of all commands of one transaction: every replica applies them in one step, which takes
20 to 40 ms at this limit. Half a million, which fit an entry, took 1.7 s: longer than an election timeout."""
TOO_MANY_ARGUMENTS: Final = CommandError(
    f"ERR too many arguments: at most {ARGUMENTS_MAX} in a command or transaction; send them in smaller parts"
)
COPIED_BYTES_PER_US: Final = 2048
"""Slower than most memory is: a thousand SETRANGEs on a value of 8 MB stopped a whole cluster for 30 s."""
_SHORT_BYTES: Final = 64 << 10
"""A value of this length is copied in the time that a command takes anyway."""


@attrs.define(eq=False)
class Route:
    """One command as a conversation sees it; plain attributes, because they are read for every command."""

    command: Command
    name: str
    """As CLIENT LIST shows it: lower case."""
    travels: bool
    """It goes to the machine unchanged."""
    is_plain: bool
    """It travels, and its own bytes bound its cost: nothing but its arity needs a check."""
    writes: bool
    least: int
    """The fewest arguments, the name included."""
    most: int
    """The grammar's limit or `ARGUMENTS_MAX`, whichever is less."""
    take: Take
    """Decides what is to be done with a call that does not travel."""
    queue: Queue
    """Makes what is kept of a call inside MULTI."""
    acts_inside: bool
    """It acts at once even inside MULTI."""
    refused_inside: bool
    """It cannot be part of a transaction."""
    decides: bool
    """It changes or shows the connection's state: requests behind it in the pipeline wait."""
    constant_us: int
    connection_us: int
    copies_value: bool
    """Whether it copies its value: `trikv.machine.declaration.Cost`."""
    copied_bytes: Copied | None
    """How much of it its answer copies, as there."""
    moves_value: bool
    """Whether it gives a value to another key, as there."""
    for_cluster: bool
    """A node that is stopping refuses it."""
    refused: Callable[[Caller], None] | None
    """Called after such a refusal."""

    def made_bytes(self, caller: Caller, args: Args) -> int:
        """By how much a value may be longer behind it than its key's is now, its own arguments left out."""
        made_bytes = self.command.more_bytes(args)
        if self.moves_value:
            made_bytes += self._value_bytes(caller, args)
        return made_bytes

    def cost_us(self, caller: Caller, args: Args, before_bytes: int) -> int:
        """About how long it keeps a node busy.

        What comes before it in its step has `before_bytes` of arguments, and of what `made_bytes` says.
        """
        cost_us = self.constant_us
        if self.connection_us:
            cost_us += self.connection_us * len(caller.connections)
        copied = self.copied_bytes
        if copied is not None:
            cost_us += copied(args, self._value_bytes(caller, args) + before_bytes) // COPIED_BYTES_PER_US
        if self.copies_value:
            copied_bytes = self._value_bytes(caller, args) + self.command.more_bytes(args)
            if before_bytes > _SHORT_BYTES:  # they may have made the value longer by as much
                copied_bytes += before_bytes
            cost_us += copied_bytes // COPIED_BYTES_PER_US
        return cost_us

    def _value_bytes(self, caller: Caller, args: Args) -> int:
        """The length of the longest value of its keys."""
        return max(map(caller.service.value_bytes, self.command.keys.among(args)), default=0)


class Routes:
    """Every command of a node."""

    def __init__(self, table: CommandTable) -> None:
        self.table = table
        self._by_name = {command.name: _route(command) for command in table}
        self.by_spelling: dict[bytes, Route] = {
            spelling: self._by_name[command.name] for spelling, command in table.by_spelling.items()
        }
        """Plain commands as they usually arrive: `CommandTable.by_spelling`."""
        self.plain: dict[bytes, Route] = {
            spelling: route for spelling, route in self.by_spelling.items() if route.is_plain
        }
        """Those of them of which only the arity needs a check: the hot path's one lookup."""

    def find(self, args: Args) -> Route | CommandError:
        """The route of a request, or the error Redis gives: an unknown name, a wrong number of arguments."""
        command = self.table.find(args)
        if isinstance(command, CommandError):
            return command
        return self._by_name[command.name]


def _route(command: Command) -> Route:
    treatment, cost = command.treatment, command.cost or Cost()
    assert treatment is None or isinstance(treatment, Treatment)
    travels = treatment is None and command.by in (By.LOG, By.READ)
    take = treatment.take if treatment is not None else None
    queue = treatment.queue if treatment is not None else None
    return Route(
        command=command,
        name=command.name.lower(),
        travels=travels,
        is_plain=travels and command.cost is None,
        writes=travels and command.writes,
        least=command.least,
        most=min(command.most, ARGUMENTS_MAX),
        take=take or _usual_take(command),
        queue=queue
        or (
            partial(_queue_for_machine, writes=command.writes)
            if travels
            else partial(_queue_for_node, command)
        ),
        acts_inside=command.inside is Inside.ACTS,
        refused_inside=command.inside is Inside.REFUSED,
        decides=command.when is When.ALONE or (treatment is not None and treatment.decides),
        constant_us=cost.us,
        connection_us=cost.connection_us,
        copies_value=cost.copies_value,
        copied_bytes=cost.copied_bytes,
        moves_value=cost.moves_value,
        for_cluster=command.by is not By.NODE or treatment is not None,
        refused=treatment.refused if treatment is not None else None,
    )


def _usual_take(command: Command) -> Take:
    """The decision that follows from which part evaluates it, and when."""
    match command.by:
        case By.NODE:
            return partial(_of_when(command.when), command)
        case By.OPERATION:
            return partial(_carry_out, command)
        case By.LOG | By.READ:
            return _never
        case _:
            assert_never(command.by)


def _of_when(when: When) -> Callable[[Command, Caller, Turn, Request], Decision]:
    match when:
        case When.IN_TURN:
            return _in_turn
        case When.AT_ONCE:
            return _at_once
        case When.ALONE:
            return _alone
        case _:
            assert_never(when)


def _never(_caller: Caller, _turn: Turn, request: Request) -> Decision:
    raise AssertionError(f"{request.args[0]!r} travels: nothing about it is to be decided")


def _in_turn(command: Command, _caller: Caller, _turn: Turn, request: Request) -> Decision:
    return Evaluate(local(command, request))


def _at_once(command: Command, caller: Caller, _turn: Turn, request: Request) -> Decision:
    return Done(command.handler(caller, *request.args[command.words :]))


def _alone(command: Command, _caller: Caller, turn: Turn, request: Request) -> Decision:
    return Postpone() if len(turn) else Evaluate(local(command, request), cuts=True)


def _carry_out(command: Command, caller: Caller, turn: Turn, request: Request) -> Decision:
    if len(turn):
        return Postpone()
    asked = command.handler(caller, *request.args[command.words :])
    return Fail(asked) if isinstance(asked, CommandError) else CarryOut(asked)


def _queue_for_machine(_caller: Caller, request: Request, *, writes: bool) -> Queued:
    return Queued(PLAIN_STEP, request.args, writes)


def _queue_for_node(command: Command, _caller: Caller, request: Request) -> Queued:
    return Queued(local(command, request), request.args)
