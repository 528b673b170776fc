"""What clients are told of a command, in Redis' words."""

import pytest

from trikv.machine.declaration import By, Command, Said, Told, declared
from trikv.machine.keyspec import Index, KeyNumber, KeySpec
from trikv.machine.telling import CATEGORIES, categories_of, flags_of, group_of


def handler(_db: object, *_keys: bytes) -> None:
    """Does nothing."""


def one(by: By, group: str = "string", told: Told = Told(), **said: object) -> Command:  # noqa: B008
    """The only command that is declared so."""
    (command,) = declared("X", handler, Said(**{"by": by, "group": group, "told": told, **said}))  # type: ignore[typeddict-item]
    return command


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        (one(By.LOG, denies_oom=True), "write denyoom"),
        (one(By.READ, fast=True), "readonly fast"),
        (one(By.NODE), "loading stale"),
        (one(By.OPERATION, before_auth=True), "loading stale no_auth"),
        (one(By.LOG, specs=[KeySpec(Index(1), KeyNumber())]), "write movablekeys"),
        (one(By.LOG, told=Told(flags="fast pubsub loading stale")), "pubsub loading stale fast"),
        (one(By.NODE, told=Told(flags="allow_busy"), before_auth=True), "no_auth allow_busy"),
    ],
)
def test_flags(command: Command, flags: str) -> None:
    """They follow from the declaration; told ones take the place of all that do not have to be true."""
    assert flags_of(command) == tuple(flags.split())


def test_a_flag_is_one_of_redis() -> None:
    """A misspelt one would be told to nobody's use."""
    with pytest.raises(AssertionError, match="no such flags"):
        flags_of(one(By.LOG, told=Told(flags="wirte")))


def test_publish_is_no_write_in_redis() -> None:
    """Who evaluates a command is one thing, what clients are told of it another."""
    publish = one(By.LOG, "pubsub", Told("2.0.0", flags="pubsub loading stale fast"))
    assert publish.writes
    assert flags_of(publish) == ("pubsub", "loading", "stale", "fast")
    assert categories_of(publish) == ("pubsub", "fast")


@pytest.mark.parametrize(
    ("command", "categories"),
    [
        (one(By.LOG), "write string slow"),
        (one(By.READ, "keys", fast=True), "keyspace read fast"),
        (one(By.READ, "expiry", Told(categories="dangerous")), "keyspace read slow dangerous"),
        (one(By.NODE, "server", Told(flags="admin")), "admin slow dangerous"),
        (one(By.NODE, "transactions", fast=True), "fast transaction"),
        (one(By.NODE, "stream", Told(flags="blocking readonly")), "read stream slow blocking"),
    ],
)
def test_categories(command: Command, categories: str) -> None:
    """Redis derives them from flags and from the group, and so does trikv."""
    assert categories_of(command) == tuple(categories.split())


def test_categories_are_those_of_redis() -> None:
    """All of Redis 7.2, each once."""
    assert len(CATEGORIES) == len(set(CATEGORIES)) == 21


def test_groups() -> None:
    """Families here are finer than Redis' groups; where a command stands in another one, that is told."""
    assert group_of(one(By.LOG, "expiry")) == group_of(one(By.LOG, "keys")) == "generic"
    assert group_of(one(By.LOG)) == "string"
    assert group_of(one(By.LOG, "keys", Told(group="server"))) == "server"
