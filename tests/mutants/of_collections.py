"""Mistakes in values of many elements: what cuts, copies and replicas see, and what is charged."""

from tests.mutants.mutant import ByTest, Edit, Mutant, mutant

_SNAPSHOT = "machine/test_collections.py::test_a_snapshot_shows_its_instant"
_REPLICA = "machine/test_collections.py::test_a_restored_replica_goes_on_as_the_one_that_replayed_the_log"
_COPY = "machine/test_collections.py::test_a_copy_and_its_original_part"
_ACCOUNT = "machine/test_collections.py::test_the_account_is_what_the_elements_are_charged"
_STREAM = "machine/test_collections.py::test_a_long_read_shows_the_instant_of_its_call"
_EQUAL = "machine/test_collections.py::test_an_equal_score_changes_nothing"
_SCORES = "machine/test_collections.py::test_scores_are_numbers"
_FREED = "machine/test_collections.py::test_a_value_that_goes_is_freed_in_slices"
_ROOM = "machine/test_collections.py::test_no_room_is_said_before_anything_is_done"

MUTANTS: tuple[Mutant, ...] = (
    mutant(
        "a part missed by a first-write copy: of a list",
        "trikv.machine.values.list",
        "        return part if isinstance(part, bytes) else part.copy()\n",
        "        return part\n",
        f"{_SNAPSHOT}[3000-list]",
    ),
    mutant(
        "a part missed by a first-write copy: the places of a list's elements",
        "trikv.machine.values.list",
        "        self.starts, self.sizes = self.starts.copy(), self.sizes.copy()\n",
        "        pass\n",
        "machine/test_collections.py::test_a_range_of_a_list_is_that_of_its_call",
    ),
    mutant(
        "a part missed by a first-write copy: the order of a sorted set",
        "trikv.machine.values.sorted_set",
        "        self.index = self.index.twin()\n",
        "        pass\n",
        f"{_STREAM}[zset]",
    ),
    mutant(
        "a part missed by a first-write copy: a chunk of the order of a sorted set",
        "trikv.machine.values.score_index",
        "        if not self.own[chunk]:\n",
        "        if False:\n",
        f"{_STREAM}[zset]",
    ),
    mutant(
        "a read that goes on holds nothing",
        "trikv.machine.hold",
        "        db.account.epoch += 1\n",
        "",
        f"{_STREAM}[hash]",
    ),
    mutant(
        "a read that has ended goes on holding",
        "trikv.machine.hold",
        "        account.holds -= 1\n",
        "",
        f"{_STREAM}[hash]",
    ),
    mutant(
        "a read that goes on counts the whole value as soon as one part was changed",
        "trikv.machine.hold",
        "set(map(id, live.released())) if isinstance(live, Value) else set()",
        "set()",
        f"{_STREAM}[set]",
    ),
    mutant(
        "a split at another size on a restored replica",
        "trikv.machine.values.members",
        "        self.count += names\n",
        "        self.count += names // 2\n",
        f"{_REPLICA}[3000-set]",
    ),
    mutant(
        "a split at another size on a restored replica: the next part to split",
        "trikv.machine.values.members",
        "        one.level, one.split = shape\n",
        "        one.level, one.split = shape[0], 0\n",
        f"{_REPLICA}[3000-hash]",
    ),
    mutant(
        "SPOP by set order",
        "trikv.machine.commands.sets",
        "    member, _ = set_.drawn(draws)\n",
        "    member = next(iter(set(set_.parts[0])))\n",
        "machine/test_collections.py::test_a_pop_is_decided_by_the_entry",
    ),
    mutant(
        "a score compared as text",
        "trikv.machine.values.score_index",
        "        least = bisect_left(scores, score)\n        return",
        "        least = bisect_left(scores, str(score), key=str)\n        return",
        _SCORES,
    ),
    mutant(
        "-0.0: it is another score than zero",
        "trikv.machine.values.sorted_set",
        "        belonging += 0.0\n",
        "",
        _SCORES,
    ),
    Mutant(
        "a zset index not updated by ZADD CH of an equal score",
        (
            Edit(
                "trikv.machine.values.sorted_set",
                "        if old is not None:\n            member = self.index.remove",
                "        if old is not None and old != belonging:\n            member = self.index.remove",
            ),
            Edit(
                "trikv.machine.commands.sorted_sets",
                "in changes.items() if stored[member] != score}\n",
                "in changes.items()} or dict(map(reversed, pairs))\n",
            ),
        ),
        ByTest(f"{_EQUAL}[3000]"),
    ),
    mutant(
        "a member that goes stays in the order",
        "trikv.machine.values.sorted_set",
        "        score = super().remove(member)\n        if score is not None:\n",
        "        score = super().remove(member)\n        if score:\n",
        f"{_REPLICA}[3000-zset]",
    ),
    mutant(
        "account drift by HSET of an existing field",
        "trikv.machine.values.members",
        "            self.charge -= self.element_bytes(member, part[member])\n",
        "            pass\n",
        f"{_ACCOUNT}[3000-hash]",
    ),
    mutant(
        "account drift by LREM",
        "trikv.machine.values.list",
        "                self.size -= len(element) * len(found)\n",
        "                self.size -= len(element)\n",
        f"{_ACCOUNT}[3000-list]",
    ),
    mutant(
        "account drift by LTRIM",
        "trikv.machine.values.list",
        "        self.size -= sum(self.sizes[:left]) + sum(self.sizes[right + 1 :])\n",
        "",
        f"{_ACCOUNT}[3000-list]",
    ),
    mutant(
        "account drift by SPOP count",
        "trikv.machine.commands.sets",
        "        gone = [_popped(set_, call.draws) for _ in range(wanted)]\n        db.changed(key, set_)\n",
        "        gone = [_popped(set_, call.draws) for _ in range(wanted)]\n",
        f"{_ACCOUNT}[3000-set]",
    ),
    mutant(
        "account drift by ZREMRANGE",
        "trikv.machine.values.members",
        "        self.charge -= self.element_bytes(member, belonging)\n        if self.count",
        "        if self.count",
        f"{_ACCOUNT}[3000-zset]",
    ),
    mutant(
        "RENAME of a collection over another that is not released",
        "trikv.machine.database",
        "            self._discard(old, None)\n",
        "",
        f"{_FREED}[set]",
    ),
    mutant(
        "a write to a copy that changes the original",
        "trikv.machine.values.value",
        "        self.owners = [_SHARED] * len(self.parts)\n",
        "",
        f"{_COPY}[3000-hash]",
    ),
    mutant(
        "a write to a copy that changes the original: the order of a sorted set",
        "trikv.machine.values.score_index",
        "        self.own = [False] * len(self.counts)\n        twin",
        "        twin",
        f"{_COPY}[3000-zset]",
    ),
    mutant(
        "a value in parts grows past the cap",
        "trikv.machine.commands.elements",
        "    if value.is_small:\n        return None\n",
        "    if value:\n        return None\n",
        f"{_ROOM}[3000-hash]",
    ),
    mutant(
        "a small value grows past the cap",
        "trikv.machine.database",
        "        refused = self.account.refusal(grown, is_spared=is_spared)\n        if refused is None:\n"
        "            self._put(number, key, old, form",
        "        refused = None\n        if refused is None:\n            self._put(number, key, old, form",
        f"{_ROOM}[20-hash]",
    ),
    mutant(
        "SMOVE is refused at full memory",
        "trikv.machine.commands.sets",
        "db.changed(destination, other, is_spared=True)",
        "db.changed(destination, other)",
        "machine/test_full_memory.py::test_at_the_cap_what_differs_is_listed[SMOVE set more c]",
    ),
    mutant(
        "what a command of a later level does is done on a cluster of an older one",
        "trikv.machine.machine",
        "            self._evaluator.know(item.feature_level)\n",
        "",
        "machine/test_machine.py::test_what_a_cluster_of_an_older_level_does_not_know_changes_nothing[3]",
    ),
    mutant(
        "a restored replica of an older cluster knows later commands",
        "trikv.machine.machine",
        "        self._evaluator.know(account.feature_level)\n",
        "",
        "machine/test_machine.py::test_what_a_cluster_of_an_older_level_does_not_know_changes_nothing[3]",
    ),
    mutant(
        "after SWAPDB the old contents stay selected",
        "trikv.machine.commands.databases",
        "    call.db = call.space.databases[selected]\n    return OK\n\n\ndef _flush_mode",
        "    return OK\n\n\ndef _flush_mode",
        "machine/test_swapdb.py::test_it_may_stand_in_a_pipeline_or_a_transaction",
    ),
    mutant(
        "SWAPDB leaves each database its part of the account",
        "trikv.machine.keyspace",
        "        account.shares[one], account.shares[other] = account.shares[other], account.shares[one]\n",
        "",
        "machine/test_swapdb.py::test_all_keys_change_places_with_what_belongs_to_them",
    ),
    mutant(
        "a digest does not see SWAPDB",
        "trikv.machine.bucket_hashes",
        '            self._known[bucket] = b"%d %b" % (number, known.partition(b" ")[2])\n',
        "            pass\n",
        "machine/test_swapdb.py::test_a_restored_replica_is_equal",
    ),
    mutant(
        "a cut takes the writes of the database that has come to its number",
        "trikv.machine.cut",
        "        of = self._numbers.get(db)\n",
        '        of = getattr(db, "number", None)\n        of = of if of in self._buckets else None\n',
        "machine/test_swapdb.py::test_a_snapshot_that_was_begun_shows_its_instant",
    ),
    mutant(
        "who waits for a key is not told of SWAPDB",
        "trikv.machine.keyspace",
        "        account.effects.swapped(first, second)\n",
        "",
        "machine/test_swapdb.py::test_who_waits_is_told",
    ),
    mutant(
        "who waits for a key goes on to wait in the other database",
        "trikv.machine.database",
        "        self.number = number\n        self.awaited = awaited\n        self.hashes.renumber",
        "        self.number = number\n        self.hashes.renumber",
        "machine/test_swapdb.py::test_who_waits_goes_on_to_wait_in_its_own_database",
    ),
    mutant(
        "a range by name is looked for in what chunks begin with",
        "trikv.machine.values.score_index",
        "        first, last = 0, sum(self.blocks)\n",
        "        chunk = max(bisect_left(self.first_members, member) - 1, 0)\n"
        "        first, last = self._before(chunk), self._before(chunk + 1)\n",
        "machine/test_collections.py::test_ranges_by_name_follow_from_the_members_alone",
    ),
    mutant(
        "a restored list is not sealed",
        "trikv.machine.values.list",
        "        if last > 0:  # it is no end any more\n",
        "        if False:\n",
        "machine/test_collections.py::test_a_restored_list_is_sealed_as_the_one_that_replayed_the_log",
    ),
    mutant(
        "a read of what has not changed leaves all of it to be freed",
        "trikv.machine.hold",
        "            gone = self._unshared(key, value)\n",
        "            gone = value.released()\n",
        "machine/test_collections.py::test_a_read_of_what_has_not_changed_leaves_nothing_to_be_freed[set]",
    ),
    mutant(
        "each command of a transaction is charged for leaving the packed form",
        "trikv.machine.call",
        "                once[key] = max(once.get(key, 0), command.grows_once)\n",
        "                growth += command.grows_once\n",
        "machine/test_collections.py::test_a_long_transaction_fits_where_all_of_it_does[hash]",
    ),
    mutant(
        "no command of a transaction is charged for leaving the packed form",
        "trikv.machine.call",
        "    growth += _growth_once(found)\n",
        "",
        "machine/test_collections.py::test_no_transaction_meets_the_cap_half_way[128-hash]",
    ),
    mutant(
        "reads of many elements are answered together, however many",
        "trikv.machine.evaluation",
        "call.looked > LOOKED_MAX",
        "False",
        "machine/test_long_reads.py::test_many_reads_of_many_are_answered_a_few_at_a_time",
    ),
)
