r"""The node: a tree of Trio tasks around a pure core. This is its design document.

**The way of a command, in one direction.** ::

    bytes -> ClientWire -> Conversation -> Work -> driver's mailbox -> Proposals -> Raft -> Ready
         -> Writer (log, one fdatasync a batch)     \
         -> Links (AppendEntries to the peers)      /  quorum -> committed -> Applier -> Machine.apply
         -> replies -> the waiting Work -> Conversation, in request order -> bytes

At a follower the way is the same: its items go to the leader as a ``Forward`` and come back through the log,
and the node that holds the client computes the reply itself when it applies the entry. Three edges go
back: a reply to its waiter, effects to those who wait for them, and the watermark of what is applied.

**Rooms.** Each knows only those that stand below it here; `lint-imports` checks it:

================  ============================================================================
`node`            the start order, and the stop
`assembly`        all parts, wired; `joining` and `client_ports` stand above it, `settings` below
`service`         the node as conversations see it; `stopping` carries out a stop
`operations`      BACKUP, SAVE, DIGEST, WAIT, SHUTDOWN; `status` collects the parts' figures
`consensus`       the driver and what it decides by
`state`           the machine, the log, snapshots, dumps
`peers`           links, their first words, calls to the leader
what all share    `audience`, `barrier`, `leader_question`, `waiters`, `drain`, `descriptors`,
                  `configuration_check`, `events`, `mailbox`, `outflows`, `held_replies`
================  ============================================================================

**Owners.** One task owns one thing, so there are no locks:

===============  =============================================================================
task             owns
===============  =============================================================================
`driver`         Raft, the re-send window (`proposals`), `read_questions`, log time
`writer`         the write-ahead log
`applier`        the machine; works after the driver's turns, and in a task if that takes long
`links`          a connection to each peer, one task each
`snapshotter`    the snapshot files, transfers, backups, the dump
`operations`     a task for each BACKUP, SAVE or WAIT under way
the host's hub   the client sockets; each connection's state is its `conversation`
===============  =============================================================================

To wake a task costs more than most batches do. So the driver's turn sends to the peers as much as the kernel
takes (a link's task sends the rest), and lets the applier apply for a few milliseconds. A follower whose
clients wait for nothing applies only after its disk has answered, because the leader waits for that answer.

**Few turns, large batches.** A turn or a batch costs all nodes the same whatever it holds. So requests wait
while a batch of their kind is under way, for three milliseconds at most; a turn begins when a round of the
loop has brought nothing more; and an event that changes nothing gets no turn of its own (`turns`).

**Deciding is apart from doing.** `proposals`, `read_questions`, `log_time`, `founding`,
`configuration_check`, `swap`, `leader_calls`, `retention` and `drain` are pure: they are told what happened
and return what is to be done. `driver` asks the others in each turn and does it; `stopping` does
what `drain` says.

**Time.** The driver sleeps until the earliest of all deadlines (`alarm`), never in a polling loop.

**Bounds.** A connection has one submission in flight. The re-send window, a link's queues, a batch, a turn's
forwarded bytes, the log in memory and a snapshot's window each have a limit in bytes, with its reason beside
it. Mailboxes are bounded by their sources (`mailbox`).

**Counting.** Each count has one owner, which only adds to it: the machine's tally (commands, keys, errors),
the host (bytes of clients, processor time), the links (bytes of peers), the register of connections, the
snapshotter. `trikv.front.counters` knows where they are, resets them and computes rates. A command counts
at the node of its client, when it has been carried out there.

**Telling.** Each part has ``statistics()``, which returns one small frozen record (`trikv.front.figures`).
`status` hands these methods to the conversations; `trikv.front.info` makes text from what they return. So a
part does not know how it is shown, and the code that shows it does not know the part.

**Making.** `settings` makes every part's settings from one configuration. `assembly` makes and wires the
parts, those of the driver as well, the same way for a real node, a simulated one and a test's: `Ports` names
the classes of parts that are watched or replaced. `node` is the start order; `joining` handles the time
before there is a cluster, `client_ports` all clients together.

**Stopping** goes by phases (`drain`), shielded from the cancellation that asked for it. None of them may last
long without progress: clients are warned, commands finish, a barrier makes the dump hold every acknowledged
write. `dumps` ensures that no dump replaces one that may hold more.
"""
