"""What a person sees in the end, and what a program may read."""

import sys

import pytest
import trio
import trio.testing

from trikv.torture.evidence import Evidence
from trikv.torture.judge import Findings
from trikv.torture.report import Screen, as_dict, as_text, losses, verdict
from trikv.torture.run import Result
from trikv.torture.storm import Blow


def result(title: str = "trikv", *, lost: int = 0, problems: int = 0) -> Result:
    """A run with two faults."""
    findings = Findings(3000, 2000, 5, 6, checked=1500, groups=7)
    findings.lost = {b"p:u%d" % number for number in range(lost)}
    findings.problems = [f"problem {number}" for number in range(problems)]
    blows = [
        Blow(1.0, "node1, the leader, killed", 11.0, 0.5),
        Blow(2.0, "all nodes killed at once", 12.0, None),
    ]
    return Result(title, 9.5, blows, findings, [0, lost])


def test_a_clean_verdict_is_one_line() -> None:
    """With how much was kept through how much."""
    (line,) = verdict(result())
    assert line.startswith("VERDICT: clean. trikv kept all 2,000 acknowledged writes through 2 faults;")


def test_a_verdict_names_what_is_wrong() -> None:
    """A line each, and not without end."""
    lines = verdict(result(problems=25))
    assert lines[0] == "VERDICT: NOT CLEAN. trikv:"
    assert len(lines) == 22
    assert lines[-1] == "  and 5 more"


def test_runs_stand_side_by_side() -> None:
    """One column a run; the losses of each with the faults that cost them."""
    text = as_text([result(), result("Redis", lost=1234)])
    rows = {line[:24].strip(): line[24:].split() for line in text.splitlines()}
    assert rows["acknowledged, and LOST"] == ["0", "1,234"]
    assert rows["writes acknowledged"] == ["2,000", "2,000"]
    redis = result("Redis", lost=1234)
    redis.findings.increments_lost = 7
    assert losses(redis) == [
        "Redis lost 1,241 acknowledged writes.",
        "  1,234 unique writes at 2.0 s: all nodes killed at once",
        "      7 increments of counters, which do not tell when",
    ]


def test_a_report_for_programs() -> None:
    """The first run decides; a fault after which nobody was served says so."""
    report = as_dict([result(), result("Redis", lost=20, problems=1)])
    assert report["clean"] is True
    ours, theirs = report["runs"]
    assert (ours["lost"], theirs["lost"], theirs["clean"]) == (0, 20, False)
    assert [fault["served_s"] for fault in theirs["faults"]] == [0.5, None]
    assert len(theirs["lost_keys"]) == 10


async def test_a_bar_on_a_terminal_only(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Faults are lines either way; the bar is drawn and wiped where standard error is a terminal."""
    del autojump_clock
    evidence = Evidence(b"p:")
    evidence.tally.answered = 1234
    for terminal in (False, True):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal)
        screen = Screen()
        with trio.move_on_after(5):
            await screen.load(evidence, trio.current_time(), trio.current_time() + 10)
            await trio.sleep_forever()
        screen.blow(result().blows[0])
        captured = capsys.readouterr()
        assert captured.out == "    1.0 s  node1, the leader, killed: served after 0.50 s\n"
        assert ("[#############.................] 1,234 answered" in captured.err) is terminal
