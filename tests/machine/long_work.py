"""A table with resumable commands, for tests of what is carried out in slices."""

from collections.abc import Sequence

from trikv.machine.call import Call, Steps
from trikv.machine.commands import TABLE
from trikv.machine.database import Database
from trikv.machine.declaration import By
from trikv.machine.errors import NOT_INTEGER
from trikv.machine.grammar import Key
from trikv.machine.numerics import parse_integer
from trikv.machine.replies import CommandError, Reply
from trikv.machine.table import CommandTable

OWN = CommandTable()


def _length(args: Sequence[bytes]) -> int:
    return parse_integer(args[2]) or 0


@OWN.command("WORK", by=By.LOG, group="test", denies_oom=True, grows_more=_length)
def work(db: Database, key: Key, steps: bytes) -> Steps[Reply]:
    """Make the value longer by a byte in each step."""
    count = parse_integer(steps)
    if count is None:
        return NOT_INTEGER
    for step in range(1, count + 1):
        db.put_unchecked(key, b"." * step)
        yield
    return count


@OWN.command("DRAWN", by=By.LOG, group="test", grows=True, grows_more=_length)
def drawn(call: Call, key: Key, steps: bytes) -> Steps[Reply]:
    """Store in each step what was drawn in it."""
    value = b""
    for _ in range(int(steps)):
        value += b"%d" % call.draws.below(10)
        call.db.put_unchecked(key, value)
        yield
    return value


@OWN.command("NEST", by=By.LOG, group="test", grows=True, grows_more=_length)
def nest(call: Call, key: Key, steps: bytes) -> Steps[Reply]:
    """Call a resumable command in slices, and others."""
    call.run([b"APPEND", b"before", key])
    reply = yield from call.steps([b"WORK", key, steps])
    call.run([b"APPEND", b"after", key])
    return [reply]


@OWN.command("HASTE", by=By.LOG, group="test", grows=True, grows_more=_length)
def haste(call: Call, key: Key, steps: bytes) -> Reply:
    """Call a resumable command without a pause."""
    return call.run([b"WORK", key, steps])


@OWN.command("FAIL", by=By.LOG, group="test", grows=True)
def fail(db: Database, key: Key, when: bytes) -> Steps[Reply]:
    """A bug: before the first change, or after it; of the process, or of the code."""
    yield
    if when == b"late":
        db.put_unchecked(key, b"half")
        yield
    if when == b"memory":
        raise MemoryError
    raise ValueError(when)


@OWN.command("REFUSE", by=By.LOG, group="test", grows=True)
def refuse(_: Database, key: Key) -> Steps[Reply]:
    """Look for a while, then refuse."""
    yield
    return CommandError(f"ERR not {key.decode()}")


LONG = TABLE.merged_with(OWN)
