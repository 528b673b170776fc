"""Replicas at one index hold one state, have the right account, and let no queue grow without bound."""

from collections.abc import Callable

import trio

from trikv.machine.machine import Machine
from trikv.node.consensus.parts import Parts
from trikv.node.state.applier import Applier
from trikv.notation import counted
from trikv.sim.checkers.inside import contents_of, problems_of
from trikv.sim.checkers.state import Sighting

EVERY = 16
"""A digest is taken at each multiple of this index: so all nodes compare at the same ones after any start."""
RECOUNT_EVERY = 64
"""Every key is checked at each multiple of this: it costs more than a digest, and an error there stays."""
QUEUE_MAX = 20_000
"""Most items in a mailbox: far more than the clients of a run can have in flight, far fewer than a leak."""
TURNS_ON_THE_SPOT_MAX = 2_000
"""Most turns of one driver at one instant of virtual time. A busy one takes a few dozen. A driver that always
asks for its next turn at once takes them for ever: the node works and gets nowhere."""


class Replicas:
    """Compares state digests at equal index, and what all sixteen databases hold."""

    def __init__(self, fail: Callable[[str, str], None]) -> None:
        self._fail = fail
        self._digests: dict[int, tuple[int, str]] = {}
        self.compared = 0
        self.sightings: dict[int, Sighting] = {}
        """The contents of the first node that was checked, by index: for the witness."""

    def check(self, number: int, applier: Applier, *, always: bool = False) -> None:
        """Check node `number` at the index of `applier`, if that is a multiple of `EVERY`, or `always`."""
        index = applier.position.index
        if index == 0 or not (always or index % EVERY == 0):
            return
        machine = applier.machine
        if machine.index != index:
            self._fail("divergence", f"node {number} says {index}, its machine {machine.index}")
        self.told(number, index, machine.digest())
        if always or index % RECOUNT_EVERY == 0:
            self._look_inside(number, machine)

    def told(self, number: int, index: int, digest: str) -> None:
        """Node `number` has this digest at `index`: all others there must have the same."""
        first, known = self._digests.setdefault(index, (number, digest))
        self.compared += first != number
        if known != digest:
            self._fail("divergence", f"nodes {first} and {number} differ in their state at {index}")

    def _look_inside(self, number: int, machine: Machine) -> None:
        """Check every key of every database, because equal digests may be equally wrong."""
        contents = contents_of(machine)
        seen = self.sightings.setdefault(machine.index, Sighting(f"node {number}", machine.index, contents))
        if seen.contents != contents:
            self._fail("divergence", f"{seen.whose} and node {number} hold different keys at {machine.index}")
        for kind, problem in problems_of(machine, contents):
            self._fail(kind, f"node {number} at {machine.index}: {problem}")


class Bounds:
    """Checks after a node's turns that what it holds is bounded."""

    def __init__(self, fail: Callable[[str, str], None]) -> None:
        self._fail = fail
        self._turns: dict[int, tuple[float, int]] = {}
        """For each node the instant of its latest turn, and how many turns there were at that instant."""

    def check(self, number: int, parts: Parts) -> None:
        """Check the bounds of node `number`, whose driver has ended a turn."""
        now = trio.current_time()
        instant, turns = self._turns.get(number, (now, 0))
        self._turns[number] = (now, turns + 1 if instant == now else 1)
        if turns > TURNS_ON_THE_SPOT_MAX:
            problem = f"node {number} takes one turn after another, and no time passes"
            self._fail("spin", problem)
            raise AssertionError(problem)  # otherwise this would never end: even a stop needs time to pass
        limits = parts.proposals._limits  # noqa: SLF001 - the limit that is checked
        if parts.proposals.window_bytes > limits.window_bytes_max + limits.entry_bytes_max:
            self._fail(
                "bounds",
                f"node {number} holds {counted(parts.proposals.window_bytes, 'byte')} for re-sending",
            )
        if len(parts.waiters) > limits.window_proposals_max:
            self._fail("bounds", f"{len(parts.waiters)} submissions wait on node {number}")
        if len(parts.inbox) > QUEUE_MAX:
            self._fail("bounds", f"{counted(len(parts.inbox), 'event')} left for the driver of node {number}")
