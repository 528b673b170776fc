"""What a client's bytes mean, as values: the vocabulary between `ClientWire` and a conversation."""

from collections.abc import Collection
from enum import Enum
from typing import Final, TypeAlias

import attrs
import msgspec

Args: TypeAlias = tuple[bytes, ...]
"""One command: at least one argument; the first is its name as it was sent."""


ARGUMENT_BYTES: Final = 64
"""What one argument takes in memory besides its bytes: the object's head, rounding, its place in a tuple."""
REQUEST_BYTES: Final = 80
"""What a request takes besides its arguments."""


LONGEST_REQUEST_BYTES: Final = 16 * 1024 * 1024
"""Default bound for all arguments of one request together. No bound on what all clients send may be lower."""


def memory_of(requests: Collection[Args]) -> int:
    """What `requests` take in memory besides the bytes of their arguments, rounded up."""
    return REQUEST_BYTES * len(requests) + ARGUMENT_BYTES * sum(map(len, requests))


@attrs.frozen
class WireLimits:
    """How much a client may make this node hold. All in bytes unless the name says otherwise."""

    bulk_bytes_max: int = 8 * 1024 * 1024 + 64 * 1024
    """The longest single argument: the largest value (8 MiB) and a little for what a command adds to it.
    Redis' proto-max-bulk-len is 512 MiB, which no proposal could carry."""
    request_bytes_max: int = LONGEST_REQUEST_BYTES
    """All arguments of one request together."""
    request_args_max: int = 1024 * 1024
    """Arguments in one request, as in Redis up to 6.2."""
    line_bytes_max: int = 64 * 1024
    """A typed line, and the line that announces a length. Redis' PROTO_INLINE_MAX_SIZE."""
    subnegotiation_bytes_max: int = 1024
    """A telnet subnegotiation, which is skipped. Clients send shorter ones of their own accord."""
    edits_max: int = 4096
    """Erasures and telnet commands in a row that have no effect. A person makes dozens. Each costs far more
    time than a byte of text, and they leave nothing behind that another limit could catch."""
    unauthenticated_args_max: int = 10
    """Redis' bound on arguments before AUTH has succeeded."""
    unauthenticated_bulk_bytes_max: int = 16384
    """Redis' bound on one argument before AUTH has succeeded."""


class Request(msgspec.Struct, frozen=True, gc=False):
    """One whole command."""

    args: Args
    typed: bool
    """True if a person typed it and will read the reply; False for a program's, its lines included."""


class Answer(msgspec.Struct, frozen=True, gc=False):
    """Telnet wants an answer: send `data` at once, ahead of any reply."""

    data: bytes


class EmptyLine(msgspec.Struct, frozen=True, gc=False):
    """A person pressed Enter. A program's empty lines are no event: Redis ignores them."""


class EndOfInput(msgspec.Struct, frozen=True, gc=False):
    """Ctrl-D on an empty line: the person wants to leave."""


class Interrupted(msgspec.Struct, frozen=True, gc=False):
    """Ctrl-C in telnet: the line being typed, if any, has been dropped."""


class HttpRefused(msgspec.Struct, frozen=True, gc=False):
    """A browser or an HTTP client speaks: send `data` and close. The wire yields no more events."""

    data: bytes


class BadBytes(msgspec.Struct, frozen=True, gc=False):
    """The client broke the protocol: say so, and close if it is fatal."""

    text: str
    """Redis' text, to be sent as ``-ERR <text>``. A byte of the client's that is not UTF-8 is kept as a
    surrogate escape, which `resp.encode` undoes."""
    typed: bool
    fatal: bool = True
    """True: say it and close; the wire yields no more. False for a person's line whose quotes do not match:
    nothing is out of step, so the person is told and goes on (Redis closes, and so do we for a program)."""


class NeedData(Enum):
    """The type of `NEED_DATA`; an enum so that type checkers can narrow it away."""

    NEED_DATA = "NEED_DATA"


NEED_DATA: Final = NeedData.NEED_DATA
"""No whole request is here: receive more first."""

ClientEvent: TypeAlias = Request | Answer | EmptyLine | EndOfInput | Interrupted | HttpRefused | BadBytes
