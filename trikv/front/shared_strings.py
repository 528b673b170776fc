"""Long strings that replies are still to be made from: several clients may have asked for the same value.

Each of them holds the one string that the database has, or had. So the memory of replies is that of the
strings among them, by identity, and not the sum of what they answer.
"""

from collections import Counter, deque
from typing import Final

from trikv.machine.replies import Reply, long_strings

SHARED_BYTES_MIN: Final = 64 << 10
"""Shorter strings are not worth a look."""
SHARED_MAX: Final = 32
"""Of the replies to one client only so many strings, the last ones, are looked for among those of others."""


class SharedStrings:
    """Those of one client that nothing was made of yet."""

    __slots__ = ("_coming", "_times", "bytes", "lengths")

    def __init__(self, replies: list[Reply]) -> None:
        last = deque(long_strings(replies, SHARED_BYTES_MIN), SHARED_MAX)
        self._coming = deque((start, id(string), len(string)) for start, string in last)
        """By the bytes of replies in front of each."""
        self._times = Counter(identity for _, identity, _ in self._coming)
        self.lengths = {identity: length for _, identity, length in self._coming}
        """By identity."""
        self.bytes = sum(length for _, _, length in self._coming)
        """As often as each is among the replies."""

    def passed(self, made_bytes: int) -> None:
        """So many bytes of the replies were made.

        A string that may be under way is forgotten: when it has been let go its identity may be another's.
        """
        coming = self._coming
        while coming and coming[0][0] < made_bytes:
            _, identity, length = coming.popleft()
            self.bytes -= length
            self._times[identity] -= 1
            if not self._times[identity]:
                del self.lengths[identity]
