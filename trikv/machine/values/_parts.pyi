from typing import Any

VERSION: int

def places(members: list[bytes], secret: bytes, level: int, split: int, /) -> list[int]: ...
def nth(part: dict[bytes, Any], at: int, /) -> bytes: ...
def put(
    members: list[bytes],
    belongings: list[Any] | None,
    first: int,
    parts: list[Any],
    owners: list[int],
    hashes: list[bytes | None],
    own_from: int,
    secret: bytes,
    level: int,
    split: int,
    most: int,
    /,
) -> tuple[list[bool], int]: ...
def remove(
    members: list[bytes],
    first: int,
    parts: list[Any],
    owners: list[int],
    hashes: list[bytes | None],
    own_from: int,
    secret: bytes,
    level: int,
    split: int,
    most: int,
    /,
) -> tuple[int, int]: ...
def untrack(members: list[bytes], /) -> list[bytes]: ...
def get(
    members: list[bytes], default: Any, parts: list[Any], secret: bytes, level: int, split: int, /
) -> list[Any]: ...
def pop(
    keys: list[bytes],
    parts: list[Any],
    owners: list[int],
    hashes: list[bytes | None],
    own_from: int,
    level: int,
    count: int,
    least: int,
    /,
) -> tuple[list[bytes], int]: ...
