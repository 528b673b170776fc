"""Consensus: the one task that owns Raft, and the pure parts that it asks in each turn.

`driver` takes what has come in, steps Raft and hands out what `Ready` says. What is decided is decided by
parts that know no Trio and are told the time: `proposals` (exactly-once), `reads` (rounds), `lease_reads`,
`pacing` and `turns` (when requests go on), `leading` (what a leader adds to the log), `log_time`, `swap` (a
replaced disk), `retention` (the log in memory), `durability` (who holds an index), `clock_watch`. `alarm` is
the timer.
"""
