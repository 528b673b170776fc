"""What a key holds: both forms mean the same."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trikv.machine.stored import (
    HAS_DEADLINE,
    PACKED_BYTES_MAX,
    PLAIN_BYTES,
    VERSION_BITS,
    Stored,
    deadline_of,
    held,
    stored,
    value_bytes_of,
    value_of,
)

WORD = st.integers(0, 2**63 - 1)


@given(st.binary(max_size=40), WORD, WORD)
@example(b"", 0, 0)
@example(bytes(PACKED_BYTES_MAX), 2**VERSION_BITS - 1, 2**63 - 1)
@example(bytes(PACKED_BYTES_MAX + 1), 1, 0)
@example(b"v", 2**VERSION_BITS, 5)
def test_what_goes_in_comes_out(value: bytes, version: int, deadline: int) -> None:
    """Value, version and deadline, whatever they are, and each of them alone."""
    one = held(value, version, deadline)
    assert stored(one) == Stored(value, version, deadline)
    assert (value_of(one), value_bytes_of(one), deadline_of(one)) == (value, len(value), deadline)


@pytest.mark.parametrize(("deadline", "more_bytes"), [(0, 8), (2**63 - 1, 16)])
def test_a_short_value_is_one_object(deadline: int, more_bytes: int) -> None:
    """It takes 8 bytes more than the value, and 8 more for a deadline."""
    one = held(bytes(PACKED_BYTES_MAX), 2**VERSION_BITS - 1, deadline)
    assert type(one) is bytes
    assert len(one) == PACKED_BYTES_MAX + more_bytes


def test_what_is_not_packed() -> None:
    """A long value, which would be copied at each read; a version that the word cannot hold."""
    assert held(bytes(PACKED_BYTES_MAX + 1), 1) == Stored(bytes(PACKED_BYTES_MAX + 1), 1)
    assert held(b"", 2**VERSION_BITS) == Stored(b"", 2**VERSION_BITS)


def test_the_layout_that_others_rely_on() -> None:
    """`Database.value` and the part in C look at the first byte, and find the value behind 8."""
    plain, due = held(b"value", 3), held(b"value", 3, 9)
    assert type(plain) is bytes
    assert type(due) is bytes
    assert plain == (3 << 4).to_bytes(PLAIN_BYTES, "little") + b"value"
    assert due[0] & HAS_DEADLINE
    assert not plain[0] & 0x0F
