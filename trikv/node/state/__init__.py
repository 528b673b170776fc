"""State: applying committed entries, and every file of the data directory.

`applier` owns the machine, `writer` the log, `snapshotter` the snapshot files (`transfers` carries them
between nodes, `header` describes one). `opening` restores the state at the start, `own_writes` makes
the writes of the node itself, `loading` those that fill a new cluster from a file, `dumps` writes the last
file of a stop and never replaces one that may hold more.
"""
