"""Whole nodes and what an operator or a transaction asks of them, across the cluster."""

import json
from typing import Any

import trio

from tests.node.asking import info_of, three_clients
from tests.node.counting import others, until
from tests.node.simcluster import SimCluster, run_cluster
from trikv.client.replies import ErrorReply

HOUR_MS = 3_600_000


async def stopped(cluster: SimCluster, number: int) -> None:
    """Wait until a node has left."""
    await until(lambda: number not in set(cluster.running()))


def test_backup_holds_what_was_acknowledged_on_any_node() -> None:
    """The path, the number of keys; valid JSON with every write acknowledged before; the newest are kept."""

    async def scenario(cluster: SimCluster) -> None:
        clients = await three_clients(cluster)
        for number in range(9):
            assert await clients[number % 3].call("SET", f"k{number}", number) == b"OK"
        told = (await clients[1].call("BACKUP")).decode()
        path, _, rest = told.partition(": ")
        assert path.startswith("data/node1/backups/")  # as configured; the tests leave the default
        assert rest.startswith("9 keys at index ")
        document = json.loads(cluster.file(2, path.removeprefix("data/node1/")))
        assert {row["k"]: row["v"] for row in document["keys"]} == {f"k{n}": str(n) for n in range(9)}
        assert document["node"]["complete"] is True
        for number in range(4):
            await clients[1].call("SET", "more", number)
            await clients[1].call("BACKUP")
            await trio.sleep(1.5)
        names = [name for name in cluster.world.machine("node2").volume.names if name.endswith(".json")]
        assert sum(name.startswith("backups/") for name in names) == 3

    run_cluster(scenario, backups_kept=3)


def test_backup_of_a_node_that_is_cut_off_waits_until_it_has_caught_up() -> None:
    """Or the file would lack what the others have acknowledged meanwhile."""

    async def scenario(cluster: SimCluster) -> None:
        clients = await three_clients(cluster)
        leader = await cluster.leader()
        follower = others(cluster, leader)[0]
        cluster.isolate(follower)
        assert await clients[leader - 1].call("SET", "late", "v") == b"OK"
        told: list[Any] = []

        async def ask() -> None:
            told.append(await clients[follower - 1].call("BACKUP"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await trio.sleep(1)
            assert told == []
            cluster.isolate(follower, cut=False)
        path = told[0].decode().partition(": ")[0].removeprefix("data/node1/")  # as configured
        assert [row["k"] for row in json.loads(cluster.file(follower, path))["keys"]] == ["late"]

    run_cluster(scenario)


def test_every_database_is_served_by_every_node() -> None:
    """What one node wrote under a SELECT another reads under the same; what is due goes in all of them."""

    async def scenario(cluster: SimCluster) -> None:
        clients = await three_clients(cluster)
        for database in (0, 9, 15):
            assert await clients[0].call("SELECT", database) == b"OK"
            assert await clients[0].call("SET", "k", f"of {database}") == b"OK"
            assert await clients[0].call("SET", "short", "v", "PX", 100) == b"OK"
        for client in clients:
            for database in (9, 15, 0, 4):
                await client.call("SELECT", database)
                expected = None if database == 4 else b"of %d" % database
                assert await client.call("GET", "k") == expected
                assert await client.call("EXISTS", "k", "k") == (0 if database == 4 else 2)
        await trio.sleep(0.5)
        for database in (0, 9, 15):
            await clients[1].call("SELECT", database)
            assert await clients[1].call("DBSIZE") == 1, "nobody reads the key: it is reaped all the same"

    run_cluster(scenario)


def test_wait_tells_on_how_many_disks_the_last_write_is() -> None:
    """From a leader or a follower; with one node down it answers what there is, at its timeout."""

    async def scenario(cluster: SimCluster) -> None:
        clients = await three_clients(cluster)
        leader = await cluster.leader()
        for client in clients:
            assert await client.call("SET", "k", "v") == b"OK"
            assert await client.call("WAIT", 2, 2000) == 2
        assert str(await clients[0].call("WAIT", 1, -1)) == "ERR timeout is negative"
        follower = others(cluster, leader)[0]
        cluster.kill(next(n for n in (1, 2, 3) if n not in {leader, follower}))
        client = clients[follower - 1]
        assert await client.call("SET", "k", "w") == b"OK"
        assert await client.call("WAIT", 1, 0) == 1
        begun = trio.current_time()
        assert await client.call("WAIT", 2, 300) == 1
        assert 0.29 < trio.current_time() - begun < 0.5
        assembly = cluster.nodes[follower]._assembly
        assert assembly is not None
        assert len(assembly.driver._calls) == 0, "what it asked the leader has ended with it"

    run_cluster(scenario)


def test_shutdown_command_stops_that_node_with_a_complete_dump() -> None:
    """SHUTDOWN acts on its own node; the others serve on; the next start has everything."""

    async def scenario(cluster: SimCluster) -> None:
        clients = await three_clients(cluster)
        assert await clients[0].call("SET", "k", "v") == b"OK"
        leader = await cluster.leader()
        begun = trio.current_time()
        await clients[leader - 1].stream.send_all(b"SHUTDOWN\r\n")
        await stopped(cluster, leader)
        assert trio.current_time() - begun < 5
        document = json.loads(cluster.file(leader, "dump.json"))
        assert document["node"]["complete"] is True
        assert [row["k"] for row in document["keys"]] == ["k"]
        assert await clients[leader % 3].call("INCR", "n") == 1
        cluster.start(leader)
        assert await (await cluster.connect(leader)).call("GET", "n") == b"1"
        await cluster.converged()

    run_cluster(scenario)


def test_stop_without_a_majority_keeps_its_time_and_says_that_the_dump_may_lack_something() -> None:
    """No barrier can be had: ``complete`` is false; who waits is told; the node is gone in its time."""

    async def scenario(cluster: SimCluster) -> None:
        clients = await three_clients(cluster)
        assert await clients[0].call("SET", "k", "v") == b"OK"
        cluster.kill(2, 3)
        replies: list[Any] = []

        async def write() -> None:
            replies.append(await clients[0].call("SET", "k", "w"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(write)
            await trio.sleep(0.1)
            begun = trio.current_time()
            cluster.nodes[1].stop()
            await stopped(cluster, 1)
            assert trio.current_time() - begun < 8
        assert str(replies[0]).startswith("INDETERMINATE"), "never a bare close: clients would send it again"
        assert json.loads(cluster.file(1, "dump.incomplete.json"))["node"]["complete"] is False

    run_cluster(scenario)


def test_cap_given_explicitly_changes_the_cluster_through_the_log() -> None:
    """One node restarted with the flag: afterwards the cap is the same everywhere, restarts included."""

    async def scenario(cluster: SimCluster) -> None:
        clients = await three_clients(cluster)
        leader = await cluster.leader()
        node = others(cluster, leader)[0]
        cluster.kill(node)
        cluster.start(node, maxmemory=5_000_000, maxmemory_explicit=True)
        await cluster.connect(node)
        await trio.sleep(2)
        assert [cluster.parts(n).applier.machine.maxmemory for n in (1, 2, 3)] == [5_000_000] * 3
        assert await clients[leader - 1].call("CONFIG", "GET", "maxmemory") == [b"maxmemory", b"5000000"]
        cluster.kill(node)
        cluster.start(node, maxmemory=7_000_000)
        await cluster.connect(node)
        await trio.sleep(2)
        assert cluster.parts(node).applier.machine.maxmemory == 5_000_000
        await cluster.converged()

    run_cluster(scenario)


def test_transaction_on_one_node_sees_a_watched_key_change_on_another() -> None:
    """EXEC is refused where the key was written by any node, and atomic where it was not."""

    async def scenario(cluster: SimCluster) -> None:
        one, two, three = await three_clients(cluster)
        assert await one.call("SET", "balance", 10) == b"OK"
        assert await two.call("WATCH", "balance") == b"OK"
        assert await three.call("INCRBY", "balance", 5) == 15
        assert await two.call("MULTI") == b"OK"
        assert await two.call("SET", "balance", 0) == b"QUEUED"
        assert await two.call("EXEC") is None
        assert await one.call("GET", "balance") == b"15"
        replies = await two.pipeline(
            ("WATCH", "balance"), ("MULTI",), ("DECRBY", "balance", 5), ("INCR", "moved"), ("EXEC",)
        )
        assert replies[-1] == [10, 1]
        assert await three.call("MGET", "balance", "moved") == [b"10", b"1"]

    run_cluster(scenario)


def test_transactions_from_all_nodes_never_interleave() -> None:
    """Optimistic increments with WATCH on three nodes, one leader killed: the sum is what was committed."""

    async def scenario(cluster: SimCluster) -> None:
        await three_clients(cluster)
        leader = await cluster.leader()
        committed = dict.fromkeys(others(cluster, leader), 0)

        async def move(number: int) -> None:
            client = await cluster.connect(number)
            while True:
                assert await client.call("WATCH", "a", "b") == b"OK"
                a, b = (int(value or 0) for value in await client.call("MGET", "a", "b"))
                assert a == b, "no transaction is seen half"
                done = await client.pipeline(("MULTI",), ("SET", "a", a + 1), ("SET", "b", b + 1), ("EXEC",))
                committed[number] += done[-1] is not None
                await trio.sleep(0.05)

        async with trio.open_nursery() as nursery:
            for number in committed:
                nursery.start_soon(move, number)
            await trio.sleep(1)
            cluster.kill(leader)
            await trio.sleep(2.5)
            nursery.cancel_scope.cancel()
        client = await cluster.connect(others(cluster, leader)[0])
        value = int(await client.call("GET", "a"))
        assert 20 < sum(committed.values()) <= value <= sum(committed.values()) + len(committed)

    run_cluster(scenario)


def test_wall_clocks_an_hour_apart_change_no_lifetime() -> None:
    """TTLs go by log time: on every node, and under the leader whose clock is wrong, a second is a second."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.world.machine("node1").clock.wall_offset_ms = HOUR_MS
        cluster.world.machine("node2").clock.wall_offset_ms = -HOUR_MS
        clients = await three_clients(cluster)
        for round_ in range(3):
            leader = await cluster.leader()
            client = clients[others(cluster, leader)[0] - 1]
            assert await client.call("SET", "k", "v", "PX", 3_000) == b"OK"
            assert await client.call("SET", "long", "v", "EX", 600) == b"OK"
            for other in clients:
                assert 2_500 < await other.call("PTTL", "k") <= 3_000
            if round_ == 0:
                cluster.nodes[leader].stop()
                await stopped(cluster, leader)
                cluster.start(leader)
                clients[leader - 1] = await cluster.connect(leader)
                assert await clients[leader - 1].call("EXISTS", "long") == 1
            await trio.sleep(3.2)
            for other in clients:
                assert await other.call("MGET", "k", "long") == [None, b"v"]
            # A step of the leader's wall clock moves nothing either.
            cluster.world.machine(f"node{await cluster.leader()}").clock.wall_offset_ms += 2 * HOUR_MS
        leader = await cluster.leader()
        seen = await info_of(clients[leader - 1], "raft")
        assert int(seen["raft_clock_deviation_ms"]) > HOUR_MS // 2, "the operator can see it"
        await cluster.converged()

    run_cluster(scenario)


def test_info_speaks_redis_and_of_raft() -> None:
    """Sections and fields that clients and monitors look for, on leader and follower; it parses."""

    async def scenario(cluster: SimCluster) -> None:
        clients = await three_clients(cluster)
        leader = await cluster.leader()
        await clients[0].call("SET", "k", "v", "EX", 100)
        await clients[0].call("SELECT", 3)
        await clients[0].call("SET", "other", "v")
        for number, client in enumerate(clients, 1):
            await client.call("GET", "k")  # INFO is this node's own view; now it has applied what we wrote
            fields = await info_of(client)
            leads = number == leader
            assert fields["role"] == ("master" if leads else "slave")
            assert fields["raft_role"] == ("leader" if leads else "follower")
            assert (fields["raft_node_id"], fields["raft_leader_id"]) == (str(number), str(leader))
            assert fields["raft_num_voting_nodes"] == fields["raft_num_nodes"] == "3"
            assert fields["raft_members"] == "1:voter,2:voter,3:voter"
            assert fields["db0"].startswith("keys=1,expires=1")
            assert fields["db3"].startswith("keys=1,expires=0")
            assert int(fields["raft_commit_index"]) >= int(fields["raft_last_applied_index"]) > 0
            assert fields["redis_version"].startswith("7.2")
            assert {"trikv_version", "uptime_in_seconds", "used_memory", "maxmemory", "wal_fsyncs"} <= set(
                fields
            )
            assert {"wal_sync_ms_mean", "snapshot_index", "connected_clients", "raft_current_term"} <= set(
                fields
            )
            if leads:
                assert fields["connected_slaves"] == "2"
                assert fields["slave0"].startswith("ip=node")
                assert "state=online" in fields["slave0"]
            else:
                assert (fields["master_host"], fields["master_link_status"]) == (f"node{leader}", "up")
            banner = await (await cluster.connect(number)).line("")
            assert f"node{number}, {'leader' if leads else f'follower of node{leader}'}" in banner
        assert "redis_version" not in await info_of(clients[0], "raft")
        await cluster.converged()

    run_cluster(scenario)


def test_pipelines_of_reads_and_writes_keep_their_order_through_an_election() -> None:
    """Clients of surviving nodes: each reply belongs to its command, whatever becomes of the leader."""

    async def scenario(cluster: SimCluster) -> None:
        await three_clients(cluster)
        leader = await cluster.leader()
        rounds = dict.fromkeys(others(cluster, leader), 0)

        async def talk(number: int) -> None:
            client = await cluster.connect(number)
            while True:
                n = rounds[number]
                commands: list[tuple[Any, ...]] = [
                    ("ECHO", n), ("SET", f"x{number}", n), ("GET", f"x{number}"), ("PING",),
                    ("GETSET", f"x{number}", "then"), ("NOSUCH",), ("GET", f"x{number}"),
                    ("STRLEN", f"x{number}"),
                ]  # fmt: skip
                replies = await client.pipeline(*commands)
                assert isinstance(replies.pop(5), ErrorReply)
                assert replies == [b"%d" % n, b"OK", b"%d" % n, b"PONG", b"%d" % n, b"then", 4]
                (read,) = await client.pipeline(("GET", f"x{number}"))
                assert read == b"then"
                rounds[number] += 1
                await trio.sleep(0.05)

        async with trio.open_nursery() as nursery:
            for number in rounds:
                nursery.start_soon(talk, number)
            await trio.sleep(0.7)
            cluster.kill(leader)
            await cluster.leader()
            await trio.sleep(0.7)
            cluster.start(leader)
            await trio.sleep(0.7)
            nursery.cancel_scope.cancel()
        assert min(rounds.values()) > 10
        await cluster.converged()

    run_cluster(scenario)


def test_backup_fills_a_new_cluster_that_is_empty_and_no_other() -> None:
    """Every node may be given the file; databases, deadlines and any bytes come along."""
    documents: list[bytes] = []

    async def original(cluster: SimCluster) -> None:
        client = (await three_clients(cluster))[0]
        for number in range(50):
            assert await client.call("SET", b"bin\xff%d" % number, bytes(range(number))) == b"OK"
        await client.call("SET", "brief", "v", "EX", 1000)
        await client.call("SELECT", 7)
        await client.call("SET", "elsewhere", "x" * 100_000)
        told = (await client.call("BACKUP")).decode()
        documents.append(cluster.file(1, told.partition(": ")[0].removeprefix("data/node1/")))

    async def filled(cluster: SimCluster) -> None:
        client = (await three_clients(cluster))[1]
        await trio.sleep(3)
        assert await client.call("DBSIZE") == 51
        assert await client.call("GET", b"bin\xff49") == bytes(range(49))
        assert 900 < await client.call("TTL", "brief") <= 1000
        await client.call("SELECT", 7)
        assert await client.call("STRLEN", "elsewhere") == 100_000
        await client.call("FLUSHALL")
        await client.call("SET", "own", "v")
        cluster.kill(1)
        cluster.start(1)
        await cluster.connect(1)
        await trio.sleep(3)
        assert await client.call("DBSIZE") == 1, "a cluster that holds keys is left alone"
        await cluster.converged()

    run_cluster(original)
    run_cluster(filled, document=lambda: iter([documents[0]]))


def test_deadlines_are_the_way_out_of_full_memory() -> None:
    """At the cap EXPIRE and its kin are taken on every node, and what expires makes room for writes again."""

    async def scenario(cluster: SimCluster) -> None:
        clients = await three_clients(cluster)
        for number in range(200):
            if isinstance(await clients[0].call("SET", f"k{number}", "v" * 50), ErrorReply):
                break
        assert number > 20
        assert isinstance(await clients[1].call("SET", "more", "v" * 50), ErrorReply)
        assert await clients[1].call("EXPIRE", "k1", 1) == 1
        assert await clients[2].call("GETEX", "k2", "PX", 1000) == b"v" * 50
        assert await clients[0].call("PERSIST", "k2") == 1
        assert await clients[0].pipeline(("MULTI",), ("PEXPIRE", "k3", 1000), ("EXEC",)) == [
            b"OK",
            b"QUEUED",
            [1],
        ]
        await trio.sleep(2)
        assert await clients[0].call("EXISTS", "k1", "k2", "k3") == 1
        assert await clients[2].call("SET", "more", "v" * 50) == b"OK"

    run_cluster(scenario, maxmemory=10_000)
