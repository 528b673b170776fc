"""Mistakes in what an entry tells those who wait, and in how they hear of it."""

from tests.mutants.mutant import Mutant, mutant

TOLD: tuple[Mutant, ...] = (
    mutant(
        "a write that is refused has an effect",
        "trikv.machine.database",
        "        refused = account.refusal(grown)\n"
        "        if refused is None:\n"
        "            self._put(number, key, old, value",
        "        refused = account.refusal(grown)\n"
        "        account.effects.touched(self.number, key, WRITTEN)\n"
        "        if refused is None:\n"
        "            self._put(number, key, old, value",
        "machine/test_effects.py::test_a_write_that_is_refused_or_finds_nothing_tells_nothing",
    ),
    mutant(
        "a key expires without an effect",
        "trikv.machine.database",
        "        if self.awaited:\n            account.effects.touched(self.number, key, REMOVED if",
        "        if self.awaited and self.is_live(old):\n"
        "            account.effects.touched(self.number, key, REMOVED if",
        "machine/test_effects.py::test_a_reaped_key_has_expired",
    ),
    mutant(
        "a run of SETs tells nobody",
        "trikv.machine.database",
        "            account.effects.set_in_a_row(self.number, done)\n",
        "            pass\n",
        "machine/test_effects.py::test_a_run_in_c_tells_what_the_loop_tells",
    ),
    mutant(
        "a run of SETs counts and tells of those behind it, too",
        "trikv.machine.database",
        "        self._has_run(commands[:done], grown, fresh)\n",
        "        self._has_run(commands if done else (), grown, fresh)\n",
        "machine/test_effects.py::test_a_run_in_c_tells_what_the_loop_tells",
    ),
    mutant(
        "a value that changes in place tells nobody",
        "trikv.machine.database",
        "        account.grow(self.number, grown)\n"
        "        if self.awaited:\n"
        "            account.effects.touched(self.number, key, WRITTEN)\n"
        "\n"
        "    def restore",
        "        account.grow(self.number, grown)\n\n    def restore",
        "machine/test_effects.py::test_what_became_of_a_key",
    ),
    mutant(
        "a flush tells nobody",
        "trikv.machine.database",
        "            account.effects.emptied(self)\n",
        "            pass\n",
        "machine/test_effects.py::test_what_became_of_a_key",
    ),
    mutant(
        "effects have the place of their entry alone",
        "trikv.machine.machine",
        "                        effects.item = number\n",
        "",
        "machine/test_effects.py::test_effects_bear_their_place_in_the_log",
    ),
    mutant(
        "a suspended entry forgets its effects",
        "trikv.machine.machine",
        "Whole(progress.outcomes, self.space.account.effects.take())",
        "Whole(progress.outcomes, ())",
        "machine/test_effects.py::test_effects_come_when_the_entry_is_whole",
    ),
    mutant(
        "a machine that is left tells of its emptying",
        "trikv.machine.machine",
        "        self.space.tell_nobody()\n",
        "",
        "machine/test_effects.py::test_a_retired_machine_tells_nothing",
    ),
    mutant(
        "what one item did to a key is told a thousand times",
        "trikv.machine.effects",
        "        if not happened or happened[-1] != effect:\n",
        "        if True:\n",
        "machine/test_effects.py::test_a_row_of_the_same_change_is_told_once",
    ),
    mutant(
        "what may be published is counted only where somebody listens",
        "trikv.machine.effects",
        "        self.room -= size\n        listened = self.awaited.channels\n"
        "        if channel in listened or ALL in listened:\n",
        "        listened = self.awaited.channels\n"
        "        if channel in listened or ALL in listened:\n"
        "            self.room -= size\n",
        "machine/test_effects.py::test_an_entry_publishes_no_more_bytes_than_it_brought",
    ),
    mutant(
        "a command that failed has sent a message",
        "trikv.machine.call",
        "        if refused is None:\n            self.space.account.dirty = True\n",
        "",
        "machine/test_effects.py::test_a_message_cannot_be_taken_back",
    ),
)

HEARD: tuple[Mutant, ...] = (
    mutant(
        "an effect is lost between look and park",
        "trikv.node.audience",
        "        if effect.place <= self._seen or",
        "        if not self._is_parked or effect.place <= self._seen or",
        "node/test_audience.py::test_an_effect_between_a_look_and_a_park_is_not_lost",
    ),
    mutant(
        "a look by a write has seen its whole entry",
        "trikv.node.audience",
        "        if effect.place <= self._seen or",
        "        if effect.place[0] <= self._seen[0] or",
        "node/test_audience.py::test_a_look_by_a_write_has_its_place_in_its_entry",
    ),
    mutant(
        "who missed an effect may park all the same",
        "trikv.node.audience",
        "        if self._missed_at <= self._seen:\n            self._missed_at = NOWHERE\n",
        "        self._missed_at = NOWHERE\n",
        "node/test_audience.py::test_it_is_woken_once_until_it_parks_again",
    ),
    mutant(
        "who came first is woken last",
        "trikv.node.audience",
        "        for listener in woken:\n",
        "        for listener in reversed(woken):\n",
        "node/test_audience.py::test_who_came_first_is_woken_first_and_keeps_his_place",
    ),
    mutant(
        "a slow listener is kept everything for",
        "trikv.node.audience",
        " and self._kept_bytes + size <= self._room_bytes:\n",
        ":\n",
        "node/test_audience.py::test_what_is_not_taken_in_time_is_missed_and_that_is_told",
    ),
    mutant(
        "a gap is in the middle of what a listener takes",
        "trikv.node.audience",
        "        if self._missed_at == NOWHERE and self._kept_bytes",
        "        if self._kept_bytes",
        "node/test_audience.py::test_what_is_not_taken_in_time_is_missed_and_that_is_told",
    ),
    mutant(
        "a listener that leaves is awaited for ever",
        "trikv.node.audience",
        "            del self._names(topic)[topic[1]]\n",
        "",
        "node/test_audience.py::test_the_machine_is_asked_for_what_is_awaited_and_no_more",
    ),
    mutant(
        "the first who leaves takes the name away from all",
        "trikv.node.audience",
        "            del self._lines[topic]\n            del self._names(topic)[topic[1]]\n",
        "            del self._lines[topic]\n        self._names(topic).pop(topic[1], None)\n",
        "node/test_audience.py::test_the_machine_is_asked_for_what_is_awaited_and_no_more",
    ),
    mutant(
        "a swap wakes nobody",
        "trikv.node.state.applier",
        "        self._audience.installed(order.meta.index)\n",
        "",
        "node/state/test_applier.py::test_a_snapshots_machine_tells_whom_the_old_one_told",
    ),
    mutant(
        "a snapshot's machine knows nobody",
        "trikv.node.state.applier",
        "        order.machine.tell_of(self._audience.awaited)\n",
        "",
        "node/state/test_applier.py::test_a_snapshots_machine_tells_whom_the_old_one_told",
    ),
    mutant(
        "effects of an entry that is not whole",
        "trikv.node.state.applier",
        "        if came is None:\n            return False\n",
        "        if came is None:\n"
        "            self._audience.route(self.machine.space.account.effects.take())\n"
        "            return False\n",
        "node/state/test_applier_slices.py::test_who_waits_hears_of_an_entry_when_it_is_whole",
    ),
    mutant(
        "who waits hears of a write before its client does",
        "trikv.node.state.applier",
        "        for outcome in came.outcomes:\n",
        "        self._audience.route(came.effects)\n        for outcome in came.outcomes:\n",
        "node/state/test_applier.py::test_who_waits_hears_behind_the_replies_of_the_entry",
    ),
    mutant(
        "who keeps effects has seen all of the entry that he looked in",
        "trikv.node.audience",
        "        self._keep([effect for effect in self._kept if effect.place > self._seen])\n",
        "        self._keep([effect for effect in self._kept if effect.place[0] > self._seen[0]])\n",
        "node/test_audience.py::test_a_look_by_a_write_has_its_place_in_its_entry",
    ),
)

MUTANTS: tuple[Mutant, ...] = TOLD + HEARD
