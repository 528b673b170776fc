"""A cluster of real processes for a test: started, killed, restarted and always cleared away."""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.e2e.clients import Resp, Typist
from tests.ports import PEER_PORT_OFFSET, PortBlock
from trikv.client.info import parse_info

T = TypeVar("T")

START_S = 30.0
"""A busy machine may take seconds to import a node."""
STOP_S = 15.0
"""The 10 s that a stop may take, and the start of a process on a busy machine."""

NODE_IDS = (1, 2, 3)


def now_s() -> float:
    """Seconds that never go back."""
    return time.monotonic()  # noqa: TID251 - real processes run in real time


def pause(seconds: float) -> None:
    """Sleep for real."""
    time.sleep(seconds)


def eventually(probe: Callable[[], T | None], *, within_s: float, what: str) -> T:
    """Ask until `probe` gives something true; AssertionError after `within_s` seconds."""
    deadline = now_s() + within_s
    while True:
        found = probe()
        if found:
            return found
        assert now_s() < deadline, f"not within {within_s:g} s: {what}"
        pause(0.05)


class Cluster:
    """Three nodes with their data below one directory. A context manager: nothing outlives it."""

    def __init__(self, directory: Path, **settings: str) -> None:
        self.directory = directory
        self.settings = settings
        """More settings of each node, by name."""
        self.peer_hosts = dict.fromkeys(NODE_IDS, "127.0.0.1")
        """Where each node's peers look for it."""
        self.launcher: tuple[str, ...] = ()
        """Words before the command of each node: a shell, say, that lowers a limit and becomes the node."""
        self._block = PortBlock()
        self.ports = {node: self._block.first + node - 1 for node in NODE_IDS}
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        secret = directory / "cluster.secret"
        if not secret.exists():
            secret.touch(mode=0o600)
            secret.write_text(secrets.token_hex(32))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for node in list(self.processes):
            self.kill(node)
        self._block.release()

    # ------------------------------------------------------------ processes

    def data(self, node: int) -> Path:
        """The data directory of a node."""
        return self.directory / f"node{node}"

    def log(self, node: int) -> str:
        """What a node has logged."""
        return (self.directory / f"node{node}.log").read_text(errors="replace")

    def start(self, node: int, *more: str) -> subprocess.Popen[bytes]:
        """Start one node; `more` words for its command line."""
        peers = ",".join(
            f"{n}={self.peer_hosts[n]}:{port + PEER_PORT_OFFSET}" for n, port in self.ports.items()
        )
        words = {
            "node-id": str(node),
            "port": str(self.ports[node]),
            "peers": peers,
            "data-directory": str(self.data(node)),
            "secret-file": str(self.directory / "cluster.secret"),
        } | {name.replace("_", "-"): text for name, text in self.settings.items()}
        environment = {name: text for name, text in os.environ.items() if not name.startswith("TRIKV_")}
        with (self.directory / f"node{node}.log").open("ab") as log:
            process = subprocess.Popen(
                [
                    *self.launcher,
                    *(sys.executable, "-m", "trikv", "serve"),
                    *(word for name, text in words.items() for word in (f"--{name}", text)),
                    *more,
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        self.processes[node] = process
        return process

    def start_all(self, *more: str) -> None:
        """Start every node."""
        for node in NODE_IDS:
            self.start(node, *more)

    def kill(self, node: int) -> None:
        """Kill -9, and wait until it is gone."""
        process = self.processes.pop(node)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        process.wait()

    def kill_all(self) -> None:
        """Kill -9 of all at once."""
        for process in self.processes.values():
            process.send_signal(signal.SIGKILL)
        for node in list(self.processes):
            self.kill(node)

    def terminate_all(self) -> dict[int, int]:
        """SIGTERM to all; the exit codes."""
        for process in self.processes.values():
            process.terminate()
        codes = {node: process.wait(STOP_S) for node, process in self.processes.items()}
        self.processes.clear()
        return codes

    # ------------------------------------------------------------ asking

    def resp(self, node: int) -> Resp:
        """A RESP connection to a node."""
        return Resp(self.ports[node])

    def typist(self, node: int) -> Typist:
        """A typed connection to a node."""
        return Typist(self.ports[node])

    def info(self, node: int) -> dict[str, str]:
        """A node's INFO; empty where it does not answer."""
        try:
            with Resp(self.ports[node], wait_s=2) as connection:
                reply = connection.call("INFO")
        except OSError:
            return {}
        return parse_info(reply) if isinstance(reply, bytes) else {}

    def leader(self) -> int | None:
        """The node that leads; None while there is none or two claim to."""
        roles = {node: self.info(node).get("raft_role") for node in self.processes}
        leaders = [node for node, role in roles.items() if role == "leader"]
        return leaders[0] if len(leaders) == 1 else None

    def wait_for_leader(self, *, within_s: float = START_S) -> int:
        """Wait until one node leads and every running node follows it and answers; the leader's id."""

        def settled() -> int | None:
            infos = [self.info(node) for node in self.processes]
            leader = self.leader()
            same = {info.get("raft_leader_id") for info in infos} == {str(leader)}
            return leader if leader is not None and same else None

        try:
            return eventually(settled, within_s=within_s, what="a leader that all nodes follow")
        except AssertionError as error:
            logs = "\n".join(f"--- node{node}\n{self.log(node)[-2000:]}" for node in self.processes)
            raise AssertionError(f"{error}\n{logs}") from None

    def wait_until_caught_up(self, *, within_s: float = START_S) -> None:
        """Wait until all running nodes have applied the same index, which no traffic moves."""

        def equal() -> bool:
            infos = [self.info(node) for node in self.processes]
            applied = {info.get("raft_last_applied_index") for info in infos}
            return len(applied) == 1 and None not in applied

        eventually(equal, within_s=within_s, what="equal applied indexes")

    def dump(self, node: int) -> Any:
        """The dump a stopped node left, parsed."""
        return json.loads((self.data(node) / "dump.json").read_bytes())
