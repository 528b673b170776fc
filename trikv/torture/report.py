"""A finished torture as text for a person, or as JSON; and its progress while it runs."""

import sys
from collections.abc import Sequence
from typing import Any, Final

import trio

from trikv.notation import counted
from trikv.torture.evidence import Evidence
from trikv.torture.judge import NAMES_MAX, Findings
from trikv.torture.run import Result
from trikv.torture.storm import Blow

_BAR: Final = 30
_REFRESH_S: Final = 0.5
_CLEAR: Final = "\r\x1b[K"
_PROBLEMS_MAX: Final = 20


class Screen:
    """Shows the progress of a run: lines on standard output, a bar on standard error if it is a terminal."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()

    def phase(self, text: str) -> None:
        """A new phase of the run begins."""
        self.line(text)

    def blow(self, blow: Blow) -> None:
        """A fault is over."""
        served = "NOBODY SERVED" if blow.served_s is None else f"served after {blow.served_s:.2f} s"
        self.line(f"{blow.at_s:7.1f} s  {blow.text}: {served}")

    def line(self, text: str) -> None:
        """Print a line in place of the bar, if there is one."""
        if self._terminal:
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    async def load(self, evidence: Evidence, begin_s: float, until_s: float) -> None:
        """Draw the bar until cancelled."""
        if not self._terminal:
            return
        try:
            while True:
                share = min(1.0, (trio.current_time() - begin_s) / (until_s - begin_s))
                filled = int(share * _BAR)
                tally = evidence.tally
                sys.stderr.write(
                    f"{_CLEAR}[{'#' * filled}{'.' * (_BAR - filled)}] {tally.answered:,} answered, "
                    f"{tally.unknown:,} of unknown outcome"
                )
                sys.stderr.flush()
                await trio.sleep(_REFRESH_S)
        finally:
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()


def as_text(results: Sequence[Result]) -> str:
    """All runs side by side."""
    rows: list[tuple[str, ...]] = [("", *(result.title for result in results))]
    rows += [
        (name, *(f"{value(result):,}" for result in results))
        for name, value in (
            ("faults", lambda result: len(result.blows)),
            ("commands answered", lambda result: result.findings.answered),
            ("writes acknowledged", lambda result: result.findings.acknowledged_writes),
            ("of unknown outcome", lambda result: result.findings.unknown),
            ("refused, not executed", lambda result: result.findings.refused),
            ("unique writes read back", lambda result: result.findings.checked),
            ("acknowledged, and LOST", lambda result: result.findings.lost_in_all),
            ("histories searched", lambda result: result.findings.groups),
            ("without any order", lambda result: result.findings.disordered),
        )
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            [
                first.ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)),
            ]
        ).rstrip()
        for first, *rest in rows
    )


def losses(result: Result) -> list[str]:
    """The losses of a system, and the faults that caused them."""
    findings = result.findings
    lines = [f"{result.title} lost {counted(findings.lost_in_all, 'acknowledged write', form=',')}."]
    for blow, lost in zip(result.blows, result.lost_by, strict=True):
        if lost:
            lines.append(f"{counted(lost, 'unique write', form='>7,')} at {blow.at_s:.1f} s: {blow.text}")
    if findings.increments_lost:
        lines.append(
            f"{counted(findings.increments_lost, 'increment', form='>7,')} of counters, which do not tell "
            "when"
        )
    return lines


def verdict(result: Result) -> list[str]:
    """One line if all is well; otherwise one line for each problem."""
    findings = result.findings
    if findings.clean:
        writes = counted(findings.acknowledged_writes, "acknowledged write", form=",")
        kept = f"{result.title} kept all {writes}"
        faults = f" through {counted(len(result.blows), 'fault')}" if result.blows else ""
        return [f"VERDICT: clean. {kept}{faults}; every answer fits one order of events."]
    shown = findings.problems[:_PROBLEMS_MAX]
    more = len(findings.problems) - len(shown)
    lines = [f"VERDICT: NOT CLEAN. {result.title}:", *(f"  {problem}" for problem in shown)]
    return [*lines, f"  and {more} more"] if more else lines


def as_dict(results: Sequence[Result]) -> dict[str, Any]:
    """The contents of a JSON report; the verdict is that of the first run."""
    return {
        "clean": results[0].findings.clean,
        "runs": [
            {
                "title": result.title,
                "seconds": round(result.seconds, 2),
                "faults": [
                    {
                        "at_s": round(blow.at_s, 3),
                        "fault": blow.text,
                        "served_s": None if blow.served_s is None else round(blow.served_s, 3),
                        "lost": lost,
                    }
                    for blow, lost in zip(result.blows, result.lost_by, strict=True)
                ],
                **_findings(result.findings),
            }
            for result in results
        ],
    }


def _findings(findings: Findings) -> dict[str, Any]:
    return {
        "clean": findings.clean,
        "answered": findings.answered,
        "acknowledged_writes": findings.acknowledged_writes,
        "unknown": findings.unknown,
        "refused": findings.refused,
        "unique_writes_checked": findings.checked,
        "lost": findings.lost_in_all,
        "lost_keys": sorted(key.decode() for key in findings.lost)[:NAMES_MAX],
        "histories": findings.groups,
        "disordered": findings.disordered,
        "unjudged": findings.unjudged,
        "problems": findings.problems,
    }
