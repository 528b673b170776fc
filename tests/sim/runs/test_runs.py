"""Whole runs: clean on the product, alike in any process, and each checker catches what it is there for."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import trio

from trikv.machine.keyspace import Keyspace
from trikv.machine.machine import Machine
from trikv.machine.outcomes import OriginRow, Origins, Reason
from trikv.machine.replies import Reply
from trikv.node.events import Persisted
from trikv.node.state.writer import Writer
from trikv.raft.core import Raft
from trikv.raft.leader import Leader
from trikv.raft.ready import ConfirmedRead, WriteJob
from trikv.raft.roles import Role
from trikv.raft.shared import Shared
from trikv.sim import run
from trikv.sim.checkers.rules import Rules
from trikv.sim.cluster import Cluster
from trikv.sim.faults import LEADER, Cut, Isolate, Kill, SlowDisk, Strike
from trikv.sim.knobs import PROFILES, Knobs
from trikv.sim.observe import Observer
from trikv.sim.run import Plan, Result, Run, execute, plan_of
from trikv.sim.schedule import MAKERS, parse_kinds
from trikv.sim.workload import profiles

ROOT = Path(__file__).parents[3]
SEEDS = sorted((ROOT / "tests/seeds").glob("*.json"))


@pytest.mark.parametrize("profile", PROFILES)
def test_product_survives_a_seed_of_each_profile(profile: str) -> None:
    """Chaos, heal, progress: nothing to complain of."""
    result = execute(plan_of(3, seconds=4, profiles=(profile,)))
    assert result.ok, f"{result.failure}: {result.problem}"
    assert result.counts["answered"] > 50
    assert result.counts["digests compared"] > 0


def test_a_node_is_long_inside_entries_and_overtaken_there() -> None:
    """The third is slow and cut off twice: reads wait beyond their time, snapshots overtake entries."""
    knobs = Knobs(
        profile="long",
        think_ms=100,
        command_deadline_ms=1000,
        slice_ms=0,
        inside_slice_ms=(0, 0, 500),
        aims_inside=True,
        snapshot_log_bytes=1,
        log_tail_bytes=0,
        log_follower_bytes=1,
    )
    strikes = (
        Strike(1000, Isolate(3, 2500)),
        Strike(1100, Cut(3)),
        Strike(4200, Kill(LEADER, 50)),
        Strike(5000, Isolate(3, 2500)),
        Strike(5100, Cut(3)),
    )
    marks: Counter[str] = Counter()
    for seed in (2, 3):
        result = execute(Plan(seed=seed, seconds=8, knobs=knobs, strikes=strikes))
        assert result.ok, f"{result.failure}: {result.problem}"
        marks.update(result.marks)
    assert marks["install overtook an entry"]
    assert marks["inside an entry longer than a client waits"]
    assert marks["read waited for the end of an entry"]
    assert marks["node crashed inside an entry"]


def test_five_nodes_survive_a_seed() -> None:
    """Larger majorities, two losses at a time."""
    result = execute(plan_of(2, nodes=5, seconds=3))
    assert result.ok, f"{result.failure}: {result.problem}"


def test_quiet_run_answers_everything() -> None:
    """Without faults no answer is ambiguous but those whose client went away itself."""
    plan = plan_of(1, seconds=3, kinds=())
    assert plan.strikes == ()
    result = execute(plan)
    assert result.ok, f"{result.failure}: {result.problem}"
    assert result.counts.get("refused", 0) == 0


def test_same_plan_leaves_the_same_trace_in_two_processes() -> None:
    """Neither the process nor the seed of its hashes plays a part."""
    script = (
        "from trikv.sim.run import execute, plan_of\n"
        "result = execute(plan_of(11, seconds=2))\n"
        "print(result.trace, result.ok, result.counts, result.marks)"
    )
    answers = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert answers[0] == answers[1]
    assert " True " in answers[0]


@pytest.mark.parametrize("path", SEEDS, ids=lambda path: path.stem)
def test_seed_that_once_failed_does_not_fail_again(path: Path) -> None:
    """Every bug that a run has found stays found."""
    import msgspec

    for line in path.read_bytes().splitlines():
        result = execute(msgspec.json.decode(line, type=Plan))
        assert result.ok, f"{result.failure}: {result.problem}"


@pytest.mark.parametrize("inside", [True, False])
def test_a_node_that_works_inside_an_entry_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, *, inside: bool
) -> None:
    """However long that takes, up to a limit; one that does nothing is told after the first wait."""
    waits = []
    progress = Run._progress

    async def slow(self: Run, cluster: Cluster, observer: Observer) -> None:
        waits.append(1)
        if len(waits) < 3:
            await trio.sleep_forever()
        await progress(self, cluster, observer)

    monkeypatch.setattr(Run, "_progress", slow)
    monkeypatch.setattr(run, "_is_inside", lambda _cluster: inside)
    result = execute(Plan(seed=1, seconds=1.0, knobs=Knobs()))
    assert (result.ok, len(waits)) == ((True, 3) if inside else (False, 1))


def test_ack_before_the_sync_is_caught_on_the_platters(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that reports durability before its sync has returned: seen at the instant of an ack."""
    write = Writer._write

    async def hasty(self: Writer, jobs: list[WriteJob]) -> None:
        if jobs:
            self._inbox.put(Persisted(jobs[-1].number))
        await write(self, jobs)

    monkeypatch.setattr(Writer, "_write", hasty)
    knobs = Knobs(profile="writes", sync_ms_max=40.0, think_ms=30)
    result = execute(Plan(seed=1, seconds=3, knobs=knobs))
    assert (result.ok, result.failure) == (False, "durability")


def test_read_without_a_quorum_is_caught_by_both_history_checkers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deposed leader that answers reads on its own: the witness and the search both say so.

    The rule about reads sees it first, and is tested by itself.
    """

    def alone(self: Leader, shared: Shared) -> tuple[ConfirmedRead, ...]:  # noqa: ARG001 - it asks nobody
        return tuple(self.reads.confirm(self.reads.number))

    monkeypatch.setattr(Leader, "_confirm", alone)
    monkeypatch.setattr(Rules, "allowed", lambda *_: None)  # it would end the run too early
    strikes = tuple(Strike(at_ms, Isolate(LEADER, 1500)) for at_ms in range(300, 4000, 2000))
    knobs = Knobs(profile="reads", think_ms=20, command_deadline_ms=1000, hop_percent=10)
    result = execute(Plan(seed=1, seconds=4.5, knobs=knobs, strikes=strikes))
    assert {"witness", "linearizability"} <= _classes(result), result.problem


def test_duplicate_applied_twice_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that applies a sequence again: the witness replays the rules by itself."""
    admit = Origins.admit

    def careless(self: Origins, origin: int, incarnation: int, sequence: int) -> Reason | None:
        reason = admit(self, origin, incarnation, sequence)
        return None if reason is Reason.DUPLICATE else reason

    monkeypatch.setattr(Origins, "admit", careless)
    assert OriginRow(1, b"").next == 1
    strikes = tuple(Strike(at_ms, Kill(LEADER, 300)) for at_ms in range(300, 6000, 900))
    knobs = Knobs(profile="writes", think_ms=20, latency_ms_max=20.0)
    result = execute(Plan(seed=3, seconds=7, knobs=knobs, strikes=strikes))
    assert _classes(result) & {"witness", "counters", "linearizability"}, result.problem


def test_read_of_another_database_is_caught_by_both_history_checkers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A machine that answers all reads from database 0."""
    read = Machine.read

    def first(self: Machine, _: int, *rest: Any, **named: Any) -> list[Reply]:
        return read(self, 0, *rest, **named)

    monkeypatch.setattr(Machine, "read", first)
    result = execute(Plan(seed=1, seconds=3, knobs=Knobs(profile="reads", think_ms=20)))
    assert {"witness", "linearizability"} <= _classes(result), result.problem


def test_key_that_nobody_reaps_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Due in another database than 0: replicas agree, and are all wrong."""
    expire = Keyspace.expire

    def of_first(self: Keyspace, keys_max: int) -> int:
        databases, self.databases = self.databases, self.databases[:1]
        try:
            return expire(self, keys_max)
        finally:
            self.databases = databases

    monkeypatch.setattr(Keyspace, "expire", of_first)
    result = execute(Plan(seed=1, seconds=3, knobs=Knobs(profile="mixed", think_ms=20)))
    assert _classes(result) & {"deadlines", "witness"}, result.problem


def test_wait_that_counts_what_was_sent_is_caught_on_the_platters(monkeypatch: pytest.MonkeyPatch) -> None:
    """With disks so slow that what was sent is not yet there."""

    def sent(raft: Raft, _: int) -> int:
        return len(raft.membership.members) if raft.role is Role.LEADER else 0

    for where in ("trikv.node.operations", "trikv.node.consensus.router"):
        monkeypatch.setattr(f"{where}.voters_holding", sent)
    monkeypatch.setitem(profiles.WEIGHTS, "writes", {"disk": 1.0})
    strikes = tuple(Strike(at_ms, SlowDisk(node, 2900, 200)) for node, at_ms in ((2, 50), (3, 60)))
    knobs = Knobs(profile="writes", think_ms=20)
    result = execute(Plan(seed=1, seconds=3, knobs=knobs, strikes=strikes))
    assert (result.ok, result.failure) == (False, "wait"), result.problem


def _classes(result: Result) -> set[str]:
    """All classes of failure of a run, the first one and those that were found after it."""
    return {result.failure, *result.also}


def test_kinds_of_faults_are_read_from_a_line() -> None:
    """all, none, names; anything else is named."""
    assert parse_kinds("all") == tuple(MAKERS)
    assert parse_kinds("none") == ()
    assert parse_kinds("kill, power") == ("kill", "power")
    with pytest.raises(ValueError, match="'kil' is no kind"):
        parse_kinds("kil")


def test_leaving_a_fault_out_leaves_the_others_as_they_were() -> None:
    """Faults are data: a plan with fewer of them is a plan."""
    plan = plan_of(5, seconds=3)
    assert plan_of(5, seconds=3) == plan
    assert plan_of(5, seconds=3, kinds=("kill",)).knobs == plan.knobs
