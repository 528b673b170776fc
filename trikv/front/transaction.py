"""MULTI, EXEC and WATCH as one connection keeps them until EXEC turns them into one step of the machine.

Commands are checked when they are queued, so that what EXEC sends can only fail for reasons of data. Local
commands may be queued too: the machine never sees them, their replies are woven in at their place.
"""

from typing import Final

import attrs

from trikv.front import inputs
from trikv.front.slots import AFTER_BYTES, Args, Local, Step
from trikv.machine.batch import Watch
from trikv.machine.replies import CommandError
from trikv.protocol.events import REQUEST_BYTES

CHECK_ONLY: Final[Args] = (b"DBSIZE",)
"""Asked of the machine by an EXEC that only has watches to check; nobody is shown the answer."""
WATCHED_KEYS_MAX = 4096
WATCHED_BYTES_MAX = 1 << 20
"""Watches travel in the entry; a client that watches more wants a lock, not a transaction."""
_WATCH_BYTES = 192
"""What a watch takes in memory besides its key's bytes: two objects, and its share of a dict that grew."""

ABORTED = CommandError("EXECABORT Transaction discarded because of previous errors.")
EXEC_WITHOUT_MULTI = CommandError("ERR EXEC without MULTI")
DISCARD_WITHOUT_MULTI = CommandError("ERR DISCARD without MULTI")
NESTED_MULTI = CommandError("ERR MULTI calls can not be nested")
WATCH_INSIDE_MULTI = CommandError("ERR WATCH inside MULTI is not allowed")
WATCHED_TOO_MUCH = CommandError(
    f"ERR too many watched keys (at most {WATCHED_KEYS_MAX} and {WATCHED_BYTES_MAX} bytes); UNWATCH first"
)
TOO_MUCH_LOCAL = CommandError("ERR too many commands about this node inside a transaction")
TOO_MUCH_COPIED = CommandError(
    "ERR too many APPEND or SETRANGE of long values inside a transaction: each copies the whole value"
)
NOT_INSIDE = CommandError("ERR Command not allowed inside a transaction")


@attrs.frozen
class Taken:
    """What EXEC takes of a connection's transaction."""

    commands: tuple[Args, ...]
    """For the machine; none if nothing was queued for it and nothing is watched."""
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
        "open",
        "spoiled",
        "watched",
        "watched_bytes",
        "watched_count",
        "writes",
    )

    def __init__(self) -> None:
        self.watched: dict[int, dict[bytes, int]] = {}
        """Versions by database and key. (By pairs took twice the memory, and Python kept it.)"""
        self.watched_count = 0
        self.watched_bytes = 0
        """Of the keys."""
        self.aborted: CommandError | None = None
        """Why the next EXEC is refused whatever it would carry out: `give_up`."""
        self.forget_queue()

    def forget_queue(self) -> None:
        """Back to outside of MULTI; watches stay."""
        self.open = False
        self.spoiled = False
        self.decides = False
        """Something queued decides, or shows, how the connection stands: what is behind EXEC waits for it."""
        self.writes = False
        self.commands: list[Args] = []
        self.inner: list[Step | Local] = []
        self.argument_bytes = 0
        self.arguments = 0
        """Of all queued commands, with one more for each."""
        self.after_count = 0
        """Queued commands whose reply becomes another one."""
        self.cost_us = 0

    def reset(self) -> None:
        """No transaction, no watches: DISCARD, RESET and the end of EXEC."""
        self.forget_queue()
        self.unwatch()

    def unwatch(self) -> None:
        """No watches."""
        self.watched.clear()
        self.watched_count = self.watched_bytes = 0
        if not self.open:
            self.aborted = None

    def give_up(self) -> None:
        """Free what the queue and the watches take. EXEC will refuse: it must not happen without them."""
        was_open = self.open
        self.reset()
        self.open = was_open
        self.aborted = inputs.ABORTED

    @property
    def memory_bytes(self) -> int:
        """What the queue and the watches take in memory."""
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
            return  # as in Redis: it answers QUEUED, and what can only be refused need not be kept
        self.inner.append(slot)
        self.argument_bytes += argument_bytes
        self.arguments += len(args) + 1
        if isinstance(slot, Step):
            self.commands.append(args)
            self.writes = self.writes or writes
            self.after_count += slot.after is not None

    def take(self) -> Taken:
        """EXEC: all that was queued, to be carried out as one step. Nothing of it stays here."""
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
