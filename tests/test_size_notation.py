"""Sizes: one reader for what the log holds and what settings say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trikv.machine.memory import parse_memory
from trikv.notation import parse_bytes
from trikv.size_notation import split_size


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (b"256mb", (b"256", 1 << 20)),
        (b"1G", (b"1", 10**9)),
        (b"007", (b"007", 1)),
        (b"mb", None),
        (b"1tb", None),
    ],
)
def test_digits_and_unit_are_told_apart(text: bytes, parts: tuple[bytes, int] | None) -> None:
    """How many digits there may be is for others to say: the log has obeyed ``007``, settings refuse it."""
    assert split_size(text) == parts


@given(st.from_regex(r"\A(0|[1-9][0-9]{0,16})[kKmMgG]?[bB]?\Z"))
def test_the_log_and_the_settings_agree(text: str) -> None:
    """A cap means the same in a file of settings and in CONFIG SET."""
    assert parse_memory(text.encode()) == parse_bytes(text)
