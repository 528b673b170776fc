"""A cluster with a client of each node, and what INFO tells one, for whole-node tests."""

from tests.node.simcluster import Client, SimCluster


async def three_clients(cluster: SimCluster) -> list[Client]:
    """A running cluster; a client of each node."""
    cluster.start()
    await cluster.leader()
    return [await cluster.connect(number) for number in (1, 2, 3)]


async def info_of(client: Client, *sections: str) -> dict[str, str]:
    """INFO, parsed as clients do."""
    text = (await client.call("INFO", *sections)).decode()
    assert text.endswith("\r\n")
    fields: dict[str, str] = {}
    for line in text.split("\r\n"):
        if line and not line.startswith("#"):
            name, colon, value = line.partition(":")
            assert colon
            assert name not in fields
            fields[name] = value
    return fields
