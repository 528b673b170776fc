"""At full memory trikv refuses what Redis refuses, and lets through what Redis lets through."""

from collections.abc import Iterator
from typing import Final

import pytest

from tests.machine.driving import Driver, reborn, words
from tests.redis_server import RedisConnection, RedisServer
from trikv.client.replies import ErrorReply
from trikv.machine.account import SPARE_PARTS
from trikv.machine.commands import TABLE
from trikv.machine.errors import EXEC_OOM, OOM
from trikv.machine.features import FEATURE_LEVEL
from trikv.machine.memory import charges_of
from trikv.machine.replies import OK, CommandError, Reply

DATA: Final = (
    "SET text hello",
    "SET number 12345",
    "SET brief value EX 1000",
    f"SET large {'x' * 20_000}",
    "HSET hash field value number 12",
    "RPUSH list a b c",
    "SADD set a b c",
    "SADD more a b d",
    "ZADD scores 1 a 2 b 3 c",
)

GROWING: Final = (
    "APPEND text longer",
    "APPEND fresh value",
    "DECR fresh",
    "DECRBY fresh 5",
    "GETSET text longer",
    "INCR fresh",
    "INCRBY fresh 5",
    "INCRBYFLOAT number 0.5",
    "MSET text 1 fresh 2",
    "MSETNX fresh 1 other 2",
    "PSETEX text 100000 hello",
    "SET fresh value",
    "SET text longer",
    "SET text hello EX 100",
    "SET text longer GET",
    "SET text longer KEEPTTL",
    "SET text longer XX",
    "SETEX text 100 hello",
    "SETNX fresh value",
    "SETRANGE text 4 longer",
    "BITFIELD fresh SET u8 0 1",
    "BITOP NOT fresh text",
    "COPY text fresh",
    "COPY hash fresh",
    "HINCRBY hash fresh 1",
    "HINCRBYFLOAT hash number 0.5",
    "HMSET hash fresh value",
    "HSET hash fresh value",
    "HSET hash field longer-than-it-was",
    "HSETNX hash fresh value",
    "LINSERT list BEFORE b x",
    "LMOVE list fresh LEFT RIGHT",
    "LPUSH fresh a",
    "LPUSH list a",
    "LPUSHX list a",
    "LSET list 0 longer",
    "RPOPLPUSH list fresh",
    "RPUSH list a",
    "RPUSHX list a",
    "SADD set fresh",
    "SDIFFSTORE fresh set more",
    "SETBIT text 100 1",
    "SINTERSTORE fresh set more",
    "SUNIONSTORE fresh set more",
    "ZADD scores 4 fresh",
    "ZDIFFSTORE fresh 1 scores",
    "ZINCRBY scores 1 fresh",
    "ZINTERSTORE fresh 1 scores",
    "ZRANGESTORE fresh scores 0 1",
    "ZUNIONSTORE fresh 1 scores",
    "GEOADD scores 1 2 fresh",
    "GEORADIUS scores -180 -85.05 900 km STORE fresh",
    "GEORADIUSBYMEMBER scores a 1 m STORE fresh",
    "GEOSEARCHSTORE fresh scores FROMMEMBER a BYRADIUS 1 m",
    "PFADD fresh a",
    "PFMERGE fresh",
    "SORT list ALPHA STORE fresh",
)
"""Redis refuses these at full memory, and they would grow the account."""

STAYING: Final = {
    "APPEND text ": "appends nothing",
    "DECR number": "the same digits",
    "DECRBY number 1": "the same digits",
    "GETSET text hallo": "a value of the same length",
    "INCR number": "the same digits",
    "INCRBY number 1": "the same digits",
    "INCRBYFLOAT number 1": "the same digits",
    "MSET text hallo number 1": "values of the same length or less",
    "MSETNX text a fresh b": "one is there already: nothing is set",
    "PSETEX brief 100000 value": "it has a deadline already",
    "SET text hi": "a shorter value",
    "SET text hallo": "a value of the same length",
    "SET fresh value XX": "it is absent: nothing is set",
    "SET text x NX": "it is there: nothing is set",
    "SET brief v": "a shorter value, and the deadline goes",
    "SETEX brief 100 value": "it has a deadline already",
    "SETNX text longer": "it is there: nothing is set",
    "SETRANGE text 0 hallo": "within the value",
    "BITFIELD text INCRBY u8 0 1": "within the value",
    "BITOP AND text text number": "a value of the same length",
    "COPY absent fresh": "nothing is copied",
    "HINCRBY hash number 1": "the same digits",
    "HSET hash field hallo": "a value of the same length",
    "HSETNX hash field longer": "it is there: nothing is set",
    "LINSERT list BEFORE x fresh": "there is no such element: nothing is inserted",
    "LMOVE list list LEFT RIGHT": "the same elements",
    "LPUSHX fresh a": "it is absent: nothing is pushed",
    "LSET list 0 b": "an element of the same length",
    "SADD set a": "it is there already",
    "SDIFFSTORE list set more": "a smaller value",
    "SETBIT text 1 1": "within the value",
    "ZADD scores 4 a": "another score of the same member",
    "ZINCRBY scores 1 a": "another score of the same member",
    "ZRANGESTORE scores scores 0 1": "a smaller value",
    "GEORADIUS scores 1 2 1 m": "nothing is stored",
    "PFDEBUG ENCODING text": "it only looks",
    "SORT list ALPHA": "nothing is stored",
}
"""Redis refuses these at full memory without a look at what they do. trikv refuses a write only if the
account would pass the cap, so that what takes no memory goes on until the cap itself is passed."""

ALLOWED: Final = (
    "CLEAN",
    "CONFIG SET maxmemory 1gb",
    "DEL text",
    "DELETE text",
    "EXPIRE text 100",
    "EXPIRE text -1",
    "EXPIRE brief 5",
    "EXPIREAT text 4000000000",
    "FLUSHALL",
    "FLUSHDB",
    "GETDEL text",
    "GETEX text EX 100",
    "GETEX brief PERSIST",
    "PERSIST brief",
    "PEXPIRE text 100000",
    "PEXPIREAT text 4000000000000",
    "RENAME text a-longer-name-than-before",
    "RENAME text number",
    "RENAMENX text a-longer-name-than-before",
    "UNLINK text",
    "HDEL hash field",
    "LMPOP 1 list LEFT",
    "LPOP list",
    "LREM list 0 a",
    "LTRIM list 1 1",
    "MOVE text 1",
    "MOVE hash 1",
    "RENAME hash text",
    "RPOP list",
    "SMOVE set more c",
    "SPOP set",
    "SREM set a",
    "SWAPDB 0 1",
    "ZMPOP 1 scores MIN",
    "ZPOPMAX scores",
    "ZPOPMIN scores",
    "ZREM scores a",
    "ZREMRANGEBYLEX scores - +",
    "ZREMRANGEBYRANK scores 0 0",
    "ZREMRANGEBYSCORE scores 1 2",
)
"""Redis carries these out at full memory: most of them are the way out of it."""

OF_OUR_OWN: Final = (
    "DEBUG WORK 1 fresh",
    "HEXPIRE hash 100 FIELDS 1 field",
    "HEXPIREAT hash 4000000000 FIELDS 1 field",
    "HPEXPIRE hash 100000 FIELDS 1 field",
    "HPEXPIREAT hash 4000000000000 FIELDS 1 field",
    "HSETEX hash EX 100 FIELDS 1 fresh value",
)
"""Redis 7.0 has nothing like these. They are refused as soon as they might grow the account; so are those of
fields in Redis 7.4, over its cap."""

LATER_ALLOWED: Final = (
    "HGETDEL hash FIELDS 1 field",
    "HGETEX hash EX 100 FIELDS 1 number",
    "HGETEX hash PERSIST FIELDS 1 number",
    "HPERSIST hash FIELDS 1 number",
)
"""Redis 7.0 has nothing like these; later ones carry them out at full memory."""

LINES: Final = (*GROWING, *STAYING, *ALLOWED)
THEIR_NAMES: Final = {"CLEAN": "FLUSHALL", "DELETE": "DEL"}
"""Commands of trikv's own, and what they are called in Redis."""
PAIRS: Final = ("DEL number|EXPIRE text 100", "EXPIRE text 100|SET fresh v", "SET text hi|DEL text")
"""Transactions of two commands."""


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisConnection]:
    """A connection to a server of our own, which evicts nothing."""
    with RedisServer("--maxmemory-policy", "noeviction") as server:
        connection = server.connect()
        yield connection
        connection.close()


def arguments(line: str) -> tuple[bytes, ...]:
    """The words of a line; a blank at its end is an empty one."""
    return (*words(line), b"") if line.endswith(" ") else words(line)


def filled(cap_above_used: int, *, level: int = FEATURE_LEVEL) -> Driver:
    """A machine with `DATA`, its cap so many bytes above what is used."""
    driver = Driver(level=level)
    driver.run(*DATA)
    assert driver.one(f"CONFIG SET maxmemory {driver.machine.used_memory + cap_above_used}") == OK
    return driver


def is_refused(reply: Reply) -> bool:
    """For want of memory."""
    return reply in (OOM, EXEC_OOM)


def redis_refuses(redis: RedisConnection, *lines: str) -> bool:
    """Whether Redis, at full memory, refuses this command; or, where it is several, them as a transaction."""
    redis.line("CONFIG SET maxmemory 0")
    redis.line("FLUSHALL")
    for line in DATA:
        assert not isinstance(redis.line(line), ErrorReply)
    redis.line("CONFIG SET maxmemory 1")  # far below what an empty server takes: it is full by any measure
    replies = []
    if len(lines) > 1:
        replies.append(redis.line("MULTI"))
    for line in lines:
        name, *rest = arguments(line)
        replies.append(redis.call(THEIR_NAMES.get(name.decode(), name.decode()).encode(), *rest))
    if len(lines) > 1:
        replies.append(redis.line("EXEC"))
    return any(isinstance(reply, ErrorReply) and "OOM" in str(reply) for reply in replies)


def test_every_write_command_is_tried() -> None:
    """A command that is added must say here what becomes of it at full memory."""
    tried = {TABLE.find(arguments(line)) for line in (*LINES, *OF_OUR_OWN, *LATER_ALLOWED)}
    assert {command.name for command in tried if not isinstance(command, CommandError)} == {
        command.name for command in TABLE if command.writes
    }


@pytest.mark.parametrize("line", LINES)
def test_over_the_cap_the_same_is_refused(redis: RedisConnection, line: str) -> None:
    """Once the account has passed the cap, by an EXPIRE or by a lower cap, no command differs."""
    refused = is_refused(filled(-1).one(arguments(line)))
    assert refused == redis_refuses(redis, line) == (line not in ALLOWED)


@pytest.mark.parametrize("line", LINES)
def test_at_the_cap_what_differs_is_listed(redis: RedisConnection, line: str) -> None:
    """Full to the byte: refused here if and only if it is there, but for what takes no memory."""
    driver = filled(0)
    used = driver.machine.used_memory
    refused = is_refused(driver.one(arguments(line)))
    assert refused == (line in GROWING)
    assert redis_refuses(redis, line) == (refused or line in STAYING)
    assert line in ALLOWED or driver.machine.used_memory <= used


@pytest.mark.parametrize("line", OF_OUR_OWN)
def test_what_is_our_own_is_refused_too(line: str) -> None:
    """Over the cap and at it."""
    assert is_refused(filled(-1).one(line))
    assert is_refused(filled(0).one(line))


@pytest.mark.parametrize("line", LATER_ALLOWED)
def test_what_later_releases_allow_is_allowed(line: str) -> None:
    """Over the cap and at it."""
    for above in (-1, 0):
        assert not isinstance(filled(above).one(line), CommandError)


@pytest.mark.parametrize("pair", PAIRS)
def test_transactions_at_full_memory(redis: RedisConnection, pair: str) -> None:
    """Deadlines and deletes go through whole; one command that is refused at full memory refuses them all.

    Redis refuses every transaction then, for its queue of commands takes from the same memory. Here it does
    not, and what frees memory may do so in one step.
    """
    lines = pair.split("|")
    assert is_refused(filled(-1).execute(*lines)) == ("SET" in pair)
    assert redis_refuses(redis, *lines)


CHARGES = charges_of(FEATURE_LEVEL)


def test_deadlines_pass_the_cap_by_an_eighth_at_most() -> None:
    """The first deadlines go through, the spare room ends, and what expires makes room again."""
    driver = Driver(cap=100 * CHARGES.key(3, 1, 0))
    assert driver.run(*(f"SET k{number:02} v" for number in range(100))) == [OK] * 100
    cap = driver.machine.maxmemory
    assert driver.machine.used_memory == cap
    replies = driver.run(*(f"EXPIRE k{number:02} 10" for number in range(100)))
    given = cap // SPARE_PARTS // CHARGES.expiry_bytes
    assert replies == [1] * given + [OOM] * (100 - given)
    assert cap < driver.machine.used_memory <= cap + cap // SPARE_PARTS
    assert driver.run("SET k00 v", "EXPIRE k00 20", "GETEX k01 EX 20", "PERSIST k02") == [OOM, 1, b"v", 1]
    driver.pass_ms(15_000)
    assert driver.machine.used_memory < cap
    assert driver.run("SET k00 v", "EXPIRE k99 10") == [OK, 1]


def test_names_pass_the_cap_by_an_eighth_at_most() -> None:
    """RENAME is allowed as EXPIRE is, and has the same end."""
    driver = Driver(cap=10_000)
    driver.run((b"SET", b"k", b"v" * 9_000))
    assert driver.call(b"RENAME", b"k", b"n" * 3_000) == OOM
    assert driver.call(b"RENAME", b"k", b"n" * 1_500) == OK
    assert 10_000 < driver.machine.used_memory <= 11_250


def test_a_transaction_that_stays_in_the_spare_room() -> None:
    """No command of a transaction meets the cap half-way: an EXPIRE before a SET counts against the cap."""
    driver = Driver(cap=4_000)
    driver.run((b"SET", b"k", b"v" * 3_300), "SET x 1")
    assert driver.execute("EXPIRE k 10", "SET x 2") == EXEC_OOM
    assert driver.execute("EXPIRE k 10", "PERSIST k") == [1, 1]
    assert driver.execute(*["EXPIRE k 10"] * 3) == EXEC_OOM


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_cluster_keeps_the_level_that_it_was_founded_at(level: int) -> None:
    """What the log of the first release refused is refused for ever there, after a restored snapshot too."""
    driver = filled(0, level=level)
    assert driver.machine.feature_level == level
    for _ in range(2):
        expected = [OOM, OOM, EXEC_OOM] if level == 1 else [1, b"hello", [1]]
        replies = [*driver.run("EXPIRE text 100", "GETEX text EX 100"), driver.execute("EXPIRE number 5")]
        assert replies == expected
        driver.run("PERSIST text", "PERSIST number")
        driver.machine = reborn(driver.machine)
    assert driver.one("RENAME text a-longer-name") == (OOM if level == 1 else OK)
