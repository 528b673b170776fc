"""The context of a call: in what a command is evaluated.

The evaluator has one `Call` for all its life and sets it for each submission and each command, because an
object for each would be felt in every SET. So a handler may use it while it runs and keeps nothing of it.
Handlers that need the selected database alone are called with that; the others take the `Call`.

A handler may evaluate other commands in its own place (`Call.run`, `Call.steps`). They are part of the
command that calls them: an exception in one of them is an exception of the caller's (PROTOCOL 24), they are
not counted apart, and what they draw goes on in the caller's row of draws.
"""

from collections.abc import Generator, Sequence
from enum import Enum
from types import GeneratorType
from typing import Final, TypeAlias, TypeVar

from trikv.machine.account import Account
from trikv.machine.declaration import Command
from trikv.machine.draws import Draws
from trikv.machine.errors import OOM, WRONG_TYPE, RefusedError, WrongTypeError
from trikv.machine.keyspace import Keyspace
from trikv.machine.long_reads import LongRead
from trikv.machine.replies import CommandError, Reply
from trikv.machine.table import CommandTable

T = TypeVar("T")
Steps: TypeAlias = Generator[None, None, T]
"""Work in slices: it yields after at most 2 ms, about 256 elements, and returns what comes of it."""

DEPTH_MAX: Final = 8
"""How deep calls may lie in each other. Without a limit one command could use up the stack, which would stop
every replica (PROTOCOL 24)."""
NOT_A_READ: Final = CommandError("ERR only commands that read can be evaluated without the log")
TOO_DEEP: Final = CommandError(
    f"ERR commands that call each other more than {DEPTH_MAX} deep are not carried out"
)


class View(Enum):
    """Where commands are evaluated, and therefore which of them run and count."""

    ORIGIN = "origin"
    """From the log, at the node whose client waits: everything is carried out and answered."""
    REPLICA = "replica"
    """From the log, at any other node: reads are skipped, because no client here gets their answers."""
    READER = "reader"
    """Outside of the log: commands that would write are refused."""


# Bound once, because to look a member up in its class takes as long as a call.
ORIGIN: Final = View.ORIGIN
REPLICA: Final = View.REPLICA
READER: Final = View.READER


class Call:
    """What the running command is evaluated in. Nothing here is state."""

    __slots__ = (
        "_depth",
        "db",
        "drawn",
        "index",
        "looked",
        "origin",
        "position",
        "seed",
        "sequence",
        "shown_bytes",
        "shown_bytes_end",
        "shown_bytes_max",
        "shown_ms",
        "space",
        "table",
        "view",
    )

    def __init__(self, space: Keyspace, table: CommandTable) -> None:
        self.space = space
        self.db = space.databases[0]
        """The selected database."""
        self.view = REPLICA
        self.shown_ms = 0
        """The time that TTL and TIME show: log time, or the leader's for a read (PROTOCOL 21)."""
        self.shown_bytes = 0
        """The bytes that the reads of the entry so far have answered to clients of this node; or those of a
        reader's commands."""
        self.shown_bytes_max = 0
        """Past this the reads of the submission are refused, or a reader's wait."""
        self.shown_bytes_end = 0
        """No reply of the submission may pass this."""
        self.looked = 0
        """Keys and elements that a reader's long reads have gone over."""
        self.index = 0
        """The entry; for a read, the last applied."""
        self.seed = 0
        """The entry's 64 bits of entropy; for a read, bits of the node's own."""
        self.origin = 0
        """Whose submission it is; 0 for a read."""
        self.sequence = 0
        """The submission's; 0 for a read."""
        self.position = 0
        """The command's place in the submission, from 1. It counts reads on every replica, shown or not."""
        self.drawn: Draws | None = None
        """`draws`, once something is drawn. The evaluator drops it before each command that takes a call."""
        self.table = table
        """What other commands are looked up in."""
        self._depth = 0
        """How many commands have called one another, down to the present one."""

    @property
    def draws(self) -> Draws:
        """The command's row of numbers (PROTOCOL 60). Commands that it calls go on in the same row."""
        if self.drawn is None:
            self.drawn = Draws(self.seed, self.index, self.origin, self.sequence, self.position)
        return self.drawn

    def publish(self, channel: bytes, message: bytes) -> CommandError | None:
        """Send `message` to who listens to `channel` at any node; or the error that says why it cannot be.

        Only for commands that write: a read is not evaluated on every replica. What is published cannot be
        taken back, so it is a change like any other: refuse before it.
        """
        assert self.view is not READER, "nothing is published without the log"
        refused = self.space.account.effects.published(channel, message)
        if refused is None:
            self.space.account.dirty = True
        return refused

    def run(self, args: Sequence[bytes]) -> Reply:
        """Carry out another command as part of this one, at once, however long it takes."""
        return at_once(self.steps(args))

    def steps(self, args: Sequence[bytes]) -> Steps[Reply]:
        """`run` in slices, for handlers that are resumable: ``reply = yield from call.steps(args)``.

        A database that it selects stays selected.
        """
        command = self.table.find(args)
        if isinstance(command, CommandError):
            return command
        if command.writes and self.view is READER:
            return NOT_A_READ
        if self._depth == DEPTH_MAX:
            return TOO_DEEP
        account = self.space.account
        if command.denies_oom and account.is_over:
            return OOM
        if command.resumable and would_not_fit(account, [(command, args)]):
            return OOM
        self._depth += 1
        try:
            reply = command.handler(self if command.whole else self.db, *args[command.words :])
            if isinstance(reply, GeneratorType):
                reply = yield from reply
            elif isinstance(reply, LongRead):
                reply = reply.inside()
        except WrongTypeError:  # it has changed nothing, and is no exception of the caller's
            return WRONG_TYPE
        except RefusedError as refusal:
            return refusal.error
        finally:
            self._depth -= 1
        answer: Reply = reply
        return answer


def would_not_fit(account: Account, found: Sequence[tuple[Command, Sequence[bytes]]]) -> bool:
    """Whether a command of a transaction, or a resumable one alone, might meet the cap half-way.

    Decided by upper bounds before any effect: near the cap one may be refused that, with luck in what it
    overwrites, would have fitted. One command that Redis refuses at full memory keeps all of a transaction
    below the cap: an EXPIRE before it must not make it fail.
    """
    if not account.cap:  # nothing is refused then, and the bounds take time
        return False
    growth = sum(command.growth_bound(args, account.charges) for command, args in found)
    growth += _growth_once(found)
    if any(command.denies_oom for command, _ in found):
        return account.is_over or account.refusal(growth) is not None
    return account.refusal(growth, is_spared=True) is not None


def _growth_once(found: Sequence[tuple[Command, Sequence[bytes]]]) -> int:
    """What keys may add once, whatever is done to them by those commands."""
    growth = 0
    once: dict[bytes, int] = {}
    for command, args in found:
        if command.name == "SELECT":  # names that follow are those of other keys
            growth += sum(once.values())
            once = {}
        elif command.grows_once:
            for key in command.keys.among(args):
                once[key] = max(once.get(key, 0), command.grows_once)
    return growth + sum(once.values())


def at_once(steps: Steps[T]) -> T:
    """What comes of `steps`, without a pause."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
