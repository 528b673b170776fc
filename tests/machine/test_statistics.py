"""What a machine says of itself."""

import msgspec

from trikv.machine.batch import Batch, Bootstrap, Hello, Submission
from trikv.machine.machine import Machine
from trikv.machine.memory import charges_of

NOW_MS = 1_000_000


def test_the_figures_of_a_state() -> None:
    """Keys by database, what is due and not reaped, and what the account charges besides their bytes."""
    machine = Machine()
    machine.apply_membership(1, [1])
    commands = (
        (b"SET", b"a", b"12345"),
        (b"SET", b"b", b"12345", b"PXAT", b"%d" % (NOW_MS + 100)),
        (b"SET", b"c", b"12345", b"PXAT", b"%d" % (NOW_MS + 300)),
        (b"SELECT", b"3"),
        (b"SET", b"a", b"1"),
    )
    items = (Bootstrap(1 << 20), Hello(1, b"nonce"), Submission(1, 2, 1, 0, commands, ()))
    machine.apply(2, msgspec.msgpack.encode(Batch(NOW_MS, 7, items)))
    figures = machine.statistics(NOW_MS + 50)
    assert (figures.keys, figures.deadlines, figures.due, figures.pending_keys) == (4, 2, 0, 0)
    assert [(db.number, db.keys, db.deadlines, db.mean_ttl_ms) for db in figures.databases] == [
        (0, 3, 2, 150),
        (3, 1, 0, 0),
    ]
    charges = charges_of(machine.feature_level)
    assert figures.overhead_bytes == 4 * charges.entry_bytes + 2 * charges.expiry_bytes
    assert figures.used_bytes - figures.overhead_bytes == 3 * 6 + 2
    assert (figures.cap_bytes, figures.poison_count) == (1 << 20, 0)
    machine.space.account.now = NOW_MS + 100
    assert machine.statistics(NOW_MS).due == 1
