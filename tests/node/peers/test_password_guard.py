"""A node without the password of its peers serves nobody; nothing else that differs does harm."""

from typing import Any

import pytest
import trio

from tests.front.doubles import Client as Talker
from tests.front.doubles import FakeService
from tests.node.simcluster import Client, SimCluster, run_cluster
from trikv.client.replies import ErrorReply
from trikv.front.connections import Connections
from trikv.front.info.of_member import password_text
from trikv.node.peers.password_guard import PasswordGuard
from trikv.protocol.handshake import password_mark

SECRET = b"the cluster's secret"


class Gate:
    """Notes what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def lock(self) -> None:
        """Clients go."""
        self.asked.append("lock")

    def unlock(self) -> None:
        """Clients come."""
        self.asked.append("unlock")


def mark(password: bytes) -> bytes:
    """What a peer with this password says."""
    return password_mark(SECRET, password)


def test_without_a_password_one_peer_that_has_one_is_enough() -> None:
    """It stays locked until every peer that required one has said that it does not any more."""
    gate = Gate()
    guard = PasswordGuard(SECRET, b"", gate)
    assert password_text(guard.statistics()) == "unknown"
    guard.heard(2, mark(b""))
    assert (gate.asked, password_text(guard.statistics())) == ([], "same")
    guard.heard(3, mark(b"x"))
    guard.heard(2, mark(b"y"))
    guard.heard(3, mark(b"x"))
    assert (gate.asked, password_text(guard.statistics())) == (["lock"], "missing:2,3")
    guard.heard(2, mark(b""))
    assert gate.asked == ["lock"]
    guard.heard(3, mark(b""))
    assert (gate.asked, password_text(guard.statistics())) == (["lock", "unlock"], "same")
    guard.heard(3, mark(b"z"))
    assert gate.asked == ["lock", "unlock", "lock"]


def test_with_a_password_nothing_locks() -> None:
    """Another password, or none, is told and seen in INFO; this node asks for its own."""
    gate = Gate()
    guard = PasswordGuard(SECRET, b"x", gate)
    for peer_mark, standing in (
        (mark(b"y"), "differs:2"),
        (mark(b""), "differs:2"),
        (mark(b"x"), "same"),
    ):
        guard.heard(2, peer_mark)
        assert password_text(guard.statistics()) == standing
    assert gate.asked == []


def test_an_older_version_says_nothing() -> None:
    """Neither way: in the midst of an upgrade nodes go on as before."""
    gate = Gate()
    guard = PasswordGuard(SECRET, b"", gate)
    guard.heard(2, b"")
    assert (gate.asked, password_text(guard.statistics())) == ([], "unknown")


def test_marks_of_other_clusters_are_not_equal() -> None:
    """The mark is keyed: nobody without the secret can try passwords on it."""
    assert password_mark(b"another", b"x") != mark(b"x")


def test_a_locked_node_tells_every_client_why() -> None:
    """Whoever was connected is closed, whoever connects is refused, whatever they ask or give."""
    service = FakeService()
    connections = Connections(service.settings)
    before = Talker(service, connections)
    assert before.ask("SET", "k", "v") == b"+OK\r\n"
    connections.lock()
    assert before.wire.is_closed
    before.conversation.closed()
    after = Talker(service, connections)
    refused = b"-NOAUTH this node was started without the password that its peers require"
    for words in (
        ("GET", "k"),
        ("SET", "k", "v"),
        ("INFO",),
        ("PING",),
        ("AUTH", "x"),
        ("AUTH", "default", "x"),
        ("HELLO", "3"),
        ("HELLO", "3", "AUTH", "default", "x"),
        ("MULTI",),
    ):
        assert after.ask(*words).startswith(refused), words
    assert after.ask("RESET") == b"+RESET\r\n"
    assert after.ask("GET", "k").startswith(refused)
    connections.unlock()
    assert after.ask("GET", "k") == b"$1\r\nv\r\n"
    assert after.ask("AUTH", "x").startswith(b"-ERR AUTH <password> called without any password")


def test_what_is_in_flight_when_a_node_locks_is_not_answered_with_data() -> None:
    """A read that waited for the leader must not come back with a value after the peers have spoken."""
    service = FakeService()
    connections = Connections(service.settings)
    client = Talker(service, connections)
    client.receive(b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n")
    assert service.works
    connections.lock()
    service.pump()
    assert client.wire.take().startswith(b"-CLUSTERDOWN")
    assert client.wire.is_closed


async def refusal(cluster: SimCluster, number: int) -> str:
    """What a node says to a client, once it says anything but that it is not ready."""
    client = await cluster.connect(number)
    try:
        reply = await client.call("GET", "k")
    except OSError:
        return "it closed the connection"  # with a line for people first: nothing was asked yet
    return str(reply) if isinstance(reply, ErrorReply) else repr(reply)


async def open_client(cluster: SimCluster, number: int, password: str) -> Client:
    """A client that has given its password."""
    client = await cluster.connect(number)
    assert await client.call("AUTH", password) == b"OK"
    return client


async def until(cluster: SimCluster, number: int, expected: str) -> None:
    """Wait until a node answers like this."""
    while expected not in await refusal(cluster, number):  # noqa: ASYNC110 - virtual time costs nothing
        await trio.sleep(0.1)


@pytest.mark.parametrize("lacking", [1, 2, 3])
def test_a_node_without_its_peers_password_never_serves(lacking: int) -> None:
    """From a new cluster's first moment; the others go on, and with the password it serves as well."""
    values: list[Any] = []

    async def scenario(cluster: SimCluster) -> None:
        others = [n for n in (1, 2, 3) if n != lacking]
        cluster.start(*others, requirepass="x")
        cluster.start(lacking)

        async def pester() -> None:
            """Ask without end; never may a value come."""
            while True:
                try:
                    client = await cluster.connect(lacking)
                    while True:
                        values.append(await client.call("GET", "k"))
                        await trio.sleep(0.005)
                except OSError:
                    await trio.sleep(0.005)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(pester)
            await cluster.leader()
            client = await open_client(cluster, others[0], "x")
            assert await client.call("SET", "k", "v") == b"OK"
            await until(cluster, lacking, "without the password")
            cluster.kill(lacking)  # it knows the cluster now: its next life begins with the log
            cluster.start(lacking)
            await until(cluster, lacking, "without the password")
            nursery.cancel_scope.cancel()
        cluster.kill(lacking)
        cluster.start(lacking, requirepass="x")
        client = await open_client(cluster, lacking, "x")
        while await client.call("GET", "k") != b"v":  # noqa: ASYNC110 - the same
            await trio.sleep(0.1)
        info = await client.call("INFO", "raft")
        assert b"peers_password:same" in info

    run_cluster(scenario)
    assert values
    assert all(isinstance(value, ErrorReply) for value in values)


def test_a_password_is_given_up_node_by_node() -> None:
    """Who is restarted without it waits; once the last has given it up, all serve everybody."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start(requirepass="x")
        await cluster.leader()
        for number in (1, 2):
            cluster.kill(number)
            cluster.start(number)
            await until(cluster, number, "without the password")
        cluster.kill(3)
        cluster.start(3)
        for number in (1, 2, 3):
            await until(cluster, number, "None")

    run_cluster(scenario)


def test_a_password_is_changed_node_by_node() -> None:
    """Half-way each node asks for its own, serves, and shows that they differ."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start(requirepass="old")
        await cluster.leader()
        cluster.kill(3)
        cluster.start(3, requirepass="new")
        new, old = await open_client(cluster, 3, "new"), await open_client(cluster, 1, "old")
        while await new.call("SET", "k", "v") != b"OK":  # noqa: ASYNC110 - the same
            await trio.sleep(0.1)
        assert await old.call("GET", "k") == b"v"
        assert b"peers_password:differs:3" in await old.call("INFO", "raft")
        assert b"peers_password:differs:1,2" in await new.call("INFO", "raft")

    run_cluster(scenario)
