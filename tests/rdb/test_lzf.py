"""LZF: the part in C and the one in Python do the same, whatever the bytes are."""

import importlib
import sys
from collections.abc import Generator
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools import needs
from trikv.rdb import lzf
from trikv.rdb.steps import drained

needs_it = needs(
    lzf.is_compiled, "NOT COMPILED: the part in C is not tested, nor its speed; install a C compiler"
)
SOURCE_OF_VERSION = (1, "2a360f3a1b8a29b5b9eeba67a6164a2a70caf3cd9ef75cdc5c7eacb4327b2026")
WORDS = st.lists(st.sampled_from([b"a", b"ab", b"abc" * 20, bytes(9), b"lorem ipsum", b"\xff\x00"]))
TEXTS = st.one_of(st.binary(max_size=300), WORDS.map(b"".join), WORDS.map(lambda some: b"".join(some) * 90))
TOKENS = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=32).map(lambda run: bytes((len(run) - 1,)) + run),
        st.binary(min_size=2, max_size=3),
    ),
    max_size=30,
).map(b"".join)


def test_the_version_counts_up_with_the_source() -> None:
    """An object built from an older source is told by its version: change it in both files, then here."""
    source = Path(lzf.__file__).with_name("_lzf.c").read_bytes()
    assert (lzf.VERSION, sha256(source).hexdigest()) == SOURCE_OF_VERSION
    assert b"#define VERSION %d\n" % lzf.VERSION in source


@needs_it
def test_the_part_in_c_is_there() -> None:
    """CI and developers test what users get who have a compiler."""
    assert lzf.decompress is not lzf._decompress


def reloaded(fake: object) -> bool:
    """Whether this module in C (None: none) would be used."""
    name = "trikv.rdb._lzf"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, name, cast("Any", fake))
        patch.setattr(name, fake, raising=False)
        if fake is None:
            patch.delattr(name)
        try:
            return bool(importlib.reload(lzf).is_compiled)
        finally:
            patch.undo()
            importlib.reload(lzf)


@needs_it
def test_only_a_part_in_c_that_fits_is_used() -> None:
    """None, of another source, or one that does something else here: then Python does all."""
    fits: dict[str, Any] = {"compress": lzf.compress, "decompress": lzf.decompress}

    def careless(source: bytes, at: int, before: bytes, most: int) -> tuple[int, bytes]:
        try:
            return fits["decompress"](source, at, before, most)  # type: ignore[no-any-return]
        except ValueError:
            return len(source), b""

    def raising(*_: object) -> bytes:
        raise TypeError

    assert not reloaded(None)
    assert not reloaded(SimpleNamespace(**fits))
    assert not reloaded(SimpleNamespace(VERSION=lzf.VERSION + 1, **fits))
    assert reloaded(SimpleNamespace(VERSION=lzf.VERSION, **fits))
    for wrong in (
        {"compress": lambda source, first, last: bytes((last - first - 1,)) + source[first:last]},
        {"compress": raising},
        {"decompress": careless},
        {"decompress": lambda *_: (7, b"?")},
    ):
        assert not reloaded(SimpleNamespace(VERSION=lzf.VERSION, **{**fits, **wrong}))


BOTH = pytest.mark.parametrize("decompress", [lzf.decompress, lzf._decompress], ids=["used", "python"])


@BOTH
@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (b"", b""),
        (b"\x02abc", b"abc"),
        (b"\x1f" + bytes(range(32)), bytes(range(32))),
        (b"\x02abc\x20\x02", b"abcabc"),  # three bytes from three before
        (b"\x00a\xc0\x00", b"a" * 9),  # eight from the one before, over itself
        (b"\x00a\xe0\xff\x00", b"a" * 265),  # the longest one
        (b"\x01ab\xe0\x00\x01\x00!", b"ababababab" + b"a!"),
    ],
)
def test_tokens_are_what_the_format_says(decompress: lzf.Decompress, tokens: bytes, text: bytes) -> None:
    """Runs, references near and far, and such that overlap with what they make."""
    assert decompress(tokens, 0, b"", len(text)) == (len(tokens), text)


@BOTH
@pytest.mark.parametrize(
    ("tokens", "why"),
    [
        (b"\x02ab", "end within"),
        (b"\x00", "end within"),
        (b"\x00a\x20", "end within"),
        (b"\x00a\xe0\x00", "end within"),
        (b"\x20\x00", "before the beginning"),
        (b"\x02abc\x20\x03", "before the beginning"),
        (b"\x02abc\x3f\xff", "before the beginning"),
    ],
)
def test_what_is_no_token_is_refused(decompress: lzf.Decompress, tokens: bytes, why: str) -> None:
    """Nothing is read that is not there, and nothing that has not come out."""
    with pytest.raises(ValueError, match=why):
        decompress(tokens, 0, b"", 1000)


@BOTH
def test_no_more_comes_out_than_is_asked_for(decompress: lzf.Decompress) -> None:
    """But for the rest of the last token; the next call goes on behind it, and refers to what came before."""
    tokens = b"\x00a" + b"\xe0\xff\x00" * 1000
    at, text = decompress(tokens, 0, b"", 300)
    assert (at, len(text)) == (8, 529)
    assert decompress(tokens, at, text[-1:], 1) == (11, b"a" * 264)
    assert decompress(tokens, at, text, 0) == (at, b"")


def outcome(decompress: lzf.Decompress, tokens: bytes, before: bytes, most: int) -> object:
    """What it answers or raises."""
    try:
        return decompress(tokens, 0, before, most)
    except ValueError as error:
        return str(error)


@given(TOKENS | st.binary(max_size=60), st.binary(max_size=20), st.integers(0, 700))
def test_both_decompress_alike(tokens: bytes, before: bytes, most: int) -> None:
    """Any bytes: the same comes out, or the same error."""
    used = outcome(lzf.decompress, tokens, before, most)
    assert used == outcome(lzf._decompress, tokens, before, most)


@given(TEXTS, st.data())
def test_both_compress_alike_and_it_comes_back(text: bytes, data: st.DataObject) -> None:
    """Any piece of any string; it takes little more than the string if nothing is repeated."""
    first = data.draw(st.integers(0, len(text)))
    last = min(data.draw(st.integers(first, len(text))), first + 4096)
    tokens = lzf.compress(text, first, last)
    assert tokens == lzf._compress(text, first, last)
    assert lzf.decompress(tokens, 0, b"", last - first) == (len(tokens), text[first:last])
    assert len(tokens) <= (last - first) * 33 / 32 + 2


@given(TEXTS)
def test_a_string_comes_back_from_its_pieces(text: bytes) -> None:
    """Of any length: pieces are joined, and references go over what was joined."""
    tokens = drained(lzf.compressed_in_steps(text))
    assert drained(lzf.decompressed_in_steps(tokens, len(text))) == text
    assert lzf.decompressed(tokens, len(text)) == text


def steps_of(steps: Generator[None, None, bytes]) -> tuple[int, bytes]:
    """How many there are, and what comes of them."""
    count = 0
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return count, end.value
        count += 1


def test_a_long_string_takes_steps() -> None:
    """A step makes a bounded number of bytes, and references reach back over steps."""
    text = b"".join(b"%d," % (number * 7919) for number in range(150_000))
    count, tokens = steps_of(lzf.compressed_in_steps(text))
    assert count >= len(text) // lzf.STEP_BYTES - 1
    count, back = steps_of(lzf.decompressed_in_steps(tokens, len(text)))
    assert count >= len(text) // (lzf.STEP_BYTES + 264) - 1
    assert back == text


@pytest.mark.parametrize(
    ("tokens", "size"),
    [
        (b"\x02abc", 2),
        (b"\x02abc", 4),
        (b"\x02abc", 0),
        (b"", 1),
        (b"\x02abc", 400),
        (b"\x02abc", 2**62),
        (b"\x00a" + b"\xe0\xff\x00" * 3000, 700_000),
        (b"\x00a" + b"\xe0\xff\x00" * 3000, 1 + 264 * 3000 - 200),
    ],
)
def test_the_stated_length_must_be_right(tokens: bytes, size: int) -> None:
    """Neither more nor less, and what cannot be is refused before anything is made."""
    with pytest.raises(ValueError, match=r"compressed bytes (cannot|do not) make"):
        drained(lzf.decompressed_in_steps(tokens, size))
    with pytest.raises(ValueError, match=r"compressed bytes (cannot|do not) make"):
        lzf.decompressed(tokens, size)


def test_nothing_comes_back_from_nothing() -> None:
    """An empty string has no tokens."""
    assert drained(lzf.decompressed_in_steps(b"", 0)) == b""
    assert drained(lzf.compressed_in_steps(b"")) == b""


@needs_it
def test_wrong_places_are_refused() -> None:
    """Nothing outside of a string is read or written."""
    for at, most in ((-1, 3), (5, 3), (0, -1), (0, 2**63 - 1)):
        with pytest.raises(ValueError, match="no such place"):
            lzf.decompress(b"\x02abc", at, b"", most)
    for first, last in ((-1, 2), (2, 1), (0, 5001), (0, 4097)):
        with pytest.raises(ValueError, match="no such piece"):
            lzf.compress(bytes(5000), first, last)
    for wrong in (bytearray(b"abc"), "abc", None):
        with pytest.raises(TypeError):
            lzf.decompress(cast("bytes", wrong), 0, b"", 1)
        with pytest.raises(TypeError):
            lzf.decompress(b"", 0, cast("bytes", wrong), 1)
        with pytest.raises(TypeError):
            lzf.compress(cast("bytes", wrong), 0, 1)


@needs_it
def test_references_come_out_even() -> None:
    """Strings that were looked at are as free as before, also after errors."""
    text, before = bytes(range(256)) * 10, bytes(100)
    tokens = lzf.compress(text, 0, len(text))
    counts = [sys.getrefcount(one) for one in (text, tokens, before)]
    for _ in range(100):
        made = lzf.compress(text, 0, len(text))
        _, back = lzf.decompress(tokens, 0, before, len(text))
        with pytest.raises(ValueError, match="end within"):
            lzf.decompress(tokens[:-1], 0, before, len(text))
        assert sys.getrefcount(made) == sys.getrefcount(back) == 2  # the name's, and the argument's
    assert [sys.getrefcount(one) for one in (text, tokens, before)] == counts
