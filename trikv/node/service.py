"""The running node as its conversations see it: `trikv.front.seam.Service`, over the real parts.

Clients are served from the start, even while a blank disk waits for the other nodes: until then every command
for the machine gets an error that is safe to retry.
"""

from collections.abc import Callable
from functools import partial

import attrs

from trikv.front.counters import Counters
from trikv.front.figures import MemberFigures, NodeFigures
from trikv.front.outflow import Outflow
from trikv.front.runtime_settings import RuntimeSettings
from trikv.front.seam import Operation, Work
from trikv.host.seam import Host
from trikv.machine.replies import CommandError, Reply
from trikv.node.consensus.lease_reads import LeaseReads
from trikv.node.events import Event
from trikv.node.mailbox import Mailbox
from trikv.node.operations import Operations
from trikv.node.outflows import Outflows
from trikv.node.state.applier import Applier

NOT_A_MEMBER = CommandError(
    "CLUSTERDOWN this node has not joined its cluster yet; the command was not executed"
)


@attrs.frozen
class Member:
    """The parts of a node that conversations use once its log is open."""

    applier: Applier
    operations: Operations
    figures: MemberFigures
    lease_reads: LeaseReads | None
    """None if reads ask a majority."""


class NodeService:
    """The node's side of the seam: routes work to the driver, operations to their tasks."""

    def __init__(
        self,
        host: Host,
        inbox: Mailbox[Event],
        settings: RuntimeSettings,
        counters: Counters,
        figures: NodeFigures,
        outflows: Outflows,
    ) -> None:
        self.settings = settings
        self.counters = counters
        self.figures = figures
        self.write_token: Callable[[], object] = _no_write
        """The index at which the write that is being answered was applied."""
        self.pour: Callable[[Outflow], None] = outflows.put
        """Go on with a long answer, a little at a time."""
        self._host = host
        self._inbox = inbox
        self._lease_reads: LeaseReads | None = None
        self._member: Member | None = None
        self._connections = 0

    def joined(self, member: Member) -> None:
        """The log is open: from now on commands for the machine are served."""
        self._member = member
        self.figures.member = member.figures
        self.write_token = member.applier.applied_index
        self._lease_reads = member.lease_reads

    def submit(self, work: Work) -> list[Reply] | None:
        """Take `work`; it is answered or failed later, except a read that a lease allows at once."""
        if self._lease_reads is not None:
            replies = self._lease_reads.answer(work)
            if replies is not None:
                return replies
        self._inbox.put(work)
        return None

    @property
    def works(self) -> int:
        """Submissions answered without the driver."""
        return self._lease_reads.works if self._lease_reads is not None else 0

    def act(self, operation: Operation) -> None:
        """Carry out `operation`, then answer it."""
        if self._member is not None:
            self._member.operations.put(operation)
            return
        # Refused like any other command before the node is a member, and never within this call.
        refuse = partial(_refuse, operation)
        self._inbox.put(Work(0, (), (), False, refuse, refuse))

    def cap(self, configured: int) -> int:
        """The memory cap in force; before the log is open the configured one."""
        return configured if self._member is None else self._member.applier.machine.maxmemory

    def boot_ms(self) -> int:
        """For idle times."""
        return self._host.clock.boot_ms()

    def boot_us(self) -> int:
        """For the time that a command takes."""
        return self._host.clock.boot_us()

    def value_bytes(self, key: bytes) -> int:
        """How long the value of `key` is here; 0 before the log is open."""
        return 0 if self._member is None else self._member.applier.machine.value_bytes(key)

    def next_connection_id(self) -> int:
        """CLIENT ID."""
        self._connections += 1
        return self._connections


def _no_write() -> object:
    raise AssertionError("only a member's applier answers writes")


def _refuse(operation: Operation, _: object) -> None:
    operation.answered(NOT_A_MEMBER)
