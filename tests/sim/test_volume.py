"""What a simulated disk keeps: killed processes lose nothing, power cuts all that was not synced."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trikv.sim.volume import SECTOR_BYTES, Added, Inode, Keep, Moved, Removed, Volume


def crashed(inode: Inode, keep: Keep, seed: int = 0) -> bytes:
    """The content after a power cut."""
    inode.lose_power(random.Random(seed), keep)
    assert inode.cache == inode.platter
    assert not inode.dirty
    return bytes(inode.cache)


def test_unsynced_bytes_are_lost_or_kept() -> None:
    """Without a sync a power cut may keep none or all of what was written; with one, it keeps all."""
    for keep, expected in ((Keep.NONE, b""), (Keep.ALL, b"new")):
        inode = Inode()
        inode.write(0, b"new")
        assert crashed(inode, keep) == expected
    inode = Inode()
    inode.write(0, b"synced")
    inode.sync()
    inode.write(0, b"unsync")
    assert crashed(inode, Keep.NONE) == b"synced"


def test_partly_kept_sectors() -> None:
    """Any of the unsynced sectors may survive; the others read as before, or as zeros; the length varies."""
    outcomes: dict[bytes, None] = {}
    for seed in range(60):
        inode = Inode()
        inode.write(0, b"a" * SECTOR_BYTES)
        inode.sync()
        inode.write(0, b"b" * 2 * SECTOR_BYTES)
        outcomes[crashed(inode, Keep.SOME, seed)] = None
    a, b, zero = b"a" * SECTOR_BYTES, b"b" * SECTOR_BYTES, bytes(SECTOR_BYTES)
    assert outcomes.keys() == {a, b, a + b, b + b, a + zero, b + zero}


def test_failed_sync_leaves_pages_clean() -> None:
    """After a failed sync the cache shows bytes that a power cut, and even a later sync, do not keep."""
    inode = Inode()
    inode.write(0, b"gone")
    inode.forget_dirty()
    assert inode.cache == b"gone"
    inode.sync()
    assert crashed(inode, Keep.ALL).strip(b"\0") == b""


def test_holes_are_zeros() -> None:
    """Writing behind the end leaves zeros; writing nothing changes nothing."""
    inode = Inode()
    inode.write(100, b"")
    assert inode.cache == b""
    inode.write(2000, b"x")
    inode.sync()
    assert crashed(inode, Keep.NONE) == bytes(2000) + b"x"


def names_after(volume: Volume, keep: Keep) -> list[str]:
    """All names after a power cut."""
    volume.lose_power(keep)
    return sorted(name for name in volume.names if name)


def test_names_need_their_directory_synced() -> None:
    """A file whose data was synced is gone after a power cut, if its directory was not."""
    volume = Volume(random.Random(0))
    inode = Inode()
    volume.change(Added("wal", None))
    volume.change(Added("wal/1", inode))
    inode.write(0, b"data")
    inode.sync()
    volume.sync_directory("")
    assert names_after(volume, Keep.NONE) == ["wal"]


def test_synced_names_survive() -> None:
    """Creation, rename and removal are durable after their directory's sync; other directories' are not."""
    volume = Volume(random.Random(0))
    volume.change(Added("wal", None))
    volume.change(Added("snap", None))
    volume.sync_directory("")
    for name in ("wal/1", "wal/2", "snap/1.tmp"):
        volume.change(Added(name, Inode()))
    volume.change(Removed("wal/1"))
    volume.change(Moved("snap/1.tmp", "snap/1"))
    volume.sync_directory("wal")
    assert names_after(volume, Keep.NONE) == ["snap", "wal", "wal/2"]


def test_rename_may_be_lost_or_kept_but_not_halved() -> None:
    """After a power cut a renamed file has its old name or its new one."""
    seen: dict[tuple[str, ...], None] = {}
    for seed in range(20):
        volume = Volume(random.Random(seed))
        volume.change(Added("tmp", Inode()))
        volume.sync_directory("")
        volume.change(Moved("tmp", "final"))
        seen[tuple(names_after(volume, Keep.SOME))] = None
    assert seen.keys() == {("tmp",), ("final",)}


def test_rename_across_directories_is_one_change() -> None:
    """Syncing either directory of a rename brings what it depends on with it."""
    volume = Volume(random.Random(0))
    volume.change(Added("a", None))
    volume.change(Added("b", None))
    volume.sync_directory("")
    volume.change(Added("a/x", Inode()))
    volume.change(Added("a/other", Inode()))
    volume.change(Moved("a/x", "b/x"))
    volume.sync_directory("b")
    assert names_after(volume, Keep.NONE) == ["a", "a/other", "b", "b/x"]


def test_directory_rename_takes_all_inside() -> None:
    """A renamed directory keeps its files; a file whose directory was lost is lost."""
    volume = Volume(random.Random(0))
    volume.change(Added("data", None))
    volume.change(Added("data/1", Inode()))
    volume.change(Moved("data", "aside"))
    assert sorted(volume.names) == ["", "aside", "aside/1"]
    volume.sync_directory("aside")
    assert names_after(volume, Keep.NONE) == []


@given(
    writes=st.lists(st.tuples(st.integers(0, 3000), st.binary(max_size=1500), st.booleans()), max_size=8),
    keep=st.sampled_from(Keep),
    seed=st.integers(0, 1000),
)
def test_every_byte_is_one_that_was_written_there(
    writes: list[tuple[int, bytes, bool]], keep: Keep, seed: int
) -> None:
    """After a power cut each byte is the synced one or a later one, and nothing synced is shorter."""
    inode = Inode()
    possible: list[set[int]] = [{0} for _ in range(5000)]
    model = bytearray()
    synced = 0
    for offset, data, sync in writes:
        inode.write(offset, data)
        if data:
            model.extend(bytes(max(0, offset + len(data) - len(model))))
            model[offset : offset + len(data)] = data
            for at, byte in enumerate(data, offset):
                possible[at].add(byte)
        assert inode.cache == model
        if sync:
            inode.sync()
            synced = len(model)
            for at, byte in enumerate(model):
                possible[at] = {byte}
    after = crashed(inode, keep, seed)
    assert synced <= len(after) <= len(model)
    assert all(byte in possible[at] for at, byte in enumerate(after))
    if keep is Keep.ALL:
        assert after == model


@pytest.mark.parametrize("keep", Keep)
def test_a_second_cut_changes_nothing(keep: Keep) -> None:
    """What survived one power cut survives the next."""
    volume = Volume(random.Random(3))
    for number in range(10):
        inode = Inode()
        inode.write(0, bytes([number]) * 1000)
        volume.change(Added(str(number), inode))
    volume.lose_power(keep)
    before = {name: bytes(inode.cache) for name, inode in volume.names.items() if inode}
    volume.lose_power(Keep.NONE)
    assert {name: bytes(inode.cache) for name, inode in volume.names.items() if inode} == before


def test_settled_volume_loses_nothing() -> None:
    """Data and names that no sync has written, as a drive with a capacitor keeps them."""
    volume, inode = Volume(random.Random(1)), Inode()
    volume.lied = True
    volume.change(Added("a", inode))
    inode.write(0, b"unsynced")
    volume.settle()
    assert volume.is_synced()
    assert not volume.lied
    volume.lose_power(Keep.NONE)
    kept = volume.names["a"]
    assert kept is not None
    assert bytes(kept.cache) == b"unsynced"
