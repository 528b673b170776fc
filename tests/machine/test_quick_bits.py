"""The bits of long strings: the part in C and the one in Python do the same."""

import importlib
import sys
from hashlib import sha256
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
SOURCE_OF_VERSION = (1, "a2f428aba3c1d1c87fa4a400437a9f77d1de609361aaeea6d3e7b15acbe3954e")
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
    fits = {"count": quick_bits.count, "inverted": quick_bits.inverted}
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
