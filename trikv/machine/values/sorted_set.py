"""A sorted set: members, each with a score, in the order of the scores."""

from collections.abc import Iterator
from math import inf, isnan
from typing import Any, Final, Self

import msgspec

from trikv.machine.numerics import double_text
from trikv.machine.values.members import Members, pairs
from trikv.machine.values.ordering import in_order
from trikv.machine.values.score_index import ScoreIndex
from trikv.machine.values.value import Elements

SCORED_BYTES: Final = 128
"""What a member in parts is charged besides its bytes: two objects, its places in a dict and in the index."""

_INFINITE: Final = {inf: b"inf", -inf: b"-inf"}
"""JSON has no such numbers."""
_FINITE: Final = {text: number for number, text in _INFINITE.items()}

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[float, bytes]]).decode


class SortedSet(Members):
    """The value of a key of type zset. A member's score belongs to it; `index` has both in order."""

    __slots__ = ("index",)

    type_name = "zset"
    code = 4
    names_each = 2
    fixed_bytes = SCORED_BYTES

    def __init__(self, epoch: int, secret: bytes) -> None:
        super().__init__(epoch, secret)
        self.index = ScoreIndex()

    @property
    def encoding_name(self) -> str:
        """As Redis' would be called."""
        return "listpack" if self.is_small else "skiplist"

    def elements(self, part: dict[bytes, float]) -> Elements:
        """Members and scores in turns."""
        return [each for member, score in part.items() for each in (member, _INFINITE.get(score, score))]

    def restore(self, elements: Elements) -> None:
        """As `Value.restore`."""
        part = {member: _score(given) for member, given in pairs(elements).items()}
        self.restored(part, len(elements) // 2)
        for (
            member,
            score,
        ) in part.items():  # not sorted at the end: that is one step of a second for a million
            self.index.add(score, member)

    @classmethod
    def refilling(cls, key: bytes, elements: Elements) -> Iterator[tuple[bytes, ...]]:
        """As `Value.refilling`: scores in the text that reads back as the same double."""
        scored = pairs(elements).items()
        yield (
            b"ZADD",
            key,
            *(each for member, given in scored for each in (double_text(_score(given)), member)),
        )

    @classmethod
    def opened(cls, body: bytes, epoch: int, secret: bytes) -> Self:
        """As `Value.opened`."""
        one = cls(epoch, secret)
        in_order = _decode(body)
        one.parts[0] = {member: score for score, member in in_order}
        one.index = ScoreIndex.of(in_order)
        one.count = len(in_order)
        return one

    def pack(self) -> bytes:
        """As `Value.pack`."""
        return _encode([pair for some in self.index.span(0, self.count) for pair in some])

    def own_tables(self) -> None:
        """As `Value.own_tables`."""
        self.index = self.index.twin()

    def released(self) -> list[Any]:
        """As `Value.released`. The index of a million members takes 13 ms to be freed in one piece."""
        return super().released() + self.index.members

    def put(self, member: bytes, belonging: float) -> bool:
        """As `Members.put`. A negative zero becomes zero: they are equal, but their bytes are not."""
        return self.put_each([member], [belonging])[0]

    def put_each(self, members: list[bytes], belongings: list[Any] | None = None) -> list[bool]:
        """As `Members.put_each`, of different members."""
        assert belongings is not None, "a member has a score"
        assert len({*members}) == len(members), "each once, or the order would have two of one"
        return self.score_each(members, self.get_each(members), belongings)

    def score_each(self, members: list[bytes], olds: list[float | None], scores: list[float]) -> list[bool]:
        """`put_each`, for who knows `olds`: what `get_each` says of these members."""
        scores = [score + 0.0 for score in scores]
        fresh = self.put_each_by(super().put, members, scores)
        self.index.move_each(members, olds, scores)
        return fresh

    def remove_at(self, place: int, member: bytes) -> Any:
        """As `Members.remove_at`."""
        score = super().remove_at(place, member)
        self.index.remove(score, member)
        return score

    def take_over(self, gathered: "Gathered") -> Iterator[None]:
        """Become the sorted set of what was gathered, in steps. Nobody may look at it before the last."""
        self.parts, self.owners, self.hashes = gathered.parts, gathered.owners, gathered.hashes
        self.level, self.split = gathered.level, gathered.split
        self.count, self.charge, self.is_small = gathered.count, gathered.charge, gathered.is_small
        rows = ([(score, member) for member, score in part.items()] for part in self.parts)
        yield from self.index.fill(in_order(rows))

    def take(self, first: int, last: int) -> list[tuple[float, bytes]]:
        """Take out the members of ranks from `first` to before `last`, and return them with their scores."""
        scores, members = self.index.take(first, last)
        self.remove_each(members)
        return list(zip(scores, members, strict=True))

    def cut(self, first: int, last: int) -> None:
        """Take out the members of ranks from `first` to before `last`."""
        self.remove_each(self.index.take(first, last)[1])


class Gathered(SortedSet):
    """What is to become a sorted set: it keeps no order, and so is filled in a part of the time.

    Its scores are no negative zeros.
    """

    __slots__ = ()

    put = Members.put
    put_each = Members.put_each
    remove_at = Members.remove_at


def _score(given: object) -> float:
    """A score of a document. Raises ValueError."""
    if isinstance(given, bytes):
        given = _FINITE.get(given)
    if not isinstance(given, float | int) or isnan(given):
        raise ValueError("a score is no number")
    return float(given)
