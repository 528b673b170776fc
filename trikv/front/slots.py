"""A slot for every reply of a turn, and how it is filled.

Replies leave in the order of the requests, whichever part computes them, because each request has a slot. A
slot holds no reference to a connection: a command of this node is handed its caller when it is evaluated, and
an `After` has already bound what it needs.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec

from trikv.machine.declaration import Command, Handler
from trikv.machine.replies import Reply

Args: TypeAlias = tuple[bytes, ...]

After: TypeAlias = Callable[[Reply], Reply]
"""Makes the client's reply from the machine's: WATCH notes the versions and answers OK."""
AFTER_BYTES: Final = 160
"""The memory of one `After`."""


class Step(msgspec.Struct, frozen=True):
    """The reply is the machine's for the next step."""

    typed: bool = False
    args: Args = ()
    after: After | None = None


class Known(msgspec.Struct, frozen=True):
    """The reply was known when the request was read: errors, QUEUED, the OK of MULTI."""

    reply: Reply
    typed: bool
    args: Args = ()


class Local(msgspec.Struct, frozen=True):
    """A command of this node, evaluated when the commands before it have been answered."""

    command: Command
    handler: Handler
    """The command's own, unless the machine's handler is a different one."""
    args: Args
    typed: bool


class Raw(msgspec.Struct, frozen=True, gc=False):
    """Bytes to send unchanged, among the replies: a refusal in another protocol."""

    data: bytes


class Comment(msgspec.Struct, frozen=True, gc=False):
    """A ``#`` line for a person; dropped if the client has turned out to be a program before it is sent.

    This happens: ``redis-cli --pipe`` of an empty file begins with an empty line.
    """

    data: bytes


class Exec(msgspec.Struct, frozen=True):
    """A transaction: one step of the machine, into whose list the replies of local commands are inserted."""

    name: str
    """The command's name under which it is counted."""
    inner: tuple[Step | Local, ...]
    travels: bool
    """Whether something in it is for the machine, so that it takes a step."""
    typed: bool


Slot: TypeAlias = Step | Known | Local | Raw | Comment | Exec

PLAIN_STEP: Final = Step()
"""The slot of nearly every command: RESP, and the machine's reply unchanged."""
