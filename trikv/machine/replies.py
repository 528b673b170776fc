"""What a command answers: plain Python values, which cost nothing to make.

============  =======================================================================
Python value  RESP
============  =======================================================================
`SimpleString`      simple string (``+OK``)
CommandError  error (``-ERR ...``): a value, returned by handlers, never raised past the machine
int           integer
bytes         bulk string
None          null
float         double (RESP3), else a bulk string
bool          boolean (RESP3), else integer 1 or 0
list          array
tuple         array whose elements are a set (RESP3 ``~``), else an array
dict          map (RESP3), else a flat array
Verbatim      verbatim string (RESP3), else a bulk string
============  =======================================================================
"""

from typing import TypeAlias, Union

import msgspec


class SimpleString(msgspec.Struct, frozen=True, gc=False):
    """A simple string reply such as OK, QUEUED or PONG, without a line break."""

    text: str


class CommandError(msgspec.Struct, frozen=True, gc=False):
    """An error reply. `text` starts with its code: ``ERR ...``, ``WRONGTYPE ...``, ``OOM ...``."""

    text: str


class Verbatim(msgspec.Struct, frozen=True, gc=False):
    """Text for people; `format` is RESP3's three letters for its kind."""

    text: bytes
    format: str = "txt"


Reply: TypeAlias = Union[
    SimpleString,
    CommandError,
    Verbatim,
    int,
    bytes,
    float,
    bool,
    list["Reply"],
    "tuple[Reply, ...]",
    "dict[Reply, Reply]",
    None,
]

OK = SimpleString("OK")
PONG = SimpleString("PONG")
QUEUED = SimpleString("QUEUED")


def weight(replies: list[Reply]) -> int:
    """About how many bytes `replies` take, for a bound that is checked before they are copied."""
    total = 0
    for reply in replies:
        if type(reply) is bytes:
            total += len(reply)
        elif type(reply) is list:
            total += weight(reply)
    return total
