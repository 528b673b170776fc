"""A whole SCAN brings each key that stays exactly once; an SSCAN, HSCAN or ZSCAN each element at least once.

A key that is there from the first page to the last stays. Of an element it is asked at each page.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from trikv.notation import counted
from trikv.sim.checkers.model import Model
from trikv.sim.checkers.values import Collection
from trikv.sim.checkers.worlds import Worlds
from trikv.sim.history import Operation

Births = Mapping[bytes, int]
"""For each key, or element, a number of its life: it has another one if it was gone in between.

An element has that of its key.
"""


class Scans:
    """Whole scans: the pages of each, from cursor 0 to cursor 0, and what was there at those that count."""

    def __init__(self, scans: Iterable[list[Operation]]) -> None:
        self._scans = [scan for scan in scans if scan]
        self._births: dict[int, Births] = {id(page): {} for scan in self._scans for page in _counting(scan)}

    def wants(self, page: Operation) -> bool:
        """Whether it matters what is there when `page` is answered."""
        return id(page) in self._births

    def saw(self, page: Operation, worlds: Worlds) -> None:
        """Note what was there, in any case, when `page` was answered."""
        name, key, *_ = page.commands[0]

        def look(model: Model) -> dict[bytes, int]:
            births = model.births(page.database)
            return births if name == b"SCAN" else _elements(model, page.database, key, births)

        self._births[id(page)] = worlds.agreed(look)

    def problem(self) -> str | None:
        """What is wrong with a scan, or None."""
        for scan in self._scans:
            first, *others = [self._births[id(page)] for page in _counting(scan)]
            found = _found(scan)
            most = 1 if _is_of_keys(scan) else len(scan)
            for name, born in sorted(first.items()):
                if all(one.get(name) == born for one in others) and not 1 <= found[name] <= most:
                    return f"{name!r} was there throughout and came {counted(found[name], 'time')}: {scan}"
        return None


def _is_of_keys(scan: list[Operation]) -> bool:
    return scan[0].commands[0][0] == b"SCAN"


def _counting(scan: list[Operation]) -> list[Operation]:
    return [scan[0], scan[-1]] if _is_of_keys(scan) else scan


def _found(scan: list[Operation]) -> Counter[bytes]:
    step = 1 if scan[0].commands[0][0] in {b"SCAN", b"SSCAN"} else 2  # elements with what belongs to them
    return Counter(name for page in scan for name in page.reply[1][::step])


def _elements(model: Model, database: int, key: bytes, births: Births) -> dict[bytes, int]:
    item = model.databases.get(database, {}).get(key)
    if item is None or not isinstance(item.value, Collection):
        return {}
    elements = item.value.elements
    return {each if isinstance(each, bytes) else each[0]: births[key] for each in elements}
