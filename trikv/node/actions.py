"""Commands that this node carries out itself: BACKUP, SAVE, BGSAVE, DIGEST, WAIT, SHUTDOWN.

None of them is a log entry (PROTOCOL 6). What writes a file waits behind a barrier, a quorum's read round:
the file holds every write that was acknowledged before they were asked for, on whichever node.
"""

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime

import attrs
import structlog
import trio

from trikv.host.seam import Host
from trikv.machine.replies import OK, CommandError, Reply, Status
from trikv.node.applier import Applier
from trikv.node.durability import Durability, voters_holding
from trikv.node.events import Barrier, Event
from trikv.node.links import Links
from trikv.node.mailbox import Mailbox
from trikv.node.service import Action, Work
from trikv.node.snapshotter import GivenUp, Snapshotter
from trikv.protocol.messages import DurableRequest
from trikv.raft.core import Raft
from trikv.raft.types import SnapshotMeta
from trikv.storage.aside import prune
from trikv.storage.errors import OPERATORS_DOING, NoRoom
from trikv.storage.layout import BACKUPS, obsolete_backups
from trikv.system_text import to_bytes
from trikv.units import counted

WAIT_POLL_S = 0.005
"""How soon a WAIT looks again: about a network round and a sync. Then less and less often."""
WAIT_POLL_S_MAX = 0.1
DIGEST_BUCKETS = 64
"""Hashed in one slice: some milliseconds with a million keys."""
DIGEST_SLICES_MAX = 10_000
"""Under a load that changes buckets as fast as they are hashed, the rest is done at once."""
BUSY = CommandError("ERR a backup or save is already in progress")

log = structlog.get_logger()


async def barrier(inbox: Mailbox[Event]) -> CommandError | None:
    """Wait until this node has applied all that was acknowledged before; the error where it could not."""
    done = trio.Event()
    outcome: list[CommandError] = []

    def failed(error: CommandError) -> None:
        outcome.append(error)
        done.set()

    inbox.put(Barrier(Work(0, (), (), False, lambda _: done.set(), failed)))
    await done.wait()
    return outcome[0] if outcome else None


@attrs.frozen
class ActionSettings:
    """What the actions need to know of the configuration."""

    data_directory: str
    """As the operator wrote it: backups are named by the path from where the node was started."""
    backups_kept: int = 10


class Actions:
    """Carries out actions, each in a task of its own; a connection has at most one under way."""

    def __init__(
        self,
        *,
        host: Host,
        inbox: Mailbox[Event],
        raft: Raft,
        links: Links,
        applier: Applier,
        snapshotter: Snapshotter,
        durability: Durability,
        stop: Callable[[], None],
        settings: ActionSettings,
    ) -> None:
        self._host = host
        self._inbox = inbox
        self._raft = raft
        self._links = links
        self._applier = applier
        self._snapshotter = snapshotter
        self._writes = False
        """A BACKUP, SAVE or BGSAVE is under way: one at a time, or clients could queue walks without end."""
        self._durability = durability
        self._stop = stop
        self._settings = settings
        self._asked: Mailbox[Action] = Mailbox()

    def put(self, action: Action) -> None:
        """Carry `action` out."""
        self._asked.put(action)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run until cancelled."""
        async with trio.open_nursery() as nursery:
            task_status.started()
            while True:
                for action in await self._asked.take():
                    nursery.start_soon(self._carry_out, action)

    async def _carry_out(self, action: Action) -> None:
        reply: Reply
        match action.name:
            case "BACKUP" | "SAVE" | "BGSAVE" if self._writes:
                reply = BUSY
            case "BACKUP":
                reply = await self._after_barrier(self._backup)
            case "SAVE":
                reply = await self._after_barrier(self._save)
            case "BGSAVE":
                # Redis answers at once; here the snapshot is a walk that never stops the server anyway.
                action.answered(Status("Background saving started"))
                await self._after_barrier(self._save)
                return
            case "DIGEST":
                reply = await self._digest()
            case "WAIT":
                reply = await self._wait(action)
            case "SHUTDOWN":
                self._stop()
                reply = OK
            case _:
                reply = CommandError(f"ERR unknown action {action.name}")
        action.answered(reply)

    async def _after_barrier(self, act: Callable[[], Awaitable[Reply]]) -> Reply:
        self._writes = True
        try:
            error = await barrier(self._inbox)
            return await act() if error is None else error
        except (NoRoom, *OPERATORS_DOING) as problem:  # any other ends the node (PROTOCOL 12)
            log.error("could not write", reason=str(problem))
            return CommandError(f"ERR could not write: {problem}")
        except GivenUp as problem:
            return CommandError(f"ERR nothing was written: {problem}")
        finally:
            self._writes = False

    async def _digest(self) -> Reply:
        """The applied index and the state's digest; what changed since the last one is hashed in slices."""
        for _ in range(DIGEST_SLICES_MAX):
            if not self._applier.machine.hash_some(DIGEST_BUCKETS):
                break
            await trio.lowlevel.checkpoint()
        return [self._applier.position.index, self._applier.machine.digest().encode()]

    async def _save(self) -> Reply:
        await self._snapshotter.take()
        return OK

    async def _backup(self) -> Reply:
        meta, keys, name = await self._write_backup()
        try:
            await self._prune(name.removeprefix(f"{BACKUPS}/"))
        except (NoRoom, *OPERATORS_DOING) as problem:  # the backup itself is written, and is durable
            log.warning("older backups stay until the next one", reason=str(problem))
        path = f"{self._settings.data_directory}/{name}"
        return to_bytes(f"{path}: {counted(keys, 'key')} at index {meta.index}")

    async def _write_backup(self) -> tuple[SnapshotMeta, int, str]:
        moment = datetime.fromtimestamp(self._host.clock.wall_ms() / 1000, UTC)
        prefix = f"{BACKUPS}/{moment:%Y%m%dT%H%M%SZ}"
        meta, keys = await self._snapshotter.write_document(lambda meta: f"{prefix}-{meta.index}.json")
        return meta, keys, f"{prefix}-{meta.index}.json"

    async def _prune(self, written: str) -> None:
        def obsolete(names: Iterable[str]) -> list[str]:
            return obsolete_backups(names, self._settings.backups_kept, written)

        disk = self._host.disk
        for error in await prune(disk, BACKUPS, obsolete):
            log.warning("an old backup stays: it cannot be removed", reason=str(error))
        await disk.sync_directory(BACKUPS)

    async def _wait(self, action: Action) -> Reply:
        """WAIT numreplicas timeout-ms: how many voters hold the connection's last write, less one."""
        try:
            wanted, timeout_ms = (int(arg) for arg in action.args)
        except ValueError:
            return CommandError("ERR value is not an integer or out of range")
        if timeout_ms < 0:
            return CommandError("ERR timeout is negative")
        index = action.last_write
        if not isinstance(index, int):
            return sum(member.voter for member in self._raft.membership.members) - 1
        number = self._durability.open()
        try:
            held = self._held(number, index)
            with trio.move_on_after(timeout_ms / 1000 if timeout_ms else float("inf")):
                poll_s = WAIT_POLL_S
                while held - 1 < wanted and not action.abandoned:
                    await trio.sleep(poll_s)
                    poll_s = min(WAIT_POLL_S_MAX, poll_s * 1.5)
                    held = max(held, self._held(number, index))
            return max(0, held - 1)
        finally:
            self._durability.close(number)

    def _held(self, number: int, index: int) -> int:
        """What is known now; asks the leader on the way."""
        if self._raft.leader is not None:
            self._links.send(self._raft.leader, DurableRequest(number, index))
        self._inbox.wake()  # acks behind a majority's wait for the driver's next turn: these are what counts
        return max(voters_holding(self._raft, index), self._durability.known(number))
