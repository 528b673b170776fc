"""Checks of a node's files, at the instant at which it answers a client about them.

A BACKUP and the dump of a SHUTDOWN are whole documents. They hold every write that was acknowledged before
they were asked for, and nothing that the log does not say at their index (the witness compares `sightings`).
A SAVE has left a snapshot. The last write of a WAIT's connection is on as many disks as it counts, and on one
more. A DIGEST equals that of every node at its index.
"""

import re
from collections.abc import Callable

from trikv.front.seam import Backup, Digest, Operation, Save, Shutdown, Wait
from trikv.machine.replies import OK, Reply
from trikv.notation import counted
from trikv.raft.types import SnapshotMeta
from trikv.sim.checkers.documents import parse
from trikv.sim.checkers.durability import Durability, read
from trikv.sim.checkers.platters import files_of
from trikv.sim.checkers.replicas import Replicas
from trikv.sim.checkers.state import Sighting
from trikv.sim.cluster import Cluster
from trikv.sim.marks import Marks
from trikv.storage.wal import WalSettings

DUMP, INCOMPLETE_DUMP = "dump.json", "dump.incomplete.json"
_BACKUP = re.compile(r".*/(backups/[^/]+\.json): (\d+) keys? at index (\d+)")
_SNAPSHOT = re.compile(r"snapshots/(\d{20})-\d{20}\.json")


class Acts:
    """Watches the operations that the nodes of a cluster carry out besides their log."""

    def __init__(
        self,
        cluster: Cluster,
        marks: Marks,
        fail: Callable[[str, str], None],
        durability: Durability,
        replicas: Replicas,
        settings: WalSettings,
        has_lost: Callable[[int], bool],
    ) -> None:
        """`has_lost` says whether a fault may have taken from a node's disk what it once held."""
        self._cluster = cluster
        self._marks = marks
        self._fail = fail
        self._durability = durability
        self._replicas = replicas
        self._settings = settings
        self._has_lost = has_lost
        self._written: dict[str, SnapshotMeta] = {}
        """For each connection the place at which its last write took effect."""
        self._stopping: dict[int, int] = {}
        """For each node that was told to stop the last entry that was acknowledged before."""
        self.sightings: list[Sighting] = []
        """The contents of documents, for the witness."""

    def wrote(self, connection: str, position: SnapshotMeta) -> None:
        """A write of that connection is being answered."""
        self._written[connection] = position

    def asked(self, number: int, connection: str, operation: Operation) -> None:
        """Node `number` is to carry out `operation`: check the outcome when it answers."""
        acked, answered = self._durability.highest_acked, operation.answered
        if isinstance(operation.asked, Shutdown):
            self._stopping[number] = acked

        def observed(reply: Reply) -> None:
            match operation.asked, reply:
                case Digest(), [int(index), bytes(digest)]:
                    self._replicas.told(number, index, digest.decode())
                case Wait(), int(count) if connection in self._written:
                    self._waited(number, count, self._written[connection])
                case Backup(), bytes(text):
                    self._backed_up(number, text.decode(), acked)
                case Save(in_background=False), _ if reply == OK:
                    self._saved(number, acked)
                case _:
                    pass
            answered(reply)

        operation.answered = observed

    def stopped(self, number: int, *, dumped: bool) -> None:
        """A node has ended by itself and in order."""
        self._marks.sometimes("node stopped in order")
        acked = self._stopping.pop(number, 0)
        if not dumped or self._cluster.rotten.get(number) or self._file(number, INCOMPLETE_DUMP) is not None:
            return
        self._marks.sometimes("whole dump looked at")
        self._look_at_document(number, DUMP, acked)

    def _waited(self, number: int, count: int, position: SnapshotMeta) -> None:
        holders = 0
        for one in self._cluster.ids:
            volume = self._cluster.machine(one).volume
            if self._has_lost(one) or read(volume, self._settings).holds(position.index, position.term):
                holders += 1
        self._marks.sometimes("count of WAIT looked up on platters")
        if count > max(0, holders - 1):
            self._fail(
                "wait", f"node {number} counts {count} others with {position.index}, {holders} have it"
            )

    def _saved(self, number: int, acked: int) -> None:
        names = map(_SNAPSHOT.fullmatch, files_of(self._cluster.machine(number).volume, cached=True))
        newest = max((int(name[1]) for name in names if name is not None), default=0)
        if newest < acked:
            self._fail("save", f"node {number} has saved, its newest snapshot is {newest}; {acked} was acked")

    def _backed_up(self, number: int, text: str, acked: int) -> None:
        answer = _BACKUP.fullmatch(text)
        if answer is None:
            return self._fail("backup", f"node {number} says of its backup {text!r}")
        self._marks.sometimes("backup looked at")
        seen = self._look_at_document(number, answer[1], acked)
        if seen is not None and (len(seen.contents), seen.index) != (int(answer[2]), int(answer[3])):
            self._fail(
                "backup",
                f"{text!r} on node {number} has {counted(len(seen.contents), 'key')} at {seen.index}",
            )
        return None

    def _look_at_document(self, number: int, path: str, acked: int) -> Sighting | None:
        """Check that a document is on the platters, whole, and not older than entry `acked`; its contents."""
        data = self._file(number, path)
        try:
            index, contents = parse(data or b"")
        except (KeyError, TypeError, ValueError) as error:
            if not self._cluster.rotten.get(number):
                self._fail("document", f"{path} of node {number} cannot be read: {error!r}")
            return None
        if index < acked:
            self._fail("document", f"{path} of node {number} is of {index}; {acked} was acknowledged before")
        seen = Sighting(f"{path} of node {number}", index, contents)
        self.sightings.append(seen)
        return seen

    def _file(self, number: int, path: str) -> bytes | None:
        volume = self._cluster.machine(number).volume
        content = files_of(volume, cached=volume.lied).get(path)
        return bytes(content) if content is not None else None
