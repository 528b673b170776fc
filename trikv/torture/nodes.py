"""Three trikv nodes as a system to torture, started as ``trikv cluster`` starts them."""

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import trio

from trikv import secret
from trikv.client.endpoint import Address
from trikv.cluster.plan import HOST, Plan, make_plan
from trikv.cluster.processes import NodeProcess
from trikv.cluster.watch import Status
from trikv.torture.options import NODES
from trikv.torture.ports import Ports
from trikv.torture.system import TortureError, ask, ask_info

STOP_S: Final = 15.0
"""A node's own stop deadline, and a margin for a busy machine."""
SETTINGS: Final = {"TRIKV_SEGMENT_BYTES": "1mb", "TRIKV_SNAPSHOT_LOG_BYTES": "4mb"}
"""The only settings that are not the defaults: so that a minute has many ends of segments and snapshots."""
_CONVERGE_S: Final = 30.0


def plan_nodes(directory: Path, ports: Ports, settings: Mapping[str, str] = SETTINGS) -> Plan:
    """Plan three nodes below `directory`."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("TRIKV_")}
    environment |= {"TRIKV_DATA": str(directory), **settings}
    return make_plan(
        port=str(ports.first), max_volume=None, timeout=None, environment=environment, configs=directory
    )


class Trikv:
    """The cluster. Its node n is `plan.nodes[n - 1]`."""

    title = "trikv"
    reads_anywhere = True

    def __init__(self, plan: Plan) -> None:
        """Raises OSError if the secret cannot be made."""
        self._plan = plan
        self._processes: dict[int, NodeProcess] = {}
        secret.make(plan.secret_file)

    def address(self, node: int) -> Address:
        """Where a node serves clients."""
        return Address(HOST, self._plan.nodes[node - 1].config.port)

    def where(self, client: int, attempt: int) -> Address:
        """Clients are spread over the nodes; one that was disconnected goes to the next."""
        return self.address((client + attempt) % NODES + 1)

    async def start(self, nodes: Sequence[int]) -> None:
        """Start nodes, or start them again. Raises OSError."""
        for node in nodes:
            with trio.CancelScope(shield=True):  # a started process must be recorded, or none would stop it
                self._processes[node] = await NodeProcess.start(self._plan.nodes[node - 1], self._plan)

    async def revive(self) -> None:
        """Start each node that does not run, and resume each that is paused. Raises OSError."""
        self.resume(list(self._processes))
        await self.start([node for node in range(1, NODES + 1) if node not in self._processes])

    async def kill(self, nodes: Sequence[int]) -> None:
        """Kill -9, all at once."""
        victims = [self._processes.pop(node) for node in nodes if node in self._processes]
        for process in victims:
            process.signal(signal.SIGKILL)
        for process in victims:
            await process.wait()

    def pause(self, nodes: Sequence[int]) -> None:
        """SIGSTOP."""
        for node in nodes:
            self._processes[node].signal(signal.SIGSTOP)

    def resume(self, nodes: Sequence[int]) -> None:
        """SIGCONT."""
        for node in nodes:
            self._processes[node].signal(signal.SIGCONT)

    async def leader(self) -> int | None:
        """The leader of the highest term among the nodes that answer."""
        statuses = await self._statuses()
        leading = [(one.term, node) for node, one in statuses.items() if one.role == "leader"]
        return max(leading)[1] if leading else None

    async def fail_over(self) -> None:
        """Do nothing: the nodes elect a new leader themselves."""

    async def whole(self) -> bool:
        """Whether every node answers and follows the leader. Raises TortureError if one ended by itself."""
        for process in self._processes.values():
            if not process.running:
                raise TortureError(f"{process.node.name} ended by itself: {process.last_words()}")
        statuses = await self._statuses()
        leaders = {(one.leader_id, one.term) for one in statuses.values()}
        return len(statuses) == NODES and len(leaders) == 1 and min(leaders)[0] > 0

    async def stop(self) -> list[str]:
        """Send SIGTERM, and kill nodes that take too long. One line for each end that was not in order."""
        running = dict(self._processes)
        for process in running.values():
            process.signal(signal.SIGCONT)
            process.signal(signal.SIGTERM)
        problems = []
        with trio.move_on_after(STOP_S):
            for process in running.values():
                code = await process.wait()
                problems += [f"{process.node.name} ended with {code}: {process.last_words()}"] * bool(code)
        late = [process.node.name for process in running.values() if process.running]
        problems += [f"{name} did not end within {STOP_S:g} s of SIGTERM" for name in late]
        await self.kill(list(running))
        return problems

    async def digests(self) -> dict[str, str] | None:
        """Ask until all nodes have applied the same index; returns the last answers if they never do."""
        found: dict[str, tuple[int, str]] = {}
        with trio.move_on_after(_CONVERGE_S):
            while len(found) < NODES or len({index for index, _ in found.values()}) > 1:
                await trio.sleep(0.1)
                found = {}
                for node in range(1, NODES + 1):
                    match await ask(self.address(node), (b"DIGEST",)):
                        case [[int(index), bytes(digest)]]:
                            found[f"node{node}"] = (index, digest.decode())
                        case _:
                            pass
        if not found:
            return {}
        return {f"node{node}": str(found.get(f"node{node}")) for node in range(1, NODES + 1)}

    async def _statuses(self) -> dict[int, Status]:
        statuses: dict[int, Status] = {}

        async def look(node: int) -> None:
            status = Status.parse(await ask_info(self.address(node), b"server", b"raft"))
            if status is not None:
                statuses[node] = status

        async with trio.open_nursery() as nursery:
            for node in self._processes:
                nursery.start_soon(look, node)
        return statuses
