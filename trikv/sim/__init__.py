"""trikv.sim: a world of memory and virtual time that the real node runs in. This is the package's design.

A `SimWorld` (`world.py`) has one seed, machines (`host.py`) and a network between them. A machine outlives
its processes: its volume, its clocks, its name. `Machine.run(main)` boots a life and runs `main(host)` on a
`SimHost`, which fits `trikv.host.seam` as the real host does and passes the same contract suite. Clients
connect from outside by `SimWorld.connect` and get a Trio stream.

**Time and order.** `determinism.simulate` runs all of it under Trio's `MockClock` and pins Trio's scheduler:
the seed decides latencies, losses and the order of tasks, and nothing else does. No threads, no real time,
no iteration over sets. Each component draws from a random stream named after it (`SimWorld.stream_of`), so
that one more connection or one fault less leaves the others' draws alone. What happens goes into a trace
whose hash is equal for equal seeds.

**Network.** `fabric.py` has a `Link` for each direction between two machines (latency, chopped reads, cut or
not) and the `Pipe` that carries one direction of a connection: pieces of bytes that know when they arrive,
so no task moves packets. A cut postpones arrivals, healing reschedules them, as TCP's retransmission does.
`stream.py` makes ends of it that behave as sockets: windows, half-close, resets, silence of a machine that
lost power. `network.py` binds addresses and connects. Clients are served by `trikv.host.stream_server`, the
code that serves real streams. Simplifications: acknowledgements are not packets (a one-way cut does not stop
the window from opening), nothing times out by itself but connecting, a machine reaches itself by a link too.

**Disk.** `volume.py` holds every byte twice, in the page cache and on the platters, and the changes of names
that no directory sync has made durable; `disk.py` gives one life access to it, with latency and ordered
failures. A sync that fails leaves its pages clean and unwritten.

**Crashes.** `kill` is ``kill -9``: the page cache survives, the kernel closes connections. `lose_power` keeps
what was synced and any part of the rest, and peers hear nothing until the machine boots again. Both *fence*
first: each handle belongs to a `Life`, and one that is over raises `Fenced`, a BaseException, so that what a
dying node still tries in its ``finally`` blocks reaches nothing. Only then its tasks are cancelled.
"""
