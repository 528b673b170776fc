"""Redis, a master and two replicas, as a system to torture, with the promotion that a sentinel would do.

It is treated as well as possible: every write is synced before its answer (``appendfsync always``), the load
and each fault wait for replicas and their files, there is no delay before a full synchronisation, clients
learn of the new master at once, and the replica with the greatest offset is promoted (of equal ones, as after
a restart, the one with most keys). Reads go to the master. A master that is gone, or silent for a second as
under ``down-after-milliseconds 1000``, is replaced; as soon as it is back it is told to follow.
"""

import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import trio

from trikv.client.commands import Command
from trikv.client.endpoint import Address
from trikv.client.info import parse_info
from trikv.cluster.plan import HOST
from trikv.cluster.processes import last_line
from trikv.torture.options import NODES
from trikv.torture.ports import Ports
from trikv.torture.system import TortureError, ask, ask_info, signal_all

_UP_S: Final = 30.0
_DURABLE: Final = ("--appendonly", "yes", "--appendfsync", "always", "--save", "", "--loglevel", "notice")


def find_server() -> str | None:
    """The path of ``redis-server``, if it is installed."""
    return shutil.which("redis-server")


class Redis:
    """A master and two replicas."""

    reads_anywhere = False

    def __init__(self, program: str, directory: Path, ports: Ports, *, title: str = "Redis") -> None:
        self.title = title
        self._program = program
        self._directory = directory
        self._ports = ports
        self._master = 1
        self._processes: dict[int, trio.Process] = {}
        self._paused: set[int] = set()
        self.promotions = 0

    def address(self, node: int) -> Address:
        """Where a node serves clients."""
        return Address(HOST, self._ports.first + node - 1)

    def where(self, client: int, attempt: int) -> Address:  # noqa: ARG002 - there is one place
        """The present master."""
        return self.address(self._master)

    async def start(self, nodes: Sequence[int]) -> None:
        """Start nodes, or start them again; the master first, the others as its replicas."""
        for node in sorted(nodes, key=lambda node: node != self._master):
            home = self._directory / f"redis{node}"
            home.mkdir(parents=True, exist_ok=True)
            master = self.address(self._master)
            role = [] if node == self._master else ["--replicaof", master.host, str(master.port)]
            with trio.CancelScope(shield=True):
                self._processes[node] = await trio.lowlevel.open_process(
                    [
                        self._program,
                        *("--port", str(self.address(node).port), "--bind", HOST, "--dir", str(home)),
                        *("--logfile", str(home / "redis.log"), "--repl-diskless-sync-delay", "0"),
                        *_DURABLE,
                        *role,
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C must reach only this program, which ends the servers
                )
            if node == self._master:
                await self._until_it_answers(node)

    async def revive(self) -> None:
        """Start each node that does not run, and resume each that is paused. Raises OSError, TortureError."""
        self.resume(list(self._processes))
        await self.start([node for node in range(1, NODES + 1) if node not in self._processes])

    async def kill(self, nodes: Sequence[int]) -> None:
        """Kill -9, all at once."""
        victims = [self._processes.pop(node) for node in nodes if node in self._processes]
        self._paused -= set(nodes)
        signal_all(victims, signal.SIGKILL)
        for process in victims:
            await process.wait()

    def pause(self, nodes: Sequence[int]) -> None:
        """SIGSTOP."""
        self._paused |= set(nodes)
        signal_all([self._processes[node] for node in nodes], signal.SIGSTOP)

    def resume(self, nodes: Sequence[int]) -> None:
        """SIGCONT."""
        self._paused -= set(nodes)
        signal_all([self._processes[node] for node in nodes], signal.SIGCONT)

    async def leader(self) -> int | None:
        """The master that clients are sent to."""
        return self._master

    async def fail_over(self) -> None:
        """Promote the best replica if the master is gone or paused; tell each node which one to follow."""
        if self._master not in self._processes or self._master in self._paused:
            await self._promote()
        await self._tell_roles()

    async def _promote(self) -> None:
        found: list[tuple[int, int, int]] = []
        for node in self._processes:
            if node in self._paused or node == self._master:
                continue
            await self._until_it_answers(node)
            info = await self._info(node)
            (keys,) = await ask(self.address(node), (b"DBSIZE",)) or (0,)
            offset = int(info.get("slave_repl_offset") or info.get("master_repl_offset") or 0)
            found.append((offset, keys if isinstance(keys, int) else 0, node))
        if found:
            self._master = max(found)[2]
            self.promotions += 1

    async def whole(self) -> bool:
        """Whether both replicas follow and have caught up. Raises TortureError if a node ended by itself."""
        for node, process in self._processes.items():
            if process.returncode is not None:
                log = self._directory / f"redis{node}" / "redis.log"
                raise TortureError(f"redis{node} ended by itself: {last_line(log)}")
        await self._tell_roles()
        infos = [await self._info(node) for node in range(1, NODES + 1)]
        up = [info for info in infos if info.get("master_link_status") == "up"]
        # After a full synchronisation a replica rewrites its file; a restart before that would read the old.
        busy = [info for info in infos if _rewrites(info)]
        return len(up) == NODES - 1 and not busy

    async def stop(self) -> list[str]:
        """Kill all: acknowledged writes are on disk."""
        await self.kill(list(self._processes))
        return []

    async def digests(self) -> dict[str, str] | None:
        """None: Redis has no digest."""
        return None

    async def _tell_roles(self) -> None:
        """Tell the master that it is the master, and each node that follows a wrong one which to follow."""
        master = self.address(self._master)
        for node in list(self._processes):
            if node in self._paused:
                continue
            info = await self._info(node)
            if node == self._master and info.get("role") == "slave":
                await ask(self.address(node), (b"REPLICAOF", b"NO", b"ONE"))
            elif node != self._master and (
                info.get("role") == "master" or info.get("master_port") != str(master.port)
            ):
                follow: Command = (b"REPLICAOF", master.host.encode(), b"%d" % master.port)
                await ask(self.address(node), follow)

    async def _info(self, node: int) -> dict[str, str]:
        return parse_info(await ask_info(self.address(node)))  # before 7.0 INFO takes only one section

    async def _until_it_answers(self, node: int) -> None:
        """Wait until it has read its file. Raises TortureError if it does not start."""
        with trio.move_on_after(_UP_S):
            while await ask(self.address(node), (b"GET", b"is it loading?")) is None or not (
                await self._info(node)
            ):
                if self._processes[node].returncode is not None:
                    break
                await trio.sleep(0.05)
            else:
                return
        log = self._directory / f"redis{node}" / "redis.log"
        raise TortureError(f"redis{node} does not come up: {last_line(log)}")


def _rewrites(info: dict[str, str]) -> bool:
    return any(info.get(f"aof_rewrite_{state}") != "0" for state in ("in_progress", "scheduled"))
