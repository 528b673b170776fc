"""Mistakes in commands, databases, deadlines and documents: what only a workload of every command meets."""

from tests.mutants.mutant import Mutant, mutant

DATABASES: tuple[Mutant, ...] = (
    mutant(
        "the digest covers the first database alone",
        "trikv.machine.digest",
        "    for db in space.databases:\n        whole.update",
        "    for db in space.databases[:1]:\n        whole.update",
        "machine/test_keyspace.py::test_digest_covers_every_database",
    ),
    mutant(
        "the recount covers the first database alone",
        "trikv.machine.keyspace",
        "        return sum(db.recount() for db in self.databases)\n",
        "        return self.databases[0].recount()\n",
        "machine/test_keyspace.py::test_every_database_is_counted_reaped_and_walked",
    ),
    mutant(
        "only the first database's due keys are reaped",
        "trikv.machine.keyspace",
        "        for db in self.databases:\n            if db.size:\n",
        "        for db in self.databases[:1]:\n            if db.size:\n",
        "machine/test_keyspace.py::test_every_database_is_counted_reaped_and_walked",
    ),
    mutant(
        "only the first database's deadlines wake the leader",
        "trikv.machine.keyspace",
        "        deadline = self._next_due()[0]\n",
        "        deadline = min((due[0] for due in self.databases[0].deadlines), default=NEVER)\n",
        "machine/test_keyspace.py::test_every_database_is_counted_reaped_and_walked",
    ),
    mutant(
        "a snapshot holds the first database alone",
        "trikv.machine.machine",
        "Walk(Cut(self.space.databases)",
        "Walk(Cut(self.space.databases[:1])",
        "machine/test_keyspace.py::test_every_database_is_counted_reaped_and_walked",
    ),
    mutant(
        "FLUSHALL empties the selected database alone",
        "trikv.machine.commands.databases",
        "    for db in call.space.databases:\n        db.flush()\n",
        "    call.db.flush()\n",
        "machine/test_keys.py::test_flushing_one_database_or_all",
    ),
    mutant(
        "a submission begins in the database that the last one has selected",
        "trikv.machine.evaluation",
        "        call.db = self._space.databases[db]\n",
        "        call.db = self._space.databases[db] if db else call.db\n",
        "machine/test_machine.py::test_select_moves_the_rest_of_a_submission",
    ),
    mutant(
        "a SELECT in a pipeline is forgotten with it",
        "trikv.front.commands.connection",
        "    caller.connection.database = database\n    if turn.commands:\n",
        "    if not turn.commands:\n        caller.connection.database = database\n    if turn.commands:\n",
        "front/test_conversation.py::test_select_holds_for_what_follows",
    ),
    mutant(
        "a SELECT at the head of a pipeline is meant for the next",
        "trikv.front.commands.connection",
        "    turn.database = database\n",
        "",
        "front/test_conversation.py::test_select_at_the_head_of_a_pipeline_holds_for_all_of_it",
    ),
    mutant(
        "a SELECT inside MULTI holds before its EXEC",
        "trikv.front.commands.connection",
        "    after = partial(_selected, caller, request.args)\n",
        "    after = partial(_selected, caller, request.args)\n"
        "    caller.connection.database = int(request.args[1])\n",
        "front/test_transaction.py::test_select_inside_holds_only_if_the_transaction_took_place",
    ),
    mutant(
        "a read is answered from the first database: of more than one key",
        "trikv.node.state.applier",
        "read(work.db, work.commands, at_ms",
        "read(0, work.commands, at_ms",
        "node/test_whole_commands.py::test_every_database_is_served_by_every_node",
    ),
    mutant(
        "RESET leaves the database",
        "trikv.front.commands.connection",
        "    connection.database = 0\n    connection.resp_version = 2\n",
        "    connection.resp_version = 2\n",
        "front/commands/test_connection.py::test_quit_and_reset_need_no_password",
    ),
    mutant(
        "a WATCH is of the first database",
        "trikv.front.commands.transactions",
        "caller.transactions.watch(caller.connection.database, args[1:], versions)",
        "caller.transactions.watch(0, args[1:], versions)",
        "front/test_transaction.py::test_watch_is_by_database",
    ),
    mutant(
        "UNWATCH forgets nothing",
        "trikv.front.commands.transactions",
        "    caller.transactions.unwatch()\n",
        "",
        "front/test_transaction.py::test_unwatch_forgets",
    ),
)

DEADLINES: tuple[Mutant, ...] = (
    mutant(
        "a removed key's deadline stays in the index",
        "trikv.machine.database",
        "        if deadline:\n            self._forget_deadline(deadline, key)\n        account.changes",
        "        account.changes",
        "machine/test_keyspace.py::test_write_over_a_due_key_starts_afresh",
    ),
    mutant(
        "RENAME drops the deadline",
        "trikv.machine.commands.keys",
        "        db.put_unchecked(newkey, entry.value, entry.deadline)\n",
        "        db.put_unchecked(newkey, entry.value)\n",
        "machine/test_keys.py::test_rename_takes_deadline_and_place",
    ),
    mutant(
        "a deadline in the past leaves the key",
        "trikv.machine.commands.expiry",
        "    if when <= db.account.now:\n        db.drop(key)\n        return 1\n",
        "    if when <= db.account.now:\n        return 1\n",
        "machine/test_keys.py::test_expire_in_all_units",
    ),
    mutant(
        "SET until a past time leaves the old value",
        "trikv.machine.commands.strings",
        "        if refused is None:\n            db.drop(key)\n        return refused\n",
        "        return refused\n",
        "machine/test_strings.py::test_deadlines_of_set",
    ),
    mutant(
        "GETSET keeps the deadline",
        "trikv.machine.commands.strings",
        "    refused = db.store(key, value)\n    return old if refused",
        "    refused = replace(db, key, value)\n    return old if refused",
        "machine/test_strings.py::test_getset_removes_the_deadline",
    ),
    mutant(
        "SET with KEEPTTL loses the deadline",
        "trikv.machine.commands.strings",
        "        when = entry.deadline\n    refused",
        "        when = 0\n    refused",
        "machine/test_strings.py::test_deadlines_of_set",
    ),
)

ACTS: tuple[Mutant, ...] = (
    mutant(
        "WAIT counts the leader among the others",
        "trikv.node.operations",
        "        return max(0, held - 1)\n",
        "        return max(0, held)\n",
        "node/test_whole_commands.py::test_wait_tells_on_how_many_disks_the_last_write_is",
    ),
    mutant(
        "WAIT answers at once",
        "trikv.node.operations",
        "            while not is_enough(held) and not operation.abandoned:\n",
        "            while False:\n",
        "node/test_whole_commands.py::test_wait_tells_on_how_many_disks_the_last_write_is",
    ),
    mutant(
        "a BACKUP does not wait for what was acknowledged",
        "trikv.node.operations",
        "                reply = await self._after_barrier(self._backup)\n",
        "                reply = await self._backup()\n",
        "node/test_whole_commands.py::test_backup_of_a_node_that_is_cut_off_waits_until_it_has_caught_up",
    ),
    mutant(
        "a SCAN leaves keys out where a page ends",
        "trikv.machine.scanning",
        "                return place << CRC_BITS | start, found\n",
        "                return place << CRC_BITS | (number + 1) << BUCKET_SHIFT, found\n",
        "machine/test_keyspace.py::test_scan_returns_what_stays",
    ),
    mutant(
        "DECRBY adds",
        "trikv.machine.commands.counters",
        "    return _add(db, key, -difference)\n",
        "    return _add(db, key, difference)\n",
        "machine/test_strings.py::test_counters_count",
    ),
)

MUTANTS = DATABASES + DEADLINES + ACTS
