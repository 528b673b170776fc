"""Faults of a simulated disk beyond a single failure: rot, lies, lasting errors, no room."""

import errno
import random

import pytest
import trio

from trikv.sim.determinism import simulate
from trikv.sim.volume import SECTOR_BYTES, Added, Inode, Keep, Volume
from trikv.sim.world import SimWorld


def volume_with(data: bytes) -> tuple[Volume, Inode]:
    """A volume with a synced file ``wal``."""
    volume, inode = Volume(random.Random(1)), Inode()
    volume.change(Added("wal", inode))
    volume.sync_directory("")
    inode.write(0, data)
    inode.sync()
    return volume, inode


def test_rot_flips_one_bit_at_rest() -> None:
    """One bit of the range differs, for readers and after a power cut; no other byte does."""
    for _ in range(20):
        volume, inode = volume_with(bytes(1000))
        at = volume.rot("wal", start=100, end=200)
        assert 100 <= at < 200
        assert inode.cache[at].bit_count() == 1
        assert sum(map(bool, inode.cache)) == 1
        volume.lose_power(Keep.ALL)
        assert sum(map(bool, inode.cache)) == 1
        assert volume.is_synced()


def test_rot_under_dirty_pages_is_covered() -> None:
    """Bytes that were written and not synced hide the damage, and their sync repairs it."""
    volume, inode = volume_with(bytes(SECTOR_BYTES))
    inode.write(0, b"x" * SECTOR_BYTES)
    assert not volume.is_synced()
    at = volume.rot("wal")
    assert inode.cache == b"x" * SECTOR_BYTES
    assert inode.platter[at]
    inode.sync()
    volume.lose_power(Keep.NONE)
    assert inode.cache == b"x" * SECTOR_BYTES
    inode.write(SECTOR_BYTES, b"new")
    assert volume.rot("wal", start=SECTOR_BYTES) >= SECTOR_BYTES
    assert inode.cache[SECTOR_BYTES:] == b"new"


def test_rot_needs_a_byte() -> None:
    """A directory, a name that is not there and an empty range cannot rot."""
    volume, _ = volume_with(b"")
    assert volume.rot("wal") == volume.rot("") == volume.rot("nothing") == -1


def test_lying_sync() -> None:
    """Syncs of a lying disk keep nothing, names included; a later honest sync makes up for it."""

    async def main() -> None:
        machine = SimWorld(1).machine("node1")
        disk = machine.boot().disk
        file = await disk.create("a")
        machine.disk_traits.lies = True
        await file.write_and_sync(0, b"lost")
        await disk.sync_directory("")
        assert machine.disk_traits.lies_told == 2
        assert not machine.volume.is_synced()
        machine.lose_power(Keep.NONE)
        disk = machine.boot().disk
        assert await disk.names("") == []
        file = await disk.create("a")
        await disk.sync_directory("")
        await file.write_and_sync(0, b"kept")
        machine.disk_traits.lies = False
        await file.sync()
        await disk.sync_directory("")
        assert machine.volume.is_synced()
        machine.lose_power(Keep.NONE)
        assert await (await machine.boot().disk.open("a")).read(0, 9) == b"kept"

    simulate(1, main)


def test_lasting_errors_and_mending() -> None:
    """A broken operation fails every time until it is taken out; mending ends every fault."""

    async def main() -> None:
        machine = SimWorld(1).machine("node1")
        disk, traits = machine.boot().disk, machine.disk_traits
        file = await disk.create("a")
        traits.broken["sync"] = errno.EIO
        for _ in range(3):
            with pytest.raises(OSError, match="Input/output"):
                await file.write_and_sync(0, b"x")
        assert machine.volume.is_synced() is False  # the name; the pages were marked clean
        del traits.broken["sync"]
        await file.write_and_sync(0, b"x")
        traits.fail("write", errno.EIO, times=5)
        traits.sync_ms_min = traits.sync_ms_max = 400
        traits.lies = True
        await file.sync()
        start = trio.current_time()
        assert start >= 0.4
        traits.mend()
        await file.write_and_sync(0, b"y")
        assert trio.current_time() - start < 0.01
        assert (traits.lies_told, traits.lies) == (1, False)

    simulate(1, main)


def test_full_disk_takes_what_fits() -> None:
    """A write past the capacity fails after writing what fits; room that returns is used."""

    async def main() -> None:
        machine = SimWorld(1).machine("node1")
        file = await machine.boot().disk.create("a")
        machine.volume.capacity_bytes = 10
        with pytest.raises(OSError, match="No space"):
            await file.write(4, b"0123456789")
        assert await file.read(0, 20) == bytes(4) + b"012345"
        with pytest.raises(OSError, match="No space"):
            await file.write(30, b"x")
        assert file.size() == 10
        machine.volume.capacity_bytes = None
        await file.write(10, b"6789")
        assert await file.read(4, 20) == b"0123456789"

    simulate(1, main)
