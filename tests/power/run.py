"""Power cuts for real, again and again: ``python -m tests.power.run --cuts 20``.

Three nodes, each with its data on an ext4 file system of its own in a loop file. Under load, or while they
start, the disks die in the middle of what they do (ext4 stops sending anything down) and all nodes are
killed, or the nodes first. The loop files are copied before anything is unmounted: what had not been sent to
the device is lost. The copies are mounted, the journals are replayed, the nodes start on them. Then every
write acknowledged since the beginning must be there. At the end the whole history is judged as ``trikv
torture`` does.

Not in it: a device that loses, reorders or tears what it was sent and not told to flush. That is the business
of ``tests/storage/test_wal_crashes.py`` and of the simulator.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs
import trio

from tests.power.disks import MODES, Disks, PowerError, unable
from trikv.notation import counted
from trikv.torture.crowd import Crowd
from trikv.torture.evidence import Evidence, Outcome
from trikv.torture.judge import Findings, judge
from trikv.torture.nodes import SETTINGS, Trikv, plan_nodes
from trikv.torture.options import NODES
from trikv.torture.ports import Ports
from trikv.torture.reading import Reader
from trikv.torture.system import TortureError

CLIENTS = 12
WHOLE_S = 60.0
READ_S = 30.0
EVERYONE = range(1, NODES + 1)
CUTS = ("disks first", "in recovery", "nodes first", "disks first")
"""In turn: under load, the disks die before the nodes; while the nodes start; under load, after kill -9."""

HEADINGS = (
    "cut",
    "when",
    "ext4 data=",
    "acked so far",
    "in doubt",
    "replayed",
    "unsynced lost",
    "LOST",
    "up after",
)


@attrs.frozen
class Row:
    """One cut."""

    number: int
    when: str
    mode: str
    acknowledged: int
    """Unique writes acknowledged since the beginning."""
    in_doubt: int
    replays: int
    died: int
    lost: int
    up_s: float
    """From the start of the nodes until all follow one leader."""

    def cells(self) -> tuple[str, ...]:
        """As shown."""
        disks = f"/{NODES} disks"
        return (
            *(str(self.number), self.when, self.mode, f"{self.acknowledged:,}", f"{self.in_doubt:,}"),
            *(f"{self.replays}{disks}", f"{self.died}{disks}", f"{self.lost:,}", f"{self.up_s:.1f} s"),
        )


class Campaign:
    """Cuts on one cluster, whose life goes on from one to the next."""

    def __init__(
        self,
        directory: Path,
        seed: int,
        say: Callable[[Row], None],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`environment`: more of it for the nodes."""
        self._ports = Ports()
        plan = plan_nodes(directory / "data", self._ports, {**SETTINGS, **(environment or {})})
        self._system = Trikv(plan)
        self._disks = Disks(directory, [Path(node.config.data_directory) for node in plan.nodes])
        self._source = random.Random(f"{seed} cuts")
        self._say = say
        self.evidence = Evidence(b"power:")
        self._crowd = Crowd(self.evidence, self._system.where, clients=CLIENTS, seed=seed)
        self.rows: list[Row] = []

    async def run(self, cuts: int) -> Findings:
        """Cut the power so often; the findings. Raises PowerError, TortureError."""
        with self._disks as disks:
            try:
                await self._start()
                for number in range(1, cuts + 1):
                    await self._cycle(number, disks)
                readings = [await self._reader(node).read(f"node{node}") for node in EVERYONE]
                digests = await self._system.digests()
            finally:
                with trio.CancelScope(shield=True):
                    await self._system.kill(EVERYONE)
                self._ports.release()
        if not any(row.died for row in self.rows):
            raise PowerError("no unsynced file was lost in any cut: the power was never gone")
        return judge(self.evidence, readings, digests)

    async def _cycle(self, number: int, disks: Disks) -> None:
        """Load, cut, start, read back."""
        disks.release_canaries()
        when = CUTS[(number - 1) % len(CUTS)]
        with trio.move_on_after(self._source.uniform(0.8, 2.0)):
            await self._crowd.work()
        if when == "in recovery":
            # First a plain kill; the nodes start, and the power goes before they are through.
            await self._system.kill(EVERYONE)
            await self._system.start(EVERYONE)
            await trio.sleep(self._source.uniform(0.3, 2.5))
            disks.release_doomed_canaries()
            disks.die()
        else:
            await self._lose_power_under_load(disks, disks_first=when == "disks first")
        await self._system.kill(EVERYONE)
        mode = MODES[number // 3 % len(MODES)]
        cut = disks.cut(mode)
        if cut.survived != NODES:
            raise PowerError("a synced file is gone: this rig loses more than a power cut does")
        up_s = await self._start()
        reading = await self._reader(number % NODES + 1).read("the cluster")
        if reading.unread:
            raise TortureError("the nodes came up and did not answer")
        fates = list(self.evidence.unique.values())
        row = Row(
            number,
            when,
            mode,
            fates.count(Outcome.DONE),
            fates.count(Outcome.UNKNOWN),
            cut.replays,
            cut.died,
            len(reading.lost),
            up_s,
        )
        self.rows.append(row)
        self._say(row)

    async def _lose_power_under_load(self, disks: Disks, *, disks_first: bool) -> None:
        """All goes while clients wait for answers; who still waits then will never know.

        `disks_first`: the disks die in the middle of whatever they do, and the nodes live a moment longer, in
        which they must not acknowledge anything more.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._crowd.work)
            await trio.sleep(self._source.uniform(0.2, 0.5))
            disks.release_doomed_canaries()
            if disks_first:
                disks.die()
                await trio.sleep(self._source.uniform(0, 0.1))
            await self._system.kill(EVERYONE)
            nursery.cancel_scope.cancel()

    async def _start(self) -> float:
        """Start all nodes; after how long they follow one leader."""
        begin_s = trio.current_time()
        await self._system.start(EVERYONE)
        with trio.move_on_after(WHOLE_S):
            while not await self._system.whole():  # noqa: ASYNC110 - processes are asked, nobody here knows
                await trio.sleep(0.05)
            return trio.current_time() - begin_s
        raise TortureError(f"the nodes did not come up within {WHOLE_S:g} s")

    def _reader(self, node: int) -> Reader:
        address = self._system.address(node)
        return Reader(self.evidence, lambda: address, password=None, give_up_s=READ_S)


def line(cells: tuple[str, ...]) -> str:
    """One line of the table."""
    return "  ".join(cell.rjust(max(len(heading), 11)) for cell, heading in zip(cells, HEADINGS, strict=True))


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.power.run")
    parser.add_argument("--cuts", type=int, default=20, help="how often the power goes")
    parser.add_argument("--seed", type=int, default=1, help="draws commands and moments")
    options = parser.parse_args()
    if (why := unable()) is not None:
        sys.stderr.write(f"{why}\n")
        return 2
    say(line(HEADINGS))
    with tempfile.TemporaryDirectory(prefix="trikv-power-") as directory:
        campaign = Campaign(Path(directory), options.seed, lambda row: say(line(row.cells())))
        findings = trio.run(campaign.run, options.cuts)
    say(
        f"{counted(options.cuts, 'power cut')}: "
        f"{counted(findings.acknowledged_writes, 'acknowledged write', form=',')}, "
        f"{findings.lost_in_all:,} lost; {findings.groups} histories, {findings.disordered} without order; "
        + ("clean" if findings.clean else "NOT CLEAN")
    )
    for problem in findings.problems:
        say(f"  {problem}")
    return 0 if findings.clean else 1


if __name__ == "__main__":
    sys.exit(main())
