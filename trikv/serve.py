"""One node as a process: ``trikv serve``.

This module has what belongs to a process and not to a node: signals, exit codes, limits of the operating
system, the collector, standard error.
"""

import errno
import gc
import os
import signal
import stat
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

import structlog
import trio

from trikv import file_limit, logs, secret, streams
from trikv.config import ConfigError, NodeConfig
from trikv.errors import leaves
from trikv.host import allocator, handoff
from trikv.host.disk import DataDirectoryUnusable
from trikv.host.real import RealHost
from trikv.host.signals import watch_stop_signals
from trikv.machine.features import FeatureLevelError
from trikv.machine.runs import is_compiled
from trikv.node.descriptors import TooFewDescriptors
from trikv.node.node import Node
from trikv.notation import shorten
from trikv.places import demand_directory, demand_writable_directory
from trikv.refusals import refusal
from trikv.remarks import Remark
from trikv.storage.disk import Disk
from trikv.storage.errors import StorageError
from trikv.storage.layout import STATE

OK: Final = 0
FAILED: Final = 1
"""Exit code for trouble outside of us: a taken port, a corrupt disk. Also for our bugs, with a traceback."""
MISCONFIGURED: Final = 2
"""Exit code for a missing secret, or a data directory that is another node's or can be none."""

OUT_OF_MEMORY: Final = (
    "this process got no more memory; the log has everything that was acknowledged. Lower maxmemory, or "
    "raise the limit (ulimit -v, or the container's), then start again"
)
_LOAD_PIECE_BYTES: Final = 65_536
_WORTH_TRIMMING_BYTES: Final = 16 << 20
"""Freed memory below this is left with the process: it is soon used again."""

log = structlog.get_logger()


def serve(
    config: NodeConfig, *, refill: bool = False, supervised: bool = False, remarks: Sequence[Remark] = ()
) -> int:
    """Run a node until it is told to stop, and return the exit code. `remarks` go to the log first.

    `refill`: set the data aside first and take a full copy from the peers (PROTOCOL 16). `supervised`: stop
    also when standard input ends. A supervisor holds its other end, so that its death, even by kill -9,
    leaves no nodes behind. (Not by PR_SET_PDEATHSIG: that follows the parent's *thread*, and Trio starts
    processes in worker threads that end when idle.)
    """
    if refill and not config.peers:
        raise ConfigError(
            "--refill: a single node has no peers to take a copy from; give --peers, or a new data directory "
            "and --load a backup or dump"
        )
    check_files(config)
    load = open_load(config.load) if config.load else None
    gc.disable()  # before a node exists: a full collection stops it for longer than an election timeout
    logs.configure()
    for remark in remarks:
        (log.warning if remark.is_warning else log.info)(remark.text)
    file_limit.raise_file_limit()
    allocator.give_back_freed_memory()
    allocator.load_what_ends_threads()
    exit_code = OK
    try:
        file_limit.check_file_limit(peers=max(0, len(config.peers) - 1), listeners=len(config.listen))
        shared = secret.read(config.secret_file, node_id=config.node_id) if config.peers else b""
        if not (is_compiled() and handoff.is_compiled):
            log.info("without the parts in C: writes take more of the processor; docs/OPERATION.md, compiled")
        with RealHost(config.data_directory, lines_dropped=streams.lines_dropped) as host:
            node = Node(config, host, shared, load)
            trio.run(_run, node, host.disk if refill else None, supervised)
        if node.dumped is False:
            what = "stopped without a dump (a dump.json is an earlier stop's); the log has everything"
            sys.stderr.write(f"trikv: node{config.node_id}: {what}\n")
            exit_code = FAILED
    except* MemoryError:
        sys.stderr.write(f"trikv: node{config.node_id}: {OUT_OF_MEMORY}\n")
        exit_code = FAILED
    except* (OSError, StorageError, ConfigError, FeatureLevelError) as group:
        sys.stderr.write(f"trikv: node{config.node_id}: {refusal(group, config)}\n")
        refusals = ConfigError, TooFewDescriptors, DataDirectoryUnusable
        exit_code = MISCONFIGURED if isinstance(next(leaves(group)), refusals) else FAILED
    return exit_code


def check_files(config: NodeConfig) -> None:
    """Refuse paths at which the data or the secret cannot be, before anything starts. Raises ConfigError."""
    secret_file = Path(config.secret_file)
    name, path = "data_directory", Path(config.data_directory)
    try:
        demand_writable_directory(path)
        name, path = "secret_file", secret_file
        if config.peers and secret_file.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a directory; give the file in it")
        demand_directory(secret_file.parent)
    except OSError as error:
        raise ConfigError(f"{name}: {shorten(str(path))}: {error.strerror or error}") from error


def open_load(path: str) -> "LoadFile":
    """Open the file that fills an empty cluster. Raises ConfigError, one line, if it can be none."""
    file = Path(path)
    try:
        # Asked before it is opened: to open a pipe waits for a writer, silently and for ever.
        if not stat.S_ISREG(file.stat().st_mode):
            raise ConfigError(
                f"load: {shorten(path)}: is no regular file, and it is read twice; write the backup to a file"
            )
        return LoadFile(file.open("rb"))
    except OSError as error:
        raise ConfigError(f"load: {shorten(path)}: {error.strerror or error}") from error


class LoadFile:
    """The file that fills an empty cluster. Each call reads all of it, piece by piece.

    It is opened before the node serves, because the node waits for a leader before it reads, and the file may
    be moved away meanwhile. The node reads twice, to check and to load.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._whole = 0

    def __call__(self) -> Iterator[bytes]:
        """The file's bytes in pieces, from the start."""
        self._file.seek(0)
        while piece := self._file.read(_LOAD_PIECE_BYTES):
            yield piece
        self._whole += 1
        if self._whole == 2:  # read for the last time: a backup that is removed gives its room back
            self._file.close()


async def _run(node: Node, refilled: Disk | None, supervised: bool) -> None:  # noqa: FBT001 - trio.run passes by position
    """Run the node until it stops by itself or is asked to; then end the tasks beside it."""
    if refilled is not None:
        await set_aside(refilled)
    stop = _Stop(node)
    async with trio.open_nursery() as nursery:
        await nursery.start(watch_stop_signals, stop.ask)
        if supervised:
            nursery.start_soon(_stop_at_end_of_input, stop)
        nursery.start_soon(_collect_when_idle, node)
        nursery.start_soon(_trim_when_freed, node)
        await node.run(task_status=_Started())
        nursery.cancel_scope.cancel()


async def _collect_when_idle(node: Node) -> None:
    """Collect the youngest generation a second after the last command: it is short, and no client waits.

    A full collection would stop the node for longer than an election timeout, so the collector is off.
    """
    seen = collected = node.works
    while True:
        await trio.sleep(1)
        if node.works == seen != collected:
            gc.collect(0)
            collected = seen
        seen = node.works


async def _trim_when_freed(node: Node) -> None:
    """Give memory back to the system after clients have freed much of it, for at most 1 % of the time."""
    peak, pause_s = 0, 1.0
    while True:
        await trio.sleep(pause_s)
        held = node.input_bytes
        peak = max(peak, held)
        if peak - held >= _WORTH_TRIMMING_BYTES:
            # The pause grows with what a trim takes: nothing else runs meanwhile.
            began_s = trio.current_time()
            allocator.trim()
            peak, pause_s = held, max(1.0, 100 * (trio.current_time() - began_s))


class _Started:
    """A `trio.TaskStatus` that `Node.run` calls once the node serves."""

    def started(self, value: object = None) -> None:
        """Exempt from collection what start-up made: it lives as long as the process."""
        del value
        gc.freeze()


class _Stop:
    """Counts requests to stop: the first asks, the second insists."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.asked = False

    async def ask(self, reason: signal.Signals | str) -> None:
        """Stop the node; at the second request, stop it at once. `reason` goes to the log."""
        why = reason.name if isinstance(reason, signal.Signals) else reason
        if self.asked:
            log.warning("stopping at once", reason=why)
            self._node.stop_now()
        else:
            log.info("stopping", reason=why)
            self._node.stop()
        self.asked = True


async def _stop_at_end_of_input(stop: _Stop) -> None:
    """Ask to stop when standard input ends; text that is typed there is dropped."""
    while True:
        await trio.lowlevel.wait_readable(sys.stdin.fileno())
        if not os.read(sys.stdin.fileno(), 4096):
            break
    if not stop.asked:  # the end of a supervisor during a stop is no second request
        await stop.ask("the supervisor is gone")


async def set_aside(disk: Disk) -> None:
    """Move all state of a data directory to ``aside/refill-<UTC>``: nothing is deleted (PROTOCOL 16).

    Backups, the node's log and other programs' files stay, and so do a secret and a `lost+found`.
    """
    names = [name for name in await disk.names("") if STATE.fullmatch(name)]
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
