"""Glob patterns: against a plain recursive matcher, and against patterns made to blow up."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trikv.machine.glob import matcher


def naive(pattern: bytes, text: bytes) -> bool:
    """Stars, question marks, backslashes and literals, by trying everything."""
    if not pattern:
        return not text
    head = pattern[:1]
    if head == b"*":
        return naive(pattern[1:], text) or (bool(text) and naive(pattern, text[1:]))
    if head == b"\\" and len(pattern) > 1:
        return text[:1] == pattern[1:2] and naive(pattern[2:], text[1:])
    return bool(text) and head in (b"?", text[:1]) and naive(pattern[1:], text[1:])


@given(st.text("ab*?\\", max_size=8), st.text("ab\n", max_size=8))
@settings(max_examples=200)
def test_against_trying_everything(pattern: str, text: str) -> None:
    """The translation matches exactly what the definition matches."""
    assert bool(matcher(pattern.encode())(text.encode())) == naive(pattern.encode(), text.encode())


@pytest.mark.parametrize(
    ("pattern", "matching", "failing"),
    [
        (b"[abc]", b"b", b"d"),
        (b"[^abc]", b"d", b"a"),
        (b"[a-c]x", b"bx", b"dx"),
        (b"[c-a]x", b"bx", b"dx"),
        (b"[\\]]", b"]", b"\\"),
        (b"[\\", b"\\", b"["),
        (b"[ab", b"b", b"["),
        (b"[a-", b"-", b"b"),
        (b"[]", None, b"a"),
        (b"[", None, b"["),
        (b"[^]", b"x", b""),
        (b"[^", b"x", b""),
        (b"h\\*o", b"h*o", b"hxo"),
        (b"a\\", b"a\\", b"a"),
        (b"\xff?", b"\xff\x00", b"\xfe\x00"),
        (b"a**b", b"axb", b"axc"),
        (b".+", b".+", b"ab"),
    ],
)
def test_classes_and_escapes(pattern: bytes, matching: bytes | None, failing: bytes) -> None:
    """Classes, ranges, negation, escapes and unfinished patterns, as Redis has them."""
    assert matching is None or matcher(pattern)(matching)
    assert not matcher(pattern)(failing)


def test_no_blow_up() -> None:
    """Forty stars against a long near miss end at once; a naive matcher would outlive the sun."""
    assert not matcher(b"a*" * 40 + b"b")(b"a" * 20_000)
    assert matcher(b"*a" * 40 + b"*")(b"a" * 20_000)
