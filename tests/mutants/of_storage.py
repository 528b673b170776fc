"""Mistakes in the write-ahead log, its recovery, the files of snapshots, and whose they are."""

from tests.mutants.mutant import Mutant, mutant

MUTANTS: tuple[Mutant, ...] = (
    mutant(
        "skip persisting the term: a hard state without a vote is not written",
        "trikv.storage.batching",
        "        if job.hard_state is not None:\n",
        "        if job.hard_state is not None and job.hard_state.vote is not None:\n",
        "storage/test_wal_crashes.py::test_any_run_with_crashes",
    ),
    mutant(
        "acknowledge before the fsync: the write is not synced",
        "trikv.storage.wal",
        "        await self._file.file.write_and_sync(segment.used_bytes, data)\n",
        "        await self._file.file.write(segment.used_bytes, data)\n",
        "storage/test_wal_crashes.py::test_cut_at_every_operation",
    ),
    mutant(
        "torn tail kept",
        "trikv.storage.recovery",
        "    copied_end = end.offset - end.unpadded_bytes\n",
        "    copied_end = end.torn_end - end.unpadded_bytes\n",
        "storage/test_wal_damage.py::test_a_prefix_is_torn[100]",
    ),
    mutant(
        "corruption in the middle treated as torn",
        "trikv.storage.reader",
        "if not last or beyond > at + header.total_bytes or unwritten is None:",
        "if unwritten is None:",
        "storage/test_wal_damage.py::test_a_wrong_batch_with_anything_behind_it_is_corrupt",
    ),
    mutant(
        "corruption in the middle treated as torn: a lost header",
        "trikv.storage.reader",
        "if not last or batch_at is not None or any(await self._read(at, sector_end - at)):",
        "if any(await self._read(at, sector_end - at)):",
        "storage/test_wal_damage.py::test_a_lost_header_before_a_batch_is_corrupt",
    ),
    mutant(
        "flipped byte in the last batch cut",
        "trikv.storage.reader",
        "if not last or beyond > at + header.total_bytes or unwritten is None:",
        "if not last or beyond > at + header.total_bytes:",
        "storage/test_wal_damage.py::test_every_flipped_byte_is_reported",
    ),
    mutant(
        "tail not rewritten at recovery",
        "trikv.storage.recovery",
        "    file = await _rewrite(disk, settings, sequences[-1], end)\n",
        "    tail = segment_path(sequences[-1])\n"
        "    file = SegmentFile(disk, await disk.open(tail), tail)\n"
        "    file.size = file.file.size()\n",
        "storage/test_wal_crashes.py::test_tail_from_the_page_cache_is_not_trusted",
    ),
    mutant(
        "log file reused after a sync error",
        "trikv.storage.wal",
        '            self._dead = f"{type(error).__name__}: {error}"\n',
        "",
        "storage/test_wal.py::test_an_error_kills_the_log",
    ),
    mutant(
        "fsync error swallowed",
        "trikv.storage.wal",
        "        await self._file.file.write_and_sync(segment.used_bytes, data)\n",
        "        try:\n"
        "            await self._file.file.write_and_sync(segment.used_bytes, data)\n"
        "        except OSError:\n"
        "            pass\n",
        "storage/test_wal.py::test_an_error_kills_the_log",
    ),
    mutant(
        "fsync error swallowed: and tried again",
        "trikv.storage.wal",
        "        await self._file.file.write_and_sync(segment.used_bytes, data)\n",
        "        try:\n"
        "            await self._file.file.write_and_sync(segment.used_bytes, data)\n"
        "        except OSError:\n"
        "            await self._file.file.sync()\n",
        "storage/test_mutant_wal.py::test_a_sync_that_failed_once_is_not_tried_again",
    ),
    mutant(
        "directory not synced after a segment is created",
        "trikv.storage.segment",
        "        await self._disk.sync_directory(WAL)\n",
        "",
        "storage/test_wal_crashes.py::test_cut_at_every_operation",
    ),
    mutant(
        "directory not synced after a segment is created: a snapshot's",
        "trikv.storage.aside",
        "        await self._disk.sync_directory(self._directory)\n",
        "",
        "storage/test_snapshots.py::test_a_snapshot_is_whole_or_absent",
    ),
    mutant(
        "hard state lost with a compacted segment",
        "trikv.storage.wal",
        "        state.hard_state,\n",
        "        HardState(),\n",
        "storage/test_wal.py::test_reset_drops_the_log_and_keeps_the_vote",
    ),
    mutant(
        "truncation not recorded",
        "trikv.storage.batching",
        "            self._record(RecordKind.TRUNCATE, encode(job.truncate_from))\n",
        "",
        "storage/test_wal_crashes.py::test_cut_at_every_operation",
    ),
    mutant(
        "install without resetting the log: on the disk",
        "trikv.storage.batching",
        "            self._record(RecordKind.RESET, encode(job.reset))\n",
        "",
        "storage/test_wal.py::test_reset_drops_the_log_and_keeps_the_vote",
    ),
    mutant(
        "installed snapshot keeps a conflicting suffix: after a crash",
        "trikv.storage.recovery",
        "    if at < len(entries) and entries[at].term == newest.term:\n",
        "    if at < len(entries):\n",
        "storage/test_plan.py::test_the_log_is_behind_or_conflicts",
    ),
    mutant(
        "compaction past what a snapshot covers: segments go too early",
        "trikv.storage.wal",
        "self._segments[0].top_index <= self._state.base.index:",
        "self._segments[0].top_index <= self._state.last_index:",
        "storage/test_wal.py::test_compaction_removes_whole_segments",
    ),
    mutant(
        "a log that lost its newest snapshot starts all the same",
        "trikv.storage.recovery",
        "    if base.index > held:\n",
        "    if False:\n",
        "storage/test_plan.py::test_base_beyond_the_snapshot",
    ),
    mutant(
        "snapshot read under its name before it was synced",
        "trikv.storage.aside",
        "            await self._file.sync()\n            self._file.close()\n            await",
        "            self._file.close()\n            await",
        "storage/test_snapshots.py::test_a_snapshot_is_whole_or_absent",
    ),
    mutant(
        "snapshot found at a start is not made durable",
        "trikv.storage.snapshots",
        "            await disk.sync_directory(SNAPSHOTS)\n",
        "            pass\n",
        "storage/test_snapshots.py::test_what_a_start_finds_survives_a_power_cut",
    ),
    mutant(
        "ENOSPC inside a segment taken for a full disk",
        "trikv.storage.wal",
        "        await self._file.file.write_and_sync(segment.used_bytes, data)\n",
        "        try:\n"
        "            await self._file.file.write_and_sync(segment.used_bytes, data)\n"
        "        except OSError:\n"
        "            raise NoRoom('the disk is full', 'the log') from None\n",
        "storage/test_wal.py::test_full_disk_inside_a_segment_kills",
    ),
    mutant(
        "publish without a directory sync: of a new directory's parent",
        "trikv.storage.aside",
        "                await disk.sync_directory(parent)\n",
        "                await disk.sync_directory(directory)\n",
        "storage/test_snapshots.py::test_a_new_directory_is_durable_before_a_file_in_it_has_its_name",
    ),
    mutant(
        "a cancelled write leaves the log alive",
        "trikv.storage.wal",
        "        except BaseException as error:\n"
        '            self._dead = f"{type(error).__name__}: {error}"\n',
        '        except Exception as error:\n            self._dead = f"{type(error).__name__}: {error}"\n',
        "storage/test_wal.py::test_a_cancelled_write_kills_the_log",
    ),
    mutant(
        "a segment's header tells a hard state that is not written yet",
        "trikv.storage.batching",
        "            self._record(RecordKind.HARD_STATE, encode(job.hard_state))\n"
        "            self._hard_state = job.hard_state\n",
        "            self._hard_state = job.hard_state\n"
        "            self._record(RecordKind.HARD_STATE, encode(job.hard_state))\n",
        "storage/test_wal_crashes.py::test_a_segment_begins_with_what_was_written_before_it",
    ),
    mutant(
        "a bit that makes of a node another is taken for the operator's mistake",
        "trikv.node.state.opening",
        "    return owner is not None and owner.node == node_id\n",
        "    return False\n",
        "node/state/test_opening.py::test_an_identity_that_the_log_contradicts_is_corrupt",
    ),
    mutant(
        "an operator's mistake is taken for damage of the other node's log",
        "trikv.node.state.opening",
        "    except (StorageCorrupt, StrayName):\n",
        "    except StrayName:\n",
        "node/state/test_opening.py::test_another_nodes_log_is_nothing_to_mend_whatever_is_wrong_with_it"
        "[a flipped bit]",
    ),
)
