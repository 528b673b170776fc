"""A value in parts: the one protocol between a type and the rest of the machine.

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

Shape: TypeAlias = tuple[int, ...]
"""Numbers that decide, with the parts, all that a type does: which part is split next, and the like."""
Elements: TypeAlias = list[Any]
"""The contents of a part as MessagePack and JSON know them. Bytes are in them as they are."""

HASH_BYTES: Final = 16

_encode = msgspec.msgpack.Encoder().encode


class Value(ABC):
    """The header of a value in parts. Subclasses add what they need to find an element's part."""

    __slots__ = ("charge", "charged", "epoch", "hashes", "own_from", "owners", "parts")

    type_name: ClassVar[str]
    """What TYPE answers, and the document calls it."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        """The epoch in which this header was made."""
        self.own_from = epoch
        """Parts made in this epoch or a later one belong to this header alone."""
        self.charge = 0
        """Bytes that the account charges for the elements and the parts, as they are now."""
        self.charged = 0
        """Bytes that the account was charged when it was last told."""
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
    def begun(cls, epoch: int, shape: Shape) -> Self:
        """A value of that shape whose parts are about to be restored: `restore` for each, then `finish`.

        Raises ValueError if no value has such a shape: the document was edited.
        """

    @abstractmethod
    def restore(self, elements: Elements) -> None:
        """Add the next part. Raises ValueError if no part holds that."""

    @abstractmethod
    def finish(self) -> None:
        """All parts were given. Raises ValueError if they do not make the shape."""

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

    def at_epoch(self, epoch: int) -> Self:
        """The header to change in that epoch: this one, or a fork of it if it belongs to an earlier one.

        A fork shares all parts and takes the place of this one, which whoever holds a cut goes on to hold.
        """
        if epoch == self.epoch:
            self.own_from = epoch
            return self
        fork = copy(self)  # all that a type keeps besides parts, whatever it is
        fork.epoch = fork.own_from = epoch
        fork.parts, fork.owners, fork.hashes = self.parts.copy(), self.owners.copy(), self.hashes.copy()
        return fork

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
