"""What commands over several sets or sorted sets have in common: what they open, and what a read keeps."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from trikv.machine.replies import CommandError
from trikv.machine.values.members import Members
from trikv.machine.values.value import PACKED_ELEMENT_BYTES_MAX

M = TypeVar("M", bound=Members)

KEYS_MAX: Final = 1_024
"""A call goes over so many different keys. Each may be packed, and takes up to 20 KB while it is open."""
TOO_MANY_KEYS: Final = CommandError(
    f"ERR one call goes over {KEYS_MAX} different keys at most, a limit that Redis does not have"
)


def opened(keys: Sequence[bytes], find: Callable[[bytes], M | None]) -> dict[bytes, M | None] | CommandError:
    """What these keys hold by `find`, each opened once, however often it is named; None if it is not there.

    An error if they are too many. Raises what `find` raises.
    """
    names = dict.fromkeys(keys)
    if len(names) > KEYS_MAX:
        return TOO_MANY_KEYS
    found = {key: find(key) for key in names}
    for one in found.values():
        if one is not None and one.is_small:  # at most: a long read that holds it tells what that takes
            one.charge = one.growth(one.count, one.count * PACKED_ELEMENT_BYTES_MAX)
    return found


def with_target(over: Mapping[bytes, M], target: M) -> dict[bytes, M]:
    """The values that a long read goes over, with one that it fills: that counts as kept, and is freed alike.

    It gets a key longer than theirs. If that key is there, it holds another value, which changes nothing.
    """
    return {**over, max(over, key=len, default=b"") + b".": target}
