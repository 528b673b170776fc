"""The patterns of SORT: keys, and fields of hashes, whose names have an element in the place of a star."""

from collections.abc import Callable
from typing import Final, TypeAlias

import attrs

from trikv.machine.memory import KEY_BYTES_MAX
from trikv.machine.stored import Stored
from trikv.machine.values.hash import Hash
from trikv.machine.values.value import Packed

Find: TypeAlias = Callable[[bytes], Stored | None]
"""What a key holds, if it is there."""

_STAR: Final = b"*"
_ARROW: Final = b"->"
_ELEMENT: Final = b"#"
"""As a pattern of GET: the element itself."""


def has_star(text: bytes) -> bool:
    """Whether a pattern names another key for each element."""
    return _STAR in text


@attrs.frozen
class Pattern:
    """Where a value is that belongs to an element."""

    before: bytes
    behind: bytes
    """What stands around the element in the key's name."""
    field: bytes | None = None
    """Of the hash under that key; None: the key holds a string."""
    is_element: bool = False
    is_nowhere: bool = False
    """Without a star it would be one value for all: as in Redis it is none."""

    @classmethod
    def of(cls, text: bytes) -> "Pattern":
        """What `text` says."""
        star = text.find(_STAR)
        if star < 0:
            return cls(b"", b"", is_element=text == _ELEMENT, is_nowhere=text != _ELEMENT)
        arrow = text.find(_ARROW, star + 1)
        end = arrow + len(_ARROW)
        if arrow < 0 or end == len(text):
            return cls(text[:star], text[star + 1 :])
        return cls(text[:star], text[star + 1 : arrow], text[end:])

    def value(self, element: bytes, find: Find, now_ms: int) -> bytes | None:
        """The string that belongs to `element`; None if there is none. `now_ms`: when fields are due."""
        if self.is_element:
            return element
        size = len(self.before) + len(element) + len(self.behind)
        if self.is_nowhere or size > KEY_BYTES_MAX:
            return None
        entry = find(b"".join((self.before, element, self.behind)))
        held = None if entry is None else entry.value
        if self.field is None:
            return held if isinstance(held, bytes) else None
        if isinstance(held, Packed) and held.code == Hash.code:
            held = Hash.opened(held.body, 0, b"")  # a packed one has one part, whatever the secret
        return held.value_at(self.field, now_ms) if isinstance(held, Hash) else None
