"""Wing and Gong's search for an order, with Lowe's memory: one component of a history at a time.

It goes depth first over the operations that may come next: those that were called before the first answer
among the ones that are left. A state that was reached before with the same operations done is not tried
again. Three shortcuts, all sound: an answered operation that may come next and changes nothing is taken at
once, because later it could only be harder to place. Of several unanswered operations that do the same, only
the one called first is tried. What an operation does to the values of its keys is computed once. One that
draws, and whose answer nobody was told, may lead to several states: each is tried.

Unanswered operations are tried last. First among them are those that let an answered one follow: a write of
unknown fate mostly shows by the read that saw it.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import TypeAlias

import attrs

from trikv.sim.checkers.choices import Choices, ways
from trikv.sim.checkers.expected import agrees
from trikv.sim.checkers.meanings import meaning_of
from trikv.sim.checkers.model import Model
from trikv.sim.checkers.needs import needs_of, written_once
from trikv.sim.checkers.values import Value
from trikv.sim.history import Key, Operation

Values: TypeAlias = tuple[Value | None, ...]
"""The values of a component's keys, in the keys' order; None for an absent one."""


@attrs.frozen
class Move:
    """An operation, with the places of its keys among the component's."""

    operation: Operation
    keys: tuple[Key, ...]
    places: tuple[int, ...]
    known: dict[Values, tuple[Values, ...]] = attrs.field(factory=dict, eq=False)
    """The values that its keys may have after it, by those before it; none if it could not have answered."""
    repeats: bool = attrs.field(init=False)
    """Whether it may write a value that was there before."""

    @repeats.default
    def _repeats(self) -> bool:
        return any(meaning_of(args).repeats for args in self.operation.commands)

    def after(self, values: Values) -> Values | None:
        """The values of the component after it; None if it could not have answered like that.

        It was answered, and an answer tells what was drawn: there is only one way.
        """
        return next(self.outcomes(values), None)

    def outcomes(self, values: Values) -> Iterator[Values]:
        """The values that the component may have after it: several if it draws and nobody was told what."""
        mine = tuple([values[place] for place in self.places])
        if mine not in self.known:
            self.known[mine] = self._work_out(mine)
        for then in self.known[mine]:
            if then == mine:
                yield values
                continue
            changed = list(values)
            for place, value in zip(self.places, then, strict=True):
                changed[place] = value
            yield tuple(changed)

    def _work_out(self, mine: Values) -> tuple[Values, ...]:
        one = self.operation
        before = {key: value for key, value in zip(self.keys, mine, strict=True) if value is not None}
        # A key that is absent now may have been absent when it was watched, and have had the value that the
        # client read only in between. WATCH does not see that (docs/COMMANDS.md).
        if any(before.get(key) not in {value, None} for key, value in one.expected):
            return ()
        found = ways(lambda choices: self._carried_out(before, choices))
        return tuple(dict.fromkeys(values for values in found if values is not None))

    def _carried_out(self, before: Mapping[Key, Value], choices: Choices) -> Values | None:
        one, model = self.operation, Model(is_partial=True)
        for (database, key), value in before.items():
            model.selected = database
            model.put(key, value)
        model.selected = one.database
        replies = [model.run(args, one.told(place), choices) for place, args in enumerate(one.commands)]
        if one.is_known and not agrees(replies if one.is_transaction else replies[0], one.reply):
            return None
        after = model.contents()
        return tuple([after[key][0] if key in after else None for key in self.keys])


@attrs.frozen
class Progress:
    """How far an attempt has come: which operations are done, and the values then."""

    first: int
    """All answered operations before it are done."""
    window: int
    """A bit for each answered operation from `first` on that is done."""
    unknown: int
    """A bit for each unanswered operation that has taken effect."""
    values: Values


class Search:
    """One search; `run` it once."""

    def __init__(self, moves: Sequence[Move], width: int, budget: int) -> None:
        """`width` is the component's number of keys, `budget` the most attempts to place an operation."""
        ordered = sorted(moves, key=lambda move: move.operation.called)
        self._known = [move for move in ordered if move.operation.is_known]
        self._unknown = [move for move in ordered if not move.operation.is_known]
        self._nothing: Values = (None,) * width
        self._readers = self._find_readers()
        self._budget = budget
        self.steps = 0

    def _find_readers(self) -> dict[tuple[int, Value], list[int]]:
        """Answered operations by the value that they must find, if it can be there only once."""
        needs = [list(needs_of(move.operation)) for move in self._known]
        every = [move.operation for move in (*self._known, *self._unknown)]
        once = written_once(every, chain.from_iterable(needs))
        readers: dict[tuple[int, Value], list[int]] = {}
        for number, (move, mine) in enumerate(zip(self._known, needs, strict=True)):
            for key, value in mine:
                if (key, value) in once:
                    place = move.places[move.keys.index(key)]
                    readers.setdefault((place, value), []).append(number)
        return readers

    def _is_dead(self, before: Values, after: Progress) -> bool:
        """Whether a value is overwritten that never comes again, and that an operation to come has found."""
        for place, (old, new) in enumerate(zip(before, after.values, strict=True)):
            if old is not None and old != new:
                for number in self._readers.get((place, old), ()):
                    behind = number - after.first
                    if behind >= 0 and not after.window >> behind & 1:
                        return True
        return False

    def run(self) -> bool | None:
        """Whether there is an order; None: out of budget."""
        begun = self._absorb(Progress(0, 0, 0, self._nothing))
        seen = {begun}
        stack = [(begun, iter(self._following(begun)))]
        while stack:
            reached, choices = stack[-1]
            if reached.first == len(self._known):
                return True
            if self.steps > self._budget:
                return None
            following = next(choices, None)
            if following is None:
                stack.pop()
                continue
            following = self._absorb(following)
            if following not in seen:  # Lowe's memory: what led here before leads nowhere else now
                seen.add(following)
                stack.append((following, iter(self._following(following))))
        return False

    def _window(self, reached: Progress) -> tuple[list[int], int]:
        """Answered operations that may come next, and the time of the first answer among those left."""
        known, found = self._known, []
        deadline: int | None = None
        for place in range(reached.first, len(known)):
            one = known[place].operation
            if deadline is not None and one.called > deadline:
                break
            if not reached.window >> (place - reached.first) & 1:
                found.append(place)
                assert one.returned is not None
                deadline = one.returned if deadline is None else min(deadline, one.returned)
        assert deadline is not None
        return [place for place in found if known[place].operation.called <= deadline], deadline

    def _absorb(self, reached: Progress) -> Progress:
        """Take all operations that may come next and change nothing: to wait would not help them.

        It might help one that repeats what is there already: in a later place it hides what others wrote.
        """
        while reached.first < len(self._known):
            places, _ = self._window(reached)
            self.steps += len(places)
            taken = [
                place
                for place in places
                if self._known[place].after(reached.values) is reached.values
                and not self._known[place].repeats
            ]
            if not taken:
                break
            for place in taken:
                reached = self._with(reached, place, reached.values)
        return reached

    def _with(self, reached: Progress, place: int, values: Values) -> Progress:
        """The progress after answered operation `place`, which leaves `values`."""
        first, window = reached.first, reached.window | 1 << (place - reached.first)
        while window & 1:
            first, window = first + 1, window >> 1
        return Progress(first, window, reached.unknown, values)

    def _following(self, reached: Progress) -> list[Progress]:
        """The steps that may come next, the likeliest first."""
        if reached.first == len(self._known):
            return []
        places, deadline = self._window(reached)
        places.sort(key=lambda place: self._known[place].operation.returned or 0)
        self.steps += len(places)
        found = [
            after
            for place in places
            if (values := self._known[place].after(reached.values)) is not None
            and not self._is_dead(reached.values, after := self._with(reached, place, values))
        ]
        useful: list[Progress] = []
        others: list[Progress] = []
        tried: dict[object, None] = {}
        for number, move in enumerate(self._unknown):
            one = move.operation
            if one.called > deadline:
                break
            alike = (one.database, one.commands, one.expected)
            if reached.unknown >> number & 1 or alike in tried:
                continue
            tried[alike] = None
            self.steps += 1
            for values in move.outcomes(reached.values):
                if values == reached.values:
                    continue
                after = Progress(reached.first, reached.window, reached.unknown | 1 << number, values)
                if self._is_dead(reached.values, after):
                    continue
                helps = any(self._known[place].after(values) is not None for place in places)
                (useful if helps else others).append(after)
        return found + useful + others
