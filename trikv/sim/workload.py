"""Clients: they speak the real protocol to every node, and write down what they did and were told.

Each client draws from its own random stream. Keys come in families, so that every command has a type that
fits: registers ``r``, counters ``n``, growing texts ``a``, keys with deadlines ``t``. Commands on
several keys keep to a group of two registers and a counter: what is joined is searched as one. Values are
unique, so that a checker can tell whose write a read has seen.
"""

from collections.abc import Callable
from typing import Any

import hiredis
import trio

from trikv.protocol.resp import encode_command
from trikv.sim.history import Args, History, Operation
from trikv.sim.knobs import CLIENT_PORT, Knobs
from trikv.sim.marks import Marks
from trikv.sim.stream import SimStream
from trikv.sim.world import SimWorld

REGISTERS, COUNTERS, TEXTS, MORTALS = 6, 3, 3, 4
"""Keys of each family: few, so that clients meet; two registers go with each counter."""
RECONNECT_S = 0.05
PATIENCE_S = 2.0
"""Beyond the node's own deadline a client waits this long, then hangs up."""

WEIGHTS: dict[str, dict[str, int]] = {
    "mixed": {"get": 6, "set": 4, "incr": 4, "append": 2, "many": 2, "multi": 2, "watch": 2, "mortal": 3},
    "reads": {"get": 20, "set": 3, "incr": 2, "append": 1, "many": 4, "multi": 1, "watch": 1, "mortal": 2},
    "writes": {"get": 2, "set": 6, "incr": 8, "append": 4, "many": 2, "multi": 3, "watch": 1, "mortal": 3},
    "memory": {"get": 6, "set": 6, "incr": 3, "append": 3, "many": 4, "multi": 3, "watch": 1},
    "whole": {"get": 6, "set": 6, "incr": 3, "many": 3, "multi": 2, "mortal": 3, "all": 3},
}
"""How often each kind of request is chosen, by profile."""


class Connection:
    """A RESP connection whose steps are recorded."""

    def __init__(self, stream: SimStream, name: str) -> None:
        self.stream = stream
        self.name = name
        self.steps = 0
        self._reader = hiredis.Reader()

    async def send(self, operations: list[Operation]) -> None:
        """Send steps, in one piece."""
        await self.stream.send_all(b"".join(map(_wire, operations)))

    async def replies(self, count: int) -> list[Any]:
        """The next `count` replies. EOFError at the end."""
        found: list[Any] = []
        while len(found) < count:
            reply = self._reader.gets()
            if reply is not False:
                found.append(reply)
                continue
            data = await self.stream.receive_some(65536)
            if not data:
                raise EOFError
            self._reader.feed(bytes(data))
        return found


class Client:
    """One client: connects, asks, waits, thinks, and comes back wherever it was thrown out."""

    def __init__(self, number: int, world: SimWorld, knobs: Knobs, history: History, marks: Marks) -> None:
        self.number = number
        self._world = world
        self._knobs = knobs
        self._history = history
        self._marks = marks
        self._source = world.stream_of(f"client {number}")
        self._connection: Connection | None = None
        self._connections = 0
        self._values = 0
        self._kinds: dict[str, Callable[[], list[list[Args]]]] = {
            "get": self._get,
            "set": self._set,
            "incr": lambda: [[(b"INCR", self._key("n", COUNTERS))]],
            "append": lambda: [[(b"APPEND", self._key("a", TEXTS), self._value() + b",")]],
            "many": self._many,
            "multi": self._multi,
            "mortal": self._mortal,
            "all": lambda: [[self._source.choice(((b"FLUSHALL",), (b"DBSIZE",), (b"KEYS", b"*")))]],
        }

    async def live(self) -> None:
        """Work until cancelled."""
        weights = WEIGHTS[self._knobs.profile]
        while True:
            await self._think()
            try:
                connection = await self._connected()
                with trio.fail_after(self._knobs.command_deadline_ms / 1000 + PATIENCE_S):
                    (kind,) = self._source.choices(list(weights), list(weights.values()))
                    if kind == "watch":
                        await self._swap(connection)
                    else:
                        await self._ask(connection, kind)
            except (OSError, EOFError, trio.BrokenResourceError, trio.TooSlowError):
                await self._hang_up()
                await trio.sleep(RECONNECT_S)

    async def _think(self) -> None:
        pause_s = self._source.expovariate(1000 / self._knobs.think_ms)
        if step_s := self._knobs.in_step_ms / 1000:
            at = trio.current_time() + pause_s
            pause_s += -at % step_s
        await trio.sleep(pause_s)

    async def _connected(self) -> Connection:
        if self._connection is None:
            node = self._source.randint(1, self._knobs.nodes)
            self._connections += 1
            name = f"client{self.number}.{self._connections}"
            stream = await self._world.connect(f"node{node}:{CLIENT_PORT}", source=name)
            self._connection = Connection(stream, name)
        return self._connection

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.stream.shut()

    # Asking.

    async def _ask(self, connection: Connection, kind: str) -> None:
        steps = self._kinds[kind]()
        while self._source.random() < 0.25 and len(steps) < 8:  # a pipeline
            (more,) = self._source.choices(("get", "set", "incr"), (2, 1, 1))
            steps += self._kinds[more]()
        operations = [self._call(connection, step) for step in steps]
        await self._exchange(connection, operations)
        if self._source.random() < self._knobs.hop_percent / 100:
            await self._hang_up()

    def _call(
        self, connection: Connection, step: list[Args], expected: tuple[tuple[bytes, bytes | None], ...] = ()
    ) -> Operation:
        is_transaction = step[0] == (b"MULTI",)
        commands = tuple(step[1:] if is_transaction else step)
        operation = self._history.call(
            self.number,
            connection.name,
            connection.steps,
            commands,
            is_transaction=is_transaction,
            expected=expected,
        )
        connection.steps += 1
        return operation

    async def _exchange(self, connection: Connection, operations: list[Operation]) -> None:
        """Send the steps in one piece, and write down each answer as it comes."""
        await connection.send(operations)
        if self._source.random() < 0.01:
            raise EOFError  # a client that goes away with everything in flight
        for operation in operations:
            count = len(operation.commands) + 2 if operation.is_transaction else 1
            self._answer(operation, (await connection.replies(count))[-1])

    def _answer(self, operation: Operation, reply: Any) -> None:
        if not isinstance(reply, hiredis.ReplyError):
            self._history.answer(operation, reply)
            if reply is None and operation.is_transaction:
                self._marks.sometimes("transaction aborted by a watch")
            return
        text = str(reply)
        if text.startswith(("OOM", "EXECABORT Transaction discarded because of: OOM")):
            self._marks.sometimes("refused for want of memory")
            self._history.refuse(operation)
        elif text.startswith("CLUSTERDOWN"):
            self._marks.sometimes("command refused as not executed")
            self._history.refuse(operation)
        elif text.startswith("INDETERMINATE"):
            lost = "reply lost to an install" if "reply is lost" in text else "write of unknown fate"
            self._marks.sometimes(lost)
        else:
            self._history.answer(operation, reply)

    async def _swap(self, connection: Connection) -> None:
        """Read a register under WATCH, then write it in a transaction."""
        key, _, counter = self._group()
        watch = self._call(connection, [(b"WATCH", key)])
        read = self._call(connection, [(b"GET", key)])
        await self._exchange(connection, [watch, read])
        if not (watch.is_known and read.is_known):
            return await self._hang_up()  # the connection watches something unknown
        if self._source.random() < 0.3:
            await trio.sleep(self._source.uniform(0, 0.2))
        step: list[Args] = [(b"MULTI",), (b"SET", key, self._value()), (b"INCR", counter)]
        swap = self._call(connection, step, expected=((key, read.reply),))
        await self._exchange(connection, [swap])
        return None

    # What to ask.

    def _key(self, family: str, count: int) -> bytes:
        return b"%s%d" % (family.encode(), self._source.randrange(count))

    def _group(self) -> tuple[bytes, bytes, bytes]:
        """Two registers and a counter that belong together, the registers in any order."""
        group, swapped = self._source.randrange(COUNTERS), self._source.randrange(2)
        return b"r%d" % (2 * group + swapped), b"r%d" % (2 * group + 1 - swapped), b"n%d" % group

    def _value(self) -> bytes:
        self._values += 1
        return b"%d.%d" % (self.number, self._values)

    def _get(self) -> list[list[Args]]:
        family, count = self._source.choice(
            (("r", REGISTERS), ("r", REGISTERS), ("n", COUNTERS), ("n", COUNTERS), ("a", TEXTS))
        )
        return [[(b"GET", self._key(family, count))]]

    def _set(self) -> list[list[Args]]:
        key, value, draw = self._key("r", REGISTERS), self._value(), self._source.random()
        if draw < 0.1:
            return [[(b"DEL", key)]]
        if draw < 0.2:
            return [[(b"GETSET", key, value)]]
        if draw < 0.3:
            return [[(b"SET", key, value, b"NX")]]
        return [[(b"SET", key, value)]]

    def _many(self) -> list[list[Args]]:
        keys = self._group()[:2]
        if self._source.random() < 0.5:
            return [[(b"MGET", *keys)]]
        return [[(b"MSET", keys[0], self._value(), keys[1], self._value())]]

    def _multi(self) -> list[list[Args]]:
        one, other, counter = self._group()
        inner: list[Args] = [(b"INCR", counter), (b"GET", one)]
        if self._source.random() < 0.5:
            inner.append((b"SET", other, self._value()))
        return [[(b"MULTI",), *inner]]

    def _mortal(self) -> list[list[Args]]:
        key = self._key("t", MORTALS)
        milliseconds = b"%d" % self._source.choice((1, 50, 300, 2000))
        return [
            [
                self._source.choice(
                    (
                        (b"SET", key, self._value(), b"PX", milliseconds),
                        (b"GET", key),
                        (b"PEXPIRE", key, milliseconds),
                        (b"PTTL", key),
                        (b"PERSIST", key),
                    )
                )
            ]
        ]


def _wire(operation: Operation) -> bytes:
    commands = list(operation.commands)
    if operation.is_transaction:
        commands = [(b"MULTI",), *commands, (b"EXEC",)]
    return b"".join(encode_command(list(command)) for command in commands)
