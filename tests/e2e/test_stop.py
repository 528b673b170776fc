"""A stop on purpose: clients are told, the dump is written, every process ends with exit code 0 in time."""

import base64
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clients import Resp
from tests.e2e.cluster import NODE_IDS, STOP_S, Cluster, eventually, now_s, pause
from tests.e2e.load import Writing
from tests.e2e.single import Single
from trikv.client.errors import ClosedError
from trikv.host.signals import ECHO_S


def contents(dump: Any) -> dict[bytes, bytes]:
    """Keys and values of database 0 in a dump."""

    def read(text: Any) -> bytes:
        return base64.b64decode(text["b64"]) if isinstance(text, dict) else str(text).encode()

    return {read(line["k"]): read(line["v"]) for line in dump["keys"] if line.get("db", 0) == 0}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_every_client_is_told_and_every_node_ends(cluster: Cluster, number: signal.Signals) -> None:
    """A typed connection gets a # line, a RESP3 one a push; the connections end, the exit codes are 0.

    RESP2 has no word for it, and who has said nothing may be a program too: those are just closed.
    """
    typists = [cluster.typist(node) for node in NODE_IDS]
    pushed = [cluster.resp(node) for node in NODE_IDS]
    untold = [cluster.typist(node) for node in NODE_IDS for _ in range(2)]
    for program in untold[::2]:
        program.socket.sendall(b"*1\r\n$4\r\nPING\r\n\r\nPING\r\n")
        assert [program.line(), program.line()] == ["+PONG", "+PONG"]
    for typist in typists:
        assert typist.ask("ping") == "+PONG"
    for connection in pushed:
        connection.call("HELLO", 3)
    started_s = now_s()
    for process in cluster.processes.values():
        process.send_signal(number)
    for typist in typists:
        assert typist.line().startswith("#")
    for connection in pushed:
        with pytest.raises(ClosedError):
            connection.receive()
        warnings = connection.take_pushes()  # once now, and once before the connection ends
        assert [kind for kind, *_ in warnings] == [b"trikv.shutdown"] * 2, warnings
    assert [client.rest() for client in untold] == [""] * len(untold)
    codes = {node: process.wait(STOP_S) for node, process in cluster.processes.items()}
    assert codes == dict.fromkeys(NODE_IDS, 0)
    assert now_s() - started_s < STOP_S
    for typist in (*typists, *untold):
        typist.close()
    for connection in pushed:
        connection.close()


def test_the_dump_holds_every_acknowledged_write(cluster: Cluster) -> None:
    """Stopped under load, each node leaves valid JSON at or past every write that any node acknowledged."""
    with Writing(cluster, 12) as load:
        eventually(lambda: sum(load.acked.values()) > 500, within_s=30, what="500 writes")
        load.victims.update(NODE_IDS)
        codes = cluster.terminate_all()
        load.stop()
    assert codes == dict.fromkeys(NODE_IDS, 0)
    acked = {key.encode() for key in load.acked_keys()}
    for node in NODE_IDS:
        dump = cluster.dump(node)
        assert dump["node"]["complete"] is True
        found = contents(dump)
        missing = acked - set(found)
        assert not missing, (
            f"the dump of node{node} lacks {len(missing)} of {len(acked)}: {sorted(missing)[:5]}"
        )
        assert all(key.partition(b":")[2] == value for key, value in found.items())


def test_dumps_at_one_index_are_equal_and_a_restart_restores_all(cluster: Cluster) -> None:
    """At rest all nodes dump the same state; started again they hold it, types and TTL included."""
    with cluster.resp(2) as connection:
        connection.call("SET", "text", "привет")
        connection.call("SET", b"\x00\xff", b"\x80raw")
        connection.call("SET", "fleeting", "x", "EX", 3600)
    cluster.wait_until_caught_up()
    assert cluster.terminate_all() == dict.fromkeys(NODE_IDS, 0)
    dumps = [contents(cluster.dump(node)) for node in NODE_IDS]
    assert dumps == [{b"text": "привет".encode(), b"\x00\xff": b"\x80raw", b"fleeting": b"x"}] * 3
    cluster.start_all()
    cluster.wait_for_leader()
    with cluster.resp(3) as connection:
        assert connection.call("GET", b"\x00\xff") == b"\x80raw"
        assert 3500 < connection.call("TTL", "fleeting") <= 3600
        assert connection.call("DBSIZE") == 3


def test_one_node_leaves_and_the_others_go_on(cluster: Cluster) -> None:
    """SIGTERM to the leader hands leadership over: no client of another node sees an error."""
    leader = cluster.wait_for_leader()
    with Writing(cluster, 9) as load:
        eventually(lambda: sum(load.acked.values()) > 200, within_s=30, what="200 writes")
        load.victims.add(leader)
        process = cluster.processes.pop(leader)
        process.terminate()
        assert process.wait(STOP_S) == 0
        before = sum(load.acked.values())
        eventually(lambda: sum(load.acked.values()) > before + 200, within_s=30, what="200 more writes")
        load.stop()
    assert load.errors == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_comes_twice_at_once_is_one_request(tmp_path: Path, number: signal.Signals) -> None:
    """As from `timeout`, which signals its child and then the group: the dump is written, exit code 0."""
    with Single(tmp_path) as node:
        node.wait_until_it_leads()
        with Resp(node.port) as connection:
            assert connection.call("SET", "k", "v") == b"OK"
        node.send(number)
        pause(0.01)
        assert node.end(number) == 0
    assert contents(json.loads((node.data / "dump.json").read_bytes())) == {b"k": b"v"}


def test_a_second_signal_stops_at_once_and_loses_nothing(cluster: Cluster) -> None:
    """A SIGTERM a while after the first ends a node without its phases, and exit code 1 says: no dump.

    What it acknowledged is there after a restart.
    """
    with cluster.resp(1) as connection:
        assert connection.call("SET", "k", "v") == b"OK"
    cluster.kill(2)
    cluster.kill(3)  # a stop without a majority takes a while
    process = cluster.processes.pop(1)
    process.terminate()
    eventually(lambda: "stopping: clients are warned" in cluster.log(1), within_s=STOP_S, what="a stop")
    pause(ECHO_S)
    process.terminate()
    assert process.wait(STOP_S) == 1
    assert cluster.log(1).splitlines()[-1].startswith("trikv: node1: stopped without a dump")
    assert not list(cluster.data(1).glob("dump*"))
    cluster.start_all()
    cluster.wait_for_leader()
    with cluster.resp(2) as connection:
        assert connection.call("GET", "k") == b"v"


def test_shutdown_stops_the_node_that_is_asked(cluster: Cluster) -> None:
    """SHUTDOWN over RESP is this node's phased stop; the other two stay."""
    with cluster.resp(3) as connection:
        connection.send("SHUTDOWN")
        assert cluster.processes.pop(3).wait(STOP_S) == 0
    assert cluster.dump(3)["format"] == "trikv-snapshot"
    cluster.wait_for_leader()


READS = {
    "string": "GET",
    "hash": "HGETALL",
    "list": "LRANGE {} 0 -1",
    "set": "SMEMBERS",
    "zset": "ZRANGE {} 0 -1 WITHSCORES",
}


def everything(connection: Resp) -> dict[str, Any]:
    """By key, all that is in it, and its deadline; the order of a list is kept, the others are sorted."""
    found = {}
    for key in sorted(connection.call("KEYS", "*")):
        kind = str(connection.call("TYPE", key), "ascii")
        command, *more = READS[kind].split()
        value = connection.call(command, key, *more[1:])
        if kind in ("hash", "zset"):
            value = sorted(zip(value[::2], value[1::2], strict=True))
        elif kind == "set":
            value = sorted(value)
        found[str(key, "ascii")] = kind, value, connection.call("PEXPIRETIME", key)
    return found


def test_a_backup_fills_a_new_cluster(cluster: Cluster, tmp_path: Path) -> None:
    """BACKUP here, --load there: the same keys, of all types, small ones and such of 100,000 elements."""
    with cluster.resp(1) as connection:
        for number in range(300):
            connection.call("SET", f"k{number}", number)
        for start in range(0, 100_000, 2000):
            names = [b"%d\xff" % number for number in range(start, start + 2000)]
            connection.call("HSET", "hash", *(each for name in names for each in (name, name[::-1])))
            connection.call("RPUSH", "list", *names)
            connection.call("SADD", "set", *names)
            connection.call(
                "ZADD", "zset", *(each for at, name in enumerate(names) for each in (str(at / 7), name))
            )
        connection.call("HSET", "small hash", "f", "v")
        connection.call("RPUSH", "small list", "b", "a", "b")
        connection.call("SADD", "small set", "1", "2")
        connection.call("ZADD", "small zset", "-inf", "a", "inf", "b", "0.1", "c")
        for key in ("k7", "hash", "zset", "small set"):
            connection.call("PEXPIRE", key, 10_000_000)
        answer = connection.call("BACKUP")
        assert not isinstance(answer, Exception), answer
        expected = everything(connection)
    assert len(expected) == 308
    [backup] = (cluster.data(1) / "backups").glob("*.json")
    (tmp_path / "other").mkdir()
    with Cluster(tmp_path / "other") as other:
        other.start(1, "--load", str(backup))
        other.start(2)
        other.start(3)
        other.wait_for_leader()
        eventually(lambda: "loaded keys=308" in other.log(1).replace("  ", ""), within_s=60, what="all keys")
        other.wait_until_caught_up()
        with other.resp(2) as connection:
            assert everything(connection) == expected
