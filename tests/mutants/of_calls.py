"""Mistakes in the context of a call, in what commands draw, and in entries that take several slices."""

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
        "            if number < _NEVER_ABOVE or number < (1 << DRAW_BITS) // bound * bound:\n",
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
        "trikv.machine.picking",
        "        number, place = _place_of(db, draws.below(db.size))\n",
        "        number = draws.below(BUCKETS)\n"
        "        while not db.buckets[number]:\n"
        "            number = (number + 1) % BUCKETS\n"
        "        place = draws.below(len(db.buckets[number]))\n",
        "machine/test_keyspace.py::test_every_key_is_picked_as_often_as_any_other",
    ),
    mutant(
        "a random key is looked for among all that are due",
        "trikv.machine.picking",
        "islice(_behind(db, number, place), LOOKED_AT_MAX)",
        "_behind(db, number, place)",
        "machine/test_keyspace.py::test_no_pick_goes_over_all_keys_that_are_due",
    ),
    mutant(
        "a random key is looked for where all are due",
        "trikv.machine.picking",
        "    if due == db.size:\n",
        "    if not db.size:\n",
        "machine/test_keyspace.py::test_no_pick_goes_over_all_keys_that_are_due",
    ),
    mutant(
        "a random key by its deadline may be due",
        "trikv.machine.picking",
        "db.deadlines[due + draws.below(coming)]",
        "db.deadlines[draws.below(coming)]",
        "machine/test_keyspace.py::test_no_pick_goes_over_all_keys_that_are_due",
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
        "        if command.denies_oom and account.is_over:\n",
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

INSIDE: tuple[Mutant, ...] = (
    mutant(
        "an entry of many submissions is one step",
        "trikv.machine.machine",
        "            if number < progress.count and is_over():\n",
        "            if False:\n",
        "machine/test_suspended.py::test_an_entry_stops_between_two_submissions",
    ),
    mutant(
        "commands that copy megabytes each are one step",
        "trikv.machine.evaluation",
        "        if call.view is READER or account.copied_bytes < COPIED_BYTES_MAX:\n",
        "        if True:\n",
        "machine/test_suspended.py::test_an_entry_stops_where_much_was_copied[pipeline-APPEND k x]",
    ),
    mutant(
        "a command that is met again after a pause has another position",
        "trikv.machine.evaluation",
        "        call.position -= 1  # the loop meets it again\n",
        "",
        "machine/test_suspended.py::test_an_entry_stops_where_much_was_copied[pipeline-APPEND k x]",
    ),
    mutant(
        "a pause for others is forgotten where it is the first of a submission",
        "trikv.machine.evaluation",
        "return replies if self._stopped is None else",
        "return replies if self._stopped is None or self._stopped[2] is None else",
        "machine/test_suspended.py::test_an_entry_stops_where_much_was_copied[pipeline-APPEND k x]",
    ),
    mutant(
        "what commands copy is not counted",
        "trikv.machine.commands.strings",
        "    db.account.copied_bytes += len(value)\n",
        "",
        "machine/test_suspended.py::test_an_entry_stops_where_much_was_copied[transaction-APPEND k x]",
    ),
    mutant(
        "each submission of an entry may answer as much as one alone",
        "trikv.machine.evaluation",
        "        if call.shown_bytes:\n",
        "        if False:\n",
        "machine/test_bounds.py::test_reads_of_one_entry_may_not_answer_without_end",
    ),
    mutant(
        "a submission may show one reply of any length, whatever others have taken",
        "trikv.machine.evaluation",
        "                    if call.shown_bytes > call.shown_bytes_end:\n",
        "                    if False:\n",
        "machine/test_bounds.py::test_reads_of_one_entry_may_not_answer_without_end",
    ),
    mutant(
        "the replies of one entry count for the next",
        "trikv.machine.machine",
        "        call.shown_bytes = 0\n",
        "",
        "machine/test_bounds.py::test_reads_of_one_entry_may_not_answer_without_end",
    ),
    mutant(
        "the applier never says that a slice is over",
        "trikv.node.state.applier",
        "self._apply_one(order, lambda: boot_ms() >= stop_ms)",
        "self._apply_one(order, lambda: False)",
        "node/state/test_applier.py::test_an_entry_of_many_submissions_takes_several_slices",
    ),
    mutant(
        "growth judged after the first change",
        "trikv.machine.evaluation",
        "        if would_not_fit(account, [(command, args)]):\n",
        "        if False:\n",
        "machine/test_suspended.py::test_growth_is_judged_before_the_first_change",
    ),
    mutant(
        "growth of a called command judged after its first change",
        "trikv.machine.call",
        "        if command.resumable and would_not_fit(account, [(command, args)]):\n",
        "        if False:\n",
        "machine/test_suspended.py::test_growth_of_a_called_command_is_judged_before_it_begins",
    ),
    mutant(
        "a resumable command that has changed something is an error reply",
        "trikv.machine.evaluation",
        "                reply = yield from steps\n"
        "            except Exception as problem:\n"
        "                if account.dirty or isinstance(problem, OF_PROCESS):\n",
        "                reply = yield from steps\n"
        "            except Exception as problem:\n"
        "                if isinstance(problem, OF_PROCESS):\n",
        "machine/test_suspended.py::test_a_bug_after_the_first_change_stops_the_node",
    ),
    mutant(
        "a cut inside an entry: a walk or a digest",
        "trikv.machine.machine",
        '        """All that `apply` can read besides the keys. Every walk and digest begins with it."""\n'
        "        assert not self.suspended, INSIDE\n",
        "",
        "machine/test_suspended.py::test_nothing_begins_inside_an_entry",
    ),
    mutant(
        "a cut inside an entry: a read",
        "trikv.machine.machine",
        "        assert not self.suspended, INSIDE\n        assert 0 <= db < DATABASES, db\n",
        "        assert 0 <= db < DATABASES, db\n",
        "machine/test_suspended.py::test_nothing_begins_inside_an_entry",
    ),
    mutant(
        "an entry inside an entry",
        "trikv.machine.machine",
        "        assert not self.suspended, INSIDE\n        assert index > self.index",
        "        assert index > self.index",
        "machine/test_suspended.py::test_nothing_begins_inside_an_entry",
    ),
    mutant(
        "a machine stays inside an entry that is whole",
        "trikv.machine.machine",
        "        self.suspended = False\n        return Whole(",
        "        return Whole(",
        "machine/test_suspended.py::test_a_command_stops_and_goes_on_where_it_was",
    ),
    mutant(
        "what stands behind a resumable command is left out",
        "trikv.machine.evaluation",
        "            replies += self._run(commands[len(replies) :])\n",
        "            replies += [None] * (len(commands) - len(replies))\n",
        "machine/test_suspended.py::test_a_command_stops_and_goes_on_where_it_was",
    ),
    mutant(
        "items behind a suspended submission are left out",
        "trikv.machine.machine",
        "            stopped = self._carry_out(progress)\n        self.suspended",
        "            stopped = None\n        self.suspended",
        "machine/test_suspended.py::test_a_command_stops_and_goes_on_where_it_was",
    ),
    mutant(
        "a long transaction does not stop between its commands",
        "trikv.machine.evaluation",
        "            if start:\n                yield\n",
        "            if start < 0:\n                yield\n",
        "machine/test_suspended.py::test_a_long_transaction_of_short_commands_stops_between_them",
    ),
    mutant(
        "position moved before the entry is whole",
        "trikv.node.state.applier",
        "                    self.inside = Inside(",
        "                    self.position = SnapshotMeta(entry.index, entry.term, membership)\n"
        "                    self.inside = Inside(",
        "node/state/test_applier_slices.py::test_a_position_moves_when_its_entry_is_whole",
    ),
    mutant(
        "an entry is carried out to its end in one slice",
        "trikv.node.state.applier",
        "inside.rest.resume(lambda: boot_ms() >= stop_ms)",
        "inside.rest.resume(lambda: False)",
        "node/state/test_applier_slices.py::test_other_tasks_run_between_two_slices",
    ),
    mutant(
        "the entry under way is not given up by a snapshot",
        "trikv.node.state.applier",
        "        if self.inside is None:\n            self._orders.append(order)\n            return\n",
        "        if order:\n            self._orders.append(order)\n            return\n",
        "node/state/test_applier_slices.py::test_a_snapshot_overtakes_the_entry_that_is_under_way",
    ),
    mutant(
        "the generator is not closed by a snapshot",
        "trikv.node.state.applier",
        "        self.inside.rest.close()\n",
        "",
        "node/state/test_applier_slices.py::test_a_snapshot_overtakes_the_entry_that_is_under_way",
    ),
    mutant(
        "reads lapse inside an entry",
        "trikv.node.state.applier",
        "        if self.inside is not None or self._left_ms > confirmed_by_ms:\n",
        "        if self._left_ms > confirmed_by_ms:\n",
        "node/state/test_applier_slices.py::"
        "test_reads_do_not_lapse_inside_an_entry_and_have_their_time_again_behind_it",
    ),
    mutant(
        "reads lapse as soon as an entry is whole",
        "trikv.node.state.applier",
        "        if self.inside is not None or self._left_ms > confirmed_by_ms:\n",
        "        if self.inside is not None:\n",
        "node/state/test_applier_slices.py::"
        "test_reads_do_not_lapse_inside_an_entry_and_have_their_time_again_behind_it",
    ),
    mutant(
        "long commands in a row leave no moment for a digest",
        "trikv.node.state.applier",
        "        return not self._lets_in\n",
        "        return True\n",
        "node/state/test_applier_slices.py::test_who_waits_for_the_end_of_an_entry_comes_before_the_next_one",
    ),
    mutant(
        "re-sent while the own applier is inside an entry",
        "trikv.node.consensus.proposals",
        '        """Rewind when nothing has moved for too long, or a nudge is due."""\n'
        "        if self._still_since_ms is not None:\n",
        "        if False:\n",
        "node/consensus/test_proposals_inside.py::test_progress_is_waited_for_again_behind_an_entry",
    ),
    mutant(
        "a new leader is sent everything again inside an entry",
        "trikv.node.consensus.proposals",
        "            self._nudge_due_ms = now_ms  # it is due, and `tick` does it when the time has come\n"
        "            return\n",
        "            pass\n",
        "node/consensus/test_proposals_inside.py::test_nothing_is_sent_again_or_given_up_inside_an_entry",
    ),
    mutant(
        "a client's time runs on inside an entry",
        "trikv.node.consensus.proposals",
        "            pending.deadline_ms = later(pending.deadline_ms)\n",
        "            pass\n",
        "node/consensus/test_proposals_inside.py::test_nothing_is_sent_again_or_given_up_inside_an_entry",
    ),
    mutant(
        "the driver does not notice that the applier is inside an entry",
        "trikv.node.consensus.driver",
        "        if (self._applier.inside is not None) is not self._proposals.stands_still:\n",
        "        if False:\n",
        "node/consensus/test_driver.py::test_no_client_is_given_up_while_the_applier_is_inside_an_entry",
    ),
    mutant(
        "a snapshot is taken inside an entry",
        "trikv.node.state.snapshotter",
        "            await applier.until_whole()  # from here to the walk nothing waits:"
        " it is of this very position\n",
        "",
        "node/state/test_snapshotter.py::test_no_document_is_begun_inside_an_entry",
    ),
    mutant(
        "a dump is written inside an entry",
        "trikv.node.state.snapshotter",
        "            await self._applier.until_whole()  # a state in mid-entry is no state:"
        " nothing is written of it\n",
        "",
        "node/state/test_snapshotter.py::test_no_document_is_begun_inside_an_entry",
    ),
    mutant(
        "a stop gives a long entry no time",
        "trikv.node.drain",
        "            self._phase_ends_s += now_s - self._looked_s\n",
        "",
        "node/test_drain.py::test_a_long_entry_stretches_the_phases_that_wait_for_it",
    ),
    mutant(
        "a stop's deadline passes while a long entry gets on",
        "trikv.node.drain",
        "            self._deadline_s = now_s + self._patience_s\n        self._looked_s",
        "        self._looked_s",
        "node/test_drain.py::test_a_long_entry_stretches_the_phases_that_wait_for_it",
    ),
    mutant(
        "a stop waits for the long commands of others without an end",
        "trikv.node.drain",
        "        if seen.slices != self._slices and self.phase in WAIT_FOR_THE_APPLIER:\n",
        "        if seen.slices != self._slices:\n",
        "node/test_drain.py::test_a_long_entry_stretches_the_phases_that_wait_for_it",
    ),
)

_ASKING = "front/commands/test_debugging.py"

WORK: tuple[Mutant, ...] = (
    mutant(
        "a command is proposed that older replicas do not know",
        "trikv.front.commands.debugging",
        "    if level < LONG_WORK:\n",
        "    if level < 0:\n",
        f"{_ASKING}::test_replicas_that_may_not_know_it_are_not_sent_it",
    ),
    mutant(
        "inside MULTI nobody asks whether a command may be proposed",
        "trikv.front.commands.debugging",
        "    return _refusal(caller, request.args) or Queued(",
        "    return Queued(",
        f"{_ASKING}::test_what_is_refused_spoils_a_transaction",
    ),
    mutant(
        "DEBUG is for clients of this machine wherever they are",
        "trikv.front.commands.debugging",
        '(enabled == "local" and _is_local(remote))',
        'enabled == "local"',
        f"{_ASKING}::test_the_setting_says_who_may_use_it",
    ),
    mutant(
        "a lease allows a read inside an entry",
        "trikv.node.consensus.lease_reads",
        "        if index is None or applier.position.index < index:\n",
        "        if index is None or applier.machine.index < index:\n",
        "node/test_whole_long_commands.py::test_nobody_sees_half_of_it[lease]",
    ),
    mutant(
        "DEBUG WORK shows its key when it is done",
        "trikv.machine.commands.debugging",
        "        refused = db.store(key",
        "        if step < steps:\n            yield\n            continue\n        refused = db.store(key",
        "machine/test_debugging.py::test_it_stops_behind_each_step_and_shows_it",
    ),
    mutant(
        "the growth of DEBUG WORK leaves its key out",
        "trikv.machine.commands.debugging",
        "    return _KEY_CHARGE_BYTES + _VALUE_BYTES\n",
        "    return _VALUE_BYTES\n",
        "machine/test_debugging.py::test_its_growth_is_judged_before_it_begins",
    ),
)

MUTANTS: tuple[Mutant, ...] = DRAWS + CALLED + INSIDE + WORK
