"""Lists: pushed and popped at both ends, and changed in between."""

from collections.abc import Sequence
from typing import Any

from trikv.sim.checkers.expected import Failure
from trikv.sim.checkers.meanings.keys import NO_SUCH_KEY
from trikv.sim.checkers.meanings.registry import means, numbered, two
from trikv.sim.checkers.state import Args, Refused, State


@means("LPUSH, RPUSH, LPUSHX, RPUSHX", writes=True)
def _push(state: State, args: Args) -> Any:
    elements = state.list_of(args[1])
    if args[0].endswith(b"X") and not elements:
        return 0
    for element in args[2:]:
        elements.insert(0 if args[0].startswith(b"L") else len(elements), element)
    state.keep(args[1], elements)
    return len(elements)


def _pop(state: State, key: bytes, side: bytes, count: int) -> list[bytes]:
    """Take elements out at one side; the first one out is the first of the answer."""
    elements = state.list_of(key)
    if side == b"RIGHT":
        elements.reverse()
    gone, left = elements[:count], elements[count:]
    if side == b"RIGHT":
        left.reverse()
    if gone:
        state.keep(key, left)
    return gone


@means("LPOP, RPOP", writes=True)
def _lpop(state: State, args: Args) -> Any:
    if not state.list_of(args[1]):
        return None
    side = b"LEFT" if args[0] == b"LPOP" else b"RIGHT"
    if len(args) > 2:
        return _pop(state, args[1], side, int(args[2]))
    return _pop(state, args[1], side, 1)[0]


@means("LMPOP", numbered, writes=True)
def _lmpop(state: State, args: Args) -> Any:
    keys = numbered(args)
    side, *options = args[2 + len(keys) :]
    for key in keys:
        if state.list_of(key):
            return [key, _pop(state, key, side, int(options[1]) if options else 1)]
    return None


@means("LMOVE", two, writes=True, repeats=True)
def _lmove(state: State, args: Args) -> Any:
    if not state.list_of(args[1]):
        return None
    elements, others = state.list_of(args[1]), state.list_of(args[2])
    element = elements.pop(0 if args[3] == b"LEFT" else -1)
    if args[1] == args[2]:
        others = elements
    else:
        state.keep(args[1], elements)
    state.keep(args[2], [element, *others] if args[4] == b"LEFT" else [*others, element])
    return element


@means("RPOPLPUSH", two, writes=True, repeats=True)
def _rpoplpush(state: State, args: Args) -> Any:
    return _lmove(state, (*args, b"RIGHT", b"LEFT"))


@means("LLEN")
def _llen(state: State, args: Args) -> Any:
    return len(state.list_of(args[1]))


def _place(text: bytes, count: int) -> int:
    """A place among `count` elements; a negative one counts from the end."""
    return int(text) + count if int(text) < 0 else int(text)


@means("LINDEX")
def _lindex(state: State, args: Args) -> Any:
    elements = state.list_of(args[1])
    place = _place(args[2], len(elements))
    return elements[place] if 0 <= place < len(elements) else None


@means("LSET", writes=True, repeats=True)
def _lset(state: State, args: Args) -> Any:
    elements = state.list_of(args[1])
    place = _place(args[2], len(elements))
    if not elements:
        raise Refused(NO_SUCH_KEY)
    if not 0 <= place < len(elements):
        raise Refused(Failure("ERR index out of range"))
    elements[place] = args[3]
    state.keep(args[1], elements)
    return b"OK"


def _between(elements: Sequence[bytes], start: bytes, stop: bytes) -> list[bytes]:
    first, last = (_place(text, len(elements)) for text in (start, stop))
    return [element for place, element in enumerate(elements) if first <= place <= last]


@means("LRANGE")
def _lrange(state: State, args: Args) -> Any:
    return _between(state.list_of(args[1]), args[2], args[3])


@means("LTRIM", writes=True, repeats=True)
def _ltrim(state: State, args: Args) -> Any:
    elements = state.list_of(args[1])
    left = _between(elements, args[2], args[3])
    if len(left) < len(elements):
        state.keep(args[1], left)
    return b"OK"


@means("LINSERT", writes=True)
def _linsert(state: State, args: Args) -> Any:
    elements = state.list_of(args[1])
    if args[3] not in elements:
        return -1 if elements else 0
    elements.insert(elements.index(args[3]) + (args[2] == b"AFTER"), args[4])
    state.keep(args[1], elements)
    return len(elements)


@means("LREM", writes=True)
def _lrem(state: State, args: Args) -> Any:
    elements, wanted = state.list_of(args[1]), int(args[2])
    places = [place for place, element in enumerate(elements) if element == args[3]]
    gone = places[wanted:] if wanted < 0 else places[: wanted or None]
    if gone:
        state.keep(args[1], [element for place, element in enumerate(elements) if place not in gone])
    return len(gone)


@means("LPOS")
def _lpos(state: State, args: Args) -> Any:
    elements = state.list_of(args[1])
    options = {word: int(number) for word, number in zip(args[3::2], args[4::2], strict=True)}
    rank, count = options.get(b"RANK", 1), options.get(b"COUNT")
    places = list(range(len(elements)))[:: 1 if rank > 0 else -1][: options.get(b"MAXLEN") or None]
    found = [place for place in places if elements[place] == args[2]][abs(rank) - 1 :]
    if count is None:
        return found[0] if found else None
    return found[: count or None]
