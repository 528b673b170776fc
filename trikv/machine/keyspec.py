"""Where the keys of a command are among its arguments, in Redis' words (key specifications).

A spec finds where keys begin (`Index`, or behind a `Keyword` such as STREAMS) and which arguments from there
on are keys (a `Range`, or as many as an argument says: `KeyNumber`, which most call numkeys). A command has
one spec for each kind of access. If no spec can tell, a `Finder` looks at the arguments.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import attrs

from trikv.machine.numerics import parse_integer

Args: TypeAlias = Sequence[bytes]


@attrs.frozen
class Index:
    """Keys begin at this argument; the command's name is argument 0."""

    index: int

    def begin(self, args: Args) -> int | None:
        """The place where keys begin; None if there are none."""
        return self.index if self.index < len(args) else None


@attrs.frozen
class Keyword:
    """Keys begin behind a word, looked for from argument `start` on; negative: backwards from the end."""

    keyword: str
    start: int

    def begin(self, args: Args) -> int | None:
        """The place behind the word; None if the word is not there or nothing follows it."""
        word = self.keyword.encode()
        if self.start >= 0:
            places: Iterable[int] = range(self.start, len(args))
        else:
            places = range(len(args) + self.start, 0, -1)
        for place in places:
            if args[place].upper() == word:
                return place + 1 if place + 1 < len(args) else None
        return None


@attrs.frozen
class Range:
    """From the first key on, every `step`-th argument up to `last`."""

    last: int = 0
    """Counted from the first key; negative: from the end of the arguments, -1 being the last."""
    step: int = 1
    limit: int = 0
    """If greater than 1, the first `limit`-th part of what is left are keys (2: XREAD's keys, then ids)."""

    def places(self, first: int, args: Args) -> range:
        """The places of the keys."""
        last = first + self.last if self.last >= 0 else len(args) + self.last
        if self.last < 0 and self.limit > 1:
            last = first + (len(args) - first) // self.limit + self.last
        return range(first, min(last, len(args) - 1) + 1, self.step)


@attrs.frozen
class KeyNumber:
    """An argument says how many keys there are. Both places are counted from where the spec begins."""

    number: int = 0
    first: int = 1
    step: int = 1

    def places(self, begin: int, args: Args) -> range | None:
        """The places of the keys; None if the number is none, or promises more arguments than there are."""
        if begin + self.number >= len(args):
            return None
        count = parse_integer(args[begin + self.number])
        first = begin + self.first
        if count is None or count < 0 or count > len(args):
            return None
        places = range(first, first + count * self.step, self.step)
        return places if not places or places[-1] < len(args) else None


@attrs.frozen
class KeySpec:
    """Some keys of a command, all accessed in the same way."""

    begin: Index | Keyword | None
    """None: only a `Finder` can tell, and so for `find`."""
    find: Range | KeyNumber | None
    access: str = "RW access update"
    """Redis' flags: RO, RW, OW (overwrites) or RM, then what becomes of the value: access, update, insert or
    delete."""

    def places(self, args: Args) -> range | None:
        """The places of its keys in a call; None if the arguments contradict it."""
        assert self.begin is not None, "only the finder knows"
        assert self.find is not None, "only the finder knows"
        begin = self.begin.begin(args)
        return range(0) if begin is None else self.find.places(begin, args)


Found: TypeAlias = tuple[int, str]
"""The place of a key in a call, and its access."""
Finder: TypeAlias = Callable[[Args], Sequence[Found] | None]
"""Finds keys where specs cannot; None if the arguments contradict each other."""


@attrs.frozen
class Keys:
    """Where the keys of a command are."""

    first: int = 0
    """Position of the first key; 0 if these numbers tell of none."""
    last: int = 0
    """Position of the last; negative: counted from the end of the arguments."""
    step: int = 0
    are_movable: bool = False
    """The three numbers do not tell of every key: a call's own arguments have to be looked at."""
    specs: tuple[KeySpec, ...] = ()
    finder: Finder | None = None
    """Asked instead of the specs, which are then only told to clients."""

    @classmethod
    def of(cls, specs: Sequence[KeySpec], finder: Finder | None = None) -> "Keys":
        """The keys that these specs tell of, and the three numbers for clients that know no specs."""
        first = last = step = 0
        are_movable = finder is not None and not specs
        assert finder is not None or all(spec.begin and spec.find for spec in specs), (
            "nobody finds these keys"
        )
        for spec in specs:
            begin, find = spec.begin, spec.find
            follows = step == 0 or (isinstance(begin, Index) and step == 1 and begin.index == last + 1)
            if not follows or not isinstance(begin, Index) or not isinstance(find, Range) or find.limit > 1:
                are_movable = True
                continue
            first = first or begin.index
            last = find.last if find.last < 0 else begin.index + find.last
            step = find.step
        return cls(first, last, step, are_movable, tuple(specs), finder)

    def find(self, args: Args) -> Sequence[Found] | None:
        """Every key of a call; None if the arguments contradict each other."""
        if self.finder is not None:
            return self.finder(args)
        found: list[Found] = []
        for spec in self.specs:
            places = spec.places(args)
            if places is None:
                return None
            found += [(place, spec.access) for place in places]
        return found

    def among(self, args: Args) -> Sequence[bytes]:
        """The keys of a call; none if its arguments contradict each other."""
        if self.are_movable:
            return [args[place] for place, _ in self.find(args) or ()]
        if not self.step:
            return ()
        end = len(args) + self.last + 1 if self.last < 0 else self.last + 1
        return args[self.first : end : self.step]
