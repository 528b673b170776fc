"""What a conversation is tested against: a wire that records, a node that answers when it is pumped."""

import msgspec

from tests.front.records import member_figures, node_figures, raft_record
from tests.machine.driving import whole
from trikv.client.commands import encode_command
from trikv.front.connections import Connections
from trikv.front.conversation import ROUTES, Conversation
from trikv.front.counters import Counters
from trikv.front.dispatch import Routes
from trikv.front.intake import ConversationLimits
from trikv.front.outflow import Outflow
from trikv.front.runtime_settings import RuntimeSettings
from trikv.front.seam import Operation, Work
from trikv.machine.batch import Batch, Hello, Item, Submission
from trikv.machine.machine import Machine
from trikv.machine.outcomes import Applied
from trikv.machine.replies import CommandError, Reply, SimpleString

CLUSTERDOWN = CommandError("CLUSTERDOWN no leader; nothing was done")


def resp(*args: str | bytes) -> bytes:
    """A RESP request."""
    return encode_command(args)


class FakeWire:
    """Records what a conversation does to its connection."""

    def __init__(self, number: int = 1) -> None:
        self.remote = f"127.0.0.1:{50_000 + number}"
        self.local = "127.0.0.1:8080"
        self.sent: list[bytes] = []
        self.stuck_bytes = 0
        self.paused = False
        self.is_closed = False

    def send(self, data: bytes) -> int:
        assert not self.is_closed, "sent after close"
        assert data
        self.sent.append(data)
        return self.stuck_bytes

    def unsent_bytes(self) -> int:
        return self.stuck_bytes

    def pause(self) -> None:
        assert not self.paused
        self.paused = True

    def resume(self) -> None:
        assert self.paused
        self.paused = False

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = True

    def take(self) -> bytes:
        """All that was sent since the last call."""
        data = b"".join(self.sent)
        self.sent.clear()
        return data


class FakeService:
    """A node of one: keeps what is asked of it until `pump`, then applies it to a real Machine."""

    def __init__(self, machine: Machine | None = None, /, **settings: object) -> None:
        self.settings = RuntimeSettings(timeout_s=0, typed_timeout_s=300, maxclients=100, requirepass="")
        for name, value in settings.items():
            setattr(self.settings, name, value)
        self.counters = Counters()
        self.raft_now = raft_record(leader=1)
        """What `figures` tell of Raft."""
        self.figures = node_figures(2, member_figures(lambda: self.raft_now))
        self.now_ms = 1_000_000
        self.works: list[Work] = []
        self.has_lease = False
        """Reads are answered by `submit` itself."""
        self.operations: list[Operation] = []
        self.outflows: list[Outflow] = []
        """Long answers that can go on."""
        self.machine = machine or Machine()
        self.machine.count_on(self.counters.tally)
        self.machine.apply_membership(1, [1])
        self._sequence = 0
        self._written: tuple[bytes, ...] = ()
        self._connections = 0
        self._apply(Hello(1, b"nonce"))

    def _apply(self, item: Item) -> list[object]:
        payload = msgspec.msgpack.encode(Batch(self.now_ms, 7, (item,)))
        return list(whole(self.machine.apply(self.machine.index + 1, payload, origin=1)))

    def evaluate(self, work: Work) -> list[Reply]:
        """What the cluster would answer."""
        if not work.writes:
            return self.machine.read(work.db, work.commands, self.now_ms, work.transactions)
        self._sequence += 1
        self._written = work.commands[0]
        item = Submission(1, 2, self._sequence, work.db, work.commands, work.transactions)
        (outcome,) = self._apply(item)
        assert isinstance(outcome, Applied)
        return outcome.replies

    def pump(self) -> int:
        """Answer everything that was asked, what the answers bring about included; how many works it was."""
        count = 0
        while self.works or self.operations or self.outflows:
            if self.outflows:
                self.pour_one()
            elif self.works:
                count += 1
                self.pump_one()
            else:
                operation = self.operations.pop(0)
                operation.answered(SimpleString(f"done {operation.name}"))
        return count

    def pump_one(self) -> None:
        """Answer the work that has waited longest."""
        work = self.works.pop(0)
        work.answered(self.evaluate(work))

    def pour(self, outflow: Outflow) -> None:
        self.outflows.append(outflow)

    def pour_one(self) -> None:
        """One part of the long answer that has waited longest."""
        outflow = self.outflows.pop(0)
        if outflow.pour():
            self.outflows.append(outflow)

    def submit(self, work: Work) -> list[Reply] | None:
        if self.has_lease and not work.writes and work.commands:
            return self.evaluate(work)
        self.works.append(work)
        return None

    def act(self, operation: Operation) -> None:
        self.operations.append(operation)

    def value_bytes(self, key: bytes) -> int:
        return self.machine.value_bytes(key)

    def write_token(self) -> object:
        return ("written", self._written)

    def boot_ms(self) -> int:
        return self.now_ms

    def boot_us(self) -> int:
        return self.now_ms * 1000

    def next_connection_id(self) -> int:
        self._connections += 1
        return self._connections


class Client:
    """One connection of a test: bytes in, bytes out."""

    def __init__(
        self,
        service: FakeService | None = None,
        connections: Connections | None = None,
        limits: ConversationLimits | None = None,
        routes: Routes = ROUTES,
    ) -> None:
        self.service = service or FakeService()
        self.connections = connections if connections is not None else Connections(self.service.settings)
        self.wire = FakeWire(len(self.connections) + 1)
        self.conversation = Conversation(
            self.wire, self.service, self.connections, routes, limits or ConversationLimits()
        )

    def receive(self, data: bytes) -> None:
        """Bytes arrive, unless the connection is closed or paused."""
        if not self.wire.is_closed:
            self.conversation.received(data)

    def say(self, data: bytes) -> bytes:
        """Bytes arrive and all they ask is answered; what was sent."""
        self.receive(data)
        self.service.pump()
        return self.wire.take()

    def ask(self, *args: str | bytes) -> bytes:
        """One RESP request and its reply."""
        return self.say(resp(*args))

    def type(self, line: str) -> str:
        """One typed line and what it shows."""
        return self.say(line.encode() + b"\r\n").decode()
