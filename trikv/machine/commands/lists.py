"""Lists: strings in an order under one key, pushed, popped and moved at both ends."""

from collections.abc import Callable, Sequence
from typing import Final

from trikv.machine.call import Steps
from trikv.machine.commands.element_runs import popping, pushing
from trikv.machine.commands.elements import (
    NO_KEYS,
    NOT_POSITIVE,
    STEP_ELEMENTS,
    count_of,
    looked,
    refusal,
    short,
)
from trikv.machine.database import Database
from trikv.machine.declaration import By, Told
from trikv.machine.errors import SYNTAX, wrong_arity
from trikv.machine.features import COLLECTIONS
from trikv.machine.grammar import Key
from trikv.machine.keyspec import Index, KeyNumber, KeySpec
from trikv.machine.numerics import parse_integer
from trikv.machine.replies import NULL_ARRAY, CommandError, Reply
from trikv.machine.table import CommandTable
from trikv.machine.values.list import ELEMENT_BYTES, END_BYTES, PART_BYTES, PART_COUNT, PART_SIZE, List
from trikv.machine.values.value import PACKED_COUNT_MAX

COMMANDS = CommandTable(COLLECTIONS)
COMMANDS.add_value(List)

_EACH: Final = "O(N), N being the number of elements named"

Push = Callable[[List, Sequence[bytes]], None]
Pop = Callable[[List, int], list[bytes]]
_SIDES: Final[dict[bytes, tuple[Push, Pop]]] = {
    b"LEFT": (List.push_left, List.pop_left),
    b"RIGHT": (List.push_right, List.pop_right),
}


def more_bytes(args: Sequence[bytes]) -> int:
    """What a call may add beyond its arguments: two parts next to each other are as full as one can be."""
    parts = 2 + 2 * len(args) // PART_COUNT + 2 * sum(map(len, args)) // PART_SIZE
    return (ELEMENT_BYTES + END_BYTES) * len(args) + PART_BYTES * parts


UNPACKED_BYTES: Final = (ELEMENT_BYTES + END_BYTES) * PACKED_COUNT_MAX + PART_BYTES
"""What a packed list takes more at most when it comes to be in parts."""


def _pushed(db: Database, key: bytes, elements: Sequence[bytes], push: Push, *, creates: bool) -> Reply:
    """Push each in turn; the length then, or why none was pushed."""
    list_ = db.value(key, List)
    if list_ is None:
        if not creates:
            return 0
        list_ = db.created(List)
    refused = refusal(db, key, list_, elements)
    if refused is not None:
        return refused
    list_ = db.changing(key, list_)
    push(list_, elements)
    return db.changed(key, list_) or list_.count


@COMMANDS.command(
    "LPUSH",
    by=By.LOG,
    of_run=pushing(List.push_left),
    group="list",
    denies_oom=True,
    fast=True,
    grows_more=more_bytes,
    grows_once=UNPACKED_BYTES,
    complexity=_EACH,
    told=Told("1.0.0", "RW insert"),
)
def lpush(db: Database, key: Key, element: bytes, *elements: bytes) -> Reply:
    """Put elements before the first of a list, one after another, and answer its length."""
    return _pushed(db, key, (element, *elements), List.push_left, creates=True)


@COMMANDS.command(
    "RPUSH",
    by=By.LOG,
    of_run=pushing(List.push_right),
    group="list",
    denies_oom=True,
    fast=True,
    grows_more=more_bytes,
    grows_once=UNPACKED_BYTES,
    complexity=_EACH,
    told=Told("1.0.0", "RW insert"),
)
def rpush(db: Database, key: Key, element: bytes, *elements: bytes) -> Reply:
    """Put elements behind the last of a list and answer its length."""
    return _pushed(db, key, (element, *elements), List.push_right, creates=True)


@COMMANDS.command(
    "LPUSHX",
    by=By.LOG,
    group="list",
    denies_oom=True,
    fast=True,
    grows_more=more_bytes,
    grows_once=UNPACKED_BYTES,
    complexity=_EACH,
    told=Told("2.2.0", "RW insert"),
)
def lpushx(db: Database, key: Key, element: bytes, *elements: bytes) -> Reply:
    """LPUSH, if the list exists; else 0."""
    return _pushed(db, key, (element, *elements), List.push_left, creates=False)


@COMMANDS.command(
    "RPUSHX",
    by=By.LOG,
    group="list",
    denies_oom=True,
    fast=True,
    grows_more=more_bytes,
    grows_once=UNPACKED_BYTES,
    complexity=_EACH,
    told=Told("2.2.0", "RW insert"),
)
def rpushx(db: Database, key: Key, element: bytes, *elements: bytes) -> Reply:
    """RPUSH, if the list exists; else 0."""
    return _pushed(db, key, (element, *elements), List.push_right, creates=False)


def _popped(db: Database, name: str, key: bytes, count: Sequence[bytes], pop: Pop) -> Reply | Steps[Reply]:
    """One element, or so many. `name` of the command."""
    if len(count) > 1:
        return wrong_arity(name)
    wanted = parse_integer(count[0]) if count else 1
    if wanted is None or wanted < 0:
        return NOT_POSITIVE
    list_ = looked(db, key, List)
    if list_ is None:
        return NULL_ARRAY if count else None
    if not count:
        list_ = db.changing(key, list_)
        (element,) = pop(list_, 1)
        db.changed(key, list_)
        return element
    return short(_pop_some(db, key, list_, wanted, pop), min(wanted, list_.count))


def _pop_some(db: Database, key: bytes, list_: List, wanted: int, pop: Pop) -> Steps[Reply]:
    """Up to so many elements, in the order in which they are popped; the key goes with the last."""
    gone: list[Reply] = []
    left = min(wanted, list_.count)
    if not left:
        return gone
    list_ = db.changing(key, list_)
    while left:
        some = min(left, STEP_ELEMENTS)
        gone += pop(list_, some)
        left -= some
        if left:
            yield
    db.changed(key, list_)
    return gone


@COMMANDS.command(
    "LPOP",
    by=By.LOG,
    of_run=popping(List.pop_left),
    group="list",
    fast=True,
    options="[count]",
    complexity="O(N), N being count",
    told=Told("1.0.0", "RW access delete"),
)
def lpop(db: Database, key: Key, *count: bytes) -> Reply | Steps[Reply]:
    """Take the first elements out of a list and answer them."""
    return _popped(db, "lpop", key, count, List.pop_left)


@COMMANDS.command(
    "RPOP",
    by=By.LOG,
    of_run=popping(List.pop_right),
    group="list",
    fast=True,
    options="[count]",
    complexity="O(N), N being count",
    told=Told("1.0.0", "RW access delete"),
)
def rpop(db: Database, key: Key, *count: bytes) -> Reply | Steps[Reply]:
    """Take the last elements out of a list and answer them, the last first."""
    return _popped(db, "rpop", key, count, List.pop_right)


@COMMANDS.command(
    "LMPOP",
    by=By.LOG,
    group="list",
    options="key [key ...] <LEFT|RIGHT> [COUNT count]",
    open_least=2,
    specs=(KeySpec(Index(1), KeyNumber(), "RW access delete"),),
    complexity="O(N+M), N being the number of keys and M that of elements",
    told=Told("7.0.0"),
)
def lmpop(db: Database, numkeys: bytes, *rest: bytes) -> Reply | Steps[Reply]:
    """Take elements out of the first of these lists that has any, and answer its key and them."""
    number = parse_integer(numkeys)
    if number is None or number <= 0:
        return NO_KEYS
    side = _SIDES.get(rest[number].upper()) if number < len(rest) else None
    if side is None:
        return SYNTAX
    wanted = count_of(rest[number + 1 :])
    if isinstance(wanted, CommandError):
        return wanted
    for key in rest[:number]:
        list_ = looked(db, key, List)
        if list_ is not None:
            return short(_named(key, _pop_some(db, key, list_, wanted, side[1])), min(wanted, list_.count))
    return NULL_ARRAY


def _named(key: bytes, steps: Steps[Reply]) -> Steps[Reply]:
    return [key, (yield from steps)]


def _moved(db: Database, source: bytes, destination: bytes, pop: Pop, push: Push) -> Reply:
    """Pop an element here, push it there, and answer it."""
    one = looked(db, source, List)
    if one is None:
        return None
    if source == destination:
        one = db.changing(source, one)
        (element,) = moved = pop(one, 1)
        push(one, moved)
        db.changed(source, one)
        return element
    other = db.value(destination, List) or db.created(List)
    element = one.at(0 if pop is List.pop_left else one.count - 1)
    refused = refusal(db, destination, other, (element,))
    if refused is not None:
        return refused
    other = db.changing(destination, other)
    push(other, (element,))
    refused = db.changed(destination, other)
    if refused is not None:
        return refused
    one = db.changing(source, one)
    pop(one, 1)
    db.changed(source, one)
    return element


@COMMANDS.command(
    "RPOPLPUSH",
    by=By.LOG,
    group="list",
    denies_oom=True,
    grows_more=more_bytes,
    grows_once=UNPACKED_BYTES,
    told=Told(
        "1.2.0",
        ("RW access delete", "RW insert"),
        deprecated="6.2.0",
        instead="`LMOVE` with the `RIGHT` and `LEFT` arguments",
    ),
)
def rpoplpush(db: Database, source: Key, destination: Key) -> Reply:
    """Move the last element of one list to the beginning of another, and answer it."""
    return _moved(db, source, destination, List.pop_right, List.push_left)


@COMMANDS.command(
    "LMOVE",
    by=By.LOG,
    group="list",
    denies_oom=True,
    grows_more=more_bytes,
    grows_once=UNPACKED_BYTES,
    choices={"wherefrom": "<LEFT|RIGHT>", "whereto": "<LEFT|RIGHT>"},
    told=Told("6.2.0", ("RW access delete", "RW insert")),
)
def lmove(db: Database, source: Key, destination: Key, wherefrom: bytes, whereto: bytes) -> Reply:
    """Move an element from an end of one list to an end of another, and answer it."""
    here, there = _SIDES.get(wherefrom.upper()), _SIDES.get(whereto.upper())
    if here is None or there is None:
        return SYNTAX
    return _moved(db, source, destination, here[1], there[0])
