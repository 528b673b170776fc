"""An answer that is made while the client takes it, because it is too long to be held.

Most answers are turned into bytes at once. One that exceeds `AHEAD_BYTES` becomes an outflow: its parts are
made one after another, and only while less than that waits for the client. The node calls `pour` as long as
there is something to do (`trikv.front.seam.Service.pour`), a little at a time, so that other clients have
their turns between two parts. If the client does not keep up, the outflow waits until everything has been
taken.

Who takes less than `RATE_BYTES_MIN` a second is closed, because an outflow keeps memory that others need: the
cut that a long read is made from, or the values that a pipeline has asked for.
"""

from collections.abc import Iterator
from typing import Final, Protocol, TypeAlias

from trikv.front.shared_strings import SharedStrings
from trikv.host.wire import Wire
from trikv.machine.replies import Reply, drop, streams_of, weight

AHEAD_BYTES: Final = 1 << 20
"""What may wait for a client before the next part is made: as much as a fast one takes in a millisecond."""
PART_BYTES: Final = 64 << 10
"""The longest part. What has been taken is known by whole parts only."""
RATE_BYTES_MIN: Final = 64 << 10
"""The least that a client has to take in a second of waiting for it."""
WINDOW_MS: Final = 10_000
"""The time over which that is judged: a reader may pause for some seconds."""

Part: TypeAlias = tuple[bytes, bool]
"""Bytes to send, perhaps none yet, and whether a reply ends with them."""


class CutShort(Exception):  # noqa: N818 - what happens to an answer
    """The answer cannot be finished, and some of it was sent: only a bug causes this."""


class Taker(Protocol):
    """The conversation, as far as its outflow knows it."""

    def send_part(self, data: bytes) -> None:
        """Send `data`; this may end the conversation."""

    def poured(self) -> None:
        """The last part was sent: go on with the next turn."""

    def end_slow(self, reason: str) -> None:
        """Close the connection because its client reads too slowly, and count that."""

    def end(self, reason: str) -> None:
        """Close the connection for another reason."""


class Outflow:
    """The rest of an answer."""

    __slots__ = (
        "_ahead_bytes",
        "_made_bytes",
        "_parts",
        "_replies_bytes",
        "_sent_bytes",
        "_taken_bytes",
        "_taker",
        "_waited_ms",
        "_wire",
        "ends_reply",
        "is_over",
        "shared",
        "streams",
        "waits",
    )

    def __init__(
        self, parts: Iterator[Part], taker: Taker, wire: Wire, ahead_bytes: int, replies: list[Reply]
    ) -> None:
        """`replies`: what `parts` are made from. They are not kept: `parts` let go of them one by one."""
        self.streams = streams_of(replies)
        """The long reads that it sends."""
        self.is_over = False
        self.ends_reply = True
        """Whether what was sent so far ends with a whole reply, so that another one may follow."""
        self._parts = parts
        self._taker = taker
        self._wire = wire
        self._ahead_bytes = ahead_bytes
        self._replies_bytes = weight(replies)
        self._sent_bytes = 0
        """What of them was sent before it began."""
        self.shared = SharedStrings(replies)
        self._made_bytes = 0
        self.waits = False
        """Whether nothing is made until the client has taken all that was sent and `pour` is called again."""
        self._waited_ms = 0
        self._taken_bytes = -wire.unsent_bytes()
        """How much had been taken when the window began; what had waited before this answer counts, too."""

    def goes_on_behind(self, sent_bytes: int, *, ends_reply: bool) -> None:
        """So much of the replies was sent before it began."""
        self.ends_reply = ends_reply
        self._sent_bytes = sent_bytes
        self.shared.passed(sent_bytes)

    def pour(self) -> bool:
        """Make and send the next part. False if there is nothing more to do now.

        It is called again when the client has taken everything, not as soon as less than that is ahead.
        """
        self.waits = not self.is_over and self._wire.unsent_bytes() > self._ahead_bytes
        if self.is_over or self.waits:
            return False
        try:
            data = self._next()
        except CutShort:
            self._taker.end("the answer failed inside trikv")
            return False
        if data is None:
            self.close()
            self._taker.poured()
            return False
        if data:
            self._made_bytes += len(data)
            self.shared.passed(self._sent_bytes + self._made_bytes)
            self._taker.send_part(data)
        return not self.is_over

    def _next(self) -> bytes | None:
        """The next part, of several short ones; None after the last. Each step of a long read is a part."""
        made: list[bytes] = []
        room_bytes = PART_BYTES
        for data, ends in self._parts:
            self.ends_reply = ends
            made.append(data)
            room_bytes -= len(data)
            if room_bytes <= 0 or self.streams:
                break
        return b"".join(made) if made else None

    def is_too_slow(self, passed_ms: int) -> bool:
        """Whether the client takes too little, now that `passed_ms` more have passed."""
        if not self.waits:
            return False
        self._waited_ms += passed_ms
        if self._waited_ms < WINDOW_MS:
            return False
        taken_bytes = self._made_bytes - self._wire.unsent_bytes()
        is_too_slow = (taken_bytes - self._taken_bytes) * 1000 < RATE_BYTES_MIN * self._waited_ms
        self._taken_bytes, self._waited_ms = taken_bytes, 0
        return is_too_slow

    def taken_bytes(self) -> int:
        """How much of it the client has taken: of several, the least is the slowest."""
        return self._made_bytes - self._wire.unsent_bytes()

    def held_bytes(self) -> int:
        """About the memory of the replies that are still to be made."""
        return 0 if self.is_over else max(0, self._replies_bytes - self._sent_bytes - self._made_bytes)

    def give_up(self, reason: str) -> None:
        """Close the connection: there is no way to say an error in the middle of an array."""
        if not self.is_over:
            self._taker.end_slow(reason)

    def close(self) -> None:
        """No more is made. Harmless twice."""
        if not self.is_over:
            self.is_over = True
            self._parts = iter(())
            drop(self.streams)
