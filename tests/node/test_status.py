"""What a node says of itself, from its parts to the client's text."""

from pathlib import Path

import trio

from tests.node.simcluster import Client, SimCluster, run_cluster
from trikv.machine.features import FEATURE_LEVEL
from trikv.node.status import host_statistics

GOLDEN = Path(__file__).with_name("info_fields.txt")
VARYING = ("Commandstats", "Errorstats")
"""Their fields are what clients did."""


def golden() -> dict[str, dict[str, list[str]]]:
    """The fields of the file: by who shows them, by section."""
    shown: dict[str, dict[str, list[str]]] = {}
    for block in GOLDEN.read_text().replace("\n  ", " ").split("\n[")[1:]:
        who, *lines = block.strip().splitlines()
        pairs = [line.partition(":") for line in lines]
        shown[who.rstrip("]")] = {heading: names.split() for heading, _, names in pairs}
    return shown


async def fields_of(client: Client) -> dict[str, list[str]]:
    """The fields that a node shows, by section, both in order."""
    text = (await client.call("INFO", "everything")).decode()
    sections = [block.splitlines() for block in text.removeprefix("# ").split("# ")]
    found = {lines[0]: [line.partition(":")[0] for line in lines[1:] if line] for lines in sections}
    return {heading: [] if heading in VARYING else names for heading, names in found.items()}


def test_info_shows_the_same_fields_in_the_same_order() -> None:
    """On a blank node, a leader and a follower: others' tools read them by name, and scripts by place."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start(1)
        await trio.sleep(1)
        client = await cluster.connect(1)
        seen = {"blank": await fields_of(client)}
        cluster.start(2, 3)
        leader = await cluster.leader()
        for number in (leader, leader % 3 + 1):
            client = await cluster.connect(number)
            assert await client.call("SET", "a", 1) == b"OK"
            assert await client.call("SELECT", 3) == b"OK"
            assert await client.call("SET", "a", 1) == b"OK"
            seen["leader" if number == leader else "follower"] = await fields_of(client)
        assert seen == golden()
        assert {who: list(sections) for who, sections in seen.items()} == {
            who: list(sections) for who, sections in golden().items()
        }

    run_cluster(scenario)


def test_figures_of_a_process_are_its_hosts() -> None:
    """Time since the start by the boot clock, and nothing that only the real process could tell."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start(1)
        await trio.sleep(2)
        node = cluster.nodes[1]
        figures = host_statistics(node._host, node._host.clock.boot_ms() - 1_500)
        assert (figures.uptime_ms, figures.lines_dropped) == (1_500, 0)
        assert figures.boot_ms == node._host.clock.boot_ms()
        assert figures.resident_bytes == node._host.resident_bytes()

    run_cluster(scenario)


def test_what_quick_commands_ask_is_what_the_parts_tell() -> None:
    """Who leads, how far this node is and its cap: on a leader and a follower, after the cap has changed."""

    async def scenario(cluster: SimCluster) -> None:
        cluster.start(1, 2, 3)
        leader = await cluster.leader()
        client = await cluster.connect(leader)
        assert await client.call("CONFIG", "SET", "maxmemory", "5mb") == b"OK"
        await trio.sleep(1)
        for number in (leader, leader % 3 + 1):
            member = cluster.nodes[number]._ground.figures.member
            assert member is not None
            told, raft, applier = member.leadership(), member.raft(), member.applier()
            assert (told.leads, told.leader, told.applied_index) == (number == leader, leader, applier.index)
            assert (raft.leads, raft.leader) == (told.leads, told.leader)
            assert member.cap_bytes() == applier.machine.cap_bytes == 5 << 20
            assert member.feature_level() == applier.machine.feature_level == FEATURE_LEVEL

    run_cluster(scenario)
