"""Commands that this node carries out itself: those that write files, wait or sleep, DIGEST and SHUTDOWN.

None of them is a log entry (PROTOCOL 6). A command that writes a file first waits for a barrier, which is a
quorum's read round: so the file holds every write that was acknowledged before, on whichever node.
"""

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import assert_never

import attrs
import structlog
import trio

from trikv.front.seam import Backup, Digest, Held, Operation, Save, Shutdown, Sleep, Wait, WaitAof
from trikv.host.seam import Host
from trikv.machine.replies import OK, CommandError, Reply, SimpleString
from trikv.node.barrier import barrier
from trikv.node.consensus.voters_holding import voters_holding
from trikv.node.events import Event
from trikv.node.leader_question import LeaderQuestion
from trikv.node.mailbox import Mailbox
from trikv.node.state.applier import Applier
from trikv.node.state.snapshotter import GivenUp, Snapshotter
from trikv.notation import counted
from trikv.protocol.messages import DurableRequest
from trikv.raft.core import Raft
from trikv.raft.types import SnapshotMeta
from trikv.storage.aside import prune
from trikv.storage.errors import OPERATORS_DOING, NoRoom
from trikv.storage.layout import BACKUPS, obsolete_backups
from trikv.system_text import to_bytes

WAIT_POLL_S = 0.005
"""How soon a WAIT asks again: about a network round and a sync. After that at growing intervals."""
WAIT_POLL_S_MAX = 0.1
"""At most this long a lost answer delays it, and it goes on for a client that is gone."""
DIGEST_PARTS = 8
"""Parts of buckets hashed in the first slice: about 0.4 ms. A client's GET needs several turns of the node,
and meets as many slices."""
DIGEST_SLICES_A_PART = 200
"""After so many slices the next ones hash a part more: in the end they are faster than a load's changes."""
DIGEST_SLICES_MAX = 100_000
"""If they are not, the rest is then hashed without a pause."""
BUSY = CommandError("ERR a backup or save is already in progress")

log = structlog.get_logger()


@attrs.frozen
class OperationSettings:
    """The part of the configuration that the operations need."""

    data_directory: str
    """As the operator wrote it: a reply names a backup by its path from where the node was started."""
    backups_kept: int = 10


class Operations:
    """Carries out operations, each in a task of its own; a connection has at most one under way."""

    def __init__(
        self,
        *,
        host: Host,
        inbox: Mailbox[Event],
        raft: Raft,
        applier: Applier,
        snapshotter: Snapshotter,
        stop: Callable[[], None],
        settings: OperationSettings,
    ) -> None:
        self._host = host
        self._inbox = inbox
        self._raft = raft
        self._applier = applier
        self._snapshotter = snapshotter
        self._writes = False
        """Whether a BACKUP, SAVE or BGSAVE is under way. Only one, or clients could queue endless walks."""
        self._stop = stop
        self._settings = settings
        self._asked: Mailbox[Operation] = Mailbox()

    def put(self, operation: Operation) -> None:
        """Start `operation`; its answer comes by `Operation.answered`."""
        self._asked.put(operation)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run until cancelled."""
        async with trio.open_nursery() as nursery:
            task_status.started()
            while True:
                for operation in await self._asked.take():
                    nursery.start_soon(self._carry_out, operation)

    async def _carry_out(self, operation: Operation) -> None:
        reply: Reply
        match operation.asked:
            case Backup() | Save() if self._writes:
                reply = BUSY
            case Backup():
                reply = await self._after_barrier(self._backup)
            case Save(in_background=True):
                # Answered at once, like Redis; the snapshot is a walk that never stops the server.
                operation.answered(SimpleString("Background saving started"))
                await self._after_barrier(self._save)
                return
            case Save():
                reply = await self._after_barrier(self._save)
            case Digest():
                reply = await self._digest()
            case Wait(replicas, timeout_ms):
                reply = await self._wait(operation, replicas, timeout_ms)
            case WaitAof() as asked:
                reply = await self._wait_aof(operation, asked)
            case Sleep(ms):
                reply = await self._sleep(operation, ms)
            case Held():
                raise AssertionError("the register of connections keeps it")
            case Shutdown():
                self._stop()
                reply = OK
            case _:
                assert_never(operation.asked)
        operation.answered(reply)

    async def _after_barrier(self, act: Callable[[], Awaitable[Reply]]) -> Reply:
        self._writes = True
        try:
            error = await barrier(self._inbox)
            return await act() if error is None else error
        except (NoRoom, *OPERATORS_DOING) as problem:  # any other error ends the node (PROTOCOL 12)
            log.error("could not write", reason=str(problem))
            return CommandError(f"ERR could not write: {problem}")
        except GivenUp as problem:
            return CommandError(f"ERR nothing was written: {problem}")
        finally:
            self._writes = False

    async def _digest(self) -> Reply:
        """The applied index and the state's digest; buckets that changed are hashed in slices."""
        for done in range(DIGEST_SLICES_MAX):
            await self._applier.until_whole()
            if not self._applier.machine.hash_some(DIGEST_PARTS + done // DIGEST_SLICES_A_PART):
                break
            await trio.lowlevel.checkpoint()
        await self._applier.until_whole()
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

    async def _sleep(self, operation: Operation, ms: int) -> Reply:
        """OK after so many milliseconds, or soon after its client has gone."""
        with trio.move_on_after(ms / 1000):
            while not operation.abandoned:  # noqa: ASYNC110 - set by a conversation, which knows no Trio
                await trio.sleep(WAIT_POLL_S_MAX)
        return OK

    async def _wait(self, operation: Operation, wanted: int, timeout_ms: int) -> Reply:
        """How many voters hold the connection's last write, less one."""
        index = operation.last_write
        if not isinstance(index, int):
            return self._other_voters()
        held = await self._holders(operation, index, lambda held: held - 1 >= wanted, timeout_ms)
        return max(0, held - 1)

    async def _wait_aof(self, operation: Operation, asked: WaitAof) -> Reply:
        """Whether this node's disk holds the connection's last write, and how many other voters' disks do."""
        index = operation.last_write
        if not isinstance(index, int):
            return [1, self._other_voters()]

        def counts(held: int) -> tuple[int, int]:
            local = self._raft.durable_index >= index
            # The leader may not have heard of this disk yet: then one too few is counted, never one too many.
            return int(local), max(0, held - (local and self._is_voter()))

        def is_enough(held: int) -> bool:
            local, others = counts(held)
            return local >= asked.local and others >= asked.replicas

        return list(counts(await self._holders(operation, index, is_enough, asked.timeout_ms)))

    def _other_voters(self) -> int:
        """All but one; a blank disk that still waits for the cluster knows of no member at all."""
        return max(0, sum(member.voter for member in self._raft.membership.members) - 1)

    def _is_voter(self) -> bool:
        return any(one.voter and one.id == self._raft.node_id for one in self._raft.membership.members)

    async def _holders(
        self, operation: Operation, index: int, is_enough: Callable[[int], bool], timeout_ms: int
    ) -> int:
        """How many voters hold `index` on disk, as soon as that is enough or the time is up."""
        # A leader's own knowledge comes before the time limit, however short the client's limit is.
        held = voters_holding(self._raft, index)
        question = LeaderQuestion(self._inbox, lambda number: DurableRequest(number, index))
        with trio.move_on_after(timeout_ms / 1000 if timeout_ms else float("inf")):
            poll_s = WAIT_POLL_S
            while not is_enough(held) and not operation.abandoned:
                ask_again_at = trio.current_time() + poll_s
                answer = await question.ask(poll_s)
                if answer is not None:
                    held = max(held, answer.voters)  # a new leader may so far have heard of fewer
                if not is_enough(held):
                    await trio.sleep_until(ask_again_at)
                    poll_s = min(WAIT_POLL_S_MAX, poll_s * 1.5)
        return held
