"""How long the longest steps are with 100,000 keys of one crc32: ``python -m tests.perf.collisions [LEVEL]``.

Processor time of the longest step of each kind, the least of three rounds: what one client can do to others.
LEVEL is the feature level of the cluster; below 3 no bucket is divided.
"""

import gc
import sys
from collections.abc import Callable
from functools import partial

from tests.machine.crafted import crafted
from tests.machine.driving import Driver
from tests.perf.parts import Longest
from trikv.machine.cut import Cut
from trikv.machine.draws import Draws
from trikv.machine.features import FEATURE_LEVEL
from trikv.machine.picking import pick
from trikv.machine.scanning import scan
from trikv.machine.snapshot import Restore

KEYS = 100_000
ROUNDS = 3
RUN = 16
"""Commands that one client has in one entry."""


def sets(driver: Driver, keys: list[bytes]) -> None:
    """As an entry would, without the account being counted anew."""
    evaluator = driver.machine._evaluator
    evaluator.run(0, [(b"SET", key, b"v") for key in keys], (), evaluator.call.view)


class Round:
    """A database of such keys, and what its steps take."""

    def __init__(self, level: int) -> None:
        self.longest = Longest()
        self.keys = crafted(KEYS)
        self.driver = Driver(level=level, seed=99)
        self.machine = self.driver.machine
        self.db = self.machine.space.databases[0]

    def steps(self, kind: str, step: Callable[[], object]) -> None:
        """Do it again and again, until it answers False, 0 or None."""
        going: list[object] = [True]
        while going.pop():
            self.longest.note(kind, lambda: going.append(step()))

    def fill(self) -> None:
        """SETs of new keys."""
        for start in range(0, KEYS, RUN):
            some = self.keys[start : start + RUN]
            self.longest.note(f"{RUN} SETs of new keys", partial(sets, self.driver, some))

    def read(self) -> None:
        """Digest, cut, KEYS, SCAN, RANDOMKEY."""
        self.steps("a slice of DIGEST", partial(self.machine.hash_some, 64))
        self.longest.note("DIGEST after its slices", self.machine.digest)
        cut = Cut([self.db])
        for key in self.keys[:2000]:
            self.longest.note("a write beside an open cut", partial(self.db.store, key, b"w"))
        passing = cut.entries()
        self.steps("a step of KEYS", lambda: next(passing, None))
        self.longest.note("the end of a cut", cut.close)
        for count in (10, 2000):
            cursors = [0]

            def page(cursors: list[int] = cursors, count: int = count) -> int:
                cursors[0] = scan(self.db, cursors[0], count)[0]
                return cursors[0]

            self.steps(f"SCAN COUNT {count}", page)
        for number in range(200):
            self.longest.note("RANDOMKEY", partial(pick, self.db, Draws(number)))

    def write_and_restore(self) -> None:
        """A snapshot, and a restart from it."""
        walk, restore = self.machine.walk({}), Restore()
        pieces: list[bytes] = []
        while not walk.done:
            self.longest.note("16 KiB of a snapshot written", lambda: pieces.append(walk.step(16384)))
            self.longest.note("16 KiB of a snapshot restored", lambda: restore.feed(pieces.pop()))
        assert restore.finish()[1].digest() == self.machine.digest()

    def empty(self) -> None:
        """DEL of one half, FLUSHDB of the other."""
        for key in self.keys[: KEYS // 2]:
            self.longest.note("DEL", partial(self.db.drop, key))
        self.longest.note("FLUSHDB", self.db.flush)
        self.steps("1,000 keys freed", partial(self.machine.release, 1000))


def one_round(level: int) -> dict[str, float]:
    """Everything that happens to such keys, each in its steps."""
    one = Round(level)
    one.fill()
    one.read()
    one.write_and_restore()
    one.empty()
    return one.longest.ms


def main() -> None:
    """Print a table."""
    level = int(sys.argv[1]) if sys.argv[1:] else FEATURE_LEVEL
    gc.disable()  # its pauses are not what is asked for
    rounds = [one_round(level) for _ in range(ROUNDS)]
    lines = [f"| step, {KEYS:,} keys of one crc32 | ms |", "|---|---:|"]
    lines += [f"| {kind} | {min(ms[kind] for ms in rounds):.2f} |" for kind in rounds[0]]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
