"""``trikv torture``: a person's own proof, on their own disks, that acknowledged writes are kept.

Three real nodes are started, clients write and read through all of them over the real protocol, and a storm
kills leaders with -9, freezes nodes (SIGSTOP) and lets them come back, and kills all at once. Then all nodes
recover, the data is read back through every node, and is judged. Nothing here has private access to a node:
the only evidence is what clients were told.

=========  =====================================================================================
module     its one idea
=========  =====================================================================================
options    the options of a run, checked once
workload   pure: the requests of clients, drawn from a seed
evidence   pure: the answers that clients got
crowd      clients in parallel, each a `trikv.client.on_trio.TrioClient`
system     the storm's view of three processes: `nodes` is trikv, `redis` is Redis
ports      ports that stay ours while no process listens on them
storm      the faults, drawn from a seed
reading    reads everything back, one node at a time
judge      pure: evidence and readings in, findings out
run        one system from start to findings
report     findings as text and JSON; the bar while it runs
command    the command line
=========  =====================================================================================

The meaning of an answer
    An answer that is no error: it happened. ``CLUSTERDOWN`` (Redis: ``READONLY``, ``LOADING`` …): it did not
    happen and never will; the key of such a unique write must be absent. ``INDETERMINATE``, or a connection
    that breaks: unknown, it may even happen later; it is never sent again. Any other error is a finding.

How each kind of key is judged
    *Unique* keys are written once, by one client: acknowledged ones must be there with their value, on every
    node. *Counters* live as long as the run: acknowledged ≤ value ≤ acknowledged + unknown, no answer twice,
    and the answers, which allow only one order, must not contradict real time. *Groups* of four keys get
    about 250 mixed commands (transactions too) and are then retired: their histories, with the final reads,
    go through the simulator's search for a linear order (`trikv.sim.checkers`), which is exponential in the
    worst case and therefore gets small pieces. A group with many unknown outcomes is retired early. Finally
    the nodes' digests must be equal at the same index. A node that ends by itself or does not come back, and
    a system that serves no client for 30 s, are findings too.

Redis for comparison
    The same load, the same storm, the same judge, on a master with two replicas, set up and promoted as well
    as possible (`redis`). It runs twice: without and with ``WAIT 1`` after every write. With it, only writes
    that a replica has confirmed count as acknowledged. Its losses do not affect the verdict on trikv.

All of it runs in one Trio thread, so "this was answered before that was asked" is the order of events in one
program, not of clocks. If the program itself is killed, the nodes see their standard input end, and stop.
"""
