"""Order inside a bucket: what a snapshot, KEYS and the digest must keep, where seeded mistakes survived."""

from itertools import count
from zlib import crc32

from tests.machine.driving import Driver, collect, reborn
from trikv.machine.database import BUCKET_SHIFT


def neighbours(amount: int) -> list[bytes]:
    """Keys of one bucket, in an order that is neither sorted nor that of any hash."""
    numbered = (b"key%d" % number for number in count())
    found: list[bytes] = []
    while len(found) < amount:
        key = next(numbered)
        if crc32(key) >> BUCKET_SHIFT == 7:
            found.append(key)
    return found[1::2] + found[::2][::-1]


def test_a_bucket_keeps_the_order_in_which_its_keys_came() -> None:
    """Across a snapshot too: a replica that was restored is the one that replayed, byte for byte."""
    driver = Driver()
    keys = neighbours(40)
    for key in keys:
        driver.call(b"SET", key, b"v")
    driver.call(b"SET", keys[3], b"changed keeps its place")
    assert driver.read("KEYS *") == keys
    restored = reborn(driver.machine)
    assert restored.read(0, [(b"KEYS", b"*")]) == [keys]
    assert restored.digest() == driver.machine.digest()
    assert collect(restored.walk({})) == collect(driver.machine.walk({}))


def test_every_command_agrees_on_the_instant_of_expiry() -> None:
    """At its deadline a key is gone, for whatever looks; one millisecond before it is there for all of them.

    With hundreds of keys due, reaping lags behind, and only the predicate decides (PROTOCOL 21).
    """
    driver = Driver()
    driver.run(*(f"SET k{number} v PX 100" for number in range(500)))
    driver.pass_ms(99)
    looks = ("EXISTS k499", "TTL k499", "GETRANGE k499 0 -1", "RANDOMKEY", "KEYS k499", "TYPE k499")
    present = [driver.read(look) for look in looks]
    assert present[0] == 1
    assert present[4] == [b"k499"]
    assert present[3] is not None
    driver.pass_ms(1)
    assert driver.machine.keys() == 300
    gone = [driver.read(look) for look in looks]
    assert gone[:3] == [0, -2, b""]
    assert gone[3:5] == [None, []]
    assert driver.one("DEL k499") == 0
    assert driver.one("PERSIST k498") == 0
