"""The load: repeatable, and cut into histories that a search can chew."""

import random

from trikv.sim.checkers.linearizability import keys_of
from trikv.sim.checkers.meanings import is_timed
from trikv.torture.evidence import Evidence
from trikv.torture.workload import (
    GROUP_STEPS_MAX,
    GROUP_UNKNOWN_MAX,
    GROUPS_ACTIVE,
    Draw,
    Groups,
    Step,
    keys_of_group,
)


def steps(seed: int, count: int) -> list[Step]:
    """The first steps of client 1."""
    evidence = Evidence(b"p:")
    draw = Draw(1, seed, evidence, Groups(b"p:"))
    return [draw.step() for _ in range(count)]


def test_a_seed_draws_the_same() -> None:
    """The same seed, the same steps; another seed, others."""
    assert steps(1, 100) == steps(1, 100)
    assert steps(1, 100) != steps(2, 100)


def test_each_step_has_one_place() -> None:
    """A step is a unique write, or on a counter, or within one group, by commands that the checker knows."""
    evidence = Evidence(b"p:")
    for step in steps(3, 2000):
        assert [step.unique, step.counter, step.group].count(None) == 2
        operation = evidence.begin(1, step.commands, is_transaction=step.is_transaction)
        if step.group is not None:
            assert {key for _, key in keys_of(operation)} <= set(keys_of_group(b"p:", step.group))
        assert not any(map(is_timed, step.commands))


def test_unique_keys_are_unique_among_clients() -> None:
    """No two clients, and no client twice, write one such key."""
    evidence = Evidence(b"p:")
    groups = Groups(b"p:")
    drawn: list[bytes] = []
    for client in range(5):
        draw = Draw(client, 1, evidence, groups)
        own = [key for _ in range(500) if (key := draw.step().unique) is not None]
        assert len(own) > 50, "the load is to write many"
        for key in own:
            evidence.begin_unique(key)
        drawn += own
    assert len(set(drawn)) == len(drawn)


def test_a_group_is_retired() -> None:
    """After so many steps, or so many of unknown fate, others take its place; it is never used again."""
    groups = Groups(b"p:")
    source = random.Random(1)
    used = [groups.pick(source) for _ in range(4 * GROUPS_ACTIVE * GROUP_STEPS_MAX)]
    counts = [used.count(group) for group in range(max(used) + 1)]
    assert max(counts) == GROUP_STEPS_MAX
    assert len(counts) > 2 * GROUPS_ACTIVE

    groups = Groups(b"p:")
    for _ in range(GROUP_UNKNOWN_MAX):
        groups.unknown(0)
    assert 0 not in [groups.pick(source) for _ in range(100)]
