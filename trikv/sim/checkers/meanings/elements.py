"""What commands on values of many elements have in common: what is drawn, and pages of a scan."""

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from trikv.sim.checkers.expected import Drawn, DrawnPairs, ElementPage, OneOf
from trikv.sim.checkers.state import Args, State
from trikv.sim.checkers.values import Collection


def drawn(elements: Mapping[bytes, Any], options: Sequence[bytes]) -> Any:
    """What SRANDMEMBER, HRANDFIELD or ZRANDMEMBER may answer with these words behind the key.

    Different elements if their count is positive, else as many as that, even if one comes several times.
    """
    if not options:
        return OneOf(tuple(elements)) if elements else None
    wanted = int(options[0])
    if not elements:
        return []
    count = min(wanted, len(elements)) if wanted > 0 else -wanted
    if len(options) > 1:
        return DrawnPairs(elements, count, wanted < 0)
    return Drawn(tuple(elements), count, wanted < 0)


def page(state: State, args: Args, elements: Mapping[bytes, bytes | None]) -> Any:
    """What SSCAN, HSCAN or ZSCAN may answer. One listpack comes at once."""
    value = state.get(args[1])
    options = dict(zip(args[3::2], args[4::2], strict=True))
    pattern = options.get(b"MATCH", b"*").decode()
    matching = {name: each for name, each in elements.items() if fnmatchcase(name.decode(), pattern)}
    is_small = isinstance(value, Collection) and not value.is_large
    return ElementPage(matching, is_whole=args[2] == b"0" and (is_small or value is None))
