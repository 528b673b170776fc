"""How long the steps of a value of a million elements take: ``python -m tests.perf.parts``.

Processor time of the longest step of each kind, the least of three rounds: what the machine does to others.
"""

import sys
import time
from collections.abc import Callable
from functools import partial

from tests.machine.driving import Driver
from tests.machine.values.commands import WITH_NUMBERS
from tests.machine.values.numbers import Wide
from trikv.machine.snapshot import Restore

ELEMENTS = 1_000_000
ROUNDS = 3


class Longest:
    """By kind of step, the longest in ms."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}

    def note(self, kind: str, step: Callable[[], object]) -> None:
        """Do it."""
        began = time.thread_time()
        step()
        self.ms[kind] = max(self.ms.get(kind, 0.0), (time.thread_time() - began) * 1000)


def filled(longest: Longest) -> Wide:
    """The value."""
    value = Wide(0, b"")
    for number in range(ELEMENTS):
        longest.note("insert", partial(value.add, number))
    return value


def one_round() -> dict[str, float]:
    """Everything that happens to a value, each in its steps."""
    longest = Longest()
    driver = Driver(table=WITH_NUMBERS)
    driver.machine.space.databases[0].put_unchecked(b"n", filled(longest))
    going = [True]
    while going.pop():
        longest.note("8 parts hashed ahead", lambda: going.append(driver.machine.hash_some(8)))
    longest.note("digest", driver.machine.digest)
    walk = driver.machine.walk({})
    longest.note("first write after a cut", lambda: driver.call(b"NUM.REM", b"n", b"5"))
    restore = Restore(WITH_NUMBERS)
    pieces: list[bytes] = []
    while not walk.done:
        longest.note("16 KiB of a snapshot written", lambda: pieces.append(walk.step(16384)))
        longest.note("16 KiB of a snapshot restored", lambda: restore.feed(pieces.pop()))
    longest.note("DEL", lambda: driver.call(b"DEL", b"n"))
    while driver.machine.space.account.discarded:
        longest.note("2,000 elements freed", lambda: driver.machine.release(2000))
    return longest.ms


def main() -> None:
    """Print a table."""
    rounds = [one_round() for _ in range(ROUNDS)]
    lines = [f"| step, {ELEMENTS:,} elements | ms |", "|---|---:|"]
    lines += [f"| {kind} | {min(ms[kind] for ms in rounds):.2f} |" for kind in rounds[0]]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
