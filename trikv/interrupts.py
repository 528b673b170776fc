"""Signals that ask for a stop, at the two ends of a process: before a command can take them, and after it.

To load a command takes half a second. By Python's own ways a Ctrl-C in that time is a traceback from the
middle of an import, and a SIGTERM makes a node that was stopped as asked end like one that was killed. And a
node or supervisor that is done, and writes its last lines, would still be ended by the second SIGHUP of a
closing terminal, with the exit code of a failure.

`trikv.__main__` calls `begin` before it imports anything else, so nothing slow may be imported here. What
remains is the start of Python itself, some hundredths of a second.
"""

import os
import signal
from collections.abc import Sequence
from types import FrameType
from typing import Final

INTERRUPTED: Final = 130
"""Ended by Ctrl-C, as a shell counts it."""
STOPPED: Final = 0
_ASKING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_SERVERS: Final = ("serve", "cluster")
"""Commands that run until they are asked to stop: before they have begun, that is a stop as asked, too."""


class _Process:
    """What this process makes of the signals that it handles here."""

    exit_code: int | None = None
    """That of an end before the command has begun; None: what comes is dropped."""


def begin(arguments: Sequence[str]) -> None:
    """Let a stop end this process at once and quietly. What was ignored when it began stays ignored."""
    is_server = bool(arguments) and arguments[0] in _SERVERS
    _Process.exit_code = STOPPED if is_server else INTERRUPTED
    for number in _ASKING if is_server else (signal.SIGINT,):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def loaded() -> None:
    """Ctrl-C is a KeyboardInterrupt from here on, unless a server goes on towards `taken_over`."""
    if signal.getsignal(signal.SIGINT) is _end and _Process.exit_code == INTERRUPTED:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def taken_over() -> None:
    """The command awaits the signals itself. Those that come when it does so no more are dropped."""
    _Process.exit_code = None


def finish() -> None:
    """The exit code is certain: nothing that comes while Python ends may change it."""
    for number in _ASKING:
        signal.signal(number, signal.SIG_IGN)


def _end(_number: int, _frame: FrameType | None) -> None:
    # Not by an exception: it would come up in the middle of an import, or of Trio.
    if _Process.exit_code is not None:
        os._exit(_Process.exit_code)
