"""A value that is no string: the one protocol between a type and the rest of the machine.

**Two forms.** A value of few short elements is kept *packed*, in one immutable `bytes`; any other one *in
parts*. A handler meets only the second: a packed value is opened before it is looked at or changed, and what
a command leaves is packed again if it may be. A value that was in parts once stays in parts, so the form
follows from the commands alone. It is state: what is charged and told depends on it.

**Cuts.** A cut (a snapshot being written, a long read) shows the state of one instant while writes go on. It
raises the account's epoch. Each part knows the epoch in which it was made, and a write changes a part in
place only if that is the value's own; else it changes a copy. The header is forked in the same way. So the
first write after a cut costs a copy of references and of one part, and the cut keeps what it saw.

**Digests.** A part keeps its hash until it changes, so that a digest costs what was changed, and can be
prepared in steps.

**The account.** `Value.charge` is kept by the type with every change, and is a function of the elements and
the shape alone: a replica that was restored has the same.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from copy import copy
from hashlib import blake2b
from typing import Any, ClassVar, Final, Self, TypeAlias

import msgspec

from trikv.machine.values.score_index import ScoreIndex

PACKED_COUNT_MAX: Final = 128
"""Most elements of a packed value, as of Redis' listpacks; so OBJECT ENCODING follows from the form."""
PACKED_ELEMENT_BYTES_MAX: Final = 64
"""And the bytes of the longest."""

Shape: TypeAlias = tuple[int, ...]
"""Numbers that decide, with the parts, all that a type does: which part is split next, and the like."""
Elements: TypeAlias = list[Any]
"""The contents of a part as MessagePack and JSON know them. Bytes are in them as they are."""

HASH_BYTES: Final = 16
_SHARED: Final = -1
"""An epoch in which nobody makes a part: whoever changes such a part changes a copy."""

_encode = msgspec.msgpack.Encoder().encode


class Packed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A small value, as a bucket holds it."""

    code: int
    """`Value.code` of its type."""
    body: bytes
    """Its elements, as `Value.pack` makes them."""


_types: dict[int, "type[Value]"] = {}
"""By `Value.code`."""


class Value(ABC):
    """The header of a value in parts. Subclasses add what they need to find an element's part."""

    __slots__ = (
        "charge",
        "charged",
        "count",
        "deadlines",
        "epoch",
        "hashes",
        "indexed",
        "is_small",
        "own_from",
        "owners",
        "parts",
        "secret",
    )

    type_name: ClassVar[str]
    """What TYPE answers, and the document calls it."""
    code: ClassVar[int] = 0
    """Marks its packed values, from 1 to 7; 0 for a type that has none."""
    names_each: ClassVar[int] = 1
    """How many in a row of `elements` are about one element: 2 if something belongs to each."""

    def __init_subclass__(cls) -> None:
        """A class that gives a code is the type of that code."""
        if "code" in vars(cls):
            assert cls.code not in _types, f"{cls.__name__}: {_types[cls.code].__name__} has its code"
            _types[cls.code] = cls

    def __init__(self, epoch: int, secret: bytes) -> None:
        self.secret = secret
        """The cluster's: nobody who does not know it can tell which elements share a part."""
        self.count = 0
        """How many elements there are."""
        self.is_small = bool(self.code)
        """Whether it may be packed: it was never held in parts, and no element is too long."""
        self.epoch = epoch
        """The epoch in which this header was made."""
        self.own_from = epoch
        """Parts made in this epoch or a later one belong to this header alone."""
        self.charge = 0
        """Bytes that the account charges for the elements and the parts, as they are now."""
        self.charged = 0
        """Bytes that the account was charged when it was last told."""
        self.indexed = 0
        """What `soonest` was when the database was last told."""
        self.deadlines: ScoreIndex | None = None
        """Those of all elements that have one, in ms of log time; None if none has one. Derived."""
        self.parts: list[Any] = []
        self.owners: list[int] = []
        """For each part the epoch in which it was made."""
        self.hashes: list[bytes | None] = []
        """For each part its hash, None if it has changed since that was last computed."""

    # What a type says.

    @property
    @abstractmethod
    def encoding_name(self) -> str:
        """What OBJECT ENCODING answers."""

    @abstractmethod
    def shape(self) -> Shape:
        """All that decides what this value does, besides what its parts hold; part of document and digest."""

    @abstractmethod
    def elements(self, part: Any) -> Elements:
        """What `part` holds, in its order."""

    @classmethod
    @abstractmethod
    def begun(cls, epoch: int, secret: bytes, shape: Shape) -> Self:
        """A value of that shape whose parts are about to be restored: `restore` for each, then `finish`.

        Raises ValueError if no value has such a shape: the document was edited.
        """

    @abstractmethod
    def restore(self, elements: Elements) -> None:
        """Add the next part. Raises ValueError if no part holds that."""

    @abstractmethod
    def finish(self) -> None:
        """All parts were given. Raises ValueError if they do not make the shape."""

    @classmethod
    @abstractmethod
    def refilling(cls, key: bytes, elements: Elements) -> Iterator[tuple[bytes, ...]]:
        """The commands that add these elements, in this order, to those that `key` has: a load of a backup.

        They are whole elements of any number of parts that follow each other, and at least one. Raises
        ValueError if no part holds that.
        """

    @abstractmethod
    def growth(self, count: int, size: int) -> int:
        """Bytes by which `charge` grows at most if `count` elements of `size` bytes together are added."""

    @abstractmethod
    def recounted(self) -> int:
        """`charge`, computed from the elements and the shape."""

    @classmethod
    @abstractmethod
    def opened(cls, body: bytes, epoch: int, secret: bytes) -> Self:
        """A packed value of a type that has a `code`. Nobody else has it; it knows no `charge` yet."""

    @abstractmethod
    def pack(self) -> bytes:
        """`Packed.body` of a value with one part; `opened` makes an equal one of it."""

    @abstractmethod
    def is_short(self) -> bool:
        """Whether no element is too long to be packed; it looks at all of them."""

    def reap(self, now: int, most: int) -> list[bytes]:  # noqa: ARG002 - of most types nothing is due
        """Take out up to `most` elements that are due at `now`, the earliest first; the strings of them.

        Equal deadlines go by the elements' names.
        """
        return []

    def released(self) -> list[Any]:
        """A list of what is freed piece by piece when the value goes: parts, and others of their size."""
        return self.parts + (self.deadlines.members if self.deadlines is not None else [])

    def copied(self, part: Any) -> Any:
        """A copy of `part` that may be changed; to be overridden if a part is no dict, list or set."""
        return part.copy()

    # What a type does with its parts.

    def add_part(self, part: Any, at: int | None = None) -> None:
        """Put a new part at the end, or in front of the one `at` that place."""
        place = len(self.parts) if at is None else at
        self.parts.insert(place, part)
        self.owners.insert(place, self.epoch)
        self.hashes.insert(place, None)

    def replace_part(self, place: int, part: Any) -> None:
        """Put a new part in place of another."""
        self.parts[place] = part
        self.owners[place] = self.epoch
        self.hashes[place] = None

    def drop_part(self, place: int) -> None:
        """Take a part out. Whoever holds a cut goes on to hold it."""
        del self.parts[place], self.owners[place], self.hashes[place]

    def changing(self, place: int) -> Any:
        """The part at that place, which the caller is about to change: a copy if a cut holds it."""
        self.hashes[place] = None
        part = self.parts[place]
        if self.owners[place] < self.own_from:
            part = self.parts[place] = self.copied(part)
            self.owners[place] = self.epoch
        return part

    # What the machine does with values of any type.

    @classmethod
    def packed_of(cls, elements: Elements) -> Packed:
        """The packed value with these elements. Raises ValueError if there is none."""
        one = cls.begun(0, b"", cls(0, b"").shape())
        one.restore(elements)
        one.finish()
        if not cls.code or not 0 < one.count <= PACKED_COUNT_MAX or not one.is_short():
            raise ValueError("it is not small")
        return Packed(cls.code, one.pack())

    @property
    def soonest(self) -> int:
        """The earliest deadline of an element; 0 if none has one."""
        return 0 if self.deadlines is None else int(self.deadlines.first()[0])

    def packed(self) -> Packed | None:
        """The form of a small value; None for one that has to be in parts, and stays so from now on."""
        return Packed(self.code, self.pack()) if self.is_small else None

    def at_epoch(self, epoch: int) -> Self:
        """The header to change in that epoch: this one, or a fork of it if it belongs to an earlier one.

        A fork shares all parts and takes the place of this one, which whoever holds a cut goes on to hold.
        """
        if epoch == self.epoch:
            self.own_from = epoch
            return self
        return self._forked(epoch)

    def twin(self, epoch: int) -> Self:
        """A value that is equal and shares all parts, until one of both changes them: what COPY makes.

        Both live on, so neither owns a part from now on.
        """
        self.owners = [_SHARED] * len(self.parts)
        return self._forked(epoch)

    def _forked(self, epoch: int) -> Self:
        fork = copy(self)  # all that a type keeps besides parts, whatever it is
        fork.epoch = fork.own_from = epoch
        fork.parts, fork.owners, fork.hashes = self.parts.copy(), self.owners.copy(), self.hashes.copy()
        if self.deadlines is not None:
            fork.deadlines = self.deadlines.twin()
        fork.own_tables()
        return fork

    def own_tables(self) -> None:  # noqa: B027 - most types have none
        """Replace what a type keeps besides parts and changes in place by copies of its own."""

    def alone(self) -> Self:
        """This header, if no cut is open: whatever it refers to is its own."""
        self.own_from = 0
        return self

    def unhashed(self) -> Iterator[int]:
        """The places of parts whose hash is not known."""
        return (place for place, known in enumerate(self.hashes) if known is None)

    def hash_parts(self) -> Iterator[None]:
        """Compute the hashes that are not known, one at each step. Nothing may change between two steps."""
        for place in self.unhashed():
            self.hashes[place] = self._hash(self.parts[place])
            yield

    def digest(self) -> bytes:
        """The hash of the whole value: type, shape, and parts in their order."""
        for _ in self.hash_parts():
            pass
        whole = blake2b(_encode((self.type_name, self.shape())), digest_size=HASH_BYTES)
        for known in self.hashes:
            assert known is not None, "all were computed above"
            whole.update(known)
        return whole.digest()

    def _hash(self, part: Any) -> bytes:
        return blake2b(_encode(self.elements(part)), digest_size=HASH_BYTES).digest()


def type_of(value: Packed | Value) -> type[Value]:
    """The type of a value, whichever its form."""
    return _types[value.code] if isinstance(value, Packed) else type(value)
