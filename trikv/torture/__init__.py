"""``trikv torture``: a person's own proof, on their own disks, that what was acknowledged is kept.

Three real nodes are started, clients write and read through all of them over the real protocol, and a storm
kills leaders with -9, freezes nodes (SIGSTOP) and lets them come back, and kills all at once. Then everything
heals, is read back through every node, and is judged. Nothing here has a private door into a node: all that
is known was told to a client.

=========  =====================================================================================
module     its one idea
=========  =====================================================================================
options    what was asked for, checked once
workload   pure: what clients ask, drawn from a seed
evidence   pure: what clients were told
crowd      clients in parallel, each a `trikv.client.on_trio.TrioClient`
system     what the storm needs to know of three processes: `nodes` is trikv, `redis` is Redis
ports      ports that stay ours while nobody listens on them
storm      the faults, drawn from a seed
reading    reads everything back, one node at a time
judge      pure: evidence and readings in, findings out
run        one system from start to findings
report     findings as text and JSON; the bar while it runs
command    the command line
=========  =====================================================================================

What is concluded from an answer
    An answer that is no error: it happened. ``CLUSTERDOWN`` (Redis: ``READONLY``, ``LOADING`` …): it did not
    happen and never will; the key of such a unique write must be absent. ``INDETERMINATE``, or a connection
    that breaks: nobody knows, it may even happen later; it is never sent again. Any other error is a finding.

How it is judged, each kind of key by what suits it
    *Unique* keys are written once, by one client: acknowledged ones must be there with their value, on every
    node. *Counters* live as long as the run: acknowledged ≤ value ≤ acknowledged + unknown, no answer twice,
    and the answers, which leave but one order, must not contradict real time. *Groups* of four keys see some
    250 mixed commands (transactions too) and are then retired: their histories, with the reads of the
    end, go through the simulator's search for a linear order (`trikv.sim.checkers`), which is exponential in
    the worst case and therefore gets small pieces. A group that had many unknown outcomes is retired early.
    At last the nodes' digests must be equal at the same index. A node that ends by itself, that does not come
    back, or a system that serves nobody for 30 s, is a finding too.

Redis beside it
    The same load, the same storm, the same judge, on a master with two replicas, set up and promoted as well
    as can be (`redis`). It runs twice: as it is, and with ``WAIT 1`` behind every write, where only writes
    that a replica has confirmed count as acknowledged. What it loses says nothing of the verdict on trikv.

All of it is one Trio thread: "answered before it was asked" is the order of events in one program, not of
clocks. If the program itself is killed, the nodes see their standard input end and stop.
"""
