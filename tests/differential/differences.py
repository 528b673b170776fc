"""Where trikv answers another thing than redis-server 7.0.15, each with its reason and an example.

Most are what Redis 7.2 changed. An example is a row of commands, the last of which gets the differing reply.
"""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from math import isclose
from typing import Any, Final

import attrs

from tests.differential.sides import Shown
from tests.differential.words import Command


@attrs.frozen
class Step:
    """A command and both replies, in one order."""

    command: Command
    ours: Shown
    theirs: Shown
    in_parts: bool = False

    @property
    def name(self) -> bytes:
        """The command's name in capitals."""
        return self.command[0].upper()


@attrs.frozen
class Difference:
    """One that is meant."""

    reason: str
    explains: Callable[[Step], bool]
    example: tuple[str, ...]
    """The commands as they are typed; they hold for RESP2."""
    in_parts: bool = False
    """It is one of values that are held in parts although they are small."""


def _same_scores(step: Step) -> bool:
    return step.name.startswith(b"Z") and _scored(step.ours) == _scored(step.theirs)


def _scored(reply: Shown) -> object:
    """The reply with all that reads as a number in place of its text."""
    if isinstance(reply.of, tuple):
        return reply.mark, tuple(map(_scored, reply.of))
    if reply.mark in "$," and reply.of is not None:
        try:
            return reply.mark, float(reply.of)
        except ValueError:
            pass
    return reply.mark, reply.of


def _nearly(one: Any, other: Any) -> bool:
    """Whether two replies are alike but for the last digits of numbers."""
    if isinstance(one, float) and isinstance(other, float):
        return isclose(one, other, rel_tol=1e-14)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(_nearly, one, other))
    return bool(one == other)


def _is_encoding(step: Step, ours: bytes, *theirs: bytes) -> bool:
    return step.name == b"OBJECT" and step.ours.of == ours and step.theirs.of in theirs


def _is_rounded(step: Step) -> bool:
    if step.name not in (b"INCRBYFLOAT", b"HINCRBYFLOAT") or not step.ours.mark == step.theirs.mark == "$":
        return False
    try:
        ours, theirs = Decimal(step.ours.of.decode()), Decimal(step.theirs.of.decode())
    except InvalidOperation:
        return False
    return abs(ours - theirs) <= abs(theirs) * Decimal(2) ** -62 + Decimal("1e-17")


def _without_count(reply: Shown) -> object:
    """A HyperLogLog without the count in its header; any other reply as it is."""
    text = reply.of
    is_one = isinstance(text, bytes) and text[:4].upper() == b"HYLL" and len(text) >= 16
    return (text[:8], text[16:]) if is_one else reply


def _in_utf8(reply: Shown) -> str:
    text: str = reply.of
    return text.encode("latin-1").decode("utf-8", "replace")


def _is_hexadecimal(step: Step) -> bool:
    return b"0x" in step.command[-1].lower()


DIFFERENCES: Final = (
    Difference(
        "the test holds small values in parts, which are then not told to be packed",
        lambda step: step.in_parts and step.name == b"OBJECT" and step.ours.mark == step.theirs.mark == "$",
        ("ZADD k 1 a 2 b", "OBJECT ENCODING k"),
        in_parts=True,
    ),
    Difference(
        "scores are printed in the shortest form, as by Redis 7.2; 7.0 prints 17 digits",
        _same_scores,
        ("ZADD k 0.1 m", "ZSCORE k m"),
    ),
    Difference(
        "a short list is a listpack, as of Redis 7.2; in 7.0 any list is a quicklist",
        lambda step: _is_encoding(step, b"listpack", b"quicklist"),
        ("RPUSH k a", "OBJECT ENCODING k"),
    ),
    Difference(
        "a small set of strings is a listpack, as of Redis 7.2; 7.0 has none",
        lambda step: _is_encoding(step, b"listpack", b"hashtable"),
        ("SADD k a", "OBJECT ENCODING k"),
    ),
    Difference(
        "the encoding of a string follows from its bytes; in Redis also from how it came to be",
        lambda step: _is_encoding(step, b"int", b"raw", b"embstr") or _is_encoding(step, b"embstr", b"raw"),
        ("APPEND k a", "APPEND k b", "OBJECT ENCODING k"),
    ),
    Difference(
        "a set of integers is an intset, also if it has had another member",
        lambda step: _is_encoding(step, b"intset", b"hashtable"),
        ("SADD k 1 a", "SREM k a", "OBJECT ENCODING k"),
    ),
    Difference(
        "sums of INCRBYFLOAT are exact; Redis rounds them to the 64 bits of a long double",
        _is_rounded,
        ("SET k 9007199254740993.1", "INCRBYFLOAT k 0.123456789012345678"),
    ),
    Difference(
        "ZRANK has WITHSCORE, as of Redis 7.2",
        lambda step: step.name in (b"ZRANK", b"ZREVRANK") and len(step.command) == 4,
        ("ZADD k 1 m", "ZRANK k m WITHSCORE"),
    ),
    Difference(
        "INCRBYFLOAT reads decimal numbers alone; C's strtold also reads hexadecimal ones",
        lambda step: (
            step.name in (b"INCRBYFLOAT", b"HINCRBYFLOAT") and step.ours.is_error and _is_hexadecimal(step)
        ),
        ("INCRBYFLOAT k 0x10",),
    ),
    Difference(
        "a hash of 128 fields that had more is a hashtable; in Redis only if it had more than 512",
        lambda step: _is_encoding(step, b"hashtable", b"listpack"),
        (
            "HSET k " + " ".join(f"f{number} {number}" for number in range(129)),
            "HDEL k f0",
            "OBJECT ENCODING k",
        ),
    ),
    Difference(
        "BITCOUNT looks at the unit first, as of Redis 7.2; 7.0 does not if the range is empty",
        lambda step: step.name == b"BITCOUNT" and len(step.command) == 5 and step.theirs.of == "0",
        ("SET k a", "BITCOUNT k -1 -2 x"),
    ),
    Difference(
        "errors show arguments as valid UTF-8; in Redis as they are",
        lambda step: (
            step.ours.is_error and step.theirs.is_error and _in_utf8(step.ours) == _in_utf8(step.theirs)
        ),
        ("OBJECT \udcff",),
    ),
    Difference(
        "LPOS refuses the one rank that has no opposite, as of Redis 7.2; 7.0 takes it for its own opposite",
        lambda step: (
            step.name == b"LPOS" and step.ours.of.startswith("ERR value is out of range, value must")
            if step.ours.is_error
            else False
        ),
        ("RPUSH k a", "LPOS k a RANK -9223372036854775808"),
    ),
    Difference(
        "no value is shared; Redis shares small integers, and what is queued in a transaction",
        lambda step: step.name == b"OBJECT" and step.ours.of == "1" and step.theirs.mark == ":",
        ("SET k 7", "OBJECT REFCOUNT k"),
    ),
    Difference(
        "PFCOUNT is a read and leaves the count in the value's header as it is; Redis writes it there",
        lambda step: step.name == b"GET" and _without_count(step.ours) == _without_count(step.theirs),
        ("PFADD k a", "PFCOUNT k", "GET k"),
    ),
    Difference(
        "errors of GEOSEARCH have its name in small letters; in Redis as it was typed",
        lambda step: (
            step.name.startswith(b"GEO")
            and step.ours.is_error
            and step.theirs.is_error
            and step.ours.of.lower() == step.theirs.of.lower()
        ),
        ("GEOSEARCH k ASC ASC ASC ASC ASC",),
    ),
    Difference(
        "SORT leaves a small sorted set in its form; Redis makes a skiplist of it",
        lambda step: _is_encoding(step, b"listpack", b"skiplist"),
        ("ZADD k 1 2", "SORT k", "OBJECT ENCODING k"),
    ),
    Difference(
        "distances are trikv's own, the same on every machine; a library's may have another last digit",
        lambda step: step.name.startswith(b"Z") and _nearly(_scored(step.ours), _scored(step.theirs)),
        (
            "GEOADD k 4 64 m",
            "GEOSEARCHSTORE j k FROMLONLAT 0 0 BYRADIUS 9000 km STOREDIST",
            "ZRANGE j 0 -1 WITHSCORES",
        ),
    ),
)


def reason_for(step: Step) -> str | None:
    """Why the replies of a step differ; None if that is not meant."""
    for each in DIFFERENCES:
        if each.explains(step):
            return each.reason
    return None
