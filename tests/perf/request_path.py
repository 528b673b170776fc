"""What this node's own Python costs a command, without kernel, Raft or disk.

``python -m tests.perf.request_path`` prints microseconds of processor time a command: the least of many
rounds, because whatever else the machine does can only add to them. ``--profile STAGE`` shows the calls
instead (``--pipeline`` those of pipelines too); ``--rounds N`` for more rounds.

The real pieces in one process: a `HubWire` over a socket that hands out prepared requests, `Conversation`,
`Intake`, the machine's `apply` and `read`, and the reply's way back to ``socket.send``. Between the two ends
works are encoded into one entry as the leader does it; that is not counted, it has an owner elsewhere.
"""

import cProfile
import gc
import pstats
import random
import sys
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any, cast

import attrs
import msgspec

from trikv.client.commands import encode_command
from trikv.front.connections import Connections
from trikv.front.conversation import Conversation
from trikv.front.counters import Counters
from trikv.front.runtime_settings import RuntimeSettings
from trikv.front.seam import Service, Work
from trikv.host.cork import Cork
from trikv.host.hub_wire import HubWire
from trikv.host.seam import Traffic
from trikv.machine.batch import Batch, Hello, Submission
from trikv.machine.machine import Machine
from trikv.machine.outcomes import Applied, Outcome, Whole
from trikv.protocol.requests import ClientWire

ORIGIN = 1
NOW_MS = 1_700_000_000_000
KEYS = 100_000
VALUE = b"v" * 64


class CannedSocket:
    """Hands out prepared requests, forgets what is sent."""

    def __init__(self, requests: Iterator[bytes]) -> None:
        self._requests = requests
        self.last_sent = b""

    def fileno(self) -> int:
        return 0

    def recv(self, _bytes_max: int) -> bytes:
        return next(self._requests)

    def send(self, data: bytes) -> int:
        self.last_sent = data
        return len(data)


class Hub:
    """Lets every reply leave at once, as the applier's do."""

    cork = Cork()
    traffic = Traffic()


class Desk:
    """The node's side of the conversations: keeps their works."""

    def __init__(self) -> None:
        self.settings = RuntimeSettings(timeout_s=0, typed_timeout_s=300, maxclients=1000, requirepass="")
        self.works: list[Work] = []
        self.submit = self.works.append
        self.counters = Counters()
        self._numbers = iter(range(1, 1_000_000))
        self.next_connection_id = self._numbers.__next__

    def boot_ms(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000

    def write_token(self) -> object:
        return 7


@attrs.define
class Load:
    """Clients with so many commands in flight each."""

    command: str
    clients: int
    pipeline: int

    def requests(self, chance: random.Random) -> Iterator[bytes]:
        """Without end: what one `recv` brings."""
        return cycle([b"".join(self._one(chance) for _ in range(self.pipeline)) for _ in range(997)])

    def _one(self, chance: random.Random) -> bytes:
        key = b"key:%012d" % chance.randrange(KEYS)
        return encode_command([b"SET", key, VALUE] if self.command == "SET" else [b"GET", key])


class Bench:
    """A node's request path with its clients."""

    def __init__(self, load: Load) -> None:
        chance = random.Random(1)
        self.load = load
        self.desk = Desk()
        self.machine = _founded()
        self.follower = _founded()
        self.sequence = 1
        connections = Connections(self.desk.settings)
        requests = load.requests(chance)
        self.socket = CannedSocket(requests)
        self.requests = requests
        self.wires: list[HubWire] = []
        self.client_wires = [ClientWire() for _ in range(load.clients)]
        for number in range(load.clients):
            wire = HubWire(cast("Any", Hub), cast("Any", self.socket), f"127.0.0.1:{number}", "127.0.0.1:1")
            wire.conversation = Conversation(wire, cast("Service", self.desk), connections)
            self.wires.append(wire)

    def parse(self) -> None:
        """The protocol alone (part of `read`)."""
        for wire in self.client_wires:
            wire.receive(next(self.requests))
            while not wire.drained:
                if not wire.run()[0]:
                    wire.next_event()

    def read(self) -> None:
        """From `recv` to the node's mailbox."""
        for wire in self.wires:
            wire.read()

    def payload(self, works: list[Work]) -> bytes:
        """One entry of all works."""
        items = []
        for work in works:
            items.append(Submission(ORIGIN, 2, self.sequence, 0, work.commands, work.transactions))
            self.sequence += 1
        return msgspec.msgpack.encode(Batch(NOW_MS, 0, tuple(items)))

    @staticmethod
    def answer(works: list[Work], outcomes: list[Outcome]) -> None:
        """From outcomes to `send`."""
        for work, outcome in zip(works, outcomes, strict=True):
            work.answered(cast("Applied", outcome).replies)

    def round(self, timed: Callable[..., Any]) -> None:
        """Every client has its requests answered once; `timed(name, stage, *arguments)` calls each stage."""
        timed("parse", self.parse)
        timed("read", self.read)
        works = self.desk.works[:]
        self.desk.works.clear()
        assert len(works) == self.load.clients
        if self.load.command == "GET":
            timed("evaluate and answer", self.serve, works)
            return
        payload = self.payload(works)
        index = self.machine.index + 1
        outcomes = timed("apply", self.apply, index, payload)
        timed("apply, not the origin", self.follow, index, payload)
        timed("answer", self.answer, works, outcomes)

    def apply(self, index: int, payload: bytes) -> list[Outcome]:
        """The entry at the clients' node."""
        came = self.machine.apply(index, payload, origin=ORIGIN)
        assert isinstance(came, Whole), "no command of the loads is resumable"
        return came.outcomes

    def follow(self, index: int, payload: bytes) -> None:
        """The same entry at another node."""
        self.follower.apply(index, payload, origin=2)

    def serve(self, works: list[Work]) -> None:
        """Confirmed reads."""
        machine = self.machine
        for work in works:
            work.answered(machine.read(work.db, work.commands, NOW_MS, work.transactions))


def _founded() -> Machine:
    """A machine with a life of the origin and all keys."""
    machine = Machine()
    machine.apply_membership(1, [1, 2, 3])
    machine.apply(2, msgspec.msgpack.encode(Batch(NOW_MS, 0, (Hello(ORIGIN, b"life"),))))
    for number in range(KEYS):
        machine.space.databases[0].store(b"key:%012d" % number, VALUE)
    return machine


def measure(load: Load, rounds: int) -> dict[str, float]:
    """Microseconds a command, by stage."""
    bench = Bench(load)
    least: dict[str, float] = {}

    def timed(name: str, stage: Callable[..., Any], *arguments: Any) -> Any:
        began = time.process_time_ns()
        result = stage(*arguments)
        took = (time.process_time_ns() - began) / 1000 / (load.clients * load.pipeline)
        least[name] = min(least.get(name, took), took)
        return result

    for _ in range(rounds):
        bench.round(timed)
    return least


def profile(load: Load, rounds: int, wanted: str) -> None:
    """Print what one stage calls."""
    bench = Bench(load)
    profiler = cProfile.Profile()

    def timed(name: str, stage: Callable[..., Any], *arguments: Any) -> Any:
        return profiler.runcall(stage, *arguments) if name == wanted else stage(*arguments)

    for _ in range(rounds):
        bench.round(timed)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(30)


LOADS = (Load("SET", 50, 1), Load("SET", 50, 16), Load("GET", 50, 1), Load("GET", 50, 16))


def say(line: str) -> None:
    """A line of the report."""
    sys.stdout.write(f"{line}\n")


def main(arguments: list[str]) -> None:
    """Print the table."""
    gc.disable()  # as in a node
    rounds = int(arguments[arguments.index("--rounds") + 1]) if "--rounds" in arguments else 400
    if "--profile" in arguments:
        for load in LOADS[:: 1 if "--pipeline" in arguments else 2]:
            profile(load, rounds, arguments[arguments.index("--profile") + 1])
        return
    say(f"empty list comprehension of 100: {_yardstick():.2f} us")
    for load in LOADS:
        stages = measure(load, rounds // load.pipeline if load.pipeline > 1 else rounds)
        whole = sum(took for name, took in stages.items() if name not in ("parse", "apply, not the origin"))
        say(f"{load.command} c={load.clients} P={load.pipeline}: {whole:.2f} us a command")
        for name, took in stages.items():
            say(f"    {name:24} {took:6.2f}")


def _yardstick() -> float:
    """How fast this machine is just now."""
    least = float("inf")
    for _ in range(200):
        began = time.process_time_ns()
        for _ in range(100):
            [None for _ in range(100)]
        least = min(least, (time.process_time_ns() - began) / 1000 / 100)
    return least


if __name__ == "__main__":
    main(sys.argv[1:])
