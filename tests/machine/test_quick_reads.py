"""The quick way of reads equals the plain one: what it answers, what it counts, what it leaves alone."""

import attrs
import pytest

from tests.machine.driving import Driver
from tests.machine.test_tally import calls
from trikv.machine.batch import Transaction


@attrs.frozen
class Asked:
    """What one client asks."""

    commands: tuple[tuple[bytes, ...], ...]
    db: int = 0
    transactions: tuple[Transaction, ...] = ()

    @classmethod
    def of(cls, text: str) -> "Asked":
        """Lines with ``;`` between them."""
        return cls(tuple(tuple(line.encode().split()) for line in text.split(";")))


@pytest.mark.parametrize(
    ("texts", "count"),
    [
        (["GET a"], 1),
        (["GET a", "GET b", "GET none", "GET a"], 4),
        (["get a", "get b", "GET a"], 2),
        (["GET a", "STRLEN a", "GET b"], 1),
        (["GET a", "GET a;GET b"], 1),
        (["GET a", "GET", "GET b"], 1),
        (["GET a", "SET a 2"], 1),
        (["GET a", "Get a"], 1),
        (["TTL a"], 0),
        ([], 0),
    ],
)
def test_what_is_read_quickly_is_answered_and_counted_as_by_the_loop(texts: list[str], count: int) -> None:
    """Up to the first question that is anything else than one GET; that one and all behind it wait."""
    quick, one_by_one, slow = Driver(), Driver(), Driver()
    for driver in (quick, one_by_one, slow):
        driver.run("SET a 1", "SET b 2")
        driver.machine.tally.reset()
    asked = [Asked.of(text) for text in texts]
    answers = quick.machine.read_quickly(iter(asked))
    assert answers == [slow.machine.read(0, one.commands) for one in asked[:count]]
    assert answers == [one_by_one.machine.read_one_quickly(one) for one in asked[:count]]
    for machine in (quick.machine, one_by_one.machine, slow.machine):
        machine.tally.spent(0.0)
        assert calls(machine) == calls(slow.machine)
        assert machine.tally.hits == slow.machine.tally.hits
        assert machine.tally.misses == slow.machine.tally.misses


@pytest.mark.parametrize("text", ["GET a;GET b", "GET", "GET a b", "Get a", "TTL a", "SET a 2", "nope a"])
def test_what_is_no_lone_get_is_not_read_quickly(text: str) -> None:
    """Nothing is counted: that is left to the plain way."""
    driver = Driver()
    driver.machine.tally.reset()
    assert driver.machine.read_one_quickly(Asked.of(text)) is None
    assert driver.machine.read_quickly([Asked.of(text)]) == []
    assert (driver.machine.tally.commands(), driver.machine.tally.misses) == ({}, 0)


def test_a_question_is_about_its_database() -> None:
    """Each database has keys of its own."""
    driver = Driver()
    driver.one("SET a 1")
    driver.machine.space.databases[3].store(b"a", b"3")
    asked = Asked.of("GET a")
    assert driver.machine.read_quickly([asked, attrs.evolve(asked, db=3)]) == [[b"1"], [b"3"]]
    assert driver.machine.read_one_quickly(attrs.evolve(asked, db=3)) == [b"3"]


def test_a_transaction_is_not_read_quickly() -> None:
    """Its one step answers a list."""
    driver = Driver()
    asked = attrs.evolve(Asked.of("GET a"), transactions=(Transaction(0, 1, ()),))
    assert driver.machine.read_quickly([asked]) == []
    assert driver.machine.read_one_quickly(asked) is None
