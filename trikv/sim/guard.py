"""What a simulation must not touch: sockets, threads, processes, files for writing, real time, entropy.

After a single touch the seed no longer decides the run, mostly without any visible sign. So inside `guarded`
all of it raises `RealWorldError`. Python's audit events catch what goes through C (sockets, files,
processes), from any caller. Threads and the functions of `time`, `random` and `os` raise no audit events, so
they are replaced.

Three things are let through: calls of the test tools, calls of `logging`, which stamps its records (no node
reads them back), and compiled modules that an import writes. Names that were bound before (``from time import
monotonic``) cannot be caught; the linter's banned calls and the import contracts forbid those.
"""

import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

_FORBIDDEN_EVENTS = frozenset(
    {
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.mkdir",
        "os.posix_spawn",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.system",
        "os.truncate",
        "socket.__new__",
        "socket.getaddrinfo",
        "subprocess.Popen",
    }
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CLOCKS = (
    "time",
    "time_ns",
    "monotonic",
    "monotonic_ns",
    "perf_counter",
    "perf_counter_ns",
    "clock_gettime",
    "clock_gettime_ns",
    "sleep",
)
_DICE = ("random", "randrange", "randint", "randbytes", "getrandbits", "uniform", "choice", "choices")
_DECKS = ("shuffle", "sample", "seed", "gauss", "expovariate", "triangular", "betavariate")
_THREAD_STARTER = "_start_joinable_thread" if sys.version_info >= (3, 13) else "_start_new_thread"
"""The function that `threading.Thread.start` calls; Python 3.13 renamed it."""
_TOOLS = frozenset({"coverage", "hypothesis", "logging", "_pytest", "pytest", "pluggy", "cProfile", "pstats"})

_depth = [0]
"""How many `guarded` are entered and not lifted. In a list, because the audit hook stays for ever."""
_hooked: list[bool] = []


class RealWorldError(AssertionError):
    """Something inside a simulation reached for the world outside."""


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if not _depth[0]:
        return
    if event == "open":
        path, _, flags = args
        if not isinstance(flags, int) or not flags & _WRITING or _is_compiled(path):
            return
    elif event not in _FORBIDDEN_EVENTS or (args and _is_compiled(args[0])):
        return
    raise RealWorldError(f"{event}{args!r} inside a simulation")


def _is_compiled(path: object) -> bool:
    """Whether `path` is a compiled module, which the import system writes when a test imports late."""
    return isinstance(path, str | bytes) and "__pycache__" in os.fsdecode(path)


def _refusing(module: ModuleType, name: str) -> Callable[..., Any]:
    real = getattr(module, name)

    def refuse(*args: Any, **options: Any) -> Any:
        caller = sys._getframe(1).f_globals.get("__name__", "")  # noqa: SLF001 - who asks decides
        if not _depth[0] or caller.partition(".")[0] in _TOOLS:
            return real(*args, **options)
        raise RealWorldError(f"{module.__name__}.{name} inside a simulation, called by {caller}")

    return refuse


@contextmanager
def guarded() -> Iterator[None]:
    """Inside, the real world raises `RealWorldError`. Enter it inside Trio's run, which needs that world."""
    if not _hooked:
        sys.addaudithook(_audit)  # it cannot be removed, so it reads `_depth`
        _hooked.append(True)
    # `secrets`, `uuid` and SystemRandom draw from `_urandom`.
    names = [(time, name) for name in _CLOCKS] + [(random, name) for name in (*_DICE, *_DECKS, "_urandom")]
    names += [(os, "urandom"), (threading, _THREAD_STARTER)]
    before = [(module, name, getattr(module, name)) for module, name in names]
    for module, name, _ in before:
        setattr(module, name, _refusing(module, name))
    _depth[0] += 1
    try:
        yield
    finally:
        _depth[0] -= 1
        for module, name, real in before:
            setattr(module, name, real)


@contextmanager
def lifted() -> Iterator[None]:
    """Inside, the real world may be touched again: for a run's report of itself, never for a node."""
    depth, _depth[0] = _depth[0], 0
    try:
        yield
    finally:
        _depth[0] = depth
