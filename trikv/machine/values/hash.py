"""A hash: fields, each with a string, and perhaps with a deadline of its own.

What stands behind a field is its value, or a `Timed` if it has a deadline. A hash in which a field has one is
never packed. `Value.deadlines` has them in order. It is derived, like the index of a sorted set.

Whoever looks at a field says what time it is: a field that is due is absent, whether it was reaped or not
(PROTOCOL 68).
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final, Self, TypeAlias

import msgspec

from trikv.machine.values.members import Members, pairs
from trikv.machine.values.score_index import ScoreIndex
from trikv.machine.values.value import PACKED_COUNT_MAX, PACKED_ELEMENT_BYTES_MAX, Elements

FIELD_BYTES: Final = 112
"""What a field in parts is charged besides its bytes: two objects and its place in a dict."""
DEADLINE_BYTES: Final = 96
"""Besides, for its deadline: the object that has both, the number, and its place in the index."""
DEADLINES_BYTES: Final = 1_200
"""What a hash is charged once if any field has a deadline: an index of its own, and its place in that of the
database."""
LISTPACK_COUNT_MAX: Final = 512
"""Redis packs a hash of so many short fields; here it is in parts."""
DEADLINE_MAX: Final = 2**46 - 1
"""The latest deadline of a field in ms, as in Redis, some 2,200 years from 1970. The index keeps them as
doubles, which have whole numbers up to 2**53."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[bytes, bytes]).decode


class Timed(msgspec.Struct, frozen=True, gc=False):
    """The value of a field that has a deadline."""

    value: bytes
    deadline: int
    """Log time in ms from which on the field is absent."""


Behind: TypeAlias = bytes | Timed
"""What stands behind a field."""


class Hash(Members):
    """The value of a key of type hash."""

    __slots__ = ()

    type_name = "hash"
    code = 1
    names_each = 2
    fixed_bytes = FIELD_BYTES

    @property
    def encoding_name(self) -> str:
        """As Redis' would be called."""
        if self.is_small:
            return "listpack"
        is_packed = PACKED_COUNT_MAX < self.count <= LISTPACK_COUNT_MAX
        return "listpack" if is_packed and self.deadlines is None and self.is_short() else "hashtable"

    def element_bytes(self, member: bytes, belonging: Behind) -> int:
        """As `Members.element_bytes`."""
        if type(belonging) is Timed:
            return FIELD_BYTES + DEADLINE_BYTES + len(member) + len(belonging.value)
        return FIELD_BYTES + len(member) + len(belonging)  # type: ignore[arg-type] # it has two kinds

    def belongs_shortly(self, belonging: Behind) -> bool:
        """As `Members.belongs_shortly`."""
        return type(belonging) is bytes and len(belonging) <= PACKED_ELEMENT_BYTES_MAX

    def elements(self, part: dict[bytes, Behind]) -> Elements:
        """Fields and values in turns. A list has the value of a field that has a deadline, and that."""
        return [
            each if type(each) is bytes else [each.value, each.deadline]  # type: ignore[union-attr] # as above
            for pair in part.items()
            for each in pair
        ]

    def restore(self, elements: Elements) -> None:
        """As `Value.restore`."""
        part = {
            field: given if type(given) is bytes else _timed(given)
            for field, given in pairs(elements).items()
        }
        self.restored(part, len(elements) // 2)
        for field, behind in part.items():
            if type(behind) is Timed:
                self._add_deadline(field, behind)

    @classmethod
    def refilling(cls, key: bytes, elements: Elements) -> Iterator[tuple[bytes, ...]]:
        """As `Value.refilling`."""
        behind = {
            field: given if type(given) is bytes else _timed(given)
            for field, given in pairs(elements).items()
        }
        values = (each.value if isinstance(each, Timed) else each for each in behind.values())
        yield b"HSET", key, *chain.from_iterable(zip(behind, values, strict=True))
        for field, each in behind.items():
            if isinstance(each, Timed):
                yield b"HPEXPIREAT", key, b"%d" % each.deadline, b"FIELDS", b"1", field

    @classmethod
    def opened(cls, body: bytes, epoch: int, secret: bytes) -> Self:
        """As `Value.opened`."""
        one = cls(epoch, secret)
        one.parts[0] = part = _decode(body)
        one.count = len(part)
        return one

    def pack(self) -> bytes:
        """As `Value.pack`."""
        return _encode(self.parts[0])

    def recounted(self) -> int:
        """As `Value.recounted`."""
        return super().recounted() + (DEADLINES_BYTES if self.deadlines is not None else 0)

    # What may be asked at a time.

    def value_at(self, field: bytes, now: int) -> bytes | None:
        """The value of `field`; None if it is not there or due."""
        behind: Behind | None = self.parts[self.place_of(field)].get(field)
        if type(behind) is not Timed:  # nearly always
            return behind  # type: ignore[return-value] # it has two kinds
        return behind.value if behind.deadline > now else None

    def behind(self, field: bytes, now: int) -> Behind | None:
        """What stands behind `field`; None if it is not there or due."""
        behind: Behind | None = self.get(field)
        return None if type(behind) is Timed and behind.deadline <= now else behind

    def due(self, now: int) -> int:
        """How many fields are due and were not reaped yet."""
        return 0 if self.deadlines is None else self.deadlines.rank_of_score(now, behind=True)

    def growth_by_deadlines(self, count: int) -> int:
        """By how many bytes `charge` grows at most if so many fields more have a deadline."""
        if not count:
            return 0
        return DEADLINE_BYTES * count + (DEADLINES_BYTES if self.deadlines is None else 0)

    # What changes it.

    def put(self, member: bytes, belonging: Behind) -> bool:
        """As `Members.put`. Its deadline is that of `belonging`, or none.

        A field that is given a deadline goes to the end of its part. So its name there is the one in the
        index; two objects would take its bytes twice.
        """
        if self.deadlines is None and type(belonging) is bytes:
            return super().put(member, belonging)
        old: Behind | None = self.get(member)
        if type(old) is Timed:
            self._remove_deadline(member, old)
        if type(belonging) is Timed:
            if old is not None:
                del self.changing(self.place_of(member))[member]
                self.count -= 1
                self.charge -= self.element_bytes(member, old)
            self._add_deadline(member, belonging)
        super().put(member, belonging)
        return old is None

    def remove_at(self, place: int, member: bytes) -> Behind:
        """As `Members.remove_at`."""
        behind: Behind = super().remove_at(place, member)
        if type(behind) is Timed:
            self._remove_deadline(member, behind)
        return behind

    def reap(self, now: int, most: int) -> list[bytes]:
        """As `Value.reap`."""
        gone: list[bytes] = []
        while self.deadlines is not None and len(gone) < most:
            deadline, field = self.deadlines.first()
            if deadline > now:
                break
            gone.append(self.remove(field).value)
        return gone

    def reap_among(self, fields: Iterable[bytes], now: int) -> list[bytes]:
        """Take out those of `fields` that are due, and return their values. What is put next is new."""
        due = [
            field for field in fields if type(behind := self.get(field)) is Timed and behind.deadline <= now
        ]
        return [self.remove(field).value for field in due]

    def _add_deadline(self, field: bytes, timed: Timed) -> None:
        if self.deadlines is None:
            self.deadlines = ScoreIndex()
            self.charge += DEADLINES_BYTES
        self.deadlines.add(timed.deadline, field)

    def _remove_deadline(self, field: bytes, timed: Timed) -> None:
        assert self.deadlines is not None, "a field has a deadline"
        self.deadlines.remove(timed.deadline, field)
        if not self.deadlines.counts[0]:  # no chunk of several is empty
            self.deadlines = None
            self.charge -= DEADLINES_BYTES


def alive(items: Iterable[tuple[bytes, Behind]], now: int) -> list[tuple[bytes, bytes]]:
    """Those of these fields that are not due, with their values."""
    return [
        (field, behind.value if type(behind) is Timed else behind)  # type: ignore[misc] # it has two kinds
        for field, behind in items
        if type(behind) is not Timed or behind.deadline > now
    ]


def _timed(given: object) -> Timed:
    """A value with its deadline, out of a document. Raises ValueError."""
    match given:
        case [bytes(value), int(deadline)] if type(deadline) is int and 0 < deadline <= DEADLINE_MAX:
            return Timed(value, deadline)
    raise ValueError("a field's value is no string, and no string with a deadline")
