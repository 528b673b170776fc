"""The load client `trikv bench` and the table `trikv status`.

A load client has to be faster than what it measures, or it measures itself. So this package
holds raw sockets and reads the clock: one thread, one epoll, every socket that is ready served in one
wake-up, requests encoded before the clock starts if that is possible. What asks a single question (probes,
status, reading back) is a `trikv.client.blocking.BlockingClient`.

========== ==================================================================================
module     its one idea
========== ==================================================================================
options    what was asked for, checked once; everything inside trusts it
workload   what is sent: batches of encoded commands, and what each changes
ledger     what was promised: the writes acknowledged and in doubt, and the verdict on them
verify     reads every acknowledged key back
histogram  log-linear buckets: 0.8 % precision over 73 minutes in 37 KB, however long the run
tally      the counts of a run
link       one connection of the load: its socket and the one batch it has under way
nodes      which node a link goes to, and how long a node that failed is left alone
loop       the epoll loop that moves all links
report     a finished run as text or JSON; the progress bar
command    `bench`: glues the above, turns trouble into one line and an exit code
status     `status`: INFO of every node as one table
========== ==================================================================================

Closed and open loop
    Without a rate a link sends its next batch when the last reply of the one before has come: this finds
    the highest throughput, but a server that stalls also stops the questions, and so hides its stall from
    the percentiles ("coordinated omission"). With ``--rate`` batch n is *due* at start + n·P/rate whatever
    the server does, and latency counts from that instant, not from when a link was free to send it.

When a node dies
    Every command a dead connection had under way is *in doubt*: a write may or may not have happened. It
    is counted, never sent again, and the link goes on with another node. Nodes that fail are left alone
    for 50 ms, doubling up to 1 s. Nobody reachable for 30 s ends the run.

How ``--verify`` can be sound in bounded memory
    Slot n of the key space belongs to connection n modulo the number of connections, so each key has one
    writer with one command under way at a time, and the order of acknowledgements is the order of writes.
    Values name the run and a number never used twice. For a key it is then enough to keep the last
    acknowledged number and the few numbers in doubt. Afterwards each acknowledged key must hold the
    last acknowledged number, or one in doubt: a write whose fate is unknown may take effect at *any* later
    time (its node may have forwarded it before it died), so even a doubt older than the last
    acknowledgement excuses. A key that gathers more than 16 doubts is no longer judged, and the report
    says how many there are. Counters and appended strings only grow: their replies must rise, and the last
    reply is a floor under the final value.
"""
