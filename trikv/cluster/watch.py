"""What is worth telling the person who watches a cluster. Pure: facts and times in, lines out."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from trikv.notation import counted

_SIGNAL_NAMES: Final = {-9: "killed by SIGKILL", -15: "ended by SIGTERM", -11: "crashed with SIGSEGV"}


_WRITING: Final = re.compile(r"^.* writing +file=(\S+) keys=(\d+) of=(\d+) bytes=(\d+)$", re.MULTILINE)
"""A node's own words, about once a second, while it stops and writes (docs/OPERATION.md)."""
SILENT_S: Final = 5.0
"""Without an answer for so long a node counts as down that was started by hand, and is no process of ours."""
SHOW_S: Final = 5.0
"""How often the person is told how far a node is; a dump of gigabytes takes minutes."""


@attrs.frozen
class Status:
    """What a node says of itself in INFO."""

    role: str
    """leader, follower or candidate."""
    term: int
    leader_id: int
    """0: it knows of none."""
    pid: int

    @classmethod
    def parse(cls, info: str) -> "Status | None":
        """Read INFO's text; None if the fields are not there."""
        fields = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
        try:
            return cls(
                role=fields["raft_role"],
                term=int(fields["raft_current_term"]),
                leader_id=int(fields["raft_leader_id"] or 0),
                pid=int(fields["process_id"]),
            )
        except (KeyError, ValueError):
            return None


class Watch:
    """Follows the nodes' words and deaths; every method gives the lines that are news.

    Times are seconds on one clock that never goes back.
    """

    def __init__(self, restarts: Mapping[str, str], *, started_s: float) -> None:
        """`restarts`: for each node, by name, the command that starts it again."""
        self._restarts = dict(restarts)
        self._dead: set[str] = set()
        self.by_hand: dict[str, int] = {}
        """The pids of nodes that came back without us: nobody else stops them."""
        self._heard_s: dict[str, float] = {}
        """When those answered last."""
        self._leader: str | None = None
        self._term = 0
        self._leaderless_since_s: float | None = started_s

    @property
    def leader(self) -> str | None:
        """The name of the node that leads, None while none is known to."""
        return self._leader

    def saw(self, statuses: Mapping[str, Status], now_s: float) -> list[str]:
        """Take one round of answers; a node that did not answer is not in it."""
        lines = self._hear(statuses, now_s)
        leader = _leader_of(statuses)
        if leader is None:
            # One missed answer is no lost leader; a leader that answers as something else is.
            if self._leader is not None and self._leader in statuses:
                self._lost(now_s)
            return lines
        term = statuses[leader].term
        if (leader, term) == (self._leader, self._term) or term < self._term:
            return lines
        since_s = self._leaderless_since_s
        after = f", after {now_s - since_s:.1f} s" if since_s is not None else ""
        lines.append(f"{leader} leads, term {term}{after}")
        self._leader, self._term, self._leaderless_since_s = leader, term, None
        return lines

    def died(self, name: str, exit_code: int, now_s: float, last_words: str = "") -> list[str]:
        """Take the end of a node; `last_words`: the last line of its log."""
        if exit_code == 0:
            return self._down(name, f"{name} stopped", now_s)
        how = _SIGNAL_NAMES.get(exit_code, f"exit code {exit_code}")
        said = f"; it said: {last_words}" if last_words and exit_code > 0 else ""
        return self._down(name, f"{name} died ({how}){said}", now_s)

    def _hear(self, statuses: Mapping[str, Status], now_s: float) -> list[str]:
        """Notice nodes that were started by hand, and those of them that are gone again."""
        lines = []
        for name in sorted(self._dead & set(statuses)):
            self._dead.discard(name)
            self.by_hand[name] = statuses[name].pid
            lines.append(f"{name} is back, pid {statuses[name].pid}; it was started by hand: stop it there")
        self._heard_s |= dict.fromkeys(self.by_hand.keys() & set(statuses), now_s)
        for name in sorted(self.by_hand):
            if now_s - self._heard_s[name] >= SILENT_S:
                pid = self.by_hand.pop(name)
                lines += self._down(name, f"{name}, pid {pid}, does not answer any more", now_s)
        return lines

    def _down(self, name: str, what: str, now_s: float) -> list[str]:
        """`name` is down, as `what` says: what to do."""
        self._dead.add(name)
        if name == self._leader:
            self._lost(now_s)
        lines = [what, f"  start it again: {self._restarts[name]}"]
        if self._dead == set(self._restarts):
            lines.append(
                "all nodes are down: start them as shown, or end this by Ctrl-C and start the cluster again; "
                "what was acknowledged is on their disks"
            )
        return lines

    def _lost(self, now_s: float) -> None:
        self._leader = None
        self._leaderless_since_s = now_s


class Departure:
    """A node that was asked to stop: what is news of it, and how long it may still take.

    It may take `patience_s` from its last sign of progress, which is a new line of its log that says how far
    its dump is. Times are seconds on one clock that never goes back.
    """

    def __init__(self, name: str, log: str, patience_s: float, now_s: float) -> None:
        """`log`: the end of its log as it is now; what it says of an earlier stop is no news."""
        self._name = name
        self._patience_s = patience_s
        known = _last_match(log)
        self._last = "" if known is None else known[0]
        self._due_s = now_s + patience_s
        self._show_s = now_s
        self._in_haste = False

    def saw(self, log: str, now_s: float) -> list[str]:
        """Take the end of its log; the lines that are news."""
        match = _last_match(log)
        if match is None or match[0] == self._last:
            return []
        self._last = match[0]
        if not self._in_haste:
            self._due_s = now_s + self._patience_s
        if now_s < self._show_s:
            return []
        self._show_s = now_s + SHOW_S
        file, keys, of, size = match.groups()
        percent = 100 * int(keys) // max(1, int(of))
        whole = counted(int(of), "key", form=",")
        return [f"{self._name} is writing {file}: {percent} % of {whole}, {int(size) / 1e6:,.0f} MB"]

    def hurry(self, patience_s: float, now_s: float) -> None:
        """It was asked to end at once: progress counts no more."""
        self._in_haste = True
        self._due_s = now_s + patience_s

    def is_overdue(self, now_s: float) -> bool:
        """True if it has stood still for too long."""
        return now_s >= self._due_s


def _last_match(log: str) -> re.Match[str] | None:
    matches = list(_WRITING.finditer(log))
    return matches[-1] if matches else None


def _leader_of(statuses: Mapping[str, Status]) -> str | None:
    """The leader of the highest term among the answers."""
    leaders = [(status.term, name) for name, status in statuses.items() if status.role == "leader"]
    return max(leaders)[1] if leaders else None


def table(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Align columns with two spaces between."""
    listed = list(rows)
    widths = [max(map(len, column)) for column in zip(*listed, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in listed
    ]
