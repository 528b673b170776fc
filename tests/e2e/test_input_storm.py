"""A minute of everything at once: two thousand clients that never finish, a full disk, and polite clients.

The polite ones are connected before, to the nodes whose disks have room. They are served throughout, nothing
acknowledged is lost, and every process stays within its bound. ``STORM_SECONDS`` makes it longer or shorter.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import attrs

from tests.e2e.clients import Resp
from tests.e2e.cluster import NODE_IDS, Cluster, eventually, now_s, pause
from tests.e2e.crowd import allow_descriptors
from tests.e2e.test_memory import resident_bytes, same_state
from tests.tools import skip_without
from trikv.client.info import parse_info

SECONDS = float(os.environ.get("STORM_SECONDS", "60"))
CROWD = 2000
FULL_NODE = 2
CAP = 64 << 20
INPUT = 64 << 20
"""The default at this cap."""
RESIDENT_MAX = CAP * 3 // 2 + (80 << 20) + INPUT
VALUE = b"v" * 2000
WAIT_MAX_S = 10.0
"""The command deadline: whoever waits that long gets an error, so an answer without one came before."""


def unable() -> str | None:
    """Why this cannot be shown here; None where it can."""
    if os.geteuid() != 0:
        return "a small disk is a mount: only root may"
    for tool in ("mount", "umount"):
        if shutil.which(tool) is None:
            return f"a small disk needs {tool}"
    if not allow_descriptors(2 * CROWD):
        return f"{CROWD} clients need {2 * CROWD} descriptors: raise the hard limit (ulimit -Hn)"
    return None


@contextlib.contextmanager
def small_disk(place: Path) -> Iterator[None]:
    """A file system of 48 MiB at `place`."""
    place.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m,mode=0700", "tmpfs", str(place)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        skip_without(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path) -> Path:
    """Take all the room there is at `place`; the file to remove for getting it back."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(64 << 10)):
            pass
    assert shutil.disk_usage(place).free == 0
    return filler


@attrs.define
class Polite:
    """One client that writes a new key and reads it back, and keeps a ledger."""

    node: int
    connection: Resp
    acknowledged: dict[str, bytes] = attrs.Factory(dict)
    problems: list[str] = attrs.Factory(list)
    waits_s: list[float] = attrs.Factory(list)

    def run(self, stop: threading.Event) -> None:
        """Until `stop`; a client that meets what it must not meet goes no further."""
        number = 0
        while not stop.is_set() and not self.problems:
            key, value = f"polite:{self.node}:{number}", b"%d:" % number + VALUE
            number += 1
            try:
                if self._ask("SET", key, value) == b"OK":
                    self.acknowledged[key] = value
                    if (found := self._ask("GET", key)) != value:
                        self.problems.append(f"{key}: read {found!r:.80}")
            except OSError as error:
                self.problems.append(f"{key}: {error!r}")
            pause(0.02)

    def _ask(self, *words: str | bytes) -> object:
        asked_s = now_s()
        reply = self.connection.call(*words)
        self.waits_s.append(now_s() - asked_s)
        if isinstance(reply, Exception):
            self.problems.append(f"{words[0]!r}: {reply}")
        return reply


@attrs.define
class Samples:
    """The largest size each process had."""

    pids: dict[int, int]
    peak: dict[int, int] = attrs.Factory(dict)

    def run(self, stop: threading.Event) -> None:
        """Look ten times a second."""
        while not stop.wait(0.1):
            for node, pid in self.pids.items():
                self.peak[node] = max(self.peak.get(node, 0), resident_bytes(pid))


@contextlib.contextmanager
def storm(ports: list[int]) -> Iterator[dict[str, object]]:
    """A crowd in a process of its own; what became of it, when it is over."""
    fates: dict[str, object] = {}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.crowd", str(CROWD), *map(str, ports)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as process:
        try:
            yield fates
            output, _ = process.communicate(timeout=30)
            fates |= json.loads(output)
        finally:
            process.kill()


def counted(cluster: Cluster, node: int) -> int:
    """How many connections a node has closed because too much input waited."""
    with cluster.resp(node) as connection:
        fields = parse_info(connection.call("INFO"))
    return int(fields["client_query_buffer_limit_disconnections"])


def everything_is_there(cluster: Cluster, acknowledged: dict[str, bytes]) -> None:
    """Read all back through every node."""
    for node in NODE_IDS:
        with cluster.resp(node) as connection:
            for key, value in acknowledged.items():
                assert connection.call("GET", key) == value, (node, key)


@contextlib.contextmanager
def at_work(polite: list[Polite], samples: Samples) -> Iterator[None]:
    """All of them in threads of their own."""
    stop = threading.Event()
    runs = [samples.run, *(one.run for one in polite)]
    threads = [threading.Thread(target=run, args=(stop,)) for run in runs]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        for one in polite:
            one.connection.close()


def disk_says(cluster: Cluster, word: str) -> None:
    """Wait until the node with the small disk says this of it."""
    eventually(
        lambda: cluster.info(FULL_NODE).get("aof_last_write_status") == word,
        within_s=90,
        what=f"the disk is {word}",
    )


def all_is_well_again(cluster: Cluster, acknowledged: dict[str, bytes]) -> None:
    """With room on the disk and the crowd gone: everything is everywhere, and memory has come down."""
    disk_says(cluster, "ok")
    cluster.wait_for_leader()
    cluster.wait_until_caught_up(within_s=60)
    everything_is_there(cluster, acknowledged)
    eventually(lambda: same_state(cluster), within_s=30, what="equal digests at an equal index")
    for node, process in cluster.processes.items():
        assert process.poll() is None
        assert resident_bytes(process.pid) <= RESIDENT_MAX - INPUT, (
            f"node{node} kept what the storm had taken"
        )


def test_a_storm_of_unfinished_requests_beside_a_full_disk(tmp_path: Path) -> None:
    """Polite clients are served, nothing acknowledged is lost, each process keeps its bound, all recover."""
    if (why := unable()) is not None:
        skip_without(why)
    place = tmp_path / f"node{FULL_NODE}"
    with small_disk(place), Cluster(tmp_path, maxmemory=str(CAP), segment_bytes="64kb") as cluster:
        cluster.start_all()
        cluster.wait_for_leader()
        samples = Samples({node: process.pid for node, process in cluster.processes.items()})
        polite = [Polite(node, cluster.resp(node)) for node in NODE_IDS if node != FULL_NODE]
        with at_work(polite, samples), storm(list(cluster.ports.values())) as fates:
            filler = fill(place)
            over_s = now_s() + SECONDS
            disk_says(cluster, "err")
            with cluster.resp(FULL_NODE) as connection:
                assert str(connection.call("SET", "refused", "1")).startswith("CLUSTERDOWN")
            while now_s() < over_s and not any(one.problems for one in polite):
                pause(0.2)
            closed = [counted(cluster, node) for node in NODE_IDS]
        waits_s = sorted(wait_s for one in polite for wait_s in one.waits_s)
        middle_s, longest_s = waits_s[len(waits_s) // 2], waits_s[-1]
        print(fates, samples.peak, len(waits_s), middle_s, longest_s)  # noqa: T201 - shown by pytest -s
        assert [one.problems for one in polite] == [[], []]
        assert all(process.poll() is None for process in cluster.processes.values())
        assert all(peak <= RESIDENT_MAX for peak in samples.peak.values()), (samples.peak, RESIDENT_MAX)
        assert longest_s < WAIT_MAX_S
        assert middle_s < WAIT_MAX_S / 5
        assert min(closed) > 0, "no node came to its limit: the storm was none"
        assert fates["told"], fates
        filler.unlink()
        acknowledged = polite[0].acknowledged | polite[1].acknowledged
        assert len(acknowledged) > 20
        all_is_well_again(cluster, acknowledged)
