r"""The front: what a client's bytes mean, and what goes back. Pure, and this is its design document.

::

    bytes -> ClientWire -> Intake -> Turn -> Work ... answered -> replies -> one wire.send

A `conversation` is the logic of one connection. It is synchronous: it never sees a socket, a task or a clock,
and a contract of the import linter forbids Trio here. It knows two seams and nothing behind them: the wire
(`trikv.host.wire`), by which bytes leave, and the node (`seam`), which takes a `Work` and gives it back once.

==============  =============================================================================
conversation    one connection: hands a turn to the node, sends the answers in order
intake          bytes become the next `Turn`: each request is found, checked and given a slot
dispatch        from a declaration (`trikv.machine.declaration`) to who answers, when, and at what cost
decisions       what is to be done with a request that is not the machine's alone
turn            the commands that travel together; `slots`: one for every reply, in order
transaction     what MULTI has queued and WATCH has seen
caller          what a command of this node may look at and change
connections     every client of this node: limits, idle times, CLIENT LIST
inputs          one total of what all clients make this node hold
statistics      where the counts are, and what becomes of them
figures         the records in which the parts of a node tell of themselves
info/           INFO's text, made of those records
seam            what a conversation may ask of the node
commands/       what a node answers by itself, one module a family
==============  =============================================================================

Replies leave in the order of the requests, whoever computes them. Everything a client can make this node hold
has a bound here, and the reason stands beside it.
"""
