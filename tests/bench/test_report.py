"""The report's parts that a run seldom shows, and the progress bar."""

import io

from trikv.bench.histogram import Histogram
from trikv.bench.options import Options
from trikv.bench.report import Progress, as_text, drawn, verdict
from trikv.bench.tally import Tally
from trikv.bench.verify import Findings
from trikv.client.endpoint import Address

_OPTIONS = Options(nodes=(Address("127.0.0.1", 1),), requests=100, rate=50.0)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_the_bar_shows_share_and_speed_and_leaves_no_trace() -> None:
    """On a terminal the bar is redrawn in place with the speed since last time, and cleared at the end."""
    terminal = Terminal()
    progress = Progress(_OPTIONS, terminal)
    progress(Tally(sent=50, answered=50), 0.5)
    progress(Tally(sent=75, answered=80), 1.0)
    assert " 50% " in terminal.getvalue()
    assert "100/s" in terminal.getvalue()
    assert "60/s" in terminal.getvalue()
    assert "\n" not in terminal.getvalue()
    progress.close()
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_the_bar_of_a_timed_run_shows_the_time() -> None:
    """With --seconds the bar's share is that of the time, and never more than all."""
    terminal = Terminal()
    progress = Progress(Options(nodes=_OPTIONS.nodes, seconds=10.0), terminal)
    progress(Tally(), 2.5)
    progress(Tally(), 11.0)
    assert " 25% " in terminal.getvalue()
    assert "100% " in terminal.getvalue()


def test_no_bar_goes_into_a_file() -> None:
    """What is no terminal gets nothing."""
    stream = io.StringIO()
    progress = Progress(_OPTIONS, stream)
    progress(Tally(), 1.0)
    progress.close()
    assert stream.getvalue() == ""


def test_the_text_says_what_went_wrong() -> None:
    """Errors by code, unknown outcomes, unsent commands and an early end are all in the text."""
    tally = Tally(unknown_writes=3, unread=4, reconnects=5, unsent=6, gave_up=True)
    tally.errors["OOM"] = 1234
    text = as_text(_OPTIONS, tally, Findings(lost=1, unread=2))
    for words in (
        "1,234 OOM",
        "unknown outcome: 3",
        "answer: 4",
        "reconnects: 5",
        "6 commands",
        "30 s",
        "1 LOST",
    ):
        assert words in text


def test_the_verdict_names_what_it_could_not_judge() -> None:
    """Lost keys are named, the list is cut openly; foreign, unjudged and unread keys are said."""
    text = "\n".join(verdict(Findings(checked=9, lost=2, foreign=3, unjudged=4, unread=5, samples=["key:1"])))
    for words in ("2 LOST", "key:1, …", "3 keys with", "4 keys had", "5 acknowledged keys could not be read"):
        assert words in text
    assert verdict(Findings(checked=9)) == ["read back 9 acknowledged keys: nothing lost"]


def test_the_drawing_is_logarithmic_and_complete() -> None:
    """A thousandth of the replies is still a visible bar, and the last line reaches 100 %."""
    histogram = Histogram()
    histogram.record(1_500_000, 100_000)
    histogram.record(150_000_000, 100)
    lines = drawn(histogram)
    assert lines[1].split()[:3] == ["2", "100,000", "99.900%"]
    assert lines[-1].split()[:3] == ["200", "100", "100.000%"]
    assert lines[1].count("#") == 40
    assert 10 < lines[-1].count("#") < 40
    assert drawn(Histogram()) == ["no replies"]
