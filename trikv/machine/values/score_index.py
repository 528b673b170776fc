"""The members of a sorted set in the order of their scores; members of one score in that of their bytes.

It is derived: a restored set makes it again, and nothing of the state depends on how it is divided. Its
chunks are two rows, of scores and of members, as they lie in order. A chunk is copied before its first change
if another index may have it, like a part (`trikv.machine.values.value`).

A member is found by bisection: first among the chunks, by what each begins with, then inside one. A rank is
the sum of what comes before: of whole blocks of chunks, of chunks, and inside one. Of a million elements, it
takes 60 additions on average for either.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from math import inf
from typing import Any, Final, TypeAlias

from trikv.machine.values import quick, quick_order

Pair: TypeAlias = tuple[float, bytes]

CHUNK_COUNT: Final = 256
"""A chunk of more elements is divided."""
_FILLED_COUNT: Final = CHUNK_COUNT // 2
"""Of a chunk that is made of pairs in order."""
BLOCK_CHUNKS: Final = 64
"""The chunks of a block; the last block may have fewer."""


class ScoreIndex:
    """Pairs of score and member in order."""

    __slots__ = ("blocks", "counts", "first_members", "first_scores", "members", "own", "scores")

    def __init__(self) -> None:
        self.scores = [array("d")]
        """By chunk."""
        self.members: list[list[bytes]] = [quick.untrack([])]
        self.counts = array("q", [0])
        self.blocks = array("q", [0])
        """The sums of `counts` by block."""
        self.first_scores = array("d", [-inf])
        """By chunk, what it begins with; the first one begins with whatever is least. In a list each number
        would be an object somewhere in memory, and a bisection would wait for a dozen of them."""
        self.first_members = [b""]
        self.own = [True]
        """By chunk: whether no other index has it."""

    @classmethod
    def of(cls, pairs: Iterable[Pair]) -> "ScoreIndex":
        """Of pairs that are in order."""
        index = cls()
        for _ in index.fill([list(pairs)]):
            pass
        return index

    def fill(self, rows: Iterable[list[Pair]]) -> Iterator[None]:
        """Put pairs into an index that has none, a step for each row.

        Each row is in order, and comes before those that were given before it. Nobody may look at the index
        before the last step.
        """
        for table in self._tables():
            del table[:]
        rest: list[Pair] = []
        for row in rows:
            rest = row + rest
            for end in range(len(rest), _FILLED_COUNT - 1, -_FILLED_COUNT):
                self._append(rest[end - _FILLED_COUNT : end])
            del rest[len(rest) % _FILLED_COUNT :]
            yield
        if rest:
            self._append(rest)
        if not self.counts:
            self._become_empty()
            return
        for table in self._tables():
            table.reverse()
        self._sum_up(0)
        self._begin_least()

    def _tables(self) -> "tuple[list[Any] | array[Any], ...]":
        """All that has a place for each chunk."""
        return self.scores, self.members, self.counts, self.first_scores, self.first_members, self.own

    def _become_empty(self) -> None:
        empty = ScoreIndex()
        for name in self.__slots__:
            setattr(self, name, getattr(empty, name))

    def _begin_least(self) -> None:
        """Another chunk is the first one."""
        self.first_scores[0], self.first_members[0] = -inf, b""

    def _append(self, pairs: list[Pair]) -> None:
        """Put a chunk behind the others, but for what the blocks count."""
        first_score, first_member = pairs[0]
        self.scores.append(array("d", [score for score, _ in pairs]))
        self.members.append(quick.untrack([member for _, member in pairs]))
        self.counts.append(len(pairs))
        self.first_scores.append(first_score)
        self.first_members.append(first_member)
        self.own.append(True)

    def twin(self) -> "ScoreIndex":
        """Another one, which shares all chunks, until one of both changes them."""
        self.own = [False] * len(self.counts)
        twin = ScoreIndex()
        twin.scores, twin.members = self.scores.copy(), self.members.copy()
        twin.counts, twin.blocks = self.counts[:], self.blocks[:]
        twin.first_scores, twin.first_members = self.first_scores[:], self.first_members.copy()
        twin.own = [False] * len(self.counts)
        return twin

    # What may be asked. Ranks count from 0.

    def first(self) -> Pair:
        """The first pair; there must be one."""
        return self.scores[0][0], self.members[0][0]

    def rank(self, score: float, member: bytes) -> int:
        """How many pairs come before that one."""
        chunk = self._chunk(score, member)
        return self._before(chunk) + self._place(chunk, score, member)

    def rank_of_score(self, score: float, *, behind: bool) -> int:
        """How many pairs have a lesser score; with `behind`, or the same one."""
        chunk = max(quick_order.bisect(self.first_scores, score, behind) - 1, 0)
        return self._before(chunk) + quick_order.bisect(self.scores[chunk], score, behind)

    def rank_of_member(self, member: bytes, *, behind: bool) -> int:
        """How many members come before that one, or before what follows it, if all have one score.

        If they have several, the order is not that of the members, and the answer is some number. It is the
        same for the same pairs, whatever the chunks: so it is looked for by rank.
        """
        first, last = 0, sum(self.blocks)
        while first < last:
            middle = (first + last) // 2
            chunk, at = self._find(middle)
            other = self.members[chunk][at]
            if other < member or (behind and other == member):
                first = middle + 1
            else:
                last = middle
        return first

    def span_back(self, first: int, last: int) -> Iterator[list[Pair]]:
        """The pairs of `span` from the last to the first."""
        if first >= last:
            return
        left = last - first
        chunk, end = self._find(last - 1)
        while left > 0:
            at = max(end + 1 - left, 0)
            pairs = zip(self.scores[chunk][at : end + 1], self.members[chunk][at : end + 1], strict=True)
            yield list(pairs)[::-1]
            left -= end + 1 - at
            chunk -= 1
            end = self.counts[chunk] - 1

    def span(self, first: int, last: int) -> Iterator[list[Pair]]:
        """The pairs of ranks from `first` to before `last`, in steps, in order."""
        left = last - first
        if left <= 0:
            return
        chunk, at = self._find(first)
        while left > 0:
            scores, members = self.scores[chunk][at : at + left], self.members[chunk][at : at + left]
            yield list(zip(scores, members, strict=True))
            left -= len(members)
            chunk, at = chunk + 1, 0

    # What changes it.

    def add(self, score: float, member: bytes) -> None:
        """Put a pair that is not there."""
        chunk = self._chunk(score, member)
        at = self._place(chunk, score, member)
        scores, members = self._writable(chunk)
        scores.insert(at, score)
        members.insert(at, member)
        self.counts[chunk] += 1
        self.blocks[chunk // BLOCK_CHUNKS] += 1
        self._begins(chunk, at)
        if len(members) > CHUNK_COUNT:
            self._divide(chunk)

    def remove(self, score: float, member: bytes) -> bytes:
        """Take out a pair that is there; returns its member, the object that was put."""
        chunk = self._chunk(score, member)
        scores, members = self._writable(chunk)
        at = quick_order.bisect(scores, score, False)
        if members[at] != member:  # others have the same score
            at = bisect_left(members, member, at, quick_order.bisect(scores, score, True))
        put = members[at]
        self._delete(chunk, at, at + 1)
        return put

    def move_each(self, members: list[bytes], olds: list[float | None], scores: list[float]) -> None:
        """Give each of these its score: different members; `olds` are the scores they have, None without one.

        In their order, because it decides where chunks are divided. No score is a negative zero.
        """
        at = 0
        while (at := quick_order.move(self, members, olds, scores, at)) < len(members):
            self.move(members[at], olds[at], scores[at])
            at += 1

    def move(self, member: bytes, old: float | None, score: float) -> None:
        """Give one member its score. `old`: the one that it has, or None if it is not there."""
        if old is not None:
            member = self.remove(old, member)  # its part has the same object, and goes on to have it
        self.add(score, member)

    def take(self, first: int, last: int) -> "tuple[array[float], list[bytes]]":
        """Take out the pairs of ranks from `first` to before `last`; their scores and members, in order."""
        scores, members = array("d"), list[bytes]()
        while (left := last - first - len(members)) > 0:
            chunk, at = self._find(first)
            behind = self._behind_whole(chunk, left) if not at else chunk
            for whole in range(chunk, behind):
                scores += self.scores[whole]
                members += self.members[whole]
            if behind > chunk:
                self._drop(chunk, behind)
                continue
            end = min(at + left, self.counts[chunk])
            scores += self.scores[chunk][at:end]
            members += self.members[chunk][at:end]
            self._delete(chunk, at, end)
        return scores, members

    # How.

    def _before(self, chunk: int) -> int:
        """How many pairs are in the chunks before that one."""
        block = chunk // BLOCK_CHUNKS
        before = quick_order.total(self.blocks, 0, block)
        return before + quick_order.total(self.counts, block * BLOCK_CHUNKS, chunk)

    def _find(self, rank: int) -> tuple[int, int]:
        """The chunk of the pair of that rank, which is there, and its place in it."""
        block, rank = quick_order.find(self.blocks, 0, rank)
        return quick_order.find(self.counts, block * BLOCK_CHUNKS, rank)

    def _sum_up(self, chunk: int) -> None:
        """The chunks from that one on are others, or have other places."""
        block = chunk // BLOCK_CHUNKS
        starts = range(block * BLOCK_CHUNKS, len(self.counts), BLOCK_CHUNKS)
        last = len(self.counts)
        sums = [quick_order.total(self.counts, at, min(at + BLOCK_CHUNKS, last)) for at in starts]
        self.blocks[block:] = array("q", sums)

    def _chunk(self, score: float, member: bytes) -> int:
        """The chunk that such a pair is in, or would be put into."""
        firsts = self.first_scores
        chunk = quick_order.bisect(firsts, score, True) - 1
        if chunk > 0 and firsts[chunk] == score:  # one score may go over several chunks
            least = quick_order.bisect(firsts, score, False)
            chunk = max(bisect_right(self.first_members, member, least, chunk + 1) - 1, 0)
        return max(chunk, 0)

    def _place(self, chunk: int, score: float, member: bytes) -> int:
        """Where it is there, or would be."""
        scores = self.scores[chunk]
        least = quick_order.bisect(scores, score, False)
        if least == len(scores) or scores[least] != score:  # nearly always, if it is new
            return least
        return bisect_left(self.members[chunk], member, least, quick_order.bisect(scores, score, True))

    def _writable(self, chunk: int) -> "tuple[array[float], list[bytes]]":
        if not self.own[chunk]:
            self.scores[chunk] = self.scores[chunk][:]
            self.members[chunk] = quick.untrack(self.members[chunk].copy())
            self.own[chunk] = True
        return self.scores[chunk], self.members[chunk]

    def _delete(self, chunk: int, first: int, last: int) -> None:
        """Take out what is from `first` to before `last` in a chunk; it goes if nothing is left."""
        scores, members = self._writable(chunk)
        del scores[first:last], members[first:last]
        self.counts[chunk] -= last - first
        self.blocks[chunk // BLOCK_CHUNKS] -= last - first
        if members:
            self._begins(chunk, first)
        else:
            self._drop(chunk, chunk + 1)

    def _behind_whole(self, chunk: int, count: int) -> int:
        """Behind those chunks, from that one on, that have so many pairs at most."""
        while chunk < len(self.counts) and self.counts[chunk] <= count:
            count -= self.counts[chunk]
            chunk += 1
        return chunk

    def _drop(self, first: int, last: int) -> None:
        """Take out the chunks from `first` to before `last`."""
        if last - first == len(self.counts):
            self._become_empty()
            return
        for table in self._tables():
            del table[first:last]
        self._sum_up(first)
        if not first:
            self._begin_least()

    def _begins(self, chunk: int, changed: int) -> None:
        """What is at `changed` in a chunk is another pair now."""
        if not changed and chunk:
            self.first_scores[chunk], self.first_members[chunk] = (
                self.scores[chunk][0],
                self.members[chunk][0],
            )

    def _divide(self, chunk: int) -> None:
        """Make two chunks of one."""
        half = CHUNK_COUNT // 2
        scores, members = self.scores[chunk], self.members[chunk]
        self.scores.insert(chunk + 1, scores[half:])
        self.members.insert(chunk + 1, quick.untrack(members[half:]))
        del scores[half:], members[half:]
        self.counts[chunk] = half
        self.counts.insert(chunk + 1, len(self.members[chunk + 1]))
        self._sum_up(chunk)
        self.first_scores.insert(chunk + 1, self.scores[chunk + 1][0])
        self.first_members.insert(chunk + 1, self.members[chunk + 1][0])
        self.own.insert(chunk + 1, True)
