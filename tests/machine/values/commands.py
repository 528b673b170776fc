"""Commands on `Numbers`, declared as those of any type."""

from tests.machine.values.numbers import NUMBER_BYTES, PART_BYTES, Numbers, Spelled, Wide
from trikv.machine.call import Call
from trikv.machine.commands import TABLE
from trikv.machine.database import Database
from trikv.machine.declaration import By, Told
from trikv.machine.errors import NOT_INTEGER, WrongTypeError
from trikv.machine.grammar import Key
from trikv.machine.numerics import parse_integer
from trikv.machine.replies import Reply
from trikv.machine.table import CommandTable

OWN = CommandTable()
OWN.add_value(Numbers)
OWN.add_value(Wide)
OWN.add_value(Spelled)


def numbers_under(db: Database, key: bytes) -> Numbers | None:
    """The value of a live key. Raises WrongTypeError."""
    entry = db.find(key)
    if entry is None:
        return None
    if not isinstance(entry.value, Numbers):
        raise WrongTypeError
    return entry.value


@OWN.command("NUM.ADD", by=By.LOG, group="keys", denies_oom=True, told=Told("9.9.9"))
def add(db: Database, key: Key, *numbers: bytes) -> Reply:
    """Add numbers; how many are new."""
    wanted = [parse_integer(number) for number in numbers]
    value = numbers_under(db, key)
    if None in wanted:
        return NOT_INTEGER
    bound = (NUMBER_BYTES + PART_BYTES) * len(wanted) + (0 if value else db.growth(key, PART_BYTES, 0))
    refused = db.refusal(key, 0) or db.account.refusal(bound)
    if refused is not None:
        return refused
    if value is None:
        value = db.created(Numbers)
        db.put_unchecked(key, value)
    value = db.changing(key, value)
    new = sum(value.add(number) for number in wanted if number is not None)
    db.changed(key, value)
    return new


@OWN.command("NUM.REM", by=By.LOG, group="keys", told=Told("9.9.9"))
def remove(db: Database, key: Key, *numbers: bytes) -> Reply:
    """Remove numbers; how many were there. An empty value goes."""
    wanted = [parse_integer(number) for number in numbers]
    value = numbers_under(db, key)
    if value is None or None in wanted:
        return 0
    value = db.changing(key, value)
    gone = sum(value.remove(number) for number in wanted if number is not None)
    db.changed(key, value)
    if not value.count:
        db.drop(key)
    return gone


@OWN.command("NUM.ALL", by=By.READ, group="keys", told=Told("9.9.9"))
def everything(db: Database, key: Key) -> Reply:
    """The numbers, in the order of parts."""
    value = numbers_under(db, key)
    return [] if value is None else [number for part in value.parts for number in part]


@OWN.command("NUM.ASK", by=By.LOG, group="keys", told=Told("9.9.9"))
def ask(call: Call, key: Key) -> Reply:
    """What a command for strings says to a command that calls it."""
    return [call.run((b"GET", key)), call.run((b"APPEND", key, b"x"))]


WITH_NUMBERS = TABLE.merged_with(OWN)
