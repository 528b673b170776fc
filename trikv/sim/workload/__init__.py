"""trikv.sim.workload: clients that speak the real protocol and send every command. The package's design.

A client (`client`) connects to a node, asks, waits, thinks, and writes down what it did and was told
(`trikv.sim.history`). What it asks is data: a **request** (`requests`) is a function that draws steps. It is
entered in a table under a *kind*, with the commands that it is for and a weight. `profiles` says how often
each profile of a run chooses each kind.

================  ====================================================================================
module            requests
================  ====================================================================================
`of_machine`      commands for the machine on strings and whole databases: the checkers judge their
                  answers, by the meanings in `trikv.sim.checkers.meanings`
`of_time`         the same with deadlines
`of_hashes`       the same on hashes of a few fields; `of_lists`, `of_sets`, `of_sorted_sets` and
                  `of_bits` have the other types
`of_hyperloglogs`, `of_geo`, `of_sorting`: estimates, places on the earth, and sorted lists
`of_fields`       hashes whose fields have deadlines
`of_any`          keys of all types: commands that meet a wrong one, copies, names, other databases
`of_large`        values of hundreds of elements
`of_runs`         commands that put or take elements of one key, one behind another
`of_node`         commands that a node answers by itself: each with a judge of its answer beside it
`of_clients`      how clients are treated (CLIENT REPLY, PAUSE), MEMORY, DEBUG, WAITAOF: judged there
`of_disk`         commands about a node's disk; `trikv.sim.acts` judges what they have left there
================  ====================================================================================

**A new command** is not finished before it is here: a test demands that each command of a node is sent by
some request of a kind that some profile chooses, and has a meaning or a judge. A command that cannot be sent
at random is in `profiles.LEFT_OUT`, with the reason.

Keys come in families (`draw`), so that every command has a type that fits and the search stays small: keys
that one command joins are searched together. The same names are used in several databases. Values are unique,
so that a checker can tell whose write a read has seen; members of sets are few, so that sets have some in
common, and so that a draw of which nobody was told has few ways to have gone.
"""
