"""Reading snapshots: a machine restored whole, or only keys imported into a running cluster."""

from collections.abc import Iterable, Iterator

from trikv.machine.codec import KeyLine, Reader, SnapshotError, to_bytes
from trikv.machine.commands import TABLE
from trikv.machine.keyspace import DATABASES, Keyspace
from trikv.machine.machine import Machine
from trikv.machine.stored import Stored
from trikv.machine.table import CommandTable

__all__ = ["Restore", "SnapshotError", "import_keys", "node_of"]


class Restore:
    """Builds a machine from a document fed in chunks of any size; holds one line besides the machine."""

    def __init__(self, table: CommandTable = TABLE) -> None:
        """`table`: the commands that the machine will evaluate; the document names none."""
        self._table = table
        self._reader = Reader()
        self._space = Keyspace()

    def feed(self, data: bytes) -> None:
        """Take in the next chunk. Raises SnapshotError, after which the object must not be used."""
        for line in self._reader.feed(data):
            self._begin()
            _check_db(line, self._reader)
            entry = Stored(to_bytes(line.v), line.n, line.x)
            if not self._space.databases[line.db].restore(to_bytes(line.k), entry):
                raise SnapshotError("a key stands there twice", self._reader.line)

    def _begin(self) -> None:
        """Carry out the rules of the document's level, before the first key is charged."""
        opening = self._reader.opening
        assert opening is not None, "it comes before the keys"
        account = self._space.account
        # A level that is not known fails at the end, when the document was seen to be undamaged.
        if account.feature_level != opening.machine.feature_level:
            account.set_level(opening.machine.feature_level)

    def finish(self) -> tuple[dict[str, object], Machine]:
        """The node's header and the machine, equal to the one that was walked.

        Raises SnapshotError, and FeatureLevelError for a snapshot of a newer release's cluster.
        """
        opening = self._reader.finish()
        self._begin()
        return opening.node, Machine.restored(opening.machine, self._space, self._table)


def node_of(line: bytes) -> dict[str, object]:
    """The node's header in a document's first line, given without its line end. Raises SnapshotError."""
    reader = Reader()
    keys = list(reader.feed(line + b"\n"))
    assert not keys, "it is the first line"
    assert reader.opening is not None, "a whole line was read"
    return reader.opening.node


def import_keys(chunks: Iterable[bytes]) -> Iterator[tuple[int, tuple[bytes, ...]]]:
    """The keys of a document as (database, command), each a SET with its deadline as PXAT.

    Settings, rows and versions are left out. Raises SnapshotError if a line cannot be read, or at the end,
    because the checksum can only be compared there. To load nothing of a damaged file, read all of it once
    before.
    """
    reader = Reader()
    for chunk in chunks:
        for line in reader.feed(chunk):
            _check_db(line, reader)
            command = (b"SET", to_bytes(line.k), to_bytes(line.v))
            yield line.db, (*command, b"PXAT", b"%d" % line.x) if line.x else command
    reader.finish()


def _check_db(line: KeyLine, reader: Reader) -> None:
    if not 0 <= line.db < DATABASES:
        raise SnapshotError(f"there is no database {line.db}", reader.line)
