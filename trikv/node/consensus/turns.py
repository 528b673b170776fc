"""What one turn of the driver takes, and when it begins.

Three rules spare turns, which cost all nodes the same whatever is in them:

- All that has come in is taken at once.
- Where requests are about to go on, a turn waits until a round of Trio's loop has brought nothing more
  (`settle`; see `trikv.node.consensus.pacing`).
- What changes nothing now is kept for the next turn, whatever causes that: answers that come after a majority
  has said as much, answers to a heartbeat that no read waits for, a leader's own sync while no peer has
  answered, and that own proposals have applied. For every batch a leader had three such turns, and one
  for every heartbeat at rest. There is a turn with every heartbeat and every timer, so nothing is kept
  for longer.
"""

import msgspec
import trio

from trikv.front.seam import Work
from trikv.host.seam import Clock
from trikv.node.events import Event, OwnApplied, PeerSaid, Persisted
from trikv.node.mailbox import Mailbox
from trikv.protocol import messages as said
from trikv.raft.core import Raft
from trikv.raft.messages import AppendAck, HeartbeatAck

SETTLE_ROUNDS_MAX = 16
"""Rounds of the loop that may go by while more comes in. Each serves every ready socket once."""
SETTLE_MS_MAX = 2
"""And after so long no further one begins: less than what else may stand before a heartbeat."""


class Gathering:
    """The receiving end of the driver's mailbox."""

    def __init__(self, inbox: Mailbox[Event], clock: Clock, raft: Raft) -> None:
        self._inbox = inbox
        self._clock = clock
        self._raft = raft
        self._kept: list[tuple[Event, int]] = []
        """What could wait, and the boot time when it came."""

    async def take(self) -> list[Event]:
        """Wait for what cannot wait (or for a wake-up), and return all that there is."""
        while True:
            batch = await self._inbox.take()
            if self._inbox.was_called or not all(map(self._can_wait, batch)):
                return self._take_kept() + batch if self._kept else batch
            came_ms = self._clock.boot_ms()
            self._kept += [(event, came_ms) for event in batch]

    async def settle(self, batch: list[Event]) -> None:
        """Let whoever is about to ask put that into `batch` too."""
        boot_ms, inbox = self._clock.boot_ms, self._inbox
        stop_ms = boot_ms() + SETTLE_MS_MAX
        for _ in range(SETTLE_ROUNDS_MAX):
            await trio.lowlevel.checkpoint()
            if not len(inbox):
                break
            batch += inbox.take_at_once()
            if boot_ms() >= stop_ms:
                break

    def _can_wait(self, event: Event) -> bool:
        match event:
            case PeerSaid(message=AppendAck() | HeartbeatAck() as message):
                return self._raft.answer_can_wait(event.peer, event.disk, message)
            case Persisted(job=job):
                return self._raft.sync_can_wait(job)
            case OwnApplied():
                return True  # its clients have their answers; room in a full window is made a turn later
            case _:
                return False

    def _take_kept(self) -> list[Event]:
        """What was kept; clocks that peers told go on meanwhile."""
        kept, self._kept = self._kept, []
        now_ms = self._clock.boot_ms()
        return [_brought_up(event, now_ms - came_ms) for event, came_ms in kept]


def brings_requests(batch: list[Event], *, writes: bool, reads: bool) -> bool:
    """True where somebody asks for what may go on now, and others may soon do so, too."""
    for event in batch:
        if isinstance(event, Work):
            if writes if event.writes else reads:
                return True
        elif isinstance(event, PeerSaid) and (
            (writes and isinstance(event.message, said.Forward))
            or (reads and isinstance(event.message, said.ReadRequest))
        ):
            return True
    return False


def _brought_up(event: Event, elapsed_ms: int) -> Event:
    if isinstance(event, PeerSaid) and isinstance(event.message, HeartbeatAck):
        wall_ms = event.message.wall_ms + elapsed_ms
        return PeerSaid(event.peer, event.disk, msgspec.structs.replace(event.message, wall_ms=wall_ms))
    return event
