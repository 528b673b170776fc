"""HyperLogLogs: strings that tell about how many different elements were put into them.

PFCOUNT of one key keeps the count in the value's header in Redis. Here it is a read, which changes nothing
(PROTOCOL 73): a value keeps saying that its count is not known, until a client SETs one that says otherwise.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from trikv.machine import hyperloglog, murmur, registers, sparse_registers
from trikv.machine.call import Steps, at_once
from trikv.machine.commands.strings import read_value, replace
from trikv.machine.database import Database
from trikv.machine.declaration import By, Cost, Told
from trikv.machine.errors import WRONG_TYPE, WrongTypeError, text_of
from trikv.machine.features import STREAMS
from trikv.machine.grammar import Key
from trikv.machine.hyperloglog import Sketch
from trikv.machine.keyspec import Index, KeySpec, Range
from trikv.machine.long_reads import LongRead
from trikv.machine.replies import OK, CommandError, Form, Reply, SimpleString
from trikv.machine.sparse_registers import CorruptedError
from trikv.machine.table import CommandTable

COMMANDS = CommandTable(STREAMS)

_COPIES: Final = Cost(copies_value=True)
_NOT_ONE: Final = CommandError("WRONGTYPE Key is not a valid HyperLogLog string value.")
_CORRUPTED: Final = CommandError("INVALIDOBJ Corrupted HLL object detected")
_NO_KEY: Final = CommandError("ERR The specified key does not exist")
_NOT_SPARSE: Final = CommandError("ERR HLL encoding is not sparse")
_STEP_ELEMENTS: Final = 128
"""Elements that are hashed and put in one step, if they are short: about a millisecond."""
_STEP_REGISTERS: Final = 256
"""Registers of a sparse value that are set in one step."""
_LOOKED: Final = 256
"""Going over all registers of a value takes as long as going over so many elements."""
_OPENED_BYTES: Final = 1 << 16
"""To look at a packed value, and to change it, takes as long as copying so many bytes."""
_RUN_BYTES: Final = 1 << 6
"""And so many for each byte of the runs of a sparse one."""
_ELEMENT_BYTES: Final = 1 << 13
"""And so many to hash and put an element."""


def _dense_bytes(_args: Sequence[bytes]) -> int:
    """For `Said.grows_more`."""
    return hyperloglog.DENSE_BYTES


def _checked(value: bytes | None) -> bytes | CommandError | None:
    return value if value is None or hyperloglog.is_one(value) else _NOT_ONE


def _opening(value: bytes) -> int:
    """For `Account.copied_bytes`."""
    return _OPENED_BYTES + (0 if len(value) == hyperloglog.DENSE_BYTES else _RUN_BYTES * len(value))


@COMMANDS.command(
    "PFADD",
    by=By.LOG,
    group="hyperloglog",
    denies_oom=True,
    fast=True,
    grows_more=_dense_bytes,
    cost=_COPIES,
    complexity="O(N), N being the number of elements",
    told=Told("2.8.9", "RW insert"),
)
def pfadd(db: Database, key: Key, *elements: bytes) -> Reply | Steps[Reply]:
    """Put elements into a HyperLogLog; 1 if that may change how many there are."""
    old = _checked(db.string(key))
    if isinstance(old, CommandError):
        return old
    db.account.copied_bytes += _opening(old or b"") + _ELEMENT_BYTES * len(elements)
    steps = _added(db, key, old, elements)
    is_short = len(elements) <= _STEP_ELEMENTS and sum(map(len, elements)) <= murmur.STEP_BYTES
    return at_once(steps) if is_short else steps


def _added(db: Database, key: bytes, old: bytes | None, elements: Sequence[bytes]) -> Steps[Reply]:
    try:
        sketch = Sketch(hyperloglog.EMPTY if old is None else old)
        has_changed = old is None
        for number, element in enumerate(elements, 1):
            hashed = yield from murmur.in_steps(element, hyperloglog.SEED)
            has_changed |= sketch.set(*hyperloglog.place_of(hashed))
            if number % _STEP_ELEMENTS == 0 or len(element) > murmur.STEP_BYTES // _STEP_ELEMENTS:
                yield
    except CorruptedError:
        return _CORRUPTED
    if not has_changed:
        return 0
    return replace(db, key, hyperloglog.outdated(sketch.value())) or 1


# Counting.


@COMMANDS.command(
    "PFCOUNT",
    by=By.READ,
    group="hyperloglog",
    complexity="O(N), N being the number of keys, with a large constant factor",
    told=Told("2.8.9", "RW access"),
)
def pfcount(db: Database, key: Key, *keys: Key) -> Reply | LongRead:
    """About how many different elements were put into a HyperLogLog, or into any of several."""
    values: list[bytes] = []
    refused: CommandError | None = None
    for each in (key, *keys):
        try:
            value = _checked(read_value(db, each))
        except WrongTypeError:  # what is wrong with one before it is said first
            value = WRONG_TYPE
        if isinstance(value, CommandError):
            refused = value
            break
        if value is not None:
            values.append(value)
    if not keys:
        if refused is not None or not values:
            return refused or 0
        count = hyperloglog.known_count(values[0])
        if count is not None:
            return count
    # Of what is longer than any that can be counted the beginning is kept, which cannot be counted either.
    kept = [value[: _VALUE_BYTES_MAX + 1] for value in values]
    rows = partial(_counted, kept, refused)
    return LongRead.of_values(db, {}, rows, size=_LOOKED * len(kept), count=1, form=Form.FIRST)


_VALUE_BYTES_MAX: Final = hyperloglog.HEADER_BYTES + sparse_registers.BODY_BYTES_MAX


def _counted(values: Sequence[bytes], refused: CommandError | None) -> Iterator[list[Reply]]:
    """How many the values say together; the first thing that is wrong with one of them, in their order."""
    found = registers.NONE
    try:
        for value in values:
            found = registers.merged(found, hyperloglog.registers_of(value))
            yield []
        answer: Reply = refused or hyperloglog.count_of(found)
    except CorruptedError:
        answer = _CORRUPTED
    yield [answer]


# Joining.


@COMMANDS.command(
    "PFMERGE",
    by=By.LOG,
    group="hyperloglog",
    denies_oom=True,
    grows_more=_dense_bytes,
    cost=_COPIES,
    specs=(
        KeySpec(Index(1), Range(), "RW access insert"),
        KeySpec(Index(2), Range(-1), "RO access"),
    ),
    complexity="O(N), N being the number of keys, with a large constant factor",
    told=Told("2.8.9"),
)
def pfmerge(db: Database, destkey: Key, *sourcekeys: Key) -> Steps[Reply]:
    """Let a HyperLogLog tell of all elements of others, too."""
    found, becomes_dense = registers.NONE, False
    try:
        for key in (destkey, *sourcekeys):
            value = _checked(db.string(key))
            if isinstance(value, CommandError):
                return value
            if value is not None:
                becomes_dense |= hyperloglog.is_dense(value)
                found = registers.merged(found, hyperloglog.registers_of(value))
                yield
        old = db.string(destkey) or hyperloglog.EMPTY
        if becomes_dense:
            new = hyperloglog.with_registers(old, found)
        else:
            new = yield from _set_all(old, found)
    except CorruptedError:
        return _CORRUPTED
    return replace(db, destkey, hyperloglog.outdated(new)) or OK


def _set_all(old: bytes, found: bytes) -> Steps[bytes]:
    """`old`, which is sparse, with these registers, set one after another as Redis does.

    It decides which opcodes there are, unless they are too many.
    """
    sketch = Sketch(old)
    places = [place for place, value in enumerate(found) if value]
    for number, place in enumerate(places, 1):
        sketch.set(place, found[place])
        if number % _STEP_REGISTERS == 0:
            yield
    return sketch.value()


# Looking inside.


def _registers(db: Database, key: bytes, value: bytes) -> Reply:
    refused = _made_dense(db, key, value)
    if isinstance(refused, CommandError):
        return refused
    return [*hyperloglog.registers_of(value)]


def _made_dense(db: Database, key: bytes, value: bytes) -> Reply:
    """1 if it was not before."""
    if hyperloglog.is_dense(value):
        return 0
    return replace(db, key, hyperloglog.densified(value)) or 1


def _opcodes(_db: Database, _key: bytes, value: bytes) -> Reply:
    if hyperloglog.is_dense(value):
        return _NOT_SPARSE
    return sparse_registers.told(value[hyperloglog.HEADER_BYTES :])


def _encoding(_db: Database, _key: bytes, value: bytes) -> Reply:
    return SimpleString("dense" if hyperloglog.is_dense(value) else "sparse")


_LOOKS: Final = {
    b"GETREG": _registers,
    b"DECODE": _opcodes,
    b"ENCODING": _encoding,
    b"TODENSE": _made_dense,
}


@COMMANDS.command(
    "PFDEBUG",
    by=By.LOG,
    group="hyperloglog",
    denies_oom=True,
    grows_more=_dense_bytes,
    cost=_COPIES,
    choices={"subcommand": "<GETREG|DECODE|ENCODING|TODENSE>"},
    complexity="O(N), N being the number of registers",
    told=Told("2.8.9", "RW access", flags="write denyoom admin", is_internal=True),
)
def pfdebug(db: Database, subcommand: bytes, key: Key) -> Reply:
    """Look into a HyperLogLog, or pack its registers."""
    value = _checked(db.string(key))
    if value is None:
        return _NO_KEY
    if isinstance(value, CommandError):
        return value
    look = _LOOKS.get(subcommand.upper())
    if look is None:
        return CommandError(f"ERR Unknown PFDEBUG subcommand '{text_of(subcommand)}'")
    db.account.copied_bytes += _opening(value)
    try:
        return look(db, key, value)
    except CorruptedError:
        return _CORRUPTED


_TESTED: Final = 300
"""Elements of the self-test; they make all of 16 values, and two encodings that tell the same."""
_FAILED: Final = CommandError(
    "ERR TESTFAILED the registers of this node's HyperLogLogs are not what they were set to"
)


@COMMANDS.command(
    "PFSELFTEST",
    by=By.READ,
    group="hyperloglog",
    told=Told("2.8.9", flags="admin", is_internal=True),
)
def pfselftest(_db: Database) -> Reply:
    """Put some elements into packed and into sparse registers, and compare what comes of both."""
    sparse = Sketch(hyperloglog.EMPTY)
    dense = Sketch(hyperloglog.densified(hyperloglog.EMPTY))
    expected = bytearray(registers.NONE)
    for number in range(_TESTED):
        place, value = hyperloglog.place_of(murmur.hashed(b"%d" % number, hyperloglog.SEED))
        expected[place] = max(expected[place], value)
        sparse.set(place, value)
        dense.set(place, value)
    found = [hyperloglog.registers_of(each.value()) for each in (sparse, dense)]
    return OK if found == [expected, expected] else _FAILED
