"""trikv.raft: consensus without I/O. Messages in, a `Ready` out.

What this package is
--------------------
The Raft algorithm (Ongaro and Ousterhout 2014, "the paper"; Ongaro's dissertation, "the thesis") as a
value that is fed events and says what to do. It opens nothing, waits for nothing and reads no clock: time
comes in by `Raft.begin`, randomness by the `jitter` function. Payloads are bytes that it never looks
into.

A turn
------
The driver opens a turn with ``begin(now_ms, wall_ms)``, feeds every event that waits (messages,
proposals, reads, finished write jobs), calls ``tick()``, and takes ``ready()``:

* ``job`` goes to the writer. It carries a number, and the driver reports that number after the sync,
  never an index: an index may by then name another entry (PROTOCOL 7).
* ``messages`` may leave at once. What depends on a sync is kept in the `outbox`, by job. It comes out of a
  later Ready, or never if its term has passed by then. AppendEntries wait for no sync of their sender's disk.
* ``committed`` is for the machine. It may run ahead of this node's own disk: a majority without it
  suffices. One Ready hands out a bounded part; ``deadline()`` says "now" while more is left.
* ``reads``, ``install``, ``snapshots_wanted``: see `trikv.raft.ready`.

Nothing is sent from inside an input. ``ready()`` decides once a turn what each peer gets. So all that was
proposed in a turn travels in one message, and a commit index rides on entries if there are any.

Modules
-------
``types messages ready`` are the contract with the rest of trikv. ``settings`` has the limits. ``quorum`` has
one function for all majorities. ``membership`` keeps the configurations in the log, ``log`` the entries in
memory, ``outbox`` the jobs and the held messages. ``shared`` joins all of that with term and clocks.
``roles`` is the table of moves between ``follower candidate leader``; each of those holds only its own
state. ``votes`` is the voter's side. ``progress`` is a leader's view of a peer, ``read_rounds`` what
confirms its reads, ``lease`` what makes a round unnecessary. ``core`` dispatches, ``views`` shows,
``invariants`` checks a group after each step.

What it guarantees, and where
-----------------------------
1. No message leaves before the term it reveals, and the vote, are on disk (`outbox`). Hence a leader's
   term is always durable, and its heartbeats never wait.
2. A node acknowledges entries only when they are on its disk; a leader counts itself by the same measure
   (`follower`, `leader`).
3. A vote or ack counts only from the disk that is the member under its node id (`core`). A blank disk
   under an old id cannot vote twice: it is another candidate and another voter.
4. Only an entry of the leader's own term commits by counting; a no-op opens each term (`leader`).
5. A follower commits no further than its log was verified against this leader's, heartbeats included,
   cuts its log only at a proven conflict, and never at or below its commit index (`follower`, `shared`).
6. A configuration is in force from its append and rolled back by truncation; one change at a time, and
   none before the term's no-op has committed (`membership`, `core`).
7. A read is confirmed by a round that began after it came; its index is the commit index at that moment
   (`read_rounds`). If it asked for that, a lease confirms it at once (`lease`).

Choices worth knowing
---------------------
* Pre-vote, loyalty to a live leader, and check-quorum together: a node that cannot be elected disturbs
  nobody, and a leader that reaches no majority stops within `election_timeout_ms_max`. A node with a
  higher durable term still answers an old leader, so that it is not locked out.
* A node that heard a leader helps to elect nobody else for `election_timeout_ms_min`, whatever term it
  learns of meanwhile. So does a node that has just started, because its last life may have heard one. Every
  node always does so, and says for how long in each `HeartbeatAck`. The leader's lease rests on what a
  majority promised, so no setting need be the same on all nodes. Whether a read may use the lease is said
  read by read. A transfer's votes are free of the promise; hence a leader that has sent `TimeoutNow` has no
  lease for the rest of its term.
* After an absence of over half the shortest timeout no timer fires: the messages that would have stopped
  it may be waiting. ``deadline()`` therefore never looks further than three eighths of it ahead.
* A node that is no voter never campaigns, with one exception: while the entry that says so is not known to
  be committed. Otherwise a node whose removal got nowhere would block everybody with its longer log (thesis,
  4.2.2). Any member that is asked grants votes, voter or not: a learner just promoted may not know it yet,
  and the candidate counts only the voters of its own configuration.
* A read round asks as many voters as make a majority with the leader, and the others after five
  milliseconds: a third node's answer changes nothing, and costs it and the leader a wake-up.
* A leader that is removed replicates until that has committed, then tells its best voter to take over.
* Lost messages are found without a timer per message: by a rejection, by the end of a link, or at a
  heartbeat's ack if entries have been out for an election timeout.
* A snapshot whose position the log already holds is not installed; the commit index moves instead.
* Limits: entries in memory are bounded by the driver's `compact` behind snapshots, proposals by
  `uncommitted_bytes_max`, what is on its way to a peer by the in-flight window, held messages by the
  writer's queue.
"""
