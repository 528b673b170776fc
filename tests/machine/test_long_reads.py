"""A long read: what is answered at once, in one step, or by a stream."""

from collections.abc import Iterator

import pytest

from tests.machine.driving import NOW, Driver
from trikv.machine import commands, long_reads
from trikv.machine.batch import Transaction
from trikv.machine.cut import Cut
from trikv.machine.database import Database
from trikv.machine.declaration import By
from trikv.machine.errors import INTERNAL
from trikv.machine.evaluation import LOOKED_MAX
from trikv.machine.long_reads import WHOLE_MAX, LongRead
from trikv.machine.replies import CommandError, Reply, Streamed, drop, streams_of
from trikv.machine.table import CommandTable

OWN = CommandTable()


@OWN.command("LENGTHS", by=By.READ, group="keys")
def lengths(db: Database, fails: bytes) -> LongRead | CommandError:
    """How long each key is: the next long read is one function."""
    if fails == b"now":
        raise ValueError
    if fails == b"at once":
        raise MemoryError

    def elements(cut: Cut) -> Iterator[list[Reply]]:
        for number, keys in enumerate(cut.live_keys()):
            if fails == b"%d" % number:
                raise ValueError
            if fails == b"memory":
                raise MemoryError
            yield [len(key) for key in keys]

    return CommandError("ERR no") if fails == b"error" else LongRead.of_keys(db, elements)


def _filled(keys: int = WHOLE_MAX + 500) -> Driver:
    driver = Driver(table=commands.TABLE.merged_with(OWN))
    for number in range(keys):
        driver.machine.space.databases[0].store(b"key:%d" % number, b"v")
    return driver


def _read(driver: Driver, *args: bytes) -> Streamed:
    (streamed,) = streams_of(driver.machine.read(0, (args,)))
    return streamed


def _taken(streamed: Streamed) -> list[Reply]:
    found: list[Reply] = []
    while not streamed.is_over:
        elements = streamed.step()
        assert not elements or streamed.count is not None, "the number comes before the first element"
        found += elements
    if streamed.error is None:
        assert streamed.count == len(found)
    return found


def test_few_keys_are_answered_at_once() -> None:
    """Up to a thousand: a list, as ever."""
    driver = _filled(WHOLE_MAX)
    (reply,) = driver.machine.read(0, ((b"KEYS", b"*"),))
    assert isinstance(reply, list)
    assert len(reply) == WHOLE_MAX


@pytest.mark.parametrize("pattern", [b"*", b"key:1*", b"no*", b"[k]ey:?"])
def test_many_keys_are_streamed_from_one_instant(pattern: bytes) -> None:
    """What is written between the steps changes neither the number nor the elements."""
    driver = _filled()
    driver.one(f"PEXPIREAT key:11 {NOW + 100}")
    cut = Cut(driver.machine.space.databases[:1])
    expected = [one for keys in cut.live_keys() for one in keys]
    cut.close()
    streamed = _read(driver, b"keys", pattern)
    found: list[Reply] = []
    for number in range(10_000):
        if streamed.is_over:
            break
        driver.one((b"SET", b"key:1%d" % number, b"new"))
        driver.one((b"DEL", b"key:%d" % number))
        driver.now += 50
        if number == 3:
            driver.one("FLUSHALL")
            while driver.machine.release(100):
                pass
        found += streamed.step()
    matches = {
        b"*": lambda _: True,
        b"key:1*": lambda key: key.startswith(b"key:1"),
        b"no*": lambda _: False,
        b"[k]ey:?": lambda key: len(key) == 5,
    }[pattern]
    assert found == list(filter(matches, expected))
    assert streamed.count == len(found)
    assert driver.machine.space.account.observers == []


def test_the_number_is_known_at_once_if_nothing_can_be_due() -> None:
    """KEYS * without deadlines needs no pass that counts."""
    driver = _filled()
    streamed = _read(driver, b"KEYS", b"*")
    streamed.step()
    assert streamed.count == WHOLE_MAX + 500
    streamed.close()
    streamed.close()
    assert streamed.is_over
    assert driver.machine.space.account.observers == []


def test_reads_that_nothing_separates_share_a_cut() -> None:
    """One copy serves both; a write in between ends that, and each ends its own share."""
    driver = _filled()
    first, second = _read(driver, b"KEYS", b"*"), _read(driver, b"KEYS", b"key*")
    assert first.kept is second.kept
    driver.one("SET key:1 w")
    third = _read(driver, b"KEYS", b"*")
    assert third.kept is not second.kept
    assert len(_taken(first)) == len(_taken(second)) == len(_taken(third)) == WHOLE_MAX + 500
    assert driver.machine.space.account.observers == []


def test_inside_a_transaction_it_is_one_step_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it at once, up to a limit; then a clear refusal, and the rest is carried out."""
    driver = _filled()
    (reply,) = driver.machine.read(0, ((b"KEYS", b"key:1?"),), 0, transactions=(Transaction(0, 1),))
    assert isinstance(reply, list)
    (keys,) = reply
    assert isinstance(keys, list)
    assert {*keys} == {b"key:1%d" % number for number in range(10)}
    monkeypatch.setattr(long_reads, "INSIDE_MAX", WHOLE_MAX)
    commands_ = ((b"KEYS", b"*"), (b"DBSIZE",))
    refused = CommandError(
        "ERR inside MULTI this looks at 1000 keys at most and there are 1500: call it outside, or use SCAN "
        "or a relative of it"
    )
    answer = driver.machine.read(0, commands_, 0, transactions=(Transaction(0, 2),))
    assert answer == [[refused, WHOLE_MAX + 500]]
    assert driver.machine.space.account.observers == []


def test_a_mistaken_call_is_answered_as_any_other() -> None:
    """Arity, an error of the handler, any spelling: no stream, and nothing is left open."""
    driver = _filled()
    assert isinstance(driver.machine.read(0, ((b"KEYS",),))[0], CommandError)
    assert driver.machine.read(0, ((b"LENGTHS", b"error"),)) == [CommandError("ERR no")]
    assert driver.machine.read(0, ((b"LENGTHS", b"now"),)) == [INTERNAL]
    assert driver.machine.poison_count == 1
    assert len(_taken(_read(driver, b"kEyS", b"*"))) == WHOLE_MAX + 500
    assert isinstance(driver.machine.read(0, ((),))[0], CommandError)
    assert driver.machine.space.account.observers == []


def test_the_next_long_read_is_one_function() -> None:
    """`LENGTHS` above: counted, streamed, and in one step inside MULTI."""
    driver = _filled()
    assert sum(one for one in _taken(_read(driver, b"LENGTHS", b"")) if isinstance(one, int)) == sum(
        len(b"key:%d" % number) for number in range(WHOLE_MAX + 500)
    )


def test_a_bug_in_a_long_read_ends_that_answer_alone() -> None:
    """While counting it is an error like any, which the machine notes (PROTOCOL 24)."""
    driver = _filled()
    streamed = _read(driver, b"LENGTHS", b"2")
    assert _taken(streamed) == []
    assert (streamed.count, streamed.error) == (None, INTERNAL)
    poisoned = driver.machine.poisoned
    assert poisoned is not None
    assert (poisoned.command, poisoned.problem) == ("LENGTHS", "ValueError")
    assert driver.machine.space.account.observers == []


def test_a_bug_in_one_inside_a_transaction_leaves_no_cut_open() -> None:
    """Every write would go on to copy for it, for the life of the node."""
    driver = _filled()
    answer = driver.machine.read(0, ((b"LENGTHS", b"2"),), 0, transactions=(Transaction(0, 1),))
    assert answer == [[INTERNAL]]
    assert driver.machine.space.account.observers == []


def test_what_depends_on_the_process_goes_up() -> None:
    """MemoryError is no bug of the command's."""
    driver = _filled()
    streamed = _read(driver, b"LENGTHS", b"memory")
    with pytest.raises(MemoryError):
        streamed.step()
    with pytest.raises(MemoryError):
        driver.machine.read(0, ((b"LENGTHS", b"at once"),))


def test_an_answer_that_nobody_takes_is_closed() -> None:
    """`drop` closes streams among other replies."""
    driver = _filled()
    drop([b"value", None, _read(driver, b"KEYS", b"*")])
    assert driver.machine.space.account.observers == []


def test_it_counts_as_a_command() -> None:
    """Once for each call."""
    driver = _filled()
    _read(driver, b"KEYS", b"*").close()
    assert driver.machine.tally.commands()["KEYS"].calls == 1


def test_a_number_of_many_shows_no_rows() -> None:
    """They are counted in steps, and whoever goes on finds none."""
    driver = Driver()
    for key in ("one", "other"):
        driver.run(*(f"SADD {key} m{number}" for number in range(2 * WHOLE_MAX)))
    reply = driver.read("SINTERCARD 2 one other")
    assert isinstance(reply, Streamed)
    assert [row for _ in iter(lambda: reply.is_over, True) for row in reply.step()] == []
    assert reply.count == 2 * WHOLE_MAX


def test_many_reads_of_many_are_answered_a_few_at_a_time() -> None:
    """Each is short enough for one step, all together are not: the rest is asked for again."""
    driver = Driver()
    driver.run(*(f"SADD s m{number}" for number in range(WHOLE_MAX)))
    commands = [(b"SMEMBERS", b"s")] * 256
    replies = driver.machine.read(0, commands)
    assert len(replies) == LOOKED_MAX // WHOLE_MAX + 1
    assert all(isinstance(reply, tuple) and len(reply) == WHOLE_MAX for reply in replies)
    assert len(driver.machine.read(0, commands[:5])) == 5
