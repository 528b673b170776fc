"""What other clients notice of long work: GETs, one each millisecond, beside KEYS, SCAN, FLUSHALL and BACKUP.

    .venv/bin/python -m tests.perf.pauses [KEYS]

It starts one node, fills it, and prints a table. Each GET is timed by a process of its own, from the moment
it was due, so that one that waits for another counts, too. On a machine that does other work the rows at rest
say how much of a figure is not the node's.
"""

import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from tests.e2e.clients import Resp
from tests.e2e.single import Single

KEYS: Final = 1_000_000
REST_S: Final = 5.0
EACH_S: Final = 0.001
BATCH: Final = 1_000
NEW_MEMORY: Final = ("--maxmemory", "2gb")


def ask_steadily(port: int, pipe: Connection) -> None:
    """GET a key each millisecond until told to end; then give the waits in ms."""
    waits: list[float] = []
    with Resp(port, wait_s=60) as client:
        client.call("GET", "key:1")
        pipe.send("ready")
        due = time.perf_counter()
        while not pipe.poll():
            now = time.perf_counter()
            if now < due:
                time.sleep(due - now)
            client.call("GET", "key:1")
            waits.append((time.perf_counter() - due) * 1000)
            # What was missed is not made up for: the next is due a millisecond after this one, or now.
            due = max(due + EACH_S, time.perf_counter())
    pipe.send(waits)


def waits_during(port: int, work: Callable[[], object]) -> tuple[list[float], float]:
    """The waits of GETs, in ms, while `work` is done, and the seconds that it took."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    asking = context.Process(target=ask_steadily, args=(port, there), daemon=True)
    asking.start()
    assert here.recv() == "ready"
    began = time.perf_counter()
    work()
    took_s = time.perf_counter() - began
    here.send("end")
    waits: list[float] = here.recv()
    asking.join()
    return waits, took_s


def fill(port: int, keys: int) -> None:
    """Set `keys` keys."""
    with Resp(port, wait_s=60) as client:
        for first in range(0, keys, BATCH):
            client.pipeline(*[("SET", f"key:{number}", "x" * 16) for number in range(first, first + BATCH)])


def scan_all(client: Resp, *options: str) -> None:
    """A whole SCAN."""
    cursor: bytes | str = "0"
    while True:
        cursor, _ = client.call("SCAN", cursor, *options)
        if cursor == b"0":
            return


def row(name: str, waits: list[float], took_s: float) -> str:
    """One line of the table."""
    ordered = sorted(waits)
    p999 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.999))]
    figures = " | ".join(f"{one:.2f}" for one in (ordered[len(ordered) // 2], p999, ordered[-1]))
    return f"| {name} | {took_s:.2f} s | {len(ordered)} | {figures} |"


def main(keys: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as directory, Single(Path(directory), *NEW_MEMORY) as node:
        node.wait_until_it_leads()
        fill(node.port, keys)
        sys.stdout.write("| beside a GET each ms | takes | GETs | p50 ms | p99.9 ms | worst ms |\n")
        sys.stdout.write("|---|---|---|---|---|---|\n")
        with Resp(node.port, wait_s=120) as client:

            def all_keys(pattern: str) -> None:
                found = client.call("KEYS", pattern)
                assert len(found) == keys

            def flush() -> None:
                client.call("FLUSHALL")
                time.sleep(REST_S)

            works: list[tuple[str, Callable[[], object]]] = [
                ("nothing", partial(time.sleep, REST_S)),
                ("KEYS *", lambda: all_keys("*")),
                ("KEYS key:*", lambda: all_keys("key:*")),
                ("KEYS *9", lambda: client.call("KEYS", "*9")),
                ("SCAN, 100 keys a call", lambda: scan_all(client, "COUNT", "100")),
                ("SCAN, 1,000 keys a call", lambda: scan_all(client, "COUNT", "2000")),
                ("BACKUP", lambda: client.call("BACKUP")),
                ("FLUSHALL, and 5 s after it", flush),
                ("nothing", partial(time.sleep, REST_S)),
            ]
            for name, work in works:
                sys.stdout.write(row(name, *waits_during(node.port, work)) + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else KEYS)
