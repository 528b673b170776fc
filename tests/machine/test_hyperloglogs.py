"""HyperLogLogs: to the byte what Redis keeps, about as many as there were, and no step that takes long."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.machine.dialogue import check
from tests.machine.driving import Driver, reborn
from trikv.machine import hyperloglog, murmur, registers, sparse_registers
from trikv.machine.call import at_once
from trikv.machine.commands import hyperloglogs
from trikv.machine.hyperloglog import Sketch
from trikv.machine.replies import CommandError, Streamed
from trikv.machine.sparse_registers import Came, CorruptedError, Sparse
from trikv.sim.checkers.model import Model

NO_ONE = "WRONGTYPE Key is not a valid HyperLogLog string value."
CORRUPTED = CommandError("INVALIDOBJ Corrupted HLL object detected")
OUTDATED = b"HYLL\1" + bytes(10) + b"\x80"
"""The header of runs whose count is not known."""
ALL_ZERO = b"\x7f\xff"


def elements(count: int, first: int = 0) -> list[bytes]:
    """So many different ones."""
    return [b"e%d" % number for number in range(first, first + count)]


def answer(reply: object) -> object:
    """A reply, or the first row of one that is made in steps."""
    if not isinstance(reply, Streamed):
        return reply
    found: list[object] = []
    while not reply.is_over:
        found += reply.step()
    assert reply.count == 1
    return found[0]


def test_elements_are_counted() -> None:
    """Each once; a count of several keys is that of all of them together."""
    check("""
        PFADD k a b c d e f g -> 1
        PFCOUNT k -> 7
        PFADD k a b -> 0
        PFADD k -> 0
        PFADD empty -> 1
        PFADD empty -> 0
        PFCOUNT empty -> 0
        PFADD other f g h i -> 1
        PFCOUNT k other absent -> 9
        PFCOUNT absent -> 0
        PFCOUNT absent nowhere -> 0
        PFMERGE all k other absent -> OK
        PFCOUNT all -> 9
        PFMERGE none absent -> OK
        PFCOUNT none -> 0
        PFMERGE all -> OK
        STRLEN k -> 38
        TYPE k -> string
        EXPIRE k 100 -> 1
        PFADD k z -> 1
        TTL k -> 100
    """)


def test_a_value_is_a_string() -> None:
    """GET shows its bytes, and what a client sets is taken as what it is."""
    driver = Driver()
    driver.one("PFADD k")
    assert driver.read("GET k") == OUTDATED + ALL_ZERO
    driver.one("PFADD k a")
    assert answer(driver.read("PFCOUNT k")) == 1
    kept = driver.read("GET k")
    assert isinstance(kept, bytes)
    assert kept[15] == 0x80, "a read has not written the count"
    driver.call(b"SET", b"k", kept[:8] + b"\7" + bytes(7) + kept[16:])
    assert driver.read("PFCOUNT k") == 7, "the header says that it is known"
    driver.one("PFADD k b")
    assert answer(driver.read("PFCOUNT k")) == 2, "and after a change that it is not"


@pytest.mark.parametrize(
    "value",
    [
        b"HYL",
        b"HYLL\1" + bytes(10),
        b"hyll\1" + bytes(11) + ALL_ZERO,
        b"HYLL\2" + bytes(11) + ALL_ZERO,
        b"HYLL\0" + bytes(11) + ALL_ZERO,
        b"12345",
    ],
)
def test_any_other_string_is_refused(value: bytes) -> None:
    """Too short, of another beginning or encoding, packed but of another length."""
    driver = Driver()
    driver.call(b"SET", b"k", value)
    for command in ("PFADD k a", "PFCOUNT k", "PFCOUNT x k", "PFMERGE x k", "PFDEBUG ENCODING k"):
        assert driver.one(command) == CommandError(NO_ONE), command
    assert driver.read("GET k") == value
    check("RPUSH l a -> 1\nPFADD l a -> WRONGTYPE Operation against a key holding the wrong kind of value")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x7f\xfe",
        b"\x7f\xff\x80",
        b"\x7f\xff\0",
        b"\x7f",
        bytes(sparse_registers.BODY_BYTES_MAX + 1),
    ],
)
def test_runs_that_are_too_few_or_too_many_are_corrupted(body: bytes) -> None:
    """Whoever goes over all of them says so, and changes nothing."""
    driver = Driver()
    driver.call(b"SET", b"k", OUTDATED + body)
    driver.one("PFADD other a")
    driver.one("PFDEBUG TODENSE other")
    for command in (
        "PFCOUNT k",
        "PFCOUNT other k",
        "PFMERGE other k",
        "PFDEBUG TODENSE k",
        "PFDEBUG GETREG k",
    ):
        assert answer(driver.one(command)) == CORRUPTED, command
    assert driver.read("GET k") == OUTDATED + body
    assert answer(driver.read("PFCOUNT other")) == 1


def test_an_element_beyond_the_runs_is_corrupted() -> None:
    """One before their end is put, as by Redis, which looks no further."""
    place, _ = hyperloglog.place_of(murmur.hashed(b"a", hyperloglog.SEED))
    driver = Driver()
    driver.call(b"SET", b"k", OUTDATED + b"\x3f" * (place // 64))
    assert driver.one("PFADD k a") == CORRUPTED
    driver.call(b"SET", b"k", OUTDATED + b"\x3f" * (place // 64 + 1))
    assert driver.one("PFADD k a") == 1
    driver.call(b"SET", b"k", OUTDATED + bytes(sparse_registers.BODY_BYTES_MAX + 1))
    assert driver.one("PFADD k a") == CORRUPTED
    driver.call(b"SET", b"k", OUTDATED + b"\x3f" * 2984)  # there is no room, and no way to pack it
    assert driver.one("PFADD k a") == CORRUPTED


def test_registers_that_nothing_can_have_made_are_corrupted() -> None:
    """No register is so high, and no number of elements so great."""
    for value, expected in ((63, CORRUPTED), (51, CORRUPTED), (50, CORRUPTED), (13, 97_000_000)):
        driver = Driver()
        packed = registers.packed(bytes((value,)) * registers.REGISTERS)
        driver.call(b"SET", b"k", b"HYLL\0" + bytes(10) + b"\x80" + packed)
        found = answer(driver.read("PFCOUNT k"))
        if isinstance(expected, int):
            assert isinstance(found, int)
            assert abs(found - expected) < expected / 50
        else:
            assert found == expected


def test_debugging_shows_the_inside() -> None:
    """Registers, runs, the encoding; it packs them if asked to."""
    check(f"""
        PFDEBUG ENCODING k -> ERR The specified key does not exist
        PFADD k -> 1
        PFDEBUG DECODE k -> Z:16384
        PFDEBUG encoding k -> sparse
        PFADD k a -> 1
        PFDEBUG DECODE k -> Z:12711 v:2,1 Z:3672
        PFDEBUG TODENSE k -> 1
        PFDEBUG TODENSE k -> 0
        PFDEBUG ENCODING k -> dense
        PFDEBUG DECODE k -> ERR HLL encoding is not sparse
        PFDEBUG foo k -> ERR Unknown PFDEBUG subcommand 'foo'
        STRLEN k -> {hyperloglog.DENSE_BYTES}
        PFADD k a -> 0
        PFADD k b -> 1
        PFCOUNT k -> 2
        PFSELFTEST -> OK
    """)


def test_all_registers_are_shown() -> None:
    """Those of a sparse value, which is packed by that, as in Redis."""
    driver = Driver()
    driver.one("PFADD k a")
    found = driver.one("PFDEBUG GETREG k")
    assert isinstance(found, list)
    assert (len(found), sum(map(bool, found)), found[12711]) == (16384, 1, 2)
    assert driver.read("STRLEN k") == hyperloglog.DENSE_BYTES
    assert driver.one("PFDEBUG GETREG k") == found


def test_a_node_whose_registers_are_wrong_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """PFSELFTEST compares what is set with what is read."""
    monkeypatch.setattr(registers, "_FOURTH", bytes(256))
    found = Driver().read("PFSELFTEST")
    assert isinstance(found, CommandError)
    assert found.text.startswith("ERR TESTFAILED")


@pytest.mark.parametrize("count", [1, 100, 1_000, 5_000, 16_000])
def test_an_estimate_is_near(count: int) -> None:
    """The standard error is 0.81 %: of a few elements hardly any, of many up to three of those."""
    driver = Driver()
    for first in range(0, count, 4_000):
        driver.call(b"PFADD", b"k", *elements(min(4_000, count - first), first))
    found = answer(driver.read("PFCOUNT k"))
    assert isinstance(found, int)
    assert abs(found - count) <= count * 0.0243


def test_what_takes_no_short_form_is_packed() -> None:
    """Beyond 3,000 bytes, and as soon as a register is too high for a run."""
    driver = Driver()
    driver.call(b"PFADD", b"k", *elements(900))
    assert driver.one("PFDEBUG ENCODING k") == driver.one("PFDEBUG ENCODING k")
    size = driver.read("STRLEN k")
    assert isinstance(size, int)
    assert size <= hyperloglog.SPARSE_BYTES_MAX
    driver.call(b"PFADD", b"k", *elements(3000))
    assert driver.read("STRLEN k") == hyperloglog.DENSE_BYTES
    sketch = Sketch(hyperloglog.EMPTY)
    assert sketch.set(5, 33)
    assert hyperloglog.is_dense(sketch.value())
    assert hyperloglog.registers_of(sketch.value())[5] == 33


def test_long_work_stops_in_between() -> None:
    """Many elements, long ones, and many values to join are gone over in steps; the same comes of it."""
    one, other = Driver(), Driver()
    many = [*elements(700), b"x" * (3 * murmur.STEP_BYTES + 5)]
    assert one.call(b"PFADD", b"k", *many) == 1
    for element in many:
        other.call(b"PFADD", b"k", element)
    assert one.read("GET k") == other.read("GET k")
    steps = hyperloglogs._added(one.machine.space.databases[0], b"n", None, many)
    assert sum(1 for _ in steps) >= 700 // 128 + 3
    for number in range(6):
        one.call(b"PFADD", b"p%d" % number, *elements(100, 100 * number))
    names = " ".join(f"p{number}" for number in range(6))
    counted = one.read(f"PFCOUNT {names}")
    assert isinstance(counted, Streamed)
    assert one.one(f"PFMERGE all {names}") == answer_ok()
    assert answer(counted) == answer(one.read("PFCOUNT all"))


def answer_ok() -> object:
    """What PFMERGE answers."""
    return Driver().one("SET k v")


def test_no_room_is_said() -> None:
    """PFADD and PFMERGE need room for a packed value."""
    driver = Driver(cap=20_000)
    assert driver.one("PFADD k a") == 1
    driver.call(b"SET", b"full", b"." * 19_000)
    found = driver.call(b"PFADD", b"k", *elements(3000))
    assert isinstance(found, CommandError)
    assert found.text.startswith("OOM")


WORDS = st.sampled_from([b"a", b"b", b"c", b"", b"12345678", b"123456789", b"x" * 40])
RANGES = st.tuples(st.integers(0, 3000), st.sampled_from([20, 150, 700])).map(
    lambda drawn: tuple(elements(drawn[1], drawn[0]))
)
KEYS = st.sampled_from([b"j", b"k"])
CALLS = st.one_of(
    st.tuples(st.just(b"PFADD"), KEYS, WORDS),
    st.tuples(st.just(b"PFADD"), KEYS, RANGES).map(lambda drawn: (*drawn[:2], *drawn[2])),
    st.tuples(st.just(b"PFMERGE"), KEYS, KEYS),
    st.tuples(st.just(b"PFDEBUG"), st.sampled_from([b"TODENSE", b"DECODE", b"ENCODING"]), KEYS),
)


@settings(max_examples=15)
@given(st.lists(CALLS, max_size=8))
def test_bytes_and_counts_are_those_of_a_naive_model(calls: list[tuple[bytes, ...]]) -> None:
    """Whatever the order in which registers were set; and a restored replica has the same."""
    driver, model = Driver(), Model()
    for args in calls:
        driver.call(*args)
        model.run(args)
        for key in (b"j", b"k"):
            assert driver.read([b"GET", key]) == model.run((b"GET", key)), args
            assert answer(driver.read([b"PFCOUNT", key])) == model.run((b"PFCOUNT", key))
    assert answer(driver.read("PFCOUNT j k")) == model.run((b"PFCOUNT", b"j", b"k"))
    assert reborn(driver.machine).digest() == driver.machine.digest()


@given(st.binary(max_size=40))
@settings(max_examples=5)
def test_registers_are_packed_by_six_bits(some: bytes) -> None:
    """The lowest bits first; the greater of two is taken for each, and each value is counted."""
    packed = (some + b"\x9c\x01\xff\x37" * registers.PACKED_BYTES)[: registers.PACKED_BYTES]
    number = int.from_bytes(packed, "little")
    bits = f"{number:0{8 * len(packed)}b}"
    naive = [int(bits[end - 6 : end], 2) for end in range(len(bits), 0, -6)]
    found = registers.unpacked(packed)
    assert list(found) == naive
    assert registers.packed(found) == packed
    turned = found[::-1]
    assert list(registers.merged(found, turned)) == list(map(max, naive, naive[::-1]))
    assert registers.histogram(found) == [naive.count(value) for value in range(64)]


@given(st.binary(max_size=40))
def test_a_hash_is_that_of_its_inventor(data: bytes) -> None:
    """Word by word, the lowest byte first; and the same in steps."""
    factor, mask = 0xC6A4A7935BD1E995, (1 << 64) - 1
    state = (7 ^ len(data) * factor) & mask
    for at in range(0, len(data) - 7, 8):
        word = int.from_bytes(data[at : at + 8], "little") * factor & mask
        state = (state ^ (word ^ word >> 47) * factor & mask) * factor & mask
    rest = data[len(data) - len(data) % 8 :]
    if rest:
        state = (state ^ int.from_bytes(rest, "little")) * factor & mask
    state = (state ^ state >> 47) * factor & mask
    assert murmur.hashed(data, 7) == state ^ state >> 47


def test_a_long_hash_goes_in_steps() -> None:
    """It stops after each so many bytes."""
    data = bytes(range(256)) * 300
    steps = murmur.in_steps(data, 1)
    assert sum(1 for _ in steps) == len(data) // murmur.STEP_BYTES
    assert at_once(murmur.in_steps(data, 1)) == murmur.hashed(data, 1)


def test_neighbours_become_one() -> None:
    """As far as Redis looks: five opcodes from the one before the change on."""
    sparse = Sparse(ALL_ZERO, 3000)
    for place in (0, 1, 3, 2, 4, 100):
        assert sparse.set(place, 2) is Came.CHANGED
    assert sparse_registers.told(sparse.body()) == b"v:2,4 v:2,1 Z:95 v:2,1 Z:16283"
    assert sparse.set(2, 1) is Came.SAME
    assert sparse.set(2, 5) is Came.CHANGED
    assert sparse_registers.told(sparse.body()) == b"v:2,2 v:5,1 v:2,2 Z:95 v:2,1 Z:16283"
    assert Sparse(ALL_ZERO, 3).set(9, 1) is Came.FULL
    with pytest.raises(CorruptedError):
        sparse.set(16384, 1)


def test_sparse_values_are_joined_in_steps() -> None:
    """Register by register, as by Redis: they stay sparse."""
    driver, model = Driver(), Model()
    for args in ((b"PFADD", b"j", *elements(400)), (b"PFADD", b"k", *elements(400, 300))):
        driver.call(*args)
        model.run(args)
    driver.one("PFMERGE j k")
    model.run((b"PFMERGE", b"j", b"k"))
    assert driver.read("GET j") == model.run((b"GET", b"j"))
    assert driver.one("PFDEBUG ENCODING j") == driver.one("PFDEBUG ENCODING k")


def test_a_packed_value_among_the_joined_packs_them_all() -> None:
    """Wherever it is: the destination, or any of the sources."""
    for packed in ("j", "k"):
        driver, model = Driver(), Model()
        for args in (
            (b"PFADD", packed.encode(), *elements(3000)),
            (b"PFADD", b"k" if packed == "j" else b"j", *elements(100, 2950)),
            (b"PFMERGE", b"j", b"k"),
        ):
            driver.call(*args)
            model.run(args)
        assert driver.read("STRLEN j") == hyperloglog.DENSE_BYTES
        assert driver.read("GET j") == model.run((b"GET", b"j"))


def test_the_highest_registers_count() -> None:
    """Some elements' hashes are all zeros behind the register's number: of very many elements."""
    found = bytes((51,)) * 100 + bytes((45,)) * (registers.REGISTERS - 100)
    driver, model = Driver(), Model()
    value = b"HYLL\0" + bytes(10) + b"\x80" + registers.packed(found)
    driver.call(b"SET", b"k", value)
    model.run((b"SET", b"k", value))
    one, other = answer(driver.read("PFCOUNT k")), model.run((b"PFCOUNT", b"k"))
    assert isinstance(one, int)
    assert abs(one - other) <= other * 1e-14


def test_what_is_wrong_first_is_said() -> None:
    """Of several keys, in their order, as by Redis."""
    driver = Driver()
    driver.call(b"SET", b"k", OUTDATED)
    driver.one("RPUSH l a")
    wrong = CommandError("WRONGTYPE Operation against a key holding the wrong kind of value")
    assert answer(driver.read("PFCOUNT k l")) == CORRUPTED
    assert answer(driver.read("PFCOUNT l k")) == wrong
    assert driver.read("PFCOUNT l") == wrong
    assert driver.one("PFMERGE x k l") == CORRUPTED
    assert driver.one("PFMERGE x l k") == wrong


def test_no_room_for_packed_registers() -> None:
    """PFDEBUG says so before anything is changed, and shows no registers."""
    driver = Driver(cap=20_000)
    driver.one("PFADD k a")
    driver.call(b"SET", b"full", b"." * 15_000)
    before = driver.read("GET k")
    for word in ("GETREG", "TODENSE"):
        found = driver.one(f"PFDEBUG {word} k")
        assert isinstance(found, CommandError)
        assert found.text.startswith("OOM")
    assert driver.read("GET k") == before
