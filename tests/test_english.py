"""Docstrings and comments are plain English, as far as a pattern can tell.

Two things can be found without a reader: turns of phrase that no native text of this kind has, and docstrings
that say no more than the name above them. Everything else needs a reader.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

CHECKED = ("trikv",)
"""Directories that are checked with all below them."""
NOT_YET: frozenset[str] = frozenset()
"""Modules below them that still hold what is forbidden."""

HELP = frozenset({"Set several keys at once, or none where one is there already; 1 if they were set."})
"""Docstrings that HELP and COMMAND DOCS send as they are: replies stay."""

FORBIDDEN = re.compile(
    r"\b(?:true|false|none)\s+where\b|\banew\b|\bin\s+vain\b|\bis\s+wanting\b|\bwithout\s+more\s+ado\b",
    re.IGNORECASE,
)
"""Write "whether", "if", "again", "without success", "is missing", "at once". Line breaks do not hide one."""

_STOP = """
    a all an and any are as at be been by do does for from get gets give gives has have in into is it its may
    now of on one or our own present return returns set sets some that the their them there these they this
    those to up was were what when which whose will with you your
"""
STOP_WORDS = frozenset(_STOP.split())
"""Words that add nothing to a name."""

_WORD = re.compile(r"[a-z]+")
_NAME_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_ENDING = re.compile(r"(?:es|s|ed|d|ing|e)$")


def _texts(source: str) -> Iterator[tuple[int, str]]:
    """Every comment, and every string that stands alone (docstrings, also of attributes), with its line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            text = node.value.value
            if isinstance(text, str):
                yield node.lineno, text
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def forbidden_in(source: str) -> list[tuple[int, str]]:
    """The forbidden turns of phrase in a module's comments and docstrings, with their lines."""
    return [
        (line + text.count("\n", 0, found.start()), " ".join(found.group().split()))
        for line, text in _texts(source)
        if text not in HELP
        for found in FORBIDDEN.finditer(text)
    ]


def _stem(word: str) -> str:
    """A word without its ending, and without the consonant that the ending has doubled."""
    return re.sub(r"(.)\1$", r"\1", _ENDING.sub("", word)) or word


def repeats(name: str, docstring: str) -> bool:
    """Whether `docstring` has no word but stop words and those of `name`."""
    of_name = {_stem(part.lower()) for part in _NAME_PART.findall(name)}
    words = _WORD.findall(docstring.lower())
    return all(word in STOP_WORDS or _stem(word) in of_name for word in words)


def repeated_in(source: str) -> list[tuple[int, str]]:
    """The functions and classes whose docstring only repeats their name, with their lines."""
    defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return [
        (node.lineno, node.name)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, defined)
        and (docstring := ast.get_docstring(node))
        and repeats(node.name, docstring)
    ]


@cache
def _checked() -> tuple[Path, ...]:
    paths = [path for directory in CHECKED for path in sorted((ROOT / directory).rglob("*.py"))]
    return tuple(path for path in paths if str(path.relative_to(ROOT)) not in NOT_YET)


def _found(path: Path, found: list[tuple[int, str]]) -> list[str]:
    return [f"{path.relative_to(ROOT)}:{line}: {what}" for line, what in found]


def test_no_turn_of_phrase_is_translated() -> None:
    """A reader who must first translate a sentence back misses what is wrong with it."""
    sources = {path: path.read_text(encoding="utf-8") for path in _checked()}
    assert not [line for path, source in sources.items() for line in _found(path, forbidden_in(source))]


def test_a_docstring_says_more_than_the_name() -> None:
    """Unit, range, error, source, or what an edge value means: a repeated name is noise."""
    sources = {path: path.read_text(encoding="utf-8") for path in _checked()}
    assert not [line for path, source in sources.items() for line in _found(path, repeated_in(source))]


def test_all_that_is_to_be_checked_is_there() -> None:
    """A directory or a module that was renamed would not be checked any more."""
    assert not [name for name in (*CHECKED, *NOT_YET) if not (ROOT / name).exists()]


@pytest.mark.parametrize(
    "source",
    [
        '"""True whe^re it is."""',
        "def f():\n    '''None\n    whe^re there is none.'''",
        "x: int\n'''Begins ane^w.'''",
        "x = 1  # it stood in va^in",
        "# a peer's answer is want^ing",
        "# without more a^do",
    ],
)
def test_a_forbidden_turn_is_found(source: str) -> None:
    """In docstrings of anything, across lines, and in comments; but not in code or its strings."""
    assert len(forbidden_in(source.replace("^", ""))) == 1
    assert not forbidden_in("anew = 'True where it is anew'")


@pytest.mark.parametrize(
    ("name", "docstring", "only_repeats"),
    [
        ("next_deadline", "The next deadline.", True),
        ("NodeState", "State of the node.", True),
        ("stopping", "It stops.", True),
        ("next_deadline", "The next deadline, in ms.", False),
        ("save", "Save, durably.", False),
    ],
)
def test_a_repeated_name_is_found(name: str, docstring: str, *, only_repeats: bool) -> None:
    """In any order, and with other endings. A unit, or a promise, is enough to say more."""
    assert repeats(name, docstring) is only_repeats
