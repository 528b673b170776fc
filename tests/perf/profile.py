"""Where a SET's and a GET's microseconds go: ``python -m tests.perf.profile``.

Three nodes under load on this machine. For each process and thread the processor time a command takes, by the
kernel's account; inside the main thread of the leader and of a follower the stages, by samples (`sampled`);
beside them what the log says of batches. Sampling itself costs a little: rates here are no benchmark.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from tests.perf import cpu, document, machine
from tests.perf.generator import Load, Outcome, Work
from tests.perf.operations import LASTING, OPERATIONS, fill, prepare
from tests.perf.servers import Trikv, info_of

STAGES = (
    ("sockets: accept, recv, send, wake-ups", ("host/hub", "host/stream")),
    ("parse", ("protocol/requests", "protocol/arrays", "protocol/telnet", "protocol/events")),
    ("replies", ("protocol/resp", "protocol/render", "machine/replies")),
    (
        "intake: conversation, dispatch, turn",
        ("front/conversation", "front/intake", "front/dispatch", "front/turn"),
    ),
    ("intake: connections, transactions, commands", ("front/",)),
    (
        "links to peers, frames",
        (
            *("node/peers/links", "node/peers/outgoing", "node/peers/incoming"),
            *("protocol/", "node/state/transfers", "host/peer", "host/sockets"),
        ),
    ),
    ("log: encode, hand to the writer", ("node/state/writer", "storage/", "host/worker", "host/disk")),
    ("apply", ("node/state/applier", "machine/")),
    ("raft", ("raft/",)),
    ("driver: turns, proposals, reads, timer", ("node/",)),
    ("host: clocks, entropy", ("host/",)),
)
"""Where a function belongs: the first stage with a prefix of its file's path."""
TRIO = "Trio: scheduler, epoll"
_WARM_S = 1.0


class SampledTrikv(Trikv):
    """Nodes that note what their main threads are at."""

    def _program(self, port: int) -> list[str]:
        return [sys.executable, "-m", "tests.perf.sampled", str(self._samples(port))]

    def _samples(self, port: int) -> Path:
        return self.directory / f"{port}.samples"

    def stages_ns(self, port: int) -> Counter[str]:
        """Main thread's processor time by stage since this was last asked for."""
        self._samples(port).unlink(missing_ok=True)
        self.processes[port].send_signal(signal.SIGUSR1)
        self._until(self._samples(port).exists, "samples")
        found: Counter[str] = Counter()
        for place, spent_ns in json.loads(self._samples(port).read_text()).items():
            found[stage_of(place)] += spent_ns
        return found


@attrs.frozen
class Spent:
    """What one process spent on the load, nanoseconds."""

    main_ns: int
    others_ns: int
    """All threads but the main one: the disk's."""
    kernel_ns: int
    """Of both, in the kernel; to 10 ms."""
    stages_ns: Counter[str]


@attrs.frozen
class Profile:
    """One kind of work, profiled."""

    work: Work
    outcome: Outcome
    commands: float
    leader: Spent
    follower: Spent
    log: dict[str, float]
    """What the leader's INFO counted meanwhile."""


def stage_of(place: str) -> str:
    """The stage a function (``node/consensus/driver.py:turn``) belongs to."""
    if not place:
        return TRIO
    return next((stage for stage, prefixes in STAGES if place.startswith(prefixes)), "rest")


def profile(cluster: SampledTrikv, work: Work, seconds: float) -> Profile:
    """Put `work` on the leader and see where the time goes, there and on a follower."""
    leader = cluster.leader()
    follower = cluster.followers()[0]
    with Load([leader], work) as load:
        load.run(_WARM_S)
    for port in (leader, follower):
        cluster.stages_ns(port)
    with Load([leader], work) as load:
        before = {port: _account(cluster.processes[port].pid) for port in (leader, follower)}
        log_before = _log_of(leader)
        outcome = load.run(seconds)
        log_after = _log_of(leader)
        after = {port: _account(cluster.processes[port].pid) for port in (leader, follower)}
    spent = {}
    for port in (leader, follower):
        main_ns, others_ns, kernel_ns = (
            end - begin for begin, end in zip(before[port], after[port], strict=True)
        )
        spent[port] = Spent(main_ns, others_ns, kernel_ns, cluster.stages_ns(port))
    return Profile(
        work=work,
        outcome=outcome,
        commands=outcome.answered,
        leader=spent[leader],
        follower=spent[follower],
        log={name: log_after[name] - log_before[name] for name in log_after},
    )


def _account(pid: int) -> tuple[int, int, int]:
    """Nanoseconds so far: main thread, other threads, kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    kernel_ns = int(fields[12]) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    main_ns = cpu.main_thread_ns(pid)
    return main_ns, cpu.process_ns(pid) - main_ns, kernel_ns


def _log_of(port: int) -> dict[str, float]:
    info = info_of(port)
    counts = {name: float(info[f"wal_{name}"]) for name in ("fsyncs", "batches", "entries", "bytes_written")}
    return counts | {"sync_ms": float(info["wal_sync_ms_mean"]) * counts["batches"]}


def table(found: Profile) -> Iterator[str]:
    """One kind of work as a table: microseconds a command."""
    work, outcome, commands = found.work, found.outcome, found.commands
    yield (
        f"### {work.operation.upper()} c={work.connections} P={work.depth}: {outcome.rate:,.0f}/s, "
        f"p50 {outcome.p50_ms:.1f} p99 {outcome.p99_ms:.1f} ms"
    )
    yield ""
    yield "| microseconds of processor time a command | leader | a follower |"
    yield "|---|---|---|"
    sides = (found.leader, found.follower)

    def row(name: str, spent_ns: Sequence[float]) -> str:
        return f"| {name} | {' | '.join(f'{ns / 1e3 / commands:.1f}' for ns in spent_ns)} |"

    yield row("**process, all threads**", [side.main_ns + side.others_ns for side in sides])
    yield row("of it in the kernel", [side.kernel_ns for side in sides])
    yield row("threads of the disk", [side.others_ns for side in sides])
    yield row("**main thread**", [side.main_ns for side in sides])
    names = sorted(
        found.leader.stages_ns.keys() | found.follower.stages_ns.keys(),
        key=lambda name: -found.leader.stages_ns[name],
    )
    for name in names:
        # The samples say the parts, the kernel's account the whole.
        parts = [side.stages_ns[name] / max(1, side.stages_ns.total()) * side.main_ns for side in sides]
        yield row(name, parts)
    yield f"| load generator | {1e6 * outcome.generator_cpu / outcome.rate:.1f} | |"
    yield ""
    log = found.log
    if log["entries"]:
        yield (
            f"{commands / log['entries']:.1f} commands an entry, "
            f"{commands / max(1, log['fsyncs']):.1f} a sync; "
            f"{log['sync_ms'] / max(1, log['batches']):.2f} ms to sync a batch; "
            f"{log['bytes_written'] / commands:.0f} bytes of log a command"
        )
        yield ""


def main() -> None:
    """Profile each kind of work and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.perf.profile", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="of each load (%(default)s)")
    parser.add_argument("--operations", default="set,get", help=f"of: {', '.join(OPERATIONS)}")
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--ahead", action="store_true", help=machine.AHEAD_HELP)
    parser.add_argument("--document", action="store_true", help=document.HELP)
    parser.add_argument("--port", type=int, default=18410, help="first of three (%(default)s)")
    parser.add_argument("--directory", type=Path, default=Path("/var/tmp"), help="a real disk (%(default)s)")
    asked = parser.parse_args()
    if asked.ahead:
        machine.go_ahead()
    operations = asked.operations.split(",")
    works = [Work(operation, asked.connections, depth) for operation in operations for depth in (1, 16)]
    with tempfile.TemporaryDirectory(prefix="trikv-perf-", dir=asked.directory) as name:
        directory = Path(name)
        lines = [str(machine.describe(directory)), ""]
        with SampledTrikv(directory / "trikv", asked.port) as cluster:
            fill(cluster.leader())
            time.sleep(_WARM_S)
            for work in works:
                prepare(cluster.leader(), work.operation, LASTING * (1 + work.depth // 4))
                lines += table(profile(cluster, work, asked.seconds))
    print("\n".join(lines))  # noqa: T201 - a command line prints
    if asked.document:
        document.write("profile", lines)


if __name__ == "__main__":
    main()
