"""Which buckets of a database have changed, and the hashes of those that have not: the digest's memory.

None of it is state. A bucket is hashed in parts, because it may be long: whoever prepares a digest does some
of them at a time. A write to a bucket makes void what was begun of it.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final, TypeAlias

from trikv.machine.split import Bucket

Hasher: TypeAlias = Callable[[Bucket], Iterator[bytes | None]]
"""Hashes one bucket, the order of its keys included: None after each part of the work, and at last the hash,
which is the same for equal keys and entries in one order."""

ALL: Final = 2**62
"""More parts than there can be."""


class BucketHashes:
    """The hashes of the buckets of one database."""

    __slots__ = ("_begun", "_is_new", "_joined", "_known", "_number", "_voids", "changed")

    def __init__(self, number: int, buckets: int, *, hashed: bool = True) -> None:
        """Of database `number` with so many buckets, which are empty; or, if not `hashed`, hold anything."""
        self._number = number
        self.changed = bytearray(buckets) if hashed else bytearray(b"\1") * buckets
        """1 for each bucket that was written to since its hash was begun; writes put it there. No set: that
        would not stay in the processor's cache."""
        self._is_new = not hashed
        """No bucket was looked at. Then an empty one is as if it had not changed."""
        self._known: dict[int, bytes] = {}
        """Of filled buckets that were hashed, as they were, behind the numbers of database and bucket."""
        self._joined: bytes | None = b""
        """What `of_all` answers, if all of it is known."""
        self._begun: tuple[int, Iterator[bytes | None]] | None = None
        """The bucket that is being hashed, and the parts that are left."""
        self._voids: dict[int, int] = {}
        """For each bucket without a hash: how often a write has made void what was begun of it."""

    def of_all(self, buckets: Sequence[Bucket], hasher: Hasher) -> bytes:
        """Those of all filled `buckets` in order, each behind the numbers of database and bucket.

        Only what has changed since the last call is hashed.
        """
        self.some(buckets, hasher, ALL)
        return self.joined()

    def renumber(self, number: int) -> None:
        """They are those of database `number` from now on."""
        self._number = number
        self._joined = None
        for bucket, known in self._known.items():
            self._known[bucket] = b"%d %b" % (number, known.partition(b" ")[2])

    @property
    def is_known(self) -> bool:
        """Whether no bucket is left to be hashed."""
        return self._begun is None and self.changed.find(1) < 0

    def joined(self) -> bytes:
        """What `of_all` answers, if all of it is known. It takes 0.3 to 0.5 ms to put the hashes together."""
        if self._joined is None:
            self._joined = b"".join(map(self._known.__getitem__, sorted(self._known)))
        return self._joined

    def some(self, buckets: Sequence[Bucket], hasher: Hasher, parts: int) -> int:
        """Hash up to `parts` parts of changed `buckets` ahead of `of_all`; return how many it were.

        They are more of a bucket that a write has made void again and again.
        """
        done = 0
        if self._is_new:  # or each empty one would be looked at by itself, which takes a millisecond
            self._is_new = False
            self.changed[:] = bytes(map(bool, buckets))
        while done < parts and (begun := self._going_on(buckets, hasher)) is not None:
            number, rest = begun
            # Twice as many each time, or a long bucket with a key that is written to all the time never ends.
            room = min((parts - done) << self._voids.get(number, 0), ALL)
            try:
                for made in islice(rest, room):
                    done += 1
                    if made is not None:
                        self._known[number] = b"%d %d %b" % (self._number, number, made)
                        self._voids.pop(number, None)
                        self._begun = None
            except BaseException:
                self.changed[number] = 1  # a generator that has failed gives nothing more, and no hash
                raise
        return done

    def _going_on(
        self, buckets: Sequence[Bucket], hasher: Hasher
    ) -> tuple[int, Iterator[bytes | None]] | None:
        """The bucket that was begun, unless a write has changed it since; or else the next changed one."""
        last = -1 if self._begun is None else self._begun[0]
        if last < 0 or self.changed[last]:
            self._begun = None
            if last >= 0:
                self._voids[last] = self._voids.get(last, 0) + 1
            # From there on: a bucket that changes all the time must not keep the others waiting.
            number = self._next_changed(last + 1)
            while number >= 0 and not buckets[number]:
                self.changed[number] = 0
                self._known.pop(number, None)
                self._voids.pop(number, None)
                self._joined = None
                number = self._next_changed(number + 1)
            if number >= 0:
                self.changed[number] = 0
                self._joined = None
                self._begun = number, hasher(buckets[number])
        return self._begun

    def _next_changed(self, start: int) -> int:
        """The first changed bucket from `start` on, round the end; -1 for none."""
        number = self.changed.find(1, start)
        return number if number >= 0 else self.changed.find(1, 0, start)
