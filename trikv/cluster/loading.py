"""How a load went, read from the log of the node that carries it out."""

import os
import re
from pathlib import Path
from typing import Final

from trikv.notation import counted

_OUTCOME: Final = re.compile(
    r"^\S+Z \w+ +(?:loaded keys=(?P<keys>\d+)"
    r"|(?P<failure>(?:nothing is loaded|loading stopped|loading was cut short)\b.*))$",
    re.MULTILINE,
)
"""The last lines of `trikv.node.state.loading`: one of them ends every load."""
_PIECE_BYTES: Final = 1 << 20


class LoadReport:
    """Reads a node's log, from the place where it ended before the node was started."""

    def __init__(self, name: str, log: Path) -> None:
        """`name` is the node's, for the person's line."""
        self._name = name
        self._log = log
        self._at = log.stat().st_size if log.is_file() else 0
        self.told = False
        """Whether the outcome of the load was told."""

    def news(self) -> list[str]:
        """Read on in the log; the line that tells how the load went, once, or nothing."""
        match = None if self.told else _OUTCOME.search(self._whole_lines())
        if match is None:
            return []
        self.told = True
        outcome = match["failure"] or f"loaded {counted(int(match['keys']), 'key', form=',')}"
        return [f"{self._name}: {outcome}"]

    def _whole_lines(self) -> str:
        """The whole lines that were written since the last call, at most a MiB of them."""
        try:
            with self._log.open("rb") as log:
                if os.fstat(log.fileno()).st_size < self._at:
                    self._at = 0  # the log is shorter than before: `bound_log` has moved its lines aside
                log.seek(self._at)
                lines, newline, _ = log.read(_PIECE_BYTES).rpartition(b"\n")
        except OSError:
            return ""
        self._at += len(lines) + len(newline)
        return lines.decode(errors="replace")
