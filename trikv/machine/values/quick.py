"""Many elements of a collection at once: in C (`_parts.c` says why), or in Python where that is not there.

The part in C is not used if it is of another version than this, or if a try shows that it does something else
here. Either way the same comes of it, and nobody needs to ask which it is.
"""

from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from math import isqrt
from types import ModuleType
from typing import Any, Final, TypeAlias

from trikv.machine.draws import Draws

VERSION: Final = 5
"""Version of `_parts.c`, which has the same number; a test compares both with the source."""
HASH_BYTES: Final = 4
DEVIATIONS: Final = 9
"""No part has more elements than its mean and so many standard deviations: in 10**18 parts there is one."""
DRAWS_MAX: Final = 10_000
"""Of parts that have as many elements as were counted, one in four draws finds one, or more do."""

Places: TypeAlias = Callable[[list[bytes], bytes, int, int], list[int]]
Get: TypeAlias = Callable[[list[bytes], Any, list[Any], bytes, int, int], list[Any]]
Untrack: TypeAlias = Callable[[list[bytes]], list[bytes]]
Nth: TypeAlias = Callable[[dict[bytes, Any], int], bytes]
Put: TypeAlias = Callable[
    [
        list[bytes],
        list[Any] | None,
        int,
        list[Any],
        list[int],
        list[bytes | None],
        int,
        bytes,
        int,
        int,
        int,
    ],
    tuple[list[bool], int],
]
Remove: TypeAlias = Callable[
    [list[bytes], int, list[Any], list[int], list[bytes | None], int, bytes, int, int, int], tuple[int, int]
]
Pop: TypeAlias = Callable[
    [list[bytes], list[Any], list[int], list[bytes | None], int, int, int, int], tuple[list[bytes], int]
]


@lru_cache(maxsize=64)
def _keyed(secret: bytes) -> blake2b:
    """The hash before any member. There is one secret in a process, but in tests."""
    return blake2b(digest_size=HASH_BYTES, key=secret)


def hashed(member: bytes, secret: bytes) -> int:
    """What decides where `member` is: 32 bits."""
    keyed = _keyed(secret).copy()  # which takes half the time of another one with that key
    keyed.update(member)
    return int.from_bytes(keyed.digest(), "little")


def place_at(hashed: int, level: int, split: int) -> int:
    """The part of a member with that hash, in a value that was split so far."""
    place = hashed & (1 << level) - 1
    return hashed & (2 << level) - 1 if place < split else place


def _place(member: bytes, secret: bytes, level: int, split: int) -> int:
    return place_at(hashed(member, secret), level, split) if level + split else 0


def _places(members: list[bytes], secret: bytes, level: int, split: int) -> list[int]:
    """The places of the parts that `members` belong to."""
    return [_place(member, secret, level, split) for member in members]


def _get(
    members: list[bytes], default: Any, parts: list[Any], secret: bytes, level: int, split: int
) -> list[Any]:
    """What belongs to each of `members`; `default` for those that are in no part."""
    places = _places(members, secret, level, split)
    return [parts[place].get(member, default) for place, member in zip(places, members, strict=True)]


def _nth(part: dict[bytes, Any], at: int) -> bytes:
    """The key at that place of a part, from 0. Raises IndexError if it has fewer."""
    if not 0 <= at < len(part):
        raise IndexError("the part has fewer elements")
    if 2 * at < len(part):  # from the nearer end
        return next(islice(part, at, None))
    return next(islice(reversed(part), len(part) - 1 - at, None))


def _put(
    members: list[bytes],
    belongings: list[Any] | None,
    first: int,
    parts: list[Any],
    owners: list[int],
    hashes: list[bytes | None],
    own_from: int,
    secret: bytes,
    level: int,
    split: int,
    most: int,
) -> tuple[list[bool], int]:
    """Put as many elements into their parts as can be, from the one at `first` on.

    `belongings`: None if nothing belongs to an element. Of the value come `parts`, with their `owners` and
    `hashes`, of which those of parts that change become None, `own_from`, the shape, and how many may be new
    at `most`. It stops at a part of an older owner than `own_from`, and at what is no bytes and no float.

    Returns for each that was put whether it is new, and by how many bytes names and belongings have grown.
    """
    fresh: list[bool] = []
    grown = 0
    for at in range(first, len(members)):
        member, belonging = members[at], None if belongings is None else belongings[at]
        place = _place(member, secret, level, split)  # each when its turn comes: it may stop at any of them
        part = parts[place]
        old, is_new = part.get(member), member not in part
        sizes = _size(belonging), _size(old)
        if owners[place] < own_from or None in sizes or (is_new and not most):
            break
        part[member] = belonging
        hashes[place] = None
        most -= is_new
        grown += sizes[0] - sizes[1] + (len(member) if is_new else 0)  # type: ignore[operator] # not None
        fresh.append(is_new)
    return fresh, grown


def _remove(
    members: list[bytes],
    first: int,
    parts: list[Any],
    owners: list[int],
    hashes: list[bytes | None],
    own_from: int,
    secret: bytes,
    level: int,
    split: int,
    most: int,
) -> tuple[int, int]:
    """Take as many elements out of their parts as can be, from the one at `first` on, at most so many.

    The arguments are those of `put`; it stops where `put` stops, and at a member that is not there.

    Returns how many were taken out, and by how many bytes names and belongings have grown: no more than 0.
    """
    grown = done = 0
    for at in range(first, len(members)):
        member = members[at]
        place = _place(member, secret, level, split)
        part = parts[place]
        size = _size(part.get(member))
        if done == most or owners[place] < own_from or member not in part or size is None:
            break
        del part[member]
        hashes[place] = None
        grown -= size + len(member)
        done += 1
    return done, grown


def row_bound(count: int, level: int, parts: int) -> int:
    """No part of a value has more elements than this: of `count` in so many parts."""
    if parts == 1:
        return count
    mean = (count >> level) + 1  # of a part whose turn to be split has not come
    return mean + DEVIATIONS * (isqrt(mean) + 1)


def drawn_place(draws: Draws, parts: list[Any], row: int) -> tuple[int, bytes]:
    """The part and the name of some element, each as likely as any other; there must be one.

    As if all parts had `row` elements: what falls into a gap is drawn again. Raises RuntimeError if
    nearly all of them are gaps, which is a bug and must not go on forever.
    """
    for _ in range(DRAWS_MAX):
        place, at = divmod(draws.below(len(parts) * row), row)
        part = parts[place]
        if at < len(part):
            return place, nth(part, at)
    raise RuntimeError("the parts have far fewer elements than were counted")


def _pop(
    keys: list[bytes],
    parts: list[Any],
    owners: list[int],
    hashes: list[bytes | None],
    own_from: int,
    level: int,
    count: int,
    least: int,
) -> tuple[list[bytes], int]:
    """Take out an element for each of `keys`: the one that a command draws whose numbers have that key.

    Of the value come `parts` and what belongs to them, as for `put`, `level`, and `count`, which must be the
    number of its elements. It stops where `put` stops, and when `least` are left.

    Returns the names of those that were taken out, and by how many bytes names and belongings have grown: no
    more than 0. Raises RuntimeError if there are far fewer elements than `count`.
    """
    gone: list[bytes] = []
    grown = 0
    for key in keys[: max(count - least, 0)]:
        row = row_bound(count - len(gone), level, len(parts))
        place, member = drawn_place(Draws.keyed(key), parts, row)
        size = _size(parts[place][member])
        if owners[place] < own_from or size is None:
            break
        del parts[place][member]
        hashes[place] = None
        grown -= size + len(member)
        gone.append(member)
    return gone, grown


def _untrack(members: list[bytes]) -> list[bytes]:
    """Let the cyclic collector never look into a list that holds nothing but bytes; returns it.

    It looks at each object that a list refers to: for a million members 34 ms, in which nobody is served.
    In Python that cannot be helped.
    """
    return members


def _size(belonging: Any) -> int | None:
    """What the account charges for what belongs to an element; None if that is not known here."""
    if type(belonging) is bytes:
        return len(belonging)
    return 0 if belonging is None or type(belonging) is float else None


All: TypeAlias = tuple[Places, Get, Nth, Put, Remove, Pop, Untrack]


def _all_of(compiled: ModuleType) -> All:
    elements = compiled.places, compiled.get, compiled.nth, compiled.put, compiled.remove, compiled.pop
    return *elements, compiled.untrack


IN_PYTHON: Final[All] = _places, _get, _nth, _put, _remove, _pop, _untrack


def _does_it(compiled: ModuleType) -> bool:
    """Try it on members of several lengths, on parts that may be changed and on such that may not."""
    members = [b"%d" % number * (number % 150) for number in range(300)]
    halves = members[150:] + members[:150]
    results = []
    try:
        for places, get, nth, put, remove, pop, untrack in (IN_PYTHON, _all_of(compiled)):
            state: tuple[list[Any], list[int], list[bytes | None]] = (
                [{} for _ in range(6)],
                [1] * 6,
                [b""] * 6,
            )
            results.append(
                (
                    put(members, halves, 0, *state, 1, b"secret", 2, 2, 299),
                    put(members, None, 0, *state, 2, b"secret", 2, 2, 299),
                    state,
                    [*map(list, state[0])],
                    untrack(halves),
                    places(halves, b"key", 7, 100),
                    nth(state[0][5], 7),
                    get(halves, b"none", state[0], b"secret", 2, 2),
                    pop(members[1:21], *state, 1, 2, sum(map(len, state[0])), 1),
                    pop(members[1:21], *state, 2, 2, sum(map(len, state[0])), 1),
                    remove([*state[0][1]], 0, *state, 1, b"secret", 2, 2, 299),
                    [*map(list, state[0])],
                )
            )
    except Exception:  # noqa: BLE001 - after any error it is not used
        return False
    return bool(results[0] == results[1])


places, get, nth, put, remove, pop, untrack = IN_PYTHON
is_compiled = False
"""Whether these are the ones in C."""
try:
    from trikv.machine.values import _parts
except ImportError:
    pass
else:
    if getattr(_parts, "VERSION", None) == VERSION and _does_it(_parts):
        places, get, nth, put, remove, pop, untrack = _all_of(_parts)
        is_compiled = True
