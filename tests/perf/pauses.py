"""What other clients notice of long work: GETs, one each millisecond, beside KEYS, SCAN, FLUSHALL and BACKUP.

    .venv/bin/python -m tests.perf.pauses [KEYS [ROUNDS]]

It starts one node, fills it for each round, and prints a table. Each GET is timed by a process of its own,
from the moment it was due, so that one that waits for another counts, too. Another process only sleeps, and
is timed in the same way: how late it is says what the machine itself makes any process wait.
"""

import multiprocessing
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Final

import attrs

from tests.e2e.clients import Resp
from tests.e2e.single import Single
from trikv.client.commands import encode_command

KEYS: Final = 1_000_000
ROUNDS: Final = 5
REST_S: Final = 5.0
EACH_S: Final = 0.001
SPOILT_MS: Final = 10.0
"""A process that only slept was later than this: others had the processors. That says nothing of a node."""
BATCH: Final = 1_000
NEW_MEMORY: Final = ("--maxmemory", "2gb")


def ask_steadily(port: int, pipe: Connection) -> None:
    """GET a key each millisecond until told to end; then give the waits in ms."""
    with Resp(port, wait_s=60) as client:
        time_steadily(lambda: client.call("GET", "key:1"), pipe)


def ping_steadily(port: int, pipe: Connection) -> None:
    """PING each millisecond: what long work of the node may not hold up, whatever it does with the state."""
    with Resp(port, wait_s=60) as client:
        time_steadily(lambda: client.call("PING"), pipe)


def sleep_steadily(_port: int, pipe: Connection) -> None:
    """Do nothing each millisecond, and give how late that was: what the machine makes any process wait."""
    time_steadily(lambda: None, pipe)


def time_steadily(act: Callable[[], object], pipe: Connection) -> None:
    """Do it each millisecond until told to end; then give in ms how long after it was due each was done."""
    waits: list[float] = []
    act()
    pipe.send("ready")
    due = time.perf_counter()
    while not pipe.poll():
        now = time.perf_counter()
        if now < due:
            time.sleep(due - now)
        act()
        waits.append((time.perf_counter() - due) * 1000)
        # What was missed is not made up for: the next is due a millisecond after this one, or now.
        due = max(due + EACH_S, time.perf_counter())
    pipe.send(waits)


class Clock:
    """A process that times something steadily."""

    def __init__(self, times: Callable[[int, Connection], None], port: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe()
        self._process = context.Process(target=times, args=(port, there), daemon=True)
        self._process.start()
        assert self._here.recv() == "ready"

    def end(self) -> list[float]:
        """The waits that it has seen, in ms."""
        self._here.send("end")
        waits: list[float] = self._here.recv()
        self._process.join()
        return waits


def fill(port: int, keys: int) -> None:
    """Set `keys` keys."""
    with Resp(port, wait_s=60) as client:
        for first in range(0, keys, BATCH):
            client.pipeline(*[("SET", f"key:{number}", "x" * 16) for number in range(first, first + BATCH)])


def count_elements(port: int, *command: str | bytes) -> int:
    """How many elements an array of strings has that answers `command`; RuntimeError if it is an error.

    They are only counted: two busy processes would leave the GETs no core.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(encode_command(command))
        with client.makefile("rb", buffering=0) as head:
            first = head.readline()
        if first[:1] != b"*":
            raise RuntimeError(f"{command[0]!r}: {first!r}")
        elements = int(first[1:])
        left = 2 * elements
        while left:
            left -= client.recv(1 << 20).count(b"\n")
    return elements


def scan_all(client: Resp, *options: str) -> None:
    """A whole SCAN."""
    cursor: bytes | str = "0"
    while True:
        cursor, _ = client.call("SCAN", cursor, *options)
        if cursor == b"0":
            return


@attrs.frozen
class Round:
    """What GETs, or PINGs, met beside one work."""

    took_s: float
    waits: list[float]
    """Of each one, in ms, the shortest first."""
    machine_ms: float
    """The most that a process which only sleeps was late meanwhile."""

    @classmethod
    def beside(
        cls,
        port: int,
        work: Callable[[], object],
        asks: Callable[[int, Connection], None] = ask_steadily,
    ) -> "Round":
        """Do `work`, and look."""
        machine, gets = Clock(sleep_steadily, port), Clock(asks, port)
        began = time.perf_counter()
        work()
        took_s = time.perf_counter() - began
        return cls(took_s, sorted(gets.end()), max(machine.end()))

    @property
    def worst_ms(self) -> float:
        """The longest wait; 0 if the work was over before anybody asked."""
        return self.waits[-1] if self.waits else 0.0

    @property
    def is_spoilt(self) -> bool:
        """Whether the machine itself held processes up for longer than is looked for in a node."""
        return self.machine_ms > SPOILT_MS

    def at(self, part: float) -> float:
        """The wait that this part of all GETs did not exceed."""
        return self.waits[min(len(self.waits) - 1, int(len(self.waits) * part))]


def unspoilt(rounds: list[Round]) -> list[Round]:
    """Those of the rounds that can be judged."""
    return [one for one in rounds if not one.is_spoilt]


def spoilt(all_rounds: Iterable[list[Round]]) -> str:
    """A line that says how many cannot be, and why."""
    rounds = [one for each in all_rounds for one in each]
    void = len(rounds) - len(unspoilt(rounds))
    return (
        f"{void} of {len(rounds)} not judged: a process that only slept was more than {SPOILT_MS:g} ms late"
    )


def row(name: str, rounds: list[Round]) -> str:
    """One line of the table."""
    each = [
        f"{median(one.took_s for one in rounds):.1f} s",
        f"{median(len(one.waits) for one in rounds):.0f}",
        *(f"{median(one.at(part) for one in rounds):.1f}" for part in (0.5, 0.999)),
        least_median_most([one.worst_ms for one in rounds]),
        least_median_most([one.machine_ms for one in rounds]),
    ]
    return f"| {name} | {' | '.join(each)} |"


def least_median_most(figures: list[float]) -> str:
    """The median, and between which bounds the others are."""
    return f"{median(figures):.1f} ({min(figures):.1f}-{max(figures):.1f})"


def main(keys: int, rounds: int) -> None:
    """Print medians of the rounds, and of the worst waits also the least and the most of a round."""
    found: dict[str, list[Round]] = {}
    with tempfile.TemporaryDirectory() as directory, Single(Path(directory), *NEW_MEMORY) as node:
        node.wait_until_it_leads()
        with Resp(node.port, wait_s=120) as client:

            def all_keys(pattern: str, expected: int) -> None:
                assert count_elements(node.port, "KEYS", pattern) == expected

            def flush() -> None:
                client.call("FLUSHALL")
                time.sleep(REST_S)

            works: list[tuple[str, Callable[[], object]]] = [
                ("nothing", partial(time.sleep, REST_S)),
                ("KEYS *", lambda: all_keys("*", keys)),
                ("KEYS key:*", lambda: all_keys("key:*", keys)),
                ("KEYS *9", lambda: all_keys("*9", keys // 10)),
                ("SCAN, 100 keys a call", lambda: scan_all(client, "COUNT", "100")),
                ("SCAN, 1,000 keys a call", lambda: scan_all(client, "COUNT", "2000")),
                ("BACKUP", lambda: client.call("BACKUP")),
                ("FLUSHALL, and 5 s after it", flush),
                ("nothing, in the empty node", partial(time.sleep, REST_S)),
            ]
            for _ in range(rounds):
                fill(node.port, keys)
                for name, work in works:
                    found.setdefault(name, []).append(Round.beside(node.port, work))
    sys.stdout.write(
        "| beside a GET each ms | takes | GETs | p50 ms | p99.9 ms | worst ms | asleep, worst ms |\n"
    )
    sys.stdout.write("|---|---|---|---|---|---|---|\n")
    sys.stdout.writelines(row(name, each) + "\n" for name, each in found.items())


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(*given, *(KEYS, ROUNDS)[len(given) :])
