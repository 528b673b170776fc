"""The parts of a member, in two records: those that several tasks use, and those of the driver alone.

`trikv.node.assembly` makes and wires them; whoever takes a record takes finished parts.
"""

import attrs

from trikv.host.seam import Host
from trikv.node.audience import Audience
from trikv.node.consensus.admission import Admission
from trikv.node.consensus.clock_watch import ClockWatch
from trikv.node.consensus.forwarding import Forwarding
from trikv.node.consensus.leading import Leading
from trikv.node.consensus.log_time import LogTime
from trikv.node.consensus.lost_entries import LostEntries
from trikv.node.consensus.proposals import Proposals
from trikv.node.consensus.read_exchange import ReadExchange
from trikv.node.consensus.read_questions import ReadQuestions
from trikv.node.consensus.retention import Retention
from trikv.node.consensus.router import Router
from trikv.node.consensus.turns import Turns
from trikv.node.drain import Drain
from trikv.node.events import Event
from trikv.node.mailbox import Mailbox
from trikv.node.peers.leader_calls import LeaderCalls
from trikv.node.peers.links import Identity, Links
from trikv.node.peers.password_guard import PasswordGuard
from trikv.node.state.applier import Applier
from trikv.node.state.snapshotter import Snapshotter
from trikv.node.state.writer import Writer
from trikv.node.waiters import Waiters
from trikv.raft.core import Raft


@attrs.frozen(kw_only=True)
class Parts:
    """What the driver, a stop, operations and figures use. Only a part's owner changes it."""

    host: Host
    inbox: Mailbox[Event]
    """The driver's."""
    identity: Identity
    drain: Drain

    raft: Raft
    proposals: Proposals
    reads: ReadQuestions
    log_time: LogTime

    links: Links
    guard: PasswordGuard

    writer: Writer
    applier: Applier
    waiters: Waiters
    audience: Audience
    snapshotter: Snapshotter


@attrs.frozen(kw_only=True)
class DriverParts:
    """What only the driver's turns use."""

    turns: Turns
    router: Router
    admission: Admission
    forwarding: Forwarding
    read_exchange: ReadExchange
    leading: Leading
    retention: Retention
    calls: LeaderCalls
    clock_watch: ClockWatch
    lost_entries: LostEntries
