"""What examples/ shows must work as shown."""

import subprocess
import sys
from pathlib import Path

from tests.e2e.cluster import NODE_IDS, Cluster
from tests.e2e.single import bare_environment
from tests.ports import PortBlock

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
    assert len((EXAMPLES / "hello.py").read_text().splitlines()) < 50


def run_hello(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run it."""
    return subprocess.run(
        [sys.executable, EXAMPLES / "hello.py", *arguments],
        env={**bare_environment(), **variables},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_hello_explains_itself() -> None:
    """--help says how it is used, and is no error."""
    for flag in ("--help", "-h"):
        done = run_hello(flag)
        assert (done.returncode, done.stderr) == (0, "")
        assert "usage: python examples/hello.py [PORT]" in done.stdout
        assert "TRIKV_REQUIREPASS_FILE" in done.stdout


def test_hello_refuses_in_one_line() -> None:
    """Nonsense, one argument too many, no node: what is wrong, and no traceback."""
    block = PortBlock(1)
    nobody = str(block.first)
    for arguments, code, expected in (
        (["x"], 2, "'x' is no port; see --help"),
        (["0"], 2, "'0' is no port"),
        (["99999"], 2, "'99999' is no port"),
        (["8080", "8081"], 2, "'8080 8081' is no port"),
        ([nobody], 1, f"127.0.0.1:{nobody}: Connection refused; is a node running there?"),
    ):
        done = run_hello(*arguments)
        assert (done.returncode, done.stdout) == (code, "")
        assert done.stderr.startswith("hello.py: ")
        assert expected in done.stderr
        assert done.stderr.count("\n") == 1
    block.release()
    done = run_hello("8080", TRIKV_REQUIREPASS_FILE="/nowhere")
    expected = "hello.py: [Errno 2] No such file or directory: '/nowhere'\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)
