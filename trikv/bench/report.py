"""A finished run as text for people or JSON for programs, and the progress bar while it lasts."""

import math
import sys
from typing import Any, Final, TextIO

from trikv.bench.histogram import Histogram
from trikv.bench.options import Options
from trikv.bench.tally import Tally
from trikv.bench.verify import Findings
from trikv.notation import counted

PERCENTILES: Final = (("p50", 50.0), ("p95", 95.0), ("p99", 99.0), ("p99.9", 99.9), ("max", 100.0))
_BAR: Final = 40


def as_dict(options: Options, tally: Tally, findings: Findings | None) -> dict[str, Any]:
    """Give the run as plain data; latencies in milliseconds. Names must not change: programs read them."""
    latency = tally.latency_ns
    result: dict[str, Any] = {
        "nodes": [str(address) for address in options.nodes],
        "connections": options.connections,
        "pipeline": options.pipeline,
        "value_bytes": options.value_bytes,
        "keys": options.keys,
        "mix": dict(options.mix),
        "rate": options.rate,
        "elapsed_s": round(tally.elapsed_ns / 1e9, 6),
        "commands_per_s": round(tally.per_second, 1),
        "sent": tally.sent,
        "answered": tally.answered,
        "acknowledged_writes": tally.answered_writes,
        "errors": dict(tally.errors),
        "unknown_writes": tally.unknown_writes,
        "unanswered_reads": tally.unread,
        "unsent": tally.unsent,
        "reconnects": tally.reconnects,
        "gave_up": tally.gave_up,
        "latency_ms": {
            "mean": round(latency.mean / 1e6, 4),
            **{name: round(latency.percentile(percent) / 1e6, 4) for name, percent in PERCENTILES},
        },
        "histogram": [
            {"from_ms": row.low / 1e6, "below_ms": row.high / 1e6, "count": row.values}
            for row in latency.rows()
        ],
    }
    if findings is not None:
        result["verify"] = {
            "checked": findings.checked,
            "lost": findings.lost,
            "foreign": findings.foreign,
            "unjudged": findings.unjudged,
            "unread": findings.unread,
            "nothing_lost": findings.nothing_lost,
            "lost_keys": findings.samples,
        }
    return result


def as_text(options: Options, tally: Tally, findings: Findings | None) -> str:
    """Give the run as lines for a person."""
    latency = tally.latency_ns
    percentiles = (f"{name} {latency.percentile(percent) / 1e6:.3f}" for name, percent in PERCENTILES)
    errors = (f"{count:,} {code}" for code, count in tally.errors.most_common())
    lines = [
        *_setting(options),
        "",
        f"  {tally.per_second:,.0f} commands/s, {tally.answered:,} in {tally.elapsed_ns / 1e9:.2f} s",
        f"  latency in ms: {'  '.join(percentiles)}",
        "",
        *(f"  {line}" for line in drawn(latency)),
        "",
        f"  acknowledged writes: {tally.answered_writes:,}; of unknown outcome: {tally.unknown_writes:,}",
        f"  reads without an answer: {tally.unread:,}; reconnects: {tally.reconnects:,}",
        f"  errors: {', '.join(errors) or 'none'}",
    ]
    if tally.unsent:
        lines.append(
            f"  {counted(tally.unsent, 'command', form=',')} fell due before the end and found no free "
            "connection"
        )
    if tally.gave_up:
        lines.append(f"  the run ended early: no node could be reached for {options.give_up_s:g} s")
    if findings is not None:
        lines += [f"  {line}" for line in verdict(findings)]
    return "\n".join(lines)


def _setting(options: Options) -> list[str]:
    mix = ",".join(f"{name}={weight:g}" for name, weight in options.mix)
    pace = "" if options.rate is None else f", {options.rate:,g} commands/s on schedule"
    values, keys = counted(options.value_bytes, "byte"), counted(options.keys, "key", form=",")
    return [
        f"{counted(options.connections, 'connection')} to {', '.join(map(str, options.nodes))}, mix {mix}",
        f"pipeline {options.pipeline}, values of {values}, {keys}{pace}",
    ]


def verdict(findings: Findings) -> list[str]:
    """Describe the findings of reading back in lines of text."""
    result = "nothing lost" if findings.nothing_lost else f"{findings.lost:,} LOST"
    lines = [f"read back {counted(findings.checked, 'acknowledged key', form=',')}: {result}"]
    if findings.samples:
        lines.append(
            "lost: " + ", ".join(findings.samples) + (", …" if findings.lost > len(findings.samples) else "")
        )
    if findings.unread:
        lines.append(
            f"{counted(findings.unread, 'acknowledged key', form=',')} could not be read: no node answered"
        )
    if findings.foreign:
        lines.append(
            f"{counted(findings.foreign, 'key', form=',')} with what this run did not write; "
            "does another run write there?"
        )
    if findings.unjudged:
        lines.append(
            f"{counted(findings.unjudged, 'key', form=',')} had too many writes of unknown outcome "
            "to be judged"
        )
    return lines


def drawn(histogram: Histogram) -> list[str]:
    """Draw latency (nanoseconds) downwards and counts across, both on a logarithmic scale.

    On a linear scale the few slow replies, which matter most, would have no visible bar.
    """
    rows = histogram.rows()
    if not rows:
        return ["no replies"]
    widest = math.log1p(max(row.values for row in rows))
    seen = 0
    lines = ["       ms below       count  at most"]
    for row in rows:
        seen += row.values
        bar = "#" * round(_BAR * math.log1p(row.values) / widest)
        percent = 100 * seen / histogram.count
        lines.append(f"{row.high / 1e6:>15.10g} {row.values:>11,} {percent:>7.3f}% {bar}".rstrip())
    return lines


class Progress:
    """A bar on a terminal, redrawn in place; elsewhere nothing is printed."""

    def __init__(self, options: Options, stream: TextIO = sys.stderr) -> None:
        self._options = options
        self._stream = stream
        self._shown = stream.isatty()
        self._before = (0, 0.0)

    def __call__(self, tally: Tally, elapsed_s: float) -> None:
        """Show the run's progress, and its speed since the last call."""
        if not self._shown:
            return
        answered, since_s = self._before
        speed = (tally.answered - answered) / max(elapsed_s - since_s, 1e-9)
        self._before = (tally.answered, elapsed_s)
        share = self._share(tally, elapsed_s)
        bar = "#" * int(share * _BAR)
        self._stream.write(
            f"\r[{bar:.<{_BAR}}] {share:4.0%}  {speed:>9,.0f}/s  errors {tally.refused:,}"
            f"  reconnects {tally.reconnects:,}\x1b[K"
        )
        self._stream.flush()

    def close(self) -> None:
        """Clear the bar's line."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _share(self, tally: Tally, elapsed_s: float) -> float:
        if self._options.seconds is not None:
            return min(elapsed_s / self._options.seconds, 1.0)
        assert self._options.requests is not None
        return min(tally.sent / self._options.requests, 1.0)
