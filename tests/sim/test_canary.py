"""The canary: a whole cluster of real nodes, one seed, one trace, in any process and under any hash seed.

When it fails after Trio, Python or a dependency changed, seeds no longer replay: see
`trikv.sim.determinism`, the only module that touches Trio's private parts.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

SCRIPT = """
import logging, sys
import structlog, trio
from tests.node.simcluster import run_cluster

structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))

async def scenario(cluster):
    cluster.start()
    await cluster.leader()
    clients = [await cluster.connect(number) for number in (1, 2, 3)]
    for number, client in enumerate(clients):
        await client.call("MSET", "a", number, "b", number)
        await client.call("SADD", "set", *range(20))
        await client.call("SPOP", "set", 2)
    victim = await cluster.leader()
    machine = cluster.world.machine(f"node{victim % 3 + 1}")
    machine.pause()
    cluster.lose_power(victim)
    await trio.sleep(0.5)
    machine.resume()
    cluster.start(victim)
    await trio.sleep(0.5)
    await cluster.leader()
    client = await cluster.connect(victim)
    await client.call("INCR", "n")
    print(cluster.world.events, cluster.world.trace_hash(), await cluster.converged())

run_cluster(scenario, seed=int(sys.argv[1]))
"""


def trace(seed: int, hash_seed: int) -> str:
    """Events, trace hash and state digest of the run in a new process."""
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, str(seed)], check=True, capture_output=True, text=True, env=environment
    ).stdout.strip()


def test_a_cluster_repeats_itself() -> None:
    """Two processes with two hash seeds agree on every send, disk operation and crash; seeds differ."""
    with ThreadPoolExecutor(2) as pool:
        first, second, other = pool.map(trace, (7, 7, 8), (1, 2, 1))
    assert first == second != other
    assert int(first.split()[0]) > 500
