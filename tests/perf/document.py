"""Puts measured tables into ``docs/PERFORMANCE.md``, between their markers: figures are never typed."""

from collections.abc import Iterable
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "PERFORMANCE.md"
DRAWING = DOCUMENT.with_name("performance.svg")
HELP = f"also write it into docs/{DOCUMENT.name}"


def insert(document: str, marker: str, lines: Iterable[str]) -> str:
    """`document` with these lines between ``<!-- marker -->`` and its end. ValueError where it lacks them."""
    begin, end = f"<!-- {marker} -->", f"<!-- /{marker} -->"
    before, found, rest = document.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found or not found_end:
        raise ValueError(f"{DOCUMENT.name} lacks {begin} or {end}")
    return "\n".join([f"{before}{begin}", "", *lines, "", f"{end}{after}"])


def write(marker: str, lines: Iterable[str]) -> None:
    """Replace what the document has between these markers."""
    DOCUMENT.write_text(insert(DOCUMENT.read_text(encoding="utf-8"), marker, lines), encoding="utf-8")
