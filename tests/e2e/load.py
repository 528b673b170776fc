"""Clients that work while nodes die, and what they remember: the evidence that nothing was lost."""

import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Self

import attrs

from tests.e2e.clients import Resp
from tests.e2e.cluster import Cluster, now_s, pause


@attrs.frozen
class Operation:
    """One answered operation on the counter: INCR or GET, when it was asked and answered, what it said."""

    writes: bool
    asked_s: float
    answered_s: float
    value: int


class Load:
    """Threads, each a client of one node for its whole life; it reconnects when its node is back.

    A context manager: leaving it stops the clients.
    """

    def __init__(self, cluster: Cluster, clients: int) -> None:
        self._cluster = cluster
        self._halt = threading.Event()
        nodes = sorted(cluster.ports)
        self._threads = [
            threading.Thread(target=self._live, args=(number, nodes[number % len(nodes)]), daemon=True)
            for number in range(clients)
        ]
        self.victims: set[int] = set()
        """Nodes whose death is under way; only their clients may see errors."""
        self.errors: list[str] = []
        """Error replies and broken connections of clients of surviving nodes."""
        self.unknown = 0
        """Operations of clients of victims of which no answer came."""
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Let every client finish what it has asked, then end."""
        self._halt.set()
        for thread in self._threads:
            thread.join(30)

    def _live(self, number: int, node: int) -> None:
        while not self._halt.is_set():
            try:
                with Resp(self._cluster.ports[node]) as connection:
                    while not self._halt.is_set():
                        self._work(number, node, connection)
            except OSError as error:
                if node not in self.victims:
                    with self._lock:
                        self.errors.append(f"client {number} of node{node}: {error!r}")
                pause(0.05)

    def _work(self, number: int, node: int, connection: Resp) -> None:
        """Do one operation; OSError if the connection breaks."""
        raise NotImplementedError

    def _note(self, node: int, error: Exception) -> None:
        if node not in self.victims:
            with self._lock:
                self.errors.append(f"node{node} answered: {error}")


class Counting(Load):
    """Every client increments one counter, and now and then reads it; all answers are kept."""

    KEY = "counter"

    def __init__(self, cluster: Cluster, clients: int) -> None:
        super().__init__(cluster, clients)
        self.history: list[Operation] = []

    @property
    def acked(self) -> int:
        """How many increments were answered."""
        return sum(operation.writes for operation in self.history)

    def _work(self, number: int, node: int, connection: Resp) -> None:  # noqa: ARG002 - they share one key
        writes = len(self.history) % 4 != 0
        asked_s = now_s()
        try:
            reply = connection.call("INCR" if writes else "GET", self.KEY)
        except OSError:
            if writes:
                with self._lock:
                    self.unknown += 1
            raise
        if isinstance(reply, Exception):
            if writes and str(reply).startswith("INDETERMINATE"):
                with self._lock:
                    self.unknown += 1
            self._note(node, reply)
            pause(0.02)
            return
        with self._lock:
            self.history.append(Operation(writes, asked_s, now_s(), int(reply or 0)))


class Writing(Load):
    """Every client writes keys of its own, one after the other; what was acknowledged is counted."""

    def __init__(self, cluster: Cluster, clients: int) -> None:
        super().__init__(cluster, clients)
        self.acked = dict.fromkeys(range(clients), 0)

    def acked_keys(self) -> Iterable[str]:
        """Every key whose write was acknowledged."""
        return (f"c{number}:{n}" for number, count in self.acked.items() for n in range(count))

    def _work(self, number: int, node: int, connection: Resp) -> None:
        n = self.acked[number]
        reply = connection.call("SET", f"c{number}:{n}", n)
        if isinstance(reply, Exception):
            self._note(node, reply)
            pause(0.02)
        else:
            self.acked[number] = n + 1


def check_counter(history: Iterable[Operation], unknown: int) -> None:
    """Demand that some order explains all answers (linearizability of a counter from zero).

    INCR answered v stands at place 2v, GET answered v at 2v + 1: the answers leave no other choice. Such an
    order is real if no operation was answered before one of an earlier place was even asked. At most
    `unknown` increments may have happened without an answer.
    """
    operations = sorted(history, key=_place)
    values = [one.value for one in operations if one.writes]
    assert len(set(values)) == len(values), "two increments got the same answer"
    highest = max((one.value for one in operations), default=0)
    assert highest - len(values) <= unknown, (
        f"{highest} increments, {len(values)} answered, {unknown} unknown"
    )
    earliest_s = float("inf")  # when the first of all later places was answered
    group: list[Operation] = []  # GETs that saw the same value are free among themselves
    for one in reversed(operations):
        if group and _place(one) != _place(group[0]):
            earliest_s = min(earliest_s, *(other.answered_s for other in group), float("inf"))
            group = []
        assert one.asked_s <= earliest_s, f"{one} was asked after something that comes later was answered"
        group.append(one)


def _place(one: Operation) -> int:
    return 2 * one.value + (not one.writes)
