from trikv.machine.ledger import Entry

VERSION: int
SHORT_KEY_BYTES: int
SHORT_VALUE_BYTES: int

def set_run(
    commands: tuple[tuple[bytes, ...], ...],
    buckets: list[dict[bytes, Entry]],
    changed: bytearray,
    entry: type[Entry],
    changes: int,
    room: int,
    entry_bytes: int,
    /,
) -> tuple[int, int, int]: ...
