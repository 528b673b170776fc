"""The node's part of a snapshot's header: which cluster, where in the log, which members *at that index*."""

import attrs

from trikv.raft.types import Member, Membership, SnapshotMeta
from trikv.storage.errors import StorageCorrupt


@attrs.frozen
class Header:
    """The fields of a snapshot, backup or dump besides the machine's own state."""

    cluster: bytes
    meta: SnapshotMeta
    complete: bool = True
    """False for a dump made without its barrier: acknowledged writes may be missing from it."""
    saved_ms: int = 0
    """The time of this state, by the writer's wall clock; 0 if unknown (written by an old version)."""

    def as_dict(self) -> dict[str, object]:
        """For the first line of the document."""
        return {
            "cluster": self.cluster.hex(),
            "index": self.meta.index,
            "term": self.meta.term,
            "membership": [
                {"id": member.id, "disk": member.disk.hex(), "voter": member.voter, "address": member.address}
                for member in self.meta.membership.members
            ],
            "complete": self.complete,
            "saved_ms": self.saved_ms,
        }


def header_of(fields: dict[str, object], path: str) -> Header:
    """Read back what `Header.as_dict` wrote. Raises StorageCorrupt, naming `path`."""
    try:
        members = tuple(
            Member(int(row["id"]), bytes.fromhex(row["disk"]), bool(row["voter"]), str(row["address"]))
            for row in fields["membership"]  # type: ignore[attr-defined]  # checked by the except below
        )
        meta = SnapshotMeta(int(fields["index"]), int(fields["term"]), Membership(members))  # type: ignore[call-overload]
        saved_ms = int(fields.get("saved_ms", 0))  # type: ignore[call-overload]
        return Header(bytes.fromhex(str(fields["cluster"])), meta, bool(fields["complete"]), saved_ms)
    except (KeyError, TypeError, ValueError) as error:
        raise StorageCorrupt(path, 0, f"its header is not a snapshot's ({error})") from error
