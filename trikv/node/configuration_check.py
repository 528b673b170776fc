"""Whether the configuration fits the data directory. Pure; checked before anything is served.

A directory names its owner: `identity.json` the node, the log the members of its cluster. A node that is
started with other peers than those members can never find a majority of them. It would wait for a leader for
ever without an explanation, and at its stop it would write a dump with less than what is there.
"""

from collections.abc import Iterable, Mapping

from trikv.raft.membership import decode_membership
from trikv.raft.types import Entry, EntryKind, Membership, NodeId


def latest_membership(base: Membership, entries: Iterable[Entry]) -> Membership:
    """The members in force at the end of a log that begins with `base`; none while a disk is adopted."""
    latest = base
    for entry in entries:
        if entry.kind is EntryKind.MEMBERSHIP:
            latest = decode_membership(entry.payload)
    return latest


def contradiction(node_id: NodeId, peers: Mapping[NodeId, str], membership: Membership) -> str | None:
    """What is wrong and what to do, in one line, or None. `peers` includes this node, or is empty.

    Peers that are no members are no contradiction: a lost disk is removed from the membership before its
    successor is adopted, and a single node grows into a cluster in the same way.
    """
    members = {member.id: member.address for member in membership.members}
    if not peers:
        if members.keys() == {node_id}:
            return None
        if not members:
            return (
                "peers: none are given, and this data directory belongs to a cluster; list all of its nodes "
                "as before, or give another --data-directory for a node of its own"
            )
        known = ",".join(f"{node}={address or 'HOST:PEERPORT'}" for node, address in members.items())
        return (
            f"peers: none are given, and this data directory belongs to a cluster of nodes {_list(members)}; "
            f"start it as before (--peers {known}, or the --config of this node), or give another "
            "--data-directory for a node of its own"
        )
    if members.keys() <= peers.keys():
        return None
    return (
        f"peers: names nodes {_list(peers)}, and this data directory belongs to a cluster of nodes "
        f"{_list(members)}; list all of those, or give another --data-directory"
    )


def _list(nodes: Iterable[NodeId]) -> str:
    return ", ".join(map(str, sorted(nodes)))
