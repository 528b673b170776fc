"""How figures are written; `test_config` tests how settings are read."""

import ast
from pathlib import Path

import pytest

import trikv
from trikv.notation import counted

_WORDS = """arguments bytes commands connections cores entries errors events faults files groups increments
    keys kills lines members mutants nodes peers reads replies rounds searches seconds segments steps tests
    times voters writes"""
_COUNTED = frozenset(_WORDS.split())


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0 keys"), (1, "1 key"), (2, "2 keys"), (1_234, "1234 keys"), (-1, "-1 keys")]
)
def test_one_is_singular_and_all_else_plural(number: int, shown: str) -> None:
    """``1 key``, and an s for any other number."""
    assert counted(number, "key") == shown


def test_numbers_may_have_a_form_and_words_a_plural() -> None:
    """Thousands in groups, a column's width, what takes more than an s."""
    assert counted(1_234, "acknowledged write", form=",") == "1,234 acknowledged writes"
    assert counted(1, "fault", form=">4,") == "   1 fault"
    assert [counted(n, "search", plural="searches") for n in (1, 2)] == ["1 search", "2 searches"]


def test_no_message_counts_in_words_by_itself() -> None:
    """``{number} keys`` says "1 keys" one day: such words come from `counted`. Constants are no counts."""
    found = [
        f"{path.name}:{value.lineno}: {ast.unparse(value)}{text!r}"
        for path in Path(trikv.__file__).parent.rglob("*.py")
        for joined in ast.walk(ast.parse(path.read_text()))
        if isinstance(joined, ast.JoinedStr)
        for value, text in _followed(joined)
        if _counts(value, text)
    ]
    assert not found, "\n".join(found)


def _followed(joined: ast.JoinedStr) -> list[tuple[ast.FormattedValue, str]]:
    """Each value of an f-string with the text behind it."""
    return [
        (value, str(text.value))
        for value, text in zip(joined.values, joined.values[1:], strict=False)
        if isinstance(value, ast.FormattedValue) and isinstance(text, ast.Constant)
    ]


def _counts(value: ast.FormattedValue, text: str) -> bool:
    """True if a plain value stands before a word of `_COUNTED`, with or without an adjective."""
    word, _, behind = text.removeprefix(" ").partition(" ")
    words = {word.strip(".,:;"), behind.partition(" ")[0].strip(".,:;") if word in _ADJECTIVES else ""}
    is_bound = isinstance(value.value, ast.Name | ast.Attribute) and _is_bound(value.value)
    is_measured = value.format_spec is not None and "." in ast.unparse(value.format_spec)  # 1.0 seconds
    return text.startswith(" ") and bool(words & _COUNTED) and not (is_bound or is_measured)


_ADJECTIVES = frozenset({"acknowledged", "unique", "virtual"})


def _is_bound(value: ast.Name | ast.Attribute) -> bool:
    """A limit, which is never 1."""
    name = value.id if isinstance(value, ast.Name) else value.attr
    return name.isupper() or name.endswith(("_max", "most"))
