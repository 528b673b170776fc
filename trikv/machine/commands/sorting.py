"""SORT: the elements of a list, a set or a sorted set in another order, and what belongs to them.

By numbers, or by bytes (Redis compares texts by the locale of its process, which is C's unless somebody has
chosen another). Elements of the same number are in the order of their bytes. Those that other keys give the
same text are in the order in which they come. So there is one result, on every replica.

It goes in steps: first the elements are weighed, a few at a step if other keys are looked at, then they are
sorted by `trikv.machine.values.ordering`, and then shown. A read that looks at other keys does so in a cut.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import attrs

from trikv.machine.call import Steps
from trikv.machine.commands.elements import STEP_ELEMENTS, built, in_chunks, in_steps, names_of, short
from trikv.machine.commands.lists import more_bytes
from trikv.machine.commands.several import with_target
from trikv.machine.commands.sort_patterns import Find, Pattern, has_star
from trikv.machine.cut import Cut
from trikv.machine.database import Database
from trikv.machine.declaration import By, Told
from trikv.machine.errors import NOT_INTEGER, SYNTAX, RefusedError, WrongTypeError
from trikv.machine.features import STREAMS
from trikv.machine.grammar import Key
from trikv.machine.keyspec import Args, Found, Index, KeySpec, Range
from trikv.machine.long_reads import LongRead
from trikv.machine.numerics import parse_integer, parse_weight
from trikv.machine.replies import CommandError, Reply
from trikv.machine.table import CommandTable
from trikv.machine.values.list import List
from trikv.machine.values.ordering import in_order
from trikv.machine.values.set import Set
from trikv.machine.values.sorted_set import SortedSet
from trikv.machine.values.value import type_of

COMMANDS = CommandTable(STREAMS)

_NOT_NUMBERS: Final = CommandError("ERR One or more scores can't be converted into double")
_JOINED_RUNS: Final = 4
"""For `in_order`: elements are compared by several things, one behind another."""
_STEP_LOOKUPS: Final = 64
"""Values of other keys that are looked for in one step."""
_LOOKED: Final = 4
"""So many elements of another long read take as long as one of these."""
_COMPLEXITY: Final = "O(N+M*log(M)), N being the number of elements and M that of those answered"

Source = List | Set | SortedSet
Row = tuple[Any, ...]
"""What an element is compared by, and the element."""


@attrs.define
class _Asked:
    """What the options say."""

    is_descending: bool = False
    by_bytes: bool = False
    by: Pattern | None = None
    is_unsorted: bool = False
    """A pattern to sort by has no star: the elements stay as they are."""
    gets: list[Pattern] = attrs.field(factory=list)
    offset: int = 0
    most: int = -1
    """Negative: all."""
    store: bytes | None = None

    @property
    def looks_elsewhere(self) -> bool:
        """Whether other keys decide the order or the answer."""
        return self.by is not None or any(not get.is_element for get in self.gets)


def _parsed(options: Sequence[bytes], *, can_store: bool) -> _Asked | CommandError:
    asked = _Asked()
    at = 0
    while at < len(options):
        word, left = options[at].upper(), options[at + 1 : at + 3]
        at += 1
        if word in (b"ASC", b"DESC"):
            asked.is_descending = word == b"DESC"
        elif word == b"ALPHA":
            asked.by_bytes = True
        elif word == b"LIMIT" and len(left) == 2:
            offset, most = parse_integer(left[0]), parse_integer(left[1])
            if offset is None or most is None:
                return NOT_INTEGER
            asked.offset, asked.most = offset, most
            at += 2
        elif word == b"STORE" and left and can_store:
            asked.store = left[0]
            at += 1
        elif word == b"BY" and left:
            asked.by = Pattern.of(left[0])
            asked.is_unsorted |= not has_star(left[0])
            at += 1
        elif word == b"GET" and left:
            asked.gets.append(Pattern.of(left[0]))
            at += 1
        else:
            return SYNTAX
    return asked


def _source(db: Database, key: bytes) -> Source | None:
    """What is sorted; None if there is no such key. Raises WrongTypeError."""
    entry = db.look(key)
    if entry is None:
        return None
    kind = None if isinstance(entry.value, bytes) else type_of(entry.value)
    if kind is List:
        return db.value(key, List)
    if kind is Set:
        return db.value(key, Set)
    if kind is SortedSet:
        return db.value(key, SortedSet)
    raise WrongTypeError


class _Sorting:
    """What is to be sorted, and how."""

    def __init__(self, db: Database, source: Source, asked: _Asked) -> None:
        self._db = db
        self._source = source
        self._asked = asked
        self._now_ms = db.account.now
        self._is_sorted = False
        self._target = db.created(List)
        """The elements that are shown, in their order, once they are sorted."""
        if asked.is_unsorted:
            asked.by = None
            if asked.store is not None and isinstance(source, Set):
                # A set has no order that would be the same in another server.
                asked.is_unsorted, asked.by_bytes = False, True
        count = source.count
        self._first = min(max(asked.offset, 0), count)
        self._last = count if asked.most < 0 else min(self._first + asked.most, count)
        looked = self._last - self._first if asked.is_unsorted else count
        lookups = len(asked.gets) + (asked.by is not None)
        self.size = looked * (1 + _LOOKED * lookups)
        """How many elements of another command take as long."""

    # The elements in their order.

    def _as_they_are(self) -> Iterator[Sequence[bytes]]:
        """Those that are shown, unsorted."""
        first, last, source = self._first, self._last, self._source
        if isinstance(source, Set):
            yield from _part(names_of(in_steps(source)), first, last)
        elif isinstance(source, SortedSet):
            spans = source.index.span_back if self._asked.is_descending else source.index.span
            if self._asked.is_descending:
                first, last = source.count - last, source.count - first
            for pairs in spans(first, last):
                yield [member for _, member in pairs]
        elif self._asked.is_descending:
            for end in range(source.count - first, source.count - last, -STEP_ELEMENTS):
                start = max(end - STEP_ELEMENTS, source.count - last)
                yield [element for some in source.span(start, end) for element in some][::-1]
        else:
            yield from source.span(first, last)

    def _all(self) -> Iterator[Sequence[bytes]]:
        source = self._source
        if isinstance(source, List):
            return source.span(0, source.count)
        return names_of(in_steps(source))

    def _weighed(self, find: Find) -> Iterator[list[Row]]:
        """All elements, each behind what it is compared by. Raises RefusedError.

        No two compare as equal: the sort would have to go over all that do in one step.
        """
        by, step = self._asked.by, STEP_ELEMENTS if self._asked.by is None else _STEP_LOOKUPS
        place = 0
        for some in in_chunks(self._all(), step):
            places = range(place, place + len(some))
            place += len(some)
            texts: Sequence[bytes | None] = some
            if by is not None:
                texts = [by.value(element, find, self._now_ms) for element in some]
            if not self._asked.by_bytes:
                weights = [0.0 if text is None else parse_weight(text) for text in texts]
                if None in weights:
                    raise RefusedError(_NOT_NUMBERS)
                yield list(zip(weights, some, places, some, strict=True))
            elif by is None:
                yield list(zip(some, places, some, strict=True))
            else:
                # Of equal texts the first comes first, also if the order is the other way round.
                sign = -1 if self._asked.is_descending else 1
                yield [
                    (text is not None, text or b"", sign * at, element)
                    for text, at, element in zip(texts, places, some, strict=True)
                ]

    def _in_order(self, find: Find) -> Iterator[Sequence[bytes]]:
        """All elements in their order, in steps, of which the first give none."""
        ascending: list[list[bytes]] = []
        for some in in_order(self._weighed(find), _JOINED_RUNS):
            elements = [row[-1] for row in some]
            if self._asked.is_descending:
                yield elements[::-1]
            else:  # the last come first
                ascending.append(elements)
                yield []
        while ascending:
            yield ascending.pop()

    def _elements(self, find: Find) -> Iterator[Sequence[bytes]]:
        """Those that are shown, in steps, of which some may be empty."""
        if self._asked.is_unsorted:
            yield from self._as_they_are()
            return
        if not self._is_sorted:
            for some in _part(self._in_order(find), self._first, self._last):
                if some:
                    self._target.push_right(some)
                yield []
            self._is_sorted = True
        yield from self._target.span(0, self._target.count)

    # What is shown of them.

    def _shown(self, find: Find) -> Iterator[Sequence[Reply]]:
        """The rows of the answer, in steps."""
        gets, rows = self._asked.gets, list[Reply]()
        for some in self._elements(find):
            if not gets or not some:
                yield some
                continue
            for element in some:
                for get in gets:
                    rows.append(get.value(element, find, self._now_ms))
                    if len(rows) >= _STEP_LOOKUPS:
                        yield rows
                        rows = []
        yield rows

    def _of_cut(self, cut: Cut) -> Iterator[Sequence[Reply]]:
        return self._shown(partial(cut.find, self._db))

    def read(self, key: bytes) -> LongRead:
        """The answer, made from the database as it is now."""
        if self._asked.looks_elsewhere:
            return LongRead(self._db, None, self._of_cut, self.size)
        over: Mapping[bytes, Any] = {key: self._source}
        if not self._asked.is_unsorted:
            over = with_target(over, self._target)
        return LongRead.of_values(self._db, over, partial(self._shown, self._db.find), size=self.size)

    def steps(self) -> Steps[Reply]:
        """The answer, inside of an entry."""
        replies: list[Reply] = []
        for some in self._shown(self._db.find):
            replies += some
            yield
        return replies

    def stored(self, key: bytes) -> Steps[Reply]:
        """Keep it in a list under that key; its length. What is not there is kept as an empty string."""
        made = self._db.created(List)
        return built(self._db, key, made, self._kept(made))

    def _kept(self, made: List) -> Iterator[None]:
        for some in self._shown(self._db.find):
            if some:
                made.push_right([each if isinstance(each, bytes) else b"" for each in some])
            yield


def _part(rows: Iterator[Sequence[bytes]], first: int, last: int) -> Iterator[Sequence[bytes]]:
    """The elements from place `first` to before `last`. It goes over all, so that none are freed at once."""
    place = 0
    for some in rows:
        yield some[max(first - place, 0) : max(last - place, 0)]
        place += len(some)


def _keys_of_sort(args: Args) -> Sequence[Found]:
    """The key that is sorted, and the last that is to be stored. Patterns name others, which nobody knows."""
    at, store = 2, 0
    while at < len(args):
        word = args[at].upper()
        if word == b"STORE" and at + 1 < len(args):
            store = at + 1
        at += {b"LIMIT": 3, b"GET": 2, b"BY": 2}.get(word, 1)
    return _keys_of_sort_ro(args) if not store else (*_keys_of_sort_ro(args), (store, "OW update"))


def _keys_of_sort_ro(_args: Args) -> Sequence[Found]:
    return ((1, "RO access"),)


_OPTIONS: Final = "[BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC|DESC] [ALPHA]"
_READS: Final = (KeySpec(Index(1), Range(), "RO access"), KeySpec(None, None, "RO access"))
_OF_MANY: Final = "set sortedset list dangerous"


@COMMANDS.command(
    "SORT",
    by=By.LOG,
    group="sorting",
    denies_oom=True,
    grows_more=more_bytes,
    options=f"{_OPTIONS} [STORE destination]",
    specs=(*_READS, KeySpec(None, None, "OW update")),
    finder=_keys_of_sort,
    complexity=_COMPLEXITY,
    told=Told("1.0.0", group="generic", categories=_OF_MANY),
)
def sort(db: Database, key: Key, *options: bytes) -> Reply | Steps[Reply]:
    """The elements of a list, a set or a sorted set in order, answered or kept under another key."""
    asked = _parsed(options, can_store=True)
    if isinstance(asked, CommandError):
        return asked
    source = _source(db, key) or db.created(List)
    sorting = _Sorting(db, source, asked)
    steps = sorting.steps() if asked.store is None else sorting.stored(asked.store)
    return short(steps, sorting.size)


@COMMANDS.command(
    "SORT_RO",
    by=By.READ,
    group="sorting",
    options=_OPTIONS,
    specs=_READS,
    finder=_keys_of_sort_ro,
    complexity=_COMPLEXITY,
    told=Told("7.0.0", group="generic", categories=_OF_MANY),
)
def sort_ro(db: Database, key: Key, *options: bytes) -> Reply | LongRead:
    """The elements of a list, a set or a sorted set in order."""
    asked = _parsed(options, can_store=False)
    if isinstance(asked, CommandError):
        return asked
    source = _source(db, key)
    return [] if source is None else _Sorting(db, source, asked).read(key)
