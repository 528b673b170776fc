"""Glob patterns: against a plain recursive matcher, and against patterns made to blow up."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trikv.machine.glob import PATTERN_BYTES_MAX, matcher, too_long


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


def test_what_may_be_prepared_is_bounded() -> None:
    """A pattern of megabytes is refused before it is looked at; the longest that is taken works."""
    refused = too_long(PATTERN_BYTES_MAX + 1)
    assert refused is not None
    assert refused.text == "ERR the pattern is too long: 1025 of 1024 bytes"
    assert too_long(PATTERN_BYTES_MAX) is None
    classes = b"[ab]*" * (PATTERN_BYTES_MAX // 5)
    assert matcher(classes)(b"ab" * PATTERN_BYTES_MAX)
    assert not matcher(classes)(b"c" * PATTERN_BYTES_MAX)


SETS = st.frozensets(st.integers(0, 255), min_size=1)


@given(SETS, st.booleans())
def test_a_class_matches_its_members_and_no_others(members: frozenset[int], negated: bool) -> None:  # noqa: FBT001 - drawn
    """Of all 256 bytes, in whatever order they are written, as a ``^``, a ``-`` or a bracket too."""
    inside = b"".join(b"\\%c" % byte for byte in members)
    matches = matcher(b"x*[" + (b"^" if negated else b"") + inside + b"]?")
    assert {byte for byte in range(256) if matches(b"x%c." % byte)} == (
        set(range(256)) - members if negated else members
    )
