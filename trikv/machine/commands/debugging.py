"""DEBUG WORK: a write that takes as long as it is told to, to see what becomes of everything else meanwhile.

It goes through the log like any other write, so replicas stay equal. It shows in its key how far it has come:
if anything saw the machine inside an entry (PROTOCOL 61), a key would tell that is half done.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from trikv.machine.call import Steps
from trikv.machine.database import Database
from trikv.machine.declaration import By, Told
from trikv.machine.errors import KEY_TOO_LONG, NOT_INTEGER
from trikv.machine.memory import KEY_BYTES_MAX
from trikv.machine.numerics import parse_integer
from trikv.machine.replies import OK, CommandError, Reply
from trikv.machine.table import CommandTable

COMMANDS = CommandTable()

STEPS_MAX: Final = 60_000
"""A minute, on every replica."""
HASHES: Final = 2000
"""In each step: about a millisecond. The number is replicated behaviour, as the key shows their result."""
_VALUE_BYTES: Final = 64
"""More than the key's value ever has."""
_KEY_CHARGE_BYTES: Final = 512
"""More than any cluster charges a key besides its bytes. No grammar says where this key is, because Redis
tells of none."""

ONLY_WORK: Final = CommandError(
    "ERR of DEBUG there is only WORK, OBJECT, SLEEP, STRINGMATCH-LEN, SET-ACTIVE-EXPIRE and HELP: nothing "
    "else may reach into the machine past the log"
)
_STEPS: Final = CommandError(f"ERR steps must be between 1 and {STEPS_MAX}")


def steps_of(words: Sequence[bytes]) -> int | CommandError:
    """How many steps a DEBUG of these `words` takes, its name left out; or why there is no such call."""
    if len(words) != 3 or words[0].upper() != b"WORK":
        return ONLY_WORK
    steps = parse_integer(words[1])
    if steps is None:
        return NOT_INTEGER
    if not 1 <= steps <= STEPS_MAX:
        return _STEPS
    return KEY_TOO_LONG if len(words[2]) > KEY_BYTES_MAX else steps


def _growth(_args: Sequence[bytes]) -> int:
    return _KEY_CHARGE_BYTES + _VALUE_BYTES


@COMMANDS.command(
    "DEBUG",
    by=By.LOG,
    group="server",
    options="<WORK steps key|OBJECT key|SLEEP seconds|STRINGMATCH-LEN pattern string|"
    "SET-ACTIVE-EXPIRE flag|HELP>",
    open_least=1,
    denies_oom=True,
    grows_more=_growth,
    complexity="O(N), N being the number of steps",
    told=Told("1.0.0", flags="admin noscript loading stale", is_internal=True),
)
def debug(db: Database, *words: bytes) -> Steps[Reply]:
    """Work for about as many milliseconds as there are steps; the key shows how far it has come."""
    steps = steps_of(words)
    if isinstance(steps, CommandError):
        return steps
    key = digest = words[2]
    for step in range(1, steps + 1):
        for _ in range(HASHES):
            digest = blake2b(digest, digest_size=16).digest()
        refused = db.store(key, b"%d/%d %s" % (step, steps, digest.hex().encode()))
        assert refused is None, "its growth was judged before it began"
        yield
    return OK
