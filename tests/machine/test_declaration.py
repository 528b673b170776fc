"""What a declaration says, and what follows from it."""

from importlib import import_module
from pkgutil import iter_modules

import attrs
import pytest

from trikv.machine import commands
from trikv.machine.commands import TABLE
from trikv.machine.declaration import QUICK_US, TEXT_US, By, Command, Cost, Inside, Said, Told, When, declared
from trikv.machine.grammar import Key
from trikv.machine.memory import charges_of


def handler(_db: object, _key: Key, *_keys: Key) -> None:
    """Does nothing."""


def one(**said: object) -> Command:
    """The only command that is declared so."""
    (command,) = declared("X", handler, Said(**{"by": By.LOG, "group": "test", **said}))  # type: ignore[typeddict-item]
    return command


def test_a_usual_command_needs_a_name_a_group_and_who_evaluates_it() -> None:
    """All else is derived."""
    command = one()
    assert (command.arity, command.least, command.words, command.plain) == (-2, 2, 1, True)
    assert (command.when, command.inside, command.cost) == (When.IN_TURN, Inside.QUEUED, None)
    assert (command.summary, command.usage) == ("Does nothing.", "X _key [_key ...]")
    assert (command.before_auth, command.is_checked, command.grows) == (False, False, False)
    assert command.treatment is None
    assert command.handler is handler


@pytest.mark.parametrize(
    ("by", "fast", "inside", "cost"),
    [
        (By.LOG, False, Inside.QUEUED, None),
        (By.READ, True, Inside.QUEUED, None),
        (By.NODE, True, Inside.QUEUED, Cost(QUICK_US)),
        (By.NODE, False, Inside.QUEUED, Cost(TEXT_US)),
        (By.OPERATION, False, Inside.REFUSED, Cost(TEXT_US)),
    ],
)
def test_what_follows_from_who_evaluates_it(
    by: By,
    fast: bool,  # noqa: FBT001 - a parameter
    inside: Inside,
    cost: Cost | None,
) -> None:
    """What the machine does is bounded by its arguments; what a node does by itself is charged by time."""
    command = one(by=by, fast=fast)
    assert (command.inside, command.cost) == (inside, cost)
    assert (command.writes, command.reads) == (by is By.LOG, by is By.READ)


def test_an_alias_is_the_same_command_by_another_name() -> None:
    """Only its name and its usage differ."""
    x, y = declared("X", handler, Said(by=By.LOG, group="test", aliases=("Y",)))
    assert attrs.evolve(y, name="X", usage=x.usage) == x
    assert y.usage == "Y _key [_key ...]"


def test_how_keys_are_accessed() -> None:
    """As who evaluates it usually does, as is told of all of them, or of each."""

    def moves(_db: object, _key: Key, _newkey: Key) -> None:
        """Nothing."""

    def access(by: By, told: Told) -> list[tuple[int, str]]:
        (command,) = declared("X", moves, Said(by=by, group="test", told=told))
        return list(command.keys.find((b"X", b"a", b"b")) or ())

    assert access(By.LOG, Told()) == [(1, "RW access update"), (2, "RW access update")]
    assert access(By.READ, Told(access="RO")) == [(1, "RO"), (2, "RO")]
    assert access(By.LOG, Told(access=("RM delete", "OW insert"))) == [(1, "RM delete"), (2, "OW insert")]


def test_only_an_open_end_can_hold_more() -> None:
    """A least number of arguments of a signature that is closed would never be checked."""

    def closed(_db: object, _key: Key) -> None:
        """Nothing."""

    with pytest.raises(AssertionError, match="open end"):
        list(declared("X", closed, Said(by=By.LOG, group="test", open_least=1)))


def test_a_name_is_declared_in_one_family() -> None:
    """Which of two declarations counts would depend on the order of imports."""
    families = [
        import_module(f"{commands.__name__}.{module.name}") for module in iter_modules(commands.__path__)
    ]
    families = [family for family in families if hasattr(family, "COMMANDS")]
    names = [command.name for family in families for command in family.COMMANDS]
    assert sorted(names) == [command.name for command in TABLE]


def test_the_bound_of_what_a_call_adds() -> None:
    """Nothing if it does not grow; else its arguments, its keys, and what it says it adds beyond them."""
    args = (b"X", b"key", b"another")
    plain = one(grows=True).growth_bound(args, charges_of(0))
    assert one().growth_bound(args, charges_of(0)) == 0
    assert plain > len(b"key") + len(b"another")
    assert one(grows=True, grows_more=lambda _: 1000).growth_bound(args, charges_of(0)) == plain + 1000
