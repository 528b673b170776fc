"""The programs that measure collections judge by what they say, and ask what servers understand."""

import os

import pytest

from tests.perf import element_bytes, growth, long_stores, operations, pauses
from tests.perf.collection_pauses import KINDS, ROUNDS_MAX, is_enough, judged
from tests.perf.element_bytes import Taken, resident_bytes
from tests.perf.growth import COMMANDS, Collections, Growth, checked, took_us
from tests.perf.operations import demand_success, element_of, send_all, send_piped
from tests.perf.pauses import Round, count_elements
from tests.perf.redis_benchmark import MUST, duels
from tests.redis_server import RedisServer
from trikv.client.replies import ErrorReply
from trikv.machine.replies import CommandError


def a_round(took_s: float, worst_ms: float, machine_ms: float = 1.0) -> Round:
    """A round of three questions, the last of which waited longest."""
    return Round(took_s, [0.1, 0.2, worst_ms], machine_ms)


@pytest.mark.parametrize(("worst", "verdict"), [(9.0, "aim"), (15.0, "must"), (25.0, "BELOW")])
def test_the_median_of_the_rounds_worst_waits_is_judged(worst: float, verdict: str) -> None:
    """One round that the machine spoilt decides nothing."""
    rounds = [a_round(1, 1.0), a_round(1, worst), a_round(1, 500.0)]
    assert judged("hash: DEL", rounds).endswith(f"| 20 | 10 | {verdict} |")


def test_a_round_that_the_machine_spoilt_is_not_judged() -> None:
    """What held up a process that only slept held up the node, too. If there is no other, the row is void."""
    spoilt = a_round(1, 90.0, machine_ms=80.0)
    assert judged("hash: DEL", [spoilt, a_round(1, 15.0), spoilt]).endswith("| 20 | 10 | must |")
    assert judged("hash: DEL", [spoilt]).endswith("| 20 | 10 | VOID |")
    beside = long_stores.line("LREM", [a_round(1, 1), a_round(1, 1)], [spoilt, a_round(3, 2)])
    assert "| 3.0 | 4 | aim |" in beside
    assert beside.endswith("| 20 | aim |")
    of_redis = long_stores.line("LREM", [a_round(9, 1, machine_ms=80.0)], [a_round(1, 2)])
    assert of_redis.count("VOID") == 2
    assert pauses.spoilt([[spoilt, a_round(1, 1)], [spoilt]]).startswith("2 of 3 not judged")


def test_there_are_more_rounds_while_the_machine_spoils_them_but_not_for_ever() -> None:
    """Each row is judged by as many as were asked for, if a quiet moment comes."""
    spoilt, clean = a_round(1, 90.0, machine_ms=80.0), a_round(1, 1.0)
    assert not is_enough({}, 2)
    assert not is_enough({"DEL": [clean, clean], "COPY": [spoilt, clean]}, 2)
    assert is_enough({"DEL": [clean, clean], "COPY": [spoilt, clean, clean]}, 2)
    assert is_enough({"DEL": [spoilt] * ROUNDS_MAX}, 2)


def test_a_long_command_is_judged_by_its_time_and_by_the_pings_apart() -> None:
    """Five times as long as Redis is too long, however quickly PINGs were answered; and the reverse."""
    slow = long_stores.line("LREM", [a_round(1, 900)], [a_round(5, 2)])
    assert "| 5.0 | 4 | BELOW |" in slow
    assert slow.endswith("| 20 | aim |")
    rude = long_stores.line("LREM", [a_round(1, 900)], [a_round(1, 30)])
    assert "| 1.0 | 4 | aim |" in rude
    assert rude.endswith("| 20 | BELOW |")


def test_growth_and_bytes_are_judged_by_their_ratio() -> None:
    """The bar itself is still reached."""
    assert str(Growth("HGET", [1.0, 1.0, 9.0], [2.0])).endswith("| 2.00 | 2 | aim |")
    assert str(Growth("HGET", [1.0], [2.1])).endswith("| 2.10 | 2 | BELOW |")
    assert str(Taken("hash", redis=100, trikv=250, account=240)).endswith("| 2.50 | 2.5 | aim |")
    assert str(Taken("hash", redis=100, trikv=251, account=240)).endswith("| 2.51 | 2.5 | BELOW |")


def test_a_pipeline_has_a_bar_of_its_own_and_only_writes_wait() -> None:
    """At Redis a write is closed by WAIT; a read is not, nor is anything of trikv's."""
    found = {duel.key: duel for duel in duels(["hset", "lrange_100"], MUST)}
    assert {key: duel.must for key, duel in found.items()} == {
        "hset": 0.8,
        "lrange_100": 0.8,
        "hsetp16": 0.5,
        "lrange_100p16": 0.5,
    }
    waits = {key for key, duel in found.items() if duel.base.work.wait}
    assert waits == {"hset", "hsetp16"}
    assert not any(duel.ours.work.wait for duel in found.values())


def test_what_is_timed_leaves_a_collection_as_large_as_it_was() -> None:
    """Else the thousand elements would be two thousand in the end."""
    had = Collections(200)
    for command in COMMANDS:
        assert took_us(command, had) > 0, command.name
    sizes = [(b"HLEN", b"hash"), (b"LLEN", b"list"), (b"SCARD", b"set"), (b"ZCARD", b"zset")]
    assert had.read(sizes) == [200] * 4


def test_an_error_is_not_timed() -> None:
    """It is quicker than any command."""
    with pytest.raises(RuntimeError, match="WRONGTYPE"):
        checked([1, CommandError("WRONGTYPE no")])
    with pytest.raises(RuntimeError, match="ZADD: no"):
        demand_success(ErrorReply("no"), "ZADD")
    demand_success(None, "GET")


def test_scores_are_numbers_of_elements() -> None:
    """So that the range of any score is that of its rank."""
    assert growth.score_of(growth.element(17)) == b"17"


def test_every_kind_and_every_long_command_is_understood() -> None:
    """Redis carries all of it out, on few elements; each kind is read whole, and can be changed."""
    with RedisServer() as server, server.connect() as client:
        for kind in KINDS:
            send_all(server.port, operations.in_batches(lambda some: kind.add(b"full", some), range(2_500)))  # noqa: B023
            assert count_elements(server.port, *kind.read) == 2_500 * kind.answered
            demand_success(client.call(*kind.change(7)), kind.name)
            client.call("DEL", "full")
        long_stores.fill(server.port, 100)
        for work in long_stores.works(100):
            replies = client.pipeline(*work.before, *work.commands)
            for reply in replies:
                demand_success(reply, work.name)
        assert client.call("ZCARD", "copy") == 50


def test_only_arrays_are_counted() -> None:
    """An error would be taken for an array without elements."""
    with RedisServer() as server:
        server.connect().close()
        with pytest.raises(RuntimeError, match="WRONG"):
            send_all(server.port, [("SET", "key", "value"), ("HGETALL", "key")])
        with pytest.raises(RuntimeError, match="HGETALL"):
            count_elements(server.port, "HGETALL", "key")


def test_collections_are_as_many_and_as_large_as_the_row_says() -> None:
    """Every type of `element_bytes`, small and in several commands."""
    with RedisServer() as server, server.connect() as client:
        for _, add in element_bytes.adding():
            for collections, elements in ((30, 2), (1, 2_500)):
                client.call("FLUSHALL")
                element_bytes.fill(server.port, add, collections, elements)
                assert client.call("DBSIZE") == collections
        assert client.call("OBJECT", "ENCODING", "collection:000000000") == b"hashtable"
        assert client.call("SCARD", "collection:000000000") == 2_500
        with pytest.raises(RuntimeError, match="WRONGTYPE"):
            send_piped(server.port, [("LPUSH", "collection:000000000", element_of(1))])


def test_a_process_that_has_ended_has_no_memory() -> None:
    """Its growth would look like a saving."""
    assert resident_bytes(os.getpid()) > 1 << 20
    with pytest.raises((ProcessLookupError, FileNotFoundError)):
        resident_bytes(2**22 + 1)
