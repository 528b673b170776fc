"""The supervisor: starts what was planned, watches it, passes signals on, waits for the end."""

import math
import signal
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

import trio

from trikv import file_limit, secret
from trikv.cluster.holders import holder_of
from trikv.cluster.loading import LoadReport
from trikv.cluster.plan import Plan, make_plan
from trikv.cluster.probe import Probe
from trikv.cluster.processes import NodeProcess, bound_log, taken_port
from trikv.cluster.watch import Departure, Status, Watch, table
from trikv.config import ConfigError
from trikv.errors import first_line
from trikv.host.signals import ECHO_S, watch_stop_signals
from trikv.notation import shorten
from trikv.places import NO_PLACE

POLL_S: Final = 0.1
"""About a heartbeat's interval: a leader is reported as fast as the nodes themselves learn of it."""
LEADER_S: Final = 30.0
"""After this time without a first leader the person is told where the logs are."""
STRAGGLER_S: Final = 5.0
"""How long the introduction of the nodes waits, once there is a leader, for a node that still starts."""
MARGIN_S: Final = 5.0
"""Time beyond a node's own stop deadline, without a sign of progress, before it is killed; what it
acknowledged is on disk."""
HURRY_S: Final = 5.0
"""Time that a node has to end after the second Ctrl-C, which asks it to end at once."""
LOG_LOOK_S: Final = 2.0
"""Time between two checks of the length of the nodes' logs: none grows much meanwhile."""
LOG_AGAIN_S: Final = 60.0
"""Time until the next check after a log could not be set aside."""


def run_cluster(
    *,
    port: str | None,
    max_volume: str | None,
    timeout: str | None,
    environment: Mapping[str, str],
    called_from: str = "",
) -> int:
    """Run three nodes until told to stop; the exit code. Raises ConfigError for arguments without sense.

    `called_from` is the person's directory, if it is not this process's.
    """
    plan = make_plan(
        port=port,
        max_volume=max_volume,
        timeout=timeout,
        environment=environment,
        called_from=Path(called_from),
    )
    if (holder := holder_of(plan.nodes)) is not None:
        where = Path(plan.data).resolve()
        return _fail(
            f"the data in {where} are in use by a running cluster ({holder}); "
            "stop it, or take another directory: TRIKV_DATA=DIR"
        )
    # All ports before the first node: a taken one is named, and nothing is left half started.
    if (taken := taken_port(plan.ports())) is not None:
        return _fail(taken)
    if plan.ignored:
        _say(f"ignored, for they are an orchestrator's and no settings: {', '.join(plan.ignored)}")
    file_limit.raise_file_limit()
    file_limit.check_file_limit(peers=len(plan.nodes) - 1, listeners=1)
    exit_code = 1
    try:
        if _make_secret(plan):
            _say(f"made {plan.shown(plan.secret_file)}: what the nodes trust each other by; keep it private")
        secret.read(plan.secret_file, node_id=1)
        exit_code = trio.run(Supervisor(plan).run)
    except* OSError as group:
        _fail(first_line(group))
    return exit_code


def _make_secret(plan: Plan) -> bool:
    """Make the secret and the directory that it is in; True if it was made. Raises ConfigError, OSError."""
    try:
        return secret.make(plan.secret_file)
    except OSError as error:
        if error.errno in NO_PLACE:  # below /proc, say: no permission told so before
            raise ConfigError(
                f"TRIKV_DATA: {shorten(plan.secret_file)}: cannot be made ({error.strerror}); give another "
                "directory"
            ) from error
        raise


def _say(line: str) -> None:
    """Print. It never waits for a reader (`trikv.streams.never_wait`): nodes must be stopped in any case."""
    print(line, flush=True)  # noqa: T201 - this is the command's output


def _fail(line: str) -> int:
    sys.stderr.write(f"trikv: {line}\n")
    return 1


class Supervisor:
    """Starts the nodes of a `Plan`, reports on them, and ends them."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._processes: list[NodeProcess] = []
        self._watch = Watch({}, started_s=0)
        self._stops = 0
        self._was_up = False
        """Whether a leader was seen. From then on dead nodes do not end the cluster: a person may help."""
        self._gave_up = False
        self._stop_scope = trio.CancelScope()
        """Cancelled by the first signal: watching ends, stopping begins."""
        self._departures: list[Departure] = []
        """How the nodes that were asked to stop get on."""
        loader = plan.nodes[0]
        self._load = LoadReport(loader.name, loader.log_file) if loader.config.load else None

    async def run(self) -> int:
        """Start the nodes, stay until a signal, stop them; the exit code."""
        self._watch = Watch(
            {node.name: node.restart for node in self._plan.nodes}, started_s=trio.current_time()
        )
        exit_codes: list[int] = []
        async with trio.open_nursery() as nursery:
            await nursery.start(watch_stop_signals, self._take_signal)
            try:
                with self._stop_scope:
                    await self._start_and_watch()
            finally:
                with trio.CancelScope(shield=True):
                    exit_codes = await self._stop_all()
            nursery.cancel_scope.cancel()
        return 1 if self._gave_up or any(exit_codes) else 0

    async def _take_signal(self, _: signal.Signals) -> None:
        """Count requests to stop; the second asks for haste."""
        self._stops += 1
        self._stop_scope.cancel()
        if self._stops == 2:
            _say("stopping at once")
            for departure in self._departures:
                departure.hurry(HURRY_S, trio.current_time())
            await self._insist()

    async def _insist(self) -> None:
        """Ask all nodes for haste, twice."""
        self._signal_all(signal.SIGTERM)
        # A node that was too busy to take the first request in time takes this one for its echo.
        await trio.sleep(ECHO_S)
        self._signal_all(signal.SIGTERM)

    def _signal_all(self, number: signal.Signals) -> None:
        for process in self._processes:
            process.signal(number)

    async def _start_and_watch(self) -> None:
        """Start every node, then report until cancelled, or until there can be no leader any more."""
        async with trio.open_nursery() as nursery:
            for node in self._plan.nodes:
                with trio.CancelScope(shield=True):  # a process that was started must get into the list
                    process = await NodeProcess.start(node, self._plan)
                    self._processes.append(process)
                nursery.start_soon(self._report_end, process)
            nursery.start_soon(self._report_leaders)
            nursery.start_soon(self._bound_logs)

    async def _report_end(self, process: NodeProcess) -> None:
        exit_code = await process.wait()
        now_s = trio.current_time()
        for line in self._watch.died(process.node.name, exit_code, now_s, process.last_words()):
            _say(line)
        alive = sum(process.running for process in self._processes)
        if not self._was_up and alive <= len(self._plan.nodes) // 2:
            _say("too few nodes came up for a leader; stopping")
            self._gave_up = True
            self._stop_scope.cancel()

    async def _bound_logs(self) -> None:
        """Set aside logs that have grown, again and again; only the first failure is told."""
        told = False
        while True:
            await trio.sleep(LOG_LOOK_S)
            for node in self._plan.nodes:
                try:
                    bound_log(node.log_file)
                except OSError as error:
                    if not told:
                        _say(f"{node.log_file} grows and cannot be set aside: {error.strerror or error}")
                    told = True
                    # Not at once: each try uses up the room that is left before it fails.
                    await trio.sleep(LOG_AGAIN_S)

    async def _report_leaders(self) -> None:
        """Ask every node, again and again, and print what has changed."""
        probes = {
            node.name: Probe(node.config.listen[0], node.config.port, node.config.requirepass)
            for node in self._plan.nodes
        }
        try:
            await self._poll(probes)
        finally:
            for probe in probes.values():
                await probe.aclose()

    async def _poll(self, probes: Mapping[str, Probe]) -> None:
        complain_s = trio.current_time() + LEADER_S
        introduce_s = math.inf
        introduced = False
        while True:
            statuses = await _ask_all(probes)
            now_s = trio.current_time()
            for line in self._watch.saw(statuses, now_s):
                _say(line)
            if self._watch.leader is not None and not self._was_up:
                self._was_up = True
                introduce_s = now_s + STRAGGLER_S
            if introduced:
                self._report_load()
            all_answer = len(statuses) == sum(process.running for process in self._processes)
            if self._was_up and not introduced and (all_answer or now_s > introduce_s):
                introduced = True
                for line in self._introduction(statuses):
                    _say(line)
            if not self._was_up and now_s > complain_s:
                complain_s = now_s + LEADER_S
                _say(f"no leader yet; the nodes' logs are {self._plan.shown(self._plan.data)}/node*/node.log")
            await trio.sleep(POLL_S)

    def _introduction(self, statuses: Mapping[str, Status]) -> list[str]:
        """One line a node, with address, role, pid and how to connect, and what a person should know."""
        trikv = self._plan.program()
        rows = []
        for process in self._processes:
            config = process.node.config
            status = statuses.get(process.node.name)
            rows.append(
                (
                    process.node.name,
                    config.address,
                    status.role if status is not None else "not answering",
                    f"pid {process.pid}",
                    f"telnet {config.listen[0]} {config.port}",
                    f"or: {trikv} cli {config.port}",
                )
            )
        lines = [*table(rows), f"data in {Path(self._plan.data).resolve()}; Ctrl-C stops all three"]
        loader = self._plan.nodes[0]
        if loader.config.load:
            lines.append(f"{loader.name} loads {loader.config.load}")
        return lines

    def _report_load(self) -> None:
        for line in self._load.news() if self._load is not None else ():
            _say(line)

    async def _stop_all(self) -> list[int]:
        """Pass on one SIGTERM and wait; kill a node without progress. The exit codes of those that ran."""
        running = [process for process in self._processes if process.running]
        if running:
            _say("stopping; Ctrl-C again stops at once")
        for name, pid in self._watch.by_hand.items():
            _say(f"{name}, pid {pid}, was started by hand: stop it there, or kill {pid}")
        self._signal_all(signal.SIGTERM)
        async with trio.open_nursery() as nursery:
            if self._stops >= 2:  # the second request came before there were departures to hurry
                nursery.start_soon(self._insist)
            for process in running:
                nursery.start_soon(self._see_off, process)
        # A node that SIGTERM itself ended had no handler for it yet: Python was still starting.
        ends = [await process.wait() for process in running]
        codes = [0 if end == -signal.SIGTERM else end for end in ends]
        self._report_load()  # a stop may have cut it short
        for process, code in zip(running, codes, strict=True):
            said = f": {process.last_words()}" if code > 0 else ""
            _say(f"{process.node.name} ended, exit code {code}{said}")
        return codes

    async def _see_off(self, process: NodeProcess) -> None:
        """Wait for a node's end while its log tells of progress; then kill it."""
        name, now_s = process.node.name, trio.current_time()
        patience_s = process.node.config.stop_deadline_ms / 1000 + MARGIN_S
        departure = Departure(name, process.end_of_log(), patience_s, now_s)
        self._departures.append(departure)
        if self._stops >= 2:
            departure.hurry(HURRY_S, now_s)
        while process.running and not departure.is_overdue(trio.current_time()):
            with trio.move_on_after(POLL_S):
                await process.wait()
            for line in departure.saw(process.end_of_log(), trio.current_time()):
                _say(line)
        if process.running:
            _say(f"{name} does not end; killing it (what it acknowledged is on disk)")
            process.signal(signal.SIGKILL)


async def _ask_all(probes: Mapping[str, Probe]) -> dict[str, Status]:
    """Ask all nodes at the same time. A silent one costs `probe.PATIENCE_S` and is left out."""
    statuses: dict[str, Status] = {}

    async def ask(name: str, probe: Probe) -> None:
        if (status := await probe.status()) is not None:
            statuses[name] = status

    async with trio.open_nursery() as nursery:
        for name, probe in probes.items():
            nursery.start_soon(partial(ask, name, probe))
    return statuses
