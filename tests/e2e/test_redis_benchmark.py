"""`redis-benchmark` with all its default tests, unmodified."""

import subprocess

from tests.e2e.cluster import NODE_IDS, Cluster
from tests.tools import require_tool

TESTS = 20
"""What it runs without ``-t``: two PINGs, sixteen commands, LRANGE's filling, and MSET."""


def test_its_default_tests_run_clean(cluster: Cluster) -> None:
    """Every one finishes on every node, without an error."""
    program = require_tool("redis-benchmark")
    for node in NODE_IDS:
        done = subprocess.run(
            [program, "-p", str(cluster.ports[node]), "-q", "-n", "5000", "-c", "50"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        assert "rror" not in said, said
        assert done.stdout.count("requests per second") == TESTS, said
