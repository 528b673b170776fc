"""Mistakes in the consensus algorithm."""

from tests.mutants.mutant import Mutant, mutant

SCENARIO = "raft/test_scenarios.py::test_scenario_plays_out_as_written"

ELECTIONS: tuple[Mutant, ...] = (
    mutant(
        "skip persisting the vote",
        "trikv.raft.shared",
        "self.outbox.write_hard_state(HardState(term, vote))",
        "self.outbox.write_hard_state(HardState(term, None))",
        "raft/test_paper.py::test_a_vote_survives_a_restart",
    ),
    mutant(
        "skip persisting the vote: it leaves before it is on disk",
        "trikv.raft.outbox",
        "        if self._hard_job <= self._persisted:\n            self._messages.append((to, message))",
        "        if True:\n            self._messages.append((to, message))",
        "raft/test_paper.py::test_a_vote_leaves_after_it_is_on_disk",
    ),
    mutant(
        "skip persisting the term",
        "trikv.raft.core",
        "        self._shared.set_hard_state(term, None)\n",
        "        self._shared.term, self._shared.vote = term, None\n"
        "        self._shared.outbox._term = term\n",
        "raft/test_scenarios.py::test_scenario_plays_out_as_written[read_round_of_a_deposed_leader]",
    ),
    mutant(
        "grant a vote to a shorter log",
        "trikv.raft.shared",
        "return (last_term, last_index) >= (self.log.last_term, self.log.last_index)",
        "return last_term >= self.log.last_term",
        "raft/test_paper.py::test_only_a_log_as_complete_gets_a_vote",
    ),
    mutant(
        "two votes in one term",
        "trikv.raft.votes",
        "        and shared.vote in (None, disk)\n",
        "",
        "raft/test_paper.py::test_one_vote_a_term_first_come_first_served",
    ),
    mutant(
        "no pre-vote",
        "trikv.raft.core",
        "                self._poll()\n",
        "                self._campaign(transfer=False)\n",
        f"{SCENARIO}[pre_vote_disturbs_nobody]",
    ),
    mutant(
        "no step-down on a higher term in an ack",
        "trikv.raft.core",
        "        if message.term > shared.term:\n",
        "        if message.term > shared.term and not isinstance(\n"
        "            message, AppendAck | AppendReject | HeartbeatAck\n"
        "        ):\n",
        "raft/test_paper.py::test_a_higher_term_is_adopted_and_a_leader_steps_down",
    ),
    mutant(
        "votes of an old term counted",
        "trikv.raft.core",
        "        return isinstance(message, RequestVote)\n",
        "        return isinstance(message, RequestVote | VoteAck)\n",
        "raft/test_mutant_core.py::test_a_candidate_counts_no_vote_of_its_last_election",
    ),
    mutant(
        "empty disk votes under its old id",
        "trikv.raft.membership",
        "        return member is not None and member.voter and member.disk == disk\n",
        "        return member is not None and member.voter\n",
        "raft/test_core.py::test_a_vote_of_another_disk_does_not_count",
    ),
    mutant(
        "empty disk votes under its old id: its acks count",
        "trikv.raft.membership",
        "        return member is not None and member.disk == disk\n",
        "        return member is not None\n",
        "raft/test_core.py::test_only_the_disk_that_is_the_member_is_heard",
    ),
    mutant(
        "a candidate's own vote counts before it is on disk",
        "trikv.raft.core",
        "            if shared.outbox.is_hard_state_durable:\n                self._count_vote",
        "            if True:\n                self._count_vote",
        "raft/test_core.py::test_a_sole_voters_older_job_does_not_elect_it",
    ),
    mutant(
        "answers to a heartbeat wait although a read waits for them",
        "trikv.raft.leader",
        "        return not self.reads.is_in_flight and self.lease",
        "        return self.lease",
        "raft/test_late.py::test_an_answer_to_a_heartbeat_that_nobody_reads_by_waits_for_the_next_turn",
    ),
    mutant(
        "answers to a heartbeat wait although the lease ends before",
        "trikv.raft.leader",
        "is_in_flight and self.lease.until_ms > self.next_heartbeat_ms\n",
        "is_in_flight\n",
        "raft/test_late.py::test_a_lease_that_ends_before_the_next_heartbeat_is_renewed_at_once",
    ),
    mutant(
        "no check-quorum",
        "trikv.raft.leader",
        "        if now - heard >= shared.settings.election_timeout_ms_max:\n            return False\n",
        "",
        "raft/test_paper.py::test_a_leader_without_a_majority_steps_down",
    ),
    mutant(
        "a candidate disturbs a live leader",
        "trikv.raft.core",
        "            if isinstance(message, RequestVote) and not message.transfer and self._is_loyal:\n"
        "                return False\n",
        "",
        "raft/test_paper.py::test_a_live_leader_protects_its_followers_from_candidates",
    ),
    mutant(
        "timers fire after a stall",
        "trikv.raft.core",
        "        if absent_ms * 2 > shared.settings.election_timeout_ms_min:\n",
        "        if False:\n",
        "raft/test_core.py::test_after_a_stall_no_follower_campaigns_in_the_same_turn",
    ),
)

REPLICATION: tuple[Mutant, ...] = (
    mutant(
        "acknowledge before the fsync",
        "trikv.raft.follower",
        "shared.outbox.send_when_durable(sender, AppendAck(shared.term, last), last)",
        "shared.outbox.send(sender, AppendAck(shared.term, last))",
        "raft/test_scenarios.py::test_scenario_plays_out_as_written[old_job_and_replaced_entries]",
    ),
    mutant(
        "acknowledge before the fsync: the leader counts its own log ahead of its disk",
        "trikv.raft.leader",
        "index = self._among_voters(shared, shared.outbox.durable_index, matches)",
        "index = self._among_voters(shared, shared.log.last_index, matches)",
        "raft/test_paper.py::test_entries_commit_when_a_majority_has_them_on_disk",
    ),
    mutant(
        "reply before the quorum",
        "trikv.raft.leader",
        "index = self._among_voters(shared, shared.outbox.durable_index, matches)",
        "index = shared.outbox.durable_index",
        "raft/test_paper.py::test_entries_commit_when_a_majority_has_them_on_disk",
    ),
    mutant(
        "commit a prior term's entry by counting",
        "trikv.raft.leader",
        "if index <= shared.commit or shared.log.term_at(index) != shared.term:",
        "if index <= shared.commit:",
        f"{SCENARIO}[figure_8]",
    ),
    mutant(
        "ignore prev_log_term",
        "trikv.raft.follower",
        "        elif log.term_at(previous) != message.prev_term:\n",
        "        elif previous > log.last_index:\n",
        "raft/test_paper.py::test_an_append_needs_the_entry_before_it",
    ),
    mutant(
        "truncate even where entries match",
        "trikv.raft.follower",
        "            if term != entry.term:\n",
        "            if True:\n",
        f"{SCENARIO}[append_duplicated_and_delayed]",
    ),
    mutant(
        "accept AppendEntries of an old term",
        "trikv.raft.core",
        "        return isinstance(message, RequestVote)\n",
        "        return isinstance(message, RequestVote | AppendEntries)\n",
        "raft/test_paper.py::test_requests_of_an_old_term_are_refused_with_the_new_one",
    ),
    mutant(
        "commit past the last verified entry",
        "trikv.raft.follower",
        "        shared.commit_to(min(message.commit, last))\n",
        "        shared.commit_to(min(message.commit, log.last_index))\n",
        "raft/test_replication.py::test_an_append_commits_no_further_than_it_proves",
    ),
    mutant(
        "commit past the last verified entry: by a heartbeat",
        "trikv.raft.follower",
        "        shared.commit_to(min(message.commit, shared.verified))\n",
        "        shared.commit_to(min(message.commit, shared.log.last_index))\n",
        "raft/test_replication.py::test_a_heartbeat_commits_no_further_than_was_proved",
    ),
    mutant(
        "acks of an old term counted (5 nodes)",
        "trikv.raft.core",
        "        return isinstance(message, RequestVote)\n",
        "        return isinstance(message, RequestVote | AppendAck)\n",
        f"{SCENARIO}[five_nodes_old_acks]",
    ),
    mutant(
        "an old write job's completion acknowledges replaced entries",
        "trikv.raft.outbox",
        "            issued.covers = min(issued.covers, index)\n",
        "            pass\n",
        "raft/test_outbox.py::test_an_old_job_never_covers_entries_that_replaced_its_own",
    ),
    mutant(
        "truncation not recorded: the core does not ask for it",
        "trikv.raft.outbox",
        "            self._truncate_from = index  # not above",
        "            pass  # not above",
        "raft/test_outbox.py::test_a_cut_of_unissued_entries_needs_no_record",
    ),
    mutant(
        "heartbeat starved by a slow sync",
        "trikv.raft.outbox",
        "        if self._hard_job <= self._persisted:\n"
        "            self._messages.append((to, message))\n"
        "        else:\n"
        "            self._hold(self._hard_job, to, message)\n",
        "        if self._next_job - 1 <= self._persisted:\n"
        "            self._messages.append((to, message))\n"
        "        else:\n"
        "            self._hold(self._next_job - 1, to, message)\n",
        "node/consensus/test_driver.py::test_heartbeats_leave_while_the_disk_is_busy",
    ),
    mutant(
        "the window never shrinks",
        "trikv.raft.progress",
        "            self.inflight_bytes -= inflight.popleft()[1]\n",
        "            inflight.popleft()\n",
        "raft/test_mutant_core.py::test_an_ack_gives_the_window_its_bytes_back",
    ),
    mutant(
        "a late rejection moves the probe",
        "trikv.raft.leader",
        "        if progress.state is ProgressState.SNAPSHOT or not expected:\n",
        "        if progress.state is ProgressState.SNAPSHOT:\n",
        "raft/test_replication.py::test_late_rejections_are_recognised",
    ),
    mutant(
        "a lost append is never sent again",
        "trikv.raft.leader",
        "        elif progress.inflight and now - progress.moved_ms >= settings.election_timeout_ms_min:\n"
        "            progress.to_probe(progress.match + 1)\n",
        "",
        "raft/test_replication.py::test_a_lost_append_is_sent_again_without_a_broken_link",
    ),
    mutant(
        "who waits for a commit hears of it with the next heartbeat only",
        "trikv.raft.leader",
        "        return progress.commit_sent < min(progress.awaited, shared.commit, progress.match)\n",
        "        return False\n",
        "raft/test_paper.py::test_the_commit_index_reaches_at_once_who_waits_for_it",
    ),
)

READS: tuple[Mutant, ...] = (
    mutant(
        "read from the leader without a quorum round",
        "trikv.raft.leader",
        "tuple(reads.confirm(self._among_voters(shared, reads.number, self._rounds())))",
        "tuple(reads.confirm(reads.number))",
        f"{SCENARIO}[read_round_of_a_deposed_leader]",
    ),
    mutant(
        "ReadIndex before the new term's no-op committed",
        "trikv.raft.leader",
        "began = shared.commit >= self.opened_at and self.reads.begin(shared.commit)",
        "began = self.reads.begin(shared.commit)",
        f"{SCENARIO}[read_before_the_no_op]",
    ),
    mutant(
        "a read joins a round broadcast before it arrived",
        "trikv.raft.read_rounds",
        "        self._waiting.append(read)\n",
        "        if self._rounds:\n"
        "            self._rounds[-1].reads += (read,)\n"
        "        else:\n"
        "            self._waiting.append(read)\n",
        f"{SCENARIO}[read_rounds]",
    ),
    mutant(
        "ReadIndex id reused: a round's number",
        "trikv.raft.read_rounds",
        'their acks confirm the rounds in flight, too."""\n        self.number += 1\n',
        'their acks confirm the rounds in flight, too."""\n',
        f"{SCENARIO}[read_rounds]",
    ),
)

LEASES: tuple[Mutant, ...] = (
    mutant(
        "lease that ignores drift",
        "trikv.raft.lease",
        "promise_ms * (100 - settings.clock_drift_percent_max) // 100 - 1",
        "promise_ms - 1",
        f"{SCENARIO}[lease_and_clock_drift]",
    ),
    mutant(
        "a lease counts from its answer",
        "trikv.raft.lease",
        "                return left_ms + ",
        "                return self._beats[-1][1] + ",
        "raft/test_lease.py::test_each_heartbeat_renews_the_lease_from_when_it_left",
    ),
    mutant(
        "a lease counts from its answer: not from when the heartbeat left",
        "trikv.raft.leader",
        "self.lease.promise_ends_ms(message.round, message.promise_ms, settings)",
        "now + message.promise_ms * 80 // 100 - 1",
        f"{SCENARIO}[lease_from_when_the_heartbeat_left]",
    ),
    mutant(
        "lease kept over a transfer",
        "trikv.raft.leader",
        "            self.lease.forfeit()\n",
        "",
        f"{SCENARIO}[lease_ends_with_a_transfer]",
    ),
    mutant(
        "lease kept over a transfer: renewed after it seems to have failed",
        "trikv.raft.lease",
        "        self._is_forfeit = True\n",
        "",
        f"{SCENARIO}[lease_ends_with_a_transfer]",
    ),
    mutant(
        "lease read before the new term's no-op committed",
        "trikv.raft.views",
        "return commit if commit >= role.opened_at else None",
        "return commit",
        f"{SCENARIO}[lease_before_the_no_op]",
    ),
    mutant(
        "a voter breaks its promise to a leader",
        "trikv.raft.votes",
        "        and (message.transfer or not shared.is_bound)\n",
        "",
        "raft/test_lease.py::test_a_promise_outlives_the_term_in_which_it_was_given",
    ),
    mutant(
        "a voter breaks its promise to a leader: by entering a term",
        "trikv.raft.follower",
        "        self.leader = leader\n        self._patience_ms",
        "        self.leader = leader\n        shared.heard_ms = 0\n        self._patience_ms",
        "raft/test_lease.py::test_a_promise_outlives_the_term_in_which_it_was_given",
    ),
    mutant(
        "a voter breaks its promise to a leader: by a restart",
        "trikv.raft.shared",
        "        self.now_ms = self.heard_ms = now_ms\n",
        "        self.now_ms, self.heard_ms = now_ms, -3_600_000\n",
        "raft/test_lease.py::test_a_restarted_voter_keeps_the_promise_of_its_last_life",
    ),
    mutant(
        "a lease of the last configuration's majority",
        "trikv.raft.leader",
        "for peer in others}\n        self._renew_lease(shared)\n",
        "for peer in others}\n",
        "raft/test_lease.py::test_a_new_voter_is_counted_from_the_append_on",
    ),
    mutant(
        "a leader that is no voter holds a lease",
        "trikv.raft.leader",
        "if shared.is_voter else NEVER_MS",
        "if shared.node_id else NEVER_MS",
        "raft/test_lease.py::test_a_leader_that_is_no_voter_has_no_lease",
    ),
)

SNAPSHOTS_AND_MEMBERS: tuple[Mutant, ...] = (
    mutant(
        "install without resetting the log",
        "trikv.raft.shared",
        "        self.outbox.reset(meta)\n",
        "",
        "raft/test_installs.py::test_an_install_goes_reset_then_machine_then_ack",
    ),
    mutant(
        "installed snapshot keeps a conflicting suffix",
        "trikv.raft.core",
        "if meta.index <= shared.commit or shared.log.term_at(meta.index) == meta.term:",
        "if meta.index <= shared.commit or meta.index <= shared.log.last_index:",
        "raft/test_mutant_core.py::test_an_installed_snapshot_replaces_a_longer_log_that_conflicts",
    ),
    mutant(
        "a snapshot is acknowledged before the machine has it",
        "trikv.raft.core",
        "        self._install_job = shared.outbox.latest_job()\n        return True\n",
        "        self._install_job = shared.outbox.latest_job()\n"
        "        shared.outbox.send_when_durable(sender, AppendAck(term, meta.index), meta.index)\n"
        "        return True\n",
        "raft/test_scenarios.py::test_scenario_plays_out_as_written[snapshot_to_a_blank_learner]",
    ),
    mutant(
        "leads while a snapshot is being installed",
        "trikv.raft.core",
        "return self._shared.may_campaign and self._installing is None",
        "return self._shared.may_campaign",
        "raft/test_installs.py::test_nobody_campaigns_while_installing",
    ),
    mutant(
        "membership change before the term's no-op committed",
        "trikv.raft.core",
        "if shared.commit < max(role.opened_at, history.index):",
        "if shared.commit < history.index:",
        f"{SCENARIO}[membership_change_before_no_op]",
    ),
    mutant(
        "two membership changes at once",
        "trikv.raft.core",
        "if shared.commit < max(role.opened_at, history.index):",
        "if shared.commit < role.opened_at:",
        f"{SCENARIO}[configuration_rolled_back]",
    ),
    mutant(
        "configuration not rolled back on truncation",
        "trikv.raft.shared",
        "        self.memberships.truncate(index)\n",
        "",
        f"{SCENARIO}[configuration_rolled_back]",
    ),
    mutant(
        "entries forgotten that were not handed out",
        "trikv.raft.core",
        "            self._handed += len(committed)\n",
        "            self._handed = shared.commit\n",
        "raft/test_replication.py::test_deadline_says_now_while_committed_entries_are_left",
    ),
)

STALLS: tuple[Mutant, ...] = (
    mutant(
        "a slow read round is left to itself",
        "trikv.raft.leader",
        "        due_ms = min(self.next_heartbeat_ms, self._ask_others_ms)\n",
        "        due_ms = self.next_heartbeat_ms\n",
        "raft/test_asking.py::test_who_was_slow_is_asked_last",
    ),
    mutant(
        "a read round asks the same voters however long they are silent",
        "trikv.raft.leader",
        "(progress[voter].slow_ms, voter)",
        "voter",
        "raft/test_asking.py::test_who_was_slow_is_asked_last",
    ),
    mutant(
        "the ack that commits is called late",
        "trikv.raft.leader",
        "            return is_told and message.match_index <= shared.commit\n",
        "            return is_told\n",
        "raft/test_late.py::test_the_ack_behind_a_majoritys_is_late",
    ),
    mutant(
        "the ack that lets a waiting peer be told is called late",
        "trikv.raft.leader",
        "            return is_told and message.match_index <= shared.commit\n",
        "            return message.match_index <= shared.commit\n",
        "raft/test_late.py::test_an_ack_for_which_somebody_waits_is_not_late",
    ),
    mutant(
        "the answer that confirms a round is called late",
        "trikv.raft.leader",
        "        if message.round <= self._among_voters(shared, self.reads.number, self._rounds()):\n",
        "        if True:\n",
        "raft/test_late.py::test_the_answer_of_a_round_behind_a_majoritys_is_late",
    ),
    mutant(
        "a leader's own sync is kept though a peer has acked",
        "trikv.raft.leader",
        "any(self.progress[voter].match > shared.commit for voter in others)",
        "False",
        "raft/test_late.py::test_a_leaders_own_sync_is_early_until_a_peer_has_acked",
    ),
    mutant(
        "whoever is behind a new link is not compared",
        "trikv.raft.leader",
        "            progress.to_probe(progress.match + 1)\n        progress.is_probing = False\n",
        "            pass\n        progress.is_probing = False\n",
        "raft/test_replication.py::test_a_link_that_comes_up_probes_whoever_is_there_now",
    ),
    mutant(
        "who stood in vain forgets what was verified",
        "trikv.raft.follower",
        "        self.leader = leader\n        self._patience_ms",
        "        self.leader = leader\n        shared.verified = shared.commit\n        self._patience_ms",
        "raft/test_replication.py::test_who_stood_in_vain_goes_on_behind_the_same_leader",
    ),
)

MUTANTS = ELECTIONS + REPLICATION + READS + LEASES + SNAPSHOTS_AND_MEMBERS + STALLS
