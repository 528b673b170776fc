"""Works that wait until the log applies them: the one edge that leads back from the log to a client."""

from trikv.front.seam import Work


class Waiters:
    """The waiting works of the current incarnation, by sequence; each is taken out once."""

    def __init__(self) -> None:
        self.incarnation = 0
        self._works: dict[int, Work] = {}

    def expect(self, sequence: int, work: Work) -> None:
        """`work` will be answered when `sequence` applies."""
        self._works[sequence] = work

    def take(self, incarnation: int, sequence: int) -> Work | None:
        """Remove and return the work that waits for this sequence, if there is one."""
        return self._works.pop(sequence, None) if incarnation == self.incarnation else None

    def take_below(self, sequence: int) -> list[Work]:
        """Remove and return the works that wait for a sequence below this one, in order."""
        return [self._works.pop(known) for known in sorted(self._works) if known < sequence]

    def reopen(self, incarnation: int) -> None:
        """Begin a new incarnation, in which no work waits yet."""
        self.incarnation = incarnation
        self._works.clear()

    def __len__(self) -> int:
        return len(self._works)
