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
    """One command for the machine: the checkers."""
    TRANSACTION = "transaction"
    """MULTI, the commands, EXEC: the checkers."""
    LOCAL = "local"
    """Commands that a node answers by itself: the step's own judge."""


@attrs.define
class Belief:
    """What a client takes its connection for."""

    node: int
    database: int = 0
    name: bytes | None = None
    id: int | None = None
    """CLIENT ID, once it was told."""
    has_written: bool = False
    """A write of it was answered, and not refused."""
    watched: tuple[Key, ...] = ()
    """Where any is, the next EXEC may do nothing."""

    def forget_watches(self) -> None:
        """EXEC, DISCARD, UNWATCH and RESET do."""
        self.watched = ()


@attrs.frozen
class Told:
    """The answers to a local step, and what is needed to judge them."""

    commands: tuple[Args, ...]
    replies: list[Any]
    belief: Belief
    """When it was sent."""
    now: Belief
    """What is believed at present: the pipeline may have had more in it."""
    waited_s: float
    nodes: int

    @property
    def reply(self) -> Any:
        """The last one."""
        return self.replies[-1]

    def fails(self, *beginnings: str) -> bool:
        """The last answer is an error that begins like one of these."""
        return isinstance(self.reply, ErrorReply) and str(self.reply).startswith(beginnings)


Judge: TypeAlias = Callable[[Told], bool]
"""False where the answer cannot be right."""
Then: TypeAlias = Callable[[Belief], None]
"""What a step changes in the connection, from its place in the pipeline on."""


@attrs.frozen
class Step:
    """One atomic thing to ask for, with one answer that counts."""

    commands: tuple[Args, ...]
    form: Form
    judge: Judge | None = None
    then: Then | None = None
    ends: bool = False
    """The node closes the connection behind it."""

    @property
    def is_last(self) -> bool:
        """Nothing may follow in its pipeline: what comes then is not known before the answer is there."""
        selects = self.form is Form.TRANSACTION and any(args[0] == b"SELECT" for args in self.commands)
        return self.ends or selects

    def wire(self) -> list[Args]:
        """All that is sent."""
        if self.form is Form.TRANSACTION:
            return [(b"MULTI",), *self.commands, (b"EXEC",)]
        return list(self.commands)


Make: TypeAlias = Callable[[Draw], list[Step]]


@attrs.frozen
class Request:
    """Something to ask."""

    kind: str
    names: tuple[str, ...]
    """The commands that it is there for, as a node's table has them."""
    weight: float
    """Among those of its kind."""
    make: Make


REQUESTS: list[Request] = []
"""All of them."""


def request(kind: str, *names: str, weight: float = 1) -> Callable[[Make], Make]:
    """Enter the decorated function."""

    def enter(make: Make) -> Make:
        REQUESTS.append(Request(kind, names, weight, make))
        return make

    return enter


def of_kind(kind: str) -> list[Request]:
    """In the order in which they were entered."""
    return [one for one in REQUESTS if one.kind == kind]


def command(*args: bytes) -> Step:
    """One for the machine."""
    return Step((args,), Form.COMMAND)


def transaction(*commands: Args) -> Step:
    """From MULTI to EXEC."""
    return Step(commands, Form.TRANSACTION)


def local(judge: Judge, *commands: Args, then: Then | None = None, ends: bool = False) -> Step:
    """For the node itself: most are one command."""
    return Step(commands, Form.LOCAL, judge, then, ends)
