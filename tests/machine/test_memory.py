"""The account and the cap: what is charged, what is refused, and how close it is to a real process."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.machine.driving import Driver, reborn
from trikv.machine.errors import EXEC_OOM, KEY_TOO_LONG, OOM, STRING_TOO_LONG
from trikv.machine.features import FEATURE_LEVEL, PACKED_VALUES
from trikv.machine.memory import KEY_BYTES_MAX, VALUE_BYTES_MAX, charges_of, parse_memory
from trikv.machine.replies import OK, CommandError
from trikv.machine.stored import PACKED_BYTES_MAX

CHARGES = charges_of(FEATURE_LEVEL)
ONE = CHARGES.key(1, 1, 0)
"""What a key and a value of one byte each are charged."""


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        (b"0", 0),
        (b"100", 100),
        (b"1b", 1),
        (b"2k", 2000),
        (b"2kb", 2048),
        (b"3M", 3_000_000),
        (b"3Mb", 3 << 20),
        (b"1g", 10**9),
        (b"1GB", 1 << 30),
        (b"", None),
        (b"k", None),
        (b"-1", None),
        (b"1tb", None),
        (b"1.5gb", None),
    ],
)
def test_units(text: bytes, amount: int | None) -> None:
    """Redis' notation: k is a thousand, kb is 1024."""
    assert parse_memory(text) == amount


def test_charges() -> None:
    """Bytes of key and value, and a constant for each object."""
    driver = Driver()
    driver.one("SET key value")
    assert driver.machine.used_memory == CHARGES.entry_bytes + 8
    assert driver.read("MEMORY USAGE key") == CHARGES.entry_bytes + 8
    driver.one("EXPIRE key 100")
    assert driver.read("MEMORY USAGE key SAMPLES 5") == CHARGES.entry_bytes + CHARGES.expiry_bytes + 8
    driver.one("DEL key")
    assert driver.machine.used_memory == 0


def test_what_is_not_packed_is_charged_more() -> None:
    """One byte more may bring the other form; whatever changes a value, the account follows."""
    driver = Driver()
    driver.call(b"SET", b"k", bytes(PACKED_BYTES_MAX))
    assert driver.machine.used_memory == CHARGES.entry_bytes + 1 + PACKED_BYTES_MAX
    driver.one("APPEND k x")
    assert driver.machine.used_memory == CHARGES.entry_bytes + 1 + PACKED_BYTES_MAX + 1 + CHARGES.long_bytes
    driver.one("SET k x")
    assert driver.machine.used_memory == ONE


def test_a_cluster_of_an_older_level_keeps_its_charges() -> None:
    """Its log was carried out with them: what it refused stays refused, after a restored snapshot too."""
    driver = Driver(level=PACKED_VALUES - 1)
    driver.run("SET key value PX 1000", (b"SET", b"long", bytes(PACKED_BYTES_MAX + 1)))
    expected = 208 + 112 + 8 + 208 + 4 + PACKED_BYTES_MAX + 1
    assert driver.machine.used_memory == expected
    driver.machine = reborn(driver.machine)
    assert driver.machine.used_memory == expected
    driver.one("DEL key long")
    assert driver.machine.used_memory == 0


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_a_restored_snapshot_is_charged_the_same(level: int) -> None:
    """Each key as by the level of its document, from the first line on."""
    driver = Driver(level=level)
    driver.run("SET a 1", "SET b 2 PX 1000", (b"SET", b"c", bytes(PACKED_BYTES_MAX + 1)))
    copy = reborn(driver.machine)
    assert copy.used_memory == copy.recount() == driver.machine.used_memory
    assert copy.space.account.shares == driver.machine.space.account.shares


def test_config_set_changes_the_cap() -> None:
    """Only maxmemory goes through the log; nonsense is refused in Redis' words."""
    driver = Driver()
    assert driver.one("CONFIG SET maxmemory 5mb") == OK
    assert driver.machine.maxmemory == 5 << 20
    for line in ("CONFIG SET maxmemory x", "CONFIG SET timeout 5", "CONFIG SET maxmemory 1 timeout 5"):
        assert isinstance(driver.one(line), CommandError)
    assert driver.machine.maxmemory == 5 << 20


def test_full_to_the_byte() -> None:
    """A write that fits exactly is taken, one byte more is not."""
    driver = Driver(cap=2 * ONE)
    assert driver.run("SET a 1", "SET b 1") == [OK, OK]
    assert driver.run("SET b 12", "SET c 1", "APPEND a x", "SETRANGE a 1 x", "EXPIRE a 9") == [OOM] * 5
    assert driver.run("SET a 2", "INCR a", "RENAME a c", "DEL c", "SET d 1") == [OK, 3, OK, 1, OK]
    assert driver.machine.used_memory == 2 * ONE


GROWING = [
    "SET n v",
    "SET a longer",
    "SET n v GET",
    "SETEX n 5 v",
    "GETSET n v",
    "SETNX n v",
    "MSET a 1 n v",
    "MSETNX n v m v",
    "APPEND a longer",
    "SETRANGE a 50 v",
    "INCR n",
    "INCRBYFLOAT n 1.5",
    "INCRBYFLOAT a 1.5",
    "EXPIRE a 100",
    "GETEX a EX 100",
    f"RENAME a {'longer' * 6}",
    f"RENAMENX a {'longer' * 6}",
]


@pytest.mark.parametrize("line", GROWING)
def test_every_growing_command_respects_the_cap(line: str) -> None:
    """It is refused with OOM and without effect where the account would pass the cap."""
    driver = Driver(cap=ONE)
    driver.one("SET a 1")
    keys = driver.machine.keys(), driver.machine.changes
    assert driver.one(line) == OOM
    assert driver.execute("DEL a", line) == EXEC_OOM
    assert (driver.machine.keys(), driver.machine.changes) == keys


def test_cap_below_the_data() -> None:
    """Growth is refused, as is every command Redis refuses then; reads, deletes and shrinking TTLs go on."""
    driver = Driver()
    driver.run("SET a 12345", "SET b 1", "SET c 1 EX 100", "CONFIG SET maxmemory 520")
    assert driver.run("SET a 1", "SETNX a 1", "INCR b", "APPEND a x", "EXPIRE a 5") == [OOM] * 5
    assert driver.run("GET a", "PERSIST c", "EXPIRE b -1", "RENAME a d", "GETDEL d") == [
        b"12345",
        1,
        1,
        OK,
        b"12345",
    ]
    assert driver.execute("GET c", "SET c 1") == [b"1", OK]
    assert driver.one("CONFIG SET maxmemory 100") == OK
    assert driver.execute("GET c", "SET c 1") == EXEC_OOM
    assert driver.execute("GET c", "DEL c") == [b"1", 1]


def test_mset_is_judged_as_a_whole() -> None:
    """What one pair frees another may use; too much for all is refused for all."""
    driver = Driver(cap=3 * ONE)
    driver.run((b"SET", b"a", b"x" * (ONE + 1)), "SET b 1")
    assert driver.one("MSET c 1 a 1") == OK
    assert driver.one("MSET d 1 e 1") == OOM
    assert driver.machine.keys() == 3


def test_limits_of_one_key() -> None:
    """Keys and values have a largest size, the same for every way in."""
    driver = Driver()
    long_key, long_value = b"k" * (KEY_BYTES_MAX + 1), b"v" * (VALUE_BYTES_MAX + 1)
    assert driver.call(b"SET", long_key, b"v") == KEY_TOO_LONG
    assert driver.call(b"SET", b"k", long_value) == STRING_TOO_LONG
    assert driver.call(b"SET", b"k", long_value, b"PXAT", b"1") == STRING_TOO_LONG
    assert driver.call(b"MSET", b"a", b"1", long_key, b"v") == KEY_TOO_LONG
    assert driver.call(b"SETRANGE", b"a", b"%d" % VALUE_BYTES_MAX, b"v") == STRING_TOO_LONG
    assert driver.call(b"SET", b"a", long_value[2:]) == OK
    assert driver.call(b"APPEND", b"a", b"v") == VALUE_BYTES_MAX
    assert driver.call(b"APPEND", b"a", b"v") == STRING_TOO_LONG
    assert driver.call(b"RENAME", b"a", long_key) == KEY_TOO_LONG
    assert driver.machine.keys() == 1


NAMES = st.sampled_from(["a", "b", "c", "longer:key"])
LINES = st.one_of(
    st.builds("SET {} {}".format, NAMES, st.integers(0, 10**9)),
    st.builds("SETRANGE {} {} x".format, NAMES, st.integers(0, 300)),
    st.builds("APPEND {} {}".format, NAMES, st.integers(0, 10**9)),
    st.builds("INCRBYFLOAT {} {}".format, NAMES, st.sampled_from(["1e20", "-0.5", "1e-9"])),
    st.builds("MSET {} 1 {} 1234567890".format, NAMES, NAMES),
    st.builds("RENAME {} {}".format, NAMES, NAMES),
    st.builds("EXPIRE {} {}".format, NAMES, st.sampled_from(["1", "-1", "100"])),
    st.builds("GETEX {} PX 1500".format, NAMES),
    st.builds("DEL {}".format, NAMES),
    st.builds("SET {} {} PX 700 GET".format, NAMES, st.integers(0, 10**9)),
)


@given(
    st.integers(1, 3000),
    st.lists(st.tuples(st.booleans(), st.lists(LINES, min_size=1, max_size=4)), max_size=15),
)
@settings(max_examples=80, deadline=None)
@pytest.mark.parametrize("level", [1, 2, 3])
def test_account_never_passes_the_cap(level: int, cap: int, steps: list[tuple[bool, list[str]]]) -> None:
    """The account equals a recount and is at most the cap, and an eighth for deadlines and names.

    That holds after every command, and EXEC meets no OOM inside.
    """
    driver = Driver(cap=cap, level=level)
    cap += driver.machine.space.account.spare
    for is_transaction, lines in steps:
        if is_transaction:
            reply = driver.execute(*lines)
            assert reply == EXEC_OOM or (isinstance(reply, list) and OOM not in reply)
        else:
            for line in lines:
                driver.one(line)
                assert driver.machine.used_memory <= cap
        assert driver.machine.used_memory <= cap
        driver.pass_ms(300)


PROBE = """
import gc, sys
gc.disable()
from tests.machine.driving import Driver
from trikv.machine.machine import Machine
def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))
value_bytes, extra = int(sys.argv[1]), sys.argv[2:]
driver = Driver()
db = driver.machine.space.databases[0]
db.store(b"first", b"")
before = resident()
deadline = driver.now + 5000 if extra else 0
number = 0
while driver.machine.used_memory < 48_000_000:
    db.store(b"key:%012d" % number, bytes(value_bytes), deadline + number if deadline else 0)
    number += 1
print((resident() - before) / driver.machine.used_memory)
"""


FULL_PROBE = """
import gc
gc.disable()
from tests.machine.driving import Driver
from trikv.machine.commands.expiry import pexpireat
def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))
cap = 48_000_000
driver = Driver(cap)
db = driver.machine.space.databases[0]
db.store(b"first", b"")
before = resident()
number = 0
while db.store(b"%d" % number, b"1") is None:
    number += 1
deadline = b"%d" % (driver.now + 10**9)
key = 0
while pexpireat(db, b"%d" % key, deadline) == 1:
    key += 1
assert 0 < key < number and driver.machine.used_memory > cap
print((resident() - before) / cap)
"""


KEY_PROBE = """
import gc
gc.disable()
from tests.machine.driving import Driver
def resident():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))
db = Driver().machine.space.databases[0]
db.store(b"first", b"")
before, count = resident(), 1_000_000
for number in range(count):
    db.store(b"key:%012d" % number, bytes(64))
print((resident() - before) / count)
"""


def test_a_key_takes_no_more_than_225_bytes() -> None:
    """Each of a million with a name of 16 bytes and a value of 64: what it holds, and 145 more at most."""
    run = subprocess.run([sys.executable, "-c", KEY_PROBE], capture_output=True, text=True, check=True)
    assert 16 + 64 < float(run.stdout) <= 225, run.stdout


def test_deadlines_at_full_memory_keep_the_promise() -> None:
    """A cluster full of the smallest keys that gives them all deadlines stays within 1.5 times its cap."""
    run = subprocess.run([sys.executable, "-c", FULL_PROBE], capture_output=True, text=True, check=True)
    assert 0.67 < float(run.stdout) <= 1.5, run.stdout


@pytest.mark.parametrize("args", [("50",), ("500",), ("5000",), ("50", "deadlines")])
def test_account_fits_a_real_process(args: tuple[str, ...]) -> None:
    """The process grows by 0.67 to 1.33 times the account: within the promised 1.5, and nothing wasted."""
    run = subprocess.run([sys.executable, "-c", PROBE, *args], capture_output=True, text=True, check=True)
    assert 0.67 <= float(run.stdout) <= 1.33, run.stdout


def test_no_cap_refuses_nothing() -> None:
    """Cap 0 means none."""
    driver = Driver()
    assert driver.run(*(f"SET k{number} v" for number in range(100))) == [OK] * 100
    assert driver.execute("SET a 1", "APPEND a 2") == [OK, 2]
