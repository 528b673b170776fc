"""Mistakes at stops and with snapshots; also in log time, on full disks, in headers."""

from tests.mutants.mutant import Mutant, mutant

TIME: tuple[Mutant, ...] = (
    mutant(
        "log time goes back after a restart: stamps in the log are not looked at",
        "trikv.node.assembly",
        "            return max(opened.machine.now_ms, stamp_of(entry.payload))\n",
        "            return opened.machine.now_ms\n",
        "node/test_promise_time.py::test_log_time_goes_on_from_the_last_stamp_after_a_restart_of_all[stop_all]",
    ),
    mutant(
        "log time goes back after a restart: nor is the snapshot's",
        "trikv.node.assembly",
        "            return max(opened.machine.now_ms, stamp_of(entry.payload))\n"
        "    return opened.machine.now_ms\n",
        "            return stamp_of(entry.payload)\n    return 0\n",
        "node/test_promise_time.py::test_log_time_goes_on_from_the_last_stamp_after_a_restart_of_all[save_and_kill_all]",
    ),
    mutant(
        "log time goes back after an install",
        "trikv.node.consensus.router",
        "        self._log_time.saw(self._applier.machine.now_ms)\n",
        "",
        "node/test_promise_snapshots.py::test_log_time_goes_on_from_an_installed_snapshot",
    ),
    mutant(
        "a follower does not look at the stamps it is sent",
        "trikv.node.consensus.router",
        "                    self._log_time.saw(stamp_of(entry.payload))\n",
        "",
        "node/test_promise_time.py::test_a_new_leader_goes_on_from_the_stamps_it_was_sent",
    ),
    mutant(
        "a follower looks at the first stamp of many",
        "trikv.node.consensus.router",
        "for entry in reversed(message.entries):",
        "for entry in message.entries:",
        "node/test_promise_time.py::test_what_no_majority_has_counts_too",
    ),
    mutant(
        "log time is not pulled to the median",
        "trikv.node.consensus.driver",
        "            self._leading.slew(now)\n",
        "",
        "node/test_promise_time.py::test_log_time_stays_with_the_median_of_the_quorum",
    ),
    mutant(
        "peers' clocks stand still since they were told",
        "trikv.node.consensus.leading",
        "peers[peer].at_ms(boot_ms) for",
        "peers[peer].wall_ms for",
        "node/test_promise_time.py::test_a_step_of_the_own_clock_since_the_last_term_of_office_decides_nothing[-3600000]",
    ),
    mutant(
        "peers' clocks go on by the own wall clock",
        "trikv.node.consensus.leading",
        "peers[peer].at_ms(boot_ms) for",
        "peers[peer].wall_ms + self._host.clock.wall_ms() - peers[peer].own_wall_ms for",
        "node/test_promise_time.py::test_a_step_of_the_own_clock_since_the_last_term_of_office_decides_nothing[3600000]",
    ),
    mutant(
        "a leader starts by its own clock alone",
        "trikv.node.consensus.leading",
        "self._log_time.lead(boot_ms, self._clocks_ms(boot_ms))",
        "self._log_time.lead(boot_ms, self._clocks_ms(boot_ms)[:1])",
        "node/test_promise_time.py::test_the_first_leader_starts_by_a_quorums_clocks[1]",
    ),
    mutant(
        "a leader is pulled to its own clock alone",
        "trikv.node.consensus.leading",
        "self._log_time.slew(boot_ms, self._clocks_ms(boot_ms))",
        "self._log_time.slew(boot_ms, self._clocks_ms(boot_ms)[:1])",
        "node/test_promise_time.py::test_a_step_of_the_leaders_clock_is_outvoted_also_while_a_node_is_down[3600000]",
    ),
    mutant(
        "log time jumps to the median",
        "trikv.node.consensus.log_time",
        "        self._origin_ms = now + max(-step_max, min(step_max, off))\n",
        "        self._origin_ms = now + off\n",
        "node/test_promise_time.py::test_log_time_is_pulled_by_one_percent_at_the_most[60]",
    ),
    mutant(
        "who leads no more goes on counting log time",
        "trikv.node.consensus.driver",
        "            self._log_time.follow()\n",
        "            pass\n",
        "node/test_promise_time.py::test_who_leads_no_more_has_no_time_of_its_own",
    ),
    mutant(
        "a follower's reads are reckoned at the last stamp it saw",
        "trikv.node.consensus.router",
        "                self._read_exchange.serve(reads, index, log_time_ms, now_ms)\n",
        "                self._read_exchange.serve(reads, index, self._log_time.now_ms(now_ms), now_ms)\n",
        "node/test_promise_time.py::test_a_lifetime_is_shown_as_it_passes_where_nothing_else_does",
    ),
    mutant(
        "a leader's reads are reckoned at its last stamp",
        "trikv.node.consensus.read_exchange",
        "        log_time_ms = self._log_time.now_ms(now_ms)\n",
        "        log_time_ms = self._log_time.last_stamp_ms\n",
        "node/test_promise_time.py::test_a_lifetime_is_shown_as_it_passes_where_nothing_else_does",
    ),
    mutant(
        "votes tell no clock",
        "trikv.raft.core",
        "        if shared.memberships.is_member(sender, disk):\n"
        "            shared.note_clock(sender, message.wall_ms)\n"
        "        if not message.granted",
        "        if not message.granted",
        "node/test_promise_time.py::test_the_first_leader_starts_by_a_quorums_clocks[1]",
    ),
)


HEADERS: tuple[Mutant, ...] = (
    mutant(
        "a snapshot's header says the term before its entry's",
        "trikv.node.state.applier",
        "            case EntryKind.NOOP:\n"
        "                self.position = SnapshotMeta(entry.index, entry.term, membership)\n",
        "            case EntryKind.NOOP:\n"
        "                self.position = SnapshotMeta(entry.index, self.position.term, membership)\n",
        "node/test_promise_snapshots.py::test_a_header_says_index_term_and_members_of_its_entry",
    ),
    mutant(
        "a snapshot's header says the members before the change",
        "trikv.node.state.applier",
        "                membership = _decode_membership(entry.payload)\n"
        "                self.position = SnapshotMeta(entry.index, entry.term, membership)\n",
        "                self.position = SnapshotMeta(entry.index, entry.term, membership)\n"
        "                membership = _decode_membership(entry.payload)\n",
        "node/test_promise_snapshots.py::test_a_header_names_the_members_after_a_swap",
    ),
    mutant(
        "after an install the position keeps the old term",
        "trikv.node.state.applier",
        "        self.position = order.meta\n",
        "        self.position = SnapshotMeta(order.meta.index, self.position.term, order.meta.membership)\n",
        "node/test_promise_snapshots.py::test_after_an_install_all_is_the_snapshots",
    ),
    mutant(
        "after an install the position keeps the old members",
        "trikv.node.state.applier",
        "        self.position = order.meta\n",
        "        self.position = SnapshotMeta(order.meta.index, order.meta.term, self.position.membership)\n",
        "node/test_promise_snapshots.py::test_after_an_install_all_is_the_snapshots",
    ),
    mutant(
        "a start begins to apply before its snapshot",
        "trikv.node.assembly",
        "        position=opened.snapshot or opened.base,\n",
        "        position=opened.base,\n",
        "node/test_promise_snapshots.py::test_an_end_between_a_snapshot_and_the_logs_cut_costs_nothing[Keep.NONE]",
    ),
)


LEAVING: tuple[Mutant, ...] = (
    mutant(
        "a learner is chosen at a hand-over",
        "trikv.node.consensus.leading",
        "            if peer in voters and peer in heirs",
        "            if peer in heirs",
        "node/test_promise_leaving.py::test_the_office_goes_to_no_learner[1]",
    ),
    mutant(
        "one that stops as well is chosen at a hand-over",
        "trikv.node.consensus.router",
        " and not drain.stops(peer)",
        "",
        "node/test_promise_leaving.py::test_the_office_goes_to_nobody_that_stops_as_well[1]",
    ),
    mutant(
        "one that is gone is chosen at a hand-over",
        "trikv.node.consensus.router",
        "links.is_up(peer) and not drain.stops(peer)",
        "not drain.stops(peer)",
        "node/test_promise_leaving.py::test_the_office_goes_to_a_voter_that_is_there[1]",
    ),
    mutant(
        "the one that lags most is chosen at a hand-over",
        "trikv.node.consensus.leading",
        "raft.transfer(max(candidates)[1])",
        "raft.transfer(min(candidates)[1])",
        "node/test_promise_leaving.py::test_the_office_goes_to_the_voter_that_is_most_caught_up[0]",
    ),
    mutant(
        "the highest number is chosen at a hand-over",
        "trikv.node.consensus.leading",
        "            (progress.match, peer)\n",
        "            (peer, peer)\n",
        "node/test_promise_leaving.py::test_the_office_goes_to_the_voter_that_is_most_caught_up[1]",
    ),
    mutant(
        "who came back still counts as leaving",
        "trikv.node.drain",
        "        self._peers.pop(peer, None)\n",
        "",
        "node/test_promise_leaving.py::test_who_came_back_leaves_no_more",
    ),
    mutant(
        "who came back still counts as quiet",
        "trikv.node.drain",
        "        self._peers.pop(peer, None)\n",
        "        if self._peers.get(peer) is Stage.STOPPING:\n            del self._peers[peer]\n",
        "node/test_promise_leaving.py::test_who_came_back_and_stops_again_is_waited_for_again",
    ),
    mutant(
        "who comes up does not hear of the stop",
        "trikv.node.drain",
        "        if self.is_stopping:\n            told.append(Draining(self.is_quiet))\n",
        "",
        "node/test_promise_leaving.py::test_who_comes_up_meanwhile_hears_how_far_the_stop_is",
    ),
    mutant(
        "who comes up does not hear that clients are answered",
        "trikv.node.drain",
        "told.append(Draining(self.is_quiet))",
        "told.append(Draining())",
        "node/test_promise_leaving.py::test_who_comes_up_meanwhile_hears_how_far_the_stop_is",
    ),
    mutant(
        "who comes up does not hear that it is needed no more",
        "trikv.node.drain",
        "        if self.needs_nobody:\n            told.append(Drained())\n",
        "",
        "node/test_promise_leaving.py::test_who_comes_up_meanwhile_hears_how_far_the_stop_is",
    ),
    mutant(
        "who comes up does not hear that it is needed no more: the node does not know itself",
        "trikv.node.drain",
        "return self.phase >= Phase.DUMPING",
        "return self.phase >= Phase.GONE",
        "node/test_promise_leaving.py::test_who_comes_up_meanwhile_hears_how_far_the_stop_is",
    ),
    mutant(
        "nobody hears that it is needed no more",
        "trikv.node.drain",
        "return [Tell(Drained()), Dump(",
        "return [Dump(",
        "node/test_promise_leaving.py::test_who_comes_up_meanwhile_hears_how_far_the_stop_is",
    ),
    mutant(
        "a node leaves peers that stop as well alone",
        "trikv.node.drain",
        "            case Phase.LEAVING if self._all_have_reached(Stage.DRAINED, seen):\n",
        "            case Phase.LEAVING:\n",
        "node/test_promise_leaving.py::test_who_came_back_and_stops_again_is_waited_for_again",
    ),
    mutant(
        "a dump waits for a snapshot that nobody needs",
        "trikv.node.stopping",
        "        self._snapshotter.make_way(self._moved)\n",
        "",
        "node/test_promise_snapshots.py::test_a_stop_gives_up_the_snapshot_under_way",
    ),
    mutant(
        "only what the log or a question has keeps a stop",
        "trikv.node.stopping",
        "bool(self._proposals.waiting() or len(self._reads) or connections.in_flight())",
        "bool(self._proposals.waiting() or len(self._reads))",
        "node/test_stopping.py::test_peers_hear_that_all_clients_are_answered_when_they_are",
    ),
)


FULL_DISKS: tuple[Mutant, ...] = (
    mutant(
        "a leader with a full disk keeps the office",
        "trikv.node.consensus.router",
        "                if not event.there:\n                    self._give_leadership_away()\n",
        "",
        "node/test_promise_full_disks.py::test_the_office_is_given_away_at_once",
    ),
    mutant(
        "a leader with a full disk keeps the office: where nobody takes it",
        "trikv.node.consensus.driver",
        "                raft.step_down()  # nobody",
        "                pass  # nobody",
        "node/test_promise_full_disks.py::test_an_office_that_nobody_takes_is_left",
    ),
    mutant(
        "a sole node with a full disk leaves the office",
        "trikv.node.consensus.driver",
        " and not is_alone:",
        ":",
        "node/test_promise_full_disks.py::test_a_sole_node_reads_on_and_writes_again",
    ),
    mutant(
        "writes are taken on a full disk",
        "trikv.node.consensus.admission",
        "        elif self.no_room:\n            for work in writes:",
        "        elif False:\n            for work in writes:",
        "node/test_promise_full_disks.py::test_what_is_refused_did_not_happen_and_what_is_there_is_read",
    ),
    mutant(
        "reads are refused on a full disk",
        "trikv.node.consensus.admission",
        "could not even learn what became of it\n            self._reads.submit(reads, now_ms)\n",
        "could not even learn what became of it\n"
        "            for work in reads:\n"
        "                work.failed(self._refusal)\n",
        "node/test_promise_full_disks.py::test_a_sole_node_reads_on_and_writes_again",
    ),
    mutant(
        "a disk that was full once is full for ever",
        "trikv.node.consensus.admission",
        "        self.no_room = not event.there\n",
        "        self.no_room = self.no_room or not event.there\n",
        "node/test_promise_full_disks.py::test_writes_are_taken_again_when_there_is_room",
    ),
    mutant(
        "nobody hears that there is room again",
        "trikv.node.state.writer",
        "                    self._inbox.put(LogRoom(there=True))\n",
        "                    pass\n",
        "node/test_promise_full_disks.py::test_writes_are_taken_again_when_there_is_room",
    ),
)


SNAPSHOTS: tuple[Mutant, ...] = (
    mutant(
        "a snapshot that an install has overtaken is published",
        "trikv.node.state.snapshotter",
        "                    if self.newest is not None and self.newest.index >= meta.index:\n"
        "                        await file.abort()  # an install has overtaken us\n"
        "                        return self.newest\n",
        "",
        "node/test_promise_snapshots.py::test_a_snapshot_of_ones_own_that_an_install_has_overtaken_is_dropped",
    ),
    mutant(
        "an install and a snapshot of one's own are published at once",
        "trikv.node.state.snapshotter",
        "                async with self._publishing:\n",
        "                if walk is not None:\n",
        "node/test_promise_snapshots.py::test_an_install_and_a_snapshot_of_ones_own_end_at_once[0]",
    ),
    mutant(
        "an installed snapshot is not the newest",
        "trikv.node.state.snapshotter",
        "                self._remember(chunk.meta, chunk.total, applied, saved_ms, machine.changes)\n",
        "                pass\n",
        "node/test_promise_snapshots.py::test_after_an_install_all_is_the_snapshots",
    ),
    mutant(
        "a snapshot that was given up leaves its file",
        "trikv.node.state.snapshotter",
        "                with trio.CancelScope(shield=True):\n                    await file.abort()\n",
        "                pass\n",
        "node/test_promise_snapshots.py::test_a_stop_gives_up_the_snapshot_under_way",
    ),
    mutant(
        "a snapshot cuts no log",
        "trikv.node.state.snapshotter",
        "            self._inbox.put(Compact(meta))\n",
        "",
        "node/test_promise_snapshots.py::test_the_log_before_a_snapshot_goes_and_nothing_is_written_twice",
    ),
    mutant(
        "a follower is sent a snapshot that ends before the log",
        "trikv.node.state.snapshotter",
        "if meta is None or meta.index < index_min:",
        "if meta is None:",
        "node/test_promise_snapshots.py::test_a_follower_gets_a_snapshot_that_reaches_the_log",
    ),
    mutant(
        "a follower is sent a snapshot that ends before the log: the driver asks for any",
        "trikv.node.consensus.driver",
        "self._raft.term, self._raft.first_index - 1)",
        "self._raft.term, 0)",
        "node/test_promise_snapshots.py::test_a_follower_gets_a_snapshot_that_reaches_the_log",
    ),
    mutant(
        "an old snapshot is stored over a newer one",
        "trikv.node.state.snapshotter",
        "        if meta.index <= self._applier.position.index or meta.index in self._loaded:\n",
        "        if meta.index in self._loaded:\n",
        "node/test_promise_snapshots.py::test_an_old_leaders_snapshot_is_answered_and_not_stored",
    ),
    mutant(
        "a snapshot is installed that is not on disk",
        "trikv.node.state.snapshotter",
        "            await incoming.publish()\n",
        "            await incoming.abort()\n",
        "node/test_promise_snapshots.py::test_an_installed_snapshot_is_on_disk_before_the_leader_hears_of_it",
    ),
    mutant(
        "what came of a damaged snapshot stays",
        "trikv.node.state.snapshotter",
        "                    await self._drop_incoming()\n\n",
        "\n",
        "node/test_promise_snapshots.py::test_a_damaged_snapshot_is_refused_and_the_next_one_taken",
    ),
    mutant(
        "two leaders' snapshots are mixed",
        "trikv.node.state.snapshotter",
        "        if self._incoming is None or self._incoming.meta != meta:",
        "        if self._incoming is None:",
        "node/test_promise_snapshots.py::test_a_snapshot_that_is_begun_gives_way_to_another",
    ),
    mutant(
        "no snapshot is due for its age",
        "trikv.node.state.snapshotter",
        "grown >= self._settings.log_bytes or (grown and",
        "grown >= self._settings.log_bytes or (False and",
        "node/test_promise_snapshots.py::test_a_snapshot_is_due_after_a_while_with_any_change",
    ),
    mutant(
        "a snapshot is due for bytes that the last one holds",
        "trikv.node.state.snapshotter",
        "                    self._remember(meta, size, bytes_applied, now_ms, changes)\n",
        "                    self._remember(meta, size, 0, now_ms, changes)\n",
        "node/test_promise_snapshots.py::test_a_snapshot_is_due_after_so_many_bytes_since_the_last",
    ),
    mutant(
        "a snapshot without room ends the node",
        "trikv.node.state.snapshotter",
        "            await trio.sleep(FULL_RETRY_S)\n",
        "            raise\n",
        "node/test_promise_snapshots.py::test_no_room_for_a_snapshot_is_no_end",
    ),
    mutant(
        "a log behind the snapshot is not reset at a start",
        "trikv.node.state.opening",
        "    if start.reset is not None:\n",
        "    if False:\n",
        "node/test_promise_snapshots.py::test_an_installed_snapshot_is_on_disk_before_the_leader_hears_of_it",
    ),
)


MUTANTS = TIME + HEADERS + LEAVING + FULL_DISKS + SNAPSHOTS
