"""Mistakes in the context of a call and in what commands draw."""

from tests.mutants.mutant import Mutant, mutant

DRAWS: tuple[Mutant, ...] = (
    mutant(
        "a place forgets the position",
        "trikv.machine.call",
        "self.sequence, self.position)",
        "self.sequence, 0)",
        "machine/test_call.py::test_no_two_draws_are_alike",
    ),
    mutant(
        "a place forgets the sequence",
        "trikv.machine.call",
        "self.sequence, self.position)",
        "self.index, self.position)",
        "machine/test_call.py::test_submissions_of_one_entry_draw_apart",
    ),
    mutant(
        "the entry's seed is not handed on",
        "trikv.machine.machine",
        "        call.seed = batch.seed\n",
        "        call.seed = 0\n",
        "machine/test_call.py::test_the_seed_of_the_entry_decides",
    ),
    mutant(
        "draws go on from the command before",
        "trikv.machine.evaluation",
        "                    call.drawn = None\n",
        "                    pass\n",
        "machine/test_call.py::test_draws_are_the_same_on_every_replica_and_after_a_replay",
    ),
    mutant(
        "a read draws as an entry did",
        "trikv.machine.machine",
        "        call.seed, call.origin, call.sequence = seed, 0, 0\n",
        "        call.origin, call.sequence = 0, 0\n",
        "machine/test_call.py::test_a_read_draws_by_the_seed_that_it_is_given",
    ),
    mutant(
        "each read of a node draws alike",
        "trikv.node.state.applier",
        "        self._seed += 1\n",
        "        pass\n",
        "node/state/test_applier.py::test_each_read_draws_by_a_seed_of_its_own",
    ),
    mutant(
        "numbers that prefer the small ones",
        "trikv.machine.draws",
        "            if number < limit:\n",
        "            if True:\n",
        "machine/test_draws.py::test_what_would_prefer_small_numbers_is_drawn_again",
    ),
    mutant(
        "a row of draws repeats its first block",
        "trikv.machine.draws",
        "            self._counter += 1\n",
        "            pass\n",
        "machine/test_draws.py::test_a_row_does_not_repeat_itself",
    ),
    mutant(
        "a random key is any of a random bucket",
        "trikv.machine.database",
        "            number, place = self._place_of(draws.below(self.size))\n",
        "            number = draws.below(BUCKETS)\n"
        "            while not self.buckets[number]:\n"
        "                number = (number + 1) % BUCKETS\n"
        "            place = draws.below(len(self.buckets[number]))\n",
        "machine/test_keyspace.py::test_every_key_is_picked_as_often_as_any_other",
    ),
)

CALLED: tuple[Mutant, ...] = (
    mutant(
        "a read calls a write",
        "trikv.machine.call",
        "        if command.writes and self.view is READER:\n",
        "        if False:\n",
        "machine/test_call.py::test_a_read_calls_no_write",
    ),
    mutant(
        "a read that a write calls is skipped elsewhere",
        "trikv.machine.call",
        "        account = self.space.account\n        if command.denies_oom",
        "        if command.reads and self.view is REPLICA:\n"
        "            return None\n"
        "        account = self.space.account\n"
        "        if command.denies_oom",
        "machine/test_call.py::test_reads_that_a_write_calls_are_evaluated_on_every_replica",
    ),
    mutant(
        "a called command passes the cap",
        "trikv.machine.call",
        "        if command.denies_oom and 0 < account.cap < account.used:\n",
        "        if False:\n",
        "machine/test_call.py::test_a_called_command_is_refused_at_full_memory",
    ),
    mutant(
        "calls of calls have no end",
        "trikv.machine.call",
        "        if self._depth == DEPTH_MAX:\n",
        "        if False:\n",
        "machine/test_call.py::test_calls_do_not_lie_in_each_other_without_an_end",
    ),
    mutant(
        "a failing call is counted for ever",
        "trikv.machine.call",
        "        finally:\n            self._depth -= 1\n",
        "        except ArithmeticError:\n            raise\n        self._depth -= 1\n",
        "machine/test_call.py::test_a_depth_is_left_by_an_exception_too",
    ),
)

MUTANTS: tuple[Mutant, ...] = DRAWS + CALLED
