from trikv.machine.split import Bucket

VERSION: int
SHORT_KEY_BYTES: int
PACKED_BYTES_MAX: int

def set_run(
    commands: tuple[tuple[bytes, ...], ...],
    buckets: list[Bucket],
    changed: bytearray,
    changes: int,
    room: int,
    entry_bytes: int,
    keys_max: int,
    empty: Bucket,
    /,
) -> tuple[int, int, int]: ...
def add_run(
    commands: tuple[tuple[bytes, ...], ...],
    buckets: list[Bucket],
    changed: bytearray,
    changes: int,
    room: int,
    entry_bytes: int,
    keys_max: int,
    empty: Bucket,
    difference: int,
    /,
) -> tuple[list[int], int, int]: ...
