"""SWAPDB: two databases exchange all their keys, and whoever looks at one goes on to see what it saw."""

from collections.abc import Iterator

import pytest

from tests.machine.driving import Driver, collect, reborn, restored
from tests.redis_server import RedisConnection, RedisServer
from trikv.client.replies import ErrorReply
from trikv.machine.account import DATABASES
from trikv.machine.batch import Watch
from trikv.machine.cut import Cut
from trikv.machine.effects import ALL, REMOVED, SWAPPED, WRITTEN, Awaited, Touched
from trikv.machine.fork import ForkedKeyspace
from trikv.machine.replies import OK, CommandError
from trikv.machine.stored import value_of


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisConnection]:
    """A server of our own on a free port."""
    with RedisServer() as server, server.connect() as connection:
        yield connection


def filled() -> Driver:
    """Database 0 has `zero` and `both`, database 3 `three` and `both`; nothing is alike."""
    driver = Driver()
    driver.run("SET zero 0", "RPUSH both a b", "SELECT 3", "SET three 3 PX 5000", "SET both third")
    return driver


@pytest.mark.parametrize(
    "line",
    [
        "SWAPDB 0 3",
        "SWAPDB 3 3",
        "SWAPDB 0 16",
        "SWAPDB -1 0",
        "SWAPDB x 0",
        "SWAPDB 0 x",
        "SWAPDB x y",
        "SWAPDB 0 4294967296",
        "SWAPDB 99 x",
        "SWAPDB 0",
    ],
)
def test_it_answers_as_redis_does(redis: RedisConnection, line: str) -> None:
    """Numbers are judged one after the other, then whether there are such databases."""
    reply, real = Driver().one(line), redis.line(line)
    if isinstance(real, ErrorReply):
        assert isinstance(reply, CommandError)
        assert reply.text == str(real)
    else:
        assert (reply, real) == (OK, b"OK")


def test_all_keys_change_places_with_what_belongs_to_them() -> None:
    """Values, deadlines, counts, the account; the selected number stays selected."""
    driver = filled()
    shares = driver.machine.space.account.shares
    before = shares[0], shares[3]
    assert driver.run("SWAPDB 0 3", "GET three", "TTL three", "GET both", "GET zero", "DBSIZE") == [
        OK,
        b"3",
        5,
        b"third",
        None,
        2,
    ]
    assert driver.run("SELECT 3", "GET zero", "LRANGE both 0 -1") == [OK, b"0", [b"a", b"b"]]
    assert (shares[3], shares[0]) == before
    driver.pass_ms(5000)
    assert driver.run("DBSIZE", "SELECT 3", "DBSIZE") == [1, OK, 2]


def test_it_may_stand_in_a_pipeline_or_a_transaction() -> None:
    """What follows it is carried out in the new contents."""
    driver = filled()
    assert driver.run("SET a 1", "SWAPDB 0 3", "SET a 2", "SWAPDB 0 3", "GET a") == [OK, OK, OK, OK, b"1"]
    assert driver.execute("SWAPDB 3 0", "GET a", "SELECT 3", "GET a") == [OK, b"2", OK, b"1"]


def test_a_restored_replica_is_equal() -> None:
    """The digest, which covers each database under its number, and the document itself."""
    driver = filled()
    first = driver.machine.digest()
    driver.one("SWAPDB 0 3")
    assert driver.machine.digest() != first
    again = reborn(driver.machine)
    assert again.digest() == driver.machine.digest()
    driver.run("SWAPDB 3 0")
    assert reborn(driver.machine).digest() == driver.machine.digest()


def test_a_snapshot_that_was_begun_shows_its_instant() -> None:
    """Under the numbers of then, whatever is swapped and written while it is written."""
    driver = filled()
    for number in range(500):
        driver.one(f"SET key{number} {number}")
    whole = collect(driver.machine.walk({}))
    walk = driver.machine.walk({})
    document = walk.step(100)
    driver.run(
        "SWAPDB 0 3", "SET three x", "DEL both", "SELECT 3", "SET zero y", "RPUSH both c", "SWAPDB 3 5"
    )
    driver.run(*(f"SET key{number} z" for number in range(500)), "SELECT 5", "FLUSHDB")
    while piece := walk.step(100):
        document += piece
    assert document == whole
    assert restored(document).digest() == restored(whole).digest()


def test_a_cut_of_one_database_goes_with_its_keys() -> None:
    """It hears of writes to them under their new number, and of none to the others."""
    driver = filled()
    databases = driver.machine.space.databases
    cut = Cut((databases[0],))
    driver.run("SWAPDB 0 3", "SET zero new", "SELECT 3", "SET zero new", "DEL both")
    assert {key: value_of(one) for _, step in cut.entries() for key, one in step}[b"zero"] == b"0"
    assert not any(origin.was_flushed for origin in cut._databases.values())
    cut.close()
    assert driver.run("SELECT 3", "GET zero") == [OK, b"new"]


def test_a_fork_leaves_its_base_alone() -> None:
    """What is rehearsed in it did not happen."""
    driver = filled()
    digest = driver.machine.digest()
    fork = ForkedKeyspace(driver.machine.space)
    fork.swap(0, 3)
    fork.databases[3].store(b"zero", b"rehearsed")
    assert fork.databases[3].string(b"zero") == b"rehearsed"
    assert driver.machine.digest() == digest
    assert driver.run("GET zero") == [b"0"]


def test_a_watched_key_is_another_one_then() -> None:
    """In either database; but not a key that is in neither."""
    driver = filled()
    (entry,) = [driver.machine.space.databases[0].find(b"both")]
    assert entry is not None
    watches = Watch(0, b"both", entry.version), Watch(0, b"neither", 0)
    driver.one("SWAPDB 0 3")
    assert driver.execute("GET both", watches=watches[:1]) is None
    assert driver.execute("GET both", watches=watches[1:]) == [b"third"]


def test_who_waits_is_told() -> None:
    """Of the awaited keys of both databases, as they are there from now on; of all if all is awaited."""
    driver = filled()
    awaited = Awaited(DATABASES)
    awaited.keys[0].update(dict.fromkeys([b"zero", b"both", b"three", b"neither"]))
    awaited.keys[3].update({ALL: None})
    driver.machine.tell_of(awaited)
    driver.one("SWAPDB 3 0")
    told = [
        (effect.db, effect.key, effect.change) for effect in driver.effects if isinstance(effect, Touched)
    ]
    assert sorted(told, key=repr) == sorted(
        [(0, b"zero", REMOVED), (0, b"both", WRITTEN), (0, b"three", WRITTEN), (3, None, SWAPPED)], key=repr
    )
    driver.effects.clear()
    driver.run("SET zero 1", "SELECT 3", "SET other 1")
    told = [
        (effect.db, effect.key, effect.change) for effect in driver.effects if isinstance(effect, Touched)
    ]
    assert told == [(0, b"zero", WRITTEN), (3, b"other", WRITTEN)]


def test_who_waits_goes_on_to_wait_in_its_own_database() -> None:
    """Whichever keys have come there: nobody waits for anything in the other one."""
    driver = filled()
    awaited = Awaited(DATABASES)
    awaited.keys[0].update({b"zero": None})
    driver.machine.tell_of(awaited)
    driver.one("SWAPDB 0 5")
    driver.effects.clear()
    driver.run("SET zero 2", "SELECT 5", "SET zero 1")
    assert [(one.db, one.key, one.change) for one in driver.effects if isinstance(one, Touched)] == [
        (0, b"zero", WRITTEN)
    ]
