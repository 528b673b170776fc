"""Mistakes in the node: proposals, reads, log time, snapshots, stopping."""

from tests.mutants.mutant import ByTest, Edit, Mutant, mutant

PROPOSALS: tuple[Mutant, ...] = (
    mutant(
        "proposals not re-sent after a link reset",
        "trikv.node.consensus.router",
        "            self._proposals.rewind(now_ms)\n",
        "",
        "node/consensus/test_driver.py::test_proposals_are_sent_again_as_soon_as_the_link_to_the_leader_is_back",
    ),
    Mutant(
        "proposals not re-sent after a link reset: nor ever without a new leader",
        (
            Edit("trikv.node.consensus.router", "            self._proposals.rewind(now_ms)\n", ""),
            Edit(
                "trikv.node.consensus.proposals",
                "self._stalls() and now_ms >= ",
                "False and now_ms >= ",
            ),
        ),
        ByTest(
            "node/consensus/test_driver.py::test_without_progress_proposals_are_sent_again_on_the_same_link"
        ),
    ),
    mutant(
        "a timed-out proposal leaves a gap",
        "trikv.node.consensus.proposals",
        "            item = window[self._sent].item\n            self._sent += 1\n",
        "            item = window[self._sent].item\n"
        "            self._sent += 1\n"
        "            if window[self._sent - 1].work is None:\n"
        "                continue\n",
        "node/consensus/test_proposals.py::test_expiry_tells_the_never_sent_from_the_unknown",
    ),
    mutant(
        'waiter told "failed" on step-down',
        "trikv.node.consensus.driver",
        "            self._log_time.follow()\n",
        "            self._log_time.follow()\n"
        "            waiters = self._proposals._waiters\n"
        "            for pending in self._proposals._window:\n"
        "                if pending.work is not None:\n"
        "                    work, pending.work = pending.work, None\n"
        "                    waiters.take(waiters.incarnation, pending.sequence)\n"
        "                    work.failed(CLUSTERDOWN)\n",
        "node/consensus/test_driver.py::test_a_leader_that_steps_down_tells_no_waiter_anything",
    ),
    mutant(
        'waiter told "failed" on step-down: at its deadline',
        "trikv.node.consensus.proposals",
        "                lapsed.append((pending.work, INDETERMINATE))\n",
        "                lapsed.append((pending.work, CLUSTERDOWN))\n",
        "node/consensus/test_proposals.py::test_expiry_tells_the_never_sent_from_the_unknown",
    ),
    mutant(
        "what a snapshot's install passed by is proposed again",
        "trikv.node.consensus.proposals",
        "                    passed.append((pending.work, INDETERMINATE))\n"
        "                    pending.work = None\n",
        "                    pass\n",
        "node/consensus/test_proposals.py::test_snapshot_with_another_lifes_row_proposes_nothing_again",
    ),
    mutant(
        "reply before the quorum: when proposed",
        "trikv.node.consensus.proposals",
        "            self._waiters.expect(sequence, work)\n            return True\n",
        "            self._waiters.expect(sequence, work)\n"
        "            self._waiters.take(self._waiters.incarnation, sequence)\n"
        "            work.answered([b'OK'] * len(work.commands))\n"
        "            return True\n",
        "node/consensus/test_driver.py::test_nobody_is_answered_by_the_proposing_of_his_write",
    ),
)

JOINING: tuple[Mutant, ...] = (
    mutant(
        "joined commands get each other's replies",
        "trikv.node.consensus.proposals",
        "        work.answered(replies[start:end])\n",
        "        work.answered(replies[-end : len(replies) - start])\n",
        "node/consensus/test_joining.py::test_single_commands_of_one_turn_travel_as_one_proposal",
    ),
    mutant(
        "commands of two databases are joined",
        "trikv.node.consensus.proposals",
        "                or work.db != first.db\n",
        "",
        "node/consensus/test_joining.py::test_whatever_else_travels_alone[another database]",
    ),
    mutant(
        "commands of two turns are joined",
        "trikv.node.consensus.proposals",
        "                or due_ms != deadline_ms\n",
        "",
        "node/consensus/test_joining.py::test_what_came_at_another_time_is_not_joined",
    ),
    mutant(
        "a transaction is joined like a single command",
        "trikv.front.turn",
        "        return 0 if self.mixed or self.reads else",
        "        return 0 if self.reads else",
        "front/test_pipelines.py::test_which_works_may_share_a_proposal[transaction]",
    ),
    mutant(
        "a pipeline that reads shares what its reads may answer",
        "trikv.front.turn",
        "        return 0 if self.mixed or self.reads else",
        "        return 0 if self.mixed else",
        "front/test_pipelines.py::test_which_works_may_share_a_proposal[reads]",
    ),
)

APPLYING: tuple[Mutant, ...] = (
    mutant(
        "what the applier leaves undone is forgotten",
        "trikv.node.state.applier",
        "            self._is_behind = True\n            self._bell.put(None)\n",
        "            self._is_behind = True\n",
        "node/state/test_applier.py::test_what_takes_long_goes_on_in_a_task_and_in_order",
    ),
    mutant(
        "nothing is freed while orders wait",
        "trikv.node.state.applier",
        "        self.machine.release(RELEASE_KEYS if self.inside is None else RELEASE_INSIDE)\n",
        "",
        "node/state/test_applier.py::test_what_is_discarded_is_freed_though_orders_wait",
    ),
    mutant(
        "as much is freed between two slices of one entry as between two entries",
        "trikv.node.state.applier",
        "RELEASE_KEYS if self.inside is None else RELEASE_INSIDE",
        "RELEASE_KEYS",
        "node/state/test_applier_slices.py::test_less_is_freed_between_two_slices_of_one_entry[True]",
    ),
    mutant(
        "a slice inside an entry is as long as one of many entries",
        "trikv.node.state.applier",
        "min(stop_ms, boot_ms() + self.INSIDE_MS)",
        "stop_ms",
        "node/state/test_applier_slices.py::test_a_slice_inside_an_entry_ends_before_one_of_many_entries_would",
    ),
    mutant(
        "what a replaced machine held is freed in one step",
        "trikv.node.state.applier",
        "        order.machine.discard_to(self.machine.discarded)\n",
        "",
        "node/state/test_applier.py::test_what_replaced_machines_held_is_freed_in_slices",
    ),
    mutant(
        "keys of a replaced machine count as those of a FLUSHALL",
        "trikv.machine.machine",
        "        self.discarded.stop_counting()\n",
        "",
        "node/state/test_applier.py::test_what_replaced_machines_held_is_freed_in_slices",
    ),
    mutant(
        "reads held for an index are served only by the next read",
        "trikv.node.state.applier",
        "                if self._held:\n                    self._release_reads()\n",
        "",
        "node/state/test_applier_order.py::test_a_read_waits_until_its_index_is_applied",
    ),
    mutant(
        "reads that wait for their index are no heap after some have lapsed",
        "trikv.node.state.applier",
        "            heapify(self._held)\n",
        "",
        "node/state/test_applier.py::test_reads_are_in_time_after_others_have_lapsed",
    ),
)

LINKS: tuple[Mutant, ...] = (
    mutant(
        "a link forgets what the kernel did not take",
        "trikv.node.peers.outgoing",
        "                self._rest = data[taken:]\n",
        "                self._rest = data[:0]\n",
        "node/peers/test_outgoing.py::test_what_the_kernel_does_not_take_leaves_later_and_in_order",
    ),
    mutant(
        "a link sends past what is blocked",
        "trikv.node.peers.outgoing",
        "        if not self._is_blocked:\n",
        "        if sender is not None:\n",
        "node/peers/test_outgoing.py::test_what_the_kernel_does_not_take_leaves_later_and_in_order",
    ),
    mutant(
        "a link's task does not learn of a backlog",
        "trikv.node.peers.outgoing",
        "            self._is_blocked = True\n            self._bell.put(None)\n",
        "            self._is_blocked = True\n",
        "node/peers/test_outgoing.py::test_what_the_kernel_does_not_take_leaves_later_and_in_order",
    ),
    mutant(
        "a peer that was removed is up until its task notices",
        "trikv.node.peers.outgoing",
        "        self._fall()\n        self._life.cancel()\n",
        "        self._life.cancel()\n",
        "node/peers/test_links.py::test_a_peer_that_is_removed_is_gone_at_once",
    ),
    mutant(
        "a link comes up whose peer was removed",
        "trikv.node.peers.outgoing",
        "            await trio.lowlevel.checkpoint_if_cancelled()\n",
        "",
        "node/peers/test_outgoing.py::test_a_link_that_was_made_for_nobody_is_never_heard_of",
    ),
    mutant(
        "what a removed peer dialled goes on",
        "trikv.node.peers.incoming",
        "            if peer in (None, sender):\n",
        "            if peer is None:\n",
        "node/peers/test_links.py::test_a_peer_that_is_removed_is_gone_at_once",
    ),
    mutant(
        "a new link goes on with the rest of the last one",
        "trikv.node.peers.outgoing",
        '            self._rest, self._is_blocked = b"", False\n',
        "",
        "node/peers/test_outgoing.py::test_a_new_link_owes_nothing_of_the_last_one",
    ),
    mutant(
        "a cancelled write goes on behind its caller's back",
        "trikv.host.worker",
        "            with trio.CancelScope(shield=True):\n"
        "                await trio.lowlevel.wait_readable(handoff.fileno())\n",
        "            self._busy = False\n            raise\n",
        "host/test_worker.py::test_cancelled_call_is_waited_for",
    ),
)

READS: tuple[Mutant, ...] = (
    mutant(
        "follower read before its applied index reached the read index",
        "trikv.node.state.applier",
        "        if order.index > self.position.index:\n            self._held_count += 1\n",
        "        if False:\n            self._held_count += 1\n",
        "node/state/test_applier_order.py::test_a_read_waits_until_its_index_is_applied",
    ),
    mutant(
        "ReadIndex id reused",
        "trikv.node.consensus.read_questions",
        "        self._counter += 1\n",
        "        self._counter = len(self._asked) + 1\n",
        "node/consensus/test_read_questions.py::test_ids_are_never_used_again",
    ),
    mutant(
        "read from the leader without a quorum round: by the node itself",
        "trikv.node.consensus.read_exchange",
        "            accepted = raft.read(reads.ask(now_ms), by_lease=by_lease)\n",
        "            accepted = True\n"
        "            self.serve((reads.ask(now_ms),), raft.commit, self._log_time.now_ms(now_ms), now_ms)\n",
        "node/test_whole_node.py::test_isolated_leader_answers_neither_reads_nor_writes",
    ),
    mutant(
        "a linearizable read is answered by the lease",
        "trikv.node.consensus.read_exchange",
        "raft.read(reads.ask(now_ms), by_lease=by_lease)",
        "raft.read(reads.ask(now_ms), by_lease=True)",
        "node/consensus/test_lease_reads.py::test_a_leader_asks_a_majority_unless_it_is_told_otherwise",
    ),
    mutant(
        "a linearizable read is answered by the lease: a follower's",
        "trikv.node.consensus.read_exchange",
        "raft.read(read, by_lease=by_lease)",
        "raft.read(read, by_lease=True)",
        "node/consensus/test_lease_reads.py::test_a_leader_answers_a_follower_as_that_one_is_configured",
    ),
    mutant(
        "a linearizable read is answered by the lease: a dump's barrier",
        "trikv.node.consensus.read_exchange",
        "by_lease = reads.by_lease and not self._drain.is_stopping",
        "by_lease = reads.by_lease",
        "node/consensus/test_lease_reads.py::test_a_stop_asks_a_majority_before_it_dumps",
    ),
)

TIME: tuple[Mutant, ...] = (
    mutant(
        "log time goes back at election",
        "trikv.node.consensus.log_time",
        "        self.last_stamp_ms = max(self.last_stamp_ms, stamp_ms)\n",
        "        pass\n",
        "node/consensus/test_log_time.py::test_leader_never_starts_below_what_the_log_has_seen",
    ),
    mutant(
        "log time goes back at election: it starts below the last stamp",
        "trikv.node.consensus.log_time",
        "        self._origin_ms = max(self.last_stamp_ms, lower_median(clocks_ms))\n",
        "        self._origin_ms = lower_median(clocks_ms)\n",
        "node/consensus/test_log_time.py::test_leader_never_starts_below_what_the_log_has_seen",
    ),
    mutant(
        "TTL by the local clock: the leader's alone decides log time",
        "trikv.node.consensus.log_time",
        "    return sorted(values)[(len(values) - 1) // 2]\n",
        "    return values[0]\n",
        "node/consensus/test_log_time.py::test_one_clock_years_ahead_decides_nothing",
    ),
)

SNAPSHOTS: tuple[Mutant, ...] = (
    mutant(
        "snapshot written with a later index than its state: named by what is durable",
        "trikv.node.state.snapshotter",
        "            meta, bytes_applied = applier.position, applier.bytes_applied\n",
        "            meta, bytes_applied = applier.position, applier.bytes_applied\n"
        "            later = max(meta.index, self._durable_index())\n"
        "            meta = SnapshotMeta(later, meta.term, meta.membership)\n",
        "node/state/test_snapshotter.py::test_a_snapshot_is_not_named_by_what_is_durable_but_by_what_is_applied",
    ),
    mutant(
        "snapshot ahead of the own log",
        "trikv.node.state.snapshotter",
        "        while self._durable_index() < index:\n",
        "        while False:\n",
        "node/state/test_snapshotter.py::test_a_snapshot_bears_the_index_of_its_state_and_waits_for_the_own_disk",
    ),
    mutant(
        "compaction past what a snapshot covers",
        "trikv.node.state.snapshotter",
        "            self._inbox.put(Compact(meta))\n",
        "            self._inbox.put(Compact(applier.position))\n",
        "node/state/test_snapshotter.py::test_a_snapshot_bears_the_index_of_its_state_and_waits_for_the_own_disk",
    ),
    mutant(
        "compaction past what a snapshot covers: in memory, past what is durable",
        "trikv.node.consensus.retention",
        "        done = min(applied, raft.durable_index)\n",
        "        done = applied\n",
        "node/consensus/test_retention.py::test_what_is_not_applied_or_not_durable_stays",
    ),
    mutant(
        "the log in memory is bounded by the second, not by bytes",
        "trikv.node.consensus.driver",
        "        elif self._retention.is_due(raft.log_bytes):\n            self._trim_log(now)\n",
        "",
        "node/consensus/test_retention.py::test_a_leader_drops_as_it_writes",
    ),
    mutant(
        "a snapshot of another cluster is installed",
        "trikv.node.state.snapshotter",
        "if header.cluster != self._identity.cluster:",
        "if not header.cluster:",
        "node/state/test_snapshotter.py::test_a_snapshot_of_another_cluster_is_refused[somebody else's!--1]",
    ),
    mutant(
        "the local cap decides at apply",
        "trikv.node.assembly",
        "    raft = make_raft(settings, opened, identity, host)\n",
        "    raft = make_raft(settings, opened, identity, host)\n"
        "    opened.machine.space.account.cap = settings.maxmemory\n"
        "    opened.machine.space.account.is_founded = True\n",
        "node/test_caps.py::test_files_that_name_different_caps_make_no_replicas_differ",
    ),
    mutant(
        "dump written before the last acknowledged entry applied",
        "trikv.node.drain",
        "                return [Confirm()]\n",
        "                self._is_confirmed = True\n                return []\n",
        "node/test_stopping.py::test_the_dump_waits_for_its_barrier[True]",
    ),
    mutant(
        "a founding disk need not be blank",
        "trikv.node.peers.founding",
        "        if standing.blank and set(standing.configured) == set(self._addresses()):\n",
        "        if set(standing.configured) == set(self._addresses()):\n",
        "node/peers/test_founding.py::test_a_member_of_a_cluster_among_us_forbids_founding",
    ),
    mutant(
        "empty disk votes under its old id: it is adopted as a voter",
        "trikv.node.peers.founding",
        "    named = any(member.id == peer and member.disk == disk for member in membership.members)\n",
        "    named = True\n",
        "node/peers/test_founding.py::test_named_disk_starts_as_voter_any_other_as_learner",
    ),
    mutant(
        "empty disk votes under its old id: the log is gone, the identity is not",
        "trikv.storage.identity",
        "    if identity.cluster is not None:\n",
        "    if False:\n",
        "storage/test_snapshots.py::test_identity_without_log",
    ),
    mutant(
        "the writer reports the first job of a batch only",
        "trikv.node.state.writer",
        "        self._inbox.put(Persisted(jobs[-1].number))\n",
        "        self._inbox.put(Persisted(jobs[0].number))\n",
        "node/state/test_applier_order.py::test_the_writer_reports_a_batch_after_its_sync_and_all_of_it",
    ),
    mutant(
        "figures ask the machine that was there at the start",
        "trikv.node.status",
        "        cap_bytes=lambda: applier.machine.maxmemory,\n",
        '        cap_bytes=partial(getattr, applier.machine, "maxmemory"),\n',
        "node/test_assembly.py::test_figures_are_those_of_the_machine_that_a_snapshot_has_brought",
    ),
)

TURNS: tuple[Mutant, ...] = (
    mutant(
        "what was held waits for an event though nothing holds it any more",
        "trikv.node.consensus.turns",
        "        batch = [] if held_is_free else await self.take()\n",
        "        batch = await self.take()\n",
        "node/consensus/test_turns.py::test_what_comes_while_a_batch_is_under_way_becomes_the_next_one",
    ),
    mutant(
        "the timer's call is lost beside a late answer",
        "trikv.node.consensus.turns",
        "if self._inbox.was_called or not all(map(self._can_wait, batch)):",
        "if batch and not all(map(self._can_wait, batch)):",
        "node/consensus/test_turns.py::test_a_wake_up_brings_what_waits",
    ),
    mutant(
        "an answer that decides is kept for later",
        "trikv.node.consensus.turns",
        "return self._raft.answer_can_wait(event.peer, event.disk, message)",
        "return True",
        "node/consensus/test_turns.py::test_what_raft_needs_now_does_not_wait",
    ),
    mutant(
        "a peer's clock stands still while its answer waits",
        "trikv.node.consensus.turns",
        "message.wall_ms + elapsed_ms",
        "message.wall_ms",
        "node/consensus/test_turns.py::test_a_peers_clock_goes_on_while_its_answer_waits",
    ),
    mutant(
        "requests are held for as long as a batch takes",
        "trikv.node.consensus.turns",
        "free or now_ms >= self.due_ms:",
        "free:",
        "node/consensus/test_turns.py::test_a_slow_batch_does_not_hold_up_the_next",
    ),
    mutant(
        "what is to be applied waits for every job of the disk",
        "trikv.node.consensus.turns",
        "        if job is None and may_wait and self._persisted < self._issued:\n",
        "        if may_wait and self._persisted < self._issued:\n",
        "node/consensus/test_turns.py::test_a_follower_answers_the_leader_before_it_applies",
    ),
    mutant(
        "what is to be applied waits for a disk that hangs",
        "trikv.node.consensus.turns",
        "self._persisted < job and now_ms < self.due_ms",
        "self._persisted < job",
        "node/consensus/test_turns.py::test_a_disk_that_hangs_does_not_keep_a_follower_from_applying",
    ),
    mutant(
        "deadlines behind one that was given up are forgotten",
        "trikv.node.consensus.proposals",
        "        for pending in self._window:  # in",
        "        for pending in [p for p in self._window if p is self._window[0]]:  # in",
        "node/consensus/test_turns.py::test_deadlines_behind_one_that_was_given_up_are_kept",
    ),
    mutant(
        "a refused clock entry is asked for again at once",
        "trikv.node.consensus.leading",
        "        self._last_batch_ms = boot_ms\n        batch",
        "        batch",
        "node/consensus/test_leading.py::test_a_clock_entry_that_is_refused_is_tried_again_at_its_distance",
    ),
)

MUTANTS = PROPOSALS + JOINING + APPLYING + LINKS + READS + TIME + SNAPSHOTS + TURNS
