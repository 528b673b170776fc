"""Hashes, lists, sets and sorted sets as parts of the state: cuts, copies, replicas, draws and the account.

Each is promised for values that are packed and for those in parts.
"""

import random
from collections.abc import Sequence
from typing import Final

import pytest

from tests.machine.driving import Driver, collect, kept_bytes, reborn, restored
from trikv.machine.commands.elements import STEP_ELEMENTS, STEP_FIRST, changed_at_once
from trikv.machine.errors import EXEC_OOM
from trikv.machine.long_reads import INSIDE_MAX, WHOLE_MAX
from trikv.machine.replies import OK, CommandError, Reply, Streamed, rows_of
from trikv.machine.values.value import PACKED_COUNT_MAX, Value

SMALL: Final = 20
LARGE: Final = 3_000
assert SMALL < PACKED_COUNT_MAX < WHOLE_MAX < LARGE

FILL: Final = {
    "hash": lambda key, numbers: [f"HSET {key} f{number} {number}" for number in numbers],
    "list": lambda key, numbers: [f"RPUSH {key} {number}" for number in numbers],
    "set": lambda key, numbers: [f"SADD {key} m{number}" for number in numbers],
    "zset": lambda key, numbers: [f"ZADD {key} {number} m{number}" for number in numbers],
}
SHOW: Final = {
    "hash": "HGETALL {}",
    "list": "LRANGE {} 0 -1",
    "set": "SMEMBERS {}",
    "zset": "ZRANGE {} 0 -1 WITHSCORES",
}
CHANGE: Final = {
    "hash": ["HSET {} f7 other new 1", "HDEL {} f3 f11", "HINCRBY {} f5 100"],
    "list": ["LPUSH {} a b", "RPOP {}", "LSET {} 7 x", "LREM {} 1 11", "LINSERT {} BEFORE 9 y"],
    "set": ["SADD {} new", "SREM {} m3 m11", "SPOP {} 2"],
    "zset": ["ZADD {} 2.5 m7 -1 new", "ZREM {} m3 m11", "ZPOPMAX {}", "ZINCRBY {} 40 m1"],
}

ELSEWHERE: Final = {"hash": "HSET k f{} x", "list": "LSET k {} x", "set": "SREM k m{}", "zset": "ZREM k m{}"}
"""Of different numbers, changes of different parts."""

kinds = pytest.mark.parametrize("kind", list(FILL))
sizes = pytest.mark.parametrize("size", [SMALL, LARGE])


def filled(kind: str, size: int, key: str = "k") -> Driver:
    """A machine whose `key` has so many elements."""
    driver = Driver(seed=11)
    driver.run(*FILL[kind](key, range(size)))
    return driver


def whole(reply: Reply) -> object:
    """A reply as something that can be compared, a stream taken whole."""
    if not isinstance(reply, Streamed):
        found = rows_of(reply)
        assert found is not None
        return found[1]
    rows: list[object] = []
    while not reply.is_over:
        rows += reply.step()
    return [tuple(row) if isinstance(row, list) else row for row in rows]


def shown(driver: Driver, kind: str, key: str = "k") -> object:
    """All elements of a key."""
    return whole(driver.read(SHOW[kind].format(key)))


def in_parts(driver: Driver, key: str = "k") -> Value:
    """The value of a key, which is in parts."""
    entry = driver.machine.space.databases[0].find(key.encode())
    assert entry is not None
    assert isinstance(entry.value, Value)
    return entry.value


@kinds
@sizes
def test_a_snapshot_shows_its_instant(kind: str, size: int) -> None:
    """Whatever is written to the value while it is written, the index of a sorted set included."""
    driver = filled(kind, size)
    walk = driver.machine.walk({})
    document = walk.step(200)
    before = shown(driver, kind)
    for line in CHANGE[kind] * 2:
        driver.one(line.format("k"))
        document += walk.step(200)
    document += collect(walk)
    again = Driver()
    again.machine = restored(document)
    assert shown(again, kind) == before != shown(driver, kind)
    assert shown(driver, kind) == shown_again(driver, kind)


def shown_again(driver: Driver, kind: str) -> object:
    """What a replica shows that is restored from a snapshot of now."""
    again = Driver()
    again.machine = reborn(driver.machine)
    return shown(again, kind)


@kinds
@sizes
def test_a_restored_replica_goes_on_as_the_one_that_replayed_the_log(kind: str, size: int) -> None:
    """Through growth and shrinking: parts are split and joined at the same sizes, draws meet the same."""
    one = filled(kind, size)
    other = Driver(seed=11)
    other.machine, other._sequence = reborn(one.machine), one._sequence
    draw = random.Random(3)
    for turn in range(12):
        lines = FILL[kind]("k", draw.sample(range(2 * LARGE), 300)) if turn % 3 else []
        lines += [line.format("k") for line in CHANGE[kind]]
        if turn % 3 == 0 and kind != "list":
            lines.append(
                f"{ {'hash': 'HDEL', 'set': 'SREM', 'zset': 'ZREM'}[kind] } k " + names(kind, turn * 200)
            )
        one.seed = other.seed = draw.getrandbits(64)
        lines.append({"hash": "HLEN k", "list": "LLEN k", "set": "SCARD k", "zset": "ZCARD k"}[kind])
        assert one.run(*lines) == other.run(*lines)
        assert one.machine.digest() == other.machine.digest()
    assert shown(one, kind) == shown(other, kind) == shown_again(one, kind)


def names(kind: str, first: int) -> str:
    """Names of 200 elements."""
    letter = "f" if kind == "hash" else "m"
    return " ".join(f"{letter}{number}" for number in range(first, first + 200))


@kinds
@sizes
def test_a_copy_and_its_original_part(kind: str, size: int) -> None:
    """They are equal, share what they have, and neither sees what is written to the other."""
    for first, second in (("k", "copy"), ("copy", "k")):
        driver = filled(kind, size)
        before = shown(driver, kind)
        assert driver.run("COPY k copy", "EXPIRE copy 100") == [1, 1]
        assert shown(driver, kind, "copy") == before
        driver.run(*(line.format(first) for line in CHANGE[kind]))
        assert shown(driver, kind, second) == before
        changed = shown(driver, kind, first)
        driver.run(*(line.format(second) for line in CHANGE[kind]), *FILL[kind](second, [size, size + 1]))
        assert shown(driver, kind, first) == changed != before
        driver.one(f"DEL {second}")
        assert shown(driver, kind, first) == changed
        again = Driver()
        again.machine = reborn(driver.machine)
        assert shown(again, kind, first) == changed


@kinds
def test_a_copy_shares_the_parts(kind: str) -> None:
    """A million elements are copied as fast as their parts' references are."""
    driver = filled(kind, LARGE)
    driver.one("COPY k copy")
    mine, other = in_parts(driver).parts, in_parts(driver, "copy").parts
    assert mine is not other
    assert all(one is another for one, another in zip(mine, other, strict=True))


@kinds
def test_a_long_read_shows_the_instant_of_its_call(kind: str) -> None:
    """Whatever is written meanwhile; afterwards nothing is held, and what it kept is freed in slices."""
    driver = filled(kind, LARGE)
    before = shown(driver, kind)
    reply = driver.read(SHOW[kind].format("k"))
    assert isinstance(reply, Streamed)
    assert kept_bytes(reply) == 0
    for line in CHANGE[kind]:
        driver.one(line.format("k"))
    charge = in_parts(driver).charge
    assert 0 < kept_bytes(reply) < charge // 2, "only the parts that were changed"
    driver.one("DEL k")
    assert kept_bytes(reply) > charge // 2
    assert whole(reply) == before
    assert driver.machine.space.account.holds == 0


@kinds
def test_what_many_long_reads_keep_is_there_once(kind: str) -> None:
    """A write between two reads copies a part or two; the reads before it keep the same ones."""
    driver = filled(kind, LARGE)
    replies = []
    for number in range(20):
        replies.append(driver.read(SHOW[kind].format("k")))
        driver.one(ELSEWHERE[kind].format(number * LARGE // 20))
    alone = [kept_bytes(reply) for reply in replies]
    assert 0.99 * max(alone) < kept_bytes(*replies) < sum(alone) / 2
    for reply in replies:
        whole(reply)


@pytest.mark.parametrize(
    ("fill", "ask"),
    [("hash", "HRANDFIELD k {}"), ("set", "SRANDMEMBER k {}"), ("zset", "ZRANDMEMBER k {}")],
)
def test_to_draw_a_few_is_no_long_read(fill: str, ask: str) -> None:
    """However many there are: it neither keeps anything for itself, nor is it refused in a transaction."""
    driver = filled(fill, INSIDE_MAX + 1)
    for count, is_long in ((1, False), (-1, False), (WHOLE_MAX, False), (-WHOLE_MAX - 1, True)):
        reply = driver.read(ask.format(count))
        assert isinstance(reply, Streamed) == is_long
        assert len(whole(reply)) == abs(count)  # type: ignore[arg-type]
    drawn = driver.execute(ask.format(3))
    assert isinstance(drawn, list)
    assert len(whole(drawn[0])) == 3  # type: ignore[arg-type]
    assert driver.machine.space.account.holds == 0


def test_a_range_of_a_list_is_that_of_its_call() -> None:
    """Whatever is pushed and taken away in front of it before it is made."""
    driver = filled("list", 2 * LARGE)
    reply = driver.read(f"LRANGE k {LARGE} -1")
    driver.run("LPUSH k a b c", "LPUSHX k d", "LREM k 1 9", "LTRIM k 500 -2")
    assert whole(reply) == [b"%d" % number for number in range(LARGE, 2 * LARGE)]


@kinds
def test_a_value_that_goes_is_freed_in_slices(kind: str) -> None:
    """By whatever it goes: a key that takes its name, too. Only parts of it are freed at once."""
    for line in ("DEL k", "UNLINK k", "RENAME other k", "SET k v", "COPY other k REPLACE", "PEXPIREAT k 1"):
        driver = filled(kind, LARGE)
        driver.one("SET other v")
        while driver.machine.release(100):
            pass
        parts = len(in_parts(driver).parts)
        driver.one(line)
        slices = 1
        while driver.machine.release(1):
            slices += 1
        assert slices >= parts, line


@pytest.mark.parametrize("kind", ["set", "zset"])
def test_a_step_changes_fewer_elements_while_most_are_the_first_of_their_part(kind: str) -> None:
    """Behind a COPY each of those copies its part."""
    value = in_parts(filled(kind, LARGE))
    assert changed_at_once(value, 0) == changed_at_once(value, 3 * len(value.parts) - 1) == STEP_FIRST
    assert changed_at_once(value, 3 * len(value.parts)) == STEP_ELEMENTS > STEP_FIRST


@kinds
@sizes
def test_the_account_is_what_the_elements_are_charged(kind: str, size: int) -> None:
    """After changes of all kinds, by which it must neither drift nor be refused (the driver compares)."""
    driver = filled(kind, size)
    extra = {
        "hash": ["HSET k f7 longer-than-it-was", "HSET k f7 x", "HMSET k f8 1 f9 2 f8 3", "HSETNX k f7 y"],
        "list": [
            "RPUSH k 5 5 5",
            "LREM k 0 5",
            "LREM k -2 7",
            "LTRIM k 2 -3",
            "LMOVE k k LEFT RIGHT",
            "LPOP k 9",
        ],
        "set": ["SPOP k 4", "SPOP k", "SMOVE k other m7", "SUNIONSTORE other k other", "SREM k m1 m1"],
        "zset": [
            "ZREMRANGEBYRANK k 1 3",
            "ZREMRANGEBYSCORE k 4 8",
            "ZREMRANGEBYLEX k - [m2",
            "ZADD k CH 5 m7 5 m7",
            "ZPOPMIN k 2",
            "ZUNIONSTORE k 2 k k WEIGHTS 1 2",
        ],
    }[kind]
    for line in [each.format("k") for each in CHANGE[kind]] + extra:
        assert not isinstance(driver.one(line), CommandError), line
    driver.run("DEL k", "DEL other")
    assert driver.machine.used_memory == 0


@kinds
def test_what_outgrows_its_packed_form_is_charged_as_it_is_in_parts(kind: str) -> None:
    """By a long element, or by one too many; and it stays in parts."""
    driver = filled(kind, SMALL)
    packed = driver.machine.used_memory
    long = {"hash": "HSET k x {0}", "list": "RPUSH k {0}", "set": "SADD k {0}", "zset": "ZADD k 1 {0}"}[kind]
    driver.one(long.format("x" * 65))
    assert in_parts(driver).charge > packed
    driver.run(*[each.format("k") for each in CHANGE[kind]])
    assert in_parts(driver).count > 0
    assert driver.machine.used_memory == driver.machine.recount()


def test_a_pop_is_decided_by_the_entry() -> None:
    """By its seed, equally on every replica; and not by where a dict or a set happens to have its members."""
    popped = set()
    for seed in range(20):
        twins = [filled("set", SMALL), filled("set", SMALL)]
        replies: list[Sequence[Reply]] = []
        for driver in twins:
            driver.seed = seed
            replies.append(driver.run("SPOP k", "SPOP k 3", "SRANDMEMBER k 2"))
        assert replies[0] == replies[1]
        assert twins[0].machine.digest() == twins[1].machine.digest()
        popped.add(str(replies[0][0]))
    assert len(popped) > 5


def test_scores_are_numbers() -> None:
    """In order as such, equal ones by their members; a negative zero is zero, in the document too."""
    for size in (0, LARGE):
        driver = filled("zset", size, "z")
        driver.run("DEL z") if not size else driver.run("ZREMRANGEBYRANK z 4 -1")
        driver.run("DEL z", "ZADD z 10 a 9 b -2 c -10 d 1e3 e inf f -inf g 9 a2")
        assert driver.read("ZRANGE z 0 -1") == [b"g", b"d", b"c", b"a2", b"b", b"a", b"e", b"f"]
        plain, negative = Driver(), Driver()
        plain.one("ZADD z 0 m")
        negative.one("ZADD z -0.0 m")
        assert plain.machine.digest() == negative.machine.digest()
        assert negative.read("ZSCORE z m") == 0.0
        assert str(negative.read("ZSCORE z m")) == "0.0"


@sizes
def test_an_equal_score_changes_nothing(size: int) -> None:
    """Neither the number that CH answers nor the order; and each member is there once."""
    driver = filled("zset", size)
    before = shown(driver, "zset")
    assert driver.run("ZADD k CH 7 m7 8 m8", "ZADD k XX CH 9 m9", "ZADD k 10 m10", "ZCARD k") == [
        0,
        0,
        0,
        size,
    ]
    assert shown(driver, "zset") == before
    assert driver.run("ZREM k m7", "ZCOUNT k 7 7") == [1, 0]


@kinds
@sizes
def test_no_room_is_said_before_anything_is_done(kind: str, size: int) -> None:
    """An element more does not fit: nothing has changed, and what takes no room goes on."""
    driver = filled(kind, size)
    before, digest = shown(driver, kind), driver.machine.changes
    assert driver.one(f"CONFIG SET maxmemory {driver.machine.used_memory + 8}") == OK
    line = {"hash": "HSET k n {0}", "list": "LPUSH k {0}", "set": "SADD k {0}", "zset": "ZADD k 1 {0}"}[kind]
    for element in ("x" * 60, "x" * 5000):
        reply = driver.one(line.format(element))
        assert isinstance(reply, CommandError)
        assert reply.text.startswith("OOM")
    assert (shown(driver, kind), driver.machine.changes) == (before, digest)
    shrink = {"hash": "HDEL k f1", "list": "LPOP k", "set": "SREM k m1", "zset": "ZREM k m1"}[kind]
    assert not isinstance(driver.one(shrink), CommandError)


@kinds
@pytest.mark.parametrize("size", [PACKED_COUNT_MAX - 1, PACKED_COUNT_MAX, LARGE])
def test_no_transaction_meets_the_cap_half_way(kind: str, size: int) -> None:
    """It is refused whole, or carried out whole, also where a value leaves its packed form by it."""
    driver = filled(kind, size)
    line = {"hash": "HSET k n {0}", "list": "LPUSH k {0}", "set": "SADD k {0}", "zset": "ZADD k 1 {0}"}[kind]
    came = set()
    used = driver.machine.used_memory
    for room in (150, 400, 1_000, 3_000, 10_000, 20_000, 40_000):
        for element in ("new", "x" * 100):
            driver.machine.space.account.set_cap(used + room)
            reply = driver.execute("SET s 1", line.format(element))
            came.add(reply == EXEC_OOM)
            assert reply == EXEC_OOM or not any(isinstance(each, CommandError) for each in rows(reply)), room
            driver.machine.space.account.set_cap(0)
            driver = filled(kind, size)
    assert came == {True, False}


def rows(reply: Reply) -> list[Reply]:
    """The replies of a transaction that was carried out."""
    assert isinstance(reply, list)
    return reply


def test_ranges_by_name_follow_from_the_members_alone() -> None:
    """Also where scores differ, and names are in no order: a restored index has other chunks."""
    one, other = filled("zset", LARGE), Driver(seed=11)
    one.run(*(f"ZADD k {number} m{number:06}" for number in random.Random(1).sample(range(LARGE), 900)))
    other.machine = reborn(one.machine)
    for low in range(0, LARGE, 97):
        line = f"ZLEXCOUNT k [m{low:06} (m{low + 50}"
        assert one.read(line) == other.read(line)


def test_a_restored_list_is_sealed_as_the_one_that_replayed_the_log() -> None:
    """Whatever is between its ends: a list of objects takes four times the memory."""
    one, other = filled("list", LARGE), Driver(seed=11)
    other.machine = reborn(one.machine)
    kinds = [[type(part) for part in in_parts(driver).parts] for driver in (one, other)]
    assert kinds[0] == kinds[1]
    assert set(kinds[0][1:-1]) == {bytes}


@kinds
def test_a_read_of_what_has_not_changed_leaves_nothing_to_be_freed(kind: str) -> None:
    """The value has it all; and of one that has changed only what was copied."""
    driver = filled(kind, LARGE)
    while driver.machine.release(10_000):
        pass
    reply = driver.read(SHOW[kind].format("k"))
    assert isinstance(reply, Streamed)
    reply.close()
    assert not driver.machine.discarded
    reply = driver.read(SHOW[kind].format("k"))
    assert isinstance(reply, Streamed)
    driver.one(CHANGE[kind][0].format("k"))
    reply.close()
    slices = 0
    while driver.machine.release(1):
        slices += 1
    assert 0 < slices < len(in_parts(driver).released()) // 2


@kinds
def test_a_long_transaction_fits_where_all_of_it_does(kind: str) -> None:
    """What a value takes more in parts counts once for a key, and not for each command."""
    driver = Driver(cap=8 << 20)
    lines = FILL[kind]("k", range(3_000))
    assert isinstance(driver.execute(*lines), list)
    driver = Driver(cap=1 << 16)
    assert driver.execute(*lines) == EXEC_OOM


def test_a_part_of_a_list_has_few_bytes_whatever_is_put_into_its_middle() -> None:
    """It is hashed and copied in one step."""
    driver = filled("list", 300)
    long = b"x" * 100_000
    for number in range(40):
        driver.run((b"LINSERT", b"k", b"BEFORE", b"150", long), (b"LSET", b"k", b"%d" % (200 + number), long))
    list_ = in_parts(driver)
    assert max(sum(map(len, list_.elements(part))) for part in list_.parts) < 4 * len(long)
    assert driver.read("LLEN k") == 340
    assert shown_again(driver, "list") == shown(driver, "list")
