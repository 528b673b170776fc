"""Every replica the same: whoever asks, whatever the hash seed; and nothing left for the collector."""

import gc
import os
import subprocess
import sys

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.machine.driving import Driver, collect, reborn
from trikv.machine.batch import Transaction

KEYS = st.sampled_from([b"a", b"b", b"c"])
COMMANDS = st.one_of(
    st.tuples(st.sampled_from([b"INCR", b"GET", b"DEL", b"GETDEL", b"TTL", b"PERSIST"]), KEYS),
    st.tuples(
        st.sampled_from([b"SET", b"SETNX", b"APPEND", b"EXPIRE", b"RENAME"]),
        KEYS,
        st.sampled_from([b"1", b"a"]),
    ),
    st.sampled_from([(b"RANDOMKEY",), (b"KEYS", b"*"), (b"SELECT", b"1"), (b"FLUSHDB",), (b"NOSUCH",)]),
)
STEPS = st.lists(st.tuples(st.lists(COMMANDS, max_size=6), st.booleans(), st.integers(0, 900)), max_size=12)


@given(STEPS, st.integers(0, 12))
@settings(max_examples=60, deadline=None)
def test_replicas_agree(steps: list[tuple[list[tuple[bytes, ...]], bool, int]], restore_at: int) -> None:
    """The origin, which evaluates reads, a replica, which does not, and a restored one: one digest."""
    drivers = [Driver(cap=1500), Driver(cap=1500, origin=2), Driver(cap=1500, origin=0)]
    for place, (commands, is_transaction, pause_ms) in enumerate(steps):
        if place == restore_at:
            drivers[2].machine = reborn(drivers[2].machine)
        for driver in drivers:
            driver.submit(commands, (Transaction(0, len(commands)),) if is_transaction else ())
            driver.pass_ms(pause_ms)
        assert len({driver.machine.digest() for driver in drivers}) == 1


SCRIPT = """
import hashlib
from tests.machine.driving import Driver, collect

driver = Driver(cap=100_000)
for n in range(300):
    driver.run(f"SET key:{n % 97} {n}", f"EXPIRE key:{n % 31} 1", "SELECT 2", f"INCR n:{n % 7}")
    driver.pass_ms(17)
replies = driver.run("KEYS *", "RANDOMKEY", "SCAN 0 COUNT 50")
document = collect(driver.machine.walk({}))
print(driver.machine.digest(), hashlib.sha256(document + repr(replies).encode()).hexdigest())
"""


def test_hash_seeds_do_not_show() -> None:
    """State, snapshot and replies are equal in processes with other hash seeds."""
    outputs = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "77")
    }
    assert len(outputs) == 1


def test_nothing_is_left_for_the_collector() -> None:
    """Thousands of commands of every kind, walks, restores and a dropped machine make no cycle."""
    driver = Driver(cap=20_000)
    lines = [
        "SET k{} {}",
        "INCR n{}",
        "INCR k1",
        "GET k{}",
        "EXPIRE k{} 1",
        "SET e{} v PX 20",
        "NOSUCH {}",
        "SCAN 0 MATCH k* COUNT {}",
        "KEYS n*",
        "MSET a{} 1 b{} 2",
        "INCRBYFLOAT f 0.5",
        "SETRANGE r {} x",
        "DEL a{} b{}",
        "RENAME n1 n2",
        "RANDOMKEY",
        "FLUSHDB",
    ]
    gc.collect()
    gc.disable()
    try:
        for number in range(400):
            driver.run(*(line.format(number % 90, number % 90) for line in lines[: 15 + number % 2]))
            driver.execute("SET t 1", "GET t", f"APPEND u {number}")
            driver.pass_ms(10)
            driver.machine.digest()
            if number % 50 == 0:
                collect(driver.machine.walk({}))
                reborn(driver.machine)
                walk = driver.machine.walk({})
                walk.step(100)
                walk.abort()
                del walk
                driver.machine.release(100)
        del driver
        assert gc.collect() == 0
    finally:
        gc.enable()
