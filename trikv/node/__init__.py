r"""The node: a tree of Trio tasks around a pure core. This is its design document.

**The way of a command, in one direction.** ::

    bytes -> ClientWire -> Conversation -> Work -> driver's mailbox -> Proposals -> Raft -> Ready
         -> Writer (log, one fdatasync a batch)     \
         -> Links (AppendEntries to the peers)      /  quorum -> committed -> Applier -> Machine.apply
         -> replies -> the waiting Work -> Conversation, in request order -> bytes

A follower takes the same way: its items go to the leader as a ``Forward`` and come back by the log, and the
node that holds the client computes the reply itself when the log brings the entry by. Only two edges go
back: a reply to its waiter, and the watermark of what is applied.

**Owners.** One task owns one thing, so there are no locks:

===============  =============================================================================
task             owns
===============  =============================================================================
`driver`         Raft, the re-send window (`proposals`), read rounds (`reads`), log time
`writer`         the write-ahead log
`applier`        the machine; works after the driver's turns, in a task what takes long
`links`          a connection to each peer, one task each
`snapshotter`    the snapshot files, transfers, backups, the dump
`operations`     a task for each BACKUP, SAVE or WAIT under way
the host's hub   the client sockets; each connection's state is its `conversation`
===============  =============================================================================

Waking a task costs more than most batches do. So the driver's turn sends to the peers what the kernel takes
(a link's task sends the rest), and has the applier apply for a few milliseconds. A follower whose clients
wait for nothing applies when its disk has answered, since that is what the leader waits for.

**Few turns, large batches.** A turn and a batch cost all nodes the same whatever is in them. So requests
wait while a batch of their kind is under way, three milliseconds at the most, a turn begins when a round of
the loop has brought nothing more, and what changes nothing gets no turn of its own (`turns`).

**Deciding is apart from doing.** `proposals`, `reads`, `log_time`, `founding`, `configured`, `swap`, `calls`,
`retention` and `drain` are pure: they are told what happened and return what is to be done. `driver` asks the
others in each turn and does it; `stopping` does what `drain` says.

**Time.** The driver sleeps until the earliest of all deadlines (`alarm`), never in a polling loop.

**Bounds.** A connection has one submission in flight; the re-send window, a link's queues, a batch, a turn's
forwarded bytes, the log in memory and a snapshot's window each have a limit in bytes with its reason beside
it. Mailboxes are bounded by what feeds them (`mailbox`).

**Counting.** Each count has one owner, which only adds to it: the machine's tally (commands, keys, errors),
the host (bytes of clients, processor time), the links (bytes of peers), the register of connections, the
snapshotter. `trikv.front.statistics` knows where they are, resets them and makes rates of them. A command
counts at the node of its client, when it has been carried out there.

**Telling.** Each part has ``statistics()``, which returns one small frozen record (`trikv.front.figures`).
`status` hands these methods to the conversations; `trikv.front.info` makes text of what they return. So no
part knows how it is shown, and who shows it knows no part.

**Making.** `settings` makes every part's settings of one configuration. `assembly` wires the parts, once for
a node that serves, a simulated one and a test's: `Ports` names the classes of those that are watched or
replaced. `node` is the start order; `joining` is what happens before there is a cluster, `clients` what
concerns all of them.

**Stopping** goes by phases (`drain`), shielded from the cancellation that asked for it, none of which may
stand still for long: clients are warned, commands finish, a barrier makes the dump hold every acknowledged
write. `dumps` sees to it that no dump takes the place of one that may hold more.
"""
