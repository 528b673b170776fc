"""What is counted of commands, keys and errors is what Redis counts of the same pipelines."""

import random
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.front.doubles import CLUSTERDOWN, Client, FakeService, resp
from tests.redis_server import RedisConnection, RedisServer
from trikv.front.connections import Connections
from trikv.front.inputs import REFUSED
from trikv.front.intake import ConversationLimits
from trikv.machine.replies import CommandError
from trikv.machine.tally import CommandTally

COMMANDS: Final = """
GET a|GET b|GET b|MGET a b c|EXISTS a b a|TOUCH a c|TTL a|PTTL b|EXPIRETIME a|PEXPIRETIME c|TYPE a|TYPE c|
STRLEN a|STRLEN c|GETRANGE a 0 1|GETRANGE b x 1|SUBSTR c 0 1|GETEX a|GETEX c EX 100|GETEX a PERSIST|GETDEL b|
GETSET a 5|SET a 1|SET b text|SET c|SET a 1 GET|SET b 2 XX GET|SET e 1 FOO|SETNX a 2|SETEX c 100 v|APPEND a 1|
SETRANGE b 0 x|INCR a|INCR b|INCRBYFLOAT a 1.5|DECRBY a x|MSET a 1 b 2|MSET a 1 b|MSETNX a 1 d 2|DEL a nope|
UNLINK c|RENAME nope x|RENAMENX a b|EXPIRE a 9|EXPIRE nope 100|PERSIST a|DBSIZE|KEYS *|SCAN 0|MEMORY USAGE a|
MEMORY FOO|SELECT 0|SELECT 1|SELECT 99|SELECT x|MULTI|MULTI|EXEC|EXEC|DISCARD|WATCH a|UNWATCH|PING|PING a b|
ECHO hi|ECHO|NOPE x y|GET|CLIENT GETNAME|CLIENT FOO|CLIENT SETNAME x|CONFIG SET timeout x|CONFIG GET timeout|
CONFIG SET timeout 0 timeout 0|CONFIG SET maxmemory q|AUTH default x|HELLO 4|COMMAND COUNT|READONLY|LASTSAVE|
"""
"""Separated by bars; those that may occur often stand twice. Redis 7.0.15 has all of them."""


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisConnection]:
    """A connection to a server of our own."""
    with RedisServer() as server:
        connection = server.connect()
        yield connection
        connection.close()


def theirs(redis: RedisConnection, lines: list[str]) -> dict[str, Any]:
    """What Redis counts of these lines; the questions themselves are left out."""
    redis.line("RESET")
    redis.line("FLUSHALL")
    redis.line("CONFIG RESETSTAT")
    for line in lines:
        redis.line(line)
    redis.line("RESET")
    text = redis.line("INFO everything")
    assert isinstance(text, bytes)
    fields = dict(line.split(":", 1) for line in text.decode().splitlines() if ":" in line)
    commands = {}
    for name, value in fields.items():
        if name.startswith("cmdstat_"):
            parts = dict(part.split("=") for part in value.split(","))
            numbers = tuple(int(parts[part]) for part in ("calls", "rejected_calls", "failed_calls"))
            commands[name.removeprefix("cmdstat_")] = numbers
    for own in ("config|resetstat", "reset"):
        calls, rejected, failed = commands.pop(own)
        assert (calls, rejected, failed) == (1, 0, 0)
    return {
        "commands": {name: numbers for name, numbers in commands.items() if any(numbers)},
        "total": int(fields["total_commands_processed"]) - 2,
        "hits": int(fields["keyspace_hits"]),
        "misses": int(fields["keyspace_misses"]),
        "errors": {
            name.removeprefix("errorstat_"): int(value.removeprefix("count="))
            for name, value in fields.items()
            if name.startswith("errorstat_")
        },
        "errors_total": int(fields["total_error_replies"]),
    }


def numbers(one: CommandTally) -> tuple[int, int, int]:
    """Without the time."""
    return one.calls, one.rejected, one.failed


def counted(client: Client) -> dict[str, Any]:
    """What a node has counted."""
    tally = client.service.counters.tally
    return {
        "commands": {name.lower(): numbers(one) for name, one in tally.commands().items()},
        "total": client.service.counters.count("commands"),
        "hits": tally.hits,
        "misses": tally.misses,
        "errors": tally.errors,
        "errors_total": tally.errors_total,
    }


@pytest.mark.parametrize("seed", range(30))
def test_pipelines_count_as_in_redis(redis: RedisConnection, seed: int) -> None:
    """Calls, rejected and failed ones of every command, keys found and missed, errors by kind."""
    lines = random.Random(seed).choices([line for line in COMMANDS.split("|") if line.strip()], k=60)
    # How much of this node's own commands a transaction may hold is a limit that Redis does not have.
    client = Client(limits=ConversationLimits(turn_cost_us_max=10**9))
    client.say(b"".join(resp(*line.split()) for line in lines))
    assert counted(client) == theirs(redis, lines), lines


@pytest.mark.parametrize("line", [line.strip() for line in COMMANDS.split("|") if line.strip()])
def test_a_command_alone_counts_as_in_redis(redis: RedisConnection, line: str) -> None:
    """The quick ways of single commands count like all others, on an empty database and on a filled one."""
    for prepared in ([], ["SET a 1", "SET b text", "SET c v EX 100"]):
        client = Client()
        for each in [*prepared, line]:
            client.ask(*each.split())
        assert counted(client) == theirs(redis, [*prepared, line])


def test_full_memory_is_a_rejection_as_in_redis(redis: RedisConnection) -> None:
    """OOM, alone, in a run, inside MULTI and at EXEC: refused before it is carried out."""
    client = Client()
    client.ask("SET", "a", "x" * 400)
    client.ask("CONFIG", "SET", "maxmemory", "500")
    client.service.counters.reset()
    for line in ("SET b 1", "INCR b", "GET a"):
        client.ask(*line.split())
    client.say(b"".join(resp("SET", f"k{number}", "v") for number in range(9)))
    ours = counted(client)
    redis.line("RESET")
    redis.line("FLUSHALL")
    redis.line(f"SET a {'x' * 400}")
    redis.line("CONFIG SET maxmemory 1")
    real = theirs_after(redis, ["SET b 1", "INCR b", "GET a", *(f"SET k{number} v" for number in range(9))])
    assert ours == real
    assert ours["commands"]["set"] == (0, 10, 0)
    client.say(resp("MULTI") + resp("SET", "b", "1") + resp("EXEC"))
    assert numbers(client.service.counters.tally.commands()["EXEC"]) == (0, 1, 0)


def theirs_after(redis: RedisConnection, lines: list[str]) -> dict[str, Any]:
    """`theirs` on the data that is there."""
    redis.line("CONFIG RESETSTAT")
    for line in lines:
        redis.line(line)
    text = redis.line("INFO everything")
    redis.line("CONFIG SET maxmemory 0")
    assert isinstance(text, bytes)
    fields = dict(line.split(":", 1) for line in text.decode().splitlines() if ":" in line)
    commands = {}
    for name, value in fields.items():
        if name.startswith("cmdstat_") and "config" not in name:
            parts = dict(part.split("=") for part in value.split(","))
            commands[name.removeprefix("cmdstat_")] = tuple(
                int(parts[part]) for part in ("calls", "rejected_calls", "failed_calls")
            )
    return {
        "commands": commands,
        "total": int(fields["total_commands_processed"]) - 1,
        "hits": int(fields["keyspace_hits"]),
        "misses": int(fields["keyspace_misses"]),
        "errors": {"OOM": int(fields["errorstat_OOM"].removeprefix("count="))},
        "errors_total": int(fields["total_error_replies"]),
    }


def test_no_password_is_a_rejection() -> None:
    """NOAUTH, and a wrong password, which is a failed AUTH."""
    client = Client(FakeService(requirepass="secret"))
    client.ask("GET", "a")
    client.ask("AUTH", "wrong")
    assert counted(client)["commands"] == {"auth": (1, 0, 1), "get": (0, 1, 0)}
    assert counted(client)["errors"] == {"NOAUTH": 1, "WRONGPASS": 1}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (CLUSTERDOWN, (0, 1, 0)),
        (CommandError("INDETERMINATE the write may or may not have happened"), (1, 0, 1)),
    ],
)
def test_what_no_majority_answers(error: CommandError, expected: tuple[int, int, int]) -> None:
    """CLUSTERDOWN is no call: nothing was done. INDETERMINATE is one that failed: it may have happened."""
    client = Client()
    for data in (
        resp("SET", "a", "1"),
        resp("INCR", "a") + resp("APPEND", "a", "1"),
        resp("MULTI") + resp("DEL", "a") + resp("EXEC"),
    ):
        client.receive(data)
        client.service.works.pop().failed(error)
    commands = counted(client)["commands"]
    assert commands.pop("multi") == (1, 0, 0)
    assert commands == dict.fromkeys(("set", "incr", "append", "exec"), expected)
    assert counted(client)["errors_total"] == 4


def test_a_transaction_that_fails_is_counted_once() -> None:
    """Whatever the error is, of the log's limits too."""
    client = Client()
    client.receive(resp("MULTI") + resp("DEL", "a") + resp("EXEC"))
    client.service.works.pop().failed(CommandError("ERR command of 99 bytes exceeds the 50 of an entry"))
    assert counted(client)["commands"] == {"exec": (1, 0, 1), "multi": (1, 0, 0)}
    assert counted(client)["errors"] == {"ERR": 1}


def test_no_count_is_below_zero() -> None:
    """What an EXEC asks of the machine for itself is taken back, unless it has been forgotten meanwhile."""
    client = Client()
    client.ask("WATCH", "a")
    client.receive(resp("CONFIG", "RESETSTAT") + resp("MULTI") + resp("PING") + resp("EXEC"))
    client.service.pump()
    commands = counted(client)["commands"]
    assert commands == dict.fromkeys(("config|resetstat", "exec", "ping"), (1, 0, 0))


def test_what_finds_no_room_is_a_rejection() -> None:
    """Requests that are refused because of what others made this node hold: each an error, none a call."""
    service = FakeService(input_bytes_max=1 << 20)
    connections = Connections(service.settings)
    first, second = Client(service, connections), Client(service, connections)
    first.receive(resp("SET", "a", "v" * 700_000))
    second.receive(resp("SET", "b", "v" * 200_000))
    service.works.pop().answered([])  # others have had their turn
    second.receive(resp("MULTI") + resp("APPEND", "b", "v" * 200_000) + resp("EXEC"))
    assert second.wire.take().count(REFUSED.text.encode()) == 2
    assert counted(second)["commands"] == {"exec": (0, 1, 0), "multi": (1, 0, 0), "set": (0, 1, 0)}
    assert counted(second)["errors"] == {"ERR": 2}


def test_actions_are_counted_when_they_have_answered() -> None:
    """SAVE and its kin, and their bad arguments."""
    client = Client()
    client.ask("SAVE")
    client.ask("SHUTDOWN", "foo")
    assert counted(client)["commands"] == {"save": (1, 0, 0), "shutdown": (1, 0, 1)}


def test_the_time_of_a_local_command_is_its_own() -> None:
    """It is measured around the command, by this node's clock."""
    client = Client()
    ticks = iter(range(0, 1_000_000, 7))
    client.service.boot_us = lambda: next(ticks)  # type: ignore[method-assign]
    client.ask("ECHO", "x")
    assert client.service.counters.tally.commands()["ECHO"].usec == 7
