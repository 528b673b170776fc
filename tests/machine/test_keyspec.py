"""Where keys are: by place, behind a word, by number, or by a function. Most commands here are made up."""

import pytest

from trikv.machine.declaration import By
from trikv.machine.grammar import Key
from trikv.machine.keyspec import Args, Found, Index, KeyNumber, Keys, KeySpec, Keyword, Range
from trikv.machine.table import CommandTable

NUMKEYS = KeySpec(Index(2), KeyNumber(), "RO access")
"""EVAL script numkeys key ... arg ..."""
STREAMS = KeySpec(Keyword("STREAMS", 1), Range(last=-1, limit=2), "RO access")
"""XREAD [COUNT n] STREAMS key ... id ..."""
STORED = KeySpec(Index(1), Range(), "OW update")
"""ZUNIONSTORE destination numkeys key ..."""


def found(keys: Keys, line: str) -> list[str] | None:
    """The keys of a call."""
    args = line.encode().split()
    places = keys.find(args)
    among = [key.decode() for key in keys.among(args)]
    assert places is None or among == [args[place].decode() for place, _ in places]
    return None if places is None else among


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        ("EVAL s 2 a b c", ["a", "b"]),
        ("EVAL s 1 a", ["a"]),
        ("EVAL s 0 c", []),
        ("EVAL s 3 a b", None),
        ("EVAL s -1 a", None),
        ("EVAL s many a", None),
        ("EVAL s 99999999999 a", None),
        ("EVAL s", []),
    ],
)
def test_an_argument_says_how_many(line: str, keys: list[str] | None) -> None:
    """As many as it says; if that is no number or there are fewer arguments, the call contradicts itself."""
    assert found(Keys.of([NUMKEYS]), line) == keys


def test_a_number_may_stand_apart_from_its_keys() -> None:
    """Both are counted from where the spec begins, and keys may have something between them."""
    keys = Keys.of([KeySpec(Index(1), KeyNumber(number=1, first=2, step=2))])
    assert found(keys, "X how 2 a 1 b 2") == ["a", "b"]
    assert found(keys, "X how") is None


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        ("XREAD COUNT 5 streams a b 0 0", ["a", "b"]),
        ("XREAD STREAMS a 0", ["a"]),
        ("XREAD STREAMS", []),
        ("XREAD COUNT 5", []),
    ],
)
def test_keys_stand_behind_a_word(line: str, keys: list[str]) -> None:
    """In any case of letters; the first half of what follows is keys, the other half is not."""
    assert found(Keys.of([STREAMS]), line) == keys


def test_a_word_may_be_looked_for_from_the_end() -> None:
    """The last one counts: an argument before it may look like it."""
    keys = Keys.of([KeySpec(Keyword("STORE", -2), Range())])
    assert found(keys, "X store y store z") == ["z"]


def test_two_kinds_of_access() -> None:
    """Each spec adds its keys, and says how it accesses them."""
    keys = Keys.of([STORED, NUMKEYS])
    assert keys.find(b"ZUNIONSTORE to 2 a b".split()) == [
        (1, "OW update"),
        (3, "RO access"),
        (4, "RO access"),
    ]
    assert found(keys, "ZUNIONSTORE to 9 a b") is None


def test_what_a_function_finds_counts() -> None:
    """It sees the arguments; its specs are only told."""

    def last(args: Args) -> list[Found]:
        return [(len(args) - 1, "RM delete")]

    assert found(Keys.of([KeySpec(None, None)], last), "X a b") == ["b"]
    assert found(Keys.of([], last), "X a b c") == ["c"]


def test_somebody_must_find_them() -> None:
    """A spec that nobody knows the places of is a mistake of who declares it."""
    with pytest.raises(AssertionError, match="nobody finds"):
        Keys.of([KeySpec(None, None)])


@pytest.mark.parametrize(
    ("specs", "numbers", "are_movable"),
    [
        ([], (0, 0, 0), False),
        ([STORED], (1, 1, 1), False),
        ([KeySpec(Index(1), Range(-1, 2))], (1, -1, 2), False),
        ([STORED, KeySpec(Index(2), Range())], (1, 2, 1), False),
        ([STORED, KeySpec(Index(2), Range(-1))], (1, -1, 1), False),
        ([STORED, KeySpec(Index(3), Range())], (1, 1, 1), True),
        ([KeySpec(Index(1), Range(2, 2)), KeySpec(Index(4), Range())], (1, 3, 2), True),
        ([KeySpec(Index(1), Range(-1, 1, 2))], (0, 0, 0), True),
        ([STORED, NUMKEYS], (1, 1, 1), True),
        ([STREAMS], (0, 0, 0), True),
    ],
)
def test_what_older_clients_are_told(
    specs: list[KeySpec],
    numbers: tuple[int, int, int],
    are_movable: bool,  # noqa: FBT001 - a parameter
) -> None:
    """First, last and step as far as they can tell; `movablekeys` says that they do not tell all."""
    keys = Keys.of(specs)
    assert (keys.first, keys.last, keys.step) == numbers
    assert keys.are_movable == are_movable


def test_a_declaration_says_where_its_keys_are() -> None:
    """By its signature, or beside it where the signature cannot."""
    table = CommandTable()

    @table.command("EVAL", by=By.LOG, group="scripting", specs=[NUMKEYS], grows=True)
    def evaluate(_space: object, _script: bytes, _numkeys: bytes, *_more: bytes) -> None:
        """Nothing."""

    @table.command("COPY", by=By.LOG, group="keys")
    def copy(_space: object, _source: Key, _destination: Key) -> None:
        """Nothing."""

    copied, evaluated = (command.keys for command in table)
    assert found(copied, "COPY a b") == ["a", "b"]
    assert found(evaluated, "EVAL s 2 a b c") == ["a", "b"]
