"""Mistakes in the state machine."""

from tests.mutants.mutant import ByTest, Edit, Mutant, mutant

ADMISSION: tuple[Mutant, ...] = (
    mutant(
        "no duplicate suppression",
        "trikv.machine.outcomes",
        "        if row.next != sequence:\n",
        "        if row.next < sequence:\n",
        "machine/test_machine.py::test_sequence_rules",
    ),
    mutant(
        "a gap in sequences applied",
        "trikv.machine.outcomes",
        "        if row.next != sequence:\n",
        "        if row.next > sequence:\n",
        "machine/test_machine.py::test_sequence_rules",
    ),
    mutant(
        "incarnation not compared",
        "trikv.machine.outcomes",
        "        if row.incarnation != incarnation:\n",
        "        if False:\n",
        "machine/test_machine.py::test_new_hello_replaces_the_life",
    ),
    mutant(
        "a repeated Hello opens a new life",
        "trikv.machine.outcomes",
        "        if row is None or (row.nonce != hello.nonce and row.incarnation != index):\n",
        "        if row is None or row.incarnation != index:\n",
        "machine/test_machine.py::test_repeated_hello_keeps_the_life",
    ),
    mutant(
        "a forgotten proposal uses no sequence",
        "trikv.machine.machine",
        "                    outcome = self._forgotten(item, number)\n",
        "                    outcome = Applied(item.incarnation, item.sequence, [], number)\n",
        "machine/test_machine.py::test_forgotten_uses_its_sequence",
    ),
)

SNAPSHOTS: tuple[Mutant, ...] = (
    mutant(
        "origin rows missing from the snapshot",
        "trikv.machine.machine",
        "                for origin, row in sorted(self._origins.rows.items())\n",
        "                for origin, row in ()\n",
        "machine/test_snapshot.py::test_rows_and_settings_come_back",
    ),
    mutant(
        "snapshot written with a later index than its state",
        "trikv.machine.machine",
        "            index=self.index,\n",
        "            index=self.index + 1,\n",
        "machine/test_snapshot.py::test_round_trip",
    ),
    mutant(
        "snapshot written with a later index than its state: the walk sees later writes",
        "trikv.machine.cut",
        "kept = held[number] = bucket.copy() if bucket else _EMPTY",
        "kept = bucket",
        "machine/test_snapshot.py::test_walk_shows_the_instant_of_its_start",
    ),
    mutant(
        "iteration order from a set",
        "trikv.machine.cut",
        "                    step += leaf.items()\n",
        "                    step += {key: leaf[key] for key in set(leaf)}.items()\n",
        "machine/test_mutant_order.py::test_a_bucket_keeps_the_order_in_which_its_keys_came",
    ),
)

TIME: tuple[Mutant, ...] = (
    mutant(
        "TTL by the local clock",
        "trikv.machine.machine",
        "        account.now = max(account.now, batch.stamp_ms)\n",
        '        account.now = __import__("time").time_ns() // 1_000_000\n',
        "machine/test_keyspace.py::test_expiry_is_judged_by_log_time",
    ),
    mutant(
        "log time goes back at election: the machine follows",
        "trikv.machine.machine",
        "        account.now = max(account.now, batch.stamp_ms)\n",
        "        account.now = batch.stamp_ms\n",
        "machine/test_machine.py::test_log_time_never_goes_back",
    ),
    mutant(
        "live() differs between two commands",
        "trikv.machine.lookups",
        "        return not deadline or deadline > self.account.now\n",
        "        return not deadline or deadline >= self.account.now\n",
        "machine/test_mutant_order.py::test_every_command_agrees_on_the_instant_of_expiry",
    ),
    mutant(
        "live() differs between two commands: KEYS",
        "trikv.machine.cut",
        "one in entries if not (deadline := deadline_of(one)) or deadline > now_ms]",
        "one in entries if not (deadline := deadline_of(one)) or deadline >= now_ms]",
        "machine/test_mutant_order.py::test_every_command_agrees_on_the_instant_of_expiry",
    ),
)

MEMORY: tuple[Mutant, ...] = (
    mutant(
        "account leak on overwrite",
        "trikv.machine.database",
        "            grown -= self._charge(key, old)\n",
        "            grown -= account.charges.key(len(key), value_bytes_of(old), 0)\n",
        "machine/test_strings.py::test_deadlines_of_set",
    ),
    mutant(
        "a later bootstrap item changes the cap",
        "trikv.machine.machine",
        "        if not account.is_founded:\n",
        "        if True:\n",
        "machine/test_machine.py::test_bootstrap_is_obeyed_once",
    ),
    mutant(
        "deadlines pass the cap in a cluster that was founded without the room for them",
        "trikv.machine.account",
        "        return self.cap // SPARE_PARTS if self.feature_level >= SPARE_ROOM else 0\n",
        "        return self.cap // SPARE_PARTS\n",
        "machine/test_full_memory.py::test_a_cluster_keeps_the_level_that_it_was_founded_at",
    ),
    mutant(
        "a cluster of an older level charges what this release charges",
        "trikv.machine.memory",
        "    return _PACKED if feature_level >= PACKED_VALUES else _FIRST\n",
        "    return _PACKED\n",
        "machine/test_memory.py::test_a_cluster_of_an_older_level_keeps_its_charges",
    ),
    mutant(
        "a restored snapshot is charged as by another level",
        "trikv.machine.snapshot",
        "            self._begin()\n            self._end_value()\n",
        "            self._end_value()\n",
        "machine/test_memory.py::test_a_restored_snapshot_is_charged_the_same[3]",
    ),
    mutant(
        "a long string is cut in the middle of a character",
        "trikv.machine.codec",
        "            while last < len(value) and value[last] & 0xC0 == 0x80:",
        "            while False:",
        "machine/test_snapshot.py::test_a_long_string_is_written_in_pieces",
    ),
    mutant(
        "long names are written in one piece",
        "trikv.machine.codec",
        "        size += len(key) + len(value) + LINE_OVERHEAD_BYTES\n",
        "        size += len(value) + LINE_OVERHEAD_BYTES\n",
        "machine/test_snapshot.py::test_long_names_are_written_in_pieces",
    ),
    mutant(
        "a long string is written in one piece",
        "trikv.machine.codec",
        "        if len(value) > PIECE_BYTES:\n",
        "        if False:\n",
        "machine/test_snapshot.py::test_a_long_string_is_written_in_pieces",
    ),
    mutant(
        "a deadline in a damaged document ends the node",
        "trikv.machine.codec",
        "_Number: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]\n",
        "_Number: TypeAlias = int\n",
        "machine/test_snapshot.py::test_no_number_in_a_document_is_another_error",
    ),
    mutant(
        "a seed in a damaged document ends the node",
        "trikv.machine.codec",
        "        if self.bucket_seed >> 8 * SEED_BYTES:",
        "        if False:",
        "machine/test_snapshot.py::test_no_number_in_a_document_is_another_error",
    ),
    mutant(
        "a number in a damaged value meets the digest",
        "trikv.machine.codec",
        "    if isinstance(element, int) and not -(2**63) <= element < 2**64:\n",
        "    if False:\n",
        "machine/test_snapshot.py::test_no_number_in_a_document_is_another_error",
    ),
    mutant(
        "a damaged document of lists in lists ends the node",
        "trikv.machine.codec",
        "        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:\n",
        "        except (msgspec.DecodeError, UnicodeDecodeError) as problem:\n",
        "machine/test_snapshot.py::test_lists_in_lists_without_end_are_refused",
    ),
    mutant(
        "a value that is not packed is charged as one that is",
        "trikv.machine.memory",
        "        return value_bytes + self.long_bytes if value_bytes > PACKED_BYTES_MAX else value_bytes\n",
        "        return value_bytes\n",
        "machine/test_memory.py::test_what_is_not_packed_is_charged_more",
    ),
    mutant(
        "above the cap nobody notices",
        "trikv.machine.account",
        "NO_LIMIT)\n        self.is_over = self.used > self.limit\n",
        "NO_LIMIT)\n",
        "machine/test_memory.py::test_cap_below_the_data",
    ),
    mutant(
        "GET finds a key that is due",
        "trikv.machine.lookups",
        "        return None if deadline and deadline <= self.account.now else _string_of(value_of(one))\n",
        "        return _string_of(value_of(one))\n",
        "machine/test_mutant_order.py::test_every_command_agrees_on_the_instant_of_expiry",
    ),
    mutant(
        "deadlines pass the cap without an end",
        "trikv.machine.account",
        "        limit = self.limit + self.spare if is_spared else self.limit\n",
        "        limit = NO_LIMIT if is_spared else self.limit\n",
        "machine/test_full_memory.py::test_deadlines_pass_the_cap_by_an_eighth_at_most",
    ),
    mutant(
        "a transaction meets the cap half-way",
        "trikv.machine.evaluation",
        "        if would_not_fit(self._space.account, found):\n            return EXEC_OOM\n",
        "",
        "machine/test_memory.py::test_every_growing_command_respects_the_cap[SETEX n 5 v]",
    ),
)

COMMANDS: tuple[Mutant, ...] = (
    mutant(
        "a pipelined GET sees its own later SET",
        "trikv.machine.evaluation",
        "            replies = self._run(commands)\n            return",
        "            replies = [\n"
        "                self._run([args])[0] if getattr(self._table.find(args), 'reads', False) else reply\n"
        "                for args, reply in zip(commands, self._run(commands), strict=True)\n"
        "            ]\n"
        "            return",
        "machine/test_machine.py::test_reads_inside_a_submission_see_what_precedes_them",
    ),
    mutant(
        "WATCH checked at propose time",
        "trikv.machine.evaluation",
        "        if not all(self._is_unchanged(watch) for watch in watches):\n            return None\n",
        "",
        "machine/test_machine.py::test_watch",
    ),
    mutant(
        "WATCH checked at propose time: versions do not rise",
        "trikv.machine.database",
        "            self._index_fields(before, soonest, key)\n"
        "        bucket[key] = held(value, account.changes, deadline)\n",
        "            self._index_fields(before, soonest, key)\n"
        "        bucket[key] = held(value, stored(old).version if old else account.changes, deadline)\n",
        "machine/test_machine.py::test_watch_sees_whatever_changes_a_key",
    ),
    mutant(
        "a run of SETs changes what a snapshot is being written of",
        "trikv.machine.database",
        "            or account.observers\n            or account.changes",
        "            or account.changes",
        "machine/test_runs.py::test_a_walk_sees_the_state_of_its_beginning",
    ),
    mutant(
        "a run of SETs passes the cap",
        "trikv.machine.database",
        "        room, entry_bytes = account.limit - account.used, ",
        "        room, entry_bytes = 2**62, ",
        "machine/test_runs.py::test_a_replica_with_it_and_one_without_are_equal",
    ),
    mutant(
        "a run of SETs counts for one command",
        "trikv.machine.evaluation",
        "        call.position += done\n",
        "        call.position += 1\n",
        "machine/test_runs.py::test_a_run_is_as_many_commands_as_it_has",
    ),
    mutant(
        "a SET that only overwrites leaves the change counter as it was",
        "trikv.machine.database",
        "        account.changes += len(done)\n",
        "        account.changes += fresh\n",
        "machine/test_runs.py::test_a_replica_with_it_and_one_without_are_equal",
    ),
    mutant(
        "a command counts on every node",
        "trikv.machine.evaluation",
        "self._elsewhere if view is REPLICA else account.tally",
        "account.tally",
        "machine/test_tally.py::test_only_the_clients_node_counts",
    ),
    Mutant(
        "a command counts on every node: its calls too",
        (
            Edit(
                "trikv.machine.evaluation",
                "self._elsewhere if view is REPLICA else account.tally",
                "account.tally",
            ),
            Edit(
                "trikv.machine.evaluation",
                "if not has_client:\n                self",
                "if False:\n                self",
            ),
        ),
        ByTest("machine/test_tally.py::test_only_the_clients_node_counts"),
    ),
    mutant(
        "the time of other nodes' commands is taken off for ever",
        "trikv.machine.evaluation",
        "            own.spent(usec, self._others)\n        self._others = 0\n",
        "            own.spent(usec, self._others)\n",
        "machine/test_tally.py::test_time_is_shared_by_what_ran_together",
    ),
    mutant(
        "another tally counts only after the next change of view",
        "trikv.machine.evaluation",
        "        self._change_view(self.call.view)\n",
        "        pass\n",
        "machine/test_tally.py::test_another_tally_counts_from_then_on",
    ),
    mutant(
        "commands of other nodes' clients take no time",
        "trikv.machine.evaluation",
        "            if not has_client:\n                self._others += 1\n",
        "            if not has_client:\n                pass\n",
        "machine/test_tally.py::test_time_is_shared_by_what_ran_together",
    ),
    mutant(
        "a machine that a snapshot brings counts anew",
        "trikv.machine.evaluation",
        "        self._space.account.tally = tally\n",
        "        pass\n",
        "machine/test_tally.py::test_counts_are_no_state",
    ),
    mutant(
        "a failing handler that has changed something is an error reply",
        "trikv.machine.evaluation",
        "reply = self._long(command, args, reply)\n"
        "            except Exception as problem:\n"
        "                if account.dirty or isinstance(problem, OF_PROCESS):\n",
        "reply = self._long(command, args, reply)\n"
        "            except Exception as problem:\n"
        "                if isinstance(problem, OF_PROCESS):\n",
        "machine/test_machine.py::test_poison_in_the_mutation_crashes",
    ),
)

MUTANTS = ADMISSION + SNAPSHOTS + TIME + MEMORY + COMMANDS
