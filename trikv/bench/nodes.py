"""Which node a link goes to: the one with the fewest links among those that have not failed lately."""

from typing import Final

import attrs

from trikv.client.endpoint import Address, Endpoint

BACKOFF_NS_MIN: Final = 50_000_000
BACKOFF_NS_MAX: Final = 1_000_000_000


@attrs.define(eq=False)
class Node:
    """One node as the load sees it."""

    address: Address
    endpoints: tuple[Endpoint, ...]
    """The endpoints of the address; at least one."""
    links: int = 0
    backoff_ns: int = 0
    """The present pause after a failure; 0 if it served the last link that tried."""
    shunned_until_ns: int = 0
    failures: int = 0

    @property
    def endpoint(self) -> Endpoint:
        """Where to connect: after each failure the next one, because a node may listen on only one."""
        return self.endpoints[self.failures % len(self.endpoints)]

    def failed(self, now_ns: int) -> None:
        """Leave the node alone for a while, twice as long as the last time.

        Fifty links that lose a node together are one failure: further ones within the pause change nothing.
        """
        if now_ns >= self.shunned_until_ns:
            self.backoff_ns = min(max(2 * self.backoff_ns, BACKOFF_NS_MIN), BACKOFF_NS_MAX)
            self.shunned_until_ns = now_ns + self.backoff_ns
            self.failures += 1

    def served(self) -> None:
        """A reply came: forget earlier failures, so that the next pause is the shortest again."""
        self.backoff_ns = 0


def choose(nodes: list[Node], now_ns: int) -> Node | None:
    """Pick a node for a link that needs one; None while all are left alone."""
    usable = [node for node in nodes if node.shunned_until_ns <= now_ns]
    return min(usable, key=lambda node: node.links, default=None)
