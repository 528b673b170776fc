"""Mistakes about members and forwards; also in WAIT, in barriers, and in the first files of a disk."""

from tests.mutants.mutant import Mutant, mutant

WAITING: tuple[Mutant, ...] = (
    mutant(
        "WAIT counts the leader's own log ahead of its disk",
        "trikv.node.consensus.voters_holding",
        "raft.durable_index if member.id",
        "raft.last_index if member.id",
        "node/test_promise_wait.py::test_wait_counts_the_leaders_own_disk_like_any_other",
    ),
    mutant(
        "WAIT counts what was sent",
        "trikv.node.consensus.voters_holding",
        "progress.match if progress else 0",
        "progress.next - 1 if progress else 0",
        "node/test_promise_wait.py::test_wait_counts_what_is_on_disk_and_not_what_was_sent",
    ),
    mutant(
        "WAIT counts learners",
        "trikv.node.consensus.voters_holding",
        "        if member.voter:\n",
        "        if member.id:\n",
        "node/test_promise_wait.py::test_wait_does_not_count_a_learner",
    ),
    mutant(
        "WAIT asks about the log's beginning",
        "trikv.node.service",
        "        self.write_token = member.applier.applied_index\n",
        "        self.write_token = lambda: 0\n",
        "node/test_promise_wait.py::test_wait_counts_what_is_on_disk_and_not_what_was_sent",
    ),
    mutant(
        "a question to the leader is not repeated",
        "trikv.node.operations",
        "await question.ask(poll_s)",
        'await question.ask(float("inf"))',
        "node/test_promise_wait.py::test_a_lost_answer_costs_wait_a_moment",
    ),
    mutant(
        "WAIT answers -1 at a node that knows no voter",
        "trikv.node.operations",
        "return max(0, sum(member.voter for member in self._raft.membership.members) - 1)",
        "return sum(member.voter for member in self._raft.membership.members) - 1",
        "node/test_operations.py::test_wait_before_the_cluster_is_known_counts_nobody",
    ),
)


MEMBERS: tuple[Mutant, ...] = (
    mutant(
        "a stray node is let in",
        "trikv.node.consensus.router",
        "if message.disk == disk and peer in self._links.peers():",
        "if message.disk == disk:",
        "node/test_promise_members.py::test_a_node_of_no_configuration_is_not_let_in",
    ),
    mutant(
        "a member asks for another disk than its own",
        "trikv.node.consensus.router",
        "if message.disk == disk and peer in self._links.peers():",
        "if peer in self._links.peers() and (disk := message.disk):",
        "node/test_promise_members.py::test_nobody_asks_for_another_disk_than_his_own",
    ),
    mutant(
        "a new disk votes before it learns",
        "trikv.node.consensus.swap",
        "Member(node_id, joiner.disk, voter=False, address",
        "Member(node_id, joiner.disk, voter=True, address",
        "node/test_promise_members.py::test_a_swap_is_three_changes_each_committed_before_the_next",
    ),
    mutant(
        "a new disk is promoted that holds nothing",
        "trikv.node.consensus.swap",
        "if not known.voter and match_of.get(node_id, 0) + CAUGHT_UP_ENTRIES >= commit:",
        "if not known.voter:",
        "node/test_promise_members.py::test_a_new_disk_learns_before_it_votes",
    ),
    mutant(
        "a new member is reached nowhere",
        "trikv.node.consensus.router",
        "            address = message.address or self._links.address_of(peer)\n",
        '            address = ""\n',
        "node/test_promise_members.py::test_a_swap_is_three_changes_each_committed_before_the_next",
    ),
    mutant(
        "a new disk is promoted for what it was sent",
        "trikv.node.consensus.leading",
        "            {peer: progress.match for peer, progress in self._raft.progress.items()},\n",
        "            {peer: progress.next for peer, progress in self._raft.progress.items()},\n",
        "node/test_promise_members.py::test_a_new_disk_learns_before_it_votes",
    ),
    mutant(
        "a learner asks for nothing",
        "trikv.node.consensus.driver",
        "member.disk == identity.disk and member.voter for",
        "member.disk == identity.disk for",
        "node/test_promise_members.py::test_a_new_disk_that_learns_for_long_is_promoted_in_the_end",
    ),
    mutant(
        "proposals of a removed disk count",
        "trikv.node.state.applier",
        "machine.apply_membership(entry.index, [member.id for member in membership.members])",
        "machine.skip(entry.index)",
        "node/test_promise_members.py::test_what_a_removed_disk_proposes_is_not_applied",
    ),
    mutant(
        "an ack of another disk counts",
        "trikv.raft.core",
        "        if not shared.memberships.is_member(sender, disk):\n"
        "            return\n"
        "        if isinstance(message, HeartbeatAck):",
        "        if isinstance(message, HeartbeatAck):",
        "node/test_promise_members.py::test_an_ack_counts_from_the_members_disk_alone[the other disk..]",
    ),
    mutant(
        "a vote of another disk counts",
        "trikv.raft.core",
        "if not message.granted or not shared.memberships.is_voter(sender, disk):",
        "if not message.granted:",
        "node/test_promise_members.py::test_a_vote_counts_from_the_members_disk_alone[the other disk..]",
    ),
    mutant(
        "a vote is forgotten at a start",
        "trikv.node.assembly",
        "        hard_state=opened.hard_state,\n",
        "        hard_state=type(opened.hard_state)(opened.hard_state.term),\n",
        "node/test_promise_members.py::test_a_vote_given_is_remembered_by_the_next_life",
    ),
    mutant(
        "a follower that lost what it acknowledged is asked in a circle, and nobody says it",
        "trikv.raft.leader",
        "        if message.prev_index == progress.match:\n"
        "            progress.denied(shared.now_ms)\n"
        "            return\n",
        "",
        "raft/test_replication.py::test_a_follower_that_lost_what_it_acknowledged_gets_no_more",
    ),
    mutant(
        "nobody says that a follower has lost what it acknowledged",
        "trikv.node.consensus.driver",
        "            self._lost_entries.look(now, raft.progress)\n",
        "",
        "node/consensus/test_driver.py::test_a_follower_that_lost_entries_is_named_by_its_leader",
    ),
    mutant(
        "a late rejection is taken for the loss of a disk",
        "trikv.raft.progress",
        "        self.denials = 0\n        inflight",
        "        inflight",
        "raft/test_replication.py::test_a_follower_that_lost_what_it_acknowledged_gets_no_more",
    ),
)


FORWARDS: tuple[Mutant, ...] = (
    mutant(
        "what was forwarded is logged in every turn",
        "trikv.node.consensus.forwarding",
        "            self._raft.awaits(peer, self._raft.last_index)\n        self._forwarded.clear()\n",
        "            self._raft.awaits(peer, self._raft.last_index)\n",
        "node/test_promise_forwards.py::test_what_a_follower_hands_over_stands_in_the_log_once",
    ),
    mutant(
        "what a follower refused it keeps",
        "trikv.node.consensus.forwarding",
        "            self._links.send(peer, said.ForwardRejected(raft.term, raft.leader))\n"
        "        self._forwarded.clear()\n",
        "            self._links.send(peer, said.ForwardRejected(raft.term, raft.leader))\n",
        "node/test_promise_forwards.py::test_who_does_not_lead_says_so_once",
    ),
    mutant(
        "a forward is not refused by who does not lead",
        "trikv.node.consensus.forwarding",
        "            self._links.send(peer, said.ForwardRejected(raft.term, raft.leader))\n"
        "        self._forwarded.clear()\n",
        "            pass\n        self._forwarded.clear()\n",
        "node/test_promise_forwards.py::test_who_does_not_lead_says_so_once",
    ),
    mutant(
        "a question is not refused by who does not lead",
        "trikv.node.consensus.read_exchange",
        "            self._links.send(peer, said.ReadRejected(refused))\n",
        "            pass\n",
        "node/test_promise_forwards.py::test_who_does_not_lead_says_so_once",
    ),
    mutant(
        "a refused forward waits for a timer",
        "trikv.node.consensus.router",
        "                self._proposals.nudge(now_ms)\n            case said.ReadRequest",
        "                pass\n            case said.ReadRequest",
        "node/test_promise_forwards.py::test_a_refusal_makes_it_hand_over_again_soon",
    ),
    mutant(
        "a new leader is handed over nothing at first",
        "trikv.node.consensus.driver",
        "        if seen[:2] != previous[:2]:\n            self._proposals.rewind(now)\n",
        "        if seen[:2] != previous[:2]:\n",
        "node/test_promise_forwards.py::test_a_new_leader_is_asked_at_once",
    ),
    mutant(
        "a new leader is asked nothing at first",
        "trikv.node.consensus.driver",
        "            self._proposals.rewind(now)\n            self._reads.retry()\n",
        "            self._proposals.rewind(now)\n",
        "node/test_promise_forwards.py::test_a_new_leader_is_asked_at_once",
    ),
    mutant(
        "a gap waits for a timer",
        "trikv.node.consensus.router",
        "            case events.OwnSkipped():\n                self._proposals.nudge(now_ms)\n",
        "            case events.OwnSkipped():\n                pass\n",
        "node/test_promise_forwards.py::test_a_gap_makes_it_hand_over_again_from_the_oldest",
    ),
    mutant(
        "questions of two lives have one name",
        "trikv.node.assembly",
        '    life = int.from_bytes(host.entropy.bytes(7), "big")\n',
        "    life = 1\n",
        "node/test_promise_forwards.py::test_a_new_life_is_told_from_the_last_one",
    ),
    mutant(
        "Hellos of two lives are the same",
        "trikv.node.assembly",
        "proposals=Proposals(identity.node_id, host.entropy.bytes(16), waiters",
        "proposals=Proposals(identity.node_id, bytes(16), waiters",
        "node/test_promise_forwards.py::test_a_new_life_is_told_from_the_last_one",
    ),
    mutant(
        "what has applied is handed over again",
        "trikv.node.consensus.router",
        "                    self._proposals.applied_below(sequence, now_ms)\n",
        "                    pass\n",
        "node/test_promise_forwards.py::test_what_a_follower_hands_over_stands_in_the_log_once",
    ),
)


BARRIERS: tuple[Mutant, ...] = (
    mutant(
        "a backup without its barrier",
        "trikv.node.operations",
        "            error = await barrier(self._inbox)\n            return await act()",
        "            error = None\n            return await act()",
        "node/test_promise_barriers.py::test_a_file_holds_what_was_acknowledged_elsewhere_before_it_was_asked_for[BACKUP]",
    ),
    mutant(
        "a backup without its barrier: nobody is asked",
        "trikv.node.consensus.router",
        "                self._reads.submit([work], now_ms)\n",
        "                work.answered([])\n",
        "node/test_promise_barriers.py::test_a_file_holds_what_was_acknowledged_elsewhere_before_it_was_asked_for[SAVE]",
    ),
    mutant(
        "BGSAVE without its barrier",
        "trikv.node.operations",
        "                await self._after_barrier(self._save)\n                return\n",
        "                await self._save()\n                return\n",
        "node/test_promise_barriers.py::test_a_file_holds_what_was_acknowledged_elsewhere_before_it_was_asked_for[BGSAVE]",
    ),
    mutant(
        "a backup is written though nobody confirmed it",
        "trikv.node.operations",
        "            return await act() if error is None else error\n",
        "            return await act()\n",
        "node/test_promise_barriers.py::test_without_a_majority_there_is_an_error_and_no_file[BACKUP]",
    ),
    mutant(
        "a backup that failed is under way for ever",
        "trikv.node.operations",
        "        finally:\n            self._writes = False\n",
        "        finally:\n            pass\n",
        "node/test_promise_barriers.py::test_without_a_majority_there_is_an_error_and_no_file[SAVE]",
    ),
    mutant(
        "two backups at once",
        "trikv.node.operations",
        "        self._writes = True\n",
        "",
        "node/test_promise_barriers.py::test_one_file_at_a_time",
    ),
)


FIRST_FILES: tuple[Mutant, ...] = (
    mutant(
        "the identity names a cluster before there is a log",
        "trikv.node.state.opening",
        "    wal = await Wal.create(\n"
        "        host.disk, settings, WalIdentity(cluster, identity.node, identity.disk), HardState(), base\n"
        "    )\n"
        "    await identity_files.save(host.disk, attrs.evolve(identity, cluster=cluster))\n",
        "    await identity_files.save(host.disk, attrs.evolve(identity, cluster=cluster))\n"
        "    wal = await Wal.create(\n"
        "        host.disk, settings, WalIdentity(cluster, identity.node, identity.disk), HardState(), base\n"
        "    )\n",
        "node/test_promise_first_files.py::test_a_power_cut_at_any_step_of_a_first_start_is_made_good_by_the_next[Keep.NONE]",
    ),
    mutant(
        "a disk's name is not written before it is used",
        "trikv.node.state.opening",
        "        await identity_files.save(host.disk, known)\n",
        "",
        "node/test_promise_first_files.py::test_a_power_cut_at_any_step_of_a_first_start_is_made_good_by_the_next[Keep.NONE]",
    ),
    mutant(
        "an identity that a crash left without its cluster stays so",
        "trikv.node.state.opening",
        "    if told != identity:\n        await identity_files.save(host.disk, told)\n",
        "",
        "node/test_promise_first_files.py::test_a_power_cut_at_any_step_of_a_first_start_is_made_good_by_the_next[Keep.NONE]",
    ),
    mutant(
        "an identity names no cluster",
        "trikv.node.state.opening",
        "    await identity_files.save(host.disk, attrs.evolve(identity, cluster=cluster))\n",
        "",
        "node/test_promise_first_files.py::test_a_log_that_was_lost_is_noticed_from_the_first_day",
    ),
    mutant(
        "a disk that lost its log starts as a blank one",
        "trikv.node.state.opening",
        "        identity_files.refuse_without_log(identity)\n",
        "",
        "node/test_promise_first_files.py::test_a_log_that_was_lost_is_noticed_from_the_first_day",
    ),
    mutant(
        "another disk's identity is taken",
        "trikv.node.state.opening",
        "    if identity not in {told, attrs.evolve(told, cluster=None)}:\n",
        "    if False:\n",
        "node/test_promise_first_files.py::test_an_identity_of_another_disk_is_refused",
    ),
    mutant(
        "another node's directory is taken",
        "trikv.node.state.opening",
        "    if known.node != node_id:\n",
        "    if False:\n",
        "node/test_promise_first_files.py::test_an_identity_of_another_disk_is_refused",
    ),
    mutant(
        "a start takes another cluster's snapshot",
        "trikv.node.state.opening",
        "        if header.cluster != recovered.identity.cluster:\n",
        "        if False:\n",
        "node/test_promise_first_files.py::test_a_snapshot_of_another_cluster_or_another_index_is_refused",
    ),
    mutant(
        "a start takes a snapshot of another index",
        "trikv.node.state.opening",
        "    if (header.meta.index, header.meta.term) != (stored.index, stored.term):\n",
        "    if False:\n",
        "node/test_promise_first_files.py::test_a_snapshot_of_another_cluster_or_another_index_is_refused",
    ),
)


MUTANTS = WAITING + MEMBERS + FORWARDS + BARRIERS + FIRST_FILES
