"""What commands cost on a million elements against a thousand: ``python -m tests.perf.growth``.

In the machine alone: no network, no Raft, no disk. Microseconds of processor time a command, in batches of
`LINES` commands, as pipelines give them. Both sizes take turns, so that what others do to the machine meets
both. Each batch that changes a collection is taken back, untimed, before the next.
"""

import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from statistics import median
from typing import Final

import attrs

from tests.machine.driving import NODE, Driver
from tests.perf.report import verdict
from trikv.machine.batch import Submission
from trikv.machine.outcomes import Applied
from trikv.machine.replies import CommandError, Reply

SMALL: Final = 1_000
LARGE: Final = 1_000_000
ROUNDS: Final = 200
LINES: Final = 50
RATIO_MAX: Final = 2.0
FILL_ELEMENTS: Final = 500

Line = tuple[bytes, ...]


def element(number: int) -> bytes:
    """The name of field, member or item `number`."""
    return b"element:%012d" % number


class Collections:
    """A hash, a list, a set and a sorted set, each of `size` elements, in a machine of their own."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.draw = random.Random(size)
        self._driver = Driver()
        self._sequence = count(1)
        for first in range(0, size, FILL_ELEMENTS):
            names = [element(number) for number in range(first, min(size, first + FILL_ELEMENTS))]
            self.write(
                [
                    (b"HSET", b"hash", *(word for name in names for word in (name, b"v"))),
                    (b"RPUSH", b"list", *names),
                    (b"SADD", b"set", *names),
                    (b"ZADD", b"zset", *(word for name in names for word in (score_of(name), name))),
                ]
            )

    def some(self) -> bytes:
        """An element that is there."""
        return element(self.draw.randrange(self.size))

    def write(self, lines: Sequence[Line]) -> list[Reply]:
        """Apply an entry with these commands; `Driver.submit` would count all memory again each time."""
        (outcome,) = self._driver.batch(Submission(NODE, 2, next(self._sequence), 0, tuple(lines)))
        assert isinstance(outcome, Applied)
        return checked(outcome.replies)

    def read(self, lines: Sequence[Line]) -> list[Reply]:
        """The replies of commands outside the log."""
        return checked(self._driver.machine.read(0, tuple(lines), 0))


def checked(replies: Sequence[Reply]) -> list[Reply]:
    """The same replies. RuntimeError if one is an error: an error's time says nothing of a command."""
    errors = [reply for reply in replies if isinstance(reply, CommandError)]
    if errors:
        raise RuntimeError(str(errors[0]))
    return list(replies)


def score_of(name: bytes) -> bytes:
    """The score of an element: its number, so that ranks and scores are the same."""
    return b"%d" % int(name[-12:])


@attrs.frozen
class Command:
    """What is timed: `line` makes one command; `undo` takes back what a batch of them has done."""

    name: str
    line: Callable[[Collections, int], Line]
    """Of the collections and of its number in the batch."""
    writes: bool = False
    undo: Callable[[Collections, list[Reply]], list[Line]] = lambda _collections, _replies: []


def new(number: int) -> bytes:
    """The name of an element that no collection has."""
    return b"new-elem:%011d" % number


NEW: Final = [new(number) for number in range(LINES)]


def put_back(collections: Collections, replies: list[Reply]) -> list[Line]:
    """Add to the set what was taken from it."""
    assert len(replies) == LINES <= collections.size
    return [(b"SADD", b"set", *(reply for reply in replies if isinstance(reply, bytes)))]


COMMANDS: Final = (
    Command(
        "ZADD, new",
        lambda had, number: (b"ZADD", b"zset", b"%d" % had.draw.randrange(had.size), new(number)),
        writes=True,
        undo=lambda _had, _replies: [(b"ZREM", b"zset", *NEW)],
    ),
    Command(
        "ZADD, another score",
        lambda had, _: (b"ZADD", b"zset", b"%d" % had.draw.randrange(had.size), had.some()),
        writes=True,
    ),
    Command("ZRANK", lambda had, _: (b"ZRANK", b"zset", had.some())),
    Command(
        "ZRANGE BYSCORE LIMIT 0 10",
        lambda had, _: (
            *(b"ZRANGE", b"zset", b"%d" % had.draw.randrange(had.size - 20), b"+inf"),
            *(b"BYSCORE", b"LIMIT", b"0", b"10"),
        ),
    ),
    Command(
        "HSET, new",
        lambda _, number: (b"HSET", b"hash", new(number), b"v"),
        writes=True,
        undo=lambda _had, _replies: [(b"HDEL", b"hash", *NEW)],
    ),
    Command("HSET, overwriting", lambda had, _: (b"HSET", b"hash", had.some(), b"w"), writes=True),
    Command("HGET", lambda had, _: (b"HGET", b"hash", had.some())),
    Command("LINDEX", lambda had, _: (b"LINDEX", b"list", b"%d" % had.draw.randrange(had.size))),
    Command(
        "LPUSH",
        lambda _, number: (b"LPUSH", b"list", new(number)),
        writes=True,
        undo=lambda _had, _replies: [(b"LPOP", b"list", b"%d" % LINES)],
    ),
    Command(
        "SADD",
        lambda _, number: (b"SADD", b"set", new(number)),
        writes=True,
        undo=lambda _had, _replies: [(b"SREM", b"set", *NEW)],
    ),
    Command("SPOP", lambda _had, _: (b"SPOP", b"set"), writes=True, undo=put_back),
)


def took_us(command: Command, had: Collections) -> float:
    """Microseconds of processor time that one of a batch of such commands takes."""
    lines = [command.line(had, number) for number in range(LINES)]
    carry_out = had.write if command.writes else had.read
    began = time.thread_time_ns()
    replies = carry_out(lines)
    took = time.thread_time_ns() - began
    if undo := command.undo(had, replies):
        had.write(undo)
    return took / 1000 / LINES


@attrs.frozen
class Growth:
    """The times of one command, in microseconds, at both sizes."""

    name: str
    small: list[float]
    large: list[float]

    @property
    def ratio(self) -> float:
        """How much longer a command takes at the large size, by the medians."""
        return median(self.large) / median(self.small)

    def __str__(self) -> str:
        small, large = (f"{median(each):.2f} ({min(each):.2f})" for each in (self.small, self.large))
        reached = verdict(self.ratio <= RATIO_MAX, self.ratio <= RATIO_MAX)
        return f"| {self.name} | {small} | {large} | {self.ratio:.2f} | {RATIO_MAX:g} | {reached} |"


def measure(small: Collections, large: Collections, rounds: int) -> Iterator[Growth]:
    """Each command at both sizes, in turns."""
    for command in COMMANDS:
        found = Growth(command.name, [], [])
        for _ in range(rounds):
            found.small.append(took_us(command, small))
            found.large.append(took_us(command, large))
        yield found


def main() -> None:
    """Print a table."""
    lines = [
        f"Microseconds a command, median (least) of {ROUNDS} batches of {LINES}",
        "",
        f"| command | {SMALL:,} elements | {LARGE:,} elements | ratio | must | |",
        "|---|---|---|---|---|---|",
    ]
    lines += [str(found) for found in measure(Collections(SMALL), Collections(LARGE), ROUNDS)]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
