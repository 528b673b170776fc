"""Watching real nodes from inside: where each command took effect, and what must hold after every step.

An `ObservedNode` is the node that ships, with a few of its methods wrapped from outside, object by object;
no line of product code knows of it. What it sees goes to one `Observer` for the whole cluster, which keeps
the applied log and, for each step a client sent, the place in that log where it took effect. The checkers
work on that afterwards; the invariants that need no history are checked on the spot.
"""

from collections.abc import Callable
from typing import Any

from trikv.config import NodeConfig
from trikv.front.conversation import Conversation
from trikv.front.seam import Operation, Work
from trikv.machine.outcomes import Applied, LifeOpened, Outcome, Reason, Skipped
from trikv.machine.replies import Reply
from trikv.node.consensus.driver import Driver, Parts
from trikv.node.events import Event, PeerSaid
from trikv.node.node import Node
from trikv.node.peers.links import Identity, Links
from trikv.node.state.applier import Applier, Swap
from trikv.node.state.opening import OpenedLog
from trikv.protocol.messages import PeerMessage
from trikv.raft.core import Raft
from trikv.raft.invariants import GroupInvariants
from trikv.raft.messages import AppendAck, AppendEntries, Message, RequestVote, VoteAck
from trikv.raft.roles import Role
from trikv.raft.types import DiskId, Entry, EntryKind, NodeId, ReadId
from trikv.sim.acts import Acts
from trikv.sim.checkers.durability import Durability
from trikv.sim.checkers.promises import Promises
from trikv.sim.checkers.replicas import Bounds, Replicas
from trikv.sim.checkers.rules import Before, Rules
from trikv.sim.cluster import Cluster
from trikv.sim.history import Effect
from trikv.sim.host import SimHost
from trikv.sim.knobs import Knobs
from trikv.sim.marks import Marks
from trikv.storage.wal import WalSettings

Fail = Callable[[str, str], None]
"""Takes the class of a failure (one word) and what is wrong. The first one counts."""


class Observer:
    """What is known of the whole cluster."""

    def __init__(
        self,
        marks: Marks,
        fail: Fail,
        durability: Durability,
        cluster: Cluster,
        settings: WalSettings,
        has_lost: Callable[[int], bool],
    ) -> None:
        self.marks = marks
        self.fail = fail
        self.group = GroupInvariants()
        self.log: dict[int, Entry] = {}
        """Every entry that any node has applied."""
        self.effects: dict[tuple[str, int], Effect] = {}
        """By connection and ordinal of the step."""
        self.replicas = Replicas(fail)
        self.bounds = Bounds(fail)
        self.durability = durability
        self.acts = Acts(cluster, marks, fail, durability, self.replicas, settings, has_lost)
        self.promises = Promises(fail)
        self.rules = Rules(fail)
        self._cluster = cluster
        self._steps: dict[str, int] = {}
        self._seen: dict[int, tuple[Role, int, int, int, int]] = {}

    def applied(self, entry: Entry) -> None:
        """A node has applied `entry`: all nodes apply the same at an index."""
        known = self.log.setdefault(entry.index, entry)
        if known != entry:
            self.fail("divergence", f"two nodes applied different entries at {entry.index}")
        if known is entry and entry.kind is EntryKind.MEMBERSHIP:
            self.marks.sometimes("membership changed")

    def submitted(self, connection: str, steps: int) -> int:
        """A connection hands over so many steps; the ordinal of the first."""
        first = self._steps.get(connection, 0)
        self._steps[connection] = first + steps
        return first

    def turned(self, number: int, parts: Parts) -> None:
        """A driver's turn is over."""
        raft = parts.raft
        try:
            self.group.check_step(raft)
        except AssertionError as error:
            self.fail("raft", f"node {number}: {error}")
        self.promises.kept(number, raft)
        self.rules.committed(raft.commit)
        self.bounds.check(number, parts)
        before = self._seen.get(number)
        self._seen[number] = (raft.role, raft.last_index, raft.last_term, raft.term, raft.commit)
        if before is None:
            return
        role, last_index, last_term, term, commit = before
        if raft.role is role is Role.LEADER and raft.term == term and raft.commit > commit:
            self._check_own_term(number, raft)
        if raft.role is Role.LEADER and role is not Role.LEADER:
            self.marks.sometimes("leader elected")
        if role is Role.LEADER and raft.role is not Role.LEADER:
            self.marks.sometimes("leader deposed alive")
        if raft.term_at(last_index) not in (None, last_term) or raft.last_index < last_index:
            self.marks.sometimes("log truncated")

    def _check_own_term(self, number: int, raft: Raft) -> None:
        """A leader counts replicas only of entries of its own term (paper, 5.4.2)."""
        if raft.term_at(raft.commit) not in (None, raft.term):
            self.fail("raft", f"node {number} committed an entry of an older term by counting")

    def born(self, number: int, parts: Parts) -> None:
        """A life has recovered."""
        self.group.restarted(parts.raft)
        self._seen.pop(number, None)
        self.replicas.check(number, parts.applier, always=True)
        self.promises.reborn(number, parts.raft)
        self._cluster.recovered(number)

    def excused(self, number: int) -> None:
        """A disk has lost what it lied about: this node will not keep its promises."""
        self.promises.forget(number)

    def skipped(self, outcome: Skipped) -> None:
        """A proposal had no effect."""
        match outcome.reason:
            case Reason.DUPLICATE:
                self.marks.sometimes("duplicate skipped")
            case Reason.GAP:
                self.marks.sometimes("gap skipped")
            case Reason.INCARNATION | Reason.NOT_MEMBER:
                pass


class ObservedNode(Node):
    """The node that ships, with the knobs of a run and an observer's eyes."""

    def __init__(
        self, config: NodeConfig, host: SimHost, secret: bytes, knobs: Knobs, observer: Observer
    ) -> None:
        super().__init__(config, host, secret)
        self._knobs = knobs
        self._observer = observer
        self._watch_submissions()

    def _wal_settings(self) -> WalSettings:
        return self._knobs.wal()

    def _raft(self, opened: OpenedLog, identity: Identity) -> Raft:
        host = self._host
        return Raft(
            node_id=identity.node_id,
            disk=identity.disk,
            settings=self._knobs.raft(),
            hard_state=opened.hard_state,
            base=opened.base,
            entries=opened.entries,
            jitter=host.entropy.below,
            now_ms=host.clock.boot_ms(),
            wall_ms=host.clock.wall_ms(),
            applied=opened.snapshot.index if opened.snapshot is not None else 0,
        )

    async def _build(self, opened: OpenedLog, identity: Identity, links: Links) -> tuple[Parts, Driver]:
        self._watch_links(links)
        parts, driver = await super()._build(opened, identity, links)
        parts.proposals._limits = self._knobs.proposals()  # noqa: SLF001 - knobs reach where no file does
        parts.snapshotter._settings = self._knobs.snapshots()  # noqa: SLF001 - the same
        self._applier = parts.applier
        self._raft_core = parts.raft
        self._current: tuple[int, int, int] | None = None
        self._steps_answered = 0
        """Of the present proposal, which may hold the commands of several connections."""
        self._watch_applier(parts)
        self._watch_messages(parts, driver)
        self._watch_reads(parts, driver)
        turn = driver.turn

        def observed_turn(batch: list[Event], *, settled: bool) -> bool:
            if parts.snapshotter._incoming is not None and any(map(_appends, batch)):  # noqa: SLF001 - a look
                self._observer.marks.sometimes("install raced by an append")
            has_job = turn(batch, settled=settled)
            self._observer.turned(self._config.node_id, parts)
            return has_job

        _wrap(driver, "turn", observed_turn)
        self._observer.born(self._config.node_id, parts)
        return parts, driver

    def _watch_applier(self, parts: Parts) -> None:
        applier, observer, number = parts.applier, self._observer, self._config.node_id
        apply_one, settle, swap = applier._apply_one, applier._settle, applier._swap  # noqa: SLF001 - wrapped
        carry_out = applier.carry_out
        applier.SLICE_MS = self._knobs.slice_ms

        def observed_carry_out() -> None:
            carry_out()
            if applier._is_behind:  # noqa: SLF001 - a look
                observer.marks.sometimes("left to the applier's task")

        def observed_apply(entry: Entry) -> None:
            observer.applied(entry)
            apply_one(entry)
            observer.replicas.check(number, applier)

        def observed_settle(outcome: Outcome) -> None:
            match outcome:
                case Applied(incarnation=incarnation, sequence=sequence):
                    self._current, self._steps_answered = (number, incarnation, sequence), 0
                case Skipped():
                    observer.skipped(outcome)
                case LifeOpened():
                    pass
            settle(outcome)
            self._current = None

        def observed_swap(order: Swap) -> None:
            observer.marks.sometimes("snapshot installed")
            swap(order)
            observer.replicas.check(number, applier, always=True)

        _wrap(applier, "carry_out", observed_carry_out)
        _wrap(applier, "_apply_one", observed_apply)
        _wrap(applier, "_settle", observed_settle)
        _wrap(applier, "_swap", observed_swap)

    def _watch_messages(self, parts: Parts, driver: Driver) -> None:
        hear, raft, rules = driver.router.hear, parts.raft, self._observer.rules
        number = self._config.node_id

        def observed_hear(peer: NodeId, disk: DiskId, message: PeerMessage, now_ms: int) -> None:
            if not isinstance(message, Message):
                return hear(peer, disk, message, now_ms)
            before = Before.of(raft, message)
            hear(peer, disk, message, now_ms)
            return rules.heard(number, disk, message, before, raft)

        _wrap(driver.router, "hear", observed_hear)

    def _watch_reads(self, parts: Parts, driver: Driver) -> None:
        ask, serve, rules = parts.reads.ask, driver.rounds.serve, self._observer.rules

        def observed_ask(now_ms: int) -> ReadId:
            read = ask(now_ms)
            rules.asked(read)
            return read

        def observed_serve(reads: tuple[ReadId, ...], index: int, log_time_ms: int, now_ms: int) -> None:
            for read in reads:
                rules.allowed(self._config.node_id, read, index)
            serve(reads, index, log_time_ms, now_ms)

        _wrap(parts.reads, "ask", observed_ask)
        _wrap(driver.rounds, "serve", observed_serve)

    def _watch_links(self, links: Links) -> None:
        send, number = links.send, self._config.node_id

        def observed_send(peer: NodeId, message: PeerMessage) -> bool:
            if isinstance(message, RequestVote | VoteAck | AppendAck):
                self._observer.promises.made(number, self._raft_core, message)
                self._observer.rules.sent(number, message, self._raft_core)
            return send(peer, message)

        _wrap(links, "send", observed_send)

    def _watch_submissions(self) -> None:
        submit, act = self._service.submit, self._service.act

        def observed_submit(work: Work) -> list[Reply] | None:
            conversation = getattr(work.answered, "__self__", None)
            if not isinstance(conversation, Conversation):
                return submit(work)
            note = self._watch(work, _name_of(conversation))
            replies = submit(work)
            if replies is not None:
                self._observer.marks.sometimes("read answered at once by a lease")
                note(replies)
            return replies

        def observed_act(operation: Operation) -> None:
            conversation = getattr(operation.answered, "__self__", None)
            if isinstance(conversation, Conversation):
                self._observer.acts.asked(self._config.node_id, _name_of(conversation), operation)
            act(operation)

        _wrap(self._service, "submit", observed_submit)
        _wrap(self._service, "act", observed_act)

    def _watch(self, work: Work, connection: str) -> Callable[[list[Reply]], None]:
        """Note where the steps of `work` take effect, when it is answered; returned: what notes it."""
        observer, number, answered = self._observer, self._config.node_id, work.answered
        steps = _steps_of(work)
        first = observer.submitted(connection, sum(steps))

        def note(replies: list[Reply]) -> None:
            applier: Applier = self._applier
            index = applier.position.index
            identity = self._current if work.writes else None
            if work.writes:
                observer.durability.acked(number, applier.position, self._raft_core)
                observer.acts.wrote(connection, applier.position)
            elif self._raft_core.role is not Role.LEADER and steps:
                observer.marks.sometimes("read served by a follower")
            inside, ordinal = self._steps_answered if work.writes else 0, first
            for step, (reply, counts) in enumerate(zip(replies, steps, strict=True)):
                if counts:
                    observer.effects[connection, ordinal] = Effect(index, identity, inside + step, reply)
                    ordinal += 1
            if work.writes:  # a read may be answered while the commands of a proposal are
                self._steps_answered = inside + len(replies)

        def observed_answered(replies: list[Reply]) -> None:
            note(replies)
            answered(replies)

        work.answered = observed_answered
        return note


def _name_of(conversation: Conversation) -> str:
    """The client's name of its connection."""
    return conversation.connection.remote.rpartition(":")[0]


def _steps_of(work: Work) -> list[bool]:
    """The machine's steps: True for those that clients count. A SELECT travels or not, as the bytes came."""
    starts = {transaction.start: transaction.count for transaction in work.transactions}
    steps, position = [], 0
    while position < len(work.commands):
        steps.append(position in starts or work.commands[position][0] != b"SELECT")
        position += starts.get(position, 1)
    return steps


def _appends(event: Event) -> bool:
    return isinstance(event, PeerSaid) and isinstance(event.message, AppendEntries)


def _wrap(target: Any, name: str, method: Callable[..., Any]) -> None:
    """Put `method` in place of one object's method of that name."""
    setattr(target, name, method)
