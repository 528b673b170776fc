"""DEBUG WORK: a write that takes as long as it is told to, and shows how far it has come."""

import re
from hashlib import blake2b

import pytest

from tests.machine.driving import NODE, NOW, Driver, payload, words
from trikv.machine.batch import Submission
from trikv.machine.commands import TABLE
from trikv.machine.commands.debugging import HASHES, ONLY_WORK, STEPS_MAX, steps_of
from trikv.machine.declaration import By
from trikv.machine.errors import EXEC_OOM, KEY_TOO_LONG, NOT_INTEGER, OOM
from trikv.machine.machine import Machine
from trikv.machine.memory import KEY_BYTES_MAX, charges_of
from trikv.machine.replies import OK, CommandError
from trikv.machine.suspended import Suspended


def begun(machine: Machine, *lines: str, sequence: int = 1) -> Suspended:
    """An entry of which the machine has carried out only a part."""
    item = Submission(NODE, 2, sequence, 0, tuple(map(words, lines)))
    suspended = machine.apply(machine.index + 1, payload(NOW, item), origin=NODE)
    assert isinstance(suspended, Suspended)
    return suspended


def shown(machine: Machine, key: bytes = b"k") -> bytes:
    """What `key` holds, half done or not."""
    return machine.space.databases[0].string(key) or b""


def test_it_stops_behind_each_step_and_shows_it() -> None:
    """The key tells how far it has come; the reply comes at the end, and what stands behind it runs then."""
    machine = Driver().machine
    suspended = begun(machine, "SET k v EX 100", "DEBUG WORK 3 k", "INCR n")
    seen = []
    while (came := suspended.resume(lambda: True)) is None:
        assert machine.suspended
        seen.append(shown(machine).partition(b" ")[0])
    assert seen == [b"1/3", b"2/3", b"3/3"]
    (outcome,) = came.outcomes
    assert getattr(outcome, "replies", None) == [OK, OK, 1]
    assert machine.read(0, [(b"TTL", b"k")]) == [-1]


def test_the_work_is_a_chain_of_hashes() -> None:
    """What the key shows at the end cannot be had without the work: replicas that are equal have done it."""
    driver = Driver()
    driver.run("DEBUG work 2 k", "DEBUG WORK 1 another")
    digest = b"k"
    for _ in range(2 * HASHES):
        digest = blake2b(digest, digest_size=16).digest()
    assert shown(driver.machine) == b"2/2 " + digest.hex().encode()
    assert re.fullmatch(rb"1/1 [0-9a-f]{32}", shown(driver.machine, b"another"))


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("WORK", ONLY_WORK),
        ("WORK 1 k more", ONLY_WORK),
        ("SLEEP 1 k", ONLY_WORK),
        ("WORK one k", NOT_INTEGER),
        ("WORK 0 k", CommandError(f"ERR steps must be between 1 and {STEPS_MAX}")),
        (f"WORK {STEPS_MAX + 1} k", CommandError(f"ERR steps must be between 1 and {STEPS_MAX}")),
        (f"WORK 1 {'k' * (KEY_BYTES_MAX + 1)}", KEY_TOO_LONG),
    ],
)
def test_a_wrong_call_changes_nothing(call: str, error: CommandError) -> None:
    """It is judged before the first step."""
    driver = Driver()
    assert driver.one(f"DEBUG {call}") == error == steps_of(words(call))
    assert driver.machine.keys() == 0


@pytest.mark.parametrize("level", [1, 2, 3])
def test_its_growth_is_judged_before_it_begins(level: int) -> None:
    """The bound holds for the longest key and value, at each level, so that no step is refused."""
    command = TABLE.get("DEBUG")
    assert command is not None
    assert command.by is By.LOG
    assert not command.keys.among(words("DEBUG WORK 1 k"))
    charges = charges_of(level)
    for key in (b"k", b"k" * 50):
        args = (b"DEBUG", b"WORK", b"%d" % STEPS_MAX, key)
        value = b"%d/%d %s" % (STEPS_MAX, STEPS_MAX, bytes(32))
        assert command.growth_bound(args, charges) >= charges.key(len(key), len(value), 0)
    full = Driver(cap=300, level=level)
    assert full.one("DEBUG WORK 2 k") == OOM
    assert full.execute("DEBUG WORK 2 k") == EXEC_OOM
    assert full.machine.keys() == 0
    assert Driver(cap=2000, level=level).execute("DEBUG WORK 2 k", "DEBUG WORK 1 k") == [OK, OK]
