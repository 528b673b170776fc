"""How a load went, as the node that carries it out tells in its log."""

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
"""The last word of `trikv.node.state.loading`, whichever it is."""
_PIECE_BYTES: Final = 1 << 20


class LoadReport:
    """Reads on in a log, from where it ended before the node was started."""

    def __init__(self, name: str, log: Path) -> None:
        """`name`: the node's."""
        self._name = name
        self._log = log
        self._at = log.stat().st_size if log.is_file() else 0
        self.told = False
        """True once it is known how the load went."""

    def news(self) -> list[str]:
        """Look again; the line that says how it went, the first time that it is there."""
        match = None if self.told else _OUTCOME.search(self._whole_lines())
        if match is None:
            return []
        self.told = True
        outcome = match["failure"] or f"loaded {counted(int(match['keys']), 'key', form=',')}"
        return [f"{self._name}: {outcome}"]

    def _whole_lines(self) -> str:
        """What has been written since the last look, up to the last end of a line."""
        try:
            with self._log.open("rb") as log:
                if os.fstat(log.fileno()).st_size < self._at:
                    self._at = 0  # it was long, and moved aside
                log.seek(self._at)
                lines, newline, _ = log.read(_PIECE_BYTES).rpartition(b"\n")
        except OSError:
            return ""
        self._at += len(lines) + len(newline)
        return lines.decode(errors="replace")
