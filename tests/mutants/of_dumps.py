"""Mistakes about files: what is removed, what a dump replaces, how long a stop lasts, what is loaded."""

from tests.mutants.mutant import ByTest, Edit, Mutant, mutant

MUTANTS: tuple[Mutant, ...] = (
    mutant(
        "a backup removes what it has just written",
        "trikv.storage.layout",
        "        if name != written and (match := pattern.fullmatch(name)) is not None\n",
        "        if (match := pattern.fullmatch(name)) is not None\n",
        "storage/test_layout.py::test_the_highest_up_to_the_one_just_written_are_kept",
    ),
    mutant(
        "whatever ends in .tmp is removed at a start",
        "trikv.storage.aside",
        "        if is_unfinished(directory, name):\n",
        "        if name.endswith(UNFINISHED):\n",
        "storage/test_snapshots.py::test_only_own_unfinished_files_are_removed",
    ),
    mutant(
        "a renamed segment is ignored",
        "trikv.storage.recovery",
        "        elif name.endswith(SUFFIX):\n",
        "        elif False:\n",
        "storage/test_layout.py::test_a_strange_segment_is_refused_and_not_called_corrupt[1.wal]",
    ),
    mutant(
        "a dump replaces another cluster's",
        "trikv.node.state.dumps",
        "    return held is not None and (held.cluster != cluster or held.index > index)\n",
        "    return held is not None and held.index > index\n",
        "node/state/test_dumps.py::test_nothing_is_lost_by_what_is_decided",
    ),
    mutant(
        "what is in a dump's way is set aside before the dump is whole",
        "trikv.node.state.dumps",
        "            meta, keys = await self._snapshotter.write_document(\n",
        "            await self._set_aside(path, position.index)\n"
        "            meta, keys = await self._snapshotter.write_document(\n",
        "node/state/test_dumps.py::test_what_is_in_the_way_keeps_its_name_until_the_new_dump_is_whole",
    ),
    mutant(
        "another cluster's backups crowd out ours",
        "trikv.storage.layout",
        "(name for name in names if _backup_index(name) <= newest)",
        "(name for name in names if newest or True)",
        "storage/test_snapshots.py::test_another_clusters_backups_crowd_out_none_of_ours",
    ),
    mutant(
        "a snapshot ahead of the log holds up the dump",
        "trikv.node.state.snapshotter",
        "            if self._stopping:\n                raise GivenUp(",
        "            if False:\n                raise GivenUp(",
        "node/state/test_snapshotter.py::test_a_snapshot_that_waits_for_the_own_disk_holds_up_no_dump",
    ),
    mutant(
        "a cluster is founded at this release's level, whatever the others know",
        "trikv.node.peers.founding",
        "min(self._levels[member.id] for member in members)",
        "FEATURE_LEVEL",
        "node/peers/test_founding.py::test_a_cluster_is_founded_at_the_level_that_all_know",
    ),
    mutant(
        "a disk of an older release joins",
        "trikv.node.consensus.leading",
        "        if knows >= self.feature_level:\n",
        "        if knows:\n",
        "node/consensus/test_leading.py::test_only_a_disk_whose_release_knows_the_rules_joins",
    ),
    mutant(
        "an incomplete dump replaces one that knew more",
        "trikv.node.state.dumps",
        "            if not complete and await self._is_superfluous(position.index):\n",
        "            if False:\n",
        "node/state/test_dumps.py::test_a_node_that_knows_less_keeps_the_dump_of_one_that_knew_more",
    ),
    mutant(
        "a stop has one deadline for all, its dump included",
        "trikv.node.drain",
        "        self._deadline_s = now_s + self._patience_s\n        if now_s < self._tell_s:\n",
        "        if now_s < self._tell_s:\n",
        "node/test_stopping.py::test_a_stop_lasts_as_long_as_its_dump_moves",
    ),
    Mutant(
        "a stop waits for its peers' dumps",
        (
            Edit("trikv.node.drain", "return [Tell(Drained()), Dump(", "return [Dump("),
            Edit(
                "trikv.node.drain",
                "                self._enter(Phase.LEAVING)\n                return []\n",
                "                self._enter(Phase.LEAVING)\n                return [Tell(Drained())]\n",
            ),
        ),
        ByTest("node/test_stopping.py::test_nobody_waits_for_a_peers_dump[False]"),
    ),
    mutant(
        "a stop at once leaves half a dump behind",
        "trikv.node.state.snapshotter",
        "CancelScope(shield=True):  # a stop at once leaves nothing half written",
        "CancelScope():",
        "node/test_stopping.py::test_a_second_request_ends_it_at_once",
    ),
    mutant(
        "a cluster that was emptied is filled again",
        "trikv.node.state.own_writes",
        "    if applier.machine.changes:\n",
        "    if applier.machine.keys():\n",
        "node/state/test_own_writes.py::test_what_was_deleted_does_not_come_back[CLEAN-False]",
    ),
    mutant(
        "a cluster's directory is started without its peers",
        "trikv.node.configuration_check",
        "        if members.keys() == {node_id}:\n",
        "        if True:\n",
        "node/test_configuration_check.py::test_every_member_must_be_configured",
    ),
    mutant(
        "LASTSAVE is forgotten by a restart",
        "trikv.node.state.opening",
        "        (header.saved_ms or machine.now_ms) if header is not None else 0,\n",
        "        0,\n",
        "node/test_whole_saves.py::test_lastsave_survives_a_restart",
    ),
    mutant(
        "a paused client's unfinished request is never read",
        "trikv.front.conversation",
        "return not self.is_busy() or self._intake.buffered_bytes <= self._limits.backlog_bytes_max\n",
        "return self._intake.buffered_bytes <= self._limits.backlog_bytes_max\n",
        "front/test_conversation.py::test_a_paused_client_may_finish_a_request_longer_than_the_backlog",
    ),
    mutant(
        "a dump without its end holds what its header says",
        "trikv.node.state.dumps",
        "    return Held(header.cluster, header.meta.index) if CLOSING in tail else Held()\n",
        "    return Held(header.cluster, header.meta.index)\n",
        "node/state/test_dumps.py::test_what_a_file_says_of_itself",
    ),
)
