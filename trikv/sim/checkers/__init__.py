"""Checkers: objects that say whether a run kept what trikv promises. This is the package's design.

==================  ==================================================================  =================
module              promise                                                             knows
==================  ==================================================================  =================
`replicas`          equal state at equal index; queues are bounded                      the nodes' inside
`inside`            account, count and deadlines of all databases are exact             the nodes' inside
`durability`        an acknowledged write is on the platters of a majority, right then  the platters
`rules`             one message, one read: what the paper allows it to do               the nodes' inside
`promises`          a node finds again after a crash what it has told its peers         the nodes' inside
`witness`           every answer is what the applied log says, and in real-time order   the applied log
`scans`             a whole SCAN brings each key that stays exactly once                the applied log
`linearizability`   some order explains all answers (Wing and Gong, Lowe)               answers only
`counters`          each increment took effect once                                     answers only
==================  ==================================================================  =================

The witness takes linear time and sees every operation of every run, but believes the applied log. The search
believes nothing and may run out of its budget. Each checks what the other trusts, and both evaluate commands
by `model`: plain dictionaries (`state`) of values (`values`), and what each command does to them, written
from Redis' documentation (`meanings`). It shares no code with the machine. `expected` describes answers that
may be more than one value.

What a command draws, SPOP above all, its answer tells. If nobody was told, both follow every way that it may
have gone (`choices`): the search as steps from one state to several, the witness as several states at once
(`worlds`), of which later answers leave one. `documents` reads what nodes write, `inside` what they hold.

A checker reports failures by a callback or returns them; none raises. Those that watch running nodes are
called synchronously and never wait, so that watching changes nothing.
"""
