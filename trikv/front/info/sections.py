"""Which sections INFO has, and which records each is made of."""

from functools import partial

from trikv.front.connections import Connections
from trikv.front.counters import Counters
from trikv.front.figures import NodeFigures
from trikv.front.info import of_member, of_process
from trikv.front.info.text import Sections


def sections_of(figures: NodeFigures, counts: Counters, connections: Connections) -> Sections:
    """All sections of a node by name, whether it is a member or not. A part is asked only if shown."""
    member, host = figures.member, figures.host
    sections: Sections = {
        "server": partial(of_process.server, figures),
        "clients": lambda: of_process.clients(
            connections.statistics(), figures.outflows(), connections.settings.maxclients
        ),
        "stats": lambda: of_process.stats(host(), counts, member),
        "cpu": lambda: of_process.cpu(host()),
        "modules": list,
        "commandstats": partial(of_process.commandstats, counts),
        "errorstats": partial(of_process.errorstats, counts),
        "latencystats": list,
        "cluster": lambda: [("cluster_enabled", 0)],
    }
    if member is None:
        return {**sections, **_of_blank(figures.node_id)}
    return {
        **sections,
        "memory": lambda: of_member.memory(member, host(), counts, connections.statistics()),
        "persistence": partial(of_member.persistence, member, counts),
        "replication": partial(of_member.replication, member),
        "raft": partial(of_member.raft_section, figures.node_id, member),
        "keyspace": partial(of_member.keyspace, member),
    }


def _of_blank(node_id: int) -> Sections:
    """The sections of a node that has joined no cluster yet: it holds no key and follows no leader."""
    return {
        "memory": lambda: [("used_memory", 0), ("used_memory_peak", 0), ("maxmemory", 0)],
        "persistence": lambda: [
            ("loading", 0),
            ("rdb_bgsave_in_progress", 0),
            ("aof_rewrite_in_progress", 0),
        ],
        "replication": lambda: [("role", "slave"), ("master_link_status", "down"), ("connected_slaves", 0)],
        "raft": lambda: [("raft_role", "blank"), ("raft_node_id", node_id), ("raft_leader_id", -1)],
        "keyspace": list,
    }


def banner(figures: NodeFigures) -> str:
    """``node2, follower of node1``: the answer to a person's empty line."""
    name, told = f"node{figures.node_id}", figures.leadership()
    if told is None:
        return f"{name}, waiting for the other nodes"
    if told.leads:
        return f"{name}, leader"
    if told.leader is None:
        return f"{name}, looking for a leader"
    return f"{name}, follower of node{told.leader}"
