"""Fresh processes, a few at once, each with a time limit and its output kept aside."""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import TypeVar

import attrs

from tests.mutants.child import PRELOADED, Outcome, Verdict, attempt
from tests.mutants.mutant import ROOT, Killer, Mutant

T = TypeVar("T")
R = TypeVar("R")

_FORKS = get_context("forkserver")


def prepare() -> None:
    """Have the server import the libraries; before the first `run`."""
    _FORKS.set_forkserver_preload([*PRELOADED, "tests.mutants.child"])


def run(
    mutated: Mutant | None,
    killers: tuple[Killer, ...],
    *,
    limit_s: float,
    stop_at_first: bool = True,
) -> tuple[Verdict, str]:
    """Run killers in a process of their own; the verdict, and what the process printed."""
    begun = time.perf_counter()
    receiving, sending = _FORKS.Pipe(duplex=False)
    with tempfile.TemporaryFile() as output:
        descriptor_path = f"/proc/{os.getpid()}/fd/{output.fileno()}"
        child = _FORKS.Process(
            target=_live, args=(sending, descriptor_path, mutated, killers, stop_at_first), daemon=True
        )
        child.start()
        sending.close()  # or the end of the child would not be seen here
        try:
            verdict = receiving.recv() if receiving.poll(limit_s) else Verdict(Outcome.HUNG)
        except EOFError:
            verdict = Verdict(Outcome.BROKEN)
        finally:
            receiving.close()
            child.kill()
            child.join()
        output.seek(0)
        printed = output.read().decode(errors="replace")
    return attrs.evolve(verdict, seconds=time.perf_counter() - begun), printed


def _live(
    verdicts: "Connection[Verdict, Verdict]",
    output_path: str,
    mutated: Mutant | None,
    killers: tuple[Killer, ...],
    stop_at_first: bool,  # noqa: FBT001 - by position through the fork server
) -> None:
    """The child's life."""
    output = os.open(output_path, os.O_WRONLY | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.path.insert(0, str(ROOT))
    verdict = attempt(mutated, killers, stop_at_first=stop_at_first)
    sys.stdout.flush()
    sys.stderr.flush()
    verdicts.send(verdict)  # last: whoever gets it ends this process


def each(function: Callable[[T], R], items: Iterable[T], at_once: int) -> Iterator[R]:
    """`function` of every item, in order, some at once."""
    with ThreadPoolExecutor(at_once) as pool:
        yield from pool.map(function, items)
