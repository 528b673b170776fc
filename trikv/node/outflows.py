"""Long answers to clients, made a little at a time beside everything else (`trikv.front.outflow`).

One task makes the parts of all of them, a slice of one after another, with a round of the loop between two
slices: so no other client waits for more than a slice, however many long answers there are. A second one
looks at those that wait for their clients. It closes who reads too slowly. And it bounds the memory that is
held for them: by the cuts of long reads, of which the slowest are closed beyond a limit, and by replies that
are still to be sent, of which the longest are.
"""

from collections.abc import Callable
from typing import Final

import structlog
import trio

from trikv.front.figures import OutflowStatistics
from trikv.front.outflow import Outflow
from trikv.node.held_replies import to_give_up
from trikv.node.mailbox import Mailbox

SLICE_US: Final = 250
"""How long one outflow may make parts before others have their turn; its last step may take 0.3 ms more. A
GET takes several rounds of the loop, and waits for a slice in each."""
LOOK_MS: Final = 100
"""Between two looks at those that wait. It bounds by how much memory can exceed its limit."""
KEPT_BYTES_MIN: Final = 64 << 20
"""However small the cap is, cuts may keep this much."""
HELD_BYTES_MIN: Final = 256 << 20
"""And replies that are still to be sent this much: those of four pipelines of the greatest size."""
CAP_PARTS: Final = 8
"""Either may be the cap divided by this."""

log = structlog.get_logger()


class Outflows:
    """All long answers of a node that are under way."""

    def __init__(self, *, boot_us: Callable[[], int], cap: Callable[[], int]) -> None:
        """`cap`: the memory cap in force, 0 for none."""
        self._boot_us = boot_us
        self._cap = cap
        self._ready: dict[Outflow, None] = {}
        """Those with something to do, each once, the one that has waited longest first."""
        self._all: dict[Outflow, None] = {}
        """In the order of their beginning, those that wait for their clients too."""
        self._bell: Mailbox[None] = Mailbox()
        self._begun: trio.Event = trio.Event()
        self.closed_count = 0
        """Those that were given up because their clients read too slowly, or their cuts kept too much."""

    def put(self, outflow: Outflow) -> None:
        """There is something to do for `outflow`: it has begun, or its client has taken what there was."""
        self._all[outflow] = None
        self._begun.set()
        if not self._ready:
            self._bell.put(None)
        self._ready[outflow] = None  # one that waits for its turn already keeps its place

    def statistics(self) -> OutflowStatistics:
        """For INFO."""
        return OutflowStatistics(
            long_reads=len(self._long_reads()),
            kept_bytes=self._kept_bytes(),
        )

    def stop(self) -> None:
        """The node stops: give up long reads, which may take as long as their clients like."""
        for outflow in self._long_reads():
            outflow.give_up("this node is shutting down")
        self._forget_ended()

    async def run(self) -> None:
        """Make parts and look after them, until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._look_after)
            while True:
                await self._bell.take()
                while self._ready:
                    self._pour()
                    await trio.lowlevel.checkpoint()

    def _pour(self) -> None:
        """One slice of the outflow that has waited longest."""
        outflow = next(iter(self._ready))
        del self._ready[outflow]
        stop_us = self._boot_us() + SLICE_US
        while outflow.pour():
            if self._boot_us() >= stop_us:
                self._ready[outflow] = None
                return
        if outflow.is_over:
            self._all.pop(outflow, None)

    async def _look_after(self) -> None:
        looked_us = self._boot_us()
        while True:
            self._forget_ended()
            if not self._all:
                self._begun = trio.Event()
                await self._begun.wait()
                looked_us = self._boot_us()
            await trio.sleep(LOOK_MS / 1000)
            now_us = self._boot_us()
            self._close_slow((now_us - looked_us) // 1000)
            self._bound_kept()
            self._bound_held()
            looked_us = now_us

    def _close_slow(self, passed_ms: int) -> None:
        for outflow in tuple(self._all):
            if not outflow.is_over and outflow.is_too_slow(passed_ms):
                self._give_up(outflow, "its client reads too slowly")

    def _bound_kept(self) -> None:
        """Give up the slowest long reads until the others keep no more than they may."""
        kept_bytes_max = max(KEPT_BYTES_MIN, self._cap() // CAP_PARTS)
        for outflow in sorted(self._long_reads(), key=Outflow.taken_bytes):
            kept_bytes = self._kept_bytes()
            if kept_bytes <= kept_bytes_max:
                return
            self._give_up(
                outflow, f"long reads keep {kept_bytes} of {kept_bytes_max} bytes, and it is the slowest"
            )

    def _bound_held(self) -> None:
        """Give up the largest until the replies of the others are no more than they may be."""
        held_bytes_max = max(HELD_BYTES_MIN, self._cap() // CAP_PARTS)
        if sum(map(Outflow.held_bytes, self._all)) <= held_bytes_max:
            return  # nearly always, and without a look at what they share
        for outflow, waiting_bytes in to_give_up(self._all, held_bytes_max):
            waiting = f"{waiting_bytes} of {held_bytes_max} bytes of replies wait"
            self._give_up(outflow, f"{waiting}, and its own are the most")

    def _give_up(self, outflow: Outflow, reason: str) -> None:
        self.closed_count += 1
        log.warning("a long answer was given up", reason=reason, taken_bytes=outflow.taken_bytes())
        outflow.give_up(f"a long answer was given up: {reason}")

    def _forget_ended(self) -> None:
        for outflow in [one for one in self._all if one.is_over]:
            del self._all[outflow]

    def _long_reads(self) -> list[Outflow]:
        return [one for one in self._all if one.streams and not one.is_over]

    def _kept_bytes(self) -> int:
        """What all long reads keep, each piece counted once.

        Many reads of one value between writes to it keep nearly the same pieces.
        """
        streams = (stream for one in self._long_reads() for stream in one.streams if not stream.is_over)
        pieces: dict[int, int] = {}
        for kept in {id(stream.kept): stream.kept for stream in streams}.values():
            pieces |= kept.kept()
        return sum(pieces.values())
