"""The payload of a BATCH entry: what proposals carry, encoded with MessagePack.

An entry holds one `Batch`: the leader's stamp and seed, and the items that waited at the driver's turn. An
item is encoded once, by its origin; the leader copies the bytes in without decoding them (``msgspec.Raw``).
Array-like structs may grow at the end with defaults; tags never change.
"""

from typing import TypeAlias

import msgspec


class Watch(msgspec.Struct, frozen=True, array_like=True):
    """A key as WATCH saw it (PROTOCOL 23)."""

    db: int
    key: bytes
    version: int
    """The key's change version; 0 if the key was absent."""


class Transaction(msgspec.Struct, frozen=True, array_like=True):
    """Marks commands[start : start + count] of a submission as one MULTI/EXEC."""

    start: int
    count: int
    watches: tuple[Watch, ...] = ()


class Hello(msgspec.Struct, frozen=True, array_like=True, tag="h"):
    """Opens an origin's life; the log index of its entry becomes the incarnation (PROTOCOL 1)."""

    origin: int
    nonce: bytes


class Submission(msgspec.Struct, frozen=True, array_like=True, tag="s"):
    """The commands that one ``recv`` brought to a client's node; at least one is a write (PROTOCOL 5)."""

    origin: int
    incarnation: int
    sequence: int
    db: int
    """The database selected when the first command runs; a SELECT among the commands changes it."""
    commands: tuple[tuple[bytes, ...], ...]
    transactions: tuple[Transaction, ...] = ()
    """In order of `start`, not overlapping."""


class Forgotten(msgspec.Struct, frozen=True, array_like=True, tag="f"):
    """Replaces a submission that its origin gave up: it uses the sequence and does nothing (PROTOCOL 3)."""

    origin: int
    incarnation: int
    sequence: int


class Bootstrap(msgspec.Struct, frozen=True, array_like=True, tag="b"):
    """First item of a cluster's first batch: replicated settings at birth (PROTOCOL 22)."""

    maxmemory: int
    """The cap in bytes, 0 for none."""
    feature_level: int = 1
    """See `trikv.machine.features`. The default is for logs of the first release; others have it written."""


Item: TypeAlias = Hello | Submission | Forgotten | Bootstrap


class Batch(msgspec.Struct, frozen=True, array_like=True):
    """A whole entry, as the machine decodes it. Without items it is a clock entry: it only expires keys."""

    stamp_ms: int
    """Log time: milliseconds since 1970, as the leader computes them. It never falls along the log."""
    seed: int
    """64 bits of the leader's entropy, from which commands draw (PROTOCOL 60)."""
    items: tuple[Item, ...]


class RawBatch(msgspec.Struct, frozen=True, array_like=True):
    """The same bytes as `Batch`, as the leader makes them: it does not decode the items."""

    stamp_ms: int
    seed: int
    items: list[msgspec.Raw]


class _Stamped(msgspec.Struct, array_like=True):
    """The front of a `Batch`; what follows is skipped unread."""

    stamp_ms: int


_stamp_of = msgspec.msgpack.Decoder(_Stamped).decode


def stamp_of(payload: bytes) -> int:
    """The log time that an encoded `Batch` carries; nothing else of it is decoded."""
    return _stamp_of(payload).stamp_ms
