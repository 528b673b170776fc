"""Requests: what a client may ask, as data. The modules ``of_*`` enter theirs here."""

from collections.abc import Callable
from enum import Enum
from typing import Any, TypeAlias

import attrs

from trikv.client.replies import ErrorReply
from trikv.sim.history import Args, Key
from trikv.sim.workload.draw import Draw


class Form(Enum):
    """How a step is sent, and who judges its answer."""

    COMMAND = "command"
    """One command for the machine; the checkers judge it."""
    TRANSACTION = "transaction"
    """MULTI, the commands, EXEC; the checkers judge it."""
    LOCAL = "local"
    """Commands that a node answers by itself; the step has a judge of its own."""


@attrs.define
class Belief:
    """What a client believes about the state of its connection."""

    node: int
    database: int = 0
    name: bytes | None = None
    id: int | None = None
    """The connection's CLIENT ID; None before it was told."""
    has_written: bool = False
    """Whether a write of this connection was answered and not refused."""
    watched: tuple[Key, ...] = ()
    """The watched keys. If there is any, the next EXEC may do nothing."""

    def forget_watches(self) -> None:
        """Note that no key is watched: EXEC, DISCARD, UNWATCH and RESET have that effect."""
        self.watched = ()


@attrs.frozen
class Told:
    """The answers to a local step, and what is needed to judge them."""

    commands: tuple[Args, ...]
    replies: list[Any]
    belief: Belief
    """The belief when the step was sent."""
    now: Belief
    """The present belief: later steps of the pipeline may have changed it."""
    waited_s: float
    nodes: int

    @property
    def reply(self) -> Any:
        """The last of the answers, which is the one that most judges need."""
        return self.replies[-1]

    @property
    def fields(self) -> dict[Any, Any]:
        """The last answer as a map, which RESP3 has and RESP2 gives as a flat array."""
        reply = self.reply
        return reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))

    def fails(self, *beginnings: str) -> bool:
        """Whether the last answer is an error that begins like one of these."""
        return isinstance(self.reply, ErrorReply) and str(self.reply).startswith(beginnings)


Judge: TypeAlias = Callable[[Told], bool]
"""False if the answer cannot be right."""
Then: TypeAlias = Callable[[Belief], None]
"""Changes a belief by what a step changes in the connection, from its place in the pipeline on."""


@attrs.frozen
class Step:
    """One atomic part of a request, with one answer that counts."""

    commands: tuple[Args, ...]
    form: Form
    judge: Judge | None = None
    then: Then | None = None
    ends: bool = False
    """Whether the node closes the connection behind it."""
    unanswered: int = 0
    """How many of its commands get no reply, because CLIENT REPLY says so."""
    may_be_refused: bool = False
    """Whether it may be refused before it is submitted (PROTOCOL 64): then what follows has other numbers."""

    @property
    def is_last(self) -> bool:
        """Whether nothing may follow in its pipeline, because what comes next depends on its answer."""
        selects = self.form is Form.TRANSACTION and any(args[0] == b"SELECT" for args in self.commands)
        return self.ends or self.may_be_refused or selects

    def wire(self) -> list[Args]:
        """All commands that are sent for it, MULTI and EXEC included."""
        if self.form is Form.TRANSACTION:
            return [(b"MULTI",), *self.commands, (b"EXEC",)]
        return list(self.commands)


Make: TypeAlias = Callable[[Draw], list[Step]]


@attrs.frozen
class Request:
    """One entry of the table: a function that draws steps, its kind, and how often it is chosen."""

    kind: str
    names: tuple[str, ...]
    """The commands that it is for, by their names in a node's table."""
    weight: float
    """How often it is chosen, in relation to the others of its kind."""
    make: Make


REQUESTS: list[Request] = []
"""All requests, in the order in which they were entered."""


def request(kind: str, *names: str, weight: float = 1) -> Callable[[Make], Make]:
    """Enter the decorated function in `REQUESTS`, under `kind`, for the commands `names`."""

    def enter(make: Make) -> Make:
        REQUESTS.append(Request(kind, names, weight, make))
        return make

    return enter


def of_kind(kind: str) -> list[Request]:
    """The requests of a kind, in the order in which they were entered."""
    return [one for one in REQUESTS if one.kind == kind]


def command(*args: bytes, may_be_refused: bool = False) -> Step:
    """A step of one command for the machine."""
    return Step((args,), Form.COMMAND, may_be_refused=may_be_refused)


def transaction(*commands: Args) -> Step:
    """A step from MULTI to EXEC, for the machine."""
    return Step(commands, Form.TRANSACTION)


def local(judge: Judge, *commands: Args, then: Then | None = None, ends: bool = False) -> Step:
    """A step that the node answers itself, mostly of one command; `then` changes the belief."""
    return Step(commands, Form.LOCAL, judge, then, ends)
