"""What a node must find again after any crash: the log, the snapshots, the identity.

**The promise.** When `Wal.write` returns, the jobs are on the disk: every later `recover`, after a kill or a
power cut at any moment, returns them. What `recover` returns is a state that some prefix of the records
written made. Bytes that were durable once and read back differently are reported (`StorageCorrupt`, with
file, offset and what to do), never applied and never cut. After a failed write or sync nothing is written
any more: the kernel may have dropped the pages and marked them clean.

**The data directory.**

::

    identity.json                  node, disk id, cluster (null while the disk is blank)
    wal/<sequence>.wal             the log's segments; numbers are consecutive, the oldest go first
    wal/next.tmp                   the segment being zeroed ahead
    snapshots/<index>-<term>.json  two of them; what is in them is the machine's business
    backups/<time>-<index>.json    what BACKUP has written; the newest are kept
    dump.json                      left by the last stop (dump.incomplete.json: by one without a majority)
    aside/                         what is out of use and kept: cut torn tails, older dumps, a refilled state

`layout` has all names that are ours. Others are left alone, or refused.

**The log** (`frames` the bytes, `records` the meaning, `batching` from jobs to batches, `segment` the files,
`wal` the writer, `statistics` its figures, `reader` and `recovery` the way back). A segment is a row of
batches, a batch is what one sync makes durable, a record is an entry, a hard state, a truncation, a reset or
a new base. The first batch of a segment is its header, which repeats everything that older segments would
have told; so compaction is the removal of whole segments. Four orders carry the proof:

1. batch n + 1 is written after the sync of batch n has returned, so only the last batch can be unfinished;
2. a segment gets its number after its header is synced, and takes records after its directory and the last
   batch of the segment before it are synced, so only the last segment can end in an unfinished batch;
3. within a job the hard state comes first, so that the term on disk is never behind the entries' terms;
4. removals go oldest first, each made durable before the next, so that power cuts leave no gaps.

**Torn or corrupt.** A file is written with zeros before it takes records, and no sector of a batch, as
written, is zeros (`frames` says how). So a part that reads as zeros was never written, and its batch was
never acknowledged: it is cut, and a copy is kept. Everything else is corruption. The table is in `reader`.

**Why recovery writes.** What is read back may be page cache that no disk ever held. `recover` therefore
rewrites the last segment to a new file, syncs, renames, syncs the directory, and only then returns. Older
segments were synced before their successor existed.

**Zeroed ahead.** A batch into written blocks is one data write to the device and changes no metadata; that
doubles the rate of small syncs. The writer calls `Wal.prepare` when it is idle, one bounded piece at a time.
This is also where a full disk is met, before any record depends on the space: `NoRoom` changes nothing and
may be tried again. ENOSPC anywhere else in the log, like EIO, kills it.

**Snapshots, backups, the identity** are written aside, synced in pieces, renamed, and the directory synced
(`aside`), so a file under its final name is whole. `recovery.plan` decides how log and newest snapshot go
together.

**What it does not do.** It does not check what is in entries and snapshots, keeps no index of entries (Raft
holds those above the base in memory), and never reads while it writes. It knows disks only through `disk`.
"""
