"""Values in parts inside a machine: replay, restore, cuts, release and the account, for any history."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.machine.driving import Driver
from tests.machine.values.commands import WITH_NUMBERS, numbers_under
from tests.machine.values.numbers import MEAN, NUMBER_BYTES, PART_BYTES, Spelled, Wide
from trikv.machine import codec
from trikv.machine.database import AT_ONCE_BYTES
from trikv.machine.errors import OOM, WRONG_TYPE
from trikv.machine.machine import Machine
from trikv.machine.replies import OK, SimpleString
from trikv.machine.snapshot import Restore, SnapshotError
from trikv.machine.values.value import Elements
from trikv.machine.walk import Walk

KEYS = st.sampled_from(["a", "b", "c"])
SOME = st.lists(st.integers(-40, 40), min_size=1, max_size=40).map(lambda some: " ".join(map(str, some)))
LINES = st.one_of(
    st.builds("NUM.ADD {} {}".format, KEYS, SOME),
    st.builds("NUM.ADD {} {}".format, KEYS, SOME),
    st.builds("NUM.REM {} {}".format, KEYS, SOME),
    st.builds("NUM.ALL {}".format, KEYS),
    st.builds("SET {} text".format, KEYS),
    st.builds("APPEND {} text".format, KEYS),
    st.builds("GET {}".format, KEYS),
    st.builds("RENAME {} {}".format, KEYS, KEYS),
    st.builds("PEXPIRE {} {}".format, KEYS, st.integers(1, 500)),
    st.builds("PERSIST {}".format, KEYS),
    st.builds("DEL {}".format, KEYS),
    st.sampled_from(["FLUSHALL", "DBSIZE"]),
)
ACTS = st.sampled_from(["walk", "step", "end", "hash", "release", "pass"])


def begun(cap: int = 0, level: int = 3) -> Driver:
    """A machine that knows numbers."""
    return Driver(cap, level=level, table=WITH_NUMBERS)


def document(walk: Walk, step: int = 1 << 20) -> bytes:
    """All that is left of it."""
    pieces = []
    while piece := walk.step(step):
        pieces.append(piece)
    return b"".join(pieces)


def restored(written: bytes) -> Machine:
    """The machine of a document, which arrives in small pieces."""
    restore = Restore(WITH_NUMBERS)
    for at in range(0, len(written), 100):
        restore.feed(written[at : at + 100])
    return restore.finish()[1]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(LINES, LINES, ACTS), max_size=60), st.sampled_from([0, 0, 6_000]))
def test_whatever_happens_replicas_are_equal(steps: list[str], cap: int) -> None:
    """One walks, hashes and frees in between, the other does not; a third is restored at the end."""
    busy, idle = begun(cap), begun(cap)
    walks: list[tuple[Walk, bytearray, str]] = []
    for step in steps:
        if step == "walk":
            digest = idle.machine.digest()
            walks.append((busy.machine.walk({}), bytearray(), digest))
        elif step == "step" and walks:
            walks[-1][1].extend(walks[-1][0].step(150))
        elif step == "end" and walks:
            walks.pop()[0].abort()
        elif step == "hash":
            busy.machine.hash_some(2)
        elif step == "release":
            busy.machine.release(300)
        elif step == "pass":
            busy.pass_ms(100)
            idle.pass_ms(100)
        elif " " in step or step.isupper():
            assert busy.one(step) == idle.one(step)
    assert busy.machine.digest() == idle.machine.digest()
    for walk, written, digest in walks:
        copy = restored(bytes(written) + document(walk))
        assert copy.digest() == digest
        assert copy.used_memory == copy.recount()
    copy = restored(document(busy.machine.walk({})))
    assert copy.digest() == idle.machine.digest()
    assert copy.used_memory == idle.machine.used_memory == copy.recount()
    assert copy.space.account.shares == idle.machine.space.account.shares
    while busy.machine.release(500):
        pass
    assert busy.machine.digest() == idle.machine.digest()


def test_a_string_command_on_another_type() -> None:
    """It is refused in Redis' words and changes nothing; whatever is about keys goes on."""
    driver = begun()
    driver.one("NUM.ADD n 1 2 3")
    before = driver.machine.digest()
    lines = ["GET n", "APPEND n x", "INCR n", "GETSET n x", "SET n x GET", "STRLEN n", "INCRBYFLOAT n 1"]
    lines += ["GETEX n", "GETDEL n", "SETRANGE n 0 x", "GETRANGE n 0 1"]
    assert driver.run(*lines) == [WRONG_TYPE] * len(lines)
    assert [driver.read(line) for line in ("GET n", "STRLEN n")] == [WRONG_TYPE, WRONG_TYPE]
    assert driver.machine.digest() != before or driver.machine.changes == 1
    assert driver.read("TYPE n") == SimpleString("numbers")
    assert driver.run("SETNX n x", "EXISTS n", "RENAME n m", "NUM.ALL m") == [0, 1, OK, [1, 2, 3]]
    assert driver.run("SET s x", "NUM.ADD s 1", "SET m x", "GET m") == [OK, WRONG_TYPE, OK, b"x"]


class Asked:
    """What a client of this node asks."""

    db = 0
    transactions = ()

    def __init__(self, line: bytes) -> None:
        self.commands = (tuple(line.split()),)


def test_quick_reads_leave_another_type_alone() -> None:
    """Those before it are answered, it and those behind it are left to the plain way."""
    driver = begun()
    driver.run("SET s x", "NUM.ADD n 1")
    machine = driver.machine
    machine.tally.reset()
    assert machine.read_quickly([Asked(b"GET n")]) == []
    assert machine.read_one_quickly(Asked(b"GET n")) is None
    assert (machine.tally.ran, machine.tally.hits, machine.tally.misses) == ({}, 0, 0)
    assert machine.read_quickly([Asked(b"GET s"), Asked(b"GET n"), Asked(b"GET s")]) == [[b"x"]]
    assert (machine.tally.ran, machine.tally.hits, machine.tally.misses) == ({"GET": 1}, 1, 0)
    assert machine.read(0, [(b"GET", b"n"), (b"GET", b"s")]) == [WRONG_TYPE, b"x"]


def test_scan_by_type() -> None:
    """SCAN shows all types, or the one that is asked for, and no key that is due."""
    driver = begun()
    driver.run("SET s x", "NUM.ADD n 1", "SET due x PX 5")
    driver.now += 10
    driver.batch()
    shown = [driver.read(f"SCAN 0 {wanted}") for wanted in ("", "TYPE string", "TYPE NUMBERS", "TYPE set")]
    assert shown == [[b"0", keys] for keys in ([b"s", b"n"], [b"s"], [b"n"], [])]


def test_memory_usage_and_the_cap() -> None:
    """What a value takes is charged with every change, and refused before the first of a command's."""
    driver = begun()
    entry_bytes = driver.machine.space.account.charges.entry_bytes
    driver.one("NUM.ADD n 1 2 3")
    assert driver.read("MEMORY USAGE n") == entry_bytes + 1 + 3 * NUMBER_BYTES + PART_BYTES
    driver.one("NUM.REM n 1 2")
    assert driver.read("MEMORY USAGE n") == entry_bytes + 1 + NUMBER_BYTES + PART_BYTES
    driver.one(f"CONFIG SET maxmemory {driver.machine.used_memory + 100}")
    assert driver.run("NUM.ADD n 4 5 6", "NUM.ALL n") == [OOM, [3]]
    assert driver.run("NUM.REM n 3", "EXISTS n") == [1, 0]
    assert driver.machine.used_memory == 0


def test_a_value_that_is_dropped_in_the_middle_of_a_change_leaves_no_charge() -> None:
    """What it was charged is given back, not what it would be charged as it is now."""
    driver = begun()
    driver.run("NUM.ADD a 1 2 3")
    db = driver.machine.space.databases[0]
    value = numbers_under(db, b"a")
    assert value is not None
    value = db.changing(b"a", value)
    assert value.remove(1)
    assert db.drop(b"a")
    assert driver.machine.used_memory == driver.machine.recount() == 0


def test_two_walks_of_one_value() -> None:
    """Each shows its own instant, whatever the other shares with the live value."""
    driver = begun()
    first, digests = [], []
    for number in range(3):
        driver.one(f"NUM.ADD n {number}")
        first.append(driver.machine.walk({}))
        digests.append(driver.machine.digest())
    driver.one("NUM.REM n 0")
    assert [restored(document(walk)).digest() for walk in first] == digests


def test_a_value_that_is_deleted_while_it_is_walked() -> None:
    """What frees it takes nothing from the walk."""
    driver = begun()
    driver.one("NUM.ADD n " + " ".join(map(str, range(100))))
    digest = driver.machine.digest()
    walk = driver.machine.walk({})
    driver.one("DEL n")
    assert driver.machine.space.account.discarded
    while driver.machine.release(100):
        pass
    assert restored(document(walk)).digest() == digest


def test_flushed_values_are_freed_part_by_part() -> None:
    """A bucket that is freed leaves the parts of its values for later slices."""
    driver = begun()
    driver.run(f"SET long {'v' * AT_ONCE_BYTES}", "NUM.ADD n " + " ".join(map(str, range(800))), "FLUSHALL")
    slices = 0
    while driver.machine.release(4 * 256):
        slices += 1
    assert slices > 800 // MEAN // 4


def test_a_part_of_many_lines() -> None:
    """Elements of megabytes do not make a line that no reader takes."""
    driver = begun()
    driver.one("NUM.ADD n 1 2 3 4 5")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codec, "PIECE_BYTES", 2 * codec.NUMBER_BYTES)
        written = document(driver.machine.walk({}))
    assert written.count(b'{"part":0') == 3
    assert restored(written).digest() == driver.machine.digest()


def test_elements_with_bytes_in_them() -> None:
    """Text is written as text, other bytes as base64, numbers and lists as they are; all come back."""
    driver = begun()
    value = Spelled(0, b"")
    for number in range(30):
        value.add(number)
    driver.machine.space.databases[0].put_unchecked(b"n", value)
    written = document(driver.machine.walk({}))
    assert b'[7,"7",{"b64":"/zc="}]' in written
    assert restored(written).digest() == driver.machine.digest()
    restore = Restore(WITH_NUMBERS)
    with pytest.raises(SnapshotError, match="no part of a value"):
        restore.feed(written.replace(b'{"b64":"/zc="}', b'{"b65":"/zc="}'))


def test_a_command_that_is_called_says_wrongtype_to_its_caller() -> None:
    """It is an answer like any other: the caller goes on."""
    driver = begun()
    driver.run("NUM.ADD n 1", "SET s x")
    assert driver.run("NUM.ASK n", "NUM.ASK s") == [[WRONG_TYPE, WRONG_TYPE], [b"x", 2]]


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        ((b'"t":"numbers"', b'"t":"nombers"'), "no values of type nombers"),
        ((b'{"part":1', b'{"part":2'), "out of order"),
        ((b'{"parts":2', b'{"parts":3'), "3 parts were written, fewer are here"),
        ((b'{"parts":2', b'{"parts":1'), "out of order"),
        ((b'"s":[1,0]', b'"s":[3,0]'), "do not make the shape"),
        ((b'"s":[1,0]', b'"s":[1,0,5]'), "too many values to unpack"),
        ((b'"e":[', b'"e":[[5],'), "no part of a value"),
    ],
    ids=["type", "order", "fewer", "more", "shape", "longer", "element"],
)
def test_an_edited_document_is_refused(edit: tuple[bytes, bytes], told: str) -> None:
    """With the line and what is wrong with it; nothing is made up."""
    driver = begun()
    driver.one("NUM.ADD n " + " ".join(map(str, range(12))))
    driver.run("SELECT 1", "SET last x")  # so that the value ends before the document does
    written = document(driver.machine.walk({}))
    assert edit[0] in written
    restore = Restore(WITH_NUMBERS)
    with pytest.raises(SnapshotError, match=told):
        restore.feed(written.replace(*edit, 1))


COUNT = 100_000


class Counting(Wide):
    """Counts the parts that are worked on."""

    __slots__ = ()

    type_name = "counting"
    worked = 0

    def elements(self, part: dict[int, None]) -> Elements:
        """For a digest or a document."""
        Counting.worked += 1
        return super().elements(part)

    def copied(self, part: dict[int, None]) -> dict[int, None]:
        """For a write under a cut."""
        Counting.worked += 1
        return part.copy()


def worked(step: Callable[[], object]) -> int:
    """How many parts it worked on."""
    before = Counting.worked
    step()
    return Counting.worked - before


def test_no_step_works_on_more_than_a_few_parts() -> None:
    """A write after a cut, a walk, a digest, and what frees the value, however large it is.

    ``python -m tests.perf.parts`` tells how long such steps take at a million elements.
    """
    driver = begun()
    db = driver.machine.space.databases[0]
    value = Counting(0, b"")
    for number in range(COUNT):
        value.add(number)
    parts = len(value.parts)
    assert parts > 300
    db.put_unchecked(b"n", value)
    hashed = 0
    while next(value.unhashed(), None) is not None:
        step = worked(lambda: driver.machine.hash_some(8))
        assert step <= 8
        hashed += step
    assert hashed == parts
    assert worked(driver.machine.digest) == 0
    walk = driver.machine.walk({})
    assert worked(lambda: driver.call(b"NUM.REM", b"n", b"5")) == 1
    assert worked(lambda: driver.call(b"NUM.REM", b"n", b"6")) == 1
    assert worked(lambda: driver.call(b"NUM.ADD", b"n", b"6")) == 0
    steps = [worked(lambda: walk.step(16384)) for _ in range(10)]
    assert max(steps) <= 1 + 16384 // 256
    walk.abort()
    driver.call(b"DEL", b"n")
    del value
    slices = 1
    while driver.machine.release(8 * 256):
        slices += 1
    assert slices >= parts // 8
