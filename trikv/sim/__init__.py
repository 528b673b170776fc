"""trikv.sim: a world of memory and virtual time that the real node runs in. This is the package's design.

A `SimWorld` (`world.py`) has one seed, machines (`host.py`) and a network between them. A machine outlives
its processes: its volume, its clocks, its name. `Machine.run(main)` boots a life and runs `main(host)` on a
`SimHost`, which fits `trikv.host.seam` as the real host does and passes the same contract suite. Clients
connect from outside by `SimWorld.connect` and get a Trio stream.

**Time and order.** `determinism.simulate` runs all of it under a `VirtualClock` and pins Trio's scheduler:
the seed decides latencies, losses and the order of tasks, and nothing else does. The clock jumps when no
task can run; what happens in the world (bytes arrive, a disk is done) is an event of that clock, not a task.
In whole runs it jumps by half a millisecond at least: events within a jump happen in one turn, in any order.
No iteration over sets; no threads, files, sockets, real time or entropy: inside a run they raise
(`guard.py`). Each component draws from a random stream named after it (`SimWorld.stream_of`), so one more
connection or one fault less does not change the others' draws. Every event (sends, receipts, disk operations,
lives) goes into a trace whose hash is equal for equal seeds: ``tests/sim/test_canary.py`` runs a cluster
twice and compares.

**Network.** `fabric.py` has a `Link` for each direction between two machines: latency, bandwidth, loss,
chopped reads, a chance to break, cut or not. A `Connection` (`connection.py`) is two `Pipe`s (`pipe.py`),
each one direction: pieces of bytes that know when they arrive, and acknowledgements that return over the
other link, so that a one-way cut shuts the sender's window. A cut postpones arrivals, healing reschedules
them, a lost piece comes after TCP's retransmission times. `stream.py` makes ends of it that behave like
sockets, with windows, half-close, resets, silence and patience: an end of a peer connection breaks after the
real host's TCP_USER_TIMEOUT. Within a connection bytes keep their order, like TCP's. Bytes of an abandoned
connection may arrive after bytes of its successor. `network.py` binds addresses and connects. Clients are
served by `trikv.host.stream_server`, the code that serves real streams.
Simplifications: acknowledgements are never lost, only late; a machine reaches itself by a link too.

**Disk.** `volume.py` holds every byte twice, in the page cache and on the platters, and the changes of names
that no directory sync has made durable; `disk.py` gives one life access to it, with latency and the failures
of its machine's `DiskTraits`. A sync that fails leaves its pages clean and unwritten.

**Crashes.** `kill` is ``kill -9``: the page cache survives, the kernel closes connections. `lose_power` keeps
what was synced and any part of the rest, and peers hear nothing until the machine boots again. Both *fence*
first: each handle belongs to a `Life`, and raises `Fenced`, a BaseException, once that is over. So the
``finally`` blocks of a dying node reach nothing. Only then its tasks are cancelled. Both may come at any
await, and by `Machine.after` at an exact step: in the middle of the task that wrote or sent. `pause` is
``SIGSTOP``: the scheduler holds the tasks of that life aside (`determinism.Freezer`), the kernel's part goes
on, and what was due meanwhile happens on `resume`.

**What a schedule can do** and undo, at any time of a run:

    network   fabric.link(a, b).latency_ms_* bytes_per_s loss break_chance chunk_bytes_max; fabric.cut, heal,
              partition (bridges too), strand (half-open), break_all, break_mid_frame; restore undoes all
    disk      machine.disk_traits.sync_ms_* lies broken fail(); mend() undoes; machine.volume.capacity_bytes,
              volume.rot(path), another Volume (a blank disk)
    clocks    machine.clock.drift_ppm, wall_offset_ms, jump_wall
    process   machine.kill, lose_power, pause, resume, after(count, step, action)

**A run** (`run.py`) is a `Plan`: a theme (`themes.py`), knobs (`knobs.py`) and a schedule (`schedule.py`)
drawn from the seed, each from a stream of its own, or read from a file. `strikes.py` carries the faults
(`faults.py`) out, `overrides.py` lets those of one kind overlap, `losses.py` has the one budget for all
durable losses. Clients (`workload/`) send every command and write down what they did (`history.py`);
`watch.py` assembles the real nodes of parts that are watched, `observe.py` hears of it and feeds the checkers
(`checkers/`), `acts.py` looks at the disk of a node that says what is there. `marks.py` counts the rare
paths, `summary.py` adds up many runs, `shrink.py` makes a failing one small, `command.py` is ``trikv sim``.
docs/TESTING.md says what each checker promises.

**Speed.** Each operation of a run costs some 15 turns of the scheduler, most of them the nodes' own work. The
simulation adds little: no system call a turn, no task for a packet, no yield for a call that need not wait
(except each fourth), checkers that look only at what a step has changed.
"""
