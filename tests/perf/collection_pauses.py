"""What other clients notice of collections of a million elements.

    python -m tests.perf.collection_pauses [ELEMENTS [ROUNDS]]

GETs, one each millisecond, are timed beside what is done to all of a hash, list, set or sorted set at once
(`tests.perf.pauses` tells how). It starts one node, fills it for each round, and prints a table. The worst
wait of a round is judged by the median of the rounds. One that the machine spoilt is not judged: there are
more of them then, up to `ROUNDS_MAX`, and a row that has none to be judged by is void.
"""

import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from threading import Event, Thread
from typing import Final

import attrs

from tests.e2e.clients import Resp
from tests.e2e.single import Single
from tests.perf import operations
from tests.perf.compare import note
from tests.perf.operations import demand_success, element_of
from tests.perf.pauses import Round, count_elements, row, spoilt, unspoilt
from tests.perf.report import verdict
from trikv.client.commands import Command

ELEMENTS: Final = 1_000_000
ROUNDS: Final = 2
ROUNDS_MAX: Final = 6
MUST_MS: Final = 20.0
AIM_MS: Final = 10.0
NODE: Final = ("--maxmemory", "4gb")
WAIT_S: Final = 120.0
_AFTER_S: Final = 1.0
"""After what lets go of elements: they are freed in slices, which are looked at, too."""
_EXPIRES_MS: Final = 300
_HEAD: Final = (
    "| GETs beside | takes | GETs | p50 ms | p99.9 ms | worst ms | asleep, worst ms | must | aim | |",
    "|---|---|---|---|---|---|---|---|---|---|",
)


@attrs.frozen
class Kind:
    """A type of collection."""

    name: str
    add: Callable[[bytes, Sequence[int]], Command]
    """The command that adds elements of these numbers to a key."""
    read: tuple[str, ...]
    """The command that reads all of ``full``."""
    change: Callable[[int], Command]
    """The command that changes the element of that number in ``full``."""
    answered: int = 1
    """Strings in the answer to `read`, for each element."""


KINDS: Final = (
    Kind(
        "hash",
        operations.add_to_hash,
        ("HGETALL", "full"),
        lambda number: ("HSET", "full", element_of(number), "changed"),
        answered=2,
    ),
    Kind(
        "list",
        operations.add_to_list,
        ("LRANGE", "full", "0", "-1"),
        lambda number: ("LSET", "full", number, "changed"),
    ),
    Kind(
        "set",
        operations.add_to_set,
        ("SMEMBERS", "full"),
        lambda number: ("SREM", "full", element_of(number)),
    ),
    Kind(
        "sorted set",
        operations.add_to_sorted_set,
        ("ZRANGE", "full", "0", "-1"),
        lambda number: ("ZADD", "full", -number, element_of(number)),
    ),
)


class Works:
    """What is done to one collection, called ``full``, and to its copy. In this order, and each once."""

    def __init__(self, port: int, client: Resp, kind: Kind, elements: int) -> None:
        self._port, self._client, self._kind, self._elements = port, client, kind, elements

    def _ask(self, *command: str) -> object:
        reply = self._client.call(*command)
        demand_success(reply, command[0])
        return reply

    def _copy(self) -> None:
        assert self._ask("COPY", "full", "copy") == 1

    def _copy_and_write(self) -> None:
        """The first write to what shares its elements with a copy has most to do."""
        self._copy()
        demand_success(self._client.call(*self._kind.change(self._elements // 2)), "a change")
        time.sleep(_AFTER_S)

    def _read(self) -> None:
        had = count_elements(self._port, *self._kind.read)
        assert had == self._elements * self._kind.answered

    def _rest_after(self, *command: str) -> None:
        self._ask(*command)
        time.sleep(_AFTER_S)

    def _back_up(self) -> None:
        with writes(self._port, self._kind, self._elements):
            self._ask("BACKUP")

    def _expire(self) -> None:
        self._ask("PEXPIRE", "copy", str(_EXPIRES_MS))
        time.sleep(_EXPIRES_MS / 1000)
        while self._ask("EXISTS", "copy"):
            time.sleep(0.01)
        time.sleep(_AFTER_S)

    def all(self) -> Iterator[tuple[str, Callable[[], object]]]:
        """Each by name. What is not to be timed is done before the next is asked for."""
        all_of_it = " ".join(word for word in self._kind.read if word != "full")
        yield all_of_it, self._read
        yield "COPY, and a write to it", self._copy_and_write
        yield "RENAME over another", partial(self._rest_after, "RENAME", "copy", "other")
        self._ask("RENAME", "other", "copy")
        yield "DEL", partial(self._rest_after, "DEL", "copy")
        self._copy()
        yield "UNLINK", partial(self._rest_after, "UNLINK", "copy")
        self._copy()
        yield "its expiry", self._expire
        yield "BACKUP beside writes to it", self._back_up
        yield "FLUSHALL", partial(self._rest_after, "FLUSHALL")


@contextmanager
def writes(port: int, kind: Kind, elements: int) -> Iterator[None]:
    """Change elements all over the collection while the block runs. Raises RuntimeError if one is refused."""
    done, draw = Event(), random.Random(elements)
    refused: list[object] = []

    def change() -> None:
        with Resp(port, wait_s=WAIT_S) as client:
            while not done.is_set():
                replies = client.pipeline(*[kind.change(draw.randrange(elements)) for _ in range(10)])
                refused.extend(reply for reply in replies if isinstance(reply, Exception))

    thread = Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    for reply in refused:
        demand_success(reply, kind.name)


def judged(name: str, rounds: list[Round]) -> str:
    """A line of the table with what it comes to."""
    clean = unspoilt(rounds)
    worst = median(one.worst_ms for one in clean or rounds)
    reached = verdict(worst <= MUST_MS, worst <= AIM_MS) if clean else "VOID"
    return f"{row(name, clean or rounds)} {MUST_MS:g} | {AIM_MS:g} | {reached} |"


def is_enough(found: dict[str, list[Round]], rounds: int) -> bool:
    """Whether every row has so many rounds to be judged by, or there were as many as there may be."""
    return bool(found) and all(
        len(unspoilt(each)) >= rounds or len(each) >= max(rounds, ROUNDS_MAX) for each in found.values()
    )


def main(elements: int, rounds: int) -> None:
    """Print medians of the rounds, and of the worst waits also the least and the most of a round."""
    found: dict[str, list[Round]] = {}
    with tempfile.TemporaryDirectory() as directory, Single(Path(directory), *NODE) as node:
        node.wait_until_it_leads()
        with Resp(node.port, wait_s=WAIT_S) as client:
            while not is_enough(found, rounds):
                for kind in KINDS:
                    batches = operations.in_batches(partial(kind.add, b"full"), range(elements))
                    operations.send_all(node.port, batches)
                    client.call("SET", "other", "in the way")
                    for name, work in Works(node.port, client, kind, elements).all():
                        title = f"{kind.name}: {name}"
                        found.setdefault(title, []).append(Round.beside(node.port, work))
                        note(judged(title, found[title][-1:]))
    lines = [*_HEAD, *(judged(name, each) for name, each in found.items())]
    sys.stdout.write("\n".join([*lines, spoilt(found.values())]) + "\n")


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(*given, *(ELEMENTS, ROUNDS)[len(given) :])
