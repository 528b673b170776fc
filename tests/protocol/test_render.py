"""Replies for people: redis-cli's layout, and nothing but printable text."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.protocol.test_resp import REPLIES
from trikv.machine.replies import (
    OK,
    CommandError,
    DoubleText,
    Form,
    NullArray,
    Pairs,
    Reply,
    SimpleString,
    Verbatim,
    in_one,
)
from trikv.protocol.render import printable, quote, render, render_rows


@pytest.mark.parametrize(
    ("reply", "lines"),
    [
        (OK, ["OK"]),
        (b"val", ['"val"']),
        (1, ["(integer) 1"]),
        (None, ["(nil)"]),
        (True, ["(true)"]),
        (False, ["(false)"]),
        (1.5, ["1.5"]),
        (0.1, ["0.1"]),
        (3.0, ["3"]),
        (-1e300, ["-1e+300"]),
        (float("inf"), ["inf"]),
        (NullArray(), ["(nil)"]),
        (CommandError("ERR no"), ["(error) ERR no"]),
        (CommandError("ERR a\r\nb"), ["(error) ERR a  b"]),
        ([], ["(empty array)"]),
        ((), ["(empty set)"]),
        ({}, ["(empty hash)"]),
        ([b"a", 1], ['1) "a"', "2) (integer) 1"]),
        (Pairs([]), ["(empty array)"]),
        ((b"a", b"b"), ['1) "a"', '2) "b"']),
        (Pairs([(b"a", 1.5), (b"a", 2.0)]), ['1) "a": 1.5', '2) "a": 2']),
        ({b"k": 1, b"l": [b"x", b"y"]}, ['1) "k": (integer) 1', '2) "l":', '   1) "x"', '   2) "y"']),
        ({b"k": {b"l": [1]}}, ['1) "k": 1) "l": 1) (integer) 1']),
        ([b"a", Pairs([(b"b", 1.0), (b"c", 2.0)])], ['1) "a"', '2) 1) "b": 1', '   2) "c": 2']),
        ([[], ()], ["1) (empty array)", "2) (empty set)"]),
        ([[b"a", [b"b", b"c"]], b"d"], ['1) 1) "a"', '   2) 1) "b"', '      2) "c"', '2) "d"']),
        ([b"x"] * 10, [f'{n:>2}) "x"' for n in range(1, 11)]),
        (Verbatim(b"# Server\r\nrole:master\r\n\r\n# x\n"), ["# Server", "role:master", "", "# x"]),
        (Verbatim(b"a\x1b[2J"), ["a\\x1b[2J"]),
        (DoubleText(b"0.50000000000000011"), ["0.50000000000000011"]),
        ({(b"a", b"b"): 1}, ['1) 1) "a"', '   2) "b": (integer) 1']),
    ],
)
def test_layout(reply: Reply, lines: list[str]) -> None:
    """Replies look like redis-cli's; lines end in CRLF."""
    assert render(reply).decode() == "".join(f"{line}\r\n" for line in lines)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("привет 😀 é".encode(), '"привет 😀 é"'),
        (b'say "hi" \\ it\'s', '"say \\"hi\\" \\\\ it\'s"'),
        (b"\n\r\t\a\b\x00\x1b\x7f", '"\\n\\r\\t\\a\\b\\x00\\x1b\\x7f"'),
        (b"\xff\xc3", '"\\xff\\xc3"'),
        ("\u009b".encode(), '"\\xc2\\x9b"'),
        ("\u202e".encode(), '"\\xe2\\x80\\xae"'),
        ("\u200b\u2028\ue000".encode(), '"\\xe2\\x80\\x8b\\xe2\\x80\\xa8\\xee\\x80\\x80"'),
    ],
)
def test_only_printable_text_shows_as_itself(value: bytes, shown: str) -> None:
    """Control characters of both ranges, bidi overrides, invisible and private code points become hex."""
    assert quote(value) == shown
    assert render(value).decode() == shown + "\r\n"


def test_plain_shows_a_bulk_as_text() -> None:
    """INFO is text, not a quoted string; other replies do not change."""
    assert render(b"a:1\r\nb:2\r\n", plain=True) == b"a:1\r\nb:2\r\n"
    assert render(OK, plain=True) == b"OK\r\n"


@pytest.mark.parametrize(
    ("form", "rows"),
    [
        (Form.ARRAY, [b"a", 1.5]),
        (Form.SET, [b"a", b"b"]),
        (Form.MAP, [(b"k", b"v"), (b"l", [b"x", b"y"])]),
        (Form.PAIRS, [(b"m", 1.5), (b"n", 2.0)]),
    ],
)
def test_rows_look_as_they_do_in_one_reply(form: Form, rows: list[Any]) -> None:
    """Some at a time: only the first number, and the width of the last, are told."""
    reply = in_one(form, rows)
    assert render_rows(form, rows[:1], 1, 2) + render_rows(form, rows[1:], 2, 2) == render(reply)
    assert render_rows(form, rows[:1], 9, 10).startswith(b" 9) ")


def test_printable_keeps_quotes() -> None:
    """Text that stands in a sentence is made safe without being quoted."""
    assert printable(b'a "b" \\ \x1b') == 'a "b" \\ \\x1b'


@settings(max_examples=200)
@given(
    REPLIES
    | st.binary(max_size=40)
    | st.text(max_size=20).map(lambda s: Verbatim(s.encode("utf-8", "replace")))
)
def test_no_value_can_drive_a_terminal(reply: Reply) -> None:
    """For any stored value, only printable characters and line ends reach a terminal."""
    assert render(reply).decode().replace("\r\n", "").isprintable()
    assert render(reply, plain=True).decode().replace("\r\n", "").isprintable()


@settings(max_examples=100)
@given(st.binary(max_size=20).map(lambda b: b.decode("utf-8", "surrogateescape")))
def test_statuses_and_errors_are_safe_too(text: str) -> None:
    """Error texts repeat text that a client sent, so they are escaped like values."""
    for reply in (SimpleString(text), CommandError(text)):
        assert render(reply).decode().removesuffix("\r\n").isprintable()
