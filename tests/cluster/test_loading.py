"""How a load went is read from the log of the node that loads, and told once."""

from pathlib import Path

import pytest

from trikv.cluster.loading import LoadReport
from trikv.logs import render


def line(level: str, event: str, **values: object) -> str:
    """A line of a node's log."""
    stamp = "2026-01-02T03:04:05.000001Z"
    return render(None, "", {"timestamp": stamp, "level": level, "event": event, **values}) + "\n"


LOADED = line("info", "loaded", keys=1234)


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (LOADED, "node1: loaded 1,234 keys"),
        (
            line("error", "nothing is loaded: the cluster holds keys, or has held some", keys=3),
            "node1: nothing is loaded: the cluster holds keys, or has held some keys=3",
        ),
        (
            line("error", "loading stopped: a key was refused", reason="OOM no", loaded=1, of=2),
            "node1: loading stopped: a key was refused reason='OOM no' loaded=1 of=2",
        ),
        (
            line("error", "loading was cut short by a stop: load into a new cluster", loaded=1, of=2),
            "node1: loading was cut short by a stop: load into a new cluster loaded=1 of=2",
        ),
    ],
)
def test_the_outcome_is_told_once_when_its_line_is_whole(outcome: str, told: str, tmp_path: Path) -> None:
    """Whichever it is, in the node's own words; what an earlier start has logged is none."""
    file = tmp_path / "node.log"
    file.write_text(LOADED)
    report = LoadReport("node1", file)
    assert report.news() == []
    with file.open("a") as log:
        log.write(line("warning", "loading waits", reason="CLUSTERDOWN loaded") + outcome[:-1])
        log.flush()
        assert report.news() == []
        log.write("\n" + LOADED)
        log.flush()
        assert report.news() == [told]
        assert report.told
        assert report.news() == []


def test_a_log_that_is_not_there_yet_or_was_moved_aside_is_read_from_its_beginning(tmp_path: Path) -> None:
    """A first start has none; one that is long is cut when the node starts."""
    file = tmp_path / "node.log"
    report = LoadReport("node1", file)
    assert report.news() == []
    file.write_text(LOADED)
    assert report.news() == ["node1: loaded 1,234 keys"]
    file.write_text("x" * 1000)
    report = LoadReport("node1", file)
    file.write_text(LOADED)
    assert report.news() == ["node1: loaded 1,234 keys"]
