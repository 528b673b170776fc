"""The load client `trikv bench` and the table `trikv status`.

A load client has to be faster than the server that it measures, or it measures itself. So this package
uses raw sockets and reads the clock itself: one thread, one epoll, all ready sockets served in one wake-up,
requests encoded before the clock starts if possible. Single questions (probes, status, reading back) go
through a `trikv.client.blocking.BlockingClient`.

========== ==================================================================================
module     its one idea
========== ==================================================================================
options    the options of a run, checked once; everything inside trusts them
workload   the load: batches of encoded commands, and the changes that each makes
ledger     the promises: the writes acknowledged and in doubt, and the verdict on them
verify     reads every acknowledged key back
histogram  log-linear buckets: 0.8 % precision over 73 minutes in 37 KB, however long the run
tally      the counts of a run
link       one connection of the load: its socket and the one batch it has under way
nodes      which node a link goes to, and how long a node that failed is left alone
loop       the epoll loop that moves all links
report     a finished run as text or JSON; the progress bar
command    `bench`: connects the above, turns an error into one line and an exit code
status     `status`: INFO of every node as one table
========== ==================================================================================

Closed and open loop
    Without a rate a link sends its next batch after the last reply of the one before: this finds
    the highest throughput, but a server that stalls also stops the questions, and so hides its stall from
    the percentiles ("coordinated omission"). With ``--rate`` batch n is *due* at start + n·P/rate whatever
    the server does, and latency counts from that moment, not from when a link was free to send it.

When a node dies
    Every command a dead connection had under way is *in doubt*: a write may or may not have happened. It
    is counted, never sent again, and the link goes on with another node. Nodes that fail are left alone
    for 50 ms, doubling up to 1 s. If no node can be reached for 30 s, the run ends.

How ``--verify`` can be sound in bounded memory
    Slot n of the key space belongs to connection n modulo the number of connections, so each key has one
    writer with one command under way at a time, and the order of acknowledgements is the order of writes.
    Values name the run and a number never used twice. For a key it is then enough to keep the last
    acknowledged number and the few numbers in doubt. Afterwards each acknowledged key must hold the
    last acknowledged number, or one in doubt: a write whose fate is unknown may take effect at *any* later
    time (its node may have forwarded it before it died), so even a doubt older than the last
    acknowledgement is a valid explanation. A key with more than 16 doubts is no longer judged, and the report
    gives the number of such keys. Counters and appended strings only grow: their replies must rise, and the
    last reply is a lower bound of the final value.
"""
