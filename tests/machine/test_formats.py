"""Documents written by format 1: every later version must read them, and until then writes them the same."""

import json
import os
from pathlib import Path

import msgspec
import pytest

from trikv.machine.batch import Batch, Bootstrap, Hello, Submission
from trikv.machine.machine import Machine
from trikv.machine.snapshot import Restore

V1 = Path(__file__).parent.parent / "formats" / "v1"
DISKS = [bytes([number]) * 16 for number in (1, 2, 3)]


def recorded_machine() -> Machine:
    """A machine with every feature that format 1 can hold."""
    machine = Machine()
    machine.apply_membership(1, [1, 2, 3])
    commands = (
        (b"SET", b"text", "naïve привет".encode()),
        (b"SET", b"bytes \xff\x00", bytes(range(256))),
        (b"SET", b"expires", b"1", b"PXAT", b"4000000000000"),
        (b"INCR", b"counter"),
        (b"SELECT", b"9"),
        (b"SET", b"elsewhere", b""),
    )
    items = (Bootstrap(1 << 20), Hello(2, b"n" * 16), Submission(2, 2, 1, 0, commands))
    machine.apply(2, msgspec.msgpack.encode(Batch(1_700_000_000_000, 7, items)))
    return machine


def document(*, complete: bool) -> bytes:
    """The whole document of that machine, as a node would write it."""
    members = [
        {"id": at + 1, "disk": disk.hex(), "voter": True, "address": f"10.0.0.{at + 1}:18080"}
        for at, disk in enumerate(DISKS)
    ]
    header: dict[str, object] = {
        "cluster": "c" * 32,
        "index": 2,
        "term": 1,
        "membership": members,
        "complete": complete,
    }
    walk = recorded_machine().walk(header)
    return b"".join(iter(lambda: walk.step(1000), b""))


@pytest.mark.parametrize(("name", "complete"), [("snapshot.json", True), ("dump-incomplete.json", False)])
def test_recorded_documents_are_read(name: str, *, complete: bool) -> None:
    """A restored document is the recorded machine, and is written again byte for byte."""
    path = V1 / name
    if os.environ.get("TRIKV_REWRITE"):
        path.write_bytes(document(complete=complete))
    recorded = path.read_bytes()
    restore = Restore()
    restore.feed(recorded)
    header, machine = restore.finish()
    assert header["complete"] is complete
    assert machine.digest() == recorded_machine().digest()
    assert document(complete=complete) == recorded
    assert json.loads(recorded)["count"] == 5
