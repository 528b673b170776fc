"""Mistakes in the simulator's own checkers: what it forgives, and what it must not."""

from tests.mutants.mutant import Mutant, mutant

_TESTS = "sim/runs/test_durability.py::"

MUTANTS: tuple[Mutant, ...] = (
    mutant(
        "a lost disk excuses every later entry",
        "trikv.sim.losses",
        "        return [disk for disk, held in self._lost.items() if held.holds(index, term)]\n",
        "        return list(self._lost)\n",
        _TESTS + "test_a_lost_disk_excuses_no_entry_that_it_did_not_hold",
    ),
    mutant(
        "an entry that no living platter holds is excused by those that were lost",
        "trikv.sim.checkers.durability",
        "self._lost(position.index, position.term)] if holders else []\n",
        "self._lost(position.index, position.term)]\n",
        _TESTS + "test_an_entry_that_only_lost_disks_held_is_lost",
    ),
    mutant(
        "a node that works inside an entry is taken for one that hangs",
        "trikv.sim.run",
        "if waited == PATIENCE or not _is_inside(cluster):",
        "if True:",
        "sim/runs/test_runs.py::test_a_node_that_works_inside_an_entry_is_waited_for[True]",
    ),
    mutant(
        "what a disk held when the budget took it is forgotten",
        "trikv.sim.losses",
        "        self._lost[held.disk] = held\n",
        "        self._lost[held.disk] = Reading()\n",
        _TESTS + "test_a_disk_lost_after_the_commit_counts_for_what_it_held",
    ),
)
