"""The bits of long strings: the part in C and the one in Python do the same."""

import importlib
import sys
from hashlib import sha256
from operator import and_, or_, xor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tools import needs
from trikv.machine import quick_bits

needs_it = needs(
    quick_bits.is_compiled, "NOT COMPILED: the part in C is not tested, nor its speed; install a C compiler"
)
SOURCE_OF_VERSION = (2, "92f52f150cb60d28c48e20ee6ec6438c92ded57e7487286e302b71177e53f355")
STRINGS = st.binary(max_size=40) | st.binary(max_size=40).map(lambda some: some * 700)


def test_the_version_counts_up_with_the_source() -> None:
    """An object built from an older source is told by its version: change it in both files, then here."""
    source = Path(quick_bits.__file__).with_name("_bits.c").read_bytes()
    assert (quick_bits.VERSION, sha256(source).hexdigest()) == SOURCE_OF_VERSION
    assert b"#define VERSION %d\n" % quick_bits.VERSION in source


@needs_it
def test_the_part_in_c_is_there() -> None:
    """CI and developers test what users get who have a compiler."""
    assert quick_bits.count is not quick_bits._count


def reloaded(fake: object) -> bool:
    """Whether this module in C (None: none) would be used."""
    name = "trikv.machine._bits"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, name, cast("Any", fake))
        patch.setattr(name, fake, raising=False)
        if fake is None:
            patch.delattr(name)
        try:
            return bool(importlib.reload(quick_bits).is_compiled)
        finally:
            patch.undo()
            importlib.reload(quick_bits)


@needs_it
def test_only_a_part_in_c_that_fits_is_used() -> None:
    """None, of another source, or one that does something else here: then Python does all."""
    fits = {"count": quick_bits.count, "inverted": quick_bits.inverted, "join": quick_bits.join}
    assert not reloaded(None)
    assert not reloaded(SimpleNamespace(**fits))
    assert not reloaded(SimpleNamespace(VERSION=quick_bits.VERSION + 1, **fits))
    assert reloaded(SimpleNamespace(VERSION=quick_bits.VERSION, **fits))
    for name in fits:
        assert not reloaded(SimpleNamespace(VERSION=quick_bits.VERSION, **{**fits, name: lambda *_: 7}))
        assert not reloaded(SimpleNamespace(VERSION=quick_bits.VERSION, **{**fits, name: _raises}))


def _raises(*_: object) -> int:
    raise TypeError


@given(STRINGS, st.data())
def test_both_count_and_turn_what_is_there(string: bytes, data: st.DataObject) -> None:
    """Any string, and any places in it: words and what is left of one, at any address."""
    first = data.draw(st.integers(0, len(string)))
    last = data.draw(st.integers(first, len(string)))
    ones = sum(byte.bit_count() for byte in string[first:last])
    turned = bytes(0xFF - byte for byte in string)
    for count, inverted in (
        (quick_bits.count, quick_bits.inverted),
        (quick_bits._count, quick_bits._inverted),
    ):
        assert count(string, first, last) == ones
        assert inverted(string) == turned


@given(STRINGS, STRINGS, st.sampled_from([quick_bits.AND, quick_bits.OR, quick_bits.XOR]))
def test_both_join_what_is_there(one: bytes, other: bytes, operation: int) -> None:
    """The longer of both with the shorter, behind whose end are zeros."""
    short, long = sorted((one, other), key=len)
    by = {quick_bits.AND: and_, quick_bits.OR: or_, quick_bits.XOR: xor}[operation]
    wanted = bytes(map(by, long, short.ljust(len(long), b"\0")))
    for join in (quick_bits.join, quick_bits._join):
        target = bytearray(long)
        join(target, short, operation)
        assert target == wanted


@needs_it
def test_what_cannot_be_joined_is_refused() -> None:
    """Nothing is written outside of the target, and nothing inside."""
    target = bytearray(b"abc")
    for wrong in ((b"abcd", 0), (b"a", 3), (b"a", -1)):
        with pytest.raises(ValueError, match="no such operation"):
            quick_bits.join(target, *wrong)
    for other in (bytearray(b"a"), "a", None):
        with pytest.raises(TypeError):
            quick_bits.join(target, cast("bytes", other), 0)
    with pytest.raises(TypeError):
        quick_bits.join(cast("bytearray", b"abc"), b"abc", 0)
    assert target == b"abc"


@needs_it
def test_what_is_no_part_of_a_string_is_refused() -> None:
    """Nothing outside of it is read."""
    for first, last in ((-1, 2), (2, 1), (0, 4), (4, 4), (0, 2**62)):
        with pytest.raises(ValueError, match="no such places"):
            quick_bits.count(b"abc", first, last)
    for wrong in (bytearray(b"abc"), "abc", None):
        with pytest.raises(TypeError):
            quick_bits.count(cast("bytes", wrong), 0, 1)
        with pytest.raises(TypeError):
            quick_bits.inverted(cast("bytes", wrong))


@needs_it
def test_references_come_out_even() -> None:
    """A string that was looked at is as free as before."""
    string = bytes(range(256)) * 40
    before = sys.getrefcount(string)
    for _ in range(100):
        quick_bits.count(string, 0, len(string))
        turned = quick_bits.inverted(string)
        assert sys.getrefcount(turned) == 2  # the name's, and the argument's
    assert sys.getrefcount(string) == before
