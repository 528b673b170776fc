"""Writing a consistent snapshot in small steps, while the machine goes on.

The snapshot is of the instant of `Machine.walk`. The walk holds references to all buckets of then. Before a
write to one that it has not reached, it keeps a shallow copy (`Walk.before_write`), whose values are shared
with the live bucket. So a walk costs, at worst, one table of references besides the live one (about 30 bytes
a key) and the old values that were overwritten meanwhile, never a second encoded copy. FLUSH swaps whole
databases, which the walk does not notice.
"""

from collections.abc import Iterator

from trikv.machine.codec import LINE_END, Checksum, Settings, encode_closing, encode_keys, encode_opening
from trikv.machine.keyspace import Keyspace
from trikv.machine.stored import Held


class Walk:
    """A snapshot being written. Take pieces by `step` until it gives none, or `abort`."""

    def __init__(self, space: Keyspace, settings: Settings, header: dict[str, object]) -> None:
        self.keys = space.keys()
        """How many keys the document holds."""
        self.keys_passed = 0
        """How many of them have been written."""
        self.done = False
        """Whether the last piece was given, or `abort` was called."""
        self._buckets = {db.number: list(db.buckets) for db in space.databases if db.size}
        """By database; a bucket that was written is replaced by an empty dict."""
        self._observers = space.account.observers
        self._observers.append(self)
        self._checksum = Checksum()
        self._lines = self._document(encode_opening(header, settings))
        self._unsent = bytearray()

    def step(self, bytes_max: int) -> bytes:
        """The next piece, of at most `bytes_max` bytes; empty when the document is finished."""
        while len(self._unsent) < bytes_max:
            line = next(self._lines, None)
            if line is None:
                break
            self._unsent += line
        piece = bytes(self._unsent[:bytes_max])
        del self._unsent[:bytes_max]
        if not piece:
            self.abort()
        return piece

    def abort(self) -> None:
        """Drop all references; the machine does not tell this walk of writes any more. Harmless twice."""
        if not self.done:
            self.done = True
            self._observers.remove(self)
            self._buckets.clear()
            self._unsent.clear()
            self._lines = iter(())

    def before_write(self, db: int, number: int, bucket: dict[bytes, Held]) -> None:
        """Keep the bucket as it was, unless it was written already or belongs to a flushed database."""
        kept = self._buckets.get(db)
        if kept is not None and kept[number] is bucket:
            kept[number] = bucket.copy()

    def _document(self, opening: bytes) -> Iterator[bytes]:
        yield self._summed(opening + b"\n")
        lines = b""
        for db, buckets in self._buckets.items():
            for number, bucket in enumerate(buckets):
                # A list of its own, because the bucket may change between two pieces.
                items = list(bucket.items())
                buckets[number] = {}
                self.keys_passed += len(items)
                for piece in encode_keys(db, items):
                    if lines:
                        yield self._summed(lines)
                    lines = piece
        if lines:
            yield self._summed(lines.removesuffix(LINE_END) + b"\n")
        yield encode_closing(self.keys, self._checksum.text()) + b"\n"

    def _summed(self, lines: bytes) -> bytes:
        self._checksum.update(lines)
        return lines
