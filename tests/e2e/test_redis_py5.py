"""redis-py 5, of the years before RESP3 was its default, in an environment of its own."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.e2e.cluster import NODE_IDS, Cluster
from tests.tools import skip_unless_strict

VERSION = "5.2.1"

SCRIPT = textwrap.dedent(
    """
    import sys
    import redis

    assert redis.__version__ == sys.argv[2]
    client = redis.Redis(port=int(sys.argv[1]), decode_responses=True)
    assert client.ping()
    assert client.set("five", "x", ex=60) and client.get("five") == "x" and client.ttl("five") > 50
    client.delete("n")
    with client.pipeline() as pipe:
        assert pipe.incr("n").incr("n").execute() == [1, 2]
    assert client.info("raft")["raft_node_id"] in (1, 2, 3)
    assert redis.Redis(port=int(sys.argv[1]), protocol=3).mget(["n", "nothing"]) == [b"2", None]
    print("works")
    """
)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter that has redis-py 5."""
    home = tmp_path_factory.mktemp("redis5")
    subprocess.run([sys.executable, "-m", "venv", home], check=True, cwd=home)
    made = home / "bin" / "python"
    done = subprocess.run(
        [made, "-m", "pip", "install", "--quiet", "--no-deps", f"redis=={VERSION}"],
        capture_output=True,
        text=True,
        cwd=home,
        check=False,
    )
    if done.returncode != 0:
        skip_unless_strict(f"redis-py {VERSION} cannot be installed here: {done.stderr.strip()[-200:]}")
    return made


def test_redis_py_5_works_unmodified(cluster: Cluster, python: Path) -> None:
    """Its defaults and its RESP3 read, write, pipeline and ask, on leader and followers."""
    for node in NODE_IDS:
        done = subprocess.run(
            [python, "-c", SCRIPT, str(cluster.ports[node]), VERSION],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=python.parent,
        )
        assert (done.stdout, done.returncode) == ("works\n", 0), done.stderr
