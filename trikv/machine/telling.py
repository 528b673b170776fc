"""What clients are told of a command: Redis' flags, ACL categories and group, derived from its declaration.

The order of flags and categories is that of Redis 7.2.
"""

from typing import Final

from trikv.machine.declaration import By, Command

CATEGORIES: Final = (
    *("keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap", "hyperloglog"),
    *("geo", "stream", "pubsub", "admin", "fast", "slow", "blocking", "dangerous", "connection"),
    *("transaction", "scripting"),
)
"""Every ACL category of Redis 7.2, whether or not a command has it yet."""

_FLAGS: Final = (
    *("write", "readonly", "denyoom", "admin", "pubsub", "noscript", "blocking", "loading", "stale"),
    *("skip_monitor", "skip_slowlog", "asking", "fast", "no_auth", "no_mandatory_keys", "no_async_loading"),
    *("no_multi", "movablekeys", "allow_busy"),
)
_CATEGORY_OF_GROUP: Final = {
    "keys": "keyspace",
    "expiry": "keyspace",
    "transactions": "transaction",
    "sorted-set": "sortedset",
}
_REDIS_GROUP: Final = {"keys": "generic", "expiry": "generic"}
_IMPLIED: Final = {"write": ("write",), "readonly": ("read",), "admin": ("admin", "dangerous")}
"""Categories that follow from a flag, as Redis has it."""


def flags_of(command: Command) -> tuple[str, ...]:
    """Redis' flags."""
    if command.told.flags is not None:
        flags = set(command.told.flags.split())
    else:
        of_node = command.by in (By.NODE, By.OPERATION)
        marks = {
            "write": command.writes,
            "readonly": command.reads,
            "denyoom": command.denies_oom,
            "loading": of_node,
            "stale": of_node,
            "fast": command.fast,
        }
        flags = {flag for flag, is_set in marks.items() if is_set}
    if command.before_auth:
        flags.add("no_auth")
    if command.keys.are_movable:
        flags.add("movablekeys")
    assert flags <= set(_FLAGS), f"{command.name}: Redis has no such flags"
    return tuple(flag for flag in _FLAGS if flag in flags)


def categories_of(command: Command) -> tuple[str, ...]:
    """Its ACL categories, without the @."""
    flags = flags_of(command)
    of_group = _CATEGORY_OF_GROUP.get(command.group, command.group)
    found = {of_group, *command.told.categories.split()} & set(CATEGORIES)
    for flag in flags:
        found.update(_IMPLIED.get(flag, (flag,) if flag in CATEGORIES else ()))
    if "fast" not in flags:
        found.add("slow")
    return tuple(category for category in CATEGORIES if category in found)


def group_of(command: Command) -> str:
    """Redis' group, by which redis-cli's help is sorted."""
    return command.told.group or redis_group(command.group)


def redis_group(group: str) -> str:
    """What Redis calls a group of ours."""
    return _REDIS_GROUP.get(group, group)
