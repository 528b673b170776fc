"""The simulated cables: which machine reaches which, how well, and the connections that run over them.

No task moves packets: each piece of data knows the virtual time at which it arrives (`trikv.sim.pipe`). A
link can be changed at any time, by its attributes and by the methods of `Fabric`. A fault schedule does so,
and `Fabric.restore` undoes all of it.
"""

import random
from collections.abc import Callable, Iterator
from typing import Protocol

import attrs

from trikv.sim.life import Record

NEVER = float("inf")
RETRANSMIT_S_MIN = 0.2
"""After this time TCP sends again what was not acknowledged, then after twice as long, and so on (Linux)."""
RETRANSMISSIONS_MAX = 8
"""After this many losses a piece arrives, half a minute late. A less patient end has given up by then."""


@attrs.define
class Link:
    """How bytes travel from one machine to another. A change holds for bytes that are sent after it."""

    latency_ms_min: float = 0.1
    latency_ms_max: float = 0.5
    chunk_bytes_max: int = 0
    """Reads return at most a random part of this; 0: all that has arrived."""
    bytes_per_s: float = 0.0
    """All connections of this link share it; 0: unlimited."""
    loss: float = 0.0
    """Probability that a piece is lost, each time it is sent: TCP sends it again, later and later."""
    break_chance: float = 0.0
    """Probability, at each send, that the connection breaks after a random byte of it."""
    is_cut: bool = False
    """Nothing arrives. Only `Fabric.cut` and `Fabric.heal` may change it."""
    busy_until_s: float = 0.0
    """The virtual time at which all that was sent so far has left."""

    def latency_s(self, source: random.Random) -> float:
        """The time of one trip, in seconds, drawn from the link's range."""
        return source.uniform(self.latency_ms_min, self.latency_ms_max) / 1000

    def queue_s(self, now: float, size: int) -> float:
        """How long `size` bytes that are sent now take to leave, behind those sent before."""
        if not self.bytes_per_s:
            return 0.0
        self.busy_until_s = max(now, self.busy_until_s) + size / self.bytes_per_s
        return self.busy_until_s - now

    def loses(self, trouble: random.Random) -> bool:
        """Whether this piece is lost. A link without loss makes no draw."""
        return self.loss > 0 and trouble.random() < self.loss

    def retransmission_s(self, trouble: random.Random) -> float:
        """How much later a piece arrives because it was lost on the way, perhaps more than once."""
        delay_s, wait_s = 0.0, RETRANSMIT_S_MIN
        for _ in range(RETRANSMISSIONS_MAX):
            if not self.loses(trouble):
                break
            delay_s += wait_s
            wait_s *= 2
        return delay_s


class Laid(Protocol):
    """A connection, as the fabric sees it."""

    def links_changed(self) -> None:
        """A link was cut or healed."""

    def strand(self) -> None:
        """A middlebox has forgotten the connection: it becomes half-open."""

    def break_soon(self, sender: str) -> None:
        """Break it in the middle of what `sender` sends next."""

    def break_now(self) -> None:
        """Reset it at both ends."""


class Fabric:
    """All links between machines, by name."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.defaults = Link()
        """The state of a link when it is first used, and after `restore`."""
        self._links: dict[tuple[str, str], Link] = {}
        self._laid: dict[tuple[str, str], dict[Laid, None]] = {}

    def link(self, sender: str, receiver: str) -> Link:
        """The link from `sender` to `receiver`, made when first asked for."""
        key = (sender, receiver)
        if key not in self._links:
            self._links[key] = attrs.evolve(self.defaults)
        return self._links[key]

    def lay(self, one: str, other: str, connection: Laid) -> None:
        """`connection` runs between these machines from now on."""
        for key in dict.fromkeys(_ways(one, other, both_ways=True)):
            self._laid.setdefault(key, {})[connection] = None

    def pull(self, one: str, other: str, connection: Laid) -> None:
        """`connection` is no longer used."""
        for key in dict.fromkeys(_ways(one, other, both_ways=True)):
            self._laid.get(key, {}).pop(connection, None)

    def connections(self) -> int:
        """How many connections there are, each counted in both directions."""
        return sum(map(len, self._laid.values()))

    def cut(self, one: str, other: str, *, both_ways: bool = True) -> None:
        """Let nothing get from `one` to `other` (nor back) until `heal`.

        Connections stay, silent, until one of their ends has no patience left.
        """
        self._switch(one, other, is_cut=True, both_ways=both_ways)

    def heal(self, one: str, other: str, *, both_ways: bool = True) -> None:
        """Undo `cut`; bytes that were sent meanwhile arrive after the usual latency."""
        self._switch(one, other, is_cut=False, both_ways=both_ways)

    def heal_all(self) -> None:
        """Undo every `cut`, and nothing else."""
        for (sender, receiver), link in list(self._links.items()):
            if link.is_cut:
                self.heal(sender, receiver, both_ways=False)

    def restore(self) -> None:
        """Undo every cut and every change: each link is again what `defaults` says."""
        self.heal_all()
        for link in self._links.values():
            for field in attrs.fields(Link):
                setattr(link, field.name, getattr(self.defaults, field.name))

    def partition(self, *groups: tuple[str, ...]) -> None:
        """Cut machines of different groups from each other. A machine in no group still reaches all.

        With one machine left out this is a bridge: two halves that only it connects.
        """
        for number, group in enumerate(groups):
            for other_group in groups[number + 1 :]:
                for one in group:
                    for other in other_group:
                        self.cut(one, other)

    def strand(self, one: str, other: str) -> None:
        """Make their connections half-open: nothing arrives any more, and no end is told; new ones work.

        This happens when a firewall between them restarts. The ends give up when their patience is over.
        """
        self._each(one, other, lambda connection: connection.strand())

    def break_all(self, one: str, other: str) -> None:
        """Reset all their connections, at both ends."""
        self._each(one, other, lambda connection: connection.break_now())

    def break_mid_frame(self, sender: str, receiver: str) -> None:
        """Break each of their connections after a random byte of what `sender` sends next on it."""
        self._each(sender, receiver, lambda connection: connection.break_soon(sender))

    def _switch(self, one: str, other: str, *, is_cut: bool, both_ways: bool) -> None:
        for sender, receiver in _ways(one, other, both_ways=both_ways):
            self.link(sender, receiver).is_cut = is_cut
            self._each(sender, receiver, lambda connection: connection.links_changed())

    def _each(self, one: str, other: str, act: Callable[[Laid], None]) -> None:
        for connection in list(self._laid.get((one, other), {})):
            act(connection)


def _ways(one: str, other: str, *, both_ways: bool) -> Iterator[tuple[str, str]]:
    yield one, other
    if both_ways:
        yield other, one
