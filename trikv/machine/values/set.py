"""A set: strings without an order that means anything."""

from collections.abc import Iterator
from typing import Final, Self

import msgspec

from trikv.machine.draws import Draws
from trikv.machine.numerics import parse_integer
from trikv.machine.values import quick
from trikv.machine.values.members import Members
from trikv.machine.values.value import Elements

MEMBER_BYTES: Final = 74
"""What a member in parts is charged besides its bytes: an object and its place in a dict."""
INTEGERS_MAX: Final = 512
"""Redis keeps a set of so many integers as an array of numbers."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[bytes]).decode


class Set(Members):
    """The value of a key of type set. Nothing belongs to a member."""

    __slots__ = ()

    type_name = "set"
    code = 3
    fixed_bytes = MEMBER_BYTES

    @property
    def encoding_name(self) -> str:
        """As Redis' would be called."""
        members = (member for part in self.parts for member in part)
        if self.count <= INTEGERS_MAX and all(parse_integer(member) is not None for member in members):
            return "intset"
        return "listpack" if self.is_small else "hashtable"

    def elements(self, part: dict[bytes, None]) -> Elements:
        """The members."""
        return list(part)

    def restore(self, elements: Elements) -> None:
        """As `Value.restore`."""
        if not all(isinstance(member, bytes) for member in elements):
            raise ValueError("a member is no string")
        self.restored(dict.fromkeys(elements), len(elements))

    @classmethod
    def refilling(cls, key: bytes, elements: Elements) -> Iterator[tuple[bytes, ...]]:
        """As `Value.refilling`."""
        if not all(isinstance(member, bytes) for member in elements):
            raise ValueError("a member is no string")
        yield b"SADD", key, *elements

    def pop(self, draws: Draws) -> bytes:
        """Take some member out, each as likely as any other; there must be one."""
        place, member = self.drawn_place(draws)
        self.remove_at(place, member)
        return member

    def pop_each(self, keys: list[bytes]) -> list[bytes]:
        """`pop` for each of these, which are the keys of draws (`trikv.machine.draws.key_of`)."""
        gone: list[bytes] = []
        while len(gone) < len(keys):
            some, grown = quick.pop(
                keys[len(gone) :],
                self.parts,
                self.owners,
                self.hashes,
                self.own_from,
                self.level,
                self.count,
                self.count_min,
            )
            self.count -= len(some)
            self.charge += grown - self.fixed_bytes * len(some)
            gone += some
            if len(gone) < len(keys):  # parts are joined, or a cut may hold its part
                gone.append(self.pop(Draws.keyed(keys[len(gone)])))
        return gone

    @classmethod
    def opened(cls, body: bytes, epoch: int, secret: bytes) -> Self:
        """As `Value.opened`."""
        one = cls(epoch, secret)
        one.parts[0] = part = dict.fromkeys(_decode(body))
        one.count = len(part)
        return one

    def pack(self) -> bytes:
        """As `Value.pack`."""
        return _encode(list(self.parts[0]))
