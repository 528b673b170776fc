"""A torture of a server that somebody else runs: honest ones pass, and every kind of lie is found."""

from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from tests.torture.liar import Liar, denies, doubles, forgets, stumbles
from trikv import cli
from trikv.client.endpoint import Address
from trikv.torture.options import Options, Target
from trikv.torture.report import Screen
from trikv.torture.run import Result, Stop, torture_target

SECONDS = 1.0


async def tortured(liar: Liar, stop: Stop | None = None) -> Result:
    """A short torture of `liar`."""
    async with trio.open_nursery() as nursery:
        port = await nursery.start(liar.serve)
        target = Target(Address("127.0.0.1", port))
        options = Options(seconds=SECONDS, target=target, clients=4)
        result = await torture_target(target, options, Screen(), stop or Stop())
        nursery.cancel_scope.cancel()
    return result


async def test_an_honest_server_passes() -> None:
    """A clean verdict, and its keys are gone afterwards."""
    liar = Liar()
    result = await tortured(liar)
    assert result.findings.problems == []
    assert result.findings.checked > 10
    assert liar.model.values == {}


@pytest.mark.parametrize(
    ("lie", "expected"),
    [
        (forgets, "acknowledged writes"),
        (doubles, "counter"),
        (denies, "answered as not executed, and there all the same"),
        (stumbles, "times: ERR internal error"),
    ],
)
async def test_a_lie_is_found(lie: Callable[..., object], expected: str) -> None:
    """Writes that are forgotten, done twice, done though denied; errors that nothing explains."""
    result = await tortured(Liar(lie))
    assert any(expected in problem for problem in result.findings.problems), result.findings.problems
    assert (result.findings.lost_in_all > 0) == (lie is forgets)


async def test_a_person_may_end_it_early() -> None:
    """What was done until then is judged."""
    stop = Stop()
    stop.ask()
    result = await tortured(Liar(), stop)
    assert result.seconds < SECONDS
    assert result.findings.problems in ([], ["no command was answered"])


def test_a_target_that_is_not_there(capsys: pytest.CaptureFixture[str], silent_port: int) -> None:
    """One line, exit code 1, before any load."""
    assert cli.main(["torture", "--target", f"redis://127.0.0.1:{silent_port}", "--seconds", "1"]) == 1
    captured = capsys.readouterr()
    assert f"127.0.0.1:{silent_port} does not answer" in captured.err
    assert captured.err.count("\n") == 1


def test_a_taken_port_is_named(capsys: pytest.CaptureFixture[str], taken_port: int, tmp_path: Path) -> None:
    """With what it was for; nothing was started."""
    words = ["--port", str(taken_port), "--no-against-redis", "--data-directory", str(tmp_path / "data")]
    assert cli.main(["torture", *words]) == 1
    error = capsys.readouterr().err
    assert f"port {taken_port} (node1's client port) is taken" in error
    assert "--port" in error
