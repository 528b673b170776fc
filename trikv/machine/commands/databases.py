"""Whole databases and the replicated settings."""

from collections.abc import Sequence

from trikv.machine.call import Call
from trikv.machine.database import Database
from trikv.machine.declaration import TEXT_US, By, Cost, Told
from trikv.machine.errors import DB_INDEX, NOT_INTEGER, SYNTAX, text_of
from trikv.machine.features import COLLECTIONS
from trikv.machine.keyspace import DATABASES
from trikv.machine.memory import parse_memory
from trikv.machine.numerics import parse_integer
from trikv.machine.replies import OK, CommandError, Reply
from trikv.machine.table import CommandTable

COMMANDS = CommandTable()

_FLUSH = Told(
    "1.0.0",
    group="server",
    categories="dangerous",
    tips="request_policy:all_shards response_policy:all_succeeded",
)
_ALL_KEYS = "O(N), N being the number of keys"
_NOT_32_BITS = CommandError("ERR value is out of range, value must between -2147483648 and 2147483647")
_NO_FIRST_INDEX = CommandError("ERR invalid first DB index")
_NO_SECOND_INDEX = CommandError("ERR invalid second DB index")
_NOT_MEMORY = CommandError(
    "ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a memory value"
)


@COMMANDS.command("SELECT", by=By.NODE, group="connection", fast=True, checked=True, told=Told("1.0.0"))
def select(call: Call, index: bytes) -> Reply:
    """Choose the database, 0 to 15, for the commands that follow."""
    number = database_number(index)
    if isinstance(number, CommandError):
        return number
    call.db = call.space.databases[number]
    return OK


def database_number(text: bytes) -> int | CommandError:
    """The number of the database that `text` names, or Redis' error."""
    number = parse_integer(text)
    if number is None:
        return NOT_INTEGER
    if not -(2**31) <= number < 2**31:
        return _NOT_32_BITS
    return number if 0 <= number < DATABASES else DB_INDEX


@COMMANDS.command(
    "DBSIZE",
    by=By.READ,
    group="keys",
    fast=True,
    aliases=("COUNT",),
    told=Told("1.0.0", group="server", tips="request_policy:all_shards response_policy:agg_sum"),
)
def dbsize(db: Database) -> Reply:
    """How many keys the database holds, those due but not yet reaped included."""
    return db.size


@COMMANDS.command(
    "FLUSHDB", by=By.LOG, group="keys", options="[ASYNC|SYNC]", complexity=_ALL_KEYS, told=_FLUSH
)
def flushdb(db: Database, *mode: bytes) -> Reply:
    """Delete all keys of the database."""
    if not _flush_mode(mode):
        return SYNTAX
    db.flush()
    return OK


@COMMANDS.command(
    "FLUSHALL",
    by=By.LOG,
    group="keys",
    options="[ASYNC|SYNC]",
    aliases=("CLEAN",),
    complexity=_ALL_KEYS,
    told=_FLUSH,
)
def flushall(call: Call, *mode: bytes) -> Reply:
    """Delete all keys of all databases."""
    if not _flush_mode(mode):
        return SYNTAX
    for db in call.space.databases:
        db.flush()
    return OK


@COMMANDS.command(
    "SWAPDB",
    by=By.LOG,
    level=COLLECTIONS,
    group="keys",
    fast=True,
    told=Told("4.0.0", group="server", categories="dangerous keyspace"),
)
def swapdb(call: Call, index1: bytes, index2: bytes) -> Reply:
    """Let two databases exchange all their keys."""
    numbers = []
    for text, refused in ((index1, _NO_FIRST_INDEX), (index2, _NO_SECOND_INDEX)):
        number = parse_integer(text)
        if number is None or not -(2**31) <= number < 2**31:
            return refused
        numbers.append(number)
    if not all(0 <= number < DATABASES for number in numbers):
        return DB_INDEX
    selected = call.db.number
    call.space.swap(*numbers)
    call.db = call.space.databases[selected]
    return OK


def _flush_mode(mode: Sequence[bytes]) -> bool:
    """Whether `mode` is valid. ASYNC and SYNC do the same here: memory is always freed later, in slices."""
    return not mode or (len(mode) == 1 and mode[0].upper() in (b"ASYNC", b"SYNC"))


@COMMANDS.command(
    "CONFIG|SET",
    by=By.LOG,
    group="server",
    options="[setting value ...]",
    cost=Cost(TEXT_US),
    complexity="O(N), N being the number of settings",
    told=Told(
        "2.0.0",
        flags="admin noscript loading stale",
        tips="request_policy:all_nodes response_policy:all_succeeded",
    ),
)
def config_set(call: Call, setting: bytes, value: bytes, *more: bytes) -> Reply:
    """Change maxmemory, the cap of all nodes."""
    # Only maxmemory is replicated state; a node handles the other settings itself and sends this one alone.
    if setting.lower() != b"maxmemory" or more:
        shown = text_of(setting if setting.lower() != b"maxmemory" else more[0])
        return CommandError(f"ERR Unknown option or number of arguments for CONFIG SET - '{shown}'")
    amount = parse_memory(value)
    if amount is None:
        return _NOT_MEMORY
    account = call.space.account
    account.dirty = True
    account.set_cap(amount)
    account.is_founded = True
    return OK
