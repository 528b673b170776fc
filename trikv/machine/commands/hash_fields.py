"""Deadlines of the fields of a hash, in log time (PROTOCOL 20, 21).

The texts of errors, and which of several is told, are those of Redis 7.4, of 8.0 for HGETDEL, HGETEX and
HSETEX.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import attrs

from trikv.machine.call import Call
from trikv.machine.commands.elements import looked
from trikv.machine.commands.hashes import put_fields
from trikv.machine.database import Database
from trikv.machine.declaration import By, Said, Told
from trikv.machine.errors import NOT_INTEGER, invalid_expire, last_text_of, wrong_arity
from trikv.machine.features import COLLECTIONS
from trikv.machine.grammar import Key
from trikv.machine.numerics import parse_integer
from trikv.machine.replies import CommandError, Reply
from trikv.machine.table import CommandTable
from trikv.machine.values.hash import (
    DEADLINE_BYTES,
    DEADLINE_MAX,
    DEADLINES_BYTES,
    Behind,
    Hash,
    Timed,
)

COMMANDS = CommandTable(COLLECTIONS)

_EACH_FIELD: Final = "O(N), N being the number of fields named"
_FIELDS: Final = "FIELDS numfields field [field ...]"
_LIFETIME: Final = "EX seconds|PX milliseconds|EXAT unix-time-seconds|PXAT unix-time-milliseconds"

_ABSENT: Final = -2
_NO_DEADLINE: Final = -1
_NOT_MET: Final = 0
_SET: Final = 1
_DELETED: Final = 2

_NO_FIELDS: Final = CommandError("ERR Mandatory argument FIELDS is missing or not at the right position")
_NOT_POSITIVE: Final = CommandError("ERR Number of fields must be a positive integer")
_NOT_ABOVE_ZERO: Final = CommandError("ERR Parameter `numFields` should be greater than 0")
_OTHER_NUMBER: Final = CommandError("ERR The `numfields` parameter must match the number of arguments")
_NEGATIVE: Final = CommandError("ERR invalid expire time, must be >= 0")
_BAD_NUMBER: Final = CommandError("ERR invalid number of fields")
_ONE_LIFETIME: Final = CommandError(
    "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified"
)
_ONE_CONDITION: Final = CommandError("ERR Only one of FXX or FNX arguments can be specified")
_INT_MAX: Final = 2**31 - 1

_CONDITIONS: Final[Mapping[bytes, Callable[[int, int], bool]]] = {
    b"NX": lambda old, _: not old,
    b"XX": lambda old, _: bool(old),
    b"GT": lambda old, new: 0 < old < new,
    b"LT": lambda old, new: not old or new < old,
}
"""Whether a field's deadline, 0 for none, may become another one. None counts as one infinitely far away."""
_UNITS: Final[Mapping[bytes, tuple[int, bool]]] = {
    b"EX": (1000, True),
    b"PX": (1, True),
    b"EXAT": (1000, False),
    b"PXAT": (1, False),
}
"""How many ms one is, and whether it counts from now."""


def _fields_of(args: Sequence[bytes], wrong_number: CommandError) -> Sequence[bytes] | CommandError:
    """The fields in ``FIELDS numfields field [field ...]``."""
    if not args or args[0].upper() != b"FIELDS":
        return _NO_FIELDS
    number = parse_integer(args[1]) if len(args) > 1 else None
    if number is None or number < 1:
        return wrong_number
    return args[2:] if number == len(args) - 2 else _OTHER_NUMBER


def _deadline_of(amount: bytes, unit: bytes, now: int, name: str) -> int | CommandError:
    """The time that `amount` means, in ms; it may be past. Or the error of the command `name`."""
    number = parse_integer(amount)
    if number is None:
        return NOT_INTEGER
    if number < 0:
        return _NEGATIVE
    each_ms, from_now = _UNITS[unit]
    when = number * each_ms + (now if from_now else 0)
    return when if when <= DEADLINE_MAX else invalid_expire(name)


def _more_bytes(args: Sequence[bytes]) -> int:
    """Each argument as if it were a new field with a deadline."""
    return Hash.growth_bound(len(args)) + DEADLINE_BYTES * len(args)


_ONCE: Final = Hash.unpacked_bytes() + DEADLINES_BYTES
"""For `Said.grows_once`: the hash may have been packed, and without a deadline."""


_SETS_DEADLINES: Final[Said] = {
    "by": By.LOG,
    "group": "hash",
    "denies_oom": True,
    "fast": True,
    "options": f"[NX|XX|GT|LT] {_FIELDS}",
    "open_least": 3,
    "grows_more": _more_bytes,
    "grows_once": _ONCE,
    "complexity": _EACH_FIELD,
    "told": Told("7.4.0", "RW update"),
}
_TELLS_DEADLINES: Final[Said] = {
    "by": By.READ,
    "group": "hash",
    "fast": True,
    "options": _FIELDS,
    "open_least": 3,
    "complexity": _EACH_FIELD,
    "told": Told("7.4.0"),
}


@attrs.define
class _Changes:
    """What becomes of some fields of a hash, one after another, before any of it is done."""

    hash: Hash
    now: int
    planned: dict[bytes, Behind | None] = attrs.Factory(dict)
    """What stands behind a field from then on; None: it goes."""

    def behind(self, field: bytes) -> Behind | None:
        """What stands behind `field` after what was planned so far; None if it is absent."""
        return self.planned[field] if field in self.planned else self.hash.behind(field, self.now)

    def expire(self, field: bytes, behind: Behind, when: int) -> int:
        """Plan that deadline for the `field` that has this behind it; the code that is answered."""
        if when <= self.now:
            self.planned[field] = None
            return _DELETED
        self.planned[field] = Timed(_value_of(behind), when)
        return _SET

    def carry_out(self, db: Database, key: bytes, *, is_spared: bool = False) -> CommandError | None:
        """Do it to the hash of `key`, or return why none of it was done. `is_spared`: as for EXPIRE."""
        if not self.planned:
            return None
        hash_, planned = self.hash, self.planned
        if not hash_.is_small:  # what is small is judged by `Database.changed`
            timed = [field for field, behind in planned.items() if isinstance(behind, Timed)]
            new = sum(not isinstance(hash_.get(field), Timed) for field in timed)
            refused = db.account.refusal(hash_.growth_by_deadlines(new), is_spared=is_spared)
            if refused is not None:
                return refused
        hash_ = db.changing(key, hash_)
        for field, behind in planned.items():
            if behind is None:
                hash_.remove(field)
            else:
                hash_.put(field, behind)
        return db.changed(key, hash_, is_spared=is_spared)


def _value_of(behind: Behind) -> bytes:
    return behind.value if isinstance(behind, Timed) else behind


def _shown(behind: Behind | None) -> bytes | None:
    return None if behind is None else _value_of(behind)


def _expire(
    db: Database, key: bytes, amount: bytes, options: Sequence[bytes], unit: bytes, name: str
) -> Reply:
    """HEXPIRE and its three relatives."""
    hash_, now = db.value(key, Hash), db.account.now
    when = _deadline_of(amount, unit, now, name)
    if isinstance(when, CommandError):
        return when
    condition = _CONDITIONS.get(options[0].upper())
    fields = _fields_of(options[1:] if condition else options, _NOT_ABOVE_ZERO)
    if isinstance(fields, CommandError):
        return fields
    if hash_ is None:
        return [_ABSENT] * len(fields)
    changes, codes = _Changes(hash_, now), list[int]()
    for field in fields:
        behind = changes.behind(field)
        if behind is None:
            codes.append(_ABSENT)
        elif condition and not condition(behind.deadline if isinstance(behind, Timed) else 0, when):
            codes.append(_NOT_MET)
        else:
            codes.append(changes.expire(field, behind, when))
    return changes.carry_out(db, key) or list[Reply](codes)


@COMMANDS.command("HEXPIRE", **_SETS_DEADLINES)
def hexpire(db: Database, key: Key, seconds: bytes, *options: bytes) -> Reply:
    """Let fields of a hash expire after so many seconds."""
    return _expire(db, key, seconds, options, b"EX", "hexpire")


@COMMANDS.command("HPEXPIRE", **_SETS_DEADLINES)
def hpexpire(db: Database, key: Key, milliseconds: bytes, *options: bytes) -> Reply:
    """Let fields of a hash expire after so many milliseconds."""
    return _expire(db, key, milliseconds, options, b"PX", "hpexpire")


@COMMANDS.command("HEXPIREAT", **_SETS_DEADLINES)
def hexpireat(db: Database, key: Key, unix_seconds: bytes, *options: bytes) -> Reply:
    """Let fields of a hash expire at a time, in seconds since 1970."""
    return _expire(db, key, unix_seconds, options, b"EXAT", "hexpireat")


@COMMANDS.command("HPEXPIREAT", **_SETS_DEADLINES)
def hpexpireat(db: Database, key: Key, unix_milliseconds: bytes, *options: bytes) -> Reply:
    """Let fields of a hash expire at a time, in milliseconds since 1970."""
    return _expire(db, key, unix_milliseconds, options, b"PXAT", "hpexpireat")


@COMMANDS.command(
    "HPERSIST",
    by=By.LOG,
    group="hash",
    fast=True,
    options=_FIELDS,
    open_least=3,
    complexity=_EACH_FIELD,
    told=Told("7.4.0", "RW update"),
)
def hpersist(db: Database, key: Key, *options: bytes) -> Reply:
    """Remove the deadlines of fields; 1 for each that had one."""
    hash_ = db.value(key, Hash)
    fields = _fields_of(options, _NOT_POSITIVE)
    if isinstance(fields, CommandError):
        return fields
    if hash_ is None:
        return [_ABSENT] * len(fields)
    changes, codes = _Changes(hash_, db.account.now), list[Reply]()
    for field in fields:
        behind = changes.behind(field)
        if isinstance(behind, Timed):
            changes.planned[field] = behind.value
        codes.append(_ABSENT if behind is None else _SET if isinstance(behind, Timed) else _NO_DEADLINE)
    changes.carry_out(db, key)
    return codes


def _told(db: Database, key: bytes, options: Sequence[bytes], number_of: Callable[[int], int]) -> Reply:
    """For each field what `number_of` makes of its deadline; -1: it has none, -2: it is absent."""
    hash_, now = looked(db, key, Hash), db.account.now
    fields = _fields_of(options, _NOT_POSITIVE)
    if isinstance(fields, CommandError):
        return fields
    codes = list[Reply]()
    for field in fields:
        behind = None if hash_ is None else hash_.behind(field, now)
        if isinstance(behind, Timed):
            codes.append(number_of(behind.deadline))
        else:
            codes.append(_ABSENT if behind is None else _NO_DEADLINE)
    return codes


def _left_ms(call: Call, deadline: int) -> int:
    """At least 1 for a live field, even if the leader's clock is past its deadline (PROTOCOL 21)."""
    return max(deadline - call.shown_ms, 1)


@COMMANDS.command("HTTL", **_TELLS_DEADLINES)
def httl(call: Call, key: Key, *options: bytes) -> Reply:
    """Seconds until fields expire, rounded up; -1: never, -2: no such field."""
    return _told(call.db, key, options, lambda deadline: (_left_ms(call, deadline) + 999) // 1000)


@COMMANDS.command("HPTTL", **_TELLS_DEADLINES)
def hpttl(call: Call, key: Key, *options: bytes) -> Reply:
    """Milliseconds until fields expire; -1: never, -2: no such field."""
    return _told(call.db, key, options, lambda deadline: _left_ms(call, deadline))


@COMMANDS.command("HEXPIRETIME", **_TELLS_DEADLINES)
def hexpiretime(db: Database, key: Key, *options: bytes) -> Reply:
    """When fields expire, in seconds since 1970, rounded up; -1: never, -2: no such field."""
    return _told(db, key, options, lambda deadline: (deadline + 999) // 1000)


@COMMANDS.command("HPEXPIRETIME", **_TELLS_DEADLINES)
def hpexpiretime(db: Database, key: Key, *options: bytes) -> Reply:
    """When fields expire, in milliseconds since 1970; -1: never, -2: no such field."""
    return _told(db, key, options, lambda deadline: deadline)


@COMMANDS.command(
    "HGETDEL",
    by=By.LOG,
    group="hash",
    fast=True,
    options=_FIELDS,
    open_least=3,
    complexity=_EACH_FIELD,
    told=Told("8.0.0", "RW access delete"),
)
def hgetdel(db: Database, key: Key, *options: bytes) -> Reply:
    """The values of fields, which are deleted. A hash without fields goes."""
    hash_ = db.value(key, Hash)
    fields = _fields_of(options, _NOT_POSITIVE)
    if isinstance(fields, CommandError):
        return fields
    if hash_ is None:
        return [None] * len(fields)
    changes, values = _Changes(hash_, db.account.now), list[Reply]()
    for field in fields:
        behind = changes.behind(field)
        values.append(_shown(behind))
        if behind is not None:
            changes.planned[field] = None
    changes.carry_out(db, key)
    return values


@COMMANDS.command(
    "HGETEX",
    by=By.LOG,
    group="hash",
    fast=True,
    options=f"[{_LIFETIME}|PERSIST] {_FIELDS}",
    open_least=3,
    grows=True,
    grows_more=_more_bytes,
    grows_once=_ONCE,
    complexity=_EACH_FIELD,
    told=Told("8.0.0", "RW access update"),
)
def hgetex(db: Database, key: Key, *options: bytes) -> Reply:
    """The values of fields, whose deadlines are set or removed."""
    hash_, now = db.value(key, Hash), db.account.now
    word, begin = options[0].upper(), 0
    when = None
    if word in _UNITS:
        begin, given = 2, _deadline_of(options[1], word, now, "hgetex")
        if isinstance(given, CommandError):
            return given
        when = given
    elif word == b"PERSIST":
        begin = 1
    fields = _fields_of(options[begin:], _NOT_POSITIVE)
    if isinstance(fields, CommandError):
        return fields
    if hash_ is None:
        return [None] * len(fields)
    changes, values = _Changes(hash_, now), list[Reply]()
    for field in fields:
        behind = changes.behind(field)
        values.append(_shown(behind))
        if behind is not None and when is not None:
            changes.expire(field, behind, when)
        elif isinstance(behind, Timed) and begin:
            changes.planned[field] = behind.value
    return changes.carry_out(db, key, is_spared=True) or values


@attrs.define
class _Asked:
    """What an HSETEX asks for."""

    condition: bytes = b""
    """FNX or FXX."""
    lifetime: bytes = b""
    """KEEPTTL, or how `when` was given."""
    when: int = 0
    """The deadline in ms, which may be past."""
    pairs: Sequence[bytes] = ()
    """Fields and values in turns."""

    def read(self, words: Sequence[bytes], now: int) -> CommandError | None:
        """Take in the arguments behind the key; what is wrong with them."""
        left = iter(words)
        # It comes to FIELDS, or to what is wrong: the words that may come before are fewer than are needed.
        while (word := (given := next(left)).upper()) != b"FIELDS":
            if word in _UNITS or word == b"KEEPTTL":
                if self.lifetime:
                    return _ONE_LIFETIME
                self.lifetime = word
                if word in _UNITS:
                    when = _deadline_of(next(left), word, now, "hsetex")
                    if isinstance(when, CommandError):
                        return when
                    self.when = when
            elif word in (b"FNX", b"FXX"):
                if self.condition:
                    return _ONE_CONDITION
                self.condition = word
            else:
                return CommandError(f"ERR unknown argument: {last_text_of(given)}")
        return self._read_pairs(list(left))

    def _read_pairs(self, behind: Sequence[bytes]) -> CommandError | None:
        """Take in what is behind FIELDS."""
        if len(behind) < 3:  # a number, a field, a value
            return wrong_arity("hsetex")
        number, self.pairs = parse_integer(behind[0]), behind[1:]
        if number is None or not 1 <= number <= _INT_MAX:
            return _BAD_NUMBER
        return None if 2 * number == len(self.pairs) else wrong_arity("hsetex")

    def is_met(self, hash_: Hash | None, now: int) -> bool:
        """Whether the fields are there, or are not, as the condition has it."""
        if not self.condition:
            return True
        found = [hash_ is not None and hash_.value_at(field, now) is not None for field in self.pairs[::2]]
        return all(found) if self.condition == b"FXX" else not any(found)


@COMMANDS.command(
    "HSETEX",
    by=By.LOG,
    group="hash",
    denies_oom=True,
    fast=True,
    options=f"[FNX|FXX] [{_LIFETIME}|KEEPTTL] FIELDS numfields field value [field value ...]",
    open_least=4,
    grows_more=_more_bytes,
    grows_once=_ONCE,
    complexity=_EACH_FIELD,
    told=Told("8.0.0", "RW update"),
)
def hsetex(db: Database, key: Key, *options: bytes) -> Reply:
    """Set fields, and their deadlines, if all of them are there (FXX) or absent (FNX); 1 if they were set."""
    asked, now = _Asked(), db.account.now
    wrong = asked.read(options, now)
    if wrong is not None:
        return wrong
    hash_ = db.value(key, Hash)
    if not asked.is_met(hash_, now):
        return 0
    pairs = dict(zip(asked.pairs[::2], asked.pairs[1::2], strict=True))
    deadlines: dict[bytes, int] = {}
    if asked.lifetime in _UNITS:
        if asked.when <= now:
            return _delete(db, key, hash_, pairs)
        deadlines = dict.fromkeys(pairs, asked.when)
    elif asked.lifetime and hash_ is not None:
        kept = {field: hash_.behind(field, now) for field in pairs}
        deadlines = {field: behind.deadline for field, behind in kept.items() if isinstance(behind, Timed)}
    put = put_fields(db, key, pairs, deadlines)
    return 1 if isinstance(put, int) else put


def _delete(db: Database, key: bytes, hash_: Hash | None, fields: Iterable[bytes]) -> Reply:
    """Fields with a deadline in the past are set and gone: whatever they were before, they go."""
    if hash_ is not None:
        there = [field for field in fields if hash_.value_at(field, db.account.now) is not None]
        _Changes(hash_, db.account.now, dict.fromkeys(there)).carry_out(db, key)
    return 1
