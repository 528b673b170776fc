"""``trikv sim``: runs seeds, keeps failing runs as lines of JSON, replays and shrinks them."""

import gc
import multiprocessing
import os
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from trikv.notation import counted
from trikv.sim import marks
from trikv.sim.run import Plan, Result, execute, plan_of
from trikv.sim.schedule import parse_kinds
from trikv.sim.shrink import shrink as shrink_plan
from trikv.sim.summary import Summary

SEEDS = Path("tests/seeds")
"""The directory for failing runs: one file a seed, one JSON line each, to be kept with the fix."""
BAR_WIDTH = 30
SECONDS_MAX = 3600


def sim(
    *,
    seed: int | None = None,
    seeds: int | None = None,
    start: int = 1,
    nodes: int | None = None,
    seconds: float = 20.0,
    faults: str = "all",
    trace: bool = False,
    nightly: bool = False,
    replay: Path | None = None,
    shrink: Annotated[Path | None, Parameter(name="--shrink")] = None,
    keep: Path = SEEDS,
) -> int:
    """Break a simulated cluster of real nodes, and check what its clients were told.

    Parameters
    ----------
    seed
        the run, 1 where nothing is said: equal seeds run alike, bit for bit
    seeds
        run so many seeds instead, on all cores
    start
        the first of them
    nodes
        how many nodes the cluster has, 1, 3 or 5; where nothing is said every fifth seed has 5, the others 3
    seconds
        virtual seconds of faults, 1 to 3600; healing and progress come after
    faults
        all, none, or names with commas between
    trace
        print the schedule, the counts and the marks of the run
    nightly
        with --seeds: fail also where a path that matters was never taken, or the search gave up too often
    replay
        run what this file holds, one plan a line
    shrink
        take faults away from the first plan of this file while it still fails alike
    keep
        the directory that failing runs are written to
    """
    try:
        _check(seed=seed, seeds=seeds, nodes=nodes, seconds=seconds, nightly=nightly)
        kinds = parse_kinds(faults)
        path = shrink or replay
        held = [] if path is None else _plans(path)
    except ValueError as error:
        return _complain(str(error))
    if shrink is not None:
        return _shrink(shrink, held[0], keep)
    if replay is not None:
        return _report(map(execute, held), keep=None, verbose=True)
    first = start if seeds is not None else seed or 1
    plans = [
        plan_of(number, nodes=nodes or (5 if number % 5 == 0 else 3), seconds=seconds, kinds=kinds)
        for number in range(first, first + (seeds or 1))
    ]
    if seeds is None:
        return _report(map(execute, plans), keep=keep, verbose=trace)
    return _many(plans, keep, nightly=nightly)


def _check(*, seed: int | None, seeds: int | None, nodes: int | None, seconds: float, nightly: bool) -> None:
    """Raise ValueError for numbers that make no run."""
    if nodes not in {None, 1, 3, 5}:
        raise ValueError(f"--nodes {nodes}: a cluster has 1, 3 or 5 nodes")
    if not 1 <= seconds <= SECONDS_MAX:
        raise ValueError(f"--seconds must be from 1 to {SECONDS_MAX}, not {seconds:g}")
    if seeds is not None and seeds < 1:
        raise ValueError(f"--seeds must be at least 1, not {seeds}")
    if seeds is not None and seed is not None:
        raise ValueError(
            "--seed is one run and --seeds many: give one of them; --start says where many begin"
        )
    if nightly and seeds is None:
        raise ValueError("--nightly looks at what many runs have reached: give --seeds with it")


def _many(plans: list[Plan], keep: Path, *, nightly: bool) -> int:
    """Run `plans` on all cores, with a progress bar, and print the summary; the exit code."""
    # Plans travel as bytes, and each worker is a fresh interpreter: nothing leaks into it from here.
    pool = multiprocessing.get_context("spawn").Pool(os.cpu_count() or 1, gc.freeze, maxtasksperchild=50)
    summary = Summary()
    with pool as workers:
        results = workers.imap_unordered(_execute_bytes, map(msgspec.json.encode, plans))
        for done, data in enumerate(results, start=1):
            result = msgspec.json.decode(data, type=Result)
            summary.add(result)
            if not result.ok:
                _say(f"\r{_line(result, keep)}")
            filled = BAR_WIDTH * done // len(plans)
            bar = "#" * filled + "." * (BAR_WIDTH - filled)
            if sys.stderr.isatty() or done == len(plans):
                sys.stderr.write(f"\r[{bar}] {done}/{len(plans)} seeds, {summary.failures} failed")
                sys.stderr.flush()
    sys.stderr.write("\n")
    _say(marks.table(summary.reached))
    _say(summary.line())
    problems = summary.problems() if nightly else []
    for problem in problems:
        _say(problem)
    return 1 if summary.failures or problems else 0


def _execute_bytes(data: bytes) -> bytes:
    """Execute an encoded plan in a worker process; the encoded result."""
    return msgspec.json.encode(execute(msgspec.json.decode(data, type=Plan)))


def _report(results: Iterable[Result], *, keep: Path | None, verbose: bool) -> int:
    failed = False
    for result in results:
        failed = failed or not result.ok
        if verbose:
            for strike in result.plan.strikes:
                _say(f"{strike.at_ms / 1000:>8.3f}  {strike.fault}")
            _say(marks.table(Counter(result.marks)))
            _say(" ".join(f"{name.replace(' ', '_')}={count}" for name, count in result.counts.items()))
        _say(_line(result, keep))
    return 1 if failed else 0


def _line(result: Result, keep: Path | None) -> str:
    """One run in a line; a failing one also goes into a file."""
    plan = result.plan
    about = f"{plan.theme or 'by hand'}, {plan.knobs.profile}"
    head = f"seed {plan.seed} ({about}) {result.virtual_s:.1f} s trace {result.trace}"
    if result.ok:
        return f"{head}: ok, {result.counts.get('operations', 0)} operations"
    text = f"{head}: FAILED, {result.failure}: {result.problem}"
    if keep is None:
        return text
    keep.mkdir(parents=True, exist_ok=True)
    path = keep / f"{plan.seed}-{plan.knobs.nodes}.json"
    path.write_bytes(msgspec.json.encode(plan) + b"\n")
    return f"{text}\n  replay: trikv sim --replay {path}\n  shrink: trikv sim --shrink {path}"


def _shrink(path: Path, plan: Plan, keep: Path) -> int:
    try:
        small = shrink_plan(plan, execute, _say)
    except ValueError as error:
        return _complain(f"{path}: {error}")
    target = keep / f"{path.stem}-small.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(msgspec.json.encode(small) + b"\n")
    _say(f"{counted(len(plan.strikes), 'fault')} became {len(small.strikes)}: {target}")
    return _report([execute(small)], keep=None, verbose=True)


def _plans(path: Path) -> list[Plan]:
    """The plans of a file, one JSON line each. Raises ValueError if there is none, or a line is no plan."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}; give a file that trikv sim has kept") from error
    plans = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                plans.append(msgspec.json.decode(line, type=Plan))
            except msgspec.DecodeError as error:
                raise ValueError(
                    f"{path}, line {number}: it is no plan that trikv sim has kept ({error})"
                ) from error
    if not plans:
        raise ValueError(f"{path}: it is empty; give a file that trikv sim has kept")
    return plans


def _complain(problem: str) -> int:
    sys.stderr.write(f"trikv sim: {problem}\n")
    return 2


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
