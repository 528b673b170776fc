"""trikv.machine: the deterministic state machine. This page is its design.

**What it is.** `Machine.apply(index, payload)` takes one committed entry and is a function of state and entry
alone: no clock, no randomness, no I/O, no order of sets. Two replicas at one index are equal to the byte, and
`Machine.digest` proves it. The package has never heard of terms, sockets or tasks.

**The way of an entry.** `batch` decodes it: the leader's stamp becomes log time (never back), up to 200 due
keys are reaped, then come the items. `outcomes` holds the rules of exactly-once (PROTOCOL 1-2): an item
applies only if it quotes its origin's incarnation and next sequence, and what happened is told to that
origin alone. A submission's commands run in order through `table.CommandTable.find`. Only the client's node
evaluates reads. Other replicas skip them, so a read must have no effect that they would miss.

**Where things are.**

==============  =============================================================================================
``machine``     apply, read, walk; with ``snapshot`` the only module the node drives
``evaluation``  one command after another, transactions, poison
``call``        in what a command is evaluated; commands that evaluate others; ``draws``: its chance
``suspended``   what is left of an entry that is carried out in slices
``runs``        plain SETs in a row, in C (without a compiler the loop does them); ``quick_reads``: GETs
``outcomes``    origin rows and what the origin is told
``effects``     what was done to keys that somebody awaits, and messages: told, never kept
``keyspace``    the databases together; ``database``: one, its buckets; ``split``: a bucket of very many keys
``scanning``    SCAN's pages; ``picking``: a random key
``fork``        the keyspace of a rehearsal, which copies what it changes; ``deadline_index``: who is due next
``account``     what the databases share; ``stored``: what a key holds
``values/``     values that are no strings, in parts; ``discarded``: what is freed in slices
``memory``      the charge of a key, limits, units; ``numerics``: numbers in strings; ``glob``: patterns
``geohash``     places on the earth as scores; ``great_circle``: distances and shapes; ``trigonometry``: sines
``hyperloglog`` estimates, as strings; ``registers``, ``sparse_registers``: what they are made of; ``murmur``
``features``    the level of rules that a cluster was founded at; ``tally``: counts, which are no state
``table``       commands by name; ``declaration``: what a command is, said once
``grammar``     a handler's signature, read; ``keyspec``: where keys are; ``arguments``: a usage, read
``telling``     Redis' flags, ACL categories and group of a command, for clients
``commands/``   one module a family
``cut``         some databases at one instant, read in steps; ``long_reads``: answers that are made from one
``codec``       the lines of the JSON document; ``walk`` writes one in steps, ``snapshot`` reads one
``digest``      the hash of all state, of which only changed buckets are hashed again: ``bucket_hashes``
``replies``     what a command answers; ``statistics``: what the machine tells of itself
==============  =============================================================================================

**Time.** `Account.now` is the stamp of the last batch, and ``deadline > now`` decides whether a key lives,
for reads and writes alike. A key that is due but not reaped is absent to every command; DBSIZE and the
account count it until an entry reaps it, in the order (deadline, database, key), which needs no memory of
its own. `next_deadline_ms` stays in the past while due keys are left, so that the leader proposes another
entry. A write whose deadline has passed already (SET PXAT 1) leaves the key absent at once; Redis counts it
until a command reads it.

**Memory.** The account is lengths plus the literals of the cluster's level, fitted to a real process. Only
`Account.grow` changes it, only `Account.refusal` and `Account.is_over` decide about OOM. A command is refused
with OOM if the account after it would pass the cap. Once the account is above the cap, commands that Redis
flags deny-OOM are refused whatever they do, while reads, deletes and shrinking go on. Commands that Redis
carries out at full memory (EXPIRE, GETEX, RENAME: the way out of it) may pass the cap by an eighth, because
index entries and names take memory too. So the account never passes 1.125 times the cap, unless the cap is
lowered. A transaction is judged before any effect, by upper bounds of what its commands may add (CONFIG SET
inside one is the exception: it changes the cap for what follows). Clusters that the first release founded
have no room above the cap.

**Order of a handler: look, refuse, change.** A handler returns a `CommandError` before it changes anything.
An exception before the first change becomes one fixed error reply on every replica; one after it, and
MemoryError or RecursionError at any time, goes up and stops the node (PROTOCOL 24). `Account.dirty` tells
one case from the other.

**Nothing long.** FLUSH swaps the contents out, and `release` frees them in slices. `retire` does the same for
a machine that an installed snapshot replaced. SCAN's positions are hashes: it slices buckets, and a key
present for a whole scan comes exactly once. What goes over a whole database looks at a cut, in steps: a
bucket's table of references is copied before the first write to it (entries are never changed in place, so
values are shared). It costs about 30 bytes a key at worst besides old values, and any number of cuts may be
open. Walks write snapshots from one; `long_reads` answer clients from one (PROTOCOL 62). A client that makes
keys of one crc32 range makes no bucket long: `split` divides one that is full by a secret hash (PROTOCOL 67).
One thing is not bounded: `digest` hashes all that changed and that `hash_some` has not hashed before.

**Rehearsals.** `Machine.fork` gives a machine on which an entry can be tried out (PROTOCOL 66). It shares all
tables with the machine and copies what it changes, a bucket at a time, so it costs what is changed.

**Who waits is told.** A node says which keys somebody awaits there, and `apply` answers what an entry did to
them, with the entry, in order (PROTOCOL 65). It is no state. If nobody waits, a write looks at an empty dict.

**What takes long stops inside its entry.** A handler that is a generator yields after at most 2 ms of work,
about 256 elements. `apply` then returns the rest of the entry (`Suspended`). Until that is done the machine
is inside it, and refuses reads, walks, digests and other entries. What such a command may add to the account
is judged before its first change, by a bound that its arguments give.

**Four parts in C.** A write waits for memory on every replica, and a loop in Python waits for one key after
another. ``_runs.c`` fetches the memory of 64 SETs at once, ``values/_parts.c`` that of elements, and
``values/_order.c`` that of a sorted set's order. ``_bits.c`` counts, turns and joins bits of long strings.
Each does the same as Python, or less of it, and Python goes on from there. Tests compare the two, and a node
works without them.

**No cycles.** References go `Machine` -> `Keyspace` -> `Database` -> `Account`, and from a fork to its base.
A cut is in a cycle while it is open; `close` breaks that. A test runs thousands of commands with the
collector off and then finds nothing to collect.

**Different from Redis 7.0.15, on purpose.** WATCH does not see a key that was absent, set, and is absent
again. INCRBYFLOAT is decimal: it is exact when a long double would round, and reads neither ``inf`` nor
hexadecimal. Values end at 8 MiB, keys at 64 KiB. MEMORY USAGE is the account's charge. KEYS has
a limit inside MULTI, and SCAN's COUNT ends at 2,000. Names that are not UTF-8 show replacement characters
inside errors. ASYNC and SYNC of FLUSH are the same.
"""
