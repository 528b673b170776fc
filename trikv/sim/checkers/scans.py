"""A whole SCAN brings each key that was there from its first page to its last exactly once."""

from collections import Counter
from collections.abc import Iterable, Mapping

from trikv.notation import counted
from trikv.sim.history import Operation

Births = Mapping[bytes, int]
"""For each key a number of its life: it has another one if it was gone in between."""


class Scans:
    """Whole scans: the pages of each, from cursor 0 to cursor 0, and the keys at its first and last page."""

    def __init__(self, scans: Iterable[list[Operation]]) -> None:
        self._scans = [scan for scan in scans if scan]
        self._births: dict[int, Births] = {
            id(page): {} for scan in self._scans for page in (scan[0], scan[-1])
        }

    def wants(self, page: Operation) -> bool:
        """Whether `page` is the first or the last of a scan."""
        return id(page) in self._births

    def saw(self, page: Operation, births: Births) -> None:
        """Note the keys that were there when `page` was answered."""
        self._births[id(page)] = births

    def problem(self) -> str | None:
        """What is wrong with a scan, or None."""
        for scan in self._scans:
            first, last = self._births[id(scan[0])], self._births[id(scan[-1])]
            found = Counter(key for page in scan for key in page.reply[1])
            for key, born in sorted(first.items()):
                if last.get(key) == born and found[key] != 1:
                    return f"{key!r} was there throughout and came {counted(found[key], 'time')}: {scan}"
        return None
