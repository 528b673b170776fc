"""Faults of one kind on one target overlap without healing each other."""

from trikv.sim.fabric import Link
from trikv.sim.overrides import Overrides


def test_the_first_to_end_leaves_the_other_in_force() -> None:
    """Whatever the order of their ends, the original comes back with the last."""
    link, overrides = Link(), Overrides()
    first, second = overrides.put(link, "loss", 0.1), overrides.put(link, "loss", 0.4)
    first.__enter__()
    second.__enter__()
    assert link.loss == 0.4
    first.__exit__(None, None, None)
    assert link.loss == 0.4
    second.__exit__(None, None, None)
    assert link.loss == 0.0


def test_the_last_to_begin_counts_and_gives_way_to_the_one_before() -> None:
    """Nested faults: the outer one is in force again when the inner one is over."""
    link, overrides = Link(), Overrides()
    with overrides.put(link, "loss", 0.1):
        with overrides.put(link, "loss", 0.4), overrides.put(link, "latency_ms_max", 99.0):
            assert (link.loss, link.latency_ms_max) == (0.4, 99.0)
        assert (link.loss, link.latency_ms_max) == (0.1, 0.5)
    assert link.loss == 0.0


def test_equal_values_are_two_faults() -> None:
    """Each end takes back its own."""
    link, overrides = Link(), Overrides()
    with overrides.put(link, "loss", 0.1):
        with overrides.put(link, "loss", 0.1):
            pass
        assert link.loss == 0.1
