"""``trikv cluster``: three nodes on this machine, and one person watching them.

The modules of the package:

`plan`
    Pure. Arguments and environment in, a `Plan` out: three nodes, each with its checked configuration and
    the command that starts it. A node's flags are only those settings that differ from
    ``cluster/nodeN.toml``, so the command shown to a person is as short as one that a person would type.
`watch`
    Pure. What the nodes say of themselves, their deaths and the time go in; the lines to print come out:
    which node leads, in which term, how long none did, which died and how to start it again, how far the dump
    of a leaving node is. Tested without a process.
`holders`
    Whether another cluster runs on the data already, and which process that is.
`loading`
    How a load went, from the log of the node that loads.
`probe`
    Asks one node for INFO over its client port, as any client could. There is no private door.
`processes`
    Starts a node, waits for its end, passes signals on.
`command`
    Puts them together under one nursery, and is the only module that prints.

What it promises:

* **Ports first.** All six are checked before anything is started; a taken one is named.
* **A group of its own for each node.** A terminal sends Ctrl-C to the whole foreground group. If the nodes
  were in it, each would get SIGINT directly *and* a SIGTERM from here, and a second request means "at once"
  and costs the dump. So every node is a session of its own and gets exactly what the supervisor passes on:
  one SIGTERM for the first Ctrl-C, more for the second. `trikv.host.signals` says what counts as a second.
* **Nothing is left running.** A normal end waits for the nodes while their logs tell of progress with their
  dumps, shows it, and kills a node that makes none, which loses nothing acknowledged. If the supervisor
  itself is killed, even with -9, each node sees its standard input end and stops by itself (``serve
  --supervised``).
* **The supervisor is not needed.** It keeps no state, and nodes ask it nothing. A node that died is not
  restarted automatically: the command to do so is printed, and the supervisor notices when the node is back.
"""
