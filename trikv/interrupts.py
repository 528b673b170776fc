"""Signals that ask for a stop, at the two ends of a process: before a command can take them, and after it.

Loading a command takes half a second. Without this module a Ctrl-C in that time would show a traceback from
the middle of an import, and a node that SIGTERM asked to stop would look like one that was killed. At the
other end, a node or supervisor that is done and writes its last lines would be ended by the second SIGHUP of
a closing terminal, with the exit code of a failure.

`trikv.__main__` calls `begin` before it imports anything else, so nothing slow may be imported here: not even
`typing`, which takes a fifth of a bare Python's start. Only that start is not covered: some hundredths of a
second, more on a busy machine. Two thirds are the finder of an environment that has trikv from a checkout.
"""

import os
import signal
from collections.abc import Sequence
from types import FrameType

INTERRUPTED = 130
"""Exit code of a process that Ctrl-C ended, as shells give it: 128 + SIGINT."""
STOPPED = 0
_ASKING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_SERVERS = ("serve", "cluster")
"""Commands that run until they are asked to stop. A stop before they have begun is a success, too."""


class _Process:
    """What this process does with the signals that it handles here."""

    exit_code: int | None = None
    """The exit code if a signal comes before the command has begun. None: signals are dropped."""


def begin(arguments: Sequence[str]) -> None:
    """Let a stop end this process at once and quietly. Signals that it ignored at its start stay ignored."""
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
    """The command awaits the signals itself. Those that come after it has ended are dropped."""
    _Process.exit_code = None


def finish() -> None:
    """Ignore all stop signals from here on: the exit code is known, and must not change while Python ends."""
    for number in _ASKING:
        signal.signal(number, signal.SIG_IGN)


def _end(_number: int, _frame: FrameType | None) -> None:
    # Not by an exception: it would be raised in the middle of an import, or of Trio.
    if _Process.exit_code is not None:
        os._exit(_Process.exit_code)
