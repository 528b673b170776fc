"""What keeps one submission or one digest from holding a node up."""

import pytest

from tests.machine.driving import NODE, Driver
from trikv.machine import evaluation
from trikv.machine.batch import Submission, Transaction
from trikv.machine.evaluation import NO_ROOM_TO_SHOW, TOO_MUCH_SHOWN
from trikv.machine.outcomes import Applied


def test_reads_of_one_submission_may_not_copy_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the limit the remaining reads answer an error; writes among them are carried out all the same."""
    monkeypatch.setattr(evaluation, "SHOWN_BYTES_MAX", 100)
    driver = Driver()
    driver.one((b"SET", b"k", b"x" * 60))
    part = (b"GETRANGE", b"k", b"0", b"-2")
    several = (b"MGET", b"k", b"absent", b"k")
    both = [b"x" * 59, [b"x" * 60, None, b"x" * 60]]
    assert driver.run(part, several, part, "INCR n") == [*both, TOO_MUCH_SHOWN, 1]
    assert driver.execute(part, several, part, "INCR n") == [*both, TOO_MUCH_SHOWN, 2]
    assert driver.run(part, b"STRLEN k".split()) == [b"x" * 59, 60]


def test_reads_of_one_entry_may_not_answer_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """All replies are held until an entry is done. What is left of its share is for who comes first.

    A little is for everyone, whatever others have asked for, but no reply that passes it. The next entry has
    a share of its own.
    """
    monkeypatch.setattr(evaluation, "SHOWN_BYTES_MAX", 100)
    monkeypatch.setattr(evaluation, "ENTRY_SHOWN_BYTES_MAX", 120)
    monkeypatch.setattr(evaluation, "SHOWN_BYTES_LEAST", 10)
    driver = Driver()
    driver.one((b"SET", b"k", b"x" * 60))
    part = (b"GETRANGE", b"k", b"0", b"-2")
    get = (b"GET", b"n")
    many, few = (b"INCR n".split(), part, part, part), (b"INCR n".split(), get, part, get)
    for first in (2, 7):
        items = [
            Submission(NODE, 2, first + place, 0, tuple(map(tuple, lines)))
            for place, lines in enumerate((many, many, few, few))
        ]
        replies = [outcome.replies for outcome in driver.batch(*items) if isinstance(outcome, Applied)]
        sizes = [[len(each) for each in some[1:] if isinstance(each, bytes)] for some in replies]
        assert sizes == [[59, 59], [], [1, 1], [1, 1]]
        assert [some.count(TOO_MUCH_SHOWN) for some in replies] == [1, 0, 0, 0]
        assert [some.count(NO_ROOM_TO_SHOW) for some in replies] == [0, 3, 1, 1]
        driver._sequence = first + 3
        driver.one("SET n 0")


def test_reads_alone_are_answered_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of the log the rest is left for the next question, but a transaction is answered whole."""
    monkeypatch.setattr(evaluation, "SHOWN_BYTES_MAX", 100)
    driver = Driver()
    driver.one((b"SET", b"k", b"x" * 60))
    get, value = (b"GET", b"k"), b"x" * 60
    read = driver.machine.read
    assert read(0, (get,) * 5) == [value] * 2
    assert read(0, (get, get, (b"STRLEN", b"k"))) == [value] * 2
    assert read(0, (get,) * 5, 0, (Transaction(1, 2), Transaction(3, 2))) == [value, [value] * 2]
    assert read(0, (get,) * 5, 0, (Transaction(0, 3),)) == [[value, value, TOO_MUCH_SHOWN]]
    assert read(0, (get,) * 4, 0, (Transaction(3, 1),)) == [value] * 2
    assert read(0, (get,) * 2, 0, (Transaction(1, 1),)) == [value, [value]]


def test_digest_may_be_prepared_in_slices() -> None:
    """Hashing ahead, some buckets at a time, ends, and changes nothing about the digest."""
    whole, sliced = Driver(), Driver()
    for driver in (whole, sliced):
        for number in range(200):
            driver.one((b"SET", b"key:%d" % number, b"v"))
        driver.one((b"DEL", b"key:7"))
    slices = 1
    while sliced.machine.hash_some(16):
        slices += 1
    assert slices > 10
    assert sliced.machine.digest() == whole.machine.digest()
    sliced.one((b"SET", b"key:1", b"w"))
    assert sliced.machine.digest() != whole.machine.digest()
