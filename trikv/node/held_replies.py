"""How much memory the replies of long answers take together; a string that several share counts once.

Thirty clients that read the same 20 MB hold these 20 MB, not 600.
"""

from collections import Counter
from collections.abc import Collection
from itertools import chain

from trikv.front.outflow import Outflow


def held_bytes(outflows: Collection[Outflow]) -> int:
    """The memory of what is still to be made, together. With 10,000 clients it takes some milliseconds."""
    strings: dict[int, int] = {}
    for outflow in outflows:
        strings.update(outflow.shared.lengths)
    return sum(strings.values()) + sum(map(_alone_bytes, outflows))


def to_give_up(outflows: Collection[Outflow], bytes_max: int) -> list[tuple[Outflow, int]]:
    """Those to give up so that the others hold at most `bytes_max`, each with what all hold before that.

    Who would free the most comes first, for what others hold as well is not freed. The slowest would be the
    wrong one: it may have only just begun to read.
    """
    total_bytes = held_bytes(outflows)
    if total_bytes <= bytes_max:
        return []
    found = []
    holders = Counter(chain.from_iterable(outflow.shared.lengths for outflow in outflows))
    alone = {outflow: _freed_bytes(outflow, holders) for outflow in outflows if outflow.held_bytes()}
    for outflow in sorted(alone, key=lambda one: (alone[one], one.held_bytes()), reverse=True):
        if total_bytes <= bytes_max:
            break
        found.append((outflow, total_bytes))
        total_bytes -= _freed_bytes(outflow, holders)
        holders.subtract(outflow.shared.lengths.keys())
    return found


def _alone_bytes(outflow: Outflow) -> int:
    return outflow.held_bytes() - outflow.shared.bytes


def _freed_bytes(outflow: Outflow, holders: Counter[int]) -> int:
    lengths = outflow.shared.lengths.items()
    return _alone_bytes(outflow) + sum(length for identity, length in lengths if holders[identity] == 1)
