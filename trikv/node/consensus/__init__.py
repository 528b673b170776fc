"""Consensus: the one task that owns Raft, and the parts that it asks in each turn.

A turn, from left to right::

    turns     -> router -> admission -> Raft -> forwarding -> read_exchange -> Ready -> writer, links, applier
    (begins)     (events)  (works)              (writes)      (reads)          (driver)

- `parts` are the records of what a member is made of; `trikv.node.assembly` makes all of it.
- `driver` takes what has come in, steps Raft and hands out what `Ready` says. It explains its order.
- `turns` decides when a turn begins and what it holds back; `alarm` is the timer.
- `router` says what an event or a peer's message means, and who gets it.
- `admission` takes or refuses what clients ask. `forwarding` passes writes on, by `proposals` (exactly once),
  `read_exchange` reads, by `read_questions` (which belongs to which). `leader_reach` says whether the leader
  can be asked. `lease_reads` answers before all that, if it may.
- `leading` is what a leader adds to the log; `swap` replaces a disk, `log_time` is the machine's clock.
- `retention` bounds the log in memory, `voters_holding` counts whose disks have an index.
- `clock_watch` and `lost_entries` warn.

All but `driver`, `turns` and `alarm` know no Trio, and are told the time.
"""
