"""One client: it connects, asks, waits, thinks, and connects again if it was thrown out."""

from collections.abc import Callable
from functools import cache
from typing import Any

import attrs
import trio

from trikv.client.replies import ErrorReply
from trikv.sim.checkers.meanings import meaning_of
from trikv.sim.history import Args, History, Key, Operation
from trikv.sim.knobs import CLIENT_PORT, Knobs
from trikv.sim.marks import Marks
from trikv.sim.workload.connection import Connection
from trikv.sim.workload.draw import Draw
from trikv.sim.workload.of_large import scan_of
from trikv.sim.workload.of_node import select
from trikv.sim.workload.profiles import BEHIND, SESSIONS, WEIGHTS, requests_of
from trikv.sim.workload.requests import Belief, Form, Request, Step, Told
from trikv.sim.world import SimWorld

RECONNECT_S = 0.05
PATIENCE_S = 2.0
"""Seconds that a client waits beyond the node's own deadline before it hangs up."""
PIPELINE_MAX = 8
PAGES_MAX = 80
"""Most pages of one scan: a database has dozens of keys, a page one or more."""
UNKNOWN = ("CLUSTERDOWN", "INDETERMINATE")
"""Errors that may answer any command."""

Fail = Callable[[str, str], None]


@attrs.define
class Asked:
    """A step that was sent, and how its answer is to be judged."""

    step: Step
    belief: Belief
    """The client's belief about the connection when the step was sent."""
    called_s: float
    operation: Operation | None
    """For the history; None for a step that a node answers by itself."""


class Client:
    """A client with a random stream of its own, which works through one node after another."""

    def __init__(
        self, number: int, world: SimWorld, knobs: Knobs, history: History, marks: Marks, fail: Fail
    ) -> None:
        self.number = number
        self._world = world
        self._knobs = knobs
        self._history = history
        self._marks = marks
        self._fail = fail
        self._source = world.stream_of(f"client {number}")
        self._draw = Draw(self._source, number)
        self._connection: Connection | None = None
        self._connections = 0
        kinds = WEIGHTS[knobs.profile]
        self._kinds = [kind for kind in kinds if knobs.clients_end or kind != "end"]
        self._weights = [kinds[kind] for kind in self._kinds]

    async def live(self) -> None:
        """Connect and ask, again and again, until cancelled."""
        while True:
            await self._think()
            try:
                connection = await self._connected()
                with trio.fail_after(self._knobs.command_deadline_ms / 1000 + PATIENCE_S):
                    await self._ask_something(connection)
            except (OSError, EOFError, trio.TooSlowError):
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
            self._connection = Connection(stream, name, node)
        return self._connection

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.stream.shut()

    # Asking.

    async def _ask_something(self, connection: Connection) -> None:
        (kind,) = self._source.choices(self._kinds, self._weights)
        if self._draw.chance(SESSIONS.get(kind, 0)):
            await (self._swap if kind == "watch" else self._scan)(connection)
            return
        steps = self._steps_of(kind)
        while len(steps) < PIPELINE_MAX and not steps[-1].is_last and self._draw.chance(0.25):
            (more,) = self._source.choices(list(BEHIND), list(BEHIND.values()))
            steps += self._steps_of(more)
        await self._exchange(connection, [self._call(connection, step) for step in steps])
        if steps[-1].ends:
            await self._see_the_end(connection)
        elif self._draw.chance(self._knobs.hop_percent / 100):
            await self._hang_up()

    def _steps_of(self, kind: str) -> list[Step]:
        (one,) = self._source.choices(*_requests_of(kind))
        return one.make(self._draw)

    def _call(
        self, connection: Connection, step: Step, expected: tuple[tuple[Key, bytes | None], ...] = ()
    ) -> Asked:
        """Note in the history that `step` is about to be sent."""
        belief = attrs.evolve(connection.belief)
        if step.then is not None:
            step.then(connection.belief)
        operation = None
        if step.form is not Form.LOCAL:
            operation = self._history.call(
                self.number,
                connection.name,
                connection.steps,
                step.commands,
                is_transaction=step.form is Form.TRANSACTION,
                expected=expected,
                database=belief.database,
                watched=belief.watched if step.form is Form.TRANSACTION else (),
            )
            connection.steps += 1
            self._believe(connection.belief, step)
        return Asked(step, belief, trio.current_time(), operation)

    @staticmethod
    def _believe(belief: Belief, step: Step) -> None:
        """Change `belief` by what a step for the machine does to the connection."""
        if step.form is Form.TRANSACTION:
            belief.forget_watches()
        elif step.commands[0][0] == b"WATCH":
            belief.watched += tuple((belief.database, key) for key in step.commands[0][1:])

    async def _exchange(self, connection: Connection, asked: list[Asked]) -> None:
        """Send the steps in one piece, and write down each answer as it comes."""
        await connection.send([command for one in asked for command in one.step.wire()])
        if self._draw.chance(0.01):
            raise EOFError  # this client leaves while everything is in flight
        for one in asked:
            self._answered(
                connection, one, await connection.replies(len(one.step.wire()) - one.step.unanswered)
            )

    async def _see_the_end(self, connection: Connection) -> None:
        """Check that the node closes the connection after its answer, without another word."""
        self._connection = None
        try:
            surplus = await connection.replies(1)
            self._fail("reply", f"{connection.name} was told {surplus} after the end")
        finally:
            connection.stream.shut()

    # What was answered.

    def _answered(self, connection: Connection, asked: Asked, replies: list[Any]) -> None:
        reply = replies[-1]
        text = str(reply) if isinstance(reply, ErrorReply) else ""
        if asked.operation is not None:
            self._note(asked, asked.operation, reply, text)
            if not text:  # WAIT does not wait for a write that was refused
                writes = any(meaning_of(args).writes for args in asked.step.commands)
                connection.belief.has_written |= writes
            self._follow(connection, asked, text)
            if reply is None and asked.step.form is Form.TRANSACTION and not asked.belief.watched:
                self._fail(
                    "reply", f"{connection.name}: {asked.step.commands} did nothing, nothing was watched"
                )
            return
        if text.startswith(UNKNOWN):
            if asked.step.then is not None:
                raise EOFError  # nobody knows whether it holds, and the next commands depend on it
            return
        self._marks.answered(asked.step.wire())
        told = Told(
            asked.step.commands,
            replies,
            asked.belief,
            connection.belief,
            trio.current_time() - asked.called_s,
            self._knobs.nodes,
        )
        assert asked.step.judge is not None
        if not _is_right(asked.step.judge, told):
            self._fail(
                "reply", f"{connection.name} of node {asked.belief.node}: {told.commands} got {replies}"
            )

    def _note(self, asked: Asked, operation: Operation, reply: Any, text: str) -> None:
        """Write an answer into the history: as a result, as a refusal, or as nothing known."""
        if text.startswith(("OOM", "EXECABORT Transaction discarded because of: OOM")):
            self._marks.sometimes("refused for want of memory")
            self._history.refuse(operation)
        elif text.startswith("CLUSTERDOWN"):
            self._marks.sometimes("command refused as not executed")
            self._history.refuse(operation)
            if asked.step.may_be_refused:
                raise EOFError  # it may not even have been submitted: the next one's number is not known
        elif text.startswith("INDETERMINATE"):
            lost = "reply lost to an install" if "reply is lost" in text else "write of unknown fate"
            self._marks.sometimes(lost)
        else:
            self._marks.answered(asked.step.wire())
            self._history.answer(operation, reply)
            if reply is None and operation.is_transaction:
                self._marks.sometimes("transaction aborted by a watch")

    def _follow(self, connection: Connection, asked: Asked, text: str) -> None:
        """Believe in a SELECT inside a transaction, if that was carried out."""
        operation = asked.operation
        if operation is None or not operation.is_transaction:
            return
        last = [database for database, _ in operation.placed()][-1]
        if last != asked.belief.database:
            if text.startswith("INDETERMINATE"):
                raise EOFError
            if operation.is_known and operation.reply is not None:
                connection.belief.database = last

    # What takes several round trips.

    async def _swap(self, connection: Connection) -> None:
        """Read a register under WATCH, then write it in a transaction; or another of another database."""
        draw = self._draw
        key, _, counter = draw.group()
        database = connection.belief.database
        watch = self._call(connection, Step(((b"WATCH", key),), Form.COMMAND))
        read = self._call(connection, Step(((b"GET", key),), Form.COMMAND))
        await self._exchange(connection, [watch, read])
        assert watch.operation is not None
        assert read.operation is not None
        if not (watch.operation.is_known and read.operation.is_known):
            return await self._hang_up()  # nobody knows what the connection watches now
        if draw.chance(0.3):
            await trio.sleep(self._source.uniform(0, 0.2))
        steps = [self._call(connection, select(draw.database()))] if draw.chance(0.1) else []
        inner: tuple[Args, ...] = ((b"SET", key, draw.value()), (b"INCR", counter))
        expected = (((database, key), read.operation.reply),)
        swap = self._call(connection, Step(inner, Form.TRANSACTION), expected)
        await self._exchange(connection, [*steps, swap])
        return None

    async def _scan(self, connection: Connection) -> None:
        """All keys of the database, or all elements of a key, a page at a time, while others write."""
        cursor, pages = b"0", list[Operation]()
        what, count = scan_of(self._draw)
        while len(pages) < PAGES_MAX:
            page = self._call(connection, Step(((*what, cursor, b"COUNT", count),), Form.COMMAND))
            await self._exchange(connection, [page])
            operation = page.operation
            if operation is None or not operation.is_known or isinstance(operation.reply, ErrorReply):
                return  # the witness judges a wrong answer
            pages.append(operation)
            cursor = operation.reply[0]
            if cursor == b"0":
                self._history.scans.append(pages)
                return
            if self._draw.chance(0.2):
                await trio.sleep(self._source.uniform(0, 0.1))


@cache
def _requests_of(kind: str) -> tuple[list[Request], list[float]]:
    return requests_of(kind)


def _is_right(judge: Callable[[Told], bool], told: Told) -> bool:
    """Whether `judge` accepts the answers. A judge may raise over an answer of another form: not accepted."""
    try:
        return judge(told)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return False
