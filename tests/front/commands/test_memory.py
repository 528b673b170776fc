"""MEMORY STATS, DOCTOR, PURGE, MALLOC-STATS."""

from typing import Any

import attrs
import pytest

from tests.front.doubles import Client, FakeService
from tests.front.records import host_record, machine_record, raft_record
from trikv.client.replies import new_reader

MIB = 1 << 20


def client(
    machine: dict[str, Any] | None = None, *, peak: int = 0, resident: int = 20 * MIB, log: int = 100
) -> Client:
    """A client of a node whose parts tell these figures."""
    service = FakeService()
    member = service.figures.member
    assert member is not None
    applier = attrs.evolve(member.applier(), machine=machine_record(**machine or {}), memory_peak_bytes=peak)
    service.figures = attrs.evolve(
        service.figures,
        host=lambda: host_record(resident_bytes=resident),
        member=attrs.evolve(member, applier=lambda: applier, raft=lambda: raft_record(log_bytes=log)),
    )
    return Client(service)


def stats(one: Client) -> dict[bytes, Any]:
    """What MEMORY STATS tells, in RESP3."""
    one.ask("HELLO", "3")
    reader = new_reader()
    reader.feed(one.ask("MEMORY", "STATS"))
    found = reader.gets()
    assert isinstance(found, dict)
    return found


def test_stats_are_those_of_info() -> None:
    """Under Redis' names, numbers as numbers."""
    told = stats(client(peak=2048, resident=3072, log=77))
    assert (told[b"peak.allocated"], told[b"total.allocated"], told[b"replication.backlog"]) == (
        2048,
        1536,
        77,
    )
    assert (told[b"overhead.total"], told[b"dataset.bytes"], told[b"keys.count"]) == (736, 800, 3)
    assert (told[b"keys.bytes-per-key"], told[b"peak.percentage"]) == (512, 75.0)
    assert (told[b"fragmentation"], told[b"fragmentation.bytes"]) == (2.0, 1536)
    assert told[b"aof.buffer"] == 17


def test_a_node_without_a_cluster_or_without_keys_has_figures_too() -> None:
    """Nothing is divided by 0."""
    told = stats(client({"used_bytes": 0, "overhead_bytes": 0, "keys": 0}))
    assert (told[b"keys.bytes-per-key"], told[b"dataset.percentage"], told[b"fragmentation"]) == (0, 0.0, 0.0)
    one = Client()
    one.service.figures.member = None
    assert stats(one)[b"keys.count"] == 0


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (client(), "hardly anything"),
        (client({"used_bytes": 50 * MIB, "cap_bytes": 1 << 30}), "Nothing is out of the ordinary"),
        (client({"used_bytes": 50 * MIB, "cap_bytes": 0}), "There is no maxmemory"),
        (client({"used_bytes": 95 * MIB, "cap_bytes": 100 * MIB}), "95 % of maxmemory is taken"),
        (client({"used_bytes": 50 * MIB, "cap_bytes": 1 << 30}, peak=80 * MIB), "up to 80.0 MiB"),
        (client({"used_bytes": 50 * MIB, "cap_bytes": 1 << 30}, resident=1 << 30), "process takes 1.0 GiB"),
        (client({"used_bytes": 50 * MIB, "cap_bytes": 1 << 30}, log=1 << 30), "The log takes 1.0 GiB"),
    ],
)
def test_the_doctor_says_what_is_out_of_the_ordinary(one: Client, words: str) -> None:
    """One line for each finding, which a person sees as text."""
    shown = one.type("memory doctor")
    assert words in shown
    assert len(shown.splitlines()) == 1


def test_the_doctor_sees_what_waits() -> None:
    """Input that waits for its client counts, and CLIENT LIST is named."""
    one = client({"used_bytes": 50 * MIB, "cap_bytes": 1 << 30})
    one.connections.input.in_flight = 65 * MIB
    assert "Requests and replies that wait take 65.0 MiB" in one.type("memory doctor")


def test_the_doctor_of_a_node_without_a_cluster() -> None:
    """It holds no keys."""
    one = Client()
    one.service.figures.member = None
    assert one.type("memory doctor") == "This node has not joined its cluster yet: it holds no keys.\r\n"


def test_there_is_nothing_to_purge() -> None:
    """OK, and Redis' words of an allocator that it has no figures of."""
    one = Client()
    assert one.ask("MEMORY", "PURGE") == b"+OK\r\n"
    assert one.ask("MEMORY", "MALLOC-STATS") == b"$45\r\nStats not supported for the current allocator\r\n"
