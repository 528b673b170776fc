"""The state of MULTI and WATCH at one connection, until EXEC turns it into one step of the machine.

Commands are checked when they are queued, so that what EXEC sends can only fail because of the data. Local
commands may be queued too: the machine never sees them, and their replies are inserted in their places.
"""

from typing import Final

import attrs

from trikv.front import inputs
from trikv.front.slots import AFTER_BYTES, Args, Local, Step
from trikv.machine.batch import Watch
from trikv.machine.replies import CommandError
from trikv.protocol.events import REQUEST_BYTES

CHECK_ONLY: Final[Args] = (b"DBSIZE",)
"""The machine's command for an EXEC that only has watches to check; its answer is not shown."""
WATCHED_KEYS_MAX = 4096
WATCHED_BYTES_MAX = 1 << 20
"""Limited because watches travel in the entry; a client that watches more needs a lock, not a transaction."""
_WATCH_BYTES = 192
"""The memory of a watch besides its key's bytes: two objects, and its share of a dict that grew."""

ABORTED = CommandError("EXECABORT Transaction discarded because of previous errors.")
EXEC_WITHOUT_MULTI = CommandError("ERR EXEC without MULTI")
DISCARD_WITHOUT_MULTI = CommandError("ERR DISCARD without MULTI")
NESTED_MULTI = CommandError("ERR MULTI calls can not be nested")
WATCH_INSIDE_MULTI = CommandError("ERR WATCH inside MULTI is not allowed")
WATCHED_TOO_MUCH = CommandError(
    f"ERR too many watched keys (at most {WATCHED_KEYS_MAX} and {WATCHED_BYTES_MAX} bytes); UNWATCH first"
)
NOT_INSIDE = CommandError("ERR Command not allowed inside a transaction")
"""In Redis' words; `trikv.front.commands.hints` tells a person more."""


def too_much_time(name: str) -> CommandError:
    """Refuses the command `name` (``CLIENT|LIST``), which is to be evaluated in one step with all others."""
    shown = name.replace("|", " ")
    return CommandError(
        f"ERR {shown} and what is queued before it would take too long in one transaction: DISCARD, then "
        f"send {shown} outside of MULTI, or in a transaction with less"
    )


@attrs.frozen
class Taken:
    """A connection's transaction as EXEC takes it."""

    commands: tuple[Args, ...]
    """Commands for the machine; empty if none was queued for it and no key is watched."""
    inner: tuple[Step | Local, ...]
    """A slot for each queued command."""
    watches: tuple[Watch, ...]
    writes: bool


class Transactions:
    """The transaction state of one connection."""

    __slots__ = (
        "aborted",
        "after_count",
        "argument_bytes",
        "arguments",
        "commands",
        "cost_us",
        "decides",
        "inner",
        "made_bytes",
        "open",
        "spoiled",
        "watched",
        "watched_bytes",
        "watched_count",
        "writes",
    )

    def __init__(self) -> None:
        self.watched: dict[int, dict[bytes, int]] = {}
        """Versions by database and key. Pairs as keys took twice the memory, which Python then kept."""
        self.watched_count = 0
        self.watched_bytes = 0
        """The length of all watched keys."""
        self.aborted: CommandError | None = None
        """Why the next EXEC is refused, whatever was queued: see `give_up`."""
        self.forget_queue()

    def forget_queue(self) -> None:
        """Leave MULTI; watches stay."""
        self.open = False
        self.spoiled = False
        self.decides = False
        """Whether a queued command changes or shows the connection's state: requests after EXEC then wait."""
        self.writes = False
        self.commands: list[Args] = []
        self.inner: list[Step | Local] = []
        self.argument_bytes = 0
        self.arguments = 0
        """The number of arguments of all queued commands, and one more for each command."""
        self.after_count = 0
        """Queued commands whose reply an `After` changes."""
        self.cost_us = 0
        self.made_bytes = 0
        """By how much they may make a value longer, besides their arguments: `Route.made_bytes`."""

    def reset(self) -> None:
        """Leave MULTI and drop all watches: for DISCARD, RESET and the end of EXEC."""
        self.forget_queue()
        self.unwatch()

    def unwatch(self) -> None:
        """Drop all watches."""
        self.watched.clear()
        self.watched_count = self.watched_bytes = 0
        if not self.open:
            self.aborted = None

    def give_up(self) -> None:
        """Free the queue and the watches. EXEC will be refused: it must not take place without them."""
        was_open = self.open
        self.reset()
        self.open = was_open
        self.aborted = inputs.ABORTED

    @property
    def memory_bytes(self) -> int:
        """The memory of the queue and the watches."""
        slots_bytes = REQUEST_BYTES * 2 * len(self.inner) + AFTER_BYTES * self.after_count
        queue_bytes = self.argument_bytes + slots_bytes
        return queue_bytes + self.watched_bytes + _WATCH_BYTES * self.watched_count

    def queued_count(self) -> int:
        """For CLIENT LIST: -1 outside of MULTI."""
        return len(self.inner) if self.open else -1

    def spoil(self) -> None:
        """A command could not be queued: EXEC will refuse."""
        if self.open:
            self.spoiled = True

    def queue(self, args: Args, slot: Step | Local, argument_bytes: int, *, writes: bool) -> None:
        """Keep one checked command for EXEC."""
        assert self.open
        if self.spoiled:
            return  # as in Redis it answers QUEUED; a transaction that EXEC will refuse need not be kept
        self.inner.append(slot)
        self.argument_bytes += argument_bytes
        self.arguments += len(args) + 1
        if isinstance(slot, Step):
            self.commands.append(args)
            self.writes = self.writes or writes
            self.after_count += slot.after is not None

    def take(self) -> Taken:
        """For EXEC: all that was queued, to be carried out as one step. The state here is reset."""
        watches = tuple(
            Watch(database, key, version)
            for database, versions in self.watched.items()
            for key, version in versions.items()
        )
        commands = tuple(self.commands)
        if watches and not commands:
            commands = (CHECK_ONLY,)
        taken = Taken(commands, tuple(self.inner), watches, self.writes)
        self.reset()
        return taken

    def may_watch(self, keys: Args) -> bool:
        """Whether the limits leave room for `keys`."""
        keys_bytes = self.watched_bytes + sum(map(len, keys))
        return self.watched_count + len(keys) <= WATCHED_KEYS_MAX and keys_bytes <= WATCHED_BYTES_MAX

    def watch(self, database: int, keys: Args, versions: list[int]) -> None:
        """Note what WATCH saw. A key watched before keeps its first version, as in Redis."""
        watched = self.watched.setdefault(database, {})
        for key, version in zip(keys, versions, strict=True):
            if key not in watched:
                watched[key] = version
                self.watched_count += 1
                self.watched_bytes += len(key)
