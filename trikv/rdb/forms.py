"""The numbers of the format (``rdb.h``): types of values, and the opcodes between the keys of a file."""

from typing import Final

from trikv.rdb.errors import NEWER, DamagedError, UnsupportedError

STRING: Final = 0
LIST: Final = 1
SET: Final = 2
ZSET: Final = 3
HASH: Final = 4
ZSET_2: Final = 5
MODULE: Final = 6
MODULE_2: Final = 7
HASH_ZIPMAP: Final = 9
LIST_ZIPLIST: Final = 10
SET_INTSET: Final = 11
ZSET_ZIPLIST: Final = 12
HASH_ZIPLIST: Final = 13
LIST_QUICKLIST: Final = 14
STREAM_LISTPACKS: Final = 15
HASH_LISTPACK: Final = 16
ZSET_LISTPACK: Final = 17
LIST_QUICKLIST_2: Final = 18
STREAM_LISTPACKS_2: Final = 19
SET_LISTPACK: Final = 20
STREAM_LISTPACKS_3: Final = 21

NAMES: Final = {
    STRING: "string",
    LIST: "list",
    SET: "set",
    ZSET: "sorted set (scores as text)",
    HASH: "hash",
    ZSET_2: "sorted set",
    HASH_ZIPMAP: "hash (zipmap)",
    LIST_ZIPLIST: "list (ziplist)",
    SET_INTSET: "set (intset)",
    ZSET_ZIPLIST: "sorted set (ziplist)",
    HASH_ZIPLIST: "hash (ziplist)",
    LIST_QUICKLIST: "list (quicklist of ziplists)",
    STREAM_LISTPACKS: "stream (version 1)",
    HASH_LISTPACK: "hash (listpack)",
    ZSET_LISTPACK: "sorted set (listpack)",
    LIST_QUICKLIST_2: "list (quicklist)",
    STREAM_LISTPACKS_2: "stream (version 2)",
    SET_LISTPACK: "set (listpack)",
    STREAM_LISTPACKS_3: "stream (version 3)",
}
"""What is read, as errors call it."""
_NEWER_TYPES: Final = range(22, 26)
"""Hashes whose fields have deadlines: RDB version 12."""

WITH_KEYS: Final = frozenset({MODULE, MODULE_2, *_NEWER_TYPES})
"""What is not read, but told from damage."""

FUNCTION_2: Final = 245
FUNCTION_PRE_GA: Final = 246
MODULE_AUX: Final = 247
IDLE: Final = 248
FREQ: Final = 249
AUX: Final = 250
RESIZE_DB: Final = 251
EXPIRE_TIME_MS: Final = 252
EXPIRE_TIME: Final = 253
SELECT_DB: Final = 254
EOF: Final = 255

VERSION: Final = 10
"""The version that is written unless another one is asked for: Redis 7.0 and all later ones load it."""
VERSIONS_WRITTEN: Final = (10, 11)
SINCE_CHECKSUM: Final = 5
"""Files of older versions have none."""

_MODULE_CHARACTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def module_name(number: int) -> str:
    """The nine characters that are the upper 54 bits of a module's number; the others are a version."""
    return "".join(_MODULE_CHARACTERS[number >> shift & 63] for shift in range(58, 9, -6))


def check_version(version: int) -> None:
    """Raise UnsupportedError if values are not written in this version."""
    if version not in VERSIONS_WRITTEN:
        raise UnsupportedError(f"values are written in RDB versions 10 and 11, not {version}")


def refusal_of_type(number: int, offset: int) -> DamagedError | UnsupportedError:
    """Why this type byte cannot be read. Those of modules have a name, which comes behind it."""
    if number in _NEWER_TYPES:
        return UnsupportedError(
            f"type {number} is a hash whose fields have deadlines, which RDB version 12 has brought: {NEWER}",
            offset,
        )
    if number == MODULE:
        return UnsupportedError("a value of a module in a form that was never released", offset)
    return DamagedError(f"{number} is no type of a value", offset)
