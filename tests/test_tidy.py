"""House rules that no linter knows: sizes, docstrings, nothing left undone, nothing dead."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULE_LINES_MAX = 500
FUNCTION_LINES_MAX = 60

ENTRY_POINTS = frozenset({"trikv.__main__", "trikv.cli"})
"""Started by name (``python -m trikv``, the ``trikv`` script), so imported by none."""

SHIPPED_FOR_TESTS = ("trikv.sim.", "trikv.raft.invariants")
"""The simulator and the full invariants are part of the product, but only tests run them."""

MIRRORED = ("front", "node")
"""Packages of which every module has a test file of its name, at the same place below tests/."""
WITHOUT_A_TEST_OF_ITS_NAME = {
    "trikv/front/caller.py": "a record: what a handler of a node's own command may look at",
    "trikv/front/figures.py": "records: what a node's parts say of themselves",
    "trikv/front/runtime_settings.py": "a record: what CONFIG SET may change",
    "trikv/front/seam.py": "protocols and records: what both sides of the seam keep to is tested with them",
    "trikv/node/consensus/parts.py": "records of parts; each part has a test, and so has the assembly",
    "trikv/node/events.py": "records that reach the driver; it does nothing itself",
}

TOOLS = ROOT / "tests" / "tools.py"
SKIPPING = frozenset({"skip", "skipif", "importorskip", "SkipTest", "skipIf", "skipUnless", "skipTest"})

LEFT_UNDONE = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX"]) + r")\b")

SOURCES = sorted((ROOT / "trikv").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))
EVERYTHING = [*SOURCES, *TESTS, *EXAMPLES]


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@cache
def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(_parse(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_a_module_fits_in_a_head() -> None:
    """No module has more than 500 lines: a longer one holds more than one idea."""
    long = {_name(path): len(_lines(path)) for path in EVERYTHING if len(_lines(path)) > MODULE_LINES_MAX}
    assert not long


def test_a_function_fits_on_a_screen() -> None:
    """No function has more than 60 lines, its docstring included."""
    long = {
        f"{_name(path)}: {function.name}": lines
        for path in EVERYTHING
        for function in _functions(path)
        if (lines := (function.end_lineno or function.lineno) - function.lineno + 1) > FUNCTION_LINES_MAX
    }
    assert not long


def test_a_module_says_why_it_exists() -> None:
    """Every module opens with a docstring."""
    assert not [_name(path) for path in EVERYTHING if not ast.get_docstring(_parse(path))]


def test_a_test_says_what_is_promised() -> None:
    """Every test function has a docstring with the behaviour it demands."""
    silent = [
        f"{_name(path)}: {function.name}"
        for path in TESTS
        if path.name.startswith("test_")
        for function in _functions(path)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert not silent


def test_nothing_is_left_undone() -> None:
    """No marker of unfinished work: what is not done is an issue, where it can be seen and planned."""
    found = [
        f"{_name(path)}:{number}: {line.strip()}"
        for path in EVERYTHING
        for number, line in enumerate(_lines(path), start=1)
        if LEFT_UNDONE.search(line)
    ]
    assert not found


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported_by(path: Path) -> Iterator[str]:
    """Give every dotted name a module imports, lazy ones named in a string included."""
    for node in ast.walk(_parse(path)):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                yield module
                yield from (f"{module}.{alias.name}" for alias in names)  # `from a import b` may mean a.b
            case ast.Constant(value=str(text)) if text.startswith("trikv."):
                yield text.partition(":")[0]


def test_no_module_is_dead() -> None:
    """Every module of trikv is imported by another one or started by name: a test alone keeps none alive."""
    used = {name for path in SOURCES for name in _imported_by(path) if name != _module(path)}
    modules = {_module(path) for path in SOURCES if path.name != "__init__.py"}
    dead = {name for name in modules - used - ENTRY_POINTS if not name.startswith(SHIPPED_FOR_TESTS)}
    assert not dead


def test_nothing_is_imported_for_types_alone() -> None:
    """Such an import hides a circle: what the type is of belongs on a lower floor."""
    assert not [_name(path) for path in SOURCES if any("TYPE_CHECKING" in line for line in _lines(path))]


def test_a_module_has_a_test_file_of_its_name() -> None:
    """Its promises are found by its name alone; what has none says why, for as long as it has none."""
    without = {
        _name(path)
        for path in SOURCES
        if path.name != "__init__.py"
        and (parts := path.relative_to(ROOT / "trikv").parts)[0] in MIRRORED
        and not (ROOT / "tests").joinpath(*parts[:-1], f"test_{parts[-1]}").exists()
    }
    assert without == WITHOUT_A_TEST_OF_ITS_NAME.keys()


def test_a_test_that_is_expected_to_fail_says_why() -> None:
    """Without a reason it is one that was forgotten."""
    silent = []
    for path in TESTS:
        nodes = list(ast.walk(_parse(path)))
        reasoned = {
            id(node.func) for node in nodes if isinstance(node, ast.Call) and (node.args or node.keywords)
        }
        silent += [
            f"{_name(path)}:{node.lineno}"
            for node in nodes
            if isinstance(node, ast.Attribute)
            and ast.unparse(node) in ("pytest.xfail", "pytest.mark.xfail")
            and id(node) not in reasoned
        ]
    assert not silent


def _skips(module: ast.Module) -> Iterator[int]:
    """The lines that skip tests by pytest's or unittest's own means."""
    for node in ast.walk(module):
        match node:
            case ast.Attribute(value=ast.Name(id="pytest" | "mark" | "unittest"), attr=name):
                skips = name in SKIPPING
            case ast.Attribute(value=ast.Attribute(attr="mark"), attr=name):
                skips = name in SKIPPING
            case ast.ImportFrom(module="pytest" | "unittest", names=names):
                skips = not SKIPPING.isdisjoint(alias.name for alias in names)
            case _:
                continue
        if skips:
            yield node.lineno


def test_a_skip_is_a_failure_where_nothing_may_be_skipped() -> None:
    """Every skip goes through tests/tools.py, which gives its reason and heeds TRIKV_STRICT=1."""
    found = [f"{_name(path)}:{line}" for path in TESTS for line in _skips(_parse(path)) if path != TOOLS]
    assert not found


@pytest.mark.parametrize(
    "source",
    [
        "pytest.skip('x')",
        "pytest.mark.skipif(True, reason='x')",
        "pytest.mark.skip",
        "np = pytest.importorskip('numpy')",
        "from pytest import skip as leave",
        "raise pytest.skip.Exception('x')",
        "raise unittest.SkipTest",
    ],
)
def test_a_skip_is_found_however_it_is_written(source: str) -> None:
    """And what only bears the name, as the machine's own `skip`, is none."""
    assert list(_skips(ast.parse(source))) == [1]
    assert not list(_skips(ast.parse("machine.skip(3)")))


def test_how_long_it_takes_is_said_once() -> None:
    """README, TESTING and the script give the same figure for the quick tests."""
    said = {
        name: re.findall(r"tests/run quick'? +\(?(?:in )?(about [a-z]+ minutes?)", text)
        for name in ("README.md", "docs/TESTING.md", "tests/run")
        if (text := (ROOT / name).read_text(encoding="utf-8"))
    }
    figures = {figure for found in said.values() for figure in found}
    assert all(said.values()), said
    assert len(figures) == 1, said
