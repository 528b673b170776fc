r"""The front: from a client's bytes to the answers. Pure, and this is its design document.

::

    bytes -> ClientWire -> Intake -> Turn -> Work ... answered -> replies -> one wire.send

A `conversation` is the logic of one connection. It is synchronous: it never sees a socket, a task or a clock,
and a contract of the import linter forbids Trio here. It knows two seams and nothing behind them: the wire
(`trikv.host.wire`), by which bytes leave, and the node (`seam`), which takes a `Work` and gives it back once.

================  =============================================================================
conversation      one connection: hands a turn to the node, sends the answers in order;
                  `conversation_figures` tells how it stands
answers           replies as bytes, at once or in parts; `layouts` of some of them for people
output            what leaves the connection, collected and sent together
outflow           an answer that is made while the client takes it
intake            bytes become the next `Turn`: each request is found, checked and given a slot
dispatch          from a declaration (`trikv.machine.declaration`) to where, when, and at what cost it runs
decisions         what is to be done with a request that is not for the machine alone
turn              the commands that travel together; `slots`: one for every reply, in order
transaction       the commands queued since MULTI and the keys under WATCH
caller            what a command of this node may read and change
connections       every client of this node: limits, idle times, CLIENT LIST
pausing           CLIENT PAUSE: what waits for its end
runtime_settings  what CONFIG SET may change while the node runs
inputs            one total of the memory that all clients' requests take
counters          the node's counts: where they are kept, their resets and rates
figures           the records by which the parts of a node report their state
info/             INFO's text, made from those records
seam              what a conversation may ask of the node
commands/         the commands that a node answers by itself, one module for each family
================  =============================================================================

Replies leave in the order of the requests, whichever part computes them. Everything a client can make this
node hold has a bound here, with the reason beside it.
"""
