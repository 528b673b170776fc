"""`trikv status`: the figures of every node, as one table."""

import sys
import time
from collections import Counter
from typing import Annotated, Any, Final

import attrs
import msgspec
from cyclopts import Parameter

from trikv.bench.options import OptionError, find_password, parse_nodes
from trikv.client.blocking import BlockingClient
from trikv.client.endpoint import Address
from trikv.client.errors import Refused
from trikv.client.info import parse_info
from trikv.client.replies import ErrorReply
from trikv.passwords import HOW_TO_GIVE, WANTED

_REPLY_S_MAX: Final = 1.0
_NOBODY: Final = frozenset({"", "0", "-1", "none", "None", "unknown"})
"""Values of INFO which mean that no leader is known."""
_HEADINGS: Final = (
    "node",
    "address",
    "role",
    "term",
    "last",
    "commit",
    "applied",
    "lag",
    "keys",
    "memory",
    "uptime",
)


@attrs.frozen
class NodeStatus:
    """One node's line. A field is None if the node did not tell it, or did not answer at all."""

    address: str
    role: str
    """leader, follower, candidate, learner; ``down``; for a server without Raft, its Redis role."""
    node: str | None = None
    leader: str | None = None
    term: int | None = None
    last_index: int | None = None
    commit_index: int | None = None
    applied_index: int | None = None
    lag: int | None = None
    """Entries that the cluster has committed and this node has not applied."""
    keys: int | None = None
    memory_bytes: int | None = None
    memory_bytes_max: int | None = None
    uptime_s: int | None = None
    problem: str | None = None
    """Why there are no figures to show."""


def status(
    nodes: str | None = None,
    *,
    password: str | None = None,
    password_file: str | None = None,
    watch: float | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Show role, term, log indexes, keys, memory and uptime of every node.

    Exit code: 0 a majority of the nodes asked names the same leader, 1 not, 2 bad options.

    Parameters
    ----------
    nodes
        host:port or the path of a Unix socket, with commas between; without it ports 8080 to 8082 here.
    password
        What AUTH is sent with; ps shows it. Otherwise TRIKV_REQUIREPASS is, if set.
    password_file
        A file whose one line is the password.
    watch
        Ask again every so many seconds until Ctrl-C.
    json
        Show JSON instead, one document a round.
    """
    try:
        addresses = _checked(nodes, watch)
        secret = find_password(password, password_file)
    except OptionError as error:
        sys.stderr.write(f"trikv status: {error}\n")
        return 2
    while True:
        rows = ask(addresses, secret)
        leader = agreed_leader(rows)
        if json:
            document = {"leader": leader, "nodes": [attrs.asdict(row) for row in rows]}
            text = msgspec.json.encode(document).decode()
        else:
            text = as_table(rows, leader)
        if watch is not None and not json and sys.stdout.isatty():
            text = f"\x1b[H\x1b[2J{text}"
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
        code = int(leader is None)
        if watch is None:
            return code
        try:
            time.sleep(watch)
        except KeyboardInterrupt:
            return code


def _checked(nodes: str | None, watch: float | None) -> tuple[Address, ...]:
    addresses = parse_nodes(nodes)
    if not addresses:
        raise OptionError("--nodes names no node; write host:port,host:port")
    if watch is not None and not 0.1 <= watch <= 86_400:
        raise OptionError(f"--watch must be from 0.1 to 86,400 seconds, not {watch}")
    return addresses


def ask(addresses: tuple[Address, ...], password: bytes | None = None) -> list[NodeStatus]:
    """Ask every node for INFO; a node that does not answer within a second is down."""
    return with_lag([_ask_one(address, password) for address in addresses])


def _ask_one(address: Address, password: bytes | None) -> NodeStatus:
    try:
        with BlockingClient(address, timeout_s=_REPLY_S_MAX, password=password) as client:
            reply = client.call("INFO")
    except Refused as error:
        return NodeStatus(str(address), "refused", problem=str(error))
    except OSError as error:
        return NodeStatus(str(address), "down", problem=error.strerror or str(error))
    if isinstance(reply, bytes):
        return from_info(str(address), parse_info(reply))
    if isinstance(reply, ErrorReply):
        return NodeStatus(str(address), "refused", problem=str(reply))
    return NodeStatus(str(address), "down", problem="INFO was not answered with text")


def from_info(address: str, info: dict[str, str]) -> NodeStatus:
    """Make a node's line from its INFO."""
    leader = info.get("raft_leader_id", "")
    return NodeStatus(
        address=address,
        role=info.get("raft_role") or info.get("role") or "unknown",
        node=info.get("raft_node_id"),
        leader=None if leader in _NOBODY else leader,
        term=_number(info.get("raft_current_term")),
        last_index=_number(info.get("raft_last_log_index")),
        commit_index=_number(info.get("raft_commit_index")),
        applied_index=_number(info.get("raft_last_applied_index")),
        keys=_keys(info),
        memory_bytes=_number(info.get("used_memory")),
        memory_bytes_max=_number(info.get("maxmemory")),
        uptime_s=_number(info.get("uptime_in_seconds")),
    )


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _keys(info: dict[str, str]) -> int:
    """Add up the keys of all databases, from lines like ``db0:keys=3,expires=0,avg_ttl=0``."""
    total = 0
    for name, value in info.items():
        if name.startswith("db") and name[2:].isdigit():
            total += _number(dict(part.partition("=")[::2] for part in value.split(",")).get("keys")) or 0
    return total


def with_lag(rows: list[NodeStatus]) -> list[NodeStatus]:
    """Set each node's lag behind the highest commit index that any node reports.

    The nodes are not asked at the same moment, so under load a healthy one may show a few entries.
    """
    commit = max((row.commit_index for row in rows if row.commit_index is not None), default=None)
    return [
        row
        if commit is None or row.applied_index is None
        else attrs.evolve(row, lag=max(0, commit - row.applied_index))
        for row in rows
    ]


def agreed_leader(rows: list[NodeStatus]) -> str | None:
    """Name the leader that a majority of the nodes asked report in one and the same term."""
    votes = Counter((row.leader, row.term) for row in rows if row.leader is not None)
    if not votes:
        return None
    (leader, _), count = votes.most_common(1)[0]
    return leader if 2 * count > len(rows) else None


def as_table(rows: list[NodeStatus], leader: str | None) -> str:
    """Draw the table, and below it one line on the cluster and one for each node with a problem."""
    cells = [_HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEADINGS))]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
    lines.append("")
    lines.append(f"leader: {leader}" if leader is not None else _without_leader(rows))
    lines += [f"{row.address}: {row.problem}" for row in rows if row.problem]
    return "\n".join(lines)


def _without_leader(rows: list[NodeStatus]) -> str:
    """Advice if no majority names a leader: the password first, because nodes tell nothing without it."""
    problems = [row.problem or "" for row in rows]
    if WANTED in problems:
        return f"these nodes require a password: {HOW_TO_GIVE}"
    if any(problem.startswith("WRONGPASS") for problem in problems):
        return "these nodes require another password than the one given"
    return "no leader is known to a majority of these nodes; name others with --nodes host:port,..."


def _cells(row: NodeStatus) -> tuple[str, ...]:
    def shown(value: Any) -> str:
        return "-" if value is None else str(value)

    return (
        *map(shown, (row.node, row.address, row.role, row.term)),
        *map(shown, (row.last_index, row.commit_index, row.applied_index, row.lag, row.keys)),
        _memory(row),
        "-" if row.uptime_s is None else duration(row.uptime_s),
    )


def _memory(row: NodeStatus) -> str:
    if row.memory_bytes is None:
        return "-"
    cap = row.memory_bytes_max
    return size(row.memory_bytes) + (f" of {size(cap)}" if cap else "")


def size(amount_bytes: int) -> str:
    """Write bytes in Redis' units (1024): ``1.5mb``."""
    value = float(amount_bytes)
    for unit in ("b", "kb", "mb", "gb"):
        if value < 1024:
            return f"{value:.1f}".removesuffix(".0") + unit
        value /= 1024
    return f"{value:.1f}".removesuffix(".0") + "tb"


def duration(seconds: int) -> str:
    """Write seconds with their two highest units: ``3h02m``."""
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days}d{hour:02}h"
    if hours:
        return f"{hours}h{minute:02}m"
    return f"{minutes}m{second:02}s" if minutes else f"{second}s"
