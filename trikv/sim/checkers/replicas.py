"""Replicas at one index hold one state, count their memory rightly, and let no queue grow without bound."""

from collections.abc import Callable

import trio

from trikv.machine.machine import Machine
from trikv.node.assembly import Assembly
from trikv.node.state.applier import Applier
from trikv.notation import counted
from trikv.sim.checkers.inside import contents_of, problems_of
from trikv.sim.checkers.state import Sighting

EVERY = 16
"""A digest at every so many indexes: the nodes compare where they meet, whatever they had restarted from."""
RECOUNT_EVERY = 64
"""Looking at every key of every database costs more than a digest, and what is wrong there stays."""
QUEUE_MAX = 20_000
"""Items in a mailbox: far above what the clients of a run can have in flight, far below a leak."""
TURNS_ON_THE_SPOT_MAX = 2_000
"""Of one driver at one instant of virtual time. A busy one takes a few dozen; one that asks for its next turn
at once, whatever that brings, takes them for ever: a node that is at work and gets nowhere."""


class Replicas:
    """Compares state digests at equal index, and what all sixteen databases hold."""

    def __init__(self, fail: Callable[[str, str], None]) -> None:
        self._fail = fail
        self._digests: dict[int, tuple[int, str]] = {}
        self.compared = 0
        self.sightings: dict[int, Sighting] = {}
        """What the first node that was looked at held, by index: for the witness."""

    def check(self, number: int, applier: Applier, *, always: bool = False) -> None:
        """`number` stands at the index of `applier`; look if it is a round one, or `always`."""
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
        """`number` has that digest at `index`: whoever is there has the same."""
        first, known = self._digests.setdefault(index, (number, digest))
        self.compared += first != number
        if known != digest:
            self._fail("divergence", f"nodes {first} and {number} differ in their state at {index}")

    def _look_inside(self, number: int, machine: Machine) -> None:
        """Whatever the digest says: every key of every database."""
        contents = contents_of(machine)
        seen = self.sightings.setdefault(machine.index, Sighting(f"node {number}", machine.index, contents))
        if seen.contents != contents:
            self._fail("divergence", f"{seen.whose} and node {number} hold different keys at {machine.index}")
        for kind, problem in problems_of(machine, contents):
            self._fail(kind, f"node {number} at {machine.index}: {problem}")


class Bounds:
    """Nothing is unbounded: looks at what a node holds after its turns."""

    def __init__(self, fail: Callable[[str, str], None]) -> None:
        self._fail = fail
        self._turns: dict[int, tuple[float, int]] = {}
        """Of each node: the instant of its latest turn, and how many there were in it."""

    def check(self, number: int, parts: Assembly) -> None:
        """A driver's turn is over."""
        now = trio.current_time()
        instant, turns = self._turns.get(number, (now, 0))
        self._turns[number] = (now, turns + 1 if instant == now else 1)
        if turns > TURNS_ON_THE_SPOT_MAX:
            problem = f"node {number} takes one turn after another, and no time passes"
            self._fail("spin", problem)
            raise AssertionError(problem)  # or it would do so for ever: even a stop needs time to pass
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
