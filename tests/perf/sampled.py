"""A node that notes what its main thread is at: ``python -m tests.perf.sampled FILE serve ...``.

The kernel's profiling timer (SIGPROF) fires when the process has used another few milliseconds of processor
time; Python runs the handler after the call it is in, and so charges a call into C, the kernel's part
included, to the function that made it. A sample weighs what the *main thread* has used since the one
before: the timer counts the other threads too, which must not be charged to whatever the main thread waits
in. About 250 samples a second of work, a few microseconds each.

SIGUSR1 writes what was found since the last one to FILE and begins anew.
"""

import json
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from types import FrameType

import trikv
from trikv.cli import main as trikv_main

_INTERVAL_S = 0.004
"""A tick of most kernels: asked for more often it would not come."""
_ROOT = Path(trikv.__file__).parent
_OUTSIDE = frozenset({"cli.py", "serve.py", "__main__.py"})
"""Below every frame of the main thread; what has only these is Trio's own."""


class Sampler:
    """Processor time by the innermost function of trikv's."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._spent_ns: Counter[str] = Counter()
        self._last_ns = time.thread_time_ns()

    def start(self) -> None:
        """Sample from now on; call it in the main thread."""
        signal.signal(signal.SIGPROF, self._sample)
        signal.signal(signal.SIGUSR1, self._write)
        signal.setitimer(signal.ITIMER_PROF, _INTERVAL_S, _INTERVAL_S)

    def _sample(self, _: int, frame: FrameType | None) -> None:
        now_ns = time.thread_time_ns()
        self._spent_ns[_place(frame)] += now_ns - self._last_ns
        self._last_ns = now_ns

    def _write(self, _: int, __: FrameType | None) -> None:
        aside = self._path.with_suffix(".new")
        aside.write_text(json.dumps(self._spent_ns))
        aside.rename(self._path)
        self._spent_ns.clear()


def _place(frame: FrameType | None) -> str:
    """``node/consensus/driver.py:turn`` of the innermost frame in trikv; empty where there is none."""
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(_ROOT) and path.name not in _OUTSIDE:
            return f"{path.relative_to(_ROOT)}:{frame.f_code.co_name}"
        frame = frame.f_back
    return ""


if __name__ == "__main__":
    output = Path(sys.argv.pop(1))
    Sampler(output).start()
    trikv_main()
