"""Mistakes in cuts, in what is made from them, and in answers that are made while they are sent."""

from tests.mutants.mutant import ByTest, Edit, Mutant, mutant

_CUT = "machine/test_cut.py::test_a_cut_shows_its_instant"
_KEPT = "machine/test_cut.py::test_what_is_kept_for_a_cut_is_counted"
_STREAM = "machine/test_long_reads.py::test_many_keys_are_streamed_from_one_instant[key:1*]"
_HELD = "node/test_outflows.py::test_replies_that_wait_for_their_clients_are_bounded[0]"
_TOLD = "node/test_outflows.py::test_one_that_is_told_again_has_one_turn"
_GOES = "front/test_outflow.py::test_a_client_that_goes_ends_its_cut"

MUTANTS: tuple[Mutant, ...] = (
    mutant(
        "who stops reading with little left is waited for without end",
        "trikv.front.outflow",
        "        if not self.waits:\n",
        "        if self._wire.unsent_bytes() <= self._ahead_bytes:\n",
        "front/test_outflow.py::test_a_reader_that_stops_with_little_left_is_closed[1]",
    ),
    mutant(
        "what FLUSH frees is taken from under a cut",
        "trikv.machine.cut",
        "list(db.buckets) for db in filled}",
        "db.buckets for db in filled}",
        _CUT,
    ),
    mutant(
        "a cut is never closed",
        "trikv.machine.cut",
        "            self._account.observers.remove(self)\n",
        "",
        _CUT,
    ),
    mutant(
        "a cut judges due keys by the time of the reading",
        "trikv.machine.cut",
        "        now_ms = self.now_ms\n",
        "        now_ms = self._account.now if self._account else 0\n",
        "machine/test_cut.py::test_due_keys_are_judged_by_the_time_of_the_cut",
    ),
    mutant(
        "a cut lets go of what another holder still reads",
        "trikv.machine.cut",
        "                    if passed == len(leaves) and self.lets_go and not self._was_shared:\n",
        "                    if passed == len(leaves) and self.lets_go:\n",
        "machine/test_cut.py::test_what_was_passed_is_not_copied_any_more",
    ),
    mutant(
        "a read shares a cut from before a write",
        "trikv.machine.cut",
        "            and self.changes == account.changes\n",
        "",
        "machine/test_cut.py::test_only_a_whole_cut_of_now_is_shared",
    ),
    mutant(
        "a read shares a cut from before a key was due",
        "trikv.machine.cut",
        "            and self.now_ms == account.now\n",
        "",
        "machine/test_cut.py::test_only_a_whole_cut_of_now_is_shared",
    ),
    mutant(
        "what is kept of a flushed database is not counted",
        "trikv.machine.cut",
        "sum(self._copies.values()) + flushed",
        "sum(self._copies.values())",
        _KEPT,
    ),
    mutant(
        "overwritten values that a cut keeps are not counted",
        "trikv.machine.cut",
        "            grown += value_bytes_of(old)\n",
        "            pass\n",
        _KEPT,
    ),
    mutant(
        "the second pass goes over a later cut",
        "trikv.machine.long_reads",
        "        yield from asked.rows(*source)\n",
        "        yield from asked.rows(Cut(one.database for one in held._databases.values()))\n",
        _STREAM,
    ),
    mutant(
        "a long answer is made in one go",
        "trikv.front.outflow",
        "if room_bytes <= 0 or self.streams:",
        "if room_bytes <= 0:",
        "front/test_outflow.py::test_others_have_their_turn_between_two_steps",
    ),
    mutant(
        "a long answer ignores that its client does not read",
        "trikv.front.outflow",
        "if self.is_over or self.waits:",
        "if self.is_over:",
        "front/test_outflow.py::test_nothing_is_made_while_the_client_does_not_take_it",
    ),
    mutant(
        "a client that goes leaves its cut open",
        "trikv.front.conversation",
        "        self._callbacks = (drop, _drop)\n        self._stop_outflow()\n",
        "        self._callbacks = (drop, _drop)\n",
        f"{_GOES}[closed]",
    ),
    mutant(
        "an error is sent in the middle of an array",
        "trikv.front.conversation",
        "            if not outflow.ends_reply:\n",
        "            if False:\n",
        f"{_GOES}[end]",
    ),
    mutant(
        "an answer for a client that has gone is forgotten with its cut",
        "trikv.front.conversation",
        "        else:\n            drop(replies)\n",
        "",
        "front/test_outflow.py::test_an_answer_for_a_client_that_has_gone_is_closed",
    ),
    mutant(
        "long reads of one turn change places with the replies around them",
        "trikv.front.answers",
        "    items = _items(caller, turn, _taken(replies))\n",
        "    items = _items(caller, turn, _taken(replies[::-1]))\n",
        "front/test_outflow.py::test_long_reads_travel_with_the_commands_around_them[2]",
    ),
    mutant(
        "the rest of a pipeline's reads asks in the database of its beginning",
        "trikv.front.turn",
        "            database=self._database_behind(commands),\n",
        "",
        "front/test_outflow.py::test_reads_are_left_until_those_before_them_were_taken",
    ),
    mutant(
        "the rest of a pipeline's reads asks in the database of its end",
        "trikv.front.turn",
        "            database=self._database_behind(commands),\n",
        "            database=self._database_behind(len(self.commands)),\n",
        "front/test_outflow.py::test_reads_are_left_until_those_before_them_were_taken",
    ),
    mutant(
        "a slow reader has all the time in the world",
        "trikv.node.outflows",
        "            self._close_slow((now_us - looked_us) // 1000)\n",
        "",
        "node/test_outflows.py::test_a_slow_reader_is_closed_within_the_window",
    ),
    mutant(
        "a long answer whose client has taken everything loses its place",
        "trikv.node.outflows",
        "        self._ready[outflow] = None  # one that",
        "        self._ready.pop(outflow, None)\n        self._ready[outflow] = None  # one that",
        _TOLD,
    ),
    Mutant(
        "a long answer has a turn for each time that its client has taken everything",
        (
            Edit("trikv.node.outflows", "self._ready: dict[Outflow, None] = {}", "self._ready = []"),
            Edit(
                "trikv.node.outflows",
                "        self._ready[outflow] = None  # one that",
                "        self._ready.append(outflow)  # one that",
            ),
            Edit(
                "trikv.node.outflows",
                "        outflow = next(iter(self._ready))\n        del self._ready[outflow]\n",
                "        outflow = self._ready.pop(0)\n",
            ),
            Edit(
                "trikv.node.outflows",
                "                self._ready[outflow] = None\n",
                "                self._ready.append(outflow)\n",
            ),
        ),
        ByTest(_TOLD),
    ),
    mutant(
        "replies that were sent are held until the last one is",
        "trikv.front.answers",
        "    return map(list.pop, repeat(values[::-1], len(values)))\n",
        "    return iter(values)\n",
        "front/test_answers.py::test_what_was_made_is_let_go[list]",
    ),
    mutant(
        "a plain list is held while its elements are sent",
        "trikv.front.answers",
        "map(_plain, replies)\n",
        "((reply, False, ()) for reply in replies)\n",
        "front/test_answers.py::test_what_was_made_is_let_go[list]",
    ),
    mutant(
        "a turn holds the reply that is being sent",
        "trikv.front.turn",
        "                    yield _looked_after(slot, next(answered)), slot.typed, slot.args\n",
        "                    reply = _looked_after(slot, next(answered))\n"
        "                    yield reply, slot.typed, slot.args\n",
        "front/test_answers.py::test_what_was_made_is_let_go[mixed list]",
    ),
    mutant(
        "replies that wait for their clients have no limit",
        "trikv.node.outflows",
        "            self._bound_held()\n",
        "",
        _HELD,
    ),
    mutant(
        "of replies that wait those of the slowest client are given up, which may have just begun",
        "trikv.node.held_replies",
        "key=lambda one: (alone[one], one.held_bytes()), reverse=True)",
        "key=Outflow.taken_bytes)",
        _HELD,
    ),
    mutant(
        "what others hold as well is believed to be freed",
        "trikv.node.held_replies",
        " if holders[identity] == 1)",
        ")",
        "node/test_held_replies.py::test_who_frees_the_most_is_given_up",
    ),
    mutant(
        "strings that may be let go are looked for among those that others hold",
        "trikv.front.shared_strings",
        "coming[0][0] < made_bytes",
        "coming[0][0] + coming[0][2] < made_bytes",
        "front/test_shared_strings.py::test_what_may_be_gone_is_forgotten",
    ),
    mutant(
        "who shares what waits is closed as if each held it alone",
        "trikv.node.held_replies",
        "    return outflow.held_bytes() - outflow.shared.bytes\n",
        "    return outflow.held_bytes()\n",
        "node/test_outflows.py::test_readers_of_the_same_values_hold_them_once",
    ),
    mutant(
        "what was sent at once counts as if it were still to be made",
        "trikv.front.conversation",
        "goes_on_behind(sent_bytes, ends_reply",
        "goes_on_behind(0, ends_reply",
        "front/test_outflow.py::test_what_was_sent_at_once_is_held_no_more",
    ),
    mutant(
        "replies that were sent still count",
        "trikv.front.outflow",
        "max(0, self._replies_bytes - self._sent_bytes - self._made_bytes)",
        "self._replies_bytes",
        "front/test_outflow.py::test_short_parts_leave_together",
    ),
    mutant(
        "what several long reads keep is counted for each",
        "trikv.node.outflows",
        "            pieces |= kept.kept()\n",
        "            pieces |= {hash((id(kept), piece)): size for piece, size in kept.kept().items()}\n",
        "node/test_outflows.py::test_kept_memory_is_bounded",
    ),
    mutant(
        "of long reads that keep too much the fastest is closed",
        "trikv.node.outflows",
        "sorted(self._long_reads(), key=Outflow.taken_bytes)",
        "sorted(self._long_reads(), key=Outflow.taken_bytes, reverse=True)",
        "node/test_outflows.py::test_kept_memory_is_bounded",
    ),
    mutant(
        "a stop waits for the clients of long reads",
        "trikv.node.stopping",
        "        self._outflows.stop()\n",
        "",
        "node/test_stopping.py::test_a_stop_ends_long_reads",
    ),
    mutant(
        "a cut frees in one step what only it has kept: of a flushed database",
        "trikv.machine.cut",
        "                account.discarded.add_kept(buckets)\n",
        "                pass\n",
        "machine/test_discarded.py::test_a_cut_of_a_flushed_database_frees_it_in_slices",
    ),
    mutant(
        "a cut frees in one step what only it has kept: old values",
        "trikv.machine.cut",
        "for of, number in self._copies if of == db",
        "for of, number in self._copies if of != db",
        "machine/test_discarded.py::test_old_values_that_a_cut_has_kept_are_freed_in_slices",
    ),
    mutant(
        "a cut frees in one step a bucket that it lets go",
        "trikv.machine.cut",
        "            self._passed.append(buckets[number])\n",
        "            pass\n",
        "machine/test_discarded.py::test_a_bucket_that_a_cut_lets_go_is_freed_in_slices",
    ),
    mutant(
        "a cut's reader frees the step that it drops",
        "trikv.machine.cut",
        "        self._account.discarded.add_kept(self._passed[:-1])\n        del self._passed[:-1]\n",
        "        self._account.discarded.add_kept(self._passed)\n        self._passed = []\n",
        "machine/test_discarded.py::test_a_bucket_that_a_cut_lets_go_is_freed_in_slices",
    ),
    mutant(
        "keys that a cut has kept count as freed when they were deleted long ago",
        "trikv.machine.discarded",
        "                objects -= 1 + len(self._dropped(self._kept))\n",
        "                self._buckets.append(self._kept.pop())\n",
        "machine/test_discarded.py::test_a_cut_of_a_flushed_database_frees_it_in_slices",
    ),
    mutant(
        "the time before a long answer counts against its reader",
        "trikv.node.outflows",
        "                await self._begun.wait()\n                looked_us = self._boot_us()\n",
        "                await self._begun.wait()\n",
        "node/test_outflows.py::test_what_was_before_an_answer_is_no_waiting_for_its_client",
    ),
    mutant(
        "a bug in a long read inside a transaction leaves its cut open",
        "trikv.machine.long_reads",
        "        try:\n"
        "            return in_one(self.form, [row for step in self.rows(cut) for row in step])\n"
        "        finally:\n"
        "            cut.close()\n",
        "        answer = in_one(self.form, [row for step in self.rows(cut) for row in step])\n"
        "        cut.close()\n"
        "        return answer\n",
        "machine/test_long_reads.py::test_a_bug_in_one_inside_a_transaction_leaves_no_cut_open",
    ),
)
