"""Whatever code and documents cite is there: decisions by number, files, modules, headings, sections.

A citation that leads nowhere is worse than none: whoever follows it loses time and trust. What can be cited:

- a decision by its number, and a part of the paper or the thesis: ``docs/PROTOCOL.md`` lists both;
- a path below one of `CITED`, also with ``*``, also with the name of a test behind two colons;
- a dotted name in backticks, of a module of ours or of what is in one;
- a heading, as *Heading* behind "see" or behind a document's name.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest

from tests.mutants.catalogue import MUTANTS

ROOT = Path(__file__).parents[1]
DECISIONS = ROOT / "docs" / "PROTOCOL.md"
CITED = ("docs", "tests", "trikv", "tools", "examples")
DIRECTORIES = (*CITED, "cluster", ".ci")
SUFFIXES = frozenset({".py", ".pyi", ".c", ".md", ".txt", ".sh", ".toml", ".in", ".json", ""})
NO_MODULES = frozenset({"trikv.shutdown"})
"""The name of a push message, for RESP3 clients."""

_SERIES = "PROTOCOL|RELIABILITY"
_NUMBERS = re.compile(rf"\b({_SERIES})\s(\d+(?:(?:,\s|\sand\s|-)\d+)*)(?:,\sphase\s(\d+))?")
_PART = r"(?:section\s|figure\s)?\d+(?:\.\d+)*"
_SOURCES = re.compile(rf"\b(paper|thesis),?\s(?:end\sof\s)?({_PART}(?:\sand\s{_PART})*)", re.IGNORECASE)
_PATH = re.compile(rf"(?<![\w./~*-])((?:{'|'.join(CITED)})/[\w./*-]+)(?![\w./*-]*[$<{{])(?:::(\w+))?")
_SPAN = re.compile(r"(`{1,2})([^`]+)\1")
_DOTTED = re.compile(r"(?<![\w./])(?:trikv|tests)(?:\.[A-Za-z_]\w*)+")
_SHORT_PATH = re.compile(r"([\w*][\w/*]*\.(?:py|c|txt))(?:::(\w+))?(?:\[.*\])?")
_LINK = re.compile(r"\]\(([^):\s]+)\)")
_DOCUMENT = re.compile(r"(?<![\w/.-])(?:docs/)?([A-Z][A-Z_]+\.md)\b")
_SEE = re.compile(r"\bsee\s\*([^*]+)\*")
_HEADING = re.compile(r"\b([A-Z]+\.md)[)`]*,\s(?:\*([^*]+)\*|([A-Z][\w' ]+))")
_UNNAMED = re.compile(r"\b(?:ARCHITECTURE|OPERATION|PERFORMANCE|TESTING)\s(?:section\s)?\d[\d.]*")


# The texts, and what they cite.


@cache
def _files() -> tuple[Path, ...]:
    """Every text of the repository; nothing that is made while it is used (data, caches, environments)."""
    below = [path for directory in DIRECTORIES for path in (ROOT / directory).rglob("*")]
    files = [path for path in (*ROOT.iterdir(), *below) if path.is_file() and path.suffix in SUFFIXES]
    return tuple(sorted(path for path in files if path.name[0] != "." and "__pycache__" not in path.parts))


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def plain(text: str) -> str:
    """The text in one line: a citation may be wrapped, also in a comment."""
    return re.sub(r"\s*\n\s*(?:(?:#|//|\*)\s+)?|\s+", " ", text)


def decisions_in(text: str) -> Iterator[tuple[str, int, int | None]]:
    """Every decision that is cited: series, number, and the phase if one is named."""
    for series, numbers, phase in _NUMBERS.findall(text):
        parts = re.split(r",\s|\sand\s", numbers)
        for part in parts:
            first, _, last = part.partition("-")
            named = int(phase) if phase and part is parts[-1] else None
            yield from ((series, number, named) for number in range(int(first), int(last or first) + 1))


def sources_in(text: str) -> Iterator[tuple[str, str]]:
    """Every part of the paper or the thesis that is cited."""
    for source, parts in _SOURCES.findall(text):
        yield from ((source.lower(), part) for part in parts.split(" and "))


# What there is to be cited.


@cache
def decisions() -> dict[tuple[str, int], str]:
    """The decisions by series and number, with their text."""
    parts = re.split(rf"^#+ (?:({_SERIES}) (\d+): )?.+$", _text(DECISIONS), flags=re.MULTILINE)
    found = [
        ((series, int(number)), text)
        for series, number, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
        if series
    ]
    assert len(found) == len(dict(found)), "a number is given once"
    return dict(found)


@cache
def sources() -> frozenset[tuple[str, str]]:
    """The parts of the paper and the thesis that the document lists."""
    return frozenset(re.findall(r"^\| (paper|thesis) \| ([^|]+) \|", _text(DECISIONS), flags=re.MULTILINE))


@cache
def headings(document: Path) -> frozenset[str]:
    """Headings of a document, and the bold words that open a paragraph."""
    found = re.findall(r"^#+ (.+)$|^\*\*([^*]+)\*\*", _text(document), flags=re.MULTILINE)
    return frozenset((heading or words).rstrip(".") for heading, words in found)


@cache
def _by_short_path() -> dict[str, list[Path]]:
    """Every file by each end of its path: ``test_log.py``, ``raft/test_log.py`` and so on."""
    found: dict[str, list[Path]] = {}
    for path in _files():
        parts = path.relative_to(ROOT).parts
        for start in range(len(parts)):
            found.setdefault("/".join(parts[start:]), []).append(path)
    return found


@cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(_text(path))


@cache
def _functions(path: Path) -> frozenset[str]:
    defined = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(_parse(path)) if isinstance(node, defined))


def _bound(statement: ast.AST) -> Iterator[str]:
    """The names that a statement gives to something, attributes of self included."""
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            yield from (alias.asname or alias.name for alias in names)
        case ast.Assign() | ast.AnnAssign():
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for node in (inner for target in targets for inner in ast.walk(target)):
                if isinstance(node, ast.Name):
                    yield node.id
                elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self":
                    yield node.attr
        case _:
            pass


def _has(scope: ast.Module | ast.ClassDef, names: list[str]) -> bool:
    """Whether a module or class has what `names` lead to."""
    if not names:
        return True
    for node in scope.body:
        if isinstance(node, ast.ClassDef) and node.name == names[0]:
            return _has(node, names[1:])
    statements: Iterable[ast.AST] = scope.body if isinstance(scope, ast.Module) else ast.walk(scope)
    return len(names) == 1 and any(names[0] in _bound(statement) for statement in statements)


@cache
def is_there(dotted: str) -> bool:
    """Whether a dotted name leads to a package, a module, or what is in one. Nothing is imported."""
    at, names = ROOT, dotted.split(".")
    while names:
        for suffix in (".py", ".pyi"):
            if (at / f"{names[0]}{suffix}").exists():
                return _has(_parse(at / f"{names[0]}{suffix}"), names[1:])
        if not (at / names[0]).is_dir():
            return (at / "__init__.py").exists() and _has(_parse(at / "__init__.py"), names)
        at /= names.pop(0)
    return True


# What is wrong.


def _wrong_numbers(text: str) -> Iterator[str]:
    for series, number, phase in decisions_in(text):
        decision = decisions().get((series, number))
        if decision is None:
            yield f"{series} {number}: no such decision"
        elif phase is not None and not re.search(rf"^{phase}\. ", decision, flags=re.MULTILINE):
            yield f"{series} {number} has no phase {phase}"
    for source, part in sources_in(text):
        if (source, part) not in sources():
            yield f"{source}, {part}: not among the sources of {_name(DECISIONS)}"


def _wrong_paths(text: str) -> Iterator[str]:
    for path, function in _PATH.findall(text):
        cited = path.rstrip("./-")
        yield from _wrong_file(cited, ROOT.glob(cited), function)
    for _, span in _SPAN.findall(text):
        if (short := _SHORT_PATH.fullmatch(span)) is not None and not _PATH.match(span):
            ends = _by_short_path()
            named = [short[1]] if short[1] in ends else [end for end in ends if fnmatchcase(end, short[1])]
            found = [path for end in named for path in ends[end]]
            yield from _wrong_file(short[1], found, short[2])


def _wrong_file(cited: str, files: Iterable[Path], function: str | None) -> Iterator[str]:
    files = list(files)
    if not files:
        yield f"{cited}: no such file"
    elif function and not any(function in _functions(path) for path in files):
        yield f"{cited}::{function}: no such function"


def _wrong_names(text: str) -> Iterator[str]:
    for _, span in _SPAN.findall(text):
        for dotted in _DOTTED.findall(span):
            if dotted not in NO_MODULES and not is_there(dotted):
                yield f"{dotted}: no such name"


def _wrong_documents(text: str, path: Path) -> Iterator[str]:
    for name in _DOCUMENT.findall(text):
        if not ((ROOT / name).exists() or (ROOT / "docs" / name).exists()):
            yield f"{name}: no such document"
    for name, heading, words in _HEADING.findall(text):
        document = ROOT / "docs" / name
        if document.exists() and (heading or words) not in headings(document):
            yield f"{name}, *{heading or words}*: no such heading"
    for cited in _UNNAMED.findall(text):
        yield f"{cited}: sections have names, no numbers"
    if path.suffix == ".md":
        for heading in _SEE.findall(text):
            if heading not in headings(path):
                yield f"see *{heading}*: no such heading"
        for target in _LINK.findall(text):
            if not (path.parent / target).exists():
                yield f"{target}: the link leads nowhere"


def complaints(text: str, path: Path = DECISIONS) -> list[str]:
    """What `text`, which is in the file `path`, cites and is not there."""
    if path.suffix == ".md":  # a block of code has backticks of its own
        text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    text = plain(text)
    return [
        *_wrong_numbers(text),
        *_wrong_paths(text),
        *_wrong_names(text),
        *_wrong_documents(text, path),
    ]


# The tests.


def test_what_is_cited_is_there() -> None:
    """Every decision, file, module, heading and section that a text of the repository names can be found."""
    wrong = [f"{_name(path)}: {what}" for path in _files() for what in complaints(_text(path), path)]
    assert not wrong


def test_what_is_decided_is_cited() -> None:
    """A decision that neither code nor another document names is missed by whoever changes its code."""
    others = [plain(_text(path)) for path in _files() if path != DECISIONS]
    cited = {(series, number) for text in others for series, number, _ in decisions_in(text)}
    assert not sorted(decisions().keys() - cited)
    assert not sorted(sources() - {source for text in others for source in sources_in(text)})


def test_a_decision_says_why_and_where_and_what_defends_it() -> None:
    """Whoever breaks one finds out what it is there for, and which test should have said so."""
    silent = [
        f"{series} {number}: {label}"
        for (series, number), text in decisions().items()
        for label in ("**Why.**", "**Where.**", "**Tests.**")
        if label not in text
    ]
    assert not silent


def test_the_mutants_of_a_decision_are_mutants() -> None:
    """Each seeded mistake that the document names is in the catalogue."""
    paragraphs = re.findall(r"^\*\*Mutants\.\*\* (.+?)\n\n", _text(DECISIONS), flags=re.MULTILINE | re.DOTALL)
    named = [name for text in paragraphs for name in re.findall(r"\*([^*]+)\*", plain(text))]
    assert len(named) > len(paragraphs) > 0
    assert not sorted(set(named) - {mutant.name for mutant in MUTANTS})


def test_nothing_leads_out_of_the_repository() -> None:
    """No file names papers that only its authors have."""
    words = [word.replace("^", "") for word in ("../sha^red", "/work/sha^red", "HOUSE^.md", "VALUES^.md")]
    found = [f"{_name(path)}: {word}" for path in _files() for word in words if word in _text(path)]
    assert not found


def test_citations_are_found_at_all() -> None:
    """A pattern that matches nothing would find nothing wrong."""
    texts = [plain(_text(path)) for path in _files()]
    assert sum(1 for text in texts for _ in decisions_in(text)) > 100
    assert sum(1 for text in texts for _ in sources_in(text)) > 40
    for pattern, least in (
        (_PATH, 60),
        (_DOTTED, 400),
        (_SEE, 5),
        (_HEADING, 3),
        (_LINK, 8),
        (_DOCUMENT, 30),
    ):
        assert sum(len(pattern.findall(text)) for text in texts) > least, pattern.pattern


WRONG = [
    "as it must be (PROTO^COL 99)",
    "as it must be (PROTO^COL 8, 99)",
    "as it must be (PROTO^COL\n    # 99)",
    "(PROTO^COL 24-26)",
    "(RELIA^BILITY 1)",
    "(PROTO^COL 8, 25, phase 9)",
    "(PROTO^COL 8, phase 1)",
    "(pa^per, 5.9)",
    "(the^sis, 6.4 and 9.9)",
    "docs^/NOWHERE.txt",
    "tests^/raft/test_nothing.py",
    "`tests^/raft/test_nothing.py`",
    "tests^/raft/test_paper.py::test_of_nothing",
    "tests^/raft/scenarios/nothing_*.txt",
    "trikv^/raft/nothing.py, if there were one",
    "`raft/test^_nothing.py`",
    "`raft/test^_paper.py::test_of_nothing[1]`",
    "`trikv^.raft.nothing`",
    "``trikv^.raft.core.Nothing``",
    "`trikv^.raft.core.Raft.nothing`",
    "`trikv^.raft.core.Raft.install.nothing`",
    "as NOWHERE^.md says",
    "[there](nowhere^.html)",
    "see^ *Nothing*",
    "OPERATION^.md, *Nothing*",
    "(do^cs/OPERATION^.md, Nothing)",
    "(ARCHITECTURE^ section 4)",
    "(ARCHITECTURE^ 6)",
]
"""With a mark in each, so that this file does not cite what is not there."""


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_citation_is_complained_of(text: str) -> None:
    """The check of the checker: each of these is found wrong, once."""
    assert len(complaints(text.replace("^", ""))) == 1


RIGHT = [
    "(PROTOCOL 1-4, 7 and 25, phase 6; RELIABILITY 15)",
    "(paper, end of 5.3; Paper, 5.3 and figure 2; thesis 6.4)",
    "docs/PROTOCOL.md, tests/raft/scenarios/*.txt and trikv/raft/.",
    "`raft/test_paper.py::test_a_vote_survives_a_restart[1]`, `test_paper.py`, `raft/scenarios/*.txt`",
    "`trikv.raft`, ``trikv.raft.core.Raft.install``, `python -m tests.mutants.run`",
    "`trikv.raft.outbox.Outbox.durable_index`, `trikv.machine.account.Account`, `trikv.raft.types.NodeId`",
    "[OPERATION.md](OPERATION.md), *Monitoring*; docs/OPERATION.md, *How many clients*",
    "/home/you/trikv/data, tests/e2e/test_$name.py, the paper, and 3 theses",
]


@pytest.mark.parametrize("text", RIGHT)
def test_a_right_citation_is_not(text: str) -> None:
    """Neither what is there, in the forms that are in use, nor what only looks like a citation."""
    assert complaints(text) == []
