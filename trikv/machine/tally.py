"""The counts of commands at this node: how often, how long, how they failed, which keys they found.

These are counts, not state: they are in no digest and no snapshot, and replicas differ in them. A command
counts at the node of its client. A node has one tally all its life: the machine of a snapshot goes on with
it. All definitions are those of Redis' INFO.
"""

from collections import defaultdict
from typing import Final

import attrs

from trikv.machine.errors import EXEC_OOM, OOM
from trikv.machine.replies import CommandError, Reply

ERROR_KINDS_MAX: Final = 128
"""The limit of kinds of errors that are counted apart, as in Redis."""
OTHER_ERRORS: Final = "ERRORSTATS_OVERFLOW"
"""The kind under which all further ones count."""
_REJECTIONS: Final = frozenset({"CLUSTERDOWN", "NOAUTH"})
"""Errors by which a command is refused before it is carried out, besides those that a caller knows."""


@attrs.define
class CommandTally:
    """The counts of one command name."""

    calls: int = 0
    """Calls that were carried out, with any outcome."""
    usec: float = 0.0
    """Processor time at this node, without waiting for a majority or a client."""
    rejected: int = 0
    """Calls refused before: wrong arity, no password, no memory, no majority."""
    failed: int = 0
    """Calls carried out and answered with an error."""

    @property
    def usec_per_call(self) -> float:
        """The mean; 0 before the first call."""
        return self.usec / self.calls if self.calls else 0.0


class Tally:
    """The counts of all commands of one node."""

    __slots__ = (
        "_commands",
        "errors",
        "errors_total",
        "expired_fields",
        "expired_keys",
        "expiry_stops",
        "freed_keys",
        "hits",
        "misses",
        "ran",
    )

    def __init__(self) -> None:
        self.ran: defaultdict[str, int] = defaultdict(int)
        """Commands carried out since the last `spent`, by name: a busy loop counts nothing else."""
        self.errors: dict[str, int] = {}
        """Error replies by their first word."""
        self._commands: dict[str, CommandTally] = {}
        self.reset()

    def reset(self) -> None:
        """CONFIG RESETSTAT: begin at 0 again."""
        self.ran.clear()
        self.errors.clear()
        self._commands.clear()
        self.errors_total = 0
        self.hits = 0
        """Keys that reading commands looked up and found."""
        self.misses = 0
        """Keys that reading commands looked up and did not find."""
        self.expired_keys = 0
        """Keys removed because their deadline had come."""
        self.expired_fields = 0
        """Fields of hashes removed because theirs had come."""
        self.expiry_stops = 0
        """Entries that left due keys or fields to the next one, having reaped as many as one entry may."""
        self.freed_keys = 0
        """Keys whose memory was freed some time after FLUSHALL had removed them."""

    def spent(self, usec: float, others: int = 0) -> None:
        """Commands in `ran` took `usec`, together with `others` that ran in between and count elsewhere."""
        ran = self.ran
        if not ran:
            return
        total = others
        for count in ran.values():
            total += count
        each = usec / total
        for name, count in ran.items():
            command = self._of(name)
            command.calls += count
            command.usec += each * count
        ran.clear()

    def found(self, name: str, count: int, misses: int) -> None:
        """`count` commands of that name were carried out, each on one key; `misses` of them found none."""
        self.ran[name] += count
        self.misses += misses
        self.hits += count - misses

    def failed(self, name: str, error: CommandError) -> None:
        """A command was answered with an error, whether it was carried out or not."""
        self.note_error(error)
        if error is OOM or error is EXEC_OOM or error.text.partition(" ")[0] in _REJECTIONS:
            self._of(name).rejected += 1
        else:
            self.ran[name] += 1
            self._of(name).failed += 1

    def rejected(self, name: str | None, error: CommandError) -> CommandError:
        """A command (None: an unknown one) was refused before it was carried out. Returns `error`."""
        self.note_error(error)
        if name is not None:
            self._of(name).rejected += 1
        return error

    def answered(self, name: str, reply: Reply, usec: float = 0.0) -> None:
        """A command that the machine does not know was carried out, in `usec`."""
        if type(reply) is CommandError:
            self.failed(name, reply)
        else:
            self.ran[name] += 1
        self.spent(usec)

    def take_back(self, name: str) -> None:
        """Uncount a command that no client had asked for, unless CONFIG RESETSTAT has come since."""
        self.spent(0.0)
        command = self._of(name)
        command.calls = max(0, command.calls - 1)

    def note_error(self, error: CommandError) -> None:
        """Count an error reply by its first word."""
        self.errors_total += 1
        kind = error.text.partition(" ")[0]
        if kind not in self.errors and len(self.errors) >= ERROR_KINDS_MAX:
            kind = OTHER_ERRORS
        self.errors[kind] = self.errors.get(kind, 0) + 1

    @property
    def commands_total(self) -> int:
        """Commands carried out, including those that `commands` does not show yet."""
        return sum(command.calls for command in self._commands.values()) + sum(self.ran.values())

    def commands(self) -> dict[str, CommandTally]:
        """The counts of all commands that were called or refused, in the order of names."""
        self.spent(0.0)
        found = {name: self._commands[name] for name in sorted(self._commands)}
        return {name: one for name, one in found.items() if one.calls or one.rejected}

    def _of(self, name: str) -> CommandTally:
        found = self._commands.get(name)
        if found is None:
            found = self._commands[name] = CommandTally()
        return found
