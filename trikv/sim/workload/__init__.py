"""trikv.sim.workload: clients that speak the real protocol and send every command. The package's design.

A client (`client`) connects to a node, asks, waits, thinks, and writes down what it did and was told
(`trikv.sim.history`). What it asks is data: a **request** (`requests`) is a function that draws steps. It is
entered in a table under a *kind*, with the commands that it is for and a weight. `profiles` says how often
each profile of a run chooses each kind.

===============  =====================================================================================
module           requests
===============  =====================================================================================
`of_machine`     commands for the machine: their answers are judged by the checkers, from the meanings
                 in `trikv.sim.checkers.meanings`
`of_time`        the same with deadlines
`of_node`        commands that a node answers by itself: each with a judge of its answer beside it
`of_disk`        commands about a node's disk; `trikv.sim.acts` judges what they have left there
===============  =====================================================================================

**A new command** is not finished before it is here: a test demands that each command of a node is sent by
some request of a kind that some profile chooses, and has a meaning or a judge. A command that cannot be sent
at random is in `profiles.LEFT_OUT`, with the reason.

Keys come in families (`draw`), so that every command has a type that fits and the search stays small: keys
that one command joins are searched together. The same names are used in several databases. Values are unique,
so that a checker can tell whose write a read has seen.
"""
