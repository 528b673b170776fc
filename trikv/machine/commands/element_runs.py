"""Runs: commands of one name that follow each other and each put or take one element of the same key.

Many clients that push to one queue make such runs, and so does one that does not wait for replies. To find a
value, to open it, to judge if there is room and to put it back takes far longer than to change one element. A
run does all that once.

What comes of a run is what would come of its commands one after another: replies, account, versions, order,
draws. So it does nothing where one of them might be refused, or would remove the key, and ends in front of
one that is not like the first. The evaluator carries out the rest one by one.
"""

from collections.abc import Callable, Sequence
from operator import ne
from typing import Final, TypeAlias, TypeVar

from trikv.machine.call import Call
from trikv.machine.database import Database
from trikv.machine.declaration import Run
from trikv.machine.draws import key_of
from trikv.machine.errors import WrongTypeError
from trikv.machine.memory import KEY_BYTES_MAX, VALUE_BYTES_MAX
from trikv.machine.numerics import parse_doubles
from trikv.machine.replies import Reply
from trikv.machine.values.hash import Hash
from trikv.machine.values.list import List
from trikv.machine.values.set import Set
from trikv.machine.values.sorted_set import SortedSet
from trikv.machine.values.value import Value

V = TypeVar("V", bound=Value)
Commands: TypeAlias = Sequence[Sequence[bytes]]
Inner: TypeAlias = Callable[[Call, bytes, V, Commands], list[Reply]]

LEAST: Final = 3
"""Fewer commands are carried out one by one."""
SPARE_BYTES: Final = 128 * 1024
"""More than a new key, or a value that leaves its packed form, is charged besides its elements."""


def run_of(kind: type[V], words: int, inner: Inner[V], *, creates: bool = False) -> Run:
    """What carries out a run of commands of so many words on a value of that type.

    `inner` gets the context, the key, the value and at least `LEAST` commands, and returns the replies to the
    first of them. If the key is not there, it gets a new value, or nothing is done.
    """

    def run(call: Call, commands: Commands) -> list[Reply]:
        first = commands[0]
        if len(commands) < LEAST or len(first) != words or call.db.account.is_over:
            return []
        name, key = first[0], first[1]
        alike = 0
        for args in commands:
            if len(args) != words or args[1] != key or args[0] != name:
                break
            alike += 1
        if alike < LEAST:
            return []
        try:
            value = call.db.value(key, kind)
        except WrongTypeError:
            return []
        if value is None:
            if not creates:
                return []
            value = call.db.created(kind)
        return inner(call, key, value, commands if alike == len(commands) else commands[:alike])

    return run


def _fits(db: Database, key: bytes, value: Value, *given: Sequence[bytes]) -> bool:
    """Whether elements that consist of those strings can be added one by one, and none is refused.

    `given`: their strings, the names first.
    """
    size = 0
    for strings in given:
        size += sum(map(len, strings))
    if size > VALUE_BYTES_MAX or len(key) > KEY_BYTES_MAX:
        return False
    return db.account.refusal(value.growth(len(given[0]), size) + SPARE_BYTES) is None


def _changed(db: Database, key: bytes, value: Value, times: int) -> None:
    """So many commands have changed `value`."""
    refused = db.changed(key, value, times=times)
    assert refused is None, "its growth was judged before"


def pushing(push: Callable[[List, Sequence[bytes]], None]) -> Run:
    """LPUSH or RPUSH of one element each."""

    def inner(call: Call, key: bytes, list_: List, commands: Commands) -> list[Reply]:
        db, elements = call.db, [element for _, _, element in commands]
        if not _fits(db, key, list_, elements):
            return []
        list_ = db.changing(key, list_)
        push(list_, elements)
        _changed(db, key, list_, len(elements))
        return list(range(list_.count - len(elements) + 1, list_.count + 1))

    return run_of(List, 3, inner, creates=True)


def popping(pop: Callable[[List, int], list[bytes]]) -> Run:
    """LPOP or RPOP without a count."""

    def inner(call: Call, key: bytes, list_: List, commands: Commands) -> list[Reply]:
        wanted = min(len(commands), list_.count - 1)
        if not wanted:
            return []
        list_ = call.db.changing(key, list_)
        gone = pop(list_, wanted)
        _taken(call.db, key, list_, wanted)
        return [*gone]

    return run_of(List, 2, inner)


def _taken(db: Database, key: bytes, value: Value, count: int) -> None:
    """As many commands have found `value` and taken an element of it each."""
    _changed(db, key, value, count)
    db.account.lookups.hits += count


def _add_members(call: Call, key: bytes, set_: Set, commands: Commands) -> list[Reply]:
    db, names = call.db, [name for _, _, name in commands]
    # Few runs change nothing, so the first one is looked up alone.
    if names[0] in set_ and all(set_.has_each(names)):
        return [0] * len(names)
    if not _fits(db, key, set_, names):
        return []
    set_ = db.changing(key, set_)
    fresh = set_.put_each(names)
    _changed(db, key, set_, sum(fresh))
    return [*map(int, fresh)]


def _take_members(call: Call, key: bytes, set_: Set, commands: Commands) -> list[Reply]:
    wanted = min(len(commands), set_.count - 1)
    if not wanted:
        return []
    set_ = call.db.changing(key, set_)
    places = range(call.position + 1, call.position + 1 + wanted)
    gone = set_.pop_each([key_of(call.seed, call.index, call.origin, call.sequence, at) for at in places])
    _taken(call.db, key, set_, wanted)
    return [*gone]


def _set_fields(call: Call, key: bytes, hash_: Hash, commands: Commands) -> list[Reply]:
    db = call.db
    fields, values = [args[2] for args in commands], [args[3] for args in commands]
    if hash_.deadlines is not None or not _fits(db, key, hash_, fields, values):
        return []
    hash_ = db.changing(key, hash_)
    # Without deadlines to be kept in order it does the same as that of a hash, and quicker.
    added = hash_.put_each(fields, values)
    _changed(db, key, hash_, len(added))
    return [*map(int, added)]


def _score_members(call: Call, key: bytes, set_: SortedSet, commands: Commands) -> list[Reply]:
    db = call.db
    scores = parse_doubles([args[2] for args in commands])
    names = [args[3] for args in commands[: len(scores)]]
    befores = olds = set_.get_each(names)
    finals = dict(zip(names, scores, strict=True))
    if len(finals) < len(names):
        befores = _met(names, olds, scores)
    replies: list[Reply] = [int(before is None) for before in befores]
    changes = sum(map(ne, befores, scores))
    if not changes:
        return replies
    # A packed one is opened in the order of its scores. So when one leaves that form, the order in its part
    # depends on what stood in it just before.
    if not _fits(db, key, set_, list(finals)) or (set_.is_small and not set_.stays_small(finals)):
        return []
    set_ = db.changing(key, set_)
    if changes < len(names) or befores is not olds:
        firsts = dict(zip(names, olds, strict=True))
        names = [name for name, score in finals.items() if firsts[name] != score]
        olds, scores = [firsts[name] for name in names], [finals[name] for name in names]
    set_.score_each(names, olds, scores)
    _changed(db, key, set_, changes)
    return replies


def _met(names: list[bytes], olds: list[float | None], scores: list[float]) -> list[float | None]:
    """The score that each command meets: of a member that comes again, the one that it was given before."""
    given: dict[bytes, float] = {}
    found = []
    for name, old, score in zip(names, olds, scores, strict=True):
        found.append(given.get(name, old))
        given[name] = score
    return found


def taking(*, is_max: bool) -> Run:
    """ZPOPMIN or ZPOPMAX without a count."""

    def inner(call: Call, key: bytes, set_: SortedSet, commands: Commands) -> list[Reply]:
        wanted = min(len(commands), set_.count - 1)
        if not wanted:
            return []
        set_ = call.db.changing(key, set_)
        first = set_.count - wanted if is_max else 0
        gone = set_.take(first, first + wanted)
        _taken(call.db, key, set_, wanted)
        return [[name, score] for score, name in (reversed(gone) if is_max else gone)]

    return run_of(SortedSet, 2, inner)


ADD_MEMBERS: Final = run_of(Set, 3, _add_members, creates=True)
"""SADD of one member each."""
TAKE_MEMBERS: Final = run_of(Set, 2, _take_members)
"""SPOP without a count."""
SET_FIELDS: Final = run_of(Hash, 4, _set_fields, creates=True)
"""HSET of one field each."""
SCORE_MEMBERS: Final = run_of(SortedSet, 4, _score_members, creates=True)
"""ZADD of one member each, without options."""
