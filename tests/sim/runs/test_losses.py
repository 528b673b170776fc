"""Durable losses: survived while a minority has them, and withheld beyond that."""

from trikv.sim.faults import LEADER, Fault, Isolate, Lie, PowerLoss, Rot, Strike, Wipe
from trikv.sim.knobs import Knobs
from trikv.sim.run import Plan, Result, execute


def run(
    *strikes: tuple[int, Fault], nodes: int = 3, seconds: float = 3, seed: int = 7, **knobs: int
) -> Result:
    """The result of a busy cluster that has just these faults."""
    plan = Plan(
        seed=seed,
        seconds=seconds,
        knobs=Knobs(nodes=nodes, profile="writes", think_ms=50, **knobs),  # type: ignore[arg-type]
        strikes=tuple(Strike(at_ms, fault) for at_ms, fault in strikes),
    )
    result = execute(plan)
    assert result.ok, f"{result.failure}: {result.problem}"
    return result


def test_a_disk_that_lied_loses_what_it_said_it_had_and_the_cluster_nothing() -> None:
    """The node comes back with less than it has acknowledged, or is refilled; nobody loses an answer."""
    result = run((300, Lie(2, 900)), (1000, PowerLoss(2, 300)))
    assert result.marks["lies of a disk lost"] == 1


def test_an_identity_that_a_lying_disk_lost_is_refilled_like_a_log() -> None:
    """It was written while a new disk lied, and never since: the log looks whole, but the node refuses."""
    knobs = {"segment_bytes": 4096, "snapshot_log_bytes": 1024, "log_tail_bytes": 1024}
    faults = (300, Wipe(2, 200)), (400, Lie(2, 1000)), (2500, PowerLoss(2, 300))
    result = run(*faults, seconds=4, seed=1, log_follower_bytes=1024, **knobs)
    assert result.marks["lies of a disk lost"] == 1


def test_a_lying_leader_loses_power() -> None:
    """The same for the leader, which counts the others' acks."""
    result = run((300, Lie(LEADER, 900)), (1000, PowerLoss(LEADER, 300)))
    assert result.marks["lies of a disk lost"] == 1


def test_lies_beyond_the_budget_are_made_good() -> None:
    """While a wiped disk is away, a second node's lies lose nothing."""
    result = run((300, Lie(2, 2000)), (900, Wipe(3, 1500)), (1000, PowerLoss(2, 300)))
    assert "lies of a disk lost" not in result.marks
    assert result.marks["durable loss withheld by the budget"] >= 1


def test_of_three_disks_one_may_be_lost_and_of_five_two() -> None:
    """The others are spared, until the first is back in full."""
    three = run(*[(300 + node, Wipe(node, 200)) for node in (1, 2, 3)])
    assert three.marks["durable loss withheld by the budget"] == 2
    five = run(*[(300 + node, Wipe(node, 200)) for node in (1, 2, 3)], nodes=5)
    assert five.marks["durable loss withheld by the budget"] == 1


def test_the_budget_is_refunded_when_a_disk_is_back_in_full() -> None:
    """One loss after the other, each node in its turn."""
    result = run((300, Wipe(1, 200)), (2500, Wipe(2, 200)), (5000, Rot(3, 200)), seconds=7)
    assert result.marks["blank disk swapped in"] >= 2
    assert "durable loss withheld by the budget" not in result.marks


def test_a_rotten_file_is_no_surprise_to_the_platters_checker() -> None:
    """Damage by the harness itself does not count as the product's corruption while the node is down."""
    run(*[(400 + 300 * n, Rot(1 + n % 3, 250)) for n in range(6)], (900, Isolate(1, 500)))
