"""Importing: the keys of a document as commands that make them again in another cluster."""

from collections.abc import Iterable
from math import inf

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.machine.contents import contents
from tests.machine.driving import Driver, collect, reborn, restored
from tests.machine.values.commands import WITH_NUMBERS
from trikv.machine import codec, importing
from trikv.machine.importing import ELEMENT_BYTES, PIECE_BYTES, Imported, Piece, String, import_keys
from trikv.machine.numerics import double_text
from trikv.machine.snapshot import SnapshotError

LONG = b"\xff" * 5000


def document(driver: Driver) -> bytes:
    """All that its machine holds."""
    return collect(driver.machine.walk({}), 1 << 16)


def imported(written: bytes) -> list[Imported]:
    """What comes of it in small chunks."""
    return list(import_keys(written[at : at + 1000] for at in range(0, len(written), 1000)))


def load(items: Iterable[Imported], driver: Driver) -> None:
    """Carry out all commands, those of a piece as one transaction."""
    for item in items:
        driver.db = item.db
        if isinstance(item, String):
            driver.call(*item.command)
        else:
            replies = driver.execute(*item.commands)
            assert isinstance(replies, list)


def edited(written: bytes, old: bytes, new: bytes) -> bytes:
    """A document with a change, its checksum made to fit."""
    assert old in written
    lines = written.replace(old, new, 1).splitlines(keepends=True)
    count = msgspec.json.decode(b"{" + lines[-1].strip()[2:])["count"]
    checksum = codec.Checksum()
    checksum.update(b"".join(lines[:-1]))
    return b"".join(lines[:-1]) + codec.encode_closing(count, checksum.text()) + b"\n"


def of_all_types() -> Driver:
    """Small values of each type, with binary names, infinite scores and deadlines, in two databases."""
    driver = Driver()
    driver.run(
        "SET name John",
        (b"SET", b"\xff\n", b"\x00\x80"),
        "SET soon v PX 500",
        (b"HSET", b"hash", b"\xfe", b"\xfd", b"", b""),
        (b"RPUSH", b"\xfflist", b"b", b"\xff", b"a", b"b"),
        "SADD set 1 2 3",
        "PEXPIRE set 700",
        "SADD words a b",
        "SELECT 7",
        "ZADD zset inf far -inf near 0.1 tenth 5e-324 tiny 1.7976931348623157e308 huge 3 three",
        "PEXPIRE zset 900",
        "SET name other",
    )
    return driver


def test_values_of_all_types_are_made_again() -> None:
    """Whatever they hold, with the very same scores and deadlines, and the order of a list."""
    driver, copy = of_all_types(), Driver(seed=5)
    items = imported(document(driver))
    load(items, copy)
    assert contents(copy.machine) == contents(driver.machine)
    assert copy.machine.used_memory == driver.machine.used_memory
    assert all(not isinstance(item, Piece) or (item.is_first and item.is_last) for item in items)


def test_what_the_commands_are() -> None:
    """Strings leave alone what is there; the deadline of another value comes behind its elements."""
    driver = of_all_types()
    items = imported(document(driver))
    soon, ttl_set = driver.now + 500, driver.now + 700
    assert String(0, (b"SET", b"name", b"John", b"NX")) in items
    assert String(0, (b"SET", b"name", b"John", b"NX")).size == 13
    assert String(0, (b"SET", b"soon", b"v", b"PXAT", b"%d" % soon, b"NX")) in items
    by_key = {item.key: item for item in items if isinstance(item, Piece)}
    assert by_key[b"hash"].commands == ((b"HSET", b"hash", b"\xfe", b"\xfd", b"", b""),)
    assert by_key[b"set"].commands == (
        (b"SADD", b"set", b"1", b"2", b"3"),
        (b"PEXPIREAT", b"set", b"%d" % ttl_set),
    )
    assert [by_key[key].count for key in (b"hash", b"\xfflist", b"set", b"zset")] == [2, 4, 3, 6]


def in_parts() -> Driver:
    """Values of each type in several parts, each with a deadline but the list."""
    driver = Driver()
    names = [b"%d:" % number + b"\xff" * (number % 200) for number in range(500)]
    driver.run(
        (b"HSET", b"hash", *(each for name in names for each in (name, name[::-1]))),
        (b"RPUSH", b"list", *names, LONG, *names, LONG),
        (b"SADD", b"set", *names, LONG),
        (b"ZADD", b"zset", *(each for at, name in enumerate(names) for each in (double_text(at / 7), name))),
        *("PEXPIRE hash 700", "PEXPIRE set 700", "PEXPIRE zset 700", "HSET last f v"),
    )
    return driver


@pytest.mark.parametrize("piece_bytes", [1, 333, PIECE_BYTES])
def test_values_in_parts_are_made_again_piece_by_piece(
    piece_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However small the pieces: in order, none past its size by more than an element.

    Lines that end between a name and what belongs to it make no difference.
    """
    monkeypatch.setattr(importing, "PIECE_BYTES", piece_bytes)
    monkeypatch.setattr(codec, "PIECE_BYTES", 100)
    driver, copy = in_parts(), Driver(seed=5)
    items = imported(document(driver))
    load(items, copy)
    assert contents(copy.machine) == contents(driver.machine)
    pieces: dict[bytes, list[Piece]] = {}
    for item in items:
        assert isinstance(item, Piece)
        pieces.setdefault(item.key, []).append(item)
    for some in pieces.values():
        assert [piece.is_first for piece in some] == [True] + [False] * (len(some) - 1)
        assert [piece.is_last for piece in some] == [False] * (len(some) - 1) + [True]
        for piece in some:
            assert piece.size < piece_bytes + len(LONG) + 2 * (ELEMENT_BYTES + 210)
            assert piece.size >= piece_bytes or piece.is_last
            assert sum(map(len, piece.commands[0])) < piece.size + 100
    assert len(pieces[b"hash"]) > (1 if piece_bytes == PIECE_BYTES else 100)
    for key, some in pieces.items():
        held = contents(driver.machine)[0, key][0]
        assert sum(piece.count for piece in some) == len(held)
        assert all(piece.count and not piece.deadlines for piece in some)


SCORES = st.floats(allow_nan=False) | st.integers(-5, 5).map(float)
NAMES = st.binary(max_size=100)
VALUES = st.one_of(
    st.dictionaries(NAMES, NAMES, min_size=1).map(
        lambda pairs: (b"HSET", *(each for pair in pairs.items() for each in pair))
    ),
    st.lists(NAMES, min_size=1).map(lambda elements: (b"RPUSH", *elements)),
    st.sets(NAMES, min_size=1).map(lambda members: (b"SADD", *sorted(members))),
    st.dictionaries(NAMES, SCORES, min_size=1).map(
        lambda pairs: (
            b"ZADD",
            *(each for name, score in pairs.items() for each in (double_text(score), name)),
        )
    ),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(VALUES, max_size=8), st.integers(1, 500), st.integers(1, 300))
def test_whatever_a_value_holds_is_made_again(
    values: list[tuple[bytes, ...]], piece_bytes: int, line_bytes: int
) -> None:
    """Any names and numbers, in pieces and lines of any size."""
    driver, copy = Driver(), Driver(seed=5)
    driver.run(*((name, b"key%d" % at, *given) for at, (name, *given) in enumerate(values)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importing, "PIECE_BYTES", piece_bytes)
        patch.setattr(codec, "PIECE_BYTES", line_bytes)
        load(imported(document(driver)), copy)
    assert contents(copy.machine) == contents(driver.machine)


def test_a_document_that_is_not_whole_is_refused() -> None:
    """In the end, when all that is in it was given."""
    written = document(of_all_types())
    with pytest.raises(SnapshotError):
        imported(written[:-30])
    with pytest.raises(SnapshotError, match="database 16"):
        imported(edited(written, b'"db":7', b'"db":16'))


SMALL_EDITS = [
    ((b'"t":"hash"', b'"t":"hush"'), "no values of type hush"),
    ((b'"e":[{"b64":"/g=="},', b'"e":['), "no pairs"),
    ((b'"e":[{"b64":"/g=="},{"b64":"/Q=="}', b'"e":[{"b64":"/g=="},7'), "value is no string"),
    ((b'"e":[{"b64":"/g=="}', b'"e":[{"b65":"/g=="}'), "no part of a value"),
    ((b'"e":["1","2","3"]', b'"e":["1",2,"3"]'), "member is no string"),
    ((b'"e":["1","2","3"]', b'"e":[]'), "without elements"),
    ((b'"e":["b",', b'"e":[["b"],'), "element is no string"),
    ((b'"far","inf"', b'"far","info"'), "score is no number"),
]


@pytest.mark.parametrize(("edit", "told"), SMALL_EDITS, ids=[told for _, told in SMALL_EDITS])
def test_an_edited_value_is_refused(edit: tuple[bytes, bytes], told: str) -> None:
    """As a restore would: what no value holds becomes no command."""
    with pytest.raises(SnapshotError, match=told):
        imported(edited(document(of_all_types()), *edit))


def test_small_values_are_restored() -> None:
    """The same document makes an equal machine; and what is edited is refused there, too."""
    driver = of_all_types()
    assert reborn(driver.machine).digest() == driver.machine.digest()
    with pytest.raises(SnapshotError, match="no value: no pairs"):
        restored(edited(document(driver), b'"e":[{"b64":"/g=="},', b'"e":['))


PART_EDITS = [
    ((b'{"part":1', b'{"part":2'), "out of order"),
    ((b'{"part":0', b'{"part":1'), "out of order"),
    ((b'{"parts":', b'{"parts":9'), "fewer are here"),
    ((b'"t":"list","s"', b'"t":"zset","s"'), "no part of a value"),
]


@pytest.mark.parametrize(
    ("edit", "told"), PART_EDITS, ids=[told + " " + edit[1].decode() for edit, told in PART_EDITS]
)
def test_edited_parts_are_refused(edit: tuple[bytes, bytes], told: str) -> None:
    """A part that is left out would be elements that are lost without a word."""
    with pytest.raises(SnapshotError, match=told):
        imported(edited(document(in_parts()), *edit))


def test_a_part_of_no_key_is_refused() -> None:
    """Behind a small value as well as at the start."""
    written = document(of_all_types())
    first = written.index(b"\n") + 1
    part = b'{"part":0,"e":["1"]},\n'
    for at in (first, written.index(b"\n", written.index(b'"e":')) + 1):
        with pytest.raises(SnapshotError, match="a part of no key"):
            imported(edited(written, written[:at], written[:at] + part))


def test_a_value_whose_parts_are_empty_is_refused() -> None:
    """There is no such value, so it cannot be made: to leave it out would be another document's doing."""
    driver = Driver()
    driver.run((b"SADD", b"set", LONG), "SET s v")
    written = document(driver)
    with pytest.raises(SnapshotError, match="without elements"):
        imported(edited(written, written[written.index(b'"e":[') : written.index(b"]}\n")], b'"e":['))


def test_the_last_value_of_a_document_is_given_when_the_document_is_seen_to_be_whole() -> None:
    """Its end is the document's."""
    driver = Driver()
    driver.run((b"SADD", b"set", LONG))
    [only] = imported(document(driver))
    assert isinstance(only, Piece)
    assert only.is_last
    assert only.commands == ((b"SADD", b"set", LONG),)
    found: list[Imported] = []
    with pytest.raises(SnapshotError):
        found.extend(import_keys([document(driver)[:-10]]))
    assert found == []


def test_types_are_those_of_the_table() -> None:
    """A value that no command could make again is not left out without a word."""
    driver = Driver(table=WITH_NUMBERS)
    driver.one("NUM.ADD n 1 2")
    with pytest.raises(SnapshotError, match="no values of type numbers"):
        imported(document(driver))
    [only] = import_keys([document(driver)], WITH_NUMBERS)
    assert isinstance(only, Piece)
    assert only.commands == ((b"NUM.ADD", b"n", b"1", b"2"),)


def test_infinities_are_what_they_were() -> None:
    """JSON has no number for them."""
    driver, copy = Driver(), Driver()
    driver.run("ZADD z inf a -inf b")
    load(imported(document(driver)), copy)
    assert contents(copy.machine)[0, b"z"][0] == {b"a": inf, b"b": -inf}


@pytest.mark.parametrize("fields", [3, 700])
def test_deadlines_of_fields_are_made_again(fields: int) -> None:
    """Those that have not passed; a field whose deadline has passed is not there afterwards."""
    driver, copy = Driver(), Driver(seed=5)
    driver.run(
        *(f"HSET h f{number} {number}" for number in range(fields)),
        "HPEXPIRE h 5000 FIELDS 2 f0 f1",
        "HPEXPIRE h 10 FIELDS 1 f2",
    )
    items = imported(document(driver))
    assert sum(item.count_at(driver.now + 9) for item in items if isinstance(item, Piece)) == fields
    driver.pass_ms(20)
    copy.pass_ms(20)
    assert sum(item.count_at(copy.now) for item in items if isinstance(item, Piece)) == fields - 1
    load(items, copy)
    for one in (driver, copy):
        assert one.read("HLEN h") == fields - 1
        assert one.read("HPTTL h FIELDS 3 f0 f1 f2") == [4980, 4980, -2]
