"""The command around a run: what a person's signals do to its exit code."""

import signal
from typing import Any

import pytest
import trio

from trikv.host.signals import SignalHandler
from trikv.torture import command


def test_the_second_ctrl_c_ends_it_without_a_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is that of a tool that Ctrl-C ended, not that of a server which failed."""

    async def twice(handler: SignalHandler) -> None:
        await handler(signal.SIGINT)
        await handler(signal.SIGINT)

    async def for_ever(*_: Any) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr(command, "watch_stop_signals", twice)
    monkeypatch.setattr(command, "_check", for_ever)
    assert command.torture(seconds=1, target="redis://127.0.0.1:1") == 130
    said = capsys.readouterr()
    assert "what was done until now is judged" in said.out
    assert said.err == "trikv torture: interrupted; no verdict\n"
