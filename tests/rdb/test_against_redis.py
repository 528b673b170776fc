"""Debian's redis-server 7.0.15: what it dumps is read, and it loads what is written, to the same digest."""

import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rdb.test_damage import comparable
from tests.rdb.test_round_trips import VALUES
from tests.redis_server import RedisConnection, RedisServer
from trikv import rdb
from trikv.client.replies import ErrorReply

OPTIONS = ("--enable-debug-command", "yes", "--sanitize-dump-payload", "yes")
LONG = b"long " * 30
SMALL_LIMITS = (
    *("list-max-listpack-size", "4", "set-max-intset-entries", "3", "hash-max-listpack-entries", "3"),
    *("zset-max-listpack-entries", "3", "stream-node-max-entries", "5"),
)
DEFAULT_LIMITS = (
    *("list-max-listpack-size", "-2", "set-max-intset-entries", "512", "hash-max-listpack-entries", "512"),
    *("zset-max-listpack-entries", "128", "stream-node-max-entries", "100"),
)


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisConnection]:
    """A server of our own that checks all of what it is to restore."""
    with RedisServer(*OPTIONS) as server, server.connect() as connection:
        yield connection


def fill(redis: RedisConnection) -> None:
    """A value of every type, small and large ones."""
    noise = b"".join(b"%d" % (number * 7919 % 1009) for number in range(3000))
    commands: list[tuple[Any, ...]] = [
        ("SET", "int8", "-5"),
        ("SET", "int16", "12345"),
        ("SET", "int32", "-2147483648"),
        ("SET", "int64", "9223372036854775807"),
        ("SET", "raw", bytes(range(256))),
        ("SET", "empty", ""),
        ("SET", "repeated", LONG * 1000),
        ("SET", "digits", noise),
        ("RPUSH", "list", *range(-3, 4), LONG, "", *[LONG * number for number in range(9)]),
        ("RPUSH", "list of large ones", b"x" * 9000, "small", b"y" * 20_000),
        ("RPUSH", "lengths at a border", *[b"z" * size for size in range(16_375, 16_381)]),
        ("SADD", "numbers", *range(-2, 3)),
        ("SADD", "wide numbers", 1, 2, 2**40, -(2**63)),
        ("SADD", "words", "a", "b", LONG, 5, ""),
        ("HSET", "hash", "f", 1, "g", "two", "", LONG[:60]),
        ("HSET", "long hash", "f", LONG, "g", LONG * 2),
        ("ZADD", "scores", 1, "a", "-inf", "b", "inf", "c", "2.5", "d", "1e300", "e", "-0", "f"),
        ("ZADD", "long scores", "0.1", LONG, 17, "b"),
        ("XADD", "stream", "1-1", "f", "v"),
    ]
    commands += [
        ("XADD", "stream", f"{number}-{number % 3}", "f", number, *["g", LONG][: number % 2 * 2])
        for number in range(2, 40)
    ]
    commands += [
        ("XADD", "stream", f"{2**64 - 1}-{2**64 - 1}", "last", "one"),
        ("XDEL", "stream", "5-2", "39-0", "2-2"),
        ("XGROUP", "CREATE", "stream", "all", "0"),
        ("XGROUP", "CREATE", "stream", "new", "$"),
        ("XGROUP", "CREATE", "stream", "middle", "10-1", "ENTRIESREAD", "8"),
        ("XREADGROUP", "GROUP", "all", "alice", "COUNT", "7", "STREAMS", "stream", ">"),
        ("XREADGROUP", "GROUP", "all", "bob", "COUNT", "9", "STREAMS", "stream", ">"),
        ("XREADGROUP", "GROUP", "all", "alice", "COUNT", "5", "STREAMS", "stream", ">"),
        ("XCLAIM", "stream", "all", "bob", "0", "3-0"),
        ("XACK", "stream", "all", "4-1", "6-0"),
        ("XDEL", "stream", "7-1"),
        ("XGROUP", "CREATECONSUMER", "stream", "all", "carol"),
        ("XADD", "emptied", "5-5", "f", "v"),
        ("XDEL", "emptied", "5-5"),
    ]
    for number in range(600):
        commands += [
            ("RPUSH", "many", f"element {number}", number),
            ("SADD", "many words", f"w{number}"),
            ("SADD", "many numbers", number * 3),
            ("HSET", "many fields", f"f{number}", number),
            ("ZADD", "many scores", number / 7, f"m{number}"),
        ]
    redis.call("FLUSHALL")
    for reply in redis.pipeline(*commands):
        assert not isinstance(reply, ErrorReply), reply


def contents(redis: RedisConnection, key: bytes) -> rdb.Value:
    """A value as commands tell it, but for a stream's groups."""
    match redis.call("TYPE", key):
        case b"string":
            return rdb.String(redis.call("GET", key))
        case b"list":
            return rdb.List(redis.call("LRANGE", key, 0, -1))
        case b"set":
            return rdb.Set(redis.call("SMEMBERS", key))
        case b"hash":
            return rdb.Hash(_pairs(redis.call("HGETALL", key)))
        case b"zset":
            scored = _pairs(redis.call("ZRANGE", key, 0, -1, "WITHSCORES"))
            return rdb.SortedSet([(member, float(score)) for member, score in scored])
        case other:
            assert other == b"stream", other
            return _stream(redis, key)


def _pairs(flat: list[bytes]) -> list[tuple[bytes, bytes]]:
    return list(zip(flat[::2], flat[1::2], strict=True))


def _id(text: bytes) -> rdb.StreamId:
    milliseconds, _, number = text.partition(b"-")
    return int(milliseconds), int(number)


def _named(flat: list[Any]) -> dict[bytes, Any]:
    return dict(_pairs(flat))


def _stream(redis: RedisConnection, key: bytes) -> rdb.Stream:
    told = _named(redis.call("XINFO", "STREAM", key, "FULL", "COUNT", 0))
    groups = []
    for group in map(_named, told[b"groups"]):
        consumers = list(map(_named, group[b"consumers"]))
        names = [consumer[b"name"] for consumer in consumers]
        groups.append(
            rdb.Group(
                group[b"name"],
                _id(group[b"last-delivered-id"]),
                group[b"entries-read"],
                [rdb.Consumer(one[b"name"], one[b"seen-time"], one[b"seen-time"]) for one in consumers],
                [
                    rdb.Pending(_id(id_), names.index(owner), at_ms, times)
                    for id_, owner, at_ms, times in group[b"pending"]
                ],
            )
        )
    return rdb.Stream(
        [(_id(id_), words) for id_, words in redis.call("XRANGE", key, "-", "+")],
        _id(told[b"last-generated-id"]),
        _id(told[b"max-deleted-entry-id"]),
        told[b"entries-added"],
        groups,
    )


def limit(redis: RedisConnection, limits: tuple[str, ...], compression: str) -> None:
    """Let values change their form at these sizes."""
    redis.call("CONFIG", "SET", *limits, "rdbcompression", compression)
    assert redis.call("CONFIG", "GET", "rdbcompression")[1].decode() == compression


ENCODINGS: dict[tuple[str, ...], dict[bytes, bytes]] = {
    SMALL_LIMITS: {
        b"list": b"quicklist",
        b"numbers": b"hashtable",
        b"words": b"hashtable",
        b"hash": b"listpack",
        b"long hash": b"hashtable",
        b"scores": b"skiplist",
        b"many fields": b"hashtable",
    },
    DEFAULT_LIMITS: {
        b"numbers": b"intset",
        b"wide numbers": b"intset",
        b"hash": b"listpack",
        b"scores": b"listpack",
        b"many scores": b"skiplist",
        b"many words": b"hashtable",
        b"many fields": b"hashtable",
    },
}
PLACES = pytest.mark.parametrize("limits", [SMALL_LIMITS, DEFAULT_LIMITS], ids=["small", "default"])
COMPRESSION = pytest.mark.parametrize("compression", ["yes", "no"])


@PLACES
@COMPRESSION
def test_what_redis_dumps_is_read(redis: RedisConnection, limits: tuple[str, ...], compression: str) -> None:
    """Every encoding: what is read is what its commands tell."""
    limit(redis, limits, compression)
    fill(redis)
    for key, encoding in ENCODINGS[limits].items():
        assert redis.call("OBJECT", "ENCODING", key) == encoding, key
    keys = redis.call("KEYS", "*")
    assert len(keys) >= 25
    for key in keys:
        value = rdb.gathered(rdb.read_payload(redis.call("DUMP", key)))
        assert comparable(value) == comparable(contents(redis, key)), key


@PLACES
@pytest.mark.parametrize("compress", [True, False])
def test_redis_restores_what_is_written(
    redis: RedisConnection, limits: tuple[str, ...], *, compress: bool
) -> None:
    """To the same digest; a stream's groups, too, which no digest has."""
    limit(redis, limits, "yes")
    fill(redis)
    for key in redis.call("KEYS", "*"):
        value = rdb.gathered(rdb.read_payload(redis.call("DUMP", key)))
        written = b"".join(rdb.payload_of(value, compress=compress))
        assert redis.call("RESTORE", b"copy", 0, written, "REPLACE") == b"OK", key
        one, other = redis.call("DEBUG", "DIGEST-VALUE", key, b"copy")
        assert one == other, key
        assert comparable(contents(redis, b"copy")) == comparable(contents(redis, key)), key


def test_redis_writes_small_values_as_we_do(redis: RedisConnection) -> None:
    """Without compression, byte for byte: lists, hashes and sorted sets that are packed, numbers, streams."""
    limit(redis, DEFAULT_LIMITS, "no")
    fill(redis)
    for key in (
        b"int8",
        b"int16",
        b"int32",
        b"int64",
        b"empty",
        b"raw",
        b"list",
        b"numbers",
        b"hash",
        b"emptied",
    ):
        dumped = redis.call("DUMP", key)
        value = rdb.gathered(rdb.read_payload(dumped))
        assert b"".join(rdb.payload_of(value, compress=False)) == dumped, key


def test_a_newer_version_is_refused_by_redis(redis: RedisConnection) -> None:
    """So 10 is the version to write for 7.0, and 11 is not."""
    written = b"".join(rdb.payload_of(rdb.String(b"x"), version=11))
    reply = redis.call("RESTORE", b"newer", 0, written)
    assert str(reply) == "ERR DUMP payload version or checksum are wrong"


@given(VALUES, st.booleans())
def test_any_value_comes_back_from_redis(
    redis: RedisConnection,
    value: rdb.Value,
    compress: bool,  # noqa: FBT001
) -> None:
    """Written by us, restored and dumped by Redis, and read."""
    written = b"".join(rdb.payload_of(value, compress=compress))
    before = rdb.gathered(rdb.read_payload(written))
    assert redis.call("RESTORE", b"any", 0, written, "REPLACE") == b"OK"
    after = rdb.gathered(rdb.read_payload(redis.call("DUMP", b"any")))
    assert comparable(after) == comparable(before)


LIBRARY = b"#!lua name=mylib\nredis.register_function('answer', function() return 42 end)"


def whole(record: rdb.Key) -> rdb.Value:
    """The value of a key in a file."""
    return rdb.String(record.value) if isinstance(record.value, bytes) else rdb.gathered(record.value)


@COMPRESSION
def test_a_file_of_redis_is_read(tmp_path: Path, compression: str) -> None:
    """With two databases, deadlines, a library of functions."""
    with RedisServer(*OPTIONS, "--dir", str(tmp_path)) as server, server.connect() as redis:
        limit(redis, SMALL_LIMITS, compression)
        fill(redis)
        redis.call("PEXPIREAT", "hash", 4_000_000_000_123)
        expected = {(0, key): comparable(contents(redis, key)) for key in redis.call("KEYS", "*")}
        redis.call("SELECT", 7)
        redis.call("SET", "other", "database", "PXAT", 4_000_000_000_456)
        redis.call("FUNCTION", "LOAD", LIBRARY)
        assert redis.call("SAVE") == b"OK"
    data = (tmp_path / "dump.rdb").read_bytes()
    contents_ = rdb.check_file(io.BytesIO(data))
    assert (contents_.version, contents_.keys, contents_.databases) == (10, len(expected) + 1, 2)
    assert (contents_.libraries, contents_.modules) == (1, ())
    found = {}
    deadlines = {}
    for record in rdb.read_file(io.BytesIO(data), all_unique=True):
        match record:
            case rdb.Key(database, key, deadline_ms):
                found[database, key] = comparable(whole(record))
                deadlines[database, key] = deadline_ms
            case rdb.Library(code):
                assert code == LIBRARY
            case rdb.Sizes(database, keys):
                assert keys == (1 if database else len(expected))
            case rdb.Aux(b"redis-ver", version):
                assert version.startswith(b"7.0")
            case _:
                pass
    assert found == {**expected, (7, b"other"): rdb.String(b"database")}
    assert deadlines.pop((0, b"hash")) == 4_000_000_000_123
    assert deadlines.pop((7, b"other")) == 4_000_000_000_456
    assert set(deadlines.values()) == {None}


@pytest.mark.parametrize("compress", [True, False])
def test_redis_loads_a_file_of_ours(tmp_path: Path, *, compress: bool) -> None:
    """All of it: the digest over everything is that of the server that it came from."""
    with RedisServer(*OPTIONS, "--dir", str(tmp_path)) as server, server.connect() as redis:
        fill(redis)
        redis.call("PEXPIREAT", "hash", 4_000_000_000_123)
        redis.call("SELECT", 7)
        redis.call("SET", "other", "database", "PXAT", 4_000_000_000_456)
        digest = redis.call("DEBUG", "DIGEST")
        assert redis.call("SAVE") == b"OK"
    theirs = (tmp_path / "dump.rdb").read_bytes()
    with (tmp_path / "ours.rdb").open("wb") as file:
        writer = rdb.FileWriter(file, compress=compress)
        for name, value in ((b"redis-ver", b"7.0.0"), (b"redis-bits", b"64"), (b"ctime", b"1700000000")):
            writer.aux(name, value)
        writer.aux(b"used-mem", b"1000000")
        writer.library(LIBRARY)
        for record in rdb.read_file(io.BytesIO(theirs)):
            if isinstance(record, rdb.Sizes):
                writer.database(record.database, keys=record.keys, deadlines=record.deadlines)
            elif isinstance(record, rdb.Key):
                writer.key(record.key, whole(record), record.deadline_ms)
        writer.end()
    rdb.check_file(io.BytesIO((tmp_path / "ours.rdb").read_bytes()))
    options = (*OPTIONS, "--dir", str(tmp_path), "--dbfilename", "ours.rdb")
    with RedisServer(*options) as server, server.connect() as redis:
        loaded(redis)
        assert redis.call("DEBUG", "DIGEST") == digest
        assert redis.call("PEXPIRETIME", "hash") == 4_000_000_000_123
        assert redis.call("FCALL", "answer", 0) == 42
        redis.call("SELECT", 7)
        assert redis.call("PEXPIRETIME", "other") == 4_000_000_000_456


def loaded(redis: RedisConnection) -> None:
    """Wait until it has loaded its file."""
    deadline = time.perf_counter() + 30
    while isinstance(redis.call("PING"), ErrorReply):
        assert time.perf_counter() < deadline, "it does not load the file"
        time.sleep(0.02)
