from trikv.machine.stored import Held

VERSION: int
SHORT_KEY_BYTES: int
PACKED_BYTES_MAX: int

def set_run(
    commands: tuple[tuple[bytes, ...], ...],
    buckets: list[dict[bytes, Held]],
    changed: bytearray,
    changes: int,
    room: int,
    entry_bytes: int,
    /,
) -> tuple[int, int, int]: ...
