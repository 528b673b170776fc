"""What to tell the person who watches a cluster. Pure: facts and times in, lines out."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from trikv.notation import counted

_SIGNAL_NAMES: Final = {-9: "killed by SIGKILL", -15: "ended by SIGTERM", -11: "crashed with SIGSEGV"}


_WRITING: Final = re.compile(r"^.* writing +file=(\S+) keys=(\d+) of=(\d+) bytes=(\d+)$", re.MULTILINE)
"""The line that a node logs about once a second while it stops and writes (docs/OPERATION.md)."""
SILENT_S: Final = 5.0
"""A node that was started by hand, and so is no process of ours, counts as down after this silence."""
SHOW_S: Final = 5.0
"""How often the person is told how far a node is. A dump of gigabytes takes minutes."""


@attrs.frozen
class Status:
    """The fields of a node's INFO that the supervisor needs."""

    role: str
    """``leader``, ``follower`` or ``candidate``."""
    term: int
    leader_id: int
    """The node that it takes for the leader; 0 if it knows of none."""
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
    """Follows what nodes say and how they end; every method returns the lines to print.

    Times are seconds on one clock that never goes back.
    """

    def __init__(self, restarts: Mapping[str, str], *, started_s: float) -> None:
        """`restarts` has, by the node's name, the command that starts it again."""
        self._restarts = dict(restarts)
        self._dead: set[str] = set()
        self.by_hand: dict[str, int] = {}
        """The pids of nodes that a person has started again: the supervisor does not stop them."""
        self._heard_s: dict[str, float] = {}
        """When each of those answered last."""
        self._leader: str | None = None
        self._term = 0
        self._leaderless_since_s: float | None = started_s

    @property
    def leader(self) -> str | None:
        """The name of the node that leads; None while none is known to lead."""
        return self._leader

    def saw(self, statuses: Mapping[str, Status], now_s: float) -> list[str]:
        """Take one round of answers, without the nodes that did not answer; the lines to print."""
        lines = self._hear(statuses, now_s)
        leader = _leader_of(statuses)
        if leader is None:
            # A leader that misses one answer is not lost. One that answers in another role is.
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
        """Take the end of a node, with the last line of its log; the lines to print."""
        if exit_code == 0:
            return self._down(name, f"{name} stopped", now_s)
        how = _SIGNAL_NAMES.get(exit_code, f"exit code {exit_code}")
        said = f"; it said: {last_words}" if last_words and exit_code > 0 else ""
        return self._down(name, f"{name} died ({how}){said}", now_s)

    def _hear(self, statuses: Mapping[str, Status], now_s: float) -> list[str]:
        """Notice nodes that were started by hand, and those of them that are silent again."""
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
        """Note that `name` is down; the lines that say so (`what`), and what to do."""
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
    """A node that was asked to stop: what to print of it, and how long it may still take.

    It may take `patience_s` from its last sign of progress: a new line in its log that says how far its dump
    is. Times are seconds on one clock that never goes back.
    """

    def __init__(self, name: str, log: str, patience_s: float, now_s: float) -> None:
        """`log` is the present end of its log: lines of an earlier stop must not count as progress."""
        self._name = name
        self._patience_s = patience_s
        known = _last_match(log)
        self._last = "" if known is None else known[0]
        self._due_s = now_s + patience_s
        self._show_s = now_s
        self._in_haste = False

    def saw(self, log: str, now_s: float) -> list[str]:
        """Take the present end of its log; the lines to print."""
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
        """It was asked to end at once: it has `patience_s` from now, whatever progress it makes."""
        self._in_haste = True
        self._due_s = now_s + patience_s

    def is_overdue(self, now_s: float) -> bool:
        """Whether its time is over without progress."""
        return now_s >= self._due_s


def _last_match(log: str) -> re.Match[str] | None:
    matches = list(_WRITING.finditer(log))
    return matches[-1] if matches else None


def _leader_of(statuses: Mapping[str, Status]) -> str | None:
    """The leader of the highest term among the answers: an old leader may not know yet that it is none."""
    leaders = [(status.term, name) for name, status in statuses.items() if status.role == "leader"]
    return max(leaders)[1] if leaders else None


def table(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Rows as lines, with aligned columns and two spaces between them."""
    listed = list(rows)
    widths = [max(map(len, column)) for column in zip(*listed, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in listed
    ]
