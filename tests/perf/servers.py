"""The contenders as processes: three trikv nodes; a Redis master with two replicas. One machine, one disk.

Every process dies with the one that started it, even where that is killed with -9: `setpriv --pdeathsig`.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from trikv.client.blocking import BlockingClient
from trikv.client.endpoint import Address
from trikv.client.info import parse_info

PEER_PORT_OFFSET = 10_000
_START_S = 60.0
_PAUSE_S = 0.02

Info = Mapping[str, str]


class Unavailable(Exception):  # noqa: N818 - what it says of a contender
    """This contender cannot be had here; the text says why."""


class Servers:
    """Three processes with their data below one directory. A context manager: nothing outlives it."""

    name = ""

    def __init__(self, directory: Path, first_port: int) -> None:
        self.directory = directory
        self.ports = [first_port, first_port + 1, first_port + 2]
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        """By port."""

    def __enter__(self) -> Self:
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        for port in self.ports:
            _demand_free(port)
        try:
            self._start_all()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill all, and remove their data."""
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()
        self.processes.clear()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _start_all(self) -> None:
        raise NotImplementedError

    def leader(self) -> int:
        """The port where writes are best sent."""
        raise NotImplementedError

    def followers(self) -> list[int]:
        """The other ports."""
        leader = self.leader()
        return [port for port in self.ports if port != leader]

    def _launch(self, port: int, *command: str) -> None:
        environment = {name: text for name, text in os.environ.items() if not name.startswith("TRIKV_")}
        with (self.directory / f"{port}.log").open("ab") as log:
            self.processes[port] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
            )

    def log(self, port: int) -> str:
        """The end of what a process has said."""
        return (self.directory / f"{port}.log").read_text(errors="replace")[-1500:]

    def kill(self, port: int) -> float:
        """Kill -9 one; the moment, by `time.perf_counter`."""
        process = self.processes.pop(port)
        process.send_signal(signal.SIGKILL)
        now = time.perf_counter()
        process.wait()
        return now

    def _until(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.perf_counter() + _START_S
        while not holds():
            for port, process in self.processes.items():
                if process.poll() is not None:
                    raise Unavailable(f"{self.name}: port {port} ended: {self.log(port).strip()}")
            if time.perf_counter() > deadline:
                logs = "\n".join(self.log(port) for port in self.ports)
                raise TimeoutError(f"{self.name}: not within {_START_S:g} s: {what}\n{logs}")
            time.sleep(_PAUSE_S)


class Trikv(Servers):
    """Three nodes with default settings, but for those given."""

    name = "trikv"

    def __init__(self, directory: Path, first_port: int, **settings: str) -> None:
        super().__init__(directory, first_port)
        self._settings = settings

    def _start_all(self) -> None:
        secret = self.directory / "cluster.secret"
        secret.touch(mode=0o600)
        secret.write_text(secrets.token_hex(32))
        for port in self.ports:
            _demand_free(port + PEER_PORT_OFFSET)
            self.start(port)
        self.settle()

    def start(self, port: int) -> None:
        """Start one node, on the data it has."""
        nodes = dict(enumerate(self.ports, start=1))
        settings = {
            "node-id": str(port - self.ports[0] + 1),
            "port": str(port),
            "peers": ",".join(f"{n}=127.0.0.1:{own + PEER_PORT_OFFSET}" for n, own in nodes.items()),
            "data-directory": str(self.directory / f"{port}"),
            "secret-file": str(self.directory / "cluster.secret"),
            **{name.replace("_", "-"): text for name, text in self._settings.items()},
        }
        words = [word for name, text in settings.items() for word in (f"--{name}", text)]
        self._launch(port, *self._program(port), "serve", *words)

    def _program(self, port: int) -> list[str]:  # noqa: ARG002 - others need it
        """What to start instead of ``trikv``, such as one that is watched."""
        return [sys.executable, "-m", "trikv"]

    def settle(self) -> None:
        """Wait until all run, follow one leader and have applied the same."""
        self._until(self._settled, "a leader that all follow, and equal logs")

    def _settled(self) -> bool:
        infos = [info_of(port) for port in self.ports]
        leaders = [info for info in infos if info.get("raft_role") == "leader"]
        agreed = {(info.get("raft_leader_id"), info.get("raft_last_applied_index")) for info in infos}
        return len(leaders) == 1 and len(agreed) == 1

    def leader(self) -> int:
        """The port of the node that leads."""
        leading: list[int] = []

        def one_leads() -> bool:
            leading[:] = [port for port in self.processes if info_of(port).get("raft_role") == "leader"]
            return len(leading) == 1

        self._until(one_leads, "one leader")
        return leading[0]


class Redis(Servers):
    """A master and two replicas, every write synced by each; by ``WAIT 1`` a write waits for one replica."""

    name = "redis"

    def _start_all(self) -> None:
        if shutil.which("redis-server") is None:
            raise Unavailable("redis: there is no redis-server here (apt-get install redis-server)")
        master = self.ports[0]
        for port in self.ports:
            data = self.directory / f"{port}"
            data.mkdir()
            replica = () if port == master else ("--replicaof", f"127.0.0.1 {master}")
            self._launch(
                port,
                *("redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(data)),
                *("--save", "", "--appendonly", "yes", "--appendfsync", "always"),
                *("--repl-diskless-sync-delay", "0"),
                *replica,
            )
        # Before the link is up a WAIT 1 times out each time, and Redis would look ten times slower.
        self._until(self._linked, "master_link_status:up on both replicas")

    def _linked(self) -> bool:
        links = [info_of(port).get("master_link_status") for port in self.followers()]
        online = info_of(self.leader()).get("connected_slaves")
        return links == ["up", "up"] and online == "2"

    def leader(self) -> int:
        """The master's port."""
        return self.ports[0]


def info_of(port: int) -> Info:
    """INFO of a server; empty where it does not answer."""
    try:
        reply = ask(port, "INFO")
    except OSError:
        return {}
    return parse_info(reply) if isinstance(reply, bytes) else {}


def ask(port: int, *command: str | bytes | int) -> Any:
    """One command to one server; error replies come back as values. Raises OSError."""
    with BlockingClient(Address("127.0.0.1", port), timeout_s=10) as client:
        return client.call(*command)


def _demand_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Unavailable(f"port {port} is taken; choose others by --port and --redis-port") from error
