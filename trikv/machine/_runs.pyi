from trikv.machine.stored import Stored

VERSION: int
SHORT_KEY_BYTES: int
SHORT_VALUE_BYTES: int

def set_run(
    commands: tuple[tuple[bytes, ...], ...],
    buckets: list[dict[bytes, Stored]],
    changed: bytearray,
    entry: type[Stored],
    changes: int,
    room: int,
    entry_bytes: int,
    /,
) -> tuple[int, int, int]: ...
