"""What commands on values of many elements have in common: limits and room, pages, what is drawn."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from trikv.machine.call import Steps, at_once
from trikv.machine.commands.keys import SCAN_COUNT, SCAN_COUNT_MAX, cursor_of
from trikv.machine.database import Database
from trikv.machine.draws import Draws
from trikv.machine.errors import KEY_TOO_LONG, NOT_INTEGER, OUT_OF_RANGE, STRING_TOO_LONG, SYNTAX
from trikv.machine.glob import matcher, too_long
from trikv.machine.long_reads import LongRead, Rows
from trikv.machine.memory import KEY_BYTES_MAX, VALUE_BYTES_MAX
from trikv.machine.numerics import INT64_MAX, parse_integer
from trikv.machine.replies import CommandError, Form, Reply
from trikv.machine.values.members import Members
from trikv.machine.values.value import Value

T = TypeVar("T")
V = TypeVar("V", bound=Value)
Element = tuple[bytes, Any]
"""A name, and what belongs to it."""

CURSOR_OPTIONS: Final = "[MATCH pattern] [COUNT count]"
STEP_ELEMENTS: Final = 256
"""What one step of a long read draws or passes over."""
STEP_FIRST: Final = 64
"""What one step changes of a value whose parts may be those of a copy or a cut, too."""
DRAWN_MAX: Final = 1_000
"""So many different elements are drawn one by one, until there are as many; for more, all are gone over."""
_NO_COUNT: Final = CommandError("ERR count should be greater than 0")
NOT_SYMMETRIC: Final = CommandError(
    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
)
"""For a number that must have a negative of the same size."""
NO_KEYS: Final = CommandError("ERR numkeys should be greater than 0")
NOT_POSITIVE: Final = CommandError("ERR value is out of range, must be positive")
NEGATIVE_LIMIT: Final = CommandError("ERR LIMIT can't be negative")
_DRAWN_PART: Final = 3
"""And only if no more than one in so many is wanted, or too many are drawn twice."""


def looked(db: Database, key: bytes, kind: type[V]) -> V | None:
    """The value of that type, for commands that answer from it: counted as a hit or a miss."""
    found, lookups = db.value(key, kind), db.account.lookups
    if found is None:
        lookups.misses += 1
    else:
        lookups.hits += 1
    return found


def refusal(
    db: Database, key: bytes, value: Value, *given: Collection[bytes], is_spared: bool = False
) -> CommandError | None:
    """Why elements that consist of those strings cannot be added to `value` of `key`; None if they can.

    `given`: their strings, the names first. OOM is for values in parts: `Database.changed` judges others.
    `is_spared`: `Account.refusal`.
    """
    size = 0
    for strings in given:
        size += sum(map(len, strings))
    if size > VALUE_BYTES_MAX and max([max(map(len, strings)) for strings in given]) > VALUE_BYTES_MAX:
        return STRING_TOO_LONG
    if len(key) > KEY_BYTES_MAX:
        return KEY_TOO_LONG
    if value.is_small:
        return None
    return db.account.refusal(value.growth(len(given[0]), size), is_spared=is_spared)


def page_of(
    db: Database, key: bytes, kind: type[Members], cursor: bytes, options: Sequence[bytes]
) -> tuple[bytes, list[Element]] | CommandError:
    """The next cursor, as it is answered, and the elements of a page of SSCAN, HSCAN or ZSCAN.

    If there is nothing under the key, no option is looked at. Raises WrongTypeError.
    """
    position = cursor_of(cursor)
    if isinstance(position, CommandError):
        return position
    value = looked(db, key, kind)
    if value is None:
        return b"0", []
    count, pattern = SCAN_COUNT, b"*"
    for place in range(0, len(options), 2):
        word, argument = options[place].upper(), options[place + 1 : place + 2]
        if word == b"COUNT" and argument:
            number = parse_integer(argument[0])
            if number is None:
                return NOT_INTEGER
            if number < 1:
                return SYNTAX
            count = min(number, SCAN_COUNT_MAX)
        elif word == b"MATCH" and argument:
            pattern = argument[0]
        else:
            return SYNTAX
    refused = too_long(len(pattern))
    if refused is not None:
        return refused
    following, found = value.page(position & 0xFFFFFFFF, count)
    if pattern != b"*":
        matches = matcher(pattern)
        found = [pair for pair in found if matches(pair[0])]
    return b"%d" % following, found


def counted(db: Database, key: bytes, value: Members, form: Form, rows: Callable[[], Rows]) -> LongRead:
    """A long read whose rows are all elements of the `value` of `key`, or one for each."""
    return LongRead.of_values(db, {key: value}, rows, size=value.count, count=value.count, form=form)


def in_steps(value: Members) -> Iterator[list[Element]]:
    """All elements, a part at a step."""
    for part in value.parts:
        yield list(part.items())


def parse_count(text: bytes, options: Sequence[bytes] = (), word: bytes = b"") -> int | CommandError:
    """The number of elements to be drawn, negative if one may come several times.

    Behind it may stand `word`, which asks for twice as many strings.
    """
    wanted = parse_integer(text)
    if wanted is None:
        return NOT_INTEGER
    if wanted < -INT64_MAX:
        return NOT_SYMMETRIC
    if len(options) > 1 or (options and options[0].upper() != word):
        return SYNTAX
    return wanted if not options or abs(wanted) <= INT64_MAX // 2 else OUT_OF_RANGE


def count_of(options: Sequence[bytes]) -> int | CommandError:
    """The COUNT of LMPOP or ZMPOP, which may be given once; 1 if it is not."""
    if not options:
        return 1
    if len(options) < 2 or options[0].upper() != b"COUNT":
        return SYNTAX
    wanted = parse_integer(options[1])
    if wanted is None or wanted < 1:
        return _NO_COUNT
    return wanted if len(options) == 2 else SYNTAX


def drawn(value: Members, wanted: int, draws: Draws) -> Callable[[], Iterator[list[Element]]]:
    """What makes that many elements in steps: different ones, at most all; or any, if negative."""
    if wanted < 0:
        return partial(drawn_again, value, -wanted, draws)
    if wanted >= value.count:
        return partial(in_steps, value)
    return partial(drawn_once, value, wanted, draws)


def looked_at(value: Members, wanted: int) -> int:
    """How many elements `drawn` looks at: of a few, not at all that there are."""
    if wanted < 0:
        return -wanted
    return wanted if _is_few(value, wanted) else value.count


def _is_few(value: Members, count: int) -> bool:
    return count <= DRAWN_MAX and count * _DRAWN_PART <= value.count


def drawn_again(value: Members, count: int, draws: Draws) -> Iterator[list[Element]]:
    """`count` elements in steps, each as likely as any other, so that one may come several times."""
    for begun in range(0, count, STEP_ELEMENTS):
        yield [value.drawn(draws) for _ in range(min(STEP_ELEMENTS, count - begun))]


def drawn_once(value: Members, count: int, draws: Draws) -> Iterator[list[Element]]:
    """`count` different elements in steps, fewer than there are; each selection is as likely as any other.

    Few are drawn until there are enough. Of many it is decided for each element in turn whether it is one of
    them (Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S).
    """
    if _is_few(value, count):
        found: dict[bytes, Any] = {}
        while len(found) < count:
            name, belonging = value.drawn(draws)
            found[name] = belonging
        yield list(found.items())
        return
    left, steps = value.count, in_steps(value)
    while count:
        some = []
        for element in next(steps):
            if draws.below(left) < count:
                some.append(element)
                count -= 1
            left -= 1
        yield some


def changed_at_once(value: Value, done: int) -> int:
    """How many elements anywhere in a value one step may change, if so many were changed before.

    Behind a COPY or a cut nearly each of the first is the first of its part, which is copied then. That takes
    30 us: 256 of them took 8 ms. Behind three times as many as there are parts, a twentieth of them is left.
    """
    return STEP_FIRST if done < 3 * len(value.parts) else STEP_ELEMENTS


def in_chunks(rows: Iterable[Sequence[T]], most: int) -> Iterator[Sequence[T]]:
    """The same rows, at most so many at a step."""
    for some in rows:
        for at in range(0, len(some), most):
            yield some[at : at + most]


def built(db: Database, key: bytes, target: Value, steps: Iterable[None]) -> Steps[Reply]:
    """Put `target` under `key` when `steps` have filled it, and answer how many elements it has.

    It is given up as soon as there is no room for it: until then nobody else knows of it.
    """
    for _ in steps:
        if not target.is_small:
            refused = db.account.refusal(target.charge - db.charged(key))
            if refused is not None:
                return refused
        yield
    return db.replace(key, target) or target.count


def names_of(rows: Iterator[list[Element]]) -> Iterator[list[bytes]]:
    """Only the names of the elements."""
    return ([name for name, _ in some] for some in rows)


def short(steps: Steps[Reply], elements: int) -> Reply | Steps[Reply]:
    """At once if it looks at few elements only."""
    return at_once(steps) if elements <= STEP_ELEMENTS else steps
