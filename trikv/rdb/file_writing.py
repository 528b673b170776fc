"""Files on the way out, as they are read in `files`."""

from collections.abc import Iterator
from typing import Final, Protocol

from trikv.rdb import encoding, forms
from trikv.rdb.checksum import CHECKSUM_BYTES, checksum
from trikv.rdb.files import MAGIC
from trikv.rdb.steps import STEP_BYTES
from trikv.rdb.values import Value
from trikv.rdb.writing import form_of

_AUX: Final = bytes((forms.AUX,))
_SELECT_DB: Final = bytes((forms.SELECT_DB,))
_RESIZE_DB: Final = bytes((forms.RESIZE_DB,))
_EXPIRE_TIME_MS: Final = bytes((forms.EXPIRE_TIME_MS,))
_FUNCTION_2: Final = bytes((forms.FUNCTION_2,))
_EOF: Final = bytes((forms.EOF,))
_STRING: Final = bytes((forms.STRING,))


class Writable(Protocol):
    """A file that is open for writing bytes, and takes all of them."""

    def write(self, data: bytes, /) -> object:
        """Write these behind what was written before."""


class FileWriter:
    """Writes one file: aux fields, libraries, then each database with its keys, then the end.

    `version` is 10 (Redis 7.0) or 11. Without `has_checksum` the end says that there is none. What is handed
    to it is written in pieces of about 64 KiB.
    """

    def __init__(
        self,
        file: Writable,
        *,
        version: int = forms.VERSION,
        compress: bool = True,
        has_checksum: bool = True,
    ) -> None:
        forms.check_version(version)
        self._file, self._version, self._compress = file, version, compress
        self._has_checksum = has_checksum
        self._sum = 0
        self._pieces: list[bytes] = []
        self._size = 0
        self._put(b"%b%04d" % (MAGIC, version))

    def _put(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size >= STEP_BYTES:
            self._flush()

    def _flush(self) -> None:
        data = b"".join(self._pieces)
        self._pieces, self._size = [], 0
        self._sum = checksum(data, self._sum)
        self._file.write(data)

    def _put_all(self, pieces: Iterator[bytes]) -> Iterator[None]:
        for piece in pieces:
            self._put(piece)
            yield

    def _string(self, data: bytes) -> None:
        for _ in self._put_all(encoding.string(data, compress=self._compress)):
            pass

    def aux(self, name: bytes, value: bytes) -> None:
        """What the writer says of itself: redis-ver, redis-bits, ctime (in seconds), used-mem."""
        self._put(_AUX)
        self._string(name)
        self._string(value)

    def library(self, code: bytes) -> None:
        """A library of functions: its source."""
        self._put(_FUNCTION_2)
        self._string(code)

    def database(self, number: int, *, keys: int, deadlines: int) -> None:
        """The one that the keys that follow are in; it has so many, and of them so many have deadlines."""
        self._put(_SELECT_DB + encoding.length(number))
        self._put(_RESIZE_DB + encoding.length(keys) + encoding.length(deadlines))

    def key(self, key: bytes, value: Value | bytes, deadline_ms: int | None = None) -> None:
        """A key with its value and deadline, at once. Raises UnsupportedError; then the file is of no use."""
        for _ in self.key_in_steps(key, value, deadline_ms):
            pass

    def key_in_steps(
        self, key: bytes, value: Value | bytes, deadline_ms: int | None = None
    ) -> Iterator[None]:
        """The same in steps, all of which must be taken."""
        if deadline_ms is not None:
            self._put(_EXPIRE_TIME_MS + encoding.milliseconds(deadline_ms))
        if isinstance(value, bytes):
            self._put(_STRING)
            self._string(key)
            yield from self._put_all(encoding.string(value, compress=self._compress))
            return
        number, pieces = form_of(value, self._version, compress=self._compress)
        self._put(bytes((number,)))
        self._string(key)
        yield from self._put_all(pieces)

    def end(self) -> None:
        """Write what is left, and the end. Closing and syncing is the caller's business."""
        self._put(_EOF)
        self._flush()
        summed = self._sum if self._has_checksum else 0
        self._file.write(summed.to_bytes(CHECKSUM_BYTES, "little"))
