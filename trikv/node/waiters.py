"""Who waits for what the log brings by: the one edge that leads back from the log to a client."""

from trikv.front.seam import Work


class Waiters:
    """Who waits for which sequence of the current incarnation: a one-shot edge from the log to the client."""

    def __init__(self) -> None:
        self.incarnation = 0
        self._works: dict[int, Work] = {}

    def expect(self, sequence: int, work: Work) -> None:
        """`work` will be answered when `sequence` applies."""
        self._works[sequence] = work

    def take(self, incarnation: int, sequence: int) -> Work | None:
        """The work that waits for this sequence, if any does; it is waited for no longer."""
        return self._works.pop(sequence, None) if incarnation == self.incarnation else None

    def take_below(self, sequence: int) -> list[Work]:
        """Everyone who waits for a sequence below this one, in order."""
        return [self._works.pop(known) for known in sorted(self._works) if known < sequence]

    def reopen(self, incarnation: int) -> None:
        """A new incarnation: nobody waits in it yet."""
        self.incarnation = incarnation
        self._works.clear()

    def __len__(self) -> int:
        return len(self._works)
