"""Mistakes in forks of the state: what leaks into the base, what is forgotten."""

from tests.mutants.mutant import Mutant, mutant

_LEFT = "machine/test_fork.py::test_nothing_of_a_rehearsal_is_left"
_FIELDS = "machine/test_fork_fields.py::test_no_field_is_forgotten"

MUTANTS: tuple[Mutant, ...] = (
    mutant(
        "a fork writes into the base: a bucket",
        "trikv.machine.fork",
        "            self.buckets[number] = bucket.copy()\n",
        "            pass\n",
        f"{_LEFT}[SET k4148 2-True]",
    ),
    mutant(
        "a fork that was flushed writes into the buckets of all empty databases",
        "trikv.machine.fork",
        " and bucket is not EMPTY:\n",
        ":\n",
        "machine/test_fork.py::test_a_write_behind_a_flush_makes_a_bucket_of_the_forks_own",
    ),
    mutant(
        "a fork writes into the base: the list of buckets",
        "trikv.machine.fork",
        "            self.buckets = self._shared.copy()\n",
        "            pass\n",
        f"{_LEFT}[SET k4148 2-True]",
    ),
    mutant(
        "a fork writes into the base: by a quick way",
        "trikv.machine.fork",
        "    account.observers = [_Base()]\n",
        "    account.observers = []\n",
        f"{_LEFT}[SET k4148 2-True]",
    ),
    mutant(
        "a fork writes into the base: a part of a value",
        "trikv.machine.fork",
        "    account.epoch = base.epoch + 1\n",
        "    account.epoch = base.epoch\n",
        f"{_LEFT}[NUM.REM n 17-True]",
    ),
    mutant(
        "a fork writes into the base: the index of deadlines",
        "trikv.machine.fork",
        "        self.deadlines = forked(base.deadlines)\n",
        "        self.deadlines = base.deadlines\n",
        f"{_LEFT}[PERSIST k0-True]",
    ),
    mutant(
        "a fork writes into the base: the account",
        "trikv.machine.fork",
        "    account.shares = base.shares.copy()\n",
        "    account.shares = base.shares\n",
        f"{_LEFT}[SET k4148 2-True]",
    ),
    mutant(
        "a fork writes into the base: a row of an origin",
        "trikv.machine.machine",
        "        self._take_over(base.settings())\n        self._base = base\n",
        "        self._take_over(base.settings())\n"
        "        self._origins = base._origins\n"
        "        self._base = base\n",
        f"{_LEFT}[NOSUCH-True]",
    ),
    mutant(
        "what a fork flushes is freed from under the base",
        "trikv.machine.fork",
        'would empty the base\'s tables."""\n',
        'would empty the base\'s tables."""\n'
        "        self.account.discarded.add_database(self.buckets, [], 0)\n",
        f"{_LEFT}[FLUSHALL-True]",
    ),
    mutant(
        "a fork forgets a field: the sum of deadlines",
        "trikv.machine.fork",
        "        self._deadlines_total_ms = base._deadlines_total_ms",
        "        self._deadlines_total_ms = 0",
        _FIELDS,
    ),
    mutant(
        "a fork forgets a field: log time",
        "trikv.machine.machine",
        "        account.now = settings.now_ms\n",
        "        account.now = 0\n",
        _FIELDS,
    ),
    mutant(
        "a fork forgets a field: when the next key is due",
        "trikv.machine.fork",
        "    account.shares = base.shares.copy()\n",
        "    account.shares = base.shares.copy()\n    account.soonest = Account().soonest\n",
        f"{_LEFT}[a key that is due-True]",
    ),
    mutant(
        "a rehearsal counts as if it had happened",
        "trikv.machine.fork",
        "    account.tally = account.lookups = Tally()  # what is rehearsed did not happen\n",
        "",
        _FIELDS,
    ),
    mutant(
        "a fork goes on when its base has changed",
        "trikv.machine.machine",
        "        assert (self._base.index, self._base.changes) == self._place,",
        "        assert True,",
        "machine/test_fork.py::test_a_fork_is_of_no_use_once_its_base_has_changed",
    ),
    mutant(
        "a deadline that goes and comes again is passed over",
        "trikv.machine.deadline_index",
        "        insort(self._added, one)\n",
        "        if one in self._removed:\n"
        "            self._removed.remove(one)\n"
        "        else:\n"
        "            insort(self._added, one)\n",
        "machine/test_deadline_index.py::test_it_is_as_a_sorted_list_would_be",
    ),
    mutant(
        "forks of a fork share what has come",
        "trikv.machine.deadline_index",
        " = self._added.copy(), self._removed.copy(), self._passed\n",
        " = self._added, self._removed.copy(), self._passed\n",
        "machine/test_deadline_index.py::test_it_is_as_a_sorted_list_would_be",
    ),
)
