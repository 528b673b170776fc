"""``trikv sim``: one seed, many seeds, a file replayed, wrong arguments refused."""

from pathlib import Path

import msgspec
import pytest

from trikv.raft.leader import Leader
from trikv.raft.ready import ConfirmedRead
from trikv.sim.command import sim
from trikv.sim.run import Plan, plan_of


def test_one_seed_says_how_it_went(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A line with the trace; with --trace the schedule, the counts and every mark, reached or never."""
    assert sim(seed=4, seconds=1, trace=True, keep=tmp_path) == 0
    shown = capsys.readouterr().out
    assert ": ok, " in shown
    assert "never  " in shown
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"faults": "kil"},
        {"nodes": 4},
        {"seconds": -1.0},
        {"seeds": 0},
        {"seed": 1, "seeds": 2},
        {"nightly": True},
        {"replay": Path("no/such/file")},
        {"replay": Path(__file__)},
        {"shrink": Path("/dev/null")},
    ],
)
def test_nonsense_is_refused_in_a_line(wrong: dict[str, object], capsys: pytest.CaptureFixture[str]) -> None:
    """An exit code of its own, and a line that names the right values."""
    assert sim(**wrong) == 2  # type: ignore[arg-type]
    assert capsys.readouterr().err.count("\n") == 1


def test_failing_run_is_kept_and_replays(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One JSON line that holds the whole plan, and the command that runs it again."""

    def broken(_self: Leader, _shared: object) -> tuple[ConfirmedRead, ...]:
        raise AssertionError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(Leader, "_confirm", broken)
        assert sim(seed=4, seconds=1, keep=tmp_path) == 1
    (path,) = tmp_path.iterdir()
    shown = capsys.readouterr().out
    assert "FAILED, crash: " in shown
    assert f"--replay {path}" in shown
    assert msgspec.json.decode(path.read_bytes(), type=Plan) == plan_of(4, seconds=1)
    assert sim(replay=path) == 0
    assert ": ok, " in capsys.readouterr().out


def test_what_does_not_fail_cannot_be_shrunk(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A line, and nothing written."""
    path = tmp_path / "clean.json"
    path.write_bytes(msgspec.json.encode(plan_of(4, seconds=1)) + b"\n")
    assert sim(shrink=path, keep=tmp_path) == 2
    assert "does not fail" in capsys.readouterr().err


def test_many_seeds_run_in_processes_of_their_own(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A bar on stderr, and the marks of all runs together."""
    assert sim(seeds=2, start=3, seconds=1, keep=tmp_path) == 0
    shown = capsys.readouterr()
    assert "2/2 seeds, 0 failed" in shown.err
    assert "leader elected" in shown.out
    assert "2 of 2 runs clean; " in shown.out
