"""A bucket of many keys, in several dicts: keys made for one bucket stall nobody (PROTOCOL 67).

crc32 chooses a key's bucket and has no secret, so anybody can make any number of keys for one bucket, even
with one and the same crc32. What goes over a bucket in one step (a cut that copies it, a digest, a page of
SCAN) would then take as long as the maker likes. So a bucket that is full (`LEAF_KEYS_MAX`) becomes a `Split`
when another key comes: its dicts, the leaves, take the part in those steps that a bucket has elsewhere.

Leaves are numbered by generations. The first generation is one leaf, the dict that the bucket was; the second
has 16, the third 256, and so on. A hash that is keyed by a secret of the cluster says which leaf of each
generation a key may be in. A new key goes to the first of these that has room, and stays there. So no write
ever moves a key: to divide a full dict would take milliseconds, and a pipeline could have it done to hundreds
of buckets at once. A look-up tries one leaf a generation.

Which leaf a key is in follows from history and decides the order of keys, so it is state: `shape` says it.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import chain, islice, repeat
from sys import getsizeof
from typing import Final, TypeAlias

from trikv.machine.stored import Held

Leaf: TypeAlias = dict[bytes, Held]

LEAF_KEYS_MAX: Final = 2048
"""Keys of one leaf. To copy so many takes 30 us, to hash them 2 ms. A database of eight million keys has as
many in each bucket."""
SHRINK_KEYS: Final = 64
"""A dict never gives memory back when keys go. So each time that many are gone, a copy takes its place."""
GENERATION_BITS: Final = 4
"""Each generation has 16 times the leaves of the one before."""
GENERATIONS: Final = 6
"""The last has no limit of keys: to fill all that is in front of it, who does not know the secret has to try
some thousand million keys."""
HASH_BITS: Final = GENERATION_BITS * (GENERATIONS - 1)

_WAYS: Final = tuple(
    (
        ((1 << GENERATION_BITS * number) - 1) // ((1 << GENERATION_BITS) - 1),
        HASH_BITS - GENERATION_BITS * number,
    )
    for number in range(GENERATIONS)
)
"""By generation: the number of its first leaf; by how much a key's hash is shifted to choose one of them."""
_LATER: Final = _WAYS[1:]
LEAVES_MAX: Final = _WAYS[-1][0] + (1 << HASH_BITS)


def secret_hash(secret: bytes, key: bytes) -> int:
    """`HASH_BITS` that nobody can foresee who does not know the cluster's `secret`."""
    return int.from_bytes(blake2b(key, digest_size=4, key=secret).digest(), "big") >> 32 - HASH_BITS


class Split:
    """The part of a dict that a bucket needs. Writes change this object, and leaves that are its own."""

    __slots__ = ("_coming", "_count", "_own", "_secret", "hashes", "leaves", "numbers")

    def __init__(self, secret: bytes, leaves: dict[int, Leaf]) -> None:
        """`leaves`, by their numbers, become its own."""
        self._secret = secret
        self.leaves = leaves
        """None is empty. They are only read."""
        self.numbers = sorted(leaves)
        """Of the leaves, in their order."""
        self.hashes: dict[int, bytes] = {}
        """What the digest has computed of leaves that were not changed since. Not state."""
        self._own = set(leaves)
        """Leaves that no copy shares. A write to another one puts a copy in its place. Not state."""
        self._count = sum(map(len, leaves.values()))
        self._coming: Iterator[int] = iter(())
        """The leaves of the keys that are still to be restored."""

    @classmethod
    def of_shape(cls, shape: Iterable[tuple[int, int]], secret: bytes) -> "Split":
        """An empty one, to be filled by `restore`. Raises ValueError if `shape` is not of this form."""
        split = cls(secret, {})
        pairs = list(shape)
        if any(not 0 <= number < LEAVES_MAX or size < 0 for number, size in pairs):
            raise ValueError("a split bucket has no such leaf")
        split._coming = chain.from_iterable(repeat(number, size) for number, size in pairs)
        return split

    def copy(self) -> "Split":
        """Another one of the same keys. Both share the leaves, and each copies one before it changes that."""
        twin = Split(self._secret, self.leaves.copy())
        twin.hashes = self.hashes.copy()
        twin._own.clear()
        self._own.clear()
        return twin

    # What may be asked.

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: bytes) -> bool:
        return self._find(key)[1]

    def __getitem__(self, key: bytes) -> Held:
        one = self.get(key)
        if one is None:
            raise KeyError(key)
        return one

    def __iter__(self) -> Iterator[bytes]:
        return chain.from_iterable(self.in_order())

    def __sizeof__(self) -> int:
        """The memory of its tables, without the leaves."""
        tables = (self.leaves, self.numbers, self.hashes, self._own)
        return object.__sizeof__(self) + sum(map(getsizeof, tables))

    def get(self, key: bytes) -> Held | None:
        """As of a dict."""
        number, is_there = self._find(key)
        return self.leaves[number][key] if is_there else None

    def items(self) -> Iterator[tuple[bytes, Held]]:
        """As of a dict, leaf by leaf."""
        return chain.from_iterable(map(dict.items, self.in_order()))

    def in_order(self, first: int = 0) -> list[Leaf]:
        """Its leaves from that number on."""
        return [
            self.leaves[number] for number in islice(self.numbers, bisect_left(self.numbers, first), None)
        ]

    def copied_bytes(self, key: bytes, twin: "Split") -> int:
        """The memory that the next write of `key` takes because `twin` holds the same leaf."""
        number, _ = self._find(key)
        leaf = self.leaves.get(number)
        return getsizeof(leaf) if leaf is not None and leaf is twin.leaves.get(number) else 0

    def shape(self) -> list[tuple[int, int]]:
        """Number and size of each leaf."""
        return [(number, len(self.leaves[number])) for number in self.numbers]

    def undivided(self) -> Leaf | None:
        """All keys in one dict, if no leaf of a later generation is left: the bucket is that from now on."""
        if self.numbers not in ([], [0]):
            return None
        return self._writable(0) if self.numbers else {}

    # What changes it.

    def __setitem__(self, key: bytes, one: Held) -> None:
        number, is_there = self._find(key)
        if not is_there:
            self._count += 1
        self._writable(number)[key] = one

    def __delitem__(self, key: bytes) -> None:
        number, is_there = self._find(key)
        if not is_there:
            raise KeyError(key)
        leaf = self._writable(number)
        del leaf[key]
        self._count -= 1
        if not leaf:
            del self.leaves[number], self.numbers[bisect_left(self.numbers, number)]
            self._own.discard(number)
        elif not len(leaf) % SHRINK_KEYS:
            self.leaves[number] = leaf.copy()

    def restore(self, key: bytes, one: Held) -> None:
        """Put the next key of a document. Raises ValueError if its shape has no place for it."""
        number = next(self._coming, None)
        hashed = secret_hash(self._secret, key)
        if number not in {first + (hashed >> shift) for first, shift in _WAYS}:
            raise ValueError("a key has no place in its split bucket")
        assert number is not None, "it is one of these"
        self._count += 1
        self._writable(number)[key] = one

    # How.

    def _find(self, key: bytes) -> tuple[int, bool]:
        """The number of the leaf that `key` is in, and True; or of the one that it would go to, and False."""
        leaves = self.leaves
        leaf = leaves.get(0)
        if leaf is not None and key in leaf:
            return 0, True
        has_room = leaf is None or len(leaf) < LEAF_KEYS_MAX
        number = room = 0
        last = self.numbers[-1] if self.numbers else 0
        hashed = secret_hash(self._secret, key)
        for first, shift in _LATER:
            number = first + (hashed >> shift)
            leaf = leaves.get(number)
            if leaf is not None and key in leaf:
                return number, True
            if not has_room and (leaf is None or len(leaf) < LEAF_KEYS_MAX):
                has_room, room = True, number
            if has_room and first > last:
                break  # there is no leaf of a later generation
        return room if has_room else number, False

    def _writable(self, number: int) -> Leaf:
        """The leaf of that number, to be changed now."""
        self.hashes.pop(number, None)
        leaf = self.leaves.get(number)
        if leaf is not None and number in self._own:
            return leaf
        if leaf is None:
            insort(self.numbers, number)
        self.leaves[number] = leaf = {} if leaf is None else leaf.copy()
        self._own.add(number)
        return leaf


Bucket: TypeAlias = Leaf | Split
"""What a database holds in a bucket: one dict, nearly always."""


def leaves_of(bucket: Bucket) -> list[Leaf]:
    """The dicts of a bucket, in order. Those of a `Split` stay as they are now, whatever is written later."""
    return [bucket] if isinstance(bucket, dict) else bucket.copy().in_order()
