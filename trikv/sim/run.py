"""One run: chaos, then heal, then demand progress, then ask the checkers. A function of its plan.

A `Plan` holds all that decides a run, drawn from a seed or read from a line of ``tests/seeds/``. The same
plan gives the same trace, in any process. The outcome is a `Result`; nothing is raised for a node's failure.
"""

import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

import attrs
import msgspec
import structlog
import trio

from trikv.client.replies import ErrorReply
from trikv.machine.evaluation import Evaluator
from trikv.node.node import Node
from trikv.raft.types import DiskId
from trikv.sim.checkers import linearizability
from trikv.sim.checkers.counters import check_counters
from trikv.sim.checkers.durability import Durability
from trikv.sim.checkers.witness import Witness
from trikv.sim.cluster import Cluster
from trikv.sim.determinism import simulate
from trikv.sim.faults import Strike
from trikv.sim.history import Args, History, Key
from trikv.sim.host import SimHost
from trikv.sim.knobs import CLIENT_PORT, PROFILES, Knobs, draw_knobs
from trikv.sim.losses import Losses
from trikv.sim.marks import Marks
from trikv.sim.observe import Observer
from trikv.sim.overrides import Overrides
from trikv.sim.schedule import MAKERS, draw_schedule
from trikv.sim.strikes import Striker
from trikv.sim.themes import draw_theme
from trikv.sim.watch import Watch
from trikv.sim.workload.client import Client
from trikv.sim.workload.connection import Connection
from trikv.sim.workload.draw import COUNTERS, DATABASES, SUMS
from trikv.sim.world import SimWorld
from trikv.storage.errors import DISK_FULL

SECRET = b"the secret of a simulated cluster"
FOUNDING_S = 30.0
"""A new cluster must have a leader within this virtual time."""
PROGRESS_S = 30.0
"""Within this virtual time after the heal every node must serve, and all replicas must be equal; `PATIENCE`
times as long while a node is inside an entry."""
PATIENCE = 10
"""How many times `PROGRESS_S` is granted while a node is inside an entry, in which no time counts (PROTOCOL
61). One whose slices take 300 ms may have a minute of long commands before it, and the others wait for it."""
TICKS_PER_S = 2000
"""Timers, disks and arrivals within half a millisecond meet in one turn of the scheduler."""
AFTERMATH_S = 1.0
"""How long, in virtual seconds, the clients go on after the heal."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All that decides a run."""

    seed: int
    seconds: float = 20.0
    """Virtual seconds of chaos."""
    knobs: Knobs
    strikes: tuple[Strike, ...] = ()
    theme: str = ""
    """The name of the run's theme, for the reader: the other fields decide the run."""


class Result(msgspec.Struct, kw_only=True):
    """The outcome of a plan: whether it failed, how, and what was counted."""

    plan: Plan
    ok: bool
    failure: str = ""
    """The class of the first failure, one word; shrinking keeps it."""
    problem: str = ""
    also: list[str] = msgspec.field(default_factory=list)
    """Classes of further failures, as far as checkers ran after the first."""
    trace: str = ""
    """Hash of all events; equal for equal plans."""
    virtual_s: float = 0.0
    processor_s: float = 0.0
    """Processor time of the run: the one figure that is not a function of the plan."""
    counts: dict[str, int] = msgspec.field(default_factory=dict)
    marks: dict[str, int] = msgspec.field(default_factory=dict)
    commands: dict[str, int] = msgspec.field(default_factory=dict)
    """How often clients were answered, by command."""


def plan_of(
    seed: int,
    *,
    nodes: int = 3,
    seconds: float = 20.0,
    kinds: Sequence[str] = tuple(MAKERS),
    profiles: Sequence[str] = PROFILES,
) -> Plan:
    """Draw a plan. Theme, knobs and schedule have streams of their own: one does not change the others."""
    theme = draw_theme(random.Random(f"{seed}/theme"), tuple(MAKERS))  # noqa: S311 - a seed
    knobs = draw_knobs(random.Random(f"{seed}/knobs"), theme, nodes=nodes, profiles=profiles)  # noqa: S311 - the same
    strikes = draw_schedule(
        random.Random(f"{seed}/faults"),  # noqa: S311 - the same
        theme.without(kinds),
        nodes=nodes,
        chaos_ms=int(seconds * 1000),
    )
    if not kinds:  # a run without faults: clients do not end connections and nodes either
        knobs = msgspec.structs.replace(knobs, clients_end=False)
    return Plan(seed=seed, seconds=seconds, knobs=knobs, strikes=tuple(strikes), theme=theme.name)


def execute(plan: Plan) -> Result:
    """Run `plan` in virtual time. Equal plans give equal results, except for `processor_s`."""
    run = Run(plan)
    begun = time.process_time()
    streaming = Overrides().put(Evaluator, "WHOLE_MAX", plan.knobs.whole_max)
    with _logs_to(run.logged), streaming:
        simulate(plan.seed, run.main, ticks_per_s=TICKS_PER_S)
    result = run.result()
    result.processor_s = time.process_time() - begun
    return result


@contextmanager
def _logs_to(logged: Any) -> Iterator[None]:
    """Inside, events that nodes log go to `logged` and are not printed."""
    before = structlog.get_config()
    structlog.configure(processors=[logged], cache_logger_on_first_use=False)
    try:
        yield
    finally:
        structlog.configure(**before)


@attrs.define
class _Failure:
    kind: str
    problem: str


class Run:
    """The state of one run."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.marks = Marks()
        self.history = History()
        self.failure: _Failure | None = None
        self._failed = trio.Event()
        self._counts: dict[str, int] = {}
        self._trace = ""
        self._virtual_s = 0.0
        self._also: list[str] = []
        self._stuck = ""
        self._attempts: dict[int, Iterator[int]] = {}
        """The numbers of each node's probes after the heal: they go on when it is tried again."""
        self._losses: Losses | None = None

    def fail(self, kind: str, problem: str) -> None:
        """Note a failure of class `kind`. The first one counts, and ends the run."""
        if self.failure is None:
            self.failure = _Failure(kind, problem)
            self._failed.set()
        elif kind != self.failure.kind and kind not in self._also:
            self._also.append(kind)

    def result(self) -> Result:
        """The outcome; to be asked after `main` has returned."""
        failure = self.failure or _Failure("", "")
        return Result(
            plan=self.plan,
            ok=self.failure is None,
            failure=failure.kind,
            problem=failure.problem,
            also=self._also,
            trace=self._trace,
            virtual_s=self._virtual_s,
            counts=self._counts,
            marks=dict(sorted(self.marks.counts.items())),
            commands=dict(sorted(self.marks.commands.items())),
        )

    def logged(self, _logger: object, _method: str, event: dict[str, Any]) -> None:
        """Take an event that a node has logged, and mark the rare ones."""
        text = str(event.get("event", ""))
        if text.startswith("the last batch of the log was torn"):
            self.marks.sometimes("torn tail cut")
        elif text == "snapshot":
            self.marks.sometimes("snapshot taken")
        elif event.get("lack") == DISK_FULL:
            self.marks.sometimes("disk was full")
        raise structlog.DropEvent

    async def main(self) -> None:
        """The whole run, inside the virtual world."""
        world = SimWorld(self.plan.seed)
        async with trio.open_nursery() as nursery:
            cluster, observer = self._build(nursery, world)
            nursery.start_soon(self._end_when_failed, nursery.cancel_scope)
            await self._phases(cluster, observer)
            self._check(observer)
            for number in cluster.running():
                cluster.kill(number)
            nursery.cancel_scope.cancel()
        self._trace = world.trace_hash()
        self._virtual_s = trio.current_time()
        self._count(cluster, observer, world)

    async def _end_when_failed(self, scope: trio.CancelScope) -> None:
        await self._failed.wait()
        scope.cancel()

    def _build(self, nursery: trio.Nursery, world: SimWorld) -> tuple[Cluster, Observer]:
        knobs = self.plan.knobs
        world.fabric.defaults.latency_ms_max = knobs.latency_ms_max
        world.fabric.defaults.chunk_bytes_max = knobs.client_chunk_bytes_max
        for one in range(1, knobs.nodes + 1):
            for other in range(1, knobs.nodes + 1):
                world.fabric.link(f"node{one}", f"node{other}").chunk_bytes_max = knobs.chunk_bytes_max
        if (
            knobs.in_step_ms
        ):  # clients' links, which are made when they connect: requests of one moment arrive together
            world.fabric.defaults.latency_ms_max = min(knobs.latency_ms_max, 0.5)

        def make(number: int, host: SimHost) -> Node:
            ports = Watch(number, knobs, observer).ports()
            return Node(knobs.config(number), host, SECRET, ports=ports)

        def crashed(number: int, error: BaseException) -> None:
            self.fail("crash", f"node {number}: {_innermost(error)!r}")

        def stopped(number: int, dumped: bool) -> None:  # noqa: FBT001 - the type of a callback
            observer.acts.stopped(number, dumped=dumped)

        cluster = Cluster(nursery, world, knobs.nodes, make, crashed, stopped)
        durability = Durability(
            lambda: [cluster.machine(number).volume for number in cluster.ids],
            knobs.wal(),
            self.fail,
            is_rotten=lambda number: cluster.rotten.get(number, False),
            believed=lambda number: _believed(cluster, number),
            lost=self._lost,
        )
        observer = Observer(self.marks, self.fail, durability, cluster, knobs.wal(), self._has_lost)
        for number in cluster.ids:
            cluster.machine(number).disk_traits.sync_ms_max = knobs.sync_ms_max
        return cluster, observer

    def _lost(self, index: int, term: int) -> list[DiskId]:
        return [] if self._losses is None else self._losses.lost(index, term)

    def _has_lost(self, number: int) -> bool:
        return self._losses is not None and self._losses.has_lost(number)

    async def _phases(self, cluster: Cluster, observer: Observer) -> None:
        knobs = self.plan.knobs
        cluster.start()
        with trio.move_on_after(FOUNDING_S) as founding:
            await cluster.elected()
        if founding.cancelled_caught:
            return self.fail("liveness", f"no leader within {FOUNDING_S} s of the start")
        self._losses = Losses(cluster, knobs.wal(), self.marks, observer.excused)
        striker = Striker(cluster, self._losses, self.marks, aims_inside=knobs.aims_inside)
        async with trio.open_nursery() as clients:
            for number in range(knobs.clients):
                client = Client(number, cluster.world, knobs, self.history, self.marks, self.fail)
                clients.start_soon(client.live)
            with trio.move_on_after(self.plan.seconds):
                await striker.run(self.plan.strikes)
                await trio.sleep_forever()
            striker.heal()
            await trio.sleep(AFTERMATH_S)
            clients.cancel_scope.cancel()
        for waited in range(1, PATIENCE + 1):
            with trio.move_on_after(PROGRESS_S) as progress:
                await self._progress(cluster, observer)
            if not progress.cancelled_caught:
                return None
            if waited == PATIENCE or not _is_inside(cluster):
                passed_s = waited * PROGRESS_S
                self.fail("liveness", f"{self._stuck}, {passed_s} s after the heal: {_standing(cluster)}")
                break
        return None

    async def _progress(self, cluster: Cluster, observer: Observer) -> None:
        """Return when every node serves a write and a read, and all replicas are equal."""
        finals: dict[Key, int] = {}
        for number in cluster.ids:
            self._stuck = f"node {number} does not serve"
            finals = await self._served(cluster, number)
        if self.plan.knobs.profile != "whole":
            problem = check_counters(self.history.operations, finals)
            if problem is not None:
                self.fail("counters", problem)
        self._stuck = "the replicas are not equal"
        while True:
            parts = [cluster.parts(number) for number in cluster.ids]
            indexes = {p.applier.position.index for p in parts if p is not None}
            if None not in parts and len(indexes) == 1:
                break
            await trio.sleep(0.05)
        for number in cluster.ids:
            one = cluster.parts(number)
            if one is not None:
                observer.replicas.check(number, one.applier, always=True)
        observer.durability.look()
        if max(indexes) < observer.durability.highest_acked:
            self.fail(
                "lost", f"{observer.durability.highest_acked} was acknowledged; the log ends at {indexes}"
            )

    async def _served(self, cluster: Cluster, number: int) -> dict[Key, int]:
        """Ask node `number` for a write and for each number of each database until it answers."""
        names = [b"%s%d" % (letter.encode(), n) for letter, count in (COUNTERS, SUMS) for n in range(count)]
        full = self.plan.knobs.profile == "memory"  # then only commands that free memory are never refused
        for attempt in self._attempts.setdefault(number, count(1)):
            name = f"probe{number}.{attempt}"
            try:
                stream = await cluster.world.connect(f"node{number}:{CLIENT_PORT}", source=name)
                connection = Connection(stream, name, number)
                write: Args = (b"DEL", b"probe") if full else (b"SET", b"probe", name.encode())
                wire, asked = [write], [self.history.call(-1, name, 0, (write,))]
                for database in DATABASES:
                    wire += [(b"SELECT", b"%d" % database), *((b"GET", key) for key in names)]
                    for key in names:
                        args = (b"GET", key)
                        asked.append(self.history.call(-1, name, len(asked), (args,), database=database))
                await connection.send(wire)
                replies = [
                    reply
                    for args, reply in zip(wire, await connection.replies(len(wire)), strict=True)
                    if args[0] != b"SELECT"
                ]
                stream.shut()
                if not any(isinstance(reply, ErrorReply) for reply in replies):
                    for operation, reply in zip(asked, replies, strict=True):
                        self.history.answer(operation, reply)
                    return {(one.database, one.commands[0][1]): int(one.reply or 0) for one in asked[1:]}
            except OSError:
                pass
            await trio.sleep(0.1)
        raise AssertionError("it asks for ever")

    def _check(self, observer: Observer) -> None:
        """Ask the checkers that need the whole history."""
        witness = Witness(
            observer.log,
            observer.effects,
            self.history.operations,
            self.marks.sometimes,
            sightings=[*observer.replicas.sightings.values(), *observer.acts.sightings],
            scans=self.history.scans,
        )
        problem = witness.problem() if self.plan.knobs.profile != "memory" else None
        if problem is not None:
            self.fail("witness", problem)
        if self.plan.knobs.profile != "whole":
            verdict = linearizability.check(self.history.operations)
            self._counts["search steps"] = verdict.steps
            self._counts["out of budget"] = int(verdict.out_of_budget)
            if verdict.problem is not None:
                self.fail("linearizability", verdict.problem)

    def _count(self, cluster: Cluster, observer: Observer, world: SimWorld) -> None:
        operations = self.history.operations
        fates = Counter(
            "answered" if one.is_known else "refused" if one.failed else "ambiguous" for one in operations
        )
        self._counts |= {
            "operations": len(operations),
            **dict(sorted(fates.items())),
            "entries": len(observer.log),
            "events": world.events,
            "faults": len(self.plan.strikes),
            "platter samples": observer.durability.samples,
            "digests compared": observer.replicas.compared,
        }
        for _ in range(cluster.disk_exits):
            self.marks.sometimes("disk ended a node")


def _believed(cluster: Cluster, number: int) -> tuple[DiskId, int] | None:
    """A node's disk, and the index up to which it takes its log for durable; None while it does not run."""
    parts = cluster.parts(number)
    return (parts.identity.disk, parts.raft.durable_index) if parts is not None else None


def _is_inside(cluster: Cluster) -> bool:
    """Whether a node is inside an entry: it works, however long that takes."""
    return any(
        parts is not None and parts.applier.inside is not None for parts in map(cluster.parts, cluster.ids)
    )


def _standing(cluster: Cluster) -> str:
    """Term, role and indexes of each node, for the reader of a failure."""
    lines = []
    for number in cluster.ids:
        parts = cluster.parts(number)
        if parts is None:
            lines.append(
                f"node {number} {'has not joined' if cluster.machine(number).is_running else 'is down'}"
            )
            continue
        raft = parts.raft
        lines.append(
            f"node {number} {raft.role.name.lower()} of {raft.leader} in term {raft.term},"
            f" log {raft.first_index} to {raft.last_index}, durable {raft.durable_index},"
            f" committed {raft.commit}, applied {parts.applier.position.index},"
            f" waiting {parts.proposals.waiting()}+{len(parts.reads)},"
            f" voters {[m.id for m in raft.membership.members if m.voter]}"
        )
    return "; ".join(lines)


def _innermost(error: BaseException) -> BaseException:
    """The first exception in a tree of groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
