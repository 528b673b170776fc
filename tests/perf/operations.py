"""What a load may ask: SET and GET, and the other commands that `redis-benchmark` asks without options.

Keys and elements are random ones of `KEYS`. Elements have `redis-benchmark`'s three bytes, plain values 64.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Final

import attrs

from trikv.client.blocking import BlockingClient
from trikv.client.commands import Command
from trikv.client.endpoint import Address
from trikv.client.replies import ErrorReply

VALUE: Final = b"v" * 64
KEYS: Final = 100_000
"""The key space: random keys of 16 bytes, values of 64."""
DATA: Final = b"xyz"
"""An element of a list, or what a field of a hash holds."""
RANGED: Final = 600
"""The elements of the list that LRANGE reads."""
MSET_KEYS: Final = 10
LASTING: Final = 150_000
"""Elements that pops without a pipeline find for two seconds and more."""
_BATCH: Final = 1_000
"""Elements of one command of the filling."""
_PIPED: Final = 20
_COLLECTIONS: Final = (b"list", b"set", b"zset", b"hash")


def key_of(number: int) -> bytes:
    """The name of key `number`."""
    return b"key:%012d" % number


def element_of(number: int) -> bytes:
    """The name of an element of a set or sorted set, or of a field."""
    return b"element:%012d" % number


@attrs.frozen
class Operation:
    """One kind of command."""

    command: Callable[[random.Random], Command]
    reply: bytes = b""
    """Its only good reply; empty if replies differ."""
    writes: bool = True
    takes: bool = False
    """Whether it takes an element each time, and so needs a collection that lasts."""
    once: bool = False
    """Whether the same command a second time changes nothing. Redis neither writes that down nor waits, so
    that a load which repeats itself would compare reads with writes."""
    batch: Callable[[Sequence[int]], Command] | None = None
    """The command that puts elements of these numbers where it looks for them."""


def _some_key(draw: random.Random) -> bytes:
    return key_of(draw.randrange(KEYS))


def _some_element(draw: random.Random) -> bytes:
    return element_of(draw.randrange(KEYS))


def _new_element(draw: random.Random) -> bytes:
    return element_of(draw.randrange(10**12))


def _fill_list(numbers: Sequence[int]) -> Command:
    return (b"RPUSH", b"list", *[DATA] * len(numbers))


def add_to_hash(key: bytes, numbers: Sequence[int]) -> Command:
    """The command that puts fields of these numbers into a hash; each holds its own name."""
    return (b"HSET", key, *(word for number in numbers for word in (element_of(number),) * 2))


def add_to_list(key: bytes, numbers: Sequence[int]) -> Command:
    """The same for the end of a list."""
    return (b"RPUSH", key, *map(element_of, numbers))


def add_to_set(key: bytes, numbers: Sequence[int]) -> Command:
    """The same for the members of a set."""
    return (b"SADD", key, *map(element_of, numbers))


def add_to_sorted_set(key: bytes, numbers: Sequence[int]) -> Command:
    """The same for a sorted set; the scores are the numbers."""
    return (b"ZADD", key, *(word for number in numbers for word in (b"%d" % number, element_of(number))))


def bulk(value: bytes) -> bytes:
    """A bulk string as a reply."""
    return b"$%d\r\n%s\r\n" % (len(value), value)


def _range(elements: int) -> Operation:
    return Operation(
        lambda _draw: (b"LRANGE", b"list", b"0", b"%d" % (elements - 1)),
        reply=b"*%d\r\n" % elements + bulk(DATA) * elements,
        writes=False,
        batch=_fill_list,
    )


OPERATIONS: Final[Mapping[str, Operation]] = {
    "set": Operation(lambda draw: (b"SET", _some_key(draw), VALUE), reply=b"+OK\r\n"),
    "get": Operation(lambda draw: (b"GET", _some_key(draw)), reply=bulk(VALUE), writes=False),
    "incr": Operation(lambda draw: (b"INCR", b"counter:%012d" % draw.randrange(KEYS))),
    "lpush": Operation(lambda _draw: (b"LPUSH", b"list", DATA)),
    "rpush": Operation(lambda _draw: (b"RPUSH", b"list", DATA)),
    "lpop": Operation(lambda _draw: (b"LPOP", b"list"), reply=bulk(DATA), takes=True, batch=_fill_list),
    "rpop": Operation(lambda _draw: (b"RPOP", b"list"), reply=bulk(DATA), takes=True, batch=_fill_list),
    "sadd": Operation(lambda draw: (b"SADD", b"set", _new_element(draw)), once=True),
    "hset": Operation(lambda draw: (b"HSET", b"hash", _some_element(draw), DATA)),
    "spop": Operation(lambda _draw: (b"SPOP", b"set"), takes=True, batch=partial(add_to_set, b"set")),
    "zadd": Operation(
        lambda draw: (b"ZADD", b"zset", b"%d" % draw.randrange(KEYS), _some_element(draw)), once=True
    ),
    "zpopmin": Operation(
        lambda _draw: (b"ZPOPMIN", b"zset"), takes=True, batch=partial(add_to_sorted_set, b"zset")
    ),
    "lrange_100": _range(100),
    "lrange_300": _range(300),
    "lrange_500": _range(500),
    "lrange_600": _range(RANGED),
    "mset": Operation(
        lambda draw: (b"MSET", *(word for _ in range(MSET_KEYS) for word in (_some_key(draw), VALUE))),
        reply=b"+OK\r\n",
    ),
}


def preparation(operation: Operation, lasting: int) -> Iterator[Command]:
    """What a server needs before a run. `lasting`: elements for a command that takes one each time."""
    yield (b"DEL", *_COLLECTIONS)
    if operation.batch is not None:
        yield from in_batches(operation.batch, range(lasting if operation.takes else RANGED))


def in_batches(batch: Callable[[Sequence[int]], Command], numbers: range) -> Iterator[Command]:
    """The commands that `batch` makes of all these numbers, some at a time."""
    return (batch(numbers[first : first + _BATCH]) for first in range(0, len(numbers), _BATCH))


def prepare(port: int, name: str, lasting: int) -> None:
    """Carry it out. Raises RuntimeError if a command is refused."""
    send_all(port, preparation(OPERATIONS[name], lasting))


def fill(port: int) -> None:
    """Write every key once, so that a GET always finds a value. Raises RuntimeError where one is refused."""

    def values(numbers: Sequence[int]) -> Command:
        return (b"MSET", *(word for number in numbers for word in (key_of(number), VALUE)))

    send_all(port, in_batches(values, range(KEYS)))


def send_all(port: int, commands: Iterable[Command]) -> None:
    """Carry out commands, one after the other. Raises RuntimeError if one is refused."""
    with BlockingClient(Address("127.0.0.1", port), timeout_s=60) as client:
        for command in commands:
            demand_success(client.call(*command), f"port {port}: {command[0]!r}")


def demand_success(reply: object, what: str) -> None:
    """Raise RuntimeError, naming `what`, if `reply` is an error."""
    if isinstance(reply, ErrorReply):
        raise RuntimeError(f"{what}: {reply}")  # noqa: TRY004 - it came from a server


def send_piped(port: int, commands: Iterable[Command]) -> None:
    """The same with some in a pipeline: for many small ones."""
    waiting = iter(commands)
    with BlockingClient(Address("127.0.0.1", port), timeout_s=60) as client:
        while some := list(islice(waiting, _PIPED)):
            for reply in client.pipeline(*some):
                demand_success(reply, f"port {port}: {some[0][0]!r}")
