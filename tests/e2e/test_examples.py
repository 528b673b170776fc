"""What examples/ shows must work as shown."""

import subprocess
import sys
from pathlib import Path

from tests.e2e.cluster import NODE_IDS, Cluster

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_hello_writes_and_reads_through_any_node(cluster: Cluster) -> None:
    """examples/hello.py prints what it wrote; the visits count on from node to node."""
    for visits, node in enumerate(NODE_IDS, start=1):
        done = subprocess.run(
            [sys.executable, EXAMPLES / "hello.py", str(cluster.ports[node])],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        assert done.stdout.splitlines() == [
            "SET greeting: OK",
            f"INCR visits:  {visits}",
            "GET greeting: hello, world",
        ]
    assert len((EXAMPLES / "hello.py").read_text().splitlines()) < 40
