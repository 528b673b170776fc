"""Entries in, outcomes out: proposals, transactions, reads, bugs."""

import attrs
import msgspec
import pytest

from tests.machine.driving import NODE, NOW, Driver, payload, reborn, whole
from trikv.machine.batch import Bootstrap, Forgotten, Hello, RawBatch, Submission, Transaction, Watch
from trikv.machine.commands import TABLE
from trikv.machine.database import Database
from trikv.machine.errors import DB_INDEX, EXEC_ERRORS, INTERNAL
from trikv.machine.features import FEATURE_LEVEL, FeatureLevelError
from trikv.machine.machine import Machine
from trikv.machine.outcomes import Applied, LifeOpened, OriginRow, Reason, Skipped
from trikv.machine.replies import OK, CommandError, Reply

SET_A = ((b"SET", b"a", b"1"),)


def test_hello_opens_a_life() -> None:
    """A Hello's log index is the incarnation; the row then expects sequence 1 (PROTOCOL 1)."""
    machine = Machine()
    machine.apply_membership(1, [7])
    assert machine.row(7) is None
    assert whole(machine.apply(5, payload(NOW, Hello(7, b"n")), origin=7)) == [LifeOpened(b"n", 5)]
    assert machine.row(7) == OriginRow(5, b"n", 1)


def test_repeated_hello_keeps_the_life() -> None:
    """A Hello with the row's nonce changes nothing and still tells the incarnation."""
    driver = Driver()
    driver.one("SET a 1")
    assert driver.batch(Hello(NODE, b"life")) == [LifeOpened(b"life", 2)]
    assert driver.machine.row(NODE) == OriginRow(2, b"life", 2)


def test_new_hello_replaces_the_life() -> None:
    """A new nonce starts over; proposals that quote the old incarnation are skipped."""
    driver = Driver()
    driver.one("SET a 1")
    assert driver.batch(Hello(NODE, b"next")) == [LifeOpened(b"next", 4)]
    assert driver.batch(Submission(NODE, 2, 2, 0, SET_A)) == [Skipped(2, 2, Reason.INCARNATION)]
    assert driver.batch(Submission(NODE, 4, 1, 0, SET_A)) == [Applied(4, 1, [OK], 1)]


def test_two_lives_never_share_an_incarnation() -> None:
    """Of two Hellos of one origin in one entry the first wins, and the second sees a foreign nonce."""
    driver = Driver()
    outcomes = driver.batch(Hello(NODE, b"x"), Hello(NODE, b"y"))
    assert outcomes == [LifeOpened(b"x", 3), LifeOpened(b"x", 3)]


def test_sequence_rules() -> None:
    """Only the next sequence applies: lower is a duplicate, higher a gap; neither advances (PROTOCOL 2)."""
    driver = Driver()
    assert driver.batch(Submission(NODE, 2, 2, 0, SET_A)) == [Skipped(2, 2, Reason.GAP)]
    assert driver.batch(Submission(NODE, 2, 1, 0, SET_A)) == [Applied(2, 1, [OK], 1)]
    assert driver.batch(Submission(NODE, 2, 1, 0, SET_A)) == [Skipped(2, 1, Reason.DUPLICATE)]
    assert driver.batch(Submission(2, 2, 1, 0, SET_A)) == []
    assert driver.machine.row(NODE) == OriginRow(2, b"life", 2)


def test_forgotten_uses_its_sequence() -> None:
    """A submission given up does nothing but take its place in the sequence (PROTOCOL 3)."""
    driver = Driver()
    digest_keys = driver.machine.keys()
    assert driver.batch(Forgotten(NODE, 2, 1)) == [Applied(2, 1, [], 1)]
    assert driver.batch(Forgotten(NODE, 2, 1)) == [Skipped(2, 1, Reason.DUPLICATE)]
    assert driver.batch(Submission(NODE, 2, 2, 0, SET_A)) == [Applied(2, 2, [OK], 1)]
    assert driver.machine.keys() == digest_keys + 1


def test_outcomes_are_for_the_asking_origin() -> None:
    """Items of others apply in silence."""
    driver = Driver()
    outcomes = driver.batch(
        Hello(2, b"two"),
        Submission(NODE, 2, 1, 0, SET_A),
        Forgotten(3, 1, 1),
    )
    assert outcomes == [Applied(2, 1, [OK], 2)]
    assert driver.machine.row(2) == OriginRow(3, b"two", 1)


def test_membership() -> None:
    """Rows of removed members go; what a non-member proposes is skipped; a member must say Hello first."""
    driver = Driver()
    driver.machine.apply_membership(3, [2, 3, 3])
    assert driver.machine.members == (2, 3)
    assert driver.machine.row(NODE) is None
    assert driver.batch(Hello(NODE, b"life")) == [Skipped(0, 0, Reason.NOT_MEMBER)]
    assert driver.batch(Submission(NODE, 2, 1, 0, SET_A)) == [Skipped(2, 1, Reason.NOT_MEMBER)]
    driver.machine.apply_membership(6, [NODE])
    assert driver.batch(Submission(NODE, 2, 1, 0, SET_A)) == [Skipped(2, 1, Reason.INCARNATION)]


def test_index_only_grows() -> None:
    """An entry is applied once: going back is a bug of the caller."""
    machine = Machine()
    machine.skip(3)
    assert machine.index == 3
    with pytest.raises(AssertionError, match="entry 3 after 3"):
        machine.skip(3)


def test_bootstrap_is_obeyed_once() -> None:
    """The first bootstrap item sets cap and feature level; later ones change nothing (PROTOCOL 22)."""
    driver = Driver(cap=5_000_000, level=1)
    driver.batch(Bootstrap(1, 2))
    driver.batch(Bootstrap(1, 99))
    assert (driver.machine.maxmemory, driver.machine.feature_level) == (5_000_000, 1)


def test_a_level_of_a_newer_release_stops_the_node() -> None:
    """Whoever does not know the rules would disagree with the other replicas: by the log, by a snapshot."""
    later = FEATURE_LEVEL + 1
    with pytest.raises(
        FeatureLevelError, match=f"level {later} and this release knows {FEATURE_LEVEL}; start"
    ):
        Driver(level=FEATURE_LEVEL + 1)
    driver = Driver()
    driver.machine.space.account.feature_level = FEATURE_LEVEL + 1
    with pytest.raises(FeatureLevelError):
        reborn(driver.machine)


@pytest.mark.parametrize("level", [1, 3])
def test_what_a_cluster_of_an_older_level_does_not_know_changes_nothing(level: int) -> None:
    """Its other replicas may be of an older release, to which these are unknown commands (PROTOCOL 22)."""
    driver = Driver(level=level)
    driver.one("SET a 1")
    changes = driver.machine.changes
    needs = CommandError(
        f"ERR HSET needs feature level 4; this cluster was founded at level {level}, by an older release"
    )
    for _ in range(2):
        assert driver.run("hset h f v", "SETBIT a 1 1", "COPY a b", "SWAPDB 0 1", "GET a")[0] == needs
        assert driver.execute("SET a 2", "HSET h f v") == EXEC_ERRORS
        assert driver.machine.fork().digest() == driver.machine.digest()
        assert driver.run("GET a", "DBSIZE") == [b"1", 1]
        driver.machine = reborn(driver.machine)
    assert driver.machine.changes == changes
    assert Driver().one("HSET h f v") == 1


def test_config_set_before_bootstrap_wins() -> None:
    """A cap decided through the log is not undone by a bootstrap item that comes late."""
    machine = Machine()
    machine.apply_membership(1, [1])
    set_cap = ((b"CONFIG", b"SET", b"maxmemory", b"2mb"),)
    machine.apply(2, payload(NOW, Hello(1, b"n"), Submission(1, 2, 1, 0, set_cap), Bootstrap(7)))
    assert (machine.maxmemory, machine.feature_level) == (2 << 20, 1)


def test_log_time_never_goes_back() -> None:
    """A stamp below the last one leaves the machine's time alone (PROTOCOL 20)."""
    driver = Driver()
    driver.pass_ms(-5)
    assert driver.machine.now_ms == NOW


def test_spliced_batches_decode_alike() -> None:
    """The leader's splice of raw items is the same batch."""
    machine = Machine()
    machine.apply_membership(1, [1])
    raw = msgspec.Raw(msgspec.msgpack.encode(Hello(1, b"n")))
    machine.apply(2, msgspec.msgpack.encode(RawBatch(NOW, 0, [raw])))
    assert machine.row(1) == OriginRow(2, b"n", 1)


def test_foreign_bytes_are_refused_before_any_change() -> None:
    """An entry that cannot be decoded stops the caller and leaves the machine as it was."""
    machine = Machine()
    with pytest.raises(msgspec.DecodeError):
        machine.apply(2, b"\xc1")
    assert machine.index == 0


def test_reads_inside_a_submission_see_what_precedes_them() -> None:
    """A pipeline of writes and reads is answered as if typed one by one (PROTOCOL 5)."""
    assert Driver().run("SET a 1", "GET a", "INCR a", "GET a") == [OK, b"1", 2, b"2"]


def test_other_replicas_skip_reads() -> None:
    """A replica that is not the origin answers nothing, and reaches the same state."""
    mine, other = Driver(), Driver(origin=2)
    for driver in (mine, other):
        driver.run("SET a 1", "GET a", "SELECT 3", "APPEND a x", "GET a")
    assert mine.machine.digest() == other.machine.digest()


def test_select_moves_the_rest_of_a_submission() -> None:
    """SELECT holds for the commands behind it, and for that submission only."""
    driver = Driver()
    assert driver.run("SELECT 5", "SET a 1", "DBSIZE") == [OK, OK, 1]
    assert driver.run("DBSIZE") == [0]
    driver.db = 5
    assert driver.run("GET a", "SELECT 16", "GET a") == [b"1", DB_INDEX, b"1"]


def test_foreign_database_number_is_without_effect() -> None:
    """A submission for a database that is not there uses its sequence and nothing else."""
    driver = Driver()
    driver.db = 16
    assert driver.run("SET a 1") == [DB_INDEX]
    assert driver.machine.keys() == 0


def test_transaction_answers_one_list() -> None:
    """A transaction is one step among others."""
    driver = Driver()
    replies = driver.submit(
        ["SET a 1", "INCR a", "GET a", "GET a", "INCR b"], (Transaction(1, 2), Transaction(4, 1))
    )
    assert replies == [OK, [2, b"2"], b"2", [1]]


def test_empty_transactions() -> None:
    """MULTI EXEC without commands answers an empty list, at any place."""
    driver = Driver()
    assert driver.submit([], (Transaction(0, 0),)) == [[]]
    assert driver.submit(["SET a 1"], (Transaction(1, 0),)) == [OK, []]


def test_watch() -> None:
    """EXEC compares versions: any change in between makes it answer nil and do nothing (PROTOCOL 23)."""
    driver = Driver()
    driver.run("SET a 1", "SELECT 2", "SET b 1")
    assert driver.read("WATCH a absent") == [1, 0]
    same = (Watch(0, b"a", 1), Watch(0, b"absent", 0), Watch(2, b"b", 2))
    assert driver.execute("GET a", watches=same) == [b"1"]
    driver.one("SET a 1")
    assert driver.execute("SET c 1", watches=same) is None
    assert driver.execute("SET c 1", watches=(Watch(0, b"a", 0),)) is None
    assert driver.execute("SET c 1", watches=(Watch(16, b"a", 0),)) is None
    assert driver.one("EXISTS c") == 0


@pytest.mark.parametrize("command", ["SET a 2", "SET a longer", "SET a 1 PX 10", "APPEND a x", "DEL a"])
def test_watch_sees_whatever_changes_a_key(command: str) -> None:
    """Each way to write one gives it a new version."""
    driver = Driver()
    driver.one("SET a 1")
    watch = (Watch(0, b"a", 1),)
    driver.one(command)
    assert driver.execute("GET a", watches=watch) is None


def test_watch_sees_expiry() -> None:
    """A watched key that is due counts as absent even before it is reaped."""
    driver = Driver()
    driver.one("SET a 1 PX 10")
    watch = (Watch(0, b"a", 1),)
    driver.now += 10
    assert driver.execute("GET a", watches=watch) is None


def test_transaction_with_an_unknown_command_is_discarded() -> None:
    """Nothing of it runs."""
    driver = Driver()
    assert driver.execute("SET a 1", "NOSUCH") == EXEC_ERRORS
    assert driver.machine.keys() == 0


def test_errors_inside_a_transaction_stop_nothing() -> None:
    """As in Redis, a command that fails leaves the others alone."""
    replies = Driver().execute("SET a x", "INCR a", "APPEND a y")
    assert isinstance(replies, list)
    assert replies[0] == OK
    assert isinstance(replies[1], CommandError)
    assert replies[2] == 2


def test_reads_outside_the_log() -> None:
    """`read` answers reads, transactions of reads too, and refuses writes."""
    driver = Driver()
    driver.one("SET a 1")
    before = driver.machine.digest()
    assert driver.machine.read(0, [(b"GET", b"a"), (b"SELECT", b"1"), (b"DBSIZE",)]) == [b"1", OK, 0]
    assert driver.machine.read(0, [(b"GET", b"a")] * 2, 0, [Transaction(0, 2)]) == [[b"1", b"1"]]
    assert isinstance(driver.read("SET a 2"), CommandError)
    assert isinstance(driver.read("NOSUCH"), CommandError)
    assert driver.machine.digest() == before


def broken_setnx(problem: BaseException, *, after_change: bool = False) -> Driver:
    """A machine whose SETNX raises, before or after it changed something."""

    def broken(db: Database, key: bytes, value: bytes) -> Reply:
        if after_change:
            db.store(key, value)
        raise problem

    command = TABLE.get("setnx")
    assert command is not None
    table = TABLE.merged_with(TABLE)
    table.add(attrs.evolve(command, handler=broken))
    return Driver(table=table)


def test_poison_in_the_checks_is_an_error_reply() -> None:
    """A bug before any mutation becomes one deterministic error, noted with a digest (PROTOCOL 24)."""
    driver = broken_setnx(KeyError("bug"))
    assert driver.run("SETNX secret v", "SET a 1") == [INTERNAL, OK]
    assert driver.machine.poison_count == 1
    poisoned = driver.machine.poisoned
    assert poisoned is not None
    assert (poisoned.index, poisoned.command, poisoned.problem) == (3, "SETNX", "KeyError")
    assert "secret" not in repr(poisoned)


def test_poison_in_the_mutation_crashes() -> None:
    """Half a change must not live on."""
    driver = broken_setnx(KeyError("bug"), after_change=True)
    with pytest.raises(KeyError):
        driver.one("SETNX a v")


@pytest.mark.parametrize("problem", [MemoryError(), RecursionError()])
def test_local_trouble_crashes(problem: Exception) -> None:
    """What depends on this process must not decide a reply that other replicas would not give."""
    driver = broken_setnx(problem)
    with pytest.raises(type(problem)):
        driver.one("SETNX a v")


def test_command_without_a_name_is_an_error() -> None:
    """Not even an empty argument list can stop a replica."""
    (reply,) = Driver().run(())
    assert isinstance(reply, CommandError)


def test_row_is_a_copy() -> None:
    """Who asks for a row cannot change the machine's."""
    driver = Driver()
    row = driver.machine.row(NODE)
    assert row is not None
    row.next = 99
    assert driver.machine.row(NODE) == OriginRow(2, b"life", 1)


def test_how_long_a_value_is_whatever_database_it_is_in() -> None:
    """What a command is about to copy is told before it is known in which database it will run."""
    driver = Driver()
    assert driver.machine.value_bytes(b"k") == 0
    driver.call(b"SET", b"k", b"short")
    driver.run("SELECT 3", "SET k longer-than-that")
    assert driver.machine.value_bytes(b"k") == len(b"longer-than-that")
