"""Starts and fills the servers that a row needs, drives them in turns, and keeps what each run gave."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import attrs

from tests.perf import cpu
from tests.perf.generator import Load, Outcome, Work
from tests.perf.operations import LASTING, fill, prepare
from tests.perf.rows import Contender, Side
from tests.perf.servers import Redis, Servers, Trikv

_BREATH_S = 0.3
"""Before a run, for what the last has left to do, and for the new connections."""


@attrs.frozen
class Run:
    """One contender driven once."""

    outcome: Outcome
    leader_us: float
    """Processor time the leader (or master) took for a command, in microseconds."""
    others_us: float
    """The same of both others together."""


class Arena:
    """The servers that live now. A context manager: nothing outlives it."""

    def __init__(self, directory: Path, port: int, redis_port: int) -> None:
        self._makers: dict[Side, Callable[[], Servers]] = {
            Side.REDIS: lambda: Redis(directory / "redis", redis_port),
            Side.TRIKV: lambda: Trikv(directory / "trikv", port),
            Side.LEASE: lambda: Trikv(directory / "lease", port, reads="lease"),
        }
        self._alive: dict[Side, Servers] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.keep(())

    def keep(self, sides: Iterable[Side]) -> None:
        """Stop all servers but these: idle ones take processor time too."""
        for side in set(self._alive) - set(sides):
            self._alive.pop(side).close()

    def have(self, *sides: Side) -> None:
        """Let exactly these live, every key written. Raises Unavailable where one cannot be had."""
        self.keep(sides)
        for side in sides:
            if side not in self._alive:
                servers = self._alive[side] = self._makers[side]().__enter__()
                fill(servers.leader())

    def trikv(self) -> Trikv:
        """The three nodes with default settings, alone on the machine."""
        self.have(Side.TRIKV)
        servers = self._alive[Side.TRIKV]
        assert isinstance(servers, Trikv)
        return servers

    def drive(self, contender: Contender, seconds: float) -> Run:
        """Put the contender's load on its servers, which `have` started."""
        servers, work = self._alive[contender.side], contender.work
        prepare(servers.leader(), work.operation, LASTING * (1 + work.depth // 4))
        return measured(servers, contender.work, seconds, everywhere=contender.everywhere)


def measured(servers: Servers, work: Work, seconds: float, *, everywhere: bool) -> Run:
    """Drive `servers` for so long; on all three if `everywhere`, else on the leader alone."""
    leader = servers.leader()
    with Load(servers.ports if everywhere else [leader], work) as load:
        time.sleep(_BREATH_S)
        before = _spent_us(servers)
        outcome = load.run(seconds)
        spent = {port: after - before[port] for port, after in _spent_us(servers).items()}
    commands = max(1, outcome.answered)
    return Run(
        outcome=outcome,
        leader_us=spent[leader] / commands,
        others_us=(sum(spent.values()) - spent[leader]) / commands,
    )


def _spent_us(servers: Servers) -> dict[int, float]:
    return {port: cpu.process_ns(process.pid) / 1e3 for port, process in servers.processes.items()}
