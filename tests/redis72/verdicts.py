"""Every command of Redis 7.2 that trikv does not answer: not there yet, or refused with its reason.

What stands in neither table is answered; ``test_verdicts.py`` asks trikv itself, so that each name is in
exactly one place. Subcommands are written with a bar. A container (CLIENT, XGROUP) stands in no table: it is
answered if one of its subcommands is, and refused if all of them are.
"""

import enum
from collections.abc import Collection, Iterator
from typing import Final

import attrs

NOT_YET: Final = {
    "Keys": "DUMP RESTORE",
    "Blocking": "BLMOVE BLMPOP BLPOP BRPOP BRPOPLPUSH BZMPOP BZPOPMAX BZPOPMIN",
    "Streams": """
        XACK XADD XAUTOCLAIM XCLAIM XDEL XGROUP|CREATE XGROUP|CREATECONSUMER XGROUP|DELCONSUMER XGROUP|DESTROY
        XGROUP|HELP XGROUP|SETID XINFO|CONSUMERS XINFO|GROUPS XINFO|HELP XINFO|STREAM XLEN XPENDING XRANGE
        XREAD XREADGROUP XREVRANGE XSETID XTRIM
    """,
    "Publish and subscribe": """
        PSUBSCRIBE PUBLISH PUBSUB|CHANNELS PUBSUB|HELP PUBSUB|NUMPAT PUBSUB|NUMSUB PUBSUB|SHARDCHANNELS
        PUBSUB|SHARDNUMSUB PUNSUBSCRIBE SPUBLISH SSUBSCRIBE SUBSCRIBE SUNSUBSCRIBE UNSUBSCRIBE
    """,
    "Scripts and functions": """
        EVAL EVALSHA EVALSHA_RO EVAL_RO FCALL FCALL_RO FUNCTION|DELETE FUNCTION|DUMP FUNCTION|FLUSH
        FUNCTION|HELP FUNCTION|KILL FUNCTION|LIST FUNCTION|LOAD FUNCTION|RESTORE FUNCTION|STATS SCRIPT|EXISTS
        SCRIPT|FLUSH SCRIPT|HELP SCRIPT|KILL SCRIPT|LOAD
    """,
    "Connections": """
        CLIENT|UNBLOCK
    """,
    "Users": """
        ACL|CAT ACL|DELUSER ACL|DRYRUN ACL|GENPASS ACL|GETUSER ACL|HELP ACL|LIST ACL|LOG ACL|SAVE ACL|SETUSER
        ACL|USERS ACL|WHOAMI
    """,
    "The server": """
        LATENCY|DOCTOR LATENCY|GRAPH LATENCY|HELP LATENCY|HISTOGRAM
        LATENCY|HISTORY LATENCY|LATEST LATENCY|RESET MONITOR SLOWLOG|GET SLOWLOG|HELP SLOWLOG|LEN
        SLOWLOG|RESET
    """,
    "Words of Redis Cluster, for its clients": """
        ASKING CLUSTER|COUNTKEYSINSLOT CLUSTER|GETKEYSINSLOT CLUSTER|HELP CLUSTER|INFO CLUSTER|KEYSLOT
        CLUSTER|MYID CLUSTER|MYSHARDID CLUSTER|NODES CLUSTER|REPLICAS CLUSTER|SHARDS CLUSTER|SLAVES
        CLUSTER|SLOTS
    """,
    "Words of Sentinel, for its clients": """
        SENTINEL|CKQUORUM SENTINEL|GET-MASTER-ADDR-BY-NAME SENTINEL|HELP SENTINEL|MASTER SENTINEL|MASTERS
        SENTINEL|MYID SENTINEL|REPLICAS SENTINEL|SENTINELS SENTINEL|SLAVES
    """,
}
"""By what a user would look for. A name leaves when it is answered: the test says so."""

UNKNOWN: Final = "ERR unknown command"


class Verdict(enum.Enum):
    """What a client of Redis may expect of a command; a container's is the first that a subcommand has."""

    ANSWERED = "answered"
    NOT_YET = "not there yet"
    REFUSED = "refused"


@attrs.frozen
class Refusal:
    """Commands that trikv will not carry out, and why."""

    names: str
    """Separated by blanks."""
    reason: str
    """One sentence for a user, without the names."""
    answer: str = UNKNOWN
    """How trikv's answer begins; `UNKNOWN` stands for an unknown subcommand, too."""

    def __iter__(self) -> Iterator[str]:
        """The names, one by one."""
        return iter(self.names.split())


REFUSED: Final = (
    Refusal(
        "REPLICAOF SLAVEOF",
        "Who follows whom is decided by election and the log alone: a node that copied some other server"
        " would drop acknowledged writes.",
    ),
    Refusal(
        "FAILOVER CLUSTER|FAILOVER CLUSTER|REPLICATE SENTINEL|FAILOVER",
        "A leader is elected by a majority that has its log: to name one from outside could lose writes or"
        " make two.",
    ),
    Refusal(
        "SYNC PSYNC REPLCONF",
        "They stream a Redis replication log to a replica; trikv's nodes copy their own log over their own"
        " port, and no outsider can hold a copy that is known to be complete.",
    ),
    Refusal(
        "MIGRATE RESTORE-ASKING",
        "A write that waits for another server can be neither repeated nor undone by the log: a node that"
        " carried it out again would move the key twice, or lose it.",
    ),
    Refusal(
        "CLUSTER|ADDSLOTS CLUSTER|ADDSLOTSRANGE CLUSTER|DELSLOTS CLUSTER|DELSLOTSRANGE CLUSTER|FLUSHSLOTS"
        " CLUSTER|SETSLOT",
        "Every node holds all keys, so no slot can be given, moved or taken away.",
    ),
    Refusal(
        "CLUSTER|FORGET CLUSTER|MEET CLUSTER|RESET",
        "A member comes and goes by an entry in the log: on one node's word the cluster could fall into two"
        " parts that each have a majority.",
    ),
    Refusal(
        "CLUSTER|BUMPEPOCH CLUSTER|SAVECONFIG CLUSTER|SET-CONFIG-EPOCH",
        "The term and the members are in the log and on disk before they count: an epoch set from outside"
        " would break what the election rests on.",
    ),
    Refusal(
        "CLUSTER|COUNT-FAILURE-REPORTS CLUSTER|LINKS",
        "Nodes do not gossip about each other; INFO tells which peers a node reaches.",
    ),
    Refusal(
        "MODULE|HELP MODULE|LIST MODULE|LOAD MODULE|LOADEX MODULE|UNLOAD",
        "Foreign machine code inside one node would change its state past the log, and differ from its"
        " peers.",
    ),
    Refusal(
        "DEBUG",
        "It reaches into one node's state, clock or life past the log: replicas would differ. Where"
        " `enable_debug_command` allows it there are `WORK`, a write that goes through the log, and `OBJECT`,"
        " `SLEEP`, `STRINGMATCH-LEN`, `SET-ACTIVE-EXPIRE` and `HELP`, which change nothing (any other"
        " subcommand is then told so).",
        "ERR DEBUG command not allowed.",
    ),
    Refusal(
        "SCRIPT|DEBUG",
        "A script that a person steps through would hold up the log for every client, or write what no"
        " replica has seen.",
    ),
    Refusal(
        "ACL|LOAD",
        "Users belong to the whole cluster: one node's file must not replace them.",
    ),
    Refusal(
        "CONFIG|REWRITE",
        "A node does not write its own settings: what holds for all nodes is in the log, and the rest stays"
        " with the operator.",
    ),
    Refusal(
        "BGREWRITEAOF",
        "There is no append-only file to rewrite: the log is cut behind each snapshot, and BGSAVE begins"
        " one.",
    ),
    Refusal(
        "LOLWUT",
        "It draws a picture that differs from each release of Redis to the next; INFO tells the version.",
    ),
    Refusal(
        "SENTINEL|CONFIG SENTINEL|DEBUG SENTINEL|FLUSHCONFIG SENTINEL|MONITOR SENTINEL|REMOVE"
        " SENTINEL|RESET SENTINEL|SET",
        "No sentinel watches over trikv, so there is nothing to set: the nodes elect their leader"
        " themselves.",
    ),
    Refusal(
        "SENTINEL|INFO-CACHE SENTINEL|IS-MASTER-DOWN-BY-ADDR SENTINEL|PENDING-SCRIPTS"
        " SENTINEL|SIMULATE-FAILURE",
        "Sentinels speak so among themselves and to their tests; a vote counts only if it comes from a"
        " member, over the peers' own port.",
    ),
)

OWN: Final = {
    "BACKUP": "",
    "CLEAN": "FLUSHALL",
    "COUNT": "DBSIZE",
    "DELETE": "DEL",
    "DIGEST": "",
    "EXIT": "QUIT",
    "HELP": "",
    "MEMSTATS": "",
}
"""Commands of trikv that no Redis has, and of which command of Redis they are another name."""

LATER: Final = frozenset(
    (
        *("HEXPIRE", "HEXPIREAT", "HEXPIRETIME", "HPERSIST", "HPEXPIRE", "HPEXPIREAT", "HPEXPIRETIME"),
        *("HPTTL", "HTTL", "HGETDEL", "HGETEX", "HSETEX"),
    )
)
"""Commands that came with a later Redis: 7.4, the last three with 8.0."""


def not_yet() -> dict[str, str]:
    """Every name that is not there yet, and its family."""
    return {name: family for family, names in NOT_YET.items() for name in names.split()}


def refused() -> dict[str, Refusal]:
    """Every name that is refused, and its row."""
    return {name: refusal for refusal in REFUSED for name in refusal}


def verdicts(names: Collection[str], known: Collection[str]) -> dict[str, Verdict]:
    """The verdict on each of `names`, if there is one; `known` are those that trikv's table has."""
    found = {name: Verdict.ANSWERED for name in names if name in known}
    found |= dict.fromkeys(not_yet(), Verdict.NOT_YET) | dict.fromkeys(refused(), Verdict.REFUSED)
    for container in {name.partition("|")[0] for name in names if "|" in name} - found.keys():
        parts = {verdict for name, verdict in found.items() if name.startswith(f"{container}|")}
        if parts:
            found[container] = next(verdict for verdict in Verdict if verdict in parts)
    return found
