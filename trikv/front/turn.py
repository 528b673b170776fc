"""One turn of a conversation: its commands for the machine, and a slot for every reply.

Each request adds one slot (`trikv.front.slots`), and `Turn.replies` fills the slots when the machine has
answered its steps.
"""

from collections.abc import Iterator
from typing import Final, assert_never

import msgspec

from trikv.front.caller import Caller
from trikv.front.inputs import REFUSED
from trikv.front.seam import Asked
from trikv.front.slots import AFTER_BYTES, PLAIN_STEP, Args, Comment, Exec, Known, Local, Raw, Slot, Step
from trikv.front.transaction import CHECK_ONLY, Taken
from trikv.machine.batch import Transaction
from trikv.machine.replies import CommandError, Reply
from trikv.machine.table import CommandTable
from trikv.protocol.events import ARGUMENT_BYTES, REQUEST_BYTES, memory_of

_NULL_ARRAY: Final = b"*-1\r\n"
"""RESP2 has two nulls; a refused EXEC is the one place where Redis uses this one."""


SELECT: Final = b"SELECT"
"""The name of a SELECT that travels between the commands of two databases."""


class Turn(msgspec.Struct):
    """The commands that travel together, and the slots of their replies."""

    database: int
    commands: list[Args] = []
    transactions: list[Transaction] = []
    slots: list[Slot] = []
    """One for each request, in order; kept only if `mixed`."""
    operation: tuple[str, Asked] | None = None
    """A command's name and what it asks this node to carry out; such a turn holds nothing else."""
    cost_us: int = 0
    """About how long the turn will keep this node busy."""
    made_bytes: int = 0
    """By how much its commands may make a value longer, besides their arguments: `Route.made_bytes`."""
    writes: bool = False
    reads: bool = False
    """Whether some command only reads; not maintained once the turn is `mixed`."""
    received_bytes: int = 0
    """An upper bound of the bytes received for it; not maintained once it is `mixed`."""
    arguments: int = 0
    """The number of all arguments; not maintained once it is `mixed`."""
    mixed: bool = False
    """Whether some slot is not `PLAIN_STEP`; as long as all are, one call encodes them."""
    counted: int = 0
    """How many commands `counted_bytes` includes."""
    counted_bytes: int = 0

    def __len__(self) -> int:
        """Requests taken so far."""
        return len(self.slots) if self.mixed else len(self.commands)

    @property
    def steps(self) -> int:
        """How many replies the machine will give."""
        return len(self.commands) + sum(1 - transaction.count for transaction in self.transactions)

    @property
    def join_bytes(self) -> int:
        """For `Work.join_bytes`."""
        return 0 if self.mixed or self.reads else self.received_bytes

    def argument_bytes(self) -> int:
        """The length of all arguments, counted on demand: a turn of one received chunk never needs it."""
        for args in self.commands[self.counted :]:
            self.counted_bytes += sum(map(len, args))
        self.counted = len(self.commands)
        return self.counted_bytes

    def memory_bytes(self) -> int:
        """An upper bound of the memory that its requests take."""
        if not self.mixed:
            heads_bytes = REQUEST_BYTES * len(self.commands) + ARGUMENT_BYTES * self.arguments
            return self.received_bytes + heads_bytes
        held = self.argument_bytes() + memory_of(self.commands) + REQUEST_BYTES * len(self.slots)
        for slot in self.slots:
            for inner in slot.inner if isinstance(slot, Exec) else (slot,):
                if isinstance(inner, Local):
                    held += memory_of((inner.args,)) + sum(map(len, inner.args))
                elif isinstance(inner, Step) and inner.after is not None:
                    held += AFTER_BYTES
        return held

    def add(self, slot: Slot) -> None:
        """Add the slot of a request whose reply is not a plain step of the machine."""
        if not self.mixed:
            self.mixed = True
            self.slots = [PLAIN_STEP] * len(self.commands)
        self.slots.append(slot)

    def add_command(self, args: Args, slot: Step, *, writes: bool) -> None:
        """Add a command for the machine."""
        self.add(slot)
        self.commands.append(args)
        self.writes = self.writes or writes

    def add_transaction(self, taken: Taken, *, name: str, typed: bool) -> None:
        """Add an EXEC: what was queued is one step, if anything in it is for the machine."""
        self.add(Exec(name, taken.inner, bool(taken.commands), typed))
        if taken.commands:
            self.transactions.append(Transaction(len(self.commands), len(taken.commands), taken.watches))
            self.commands.extend(taken.commands)
            self.writes = self.writes or taken.writes

    @property
    def is_single(self) -> bool:
        """Whether this is one of the constants for a plain command that travels alone."""
        return self is SINGLE_READ or self is SINGLE_WRITE

    def step_names(self, table: CommandTable) -> list[str]:
        """The command of each reply that the machine would give, except EXEC, which counts itself."""
        names: list[str] = []
        position = 0
        for transaction in [*self.transactions, None]:
            end = len(self.commands) if transaction is None else transaction.start
            names += map(table.name_of, self.commands[position:end])
            if transaction is not None:
                position = transaction.start + transaction.count
        return names

    def cut(self, answered: int) -> "Turn | None":
        """Keep only what the first `answered` steps belong to, and return the rest; None if all are answered.

        Reads that show much are answered a part at a time (`Machine.read`).
        """
        if answered == self.steps:
            return None
        at = commands = 0
        transactions = iter(self.transactions)
        if self.mixed:
            while True:  # there is a step more than those answered, and the rest begins with it
                slot = self.slots[at]
                if isinstance(slot, Step | Exec) and (isinstance(slot, Step) or slot.travels):
                    if not answered:
                        break
                    answered -= 1
                    commands += 1 if isinstance(slot, Step) else next(transactions).count
                at += 1
        else:
            commands = answered
        rest = msgspec.structs.replace(
            self,
            database=self._database_behind(commands),
            commands=self.commands[commands:],
            slots=self.slots[at:],
            transactions=[msgspec.structs.replace(one, start=one.start - commands) for one in transactions],
            counted=0,
            counted_bytes=0,
        )
        self.transactions = self.transactions[: len(self.transactions) - len(rest.transactions)]
        self.commands, self.slots = self.commands[:commands], self.slots[:at]
        return rest

    def _database_behind(self, commands: int) -> int:
        """That of the command behind so many. Behind a transaction with a SELECT a turn has none."""
        chosen = [int(args[1]) for args in self.commands[:commands] if args[0] == SELECT]
        return chosen[-1] if chosen else self.database

    def refusal(self, error: CommandError) -> list[Reply]:
        """The replies to use if the machine gives none: `error` for each."""
        return [error] * self.steps

    def replies(
        self, caller: Caller, answered: Iterator[Reply]
    ) -> Iterator[tuple[Reply, bool, Args] | bytes]:
        """The replies in request order as (reply, typed, args), or bytes to send unchanged.

        `answered` has one for each step. None is held here while it is sent.
        """
        for slot in self.slots:
            match slot:
                case Step():
                    yield _looked_after(slot, next(answered)), slot.typed, slot.args
                case Known():
                    yield slot.reply, slot.typed, slot.args
                case Local():
                    yield _evaluate(slot, caller), slot.typed, slot.args
                case Raw():
                    yield slot.data
                case Comment():
                    if caller.connection.is_typed():
                        yield slot.data
                case Exec():
                    yield _of_exec(slot, caller, next(answered) if slot.travels else [])
                case _:
                    assert_never(slot)


SINGLE_READ: Final = Turn(0, [()])
"""The turn of any plain command that travels alone. It is shared, so never changed; it needs no slots."""
SINGLE_WRITE: Final = Turn(0, [()], writes=True)


def _looked_after(slot: Step, reply: Reply) -> Reply:
    return reply if slot.after is None else slot.after(reply)


def _of_exec(slot: Exec, caller: Caller, outcome: Reply) -> tuple[Reply, bool, Args] | bytes:
    _count_exec(slot, caller, outcome)
    if outcome is None and not slot.typed and caller.connection.resp_version == 2:
        return _NULL_ARRAY
    return _woven(slot.inner, caller, outcome), slot.typed, ()


def _count_exec(slot: Exec, caller: Caller, outcome: Reply) -> None:
    tally = caller.service.counters.tally
    if outcome is REFUSED:
        tally.rejected(slot.name, REFUSED)
        return
    tally.answered(slot.name, outcome)
    if slot.travels and isinstance(outcome, list) and not any(isinstance(one, Step) for one in slot.inner):
        tally.take_back(CHECK_ONLY[0].decode())


def _evaluate(slot: Local, caller: Caller) -> Reply:
    service = caller.service
    began_us = service.boot_us()
    command = slot.command
    reply: Reply = slot.handler(caller, *slot.args[command.words :])
    service.counters.tally.answered(command.name, reply, service.boot_us() - began_us)
    return reply


def _woven(inner: tuple[Step | Local, ...], caller: Caller, outcome: Reply) -> Reply:
    """The list that EXEC answers; if the transaction was refused, only that outcome (null, or an error).

    The machine may have been given one command more than was queued: an EXEC that only checks its watches
    still has to reach the log, so it carries a read whose reply is left out here.
    """
    if not isinstance(outcome, list):
        return outcome
    machine = iter(outcome)
    woven: list[Reply] = []
    for slot in inner:
        if isinstance(slot, Local):
            woven.append(_evaluate(slot, caller))
        else:
            woven.append(_looked_after(slot, next(machine)))
    return woven
