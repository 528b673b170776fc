"""The real node, assembled from parts that are watched; no product code knows of it.

A `Watch` belongs to one life of one node. Each part that it watches is a subclass of the real one. A few of
its methods also tell the observer what went in or came out, and change nothing.
"""

from collections import deque
from collections.abc import Callable, Sequence
from itertools import count

import trio

from trikv.front.conversation import Conversation
from trikv.front.seam import Operation, Work
from trikv.machine.outcomes import Applied, LifeOpened, Outcome, Skipped
from trikv.machine.replies import Reply, streams_of
from trikv.node.assembly import Assembly, Ports
from trikv.node.consensus.driver import Driver
from trikv.node.consensus.parts import Parts
from trikv.node.consensus.read_exchange import ReadExchange
from trikv.node.consensus.read_questions import ReadQuestions
from trikv.node.consensus.router import Router
from trikv.node.drain import Phase
from trikv.node.events import Event, PeerSaid
from trikv.node.peers.links import Links
from trikv.node.service import NodeService
from trikv.node.state.applier import Applier, Inside, Swap, is_read
from trikv.protocol.messages import PeerMessage
from trikv.raft.messages import AppendAck, AppendEntries, Message, RequestVote, VoteAck
from trikv.raft.roles import Role
from trikv.raft.types import DiskId, Entry, NodeId, ReadId
from trikv.sim.checkers.rules import Before
from trikv.sim.history import Effect
from trikv.sim.knobs import Knobs
from trikv.sim.marks import Marks
from trikv.sim.observe import Observer


class Watch:
    """The observations of one life of a node, as it becomes a member and serves."""

    def __init__(self, number: int, knobs: Knobs, observer: Observer) -> None:
        self.number = number
        self.observer = observer
        self._knobs = knobs
        self._parts: Parts | None = None
        self._current: tuple[int, int, int] | None = None
        """The proposal that is being answered: origin, incarnation, sequence."""
        self._steps_answered = 0
        """Steps of that proposal answered so far; it may hold the commands of several connections."""

    def ports(self) -> Ports:
        """The watched classes, for the assembly of this life."""
        return Ports(
            settings=self._knobs.settings,
            service=watched_service(self),
            links=watched_links(self),
            reads=watched_reads(self),
            applier=watched_applier(self, self._knobs),
            driver=watched_driver(self),
            router=watched_router(self),
            read_exchange=watched_read_exchange(self),
            assembled=self._assembled,
        )

    def _assembled(self, assembly: Assembly) -> None:
        self._parts = assembly.parts
        self.observer.born(self.number, assembly.parts)

    @property
    def parts(self) -> Parts:
        """The member's parts. Every caller runs only after the assembly."""
        assert self._parts is not None
        return self._parts

    def settles(self, outcome: Outcome) -> None:
        """From now until `settled`, every answer belongs to `outcome`."""
        match outcome:
            case Applied(incarnation=incarnation, sequence=sequence):
                self._current, self._steps_answered = (self.number, incarnation, sequence), 0
            case Skipped():
                self.observer.skipped(outcome)
            case LifeOpened():
                pass

    def between_slices(self, *, has_reads: bool) -> None:
        """The node is inside an entry. `has_reads`: some wait for its end."""
        marks = self.observer.marks
        marks.sometimes("between two slices of an entry")
        if has_reads:
            marks.sometimes("read waited for the end of an entry")
        if self.parts.drain.phase is not Phase.SERVING:
            marks.sometimes("node stopped inside an entry")

    def settled(self) -> None:
        """No more answers belong to that outcome."""
        self._current = None

    def submitted(self, work: Work, connection: str) -> Callable[[list[Reply]], None]:
        """Observe `work`; returns the callback that notes, at the answer, where its steps took effect."""
        steps, answered = _steps_of(work), work.answered
        first = self.observer.submitted(connection, sum(steps))

        def note(replies: list[Reply]) -> None:
            self._note(work, connection, first, steps, replies)

        def observed_answered(replies: list[Reply]) -> None:
            note(replies)
            answered(replies)

        work.answered = observed_answered
        return note

    def _note(
        self, work: Work, connection: str, ordinal: int, steps: Sequence[bool], replies: list[Reply]
    ) -> None:
        parts, observer = self.parts, self.observer
        position = parts.applier.position
        if work.writes:
            observer.durability.acked(self.number, position, parts.raft)
            observer.acts.wrote(connection, position)
        elif parts.raft.role is not Role.LEADER and steps:
            observer.marks.sometimes("read served by a follower")
        identity = self._current if work.writes else None
        inside = self._steps_answered if work.writes else 0
        if len(replies) < len(steps):
            # The first answers are long. The node asks for the others when the client has taken these.
            assert not work.writes, "only a reader gets fewer"
            observer.withdrawn(connection, sum(steps[len(replies) :]))
            observer.marks.sometimes("rest of a turn asked for later")
        for step, (reply, counts) in enumerate(zip(replies, steps, strict=False)):
            if counts:
                effect = Effect(position.index, identity, inside + step, reply)
                observer.effects[connection, ordinal] = effect
                ordinal += 1
        if work.writes:  # a read may be answered while the commands of a proposal are
            self._steps_answered = inside + len(replies)


def watched_service(watch: Watch) -> type[NodeService]:
    """The node's service: observes what conversations submit and ask for."""

    class Watched(NodeService):
        def submit(self, work: Work) -> list[Reply] | None:
            conversation = getattr(work.answered, "__self__", None)
            if not isinstance(conversation, Conversation):
                return super().submit(work)
            note = watch.submitted(work, _name_of(conversation))
            replies = super().submit(work)
            if replies is not None:
                watch.observer.marks.sometimes("read answered at once by a lease")
                note(replies)
            return replies

        def act(self, operation: Operation) -> None:
            conversation = getattr(operation.answered, "__self__", None)
            if isinstance(conversation, Conversation):
                watch.observer.acts.asked(watch.number, _name_of(conversation), operation)
            super().act(operation)

    return Watched


def watched_links(watch: Watch) -> type[Links]:
    """The links: observes the promises that a node makes to its peers."""

    class Watched(Links):
        def send(self, peer: NodeId, message: PeerMessage) -> bool:
            if isinstance(message, RequestVote | VoteAck | AppendAck):
                raft = watch.parts.raft
                watch.observer.promises.made(watch.number, raft, message)
                watch.observer.rules.sent(watch.number, message, raft)
            return super().send(peer, message)

    return Watched


def watched_reads(watch: Watch) -> type[ReadQuestions]:
    """The reads: observes every question of a read round."""

    class Watched(ReadQuestions):
        def ask(self, now_ms: int) -> ReadId:
            read = super().ask(now_ms)
            watch.observer.rules.asked(read)
            return read

    return Watched


PAUSE_ITEMS = 16
"""Of so many submissions one has a slice of its own on nodes whose slices take time: so much for each of them
would be a machine on which no cluster can live."""


def watched_applier(watch: Watch, knobs: Knobs) -> type[Applier]:
    """The applier: observes every entry, and the state after it. The knobs say what its slices are like."""
    slice_ms = knobs.inside_slice_ms[watch.number - 1] if knobs.inside_slice_ms else 0

    pause_items = PAUSE_ITEMS if slice_ms else 1

    class Watched(Applier):
        SLICE_MS = knobs.slice_ms

        def carry_out(self) -> None:
            super().carry_out()
            if self._is_behind:
                watch.observer.marks.sometimes("left to the applier's task")

        def _read_some(self, works: deque[Work], at_ms: int) -> list[list[Reply]]:
            done = super()._read_some(works, at_ms)
            for replies in done:
                if streams_of(replies):
                    watch.observer.marks.sometimes("long read streamed")
            return done

        def _apply_one(self, entry: Entry, is_over: Callable[[], bool]) -> None:
            watch.observer.applied(entry)
            super()._apply_one(entry, _sometimes(is_over, entry, pause_items, watch.observer.marks))
            if self.inside is None:
                watch.observer.replicas.check(watch.number, self)

        async def _pause(self) -> None:
            if self.inside is not None and slice_ms:
                await trio.sleep(slice_ms / 1000)  # the clock stood still while it worked
            if self.inside is not None:
                watch.between_slices(has_reads=bool(self._held) or any(map(is_read, self._orders)))
            await super()._pause()

        def install(self, order: Swap) -> None:
            if self.inside is not None:
                watch.observer.marks.sometimes("install overtook an entry")
            super().install(order)

        def _go_on(self, inside: Inside, stop_ms: int) -> bool:
            is_done = super()._go_on(inside, stop_ms)
            if self.inside is None and self._boot_ms() - inside.began_ms > knobs.command_deadline_ms:
                watch.observer.marks.sometimes("inside an entry longer than a client waits")
            return is_done

        def _leave(self) -> None:
            watch.observer.replicas.check(watch.number, self)
            super()._leave()

        def _settle(self, outcome: Outcome) -> None:
            watch.settles(outcome)
            super()._settle(outcome)
            watch.settled()

        def _swap(self, order: Swap) -> None:
            watch.observer.marks.sometimes("snapshot installed")
            super()._swap(order)
            watch.observer.replicas.check(watch.number, self, always=True)

    return Watched


def watched_driver(watch: Watch) -> type[Driver]:
    """The driver: observes every turn, and what it has changed."""

    class Watched(Driver):
        def turn(self, batch: list[Event], *, settled: bool) -> bool:
            if watch.parts.snapshotter.is_receiving and any(map(_appends, batch)):
                watch.observer.marks.sometimes("install raced by an append")
            has_job = super().turn(batch, settled=settled)
            watch.observer.turned(watch.number, watch.parts)
            return has_job

    return Watched


def watched_router(watch: Watch) -> type[Router]:
    """The router: observes the Raft messages of peers, and their effects."""

    class Watched(Router):
        def hear(self, peer: NodeId, disk: DiskId, message: PeerMessage, now_ms: int) -> None:
            if not isinstance(message, Message):
                return super().hear(peer, disk, message, now_ms)
            raft = watch.parts.raft
            before = Before.of(raft, message)
            super().hear(peer, disk, message, now_ms)
            return watch.observer.rules.heard(watch.number, disk, message, before, raft)

    return Watched


def watched_read_exchange(watch: Watch) -> type[ReadExchange]:
    """The read rounds: observes which reads are released."""

    class Watched(ReadExchange):
        def serve(self, reads: tuple[ReadId, ...], index: int, log_time_ms: int, now_ms: int) -> None:
            for read in reads:
                watch.observer.rules.allowed(watch.number, read, index)
            super().serve(reads, index, log_time_ms, now_ms)

    return Watched


def _name_of(conversation: Conversation) -> str:
    """The name that the client has given its connection."""
    return conversation.connection.remote.rpartition(":")[0]


def _steps_of(work: Work) -> list[bool]:
    """For each step of the machine, whether clients count it. A SELECT travels only in some pipelines."""
    starts = {transaction.start: transaction.count for transaction in work.transactions}
    steps, position = [], 0
    while position < len(work.commands):
        steps.append(position in starts or work.commands[position][0] != b"SELECT")
        position += starts.get(position, 1)
    return steps


def _sometimes(is_over: Callable[[], bool], entry: Entry, items: int, marks: Marks) -> Callable[[], bool]:
    """`is_over`, but only behind one in so many submissions."""
    asked = count(entry.index)

    def is_over_there() -> bool:
        if next(asked) % items or not is_over():
            return False
        marks.sometimes("stopped between two submissions of an entry")
        return True

    return is_over_there


def _appends(event: Event) -> bool:
    return isinstance(event, PeerSaid) and isinstance(event.message, AppendEntries)
