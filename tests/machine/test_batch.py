"""A batch as bytes: what can be read of it without decoding the whole."""

import msgspec
import pytest

from trikv.machine.batch import Batch, Forgotten, Item, stamp_of


@pytest.mark.parametrize("items", [(), (Forgotten(1, 2, 3), Forgotten(2, 9, 1))])
@pytest.mark.parametrize("stamp_ms", [0, 1_700_000_000_000, 2**62])
def test_the_stamp_is_read_from_the_front(stamp_ms: int, items: tuple[Item, ...]) -> None:
    """Whatever the batch carries, and whatever a later release adds behind it."""
    fields = [stamp_ms, 7, items]
    assert stamp_of(msgspec.msgpack.encode(Batch(stamp_ms, 7, items))) == stamp_ms
    assert stamp_of(msgspec.msgpack.encode([*fields, "new"])) == stamp_ms


def test_what_is_no_batch_has_no_stamp() -> None:
    """It raises, as for the machine: an entry that cannot be read is never taken for one without a time."""
    with pytest.raises(msgspec.DecodeError):
        stamp_of(b"\xc1")
