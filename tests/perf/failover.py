"""How long nobody can write after the leader is killed: kill -9, ask a survivor, start it again; repeat."""

import time
from collections.abc import Callable

from tests.perf.servers import Trikv
from trikv.client.blocking import BlockingClient
from trikv.client.endpoint import Address

_LIMIT_S = 30.0


def resume_s(cluster: Trikv) -> float:
    """Kill the leader; seconds from the signal to the first acknowledged write sent after it.

    The write goes to a survivor, which holds it back until there is a leader. An error is answered by asking
    again at once. Afterwards the cluster is whole again: one kill finds it as the one before.
    """
    leader = cluster.leader()
    survivor = next(port for port in cluster.ports if port != leader)
    with BlockingClient(Address("127.0.0.1", survivor), timeout_s=_LIMIT_S) as client:
        assert client.call("SET", "before", "kill") == b"OK"
        killed = cluster.kill(leader)
        while client.call("SET", "after", "kill") != b"OK":
            if time.perf_counter() - killed > _LIMIT_S:
                raise TimeoutError(f"no write within {_LIMIT_S:g} s of the leader's death")
        resumed = time.perf_counter() - killed
    cluster.start(leader)
    cluster.settle()
    return resumed


def measure(cluster: Trikv, kills: int, progress: Callable[[str], None]) -> list[float]:
    """`resume_s` of so many kills."""
    found = []
    for number in range(kills):
        found.append(resume_s(cluster))
        progress(f"kill {number + 1} of {kills}: {found[-1]:.3f} s")
    return found
