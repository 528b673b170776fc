"""What tools that know only Redis make of a real node's INFO."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.clients import Resp
from tests.e2e.cluster import START_S, STOP_S, eventually
from tests.ports import PortBlock
from tests.tools import require_tool
from trikv.client.info import parse_info

KEYS = 300


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The client port of a node that is a cluster of its own and holds `KEYS` keys."""
    directory: Path = tmp_path_factory.mktemp("node")
    block = PortBlock(1)
    words = [sys.executable, "-m", "trikv", "serve", "--port", str(block.first)]
    environment = {name: text for name, text in os.environ.items() if not name.startswith("TRIKV_")}
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [*words, "--data-directory", str(directory / "data")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
        )
    try:
        eventually(lambda: fill(block.first), within_s=START_S, what="a node that takes writes")
        yield block.first
    finally:
        process.terminate()
        process.wait(STOP_S)
        block.release()


def fill(port: int) -> bool:
    """Write the keys; False where the node is not there yet."""
    try:
        with Resp(port) as connection:
            if connection.call("SET", "large", "x" * 5000) != b"OK":
                return False
            return all(connection.call("SET", f"k{n}", "v", "EX", 1000) == b"OK" for n in range(KEYS - 1))
    except OSError:
        return False


def test_redis_cli_stat_shows_what_there_is(port: int) -> None:
    """Keys, memory, clients, requests and connections: numbers, and none that stands for an absent field."""
    command = [require_tool("redis-cli"), "-p", str(port), "--stat", "-i", "0.05"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(8)]
        process.terminate()
    rows = [line for line in lines if re.match(r"\d", line)]
    assert len(rows) >= 5, lines
    assert "-922337203685477580" not in "".join(lines)
    requests = []
    for row in rows:
        keys, memory, clients, blocked, count, _growth, connections = row.split()[:7]
        assert (keys, clients, blocked) == (str(KEYS), "1", "0"), row
        assert re.fullmatch(r"[\d.]+[BKMG]", memory)
        assert int(connections) >= 2
        requests.append(int(count))
    assert KEYS <= requests[0] < requests[-1]


def test_redis_cli_looks_for_big_keys(port: int) -> None:
    """--bigkeys and --memkeys walk all keys and find the large one."""
    for option, found in (("--bigkeys", "5000 bytes"), ("--memkeys", "5205 bytes")):
        run = subprocess.run(
            [require_tool("redis-cli"), "-p", str(port), option],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert f"Sampled {KEYS} keys in the keyspace!" in run.stdout
        assert re.search(rf'"large".* {found}', run.stdout), run.stdout


def test_figures_of_a_real_process(port: int) -> None:
    """Processor time, memory, bytes and time of commands are those of this process."""
    with Resp(port) as connection:
        for _ in range(50):
            connection.call("GET", "large")
        text = connection.call("INFO", "everything")
        info = parse_info(text)
        assert {"# CPU", "# Commandstats", "# Errorstats", "# Keyspace"} <= set(text.decode().split("\r\n"))
        assert float(info["used_cpu_user"]) > 0.05
        assert float(info["used_cpu_user_main_thread"]) > 0
        assert int(info["used_memory_rss_peak"]) >= int(info["used_memory_rss"]) * 0.95 > 20_000_000
        assert int(info["used_memory_peak"]) >= int(info["used_memory"]) > 0
        assert int(info["total_system_memory"]) > int(info["used_memory_rss_peak"])
        assert info["os"].startswith(os.uname().sysname)
        assert int(info["total_net_output_bytes"]) > 50 * 5000
        assert int(info["total_net_input_bytes"]) > KEYS * 30
        assert int(info["keyspace_hits"]) >= 50
        get = dict(part.split("=") for part in info["cmdstat_get"].split(","))
        assert int(get["calls"]) == 50
        assert 0 < float(get["usec_per_call"]) < 10_000
        set_ = dict(part.split("=") for part in info["cmdstat_set"].split(","))
        assert int(set_["calls"]) == KEYS
        assert 0 < float(set_["usec_per_call"]) < 10_000
        keys = dict(part.split("=") for part in info["db0"].split(","))
        assert (int(keys["keys"]), int(keys["expires"])) == (KEYS, KEYS - 1)
        assert 800_000 < int(keys["avg_ttl"]) <= 1_000_000
        assert connection.call("CONFIG", "RESETSTAT") == b"OK"
        after = parse_info(connection.call("INFO", "all"))
        assert (after["keyspace_hits"], after["total_commands_processed"]) == ("0", "1")
        assert int(after["used_memory_peak"]) == int(info["used_memory_peak"])
