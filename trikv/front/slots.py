"""A slot for every reply of a turn, and who fills it.

Replies leave in the order of the requests, whoever computes them: each request has a slot. Slots know nobody:
who evaluates a command of this node hands it the caller, and an `After` has bound whom it needs.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec

from trikv.machine.declaration import Command, Handler
from trikv.machine.replies import Reply

Args: TypeAlias = tuple[bytes, ...]

After: TypeAlias = Callable[[Reply], Reply]
"""Makes the client's reply of the machine's: WATCH notes the versions and answers OK."""
AFTER_BYTES: Final = 160
"""What one takes in memory."""


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
    """The command's own, except where the machine's is another."""
    args: Args
    typed: bool


class Raw(msgspec.Struct, frozen=True, gc=False):
    """Bytes to send as they are, among the replies: a refusal in another protocol."""

    data: bytes


class Comment(msgspec.Struct, frozen=True, gc=False):
    """A ``#`` line for a person; dropped if a program has shown itself by the time it would be sent.

    ``redis-cli --pipe`` of an empty file begins with an empty line.
    """

    data: bytes


class Exec(msgspec.Struct, frozen=True):
    """A transaction: one step of the machine whose list gets the replies of local commands woven in."""

    name: str
    """Of the command that it counts as."""
    inner: tuple[Step | Local, ...]
    travels: bool
    """Something in it is for the machine: it takes a step."""
    typed: bool


Slot: TypeAlias = Step | Known | Local | Raw | Comment | Exec

PLAIN_STEP: Final = Step()
"""The slot of nearly every command there is: RESP, the machine's reply as it is."""
