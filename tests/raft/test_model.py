"""Random histories of whole groups: a soup of messages, slow disks, crashes, snapshots, changes of members.

Single deliveries rarely win an election by chance, so macro rules do whole elections and replications among a
random part of the group. After each history all faults end, and the group must make progress.
"""

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.raft.cluster import Cluster, membership_of
from trikv.raft.settings import RaftSettings
from trikv.raft.types import Member, Membership

NODE = st.integers(1, 5)
MASK = st.integers(1, 31)
PICK = st.integers(0, 10_000)


class GroupMachine(RuleBasedStateMachine):
    """The rules. `VOTERS` nodes vote at the start; node VOTERS + 1 is a blank one that may be added."""

    VOTERS = 3

    @initialize(
        seed=st.integers(0, 1_000_000),
        small=st.booleans(),
        window=st.integers(1, 3),
        room=st.booleans(),
        waiting=st.booleans(),
        rates=st.lists(st.sampled_from([90, 100, 110]), min_size=6, max_size=6),
    )
    def start(
        self, *, seed: int, small: bool, window: int, room: bool, waiting: bool, rates: list[int]
    ) -> None:
        """A group, in half of the cases with hostile limits, and clocks as wrong as a lease allows."""
        limits = RaftSettings(
            append_bytes_max=1 if small else 1024,
            inflight_appends_max=window,
            inflight_bytes_max=8 if small else 4096,
            uncommitted_bytes_max=4096 if room else 3,
            committed_bytes_max=2 if small else 4096,
        )
        self.count = 0
        self.nodes = self.VOTERS + 1
        self.group = Cluster(self.VOTERS, seed=seed, settings=limits, blank=(self.nodes,))
        self.group.everybody_waits = waiting
        for node in self.group.nodes:
            self.group.drift(node, rates[node - 1])

    def node(self, number: int) -> int:
        """A node that runs, chosen by `number`; 0 if none does."""
        up = self.group.up()
        return up[number % len(up)] if up else 0

    def among(self, mask: int) -> frozenset[int]:
        """The nodes that run out of those in `mask`."""
        return frozenset(node for node in self.group.up() if mask >> (node - 1) & 1)

    @rule(mask=MASK, number=NODE)
    def elect(self, mask: int, number: int) -> None:
        """An election among some nodes."""
        inside = self.among(mask)
        if inside:
            self.group.elect(sorted(inside)[number % len(inside)], inside)

    @rule(mask=MASK, hops=st.integers(1, 6), slow=st.integers(0, 31))
    def replicate(self, mask: int, hops: int, slow: int) -> None:
        """A stretch of good weather among some nodes, the disks of others being slow."""
        self.group.flow(self.among(mask), hops, self.among(slow))

    @rule(mask=MASK, ms=st.sampled_from([20, 60, 120, 500, 900]))
    def run(self, mask: int, ms: int) -> None:
        """Time passes for some nodes."""
        self.group.run(ms, self.among(mask))

    @rule(number=NODE, ms=st.sampled_from([0, 30, 100, 190, 250, 900]))
    def tick(self, number: int, ms: int) -> None:
        """One node looks at its timers."""
        self.group.now_ms += ms
        if node := self.node(number):
            self.group.tick(node)

    @rule(number=NODE, size=st.integers(0, 4), count=st.integers(1, 4))
    def propose(self, number: int, size: int, count: int) -> None:
        """Proposals at any node; at a leader if there is one."""
        leaders = self.group.leaders()
        node = leaders[number % len(leaders)] if leaders else self.node(number)
        for _ in range(count if node else 0):
            self.count += 1
            self.group.propose(node, b"%d" % self.count * size)

    @rule(number=NODE, by_lease=st.booleans())
    def read(self, *, number: int, by_lease: bool) -> None:
        """A read at any leader, deposed ones included."""
        leaders = self.group.leaders()
        if leaders:
            self.group.read(leaders[number % len(leaders)], by_lease=by_lease)

    @rule(pick=PICK, keep=st.booleans())
    def deliver(self, *, pick: int, keep: bool) -> None:
        """Some letter arrives, perhaps to arrive again."""
        soup = self.group.soup
        if soup:
            position = pick % len(soup)
            self.group.deliver(soup[position] if keep else soup.pop(position))

    @rule(pick=PICK)
    def drop(self, pick: int) -> None:
        """Some letter is lost."""
        soup = self.group.soup
        if soup:
            self.group.drop(soup.pop(pick % len(soup)))

    @rule(number=NODE, jobs=st.integers(1, 3))
    def write(self, number: int, jobs: int) -> None:
        """A sync returns."""
        if node := self.node(number):
            self.group.write(node, jobs)

    @rule(number=NODE, notice=st.booleans())
    def crash(self, *, number: int, notice: bool) -> None:
        """A node loses power; its peers may notice."""
        if node := self.node(number):
            self.group.crash(node)
            for peer in self.group.up() if notice else ():
                self.group.turn(peer).unreachable(node)
                self.group.settle(peer)

    @precondition(lambda self: len(self.group.up()) < self.nodes)
    @rule(number=NODE)
    def restart(self, number: int) -> None:
        """A node comes back."""
        down = [node.id for node in self.group.nodes.values() if not node.up]
        self.group.restart(down[number % len(down)])

    @rule(number=NODE, other=NODE, broken=st.booleans())
    def link(self, *, number: int, other: int, broken: bool) -> None:
        """A link breaks or comes up, at one end."""
        if node := self.node(number):
            raft = self.group.turn(node)
            if broken:
                raft.unreachable(other)
            else:
                raft.reachable(other)
            self.group.settle(node)

    @rule(number=NODE)
    def snapshot(self, number: int) -> None:
        """A node takes a snapshot and compacts its log behind it."""
        node = self.node(number)
        if node and self.group.take_snapshot(node):
            self.group.compact(node)

    @rule(number=NODE, other=NODE)
    def transfer(self, number: int, other: int) -> None:
        """A leader is asked to hand over."""
        if node := self.node(number):
            self.group.turn(node).transfer(other)
            self.group.settle(node)

    @rule(number=NODE)
    def step_down(self, number: int) -> None:
        """A leader finds its disk full."""
        if node := self.node(number):
            self.group.turn(node).step_down()
            self.group.settle(node)

    @rule(number=NODE, whom=NODE, what=st.sampled_from(["remove", "learner", "voter"]))
    def change(self, number: int, whom: int, what: str) -> None:
        """A leader is asked for a change of members."""
        leaders = self.group.leaders()
        if not leaders or whom > self.nodes:
            return
        leader = leaders[number % len(leaders)]
        raft = self.group.turn(leader)
        members = [member for member in raft.membership.members if member.id != whom]
        if what != "remove":
            (member,) = membership_of(whom).members
            members.append(Member(whom, member.disk, what == "voter", member.address))
        raft.propose_membership(Membership(tuple(sorted(members, key=lambda member: member.id))))
        self.group.settle(leader)

    def teardown(self) -> None:
        """Heal, then demand progress: one leader, one more commit, and the same state everywhere."""
        if not hasattr(self, "group"):
            return
        group = self.group
        for node in group.nodes.values():
            if not node.up:
                group.restart(node.id)
        group.run(6_000)
        leader = group.leader()
        index = group.propose(leader, b"the end")
        assert index is not None, "a healthy group takes no proposal"
        group.run(2_000)
        last = group.nodes[leader]
        assert last.applied >= index, "a healthy group does not commit"
        for member in last.raft.membership.members:
            node = group.nodes[member.id]
            assert node.state == last.state, "replicas differ"


class FiveMachine(GroupMachine):
    """Five voters: what an old ack can do is invisible with three."""

    VOTERS = 5


def _run(machine: type[GroupMachine], **options: Any) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(deadline=None, suppress_health_check=list(HealthCheck), print_blob=True, **options),
    )


def test_three_nodes_keep_every_invariant_in_any_history() -> None:
    """No history of losses, delays, crashes and changes breaks Raft's properties, and healing restores it."""
    _run(GroupMachine, max_examples=30, stateful_step_count=40)


def test_five_nodes_keep_every_invariant_in_any_history() -> None:
    """The same for five, where a minority's old answers can be many."""
    _run(FiveMachine, max_examples=20, stateful_step_count=40)
