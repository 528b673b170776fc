"""How a command prepares its standard streams before it does anything else.

Python's streams have three faults. A descriptor that was closed when the process began is free, so the first
file or socket that is opened gets its number, and printed lines go *there*: into the write-ahead log of a
node. Printing to a reader that has gone raises an OSError that looks like one of the command's own work. And
text that came from the system, such as a path that is no UTF-8, raises when it is shown.

A command that nothing depends on waits for its reader, as ``less`` needs it, and ends when there is none
(`OutputLost`). A command that others depend on calls `never_wait`: output that would have to wait is dropped
(`trikv.outlet`).
"""

import atexit
import contextlib
import errno
import io
import os
import re
import select
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Final, TextIO, cast

from trikv.errors import NO_THREADS
from trikv.outlet import Outlet
from trikv.system_text import LOSSLESS

READER_GONE: Final = 128 + signal.SIGPIPE
"""The exit code that a shell shows for a program that ended because its output has no reader."""
FAILED: Final = 1
COLUMNS_MIN: Final = 40
COLUMNS_MAX: Final = 1000
"""Bounds for the width of help. The library raises for 0 columns, never ends for 1, and takes minutes for
millions."""
LAST_WORDS_S: Final = 2.0
"""How long the end of a process waits for its last lines to be read."""

_replaced: dict[str, TextIO] = {}
"""Our streams that have replaced Python's, by name."""


class OutputLost(Exception):  # noqa: N818 - named for what happened
    """Standard output cannot be written. No OSError: it must not be taken for one of a socket or a disk."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror or str(error))
        self.errno = error.errno


def prepare() -> None:
    """Occupy descriptors 0 to 2 and put usable streams on them. The first thing a process does."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            taken = os.open(os.devnull, os.O_RDWR)  # the kernel gives the lowest free number: this one
            assert taken == descriptor, "standard descriptors are occupied in order"
            os.set_inheritable(descriptor, True)
    if sys.stdin is None:  # its descriptor was closed
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for as long as the process lives
    _replace("stdout", _text(_Output(1, "w", closefd=False), "stdout"))
    _replace("stderr", _text(_Errors(2, "w", closefd=False), "stderr"))


def bound_width() -> None:
    """Give help a usable width, from COLUMNS or else from the terminal."""
    given = os.environ.pop("COLUMNS", "")
    widths = [int(given)] if re.fullmatch(r"[0-9]{1,9}", given) else []
    for descriptor in range(3):
        with contextlib.suppress(OSError):
            widths.append(os.get_terminal_size(descriptor).columns)
    if width := next(filter(None, widths), None):  # a terminal without a known size says 0 columns
        os.environ["COLUMNS"] = str(min(max(width, COLUMNS_MIN), COLUMNS_MAX))


def finish() -> None:
    """Flush what was printed. Raises OutputLost."""
    stream = _replaced.get("stdout")
    if stream is not None and stream is sys.stdout:
        stream.flush()


def give_up(lost: OutputLost) -> int:
    """Say why nothing more is printed, unless the reader only left (as ``head`` does); the exit code."""
    # Python flushes once more at its end. What is left goes to /dev/null, or it would raise the same error.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    if lost.errno == errno.EPIPE:
        return READER_GONE
    sys.stderr.write(f"trikv: the output cannot be written: {lost}\n")
    return FAILED


def never_wait() -> None:
    """Let no reader of standard output or error, nor the lack of one, block this process or end it.

    Raises OutputLost if no thread can be started for it.
    """
    for name, descriptor, holds in (("stdout", 1, "the output"), ("stderr", 2, "the log")):
        stream = _replaced.get(name)
        if stream is not None and stream is getattr(sys, name) and not isinstance(stream, Outlet):
            stream.flush()
            try:
                outlet = Outlet(descriptor, encoding=stream.encoding, holds=holds)
            except RuntimeError as error:
                raise OutputLost(OSError(errno.EAGAIN, NO_THREADS)) from error
            _replace(name, cast("TextIO", outlet))
            atexit.register(outlet.drain, LAST_WORDS_S)
    if _replaced and threading.current_thread() is threading.main_thread():
        # After `stty tostop` a terminal stops a background job that prints, unless it ignores this signal.
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)


@contextlib.contextmanager
def never_waiting() -> Iterator[None]:
    """`never_wait` inside the block; then wait until all was read, or no reader is left."""
    before = {name: getattr(sys, name) for name in ("stdout", "stderr")}
    never_wait()
    try:
        yield
    finally:
        for name, stream in before.items():
            outlet = getattr(sys, name)
            if isinstance(outlet, Outlet) and outlet is not stream:
                outlet.drain(None)
                _replace(name, stream)


def lines_dropped() -> int:
    """How many lines this process could not write since `never_wait`."""
    return sum(stream.lines_lost for stream in _replaced.values() if isinstance(stream, Outlet))


def _replace(name: str, stream: TextIO) -> None:
    """Replace Python's stream or an earlier one of ours. A stream that somebody else has put there stays."""
    if getattr(sys, name) in (getattr(sys, f"__{name}__"), _replaced.get(name)):
        setattr(sys, name, stream)
        _replaced[name] = stream


def _text(raw: io.FileIO, name: str) -> TextIO:
    was = getattr(sys, name)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=was.encoding if was is not None else "utf-8",
        errors=LOSSLESS,
        line_buffering=name == "stderr" or raw.isatty(),
    )


class _Output(io.FileIO):
    """Standard output: it waits for its reader, even if somebody made the open file non-blocking."""

    def write(self, data: bytes) -> int:  # type: ignore[override]  # its buffer writes nothing else
        """Write some of `data` and return how many bytes. Raises OutputLost."""
        try:
            while (written := super().write(data)) is None:
                poll = select.poll()
                poll.register(1, select.POLLOUT)
                poll.poll()
        except OSError as error:
            raise OutputLost(error) from error
        return written


class _Errors(io.FileIO):
    """Standard error: what cannot be written is dropped, because there is no place left to say so."""

    def write(self, data: bytes) -> int:  # type: ignore[override]  # its buffer writes nothing else
        """Write some of `data`, or drop it; return how many bytes are done with. Never raises."""
        try:
            return super().write(data) or len(data)
        except OSError:
            return len(data)
