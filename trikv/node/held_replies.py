"""How much memory the replies of long answers take together; a string that several share counts once.

Thirty clients that read the same 20 MB hold these 20 MB, not 600.
"""

from collections.abc import Iterable

from trikv.front.outflow import Outflow


class HeldReplies:
    """What some outflows hold at one moment. None of them may go on meanwhile."""

    def __init__(self, outflows: Iterable[Outflow]) -> None:
        self.total_bytes = 0
        self._holders: dict[int, int] = {}
        """By the identity of a long string: how many replies are made from it."""
        for outflow in outflows:
            self._count(outflow, 1)

    def let_go(self, outflow: Outflow) -> None:
        """`outflow`, one of them, is about to be given up. What others share with it stays."""
        self._count(outflow, -1)

    def _count(self, outflow: Outflow, change: int) -> None:
        holders = self._holders
        alone_bytes = outflow.held_bytes()
        for identity, length in outflow.held_strings():
            alone_bytes -= length
            before = holders.get(identity, 0)
            holders[identity] = before + change
            if min(before, before + change) == 0:
                self.total_bytes += change * length
        self.total_bytes += change * alone_bytes
