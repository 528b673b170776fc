"""What a fork of a million keys costs, and the first writes on it: ``python -m tests.perf.forks``.

Microseconds, the median and the worst of some rounds. Before each a million other keys are read, so that
nothing of the forked ones is left in the processor's caches.
"""

import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import median

from tests.machine.driving import NOW, payload
from trikv.machine.batch import Bootstrap, Hello, Submission
from trikv.machine.machine import Fork, Machine

KEYS = 1_000_000
ROUNDS = 25
LINES = {
    "GET": b"GET key:1600",
    "first SET in the database": b"SET key:1600 other",
    "SET of the same key": b"SET key:1600 another",
    "SET in another bucket": b"SET key:3200 other",
    "PEXPIRE in a third one": b"PEXPIRE key:4800 1000",
    "FLUSHALL": b"FLUSHALL",
}


def filled(databases: int, *, deadlines: bool) -> Machine:
    """A machine with a million keys, in so many databases."""
    machine = Machine()
    machine.apply_membership(1, (1,))
    machine.apply(2, payload(NOW, Bootstrap(0, 3), Hello(1, b"life")))
    for number in range(KEYS):
        deadline = NOW + 10_000_000 + number if deadlines else 0
        machine.space.databases[number % databases].store(b"key:%d" % number, b"v" * 20, deadline)
    return machine


ENTRIES = {
    kind: payload(NOW, Submission(1, 2, sequence, 0, (tuple(line.split()),)))
    for sequence, (kind, line) in enumerate(LINES.items(), start=1)
}


def is_kept(one: object) -> bool:
    """Read its first byte."""
    return not isinstance(one, bytes) or one[0] == 0


def took_us(step: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.perf_counter_ns()
    step()
    return (time.perf_counter_ns() - began) / 1000


def one_round(machine: Machine) -> dict[str, float]:
    """A fork, what is done on it, and its end."""
    forks: list[Fork] = []
    took = {"fork": took_us(lambda: forks.append(machine.fork()))}
    for kind, entry in ENTRIES.items():
        took[kind] = took_us(partial(forks[0].apply, forks[0].index + 1, entry, origin=1))
    took["drop"] = took_us(forks.clear)
    return took


def main() -> None:
    """Print a table for each kind of machine."""
    others = filled(1, deadlines=False).space.databases[0].buckets
    for databases, deadlines in ((1, False), (1, True), (16, True)):
        machine = filled(databases, deadlines=deadlines)
        rounds = []
        for _ in range(ROUNDS):
            sum(is_kept(one) for bucket in others for _, one in bucket.items())
            rounds.append(one_round(machine))
        sys.stdout.write(f"\n{KEYS:,} keys in {databases}, {'with' if deadlines else 'without'} deadlines\n")
        for kind in rounds[0]:
            each = [took[kind] for took in rounds]
            sys.stdout.write(f"{kind:30} {median(each):8.1f} {max(each):8.1f}\n")


if __name__ == "__main__":
    main()
