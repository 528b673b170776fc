"""Draws throughput and p99 against the number of clients: ``python -m tests.perf.plot FILE.json OUT.svg``.

FILE is what ``python -m tests.perf.compare --curve --json FILE`` wrote. The drawing is a few dozen lines of
SVG: no library is needed for two pairs of axes. All axes are logarithmic: the figures span three decades.
"""

import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias
from xml.sax.saxutils import escape

import attrs

Line: TypeAlias = Sequence[tuple[float, float]]

_COLOURS = {
    "Redis SET+WAIT": "#c0392b",
    "trikv SET": "#1f618d",
    "Redis GET": "#e59866",
    "trikv GET": "#5dade2",
}
_WIDTH, _HEIGHT, _MARGIN, _HEAD = 460, 300, 62, 34
_STEPS = (1, 2, 5)
"""Where axes are marked, in each decade."""


@attrs.frozen
class Scale:
    """A logarithmic axis: from `low` to `high` in `length` pixels."""

    low: float
    high: float
    length: float

    @classmethod
    def over(cls, values: Sequence[float], length: float) -> "Scale":
        """An axis for these values, ending at marks."""
        marks = [step * 10.0**decade for decade in range(-3, 8) for step in _STEPS]
        low = max(mark for mark in marks if mark <= min(values))
        return cls(low, min(mark for mark in marks if mark >= max(values) and mark > low), length)

    def at(self, value: float) -> float:
        """Pixels from the axis' low end."""
        return self.length * math.log(value / self.low) / math.log(self.high / self.low)

    def marks(self) -> list[float]:
        """Values to mark."""
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        found = [step * 10.0**decade for decade in decades for step in _STEPS]
        return [mark for mark in found if self.low * 0.999 <= mark <= self.high * 1.001]


def draw(lines: dict[str, Line], title: str, left: float) -> Iterator[str]:
    """One pair of axes with its lines, `left` pixels from the drawing's edge."""
    across = Scale.over([x for line in lines.values() for x, _ in line], _WIDTH - 2 * _MARGIN)
    up = Scale.over([y for line in lines.values() for _, y in line], _HEIGHT - 2 * _HEAD)
    origin_x, origin_y = left + _MARGIN, _HEIGHT - _HEAD

    def place(x: float, y: float) -> str:
        return f"{origin_x + across.at(x):.1f},{origin_y - up.at(y):.1f}"

    yield _text(left + _WIDTH / 2, _HEAD - 14, title, "middle")
    for mark in up.marks():
        y = origin_y - up.at(mark)
        yield f'<path d="M{origin_x},{y:.1f}h{across.length}" stroke="#ddd"/>'
        yield _text(origin_x - 6, y + 4, _short(mark), "end")
    for mark in across.marks():
        yield _text(origin_x + across.at(mark), origin_y + 16, _short(mark), "middle")
    yield _text(origin_x + across.length / 2, origin_y + 31, "clients", "middle")
    for name, line in lines.items():
        colour = _COLOURS.get(name, "#555")
        points = " ".join(place(x, y) for x, y in line)
        yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        for x, y in line:
            cx, cy = place(x, y).split(",")
            yield f'<circle cx="{cx}" cy="{cy}" r="2.5" fill="{colour}"/>'


def _legend(names: Sequence[str]) -> Iterator[str]:
    for number, name in enumerate(names):
        x = _MARGIN + number * 190
        yield f'<path d="M{x},{_HEIGHT + 18}h24" stroke="{_COLOURS.get(name, "#555")}" stroke-width="3"/>'
        yield _text(x + 30, _HEIGHT + 22, name, "start")


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _short(value: float) -> str:
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"


def svg(curve: dict[str, list[tuple[int, dict[str, dict[str, float]]]]]) -> str:
    """The whole drawing, of what a comparison's JSON has as ``curve``."""

    def lines(figure: str) -> dict[str, Line]:
        return {
            name: [(clients, run["outcome"][figure]) for clients, run in points]
            for name, points in curve.items()
        }

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * _WIDTH}" height="{_HEIGHT + 36}">',
        "<style>text { font: 12px sans-serif }</style>",
        '<rect width="100%" height="100%" fill="white"/>',
        *draw(lines("rate"), "commands a second, no pipeline", 0),
        *draw(lines("p99_ms"), "p99 latency, ms", _WIDTH),
        *_legend(list(curve)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:3])
    target.write_text(svg(json.loads(source.read_text())["curve"]))
