"""One node as a process: ``trikv serve``.

Here is what a process has and a node must not know of: signals, exit codes, limits of the operating system,
the collector, standard error.
"""

import contextlib
import gc
import os
import resource
import sys
from datetime import UTC, datetime
from typing import Final

import attrs
import structlog
import trio

from trikv import logs, secret
from trikv.config import ConfigError, NodeConfig
from trikv.errors import first_line
from trikv.host.real import RealHost
from trikv.host.signals import watch_stop_signals
from trikv.node.node import Node
from trikv.storage.disk import Disk
from trikv.storage.errors import StorageError

OK: Final = 0
FAILED: Final = 1
"""Something outside of us: a taken port, a corrupt disk. Also our own bugs, which leave a traceback."""

_NOT_SET_ASIDE: Final = frozenset({"aside", "backups", "node.log", "node.log.1"})
"""What `--refill` leaves in place: not state of the node, and the log is open."""

log = structlog.get_logger()


def serve(config: NodeConfig, *, refill: bool = False, supervised: bool = False) -> int:
    """Run a node until it is told to stop; the exit code.

    `refill`: set the data aside first and take a full copy from the peers (PROTOCOL 16). `supervised`: stop
    also when standard input ends. A supervisor holds its other end, so that no death of the supervisor, a
    kill -9 included, leaves nodes behind. (Not PR_SET_PDEATHSIG: it follows the parent's *thread*, and Trio
    starts processes in worker threads that end when idle.)
    """
    gc.disable()  # before a node exists: a full collection stops it for longer than an election timeout
    logs.configure()
    raise_file_limit()
    if config.peers:
        config = attrs.evolve(config, secret=secret.read(config.secret_file, node_id=config.node_id))
    elif refill:
        raise ConfigError("--refill: a single node has no peers to take a copy from; give --peers")
    exit_code = OK
    try:
        with RealHost(config.data_directory) as host:
            trio.run(_run, config, host, refill, supervised)
    except* (OSError, StorageError, ConfigError) as group:
        sys.stderr.write(f"trikv: node{config.node_id}: {first_line(group)}\n")
        exit_code = FAILED
    return exit_code


def raise_file_limit() -> None:
    """Let this process open as many files as it may: the usual soft limit, 1024, is below `maxclients`."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS refuses "unlimited"; the soft limit then stays
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _run(config: NodeConfig, host: RealHost, refill: bool, supervised: bool) -> None:  # noqa: FBT001 - trio.run passes by position
    """Start the node, then wait until it has stopped by itself or by a signal."""
    if refill:
        await set_aside(host.disk)
    node = Node(config, host)
    async with trio.open_nursery() as nursery:
        stop = _Stop(node, nursery.cancel_scope)
        await nursery.start(watch_stop_signals, stop.signalled)
        if supervised:
            nursery.start_soon(_stop_at_end_of_input, stop)
        await nursery.start(_run_node, node, nursery.cancel_scope)
        stop.started = True
        gc.freeze()  # what start-up made lives as long as the process: no collection need look at it


async def _run_node(
    node: Node, scope: trio.CancelScope, *, task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED
) -> None:
    """Run the node; when it has stopped, so does everything around it."""
    await node.run(task_status=task_status)
    scope.cancel()


class _Stop:
    """Counts requests to stop: the first asks, the second insists."""

    def __init__(self, node: Node, scope: trio.CancelScope) -> None:
        self.started = False
        self._node = node
        self._scope = scope
        self._asked = False

    async def signalled(self, number: object) -> None:
        """Handle one request."""
        log.info("stopping at once" if self._asked else "stopping", reason=getattr(number, "name", number))
        if self._asked or not self.started:
            self._scope.cancel()
        else:
            self._node.stop()
        self._asked = True


async def _stop_at_end_of_input(stop: _Stop) -> None:
    """Ask to stop when standard input ends; whatever is typed there is dropped."""
    while True:
        await trio.lowlevel.wait_readable(sys.stdin.fileno())
        if not os.read(sys.stdin.fileno(), 4096):
            break
    await stop.signalled("the supervisor is gone")


async def set_aside(disk: Disk) -> None:
    """Move all state of a data directory to ``aside/refill-<UTC>``: nothing is deleted (PROTOCOL 16)."""
    names = [name for name in await disk.names("") if name not in _NOT_SET_ASIDE]
    if not names:
        return
    target = f"aside/refill-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    await disk.make_directory(target)
    # The identity goes last: until then a crash leaves a directory that refuses to start, never a voter
    # that forgot its vote.
    for name in sorted(names, key=lambda name: name == "identity.json"):
        await disk.rename(name, f"{target}/{name}")
    await disk.sync_directory(target)
    await disk.sync_directory("")
    log.warning("data set aside for a refill", path=target, names=",".join(names))
