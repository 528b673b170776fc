"""Faults as data: what may go wrong, one struct a kind. A schedule is a list of (when, what).

Nothing here does anything; `trikv.sim.strikes` carries faults out. The victim of a fault is a node or
`LEADER`: half of all faults aim at the node that leads when they strike.

A new kind of fault has four places. Here are its struct and its line of `Fault`. `trikv.sim.strikes` has the
case that carries it out and mends it. `trikv.sim.schedule.MAKERS` draws it, under its name in ``--faults``.
`trikv.sim.themes` names it in the themes that need it; runs without an aim draw from all kinds anyway.
"""

from typing import TypeAlias

import msgspec

LEADER = 0
"""Stands for the node that leads when the fault strikes."""


class Kill(msgspec.Struct, frozen=True, tag="kill"):
    """A node's process is ended by ``kill -9``, and is back after `down_ms`: the page cache survives."""

    node: int
    down_ms: int


class PowerLoss(msgspec.Struct, frozen=True, tag="power"):
    """One machine loses power: any part of its unsynced data is gone, and peers hear nothing."""

    node: int
    down_ms: int


class BlackOut(msgspec.Struct, frozen=True, tag="blackout"):
    """Every machine loses power at once."""

    down_ms: int


class Coup(msgspec.Struct, frozen=True, tag="coup"):
    """For `ms`, each new leader is killed within 40 ms of its election."""

    ms: int
    down_ms: int


class Isolate(msgspec.Struct, frozen=True, tag="isolate"):
    """One node's cables to its peers are cut; its clients stay attached.

    `way`: ``both``, ``in`` (it hears nobody) or ``out`` (nobody hears it).
    """

    node: int
    ms: int
    way: str = "both"


class Split(msgspec.Struct, frozen=True, tag="split"):
    """The nodes of `side` and the others do not reach each other."""

    side: tuple[int, ...]
    ms: int


class Bridge(msgspec.Struct, frozen=True, tag="bridge"):
    """The others reach `node` but not each other."""

    node: int
    ms: int


class SlowLinks(msgspec.Struct, frozen=True, tag="slow links"):
    """All links of a node take up to `latency_ms` each way."""

    node: int
    ms: int
    latency_ms: int


class Narrow(msgspec.Struct, frozen=True, tag="narrow"):
    """All links of a node carry at most `bytes_per_s`."""

    node: int
    ms: int
    bytes_per_s: int


class Cut(msgspec.Struct, frozen=True, tag="cut"):
    """All connections of a node are reset at once, in the middle of a frame or not."""

    node: int


class BreakMidFrame(msgspec.Struct, frozen=True, tag="mid-frame"):
    """The connections to a node's peers break after a random byte of what it sends next."""

    node: int


class Strand(msgspec.Struct, frozen=True, tag="strand"):
    """A node's connections to its peers become half-open; new ones work."""

    node: int


class Loss(msgspec.Struct, frozen=True, tag="loss"):
    """A share of what a node and its peers send each other is lost and sent again."""

    node: int
    ms: int
    percent: int


class Pause(msgspec.Struct, frozen=True, tag="pause"):
    """``SIGSTOP`` for `ms`: the process comes back and believes what it believed."""

    node: int
    ms: int


class Drift(msgspec.Struct, frozen=True, tag="drift"):
    """A node's clocks run fast or slow for `ms`."""

    node: int
    ms: int
    ppm: int


class CrashAt(msgspec.Struct, frozen=True, tag="crash at"):
    """The machine loses power (or is killed) right at the `count`-th next `step` of the node.

    `step` is one of `trikv.sim.life.Tripwire`'s: a crash between two awaits that no clock would hit.
    """

    node: int
    count: int
    step: str
    down_ms: int
    power: bool


class Rot(msgspec.Struct, frozen=True, tag="rot"):
    """One bit of a node's files flips; the node is killed, and refilled if it refuses to start."""

    node: int
    down_ms: int


class SlowDisk(msgspec.Struct, frozen=True, tag="slow disk"):
    """A node's syncs take up to `sync_ms`."""

    node: int
    ms: int
    sync_ms: int


class Lie(msgspec.Struct, frozen=True, tag="lie"):
    """For `ms` a node's syncs return and write nothing. The loss at a power cut comes from the budget."""

    node: int
    ms: int


class SyncError(msgspec.Struct, frozen=True, tag="sync error"):
    """The next sync fails with EIO and leaves its pages clean: the node ends, and is restarted."""

    node: int
    down_ms: int


class WriteError(msgspec.Struct, frozen=True, tag="write error"):
    """The next write fails with EIO."""

    node: int
    down_ms: int


class NoSpace(msgspec.Struct, frozen=True, tag="no space"):
    """A node's disk is full for `ms`."""

    node: int
    ms: int


class ClockStep(msgspec.Struct, frozen=True, tag="clock"):
    """A node's wall clock jumps by `step_ms`, for good."""

    node: int
    step_ms: int


class Wipe(msgspec.Struct, frozen=True, tag="wipe"):
    """The machine loses power and comes back with an empty disk under its old id."""

    node: int
    down_ms: int


Fault: TypeAlias = (
    Kill
    | PowerLoss
    | BlackOut
    | Coup
    | Isolate
    | Split
    | Bridge
    | SlowLinks
    | Narrow
    | Cut
    | BreakMidFrame
    | Strand
    | Loss
    | Pause
    | Drift
    | CrashAt
    | Rot
    | SlowDisk
    | Lie
    | SyncError
    | WriteError
    | NoSpace
    | ClockStep
    | Wipe
)


class Strike(msgspec.Struct, frozen=True):
    """One line of a schedule."""

    at_ms: int
    """Virtual time since the chaos began."""
    fault: Fault
