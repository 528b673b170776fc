"""A text stream that never blocks its writers and never fails: standard error of a node.

The operator decides what standard error is. A write there may fail (a full disk under the log, a pipe whose
reader is gone, a terminal that was closed) or wait for ever (a pipe that nobody reads, a terminal after
Ctrl-S). For a node, and for a supervisor that must stop its nodes in order, either would be an outage caused
by a line of text. So lines go to a bounded buffer, and a thread of its own writes them. Lines without room,
and lines that cannot be written, are dropped and counted. The next line that can be written comes behind a
notice that says so.

Why a thread: O_NONBLOCK would be set on an open file that is shared with the shell and with other programs.
A second opening by ``/proc/self/fd`` is refused for sockets, for terminals of other users and for pipes
without a reader. After `poll` another writer may take the room. The price is some 30 us a line.
"""

import io
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from trikv.notation import counted
from trikv.system_text import LOSSLESS

HELD_BYTES_MAX: Final = 1 << 20
"""Bytes that may wait to be written: some thousands of lines, so a reader may stall for minutes."""
_LINE_CHARACTERS_MAX: Final = 64 << 10
"""A line that is longer leaves in pieces, each without an end of line."""
_AGAIN_S: Final = 0.01
"""Time between two tries of a descriptor that says it has room and then has none."""


class Outlet(io.TextIOBase):
    """A stream onto a descriptor. `write` returns at once and raises nothing."""

    def __init__(
        self,
        descriptor: int,
        *,
        encoding: str = "utf-8",
        holds: str = "the log",
        write: Callable[[int, bytes], int] = os.write,
    ) -> None:
        """`holds` names the lines in a notice that some are lost. Raises RuntimeError if no thread starts."""
        self.lines_lost = 0
        """Lines that were dropped since the start."""
        self._descriptor = descriptor
        self._encoding = encoding
        self._holds = holds
        self._write = write
        self._changed = threading.Condition()
        self._begun = ""
        """The beginning of a line whose end has not been written yet."""
        self._held: deque[bytes] = deque()
        self._held_bytes = 0
        self._is_full = False
        """There was no room for a line. No more is taken before all that is held has left, so that the notice
        comes exactly in the place of the missing lines."""
        self._unsaid = 0
        """Lost lines of which no notice has told yet."""
        self._reason = ""
        self._is_torn = False
        """The last write ended in the middle of a line."""
        threading.Thread(target=self._run, name=f"outlet-{descriptor}", daemon=True).start()

    # What writers call.

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a plain attribute there
        """The name of the encoding in which text is written."""
        return self._encoding

    def fileno(self) -> int:
        """The descriptor that the thread writes to."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether the descriptor is a terminal, which a person reads."""
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        """Whether it can be written to: always, whatever the descriptor does."""
        return True

    def write(self, text: str) -> int:
        """Take `text`; whole lines leave at once, the rest with its end or with `flush`."""
        with self._changed:
            *lines, self._begun = (self._begun + text).split("\n")
            for line in lines:
                self._take(line + "\n")
            if len(self._begun) > _LINE_CHARACTERS_MAX:
                self._take_begun()
        return len(text)

    def flush(self) -> None:
        """Let a line without its end leave too. This does not wait; `drain` does."""
        with self._changed:
            self._take_begun()

    def drain(self, patience_s: float | None) -> bool:
        """Wait until all is written or lost, at most `patience_s` (None: for ever); False if time ran out."""
        self.flush()
        with self._changed:
            return self._changed.wait_for(lambda: not self._held and not self._is_full, patience_s)

    def _take_begun(self) -> None:
        if self._begun:
            self._take(self._begun)
            self._begun = ""

    def _take(self, line: str) -> None:
        data = line.encode(self._encoding, LOSSLESS)
        if self._is_full or self._held_bytes + len(data) > HELD_BYTES_MAX:
            self._is_full = True
            self._lose("nobody reads them")
        else:
            self._held.append(data)
            self._held_bytes += len(data)
        self._changed.notify_all()

    def _lose(self, reason: str) -> None:
        self.lines_lost += 1
        self._unsaid += 1
        self._reason = reason

    # What the thread does.

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._held and not self._is_full:
                    self._changed.wait()
                data = self._held[0] if self._held else b""
                # While the buffer drains after an overflow the notice must wait for the place of the loss.
                says = self._unsaid if not (self._is_full and data) else 0
                notice = self._notice(says) if says else b""
            # Outside of the lock: this may wait for ever, and a writer must not.
            error = self._write_all(notice + data)
            with self._changed:
                if data:
                    self._held.popleft()
                    self._held_bytes -= len(data)
                else:
                    self._is_full = False
                if error is None:
                    self._unsaid -= says
                elif data:
                    self._lose(error.strerror or str(error))
                self._changed.notify_all()

    def _notice(self, count: int) -> bytes:
        lines = counted(count, "line")
        verb = "was" if count == 1 else "were"
        return f"trikv: {lines} of {self._holds} {verb} lost: {self._reason}\n".encode(
            self._encoding, LOSSLESS
        )

    def _write_all(self, data: bytes) -> OSError | None:
        """Write `data`, however long that takes. Returns the error if it cannot be written."""
        left = b"\n" + data if self._is_torn else data
        while left:
            try:
                written = self._write(self._descriptor, left)
            except BlockingIOError:
                self._wait_for_room()
                continue
            except OSError as error:
                return error
            self._is_torn = written < len(left) and left[written - 1 : written] != b"\n"
            left = left[written:]
        return None

    def _wait_for_room(self) -> None:
        """Wait for room in a descriptor that somebody has made non-blocking."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        poll.poll()
        # `poll` may say that there is room although a write finds none: without a pause this would spin.
        time.sleep(_AGAIN_S)
