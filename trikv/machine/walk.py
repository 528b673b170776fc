"""Writing a consistent snapshot in small steps, while the machine goes on.

The snapshot is of the instant of `Machine.walk`: it goes over a cut of that instant, and lets go of each
bucket that it has passed. There is never a second encoded copy.
"""

from collections.abc import Iterable, Iterator

from trikv.machine.codec import (
    LINE_END,
    Checksum,
    Settings,
    encode_closing,
    encode_keys,
    encode_opening,
    encode_split,
)
from trikv.machine.cut import Cut
from trikv.machine.stored import Held


class Walk:
    """A snapshot being written. Take pieces by `step` until it gives none, or `abort`."""

    def __init__(self, cut: Cut, settings: Settings, header: dict[str, object]) -> None:
        """`cut`: of all databases; it belongs to the walk from now on."""
        self.keys = cut.keys
        """How many keys the document holds."""
        self.keys_passed = 0
        """How many of them have been met: of the last one a part may still be to come."""
        cut.lets_go = True
        self._cut = cut
        self._checksum = Checksum()
        self._lines = self._document(encode_opening(header, settings))
        self._unsent = bytearray()

    @property
    def done(self) -> bool:
        """Whether the last piece was given, or `abort` was called."""
        return not self._cut.is_open

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
        """Close the cut: the machine does not tell it of writes any more. Harmless twice."""
        if self._cut.is_open:
            self._cut.close()
            self._unsent.clear()
            self._lines = iter(())

    def _document(self, opening: bytes) -> Iterator[bytes]:
        yield self._summed(opening + b"\n")
        lines = b""
        for piece in self._pieces():
            if lines:
                yield self._summed(lines)
            lines = piece
        if lines:
            yield self._summed(lines.removesuffix(LINE_END) + b"\n")
        yield encode_closing(self.keys, self._checksum.text()) + b"\n"

    def _pieces(self) -> Iterator[bytes]:
        """All lines between the first and the last, each ended by comma and line end."""
        for db, number, shape in self._cut.shapes():
            yield encode_split(db, number, shape)
        for db, entries in self._cut.entries():
            yield from encode_keys(db, self._passing(entries))

    def _passing(self, entries: Iterable[tuple[bytes, Held]]) -> Iterator[tuple[bytes, Held]]:
        """Count entries as they are encoded: a step of few keys may be megabytes."""
        for entry in entries:
            self.keys_passed += 1
            yield entry

    def _summed(self, lines: bytes) -> bytes:
        self._checksum.update(lines)
        return lines
