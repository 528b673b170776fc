"""Which names in the data directory are trikv's own, and how all others are treated."""

import errno
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.storage.memory_disk import MemoryDisk
from tests.storage.model import contents, create, entry, job, reopen, run_now, segments
from trikv.storage import layout
from trikv.storage.aside import remove_unfinished, write_whole
from trikv.storage.errors import DirectoryGone, StrayName
from trikv.storage.snapshots import SnapshotStore

DIRECTORIES = ("", "wal", "snapshots", "backups", "aside")
STAMP = "20260301T101112Z"
OURS = {
    "": [
        *("identity.json", "dump.json", "dump.incomplete.json", "dump.json.tmp", "wal", "snapshots", "lock"),
        *("node.log", "node.log.1", "node.log.1.tmp"),
    ],
    "wal": [f"{1:020}.wal", "next.tmp", f"{3:020}.tmp"],
    "snapshots": [f"{1:020}-{2:020}.json", f"{1:020}-{2:020}.json.install.tmp"],
    "backups": [f"{STAMP}-17.json", f"{STAMP}-17.json.tmp"],
    "aside": [f"{1:020}-4096.torn", f"refill-{STAMP[:-1]}.123456Z", "dump-0a1b2c3d-17.json"],
}
STRANGE = [
    "lost+found",
    ".DS_Store",
    "notes.txt",
    "foo.tmp",
    "foo.json",
    "1.json",
    f"{1:020}.wal~",
    f"#{1:020}.wal#",
    f"{1:020}.wal.bak",
    f"{1:021}.wal.gz",
    f"{1:020}-{2:020}.json~",
    f"copy of {STAMP}-17.json",
    f"{STAMP}-x.json",
    "DUMP.JSON",
    "dump.json.old",
    "node.log.2",
    "node.log.tmp",
    "٣" * 20 + ".walx",
]


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_own_names_are_known_in_their_directory_only(directory: str) -> None:
    """Every name that trikv gives is known; variants by an editor, an operator or a system are not."""
    for home, names in OURS.items():
        for name in names:
            assert layout.is_own(directory, name) == (directory == home), (directory, name)
    assert not [name for name in STRANGE if layout.is_own(directory, name)]


def test_what_a_start_names() -> None:
    """Strangers are listed with their place, ours are not."""
    disk = MemoryDisk()
    for directory, names in OURS.items():
        for name in names:
            if name not in DIRECTORIES:
                run_now(write_whole(disk, directory, name, b""))
    run_now(disk.make_directory("lost+found"))
    run_now(write_whole(disk, "wal", "notes.txt", b""))
    assert run_now(layout.strangers(disk)) == ["lost+found", "wal/notes.txt"]


@pytest.mark.parametrize("directory", DIRECTORIES[1:])
def test_a_file_in_the_place_of_a_directory_is_refused(directory: str) -> None:
    """In one line that says what to do."""
    disk = MemoryDisk()
    run_now(write_whole(disk, "", directory, b"a note"))
    with pytest.raises(StrayName, match=rf"^{directory} .* Move it away"):
        run_now(layout.strangers(disk))


@pytest.mark.parametrize(
    "name", ["1.wal", "notes.wal", f"{1:019}.wal", f"{1:021}.wal", "copy.wal", ".wal", "٣" * 20 + ".wal"]
)
def test_a_strange_segment_is_refused_and_not_called_corrupt(name: str) -> None:
    """It may be a renamed one, so the node does not start; a refill would be the wrong advice."""
    disk = MemoryDisk()
    run_now(create(disk).write([job(entry(1))]))
    run_now(write_whole(disk, "wal", name, b"x"))
    with pytest.raises(StrayName, match=rf"^wal/{re.escape(name)} .*not a log segment") as caught:
        reopen(disk)
    assert "--refill" not in str(caught.value)
    assert f"wal/{name}" in disk.names_now


def test_a_directory_with_a_segments_name_is_refused() -> None:
    """It cannot be read, but that is no corruption."""
    disk = MemoryDisk()
    run_now(create(disk).write([job(entry(1))]))
    run_now(disk.make_directory(f"wal/{2:020}.wal"))
    with pytest.raises(StrayName, match="it is a directory"):
        reopen(disk)


def test_a_link_that_leads_nowhere_is_refused() -> None:
    """Its name is listed, and it cannot be opened."""
    with pytest.raises(StrayName, match="leads nowhere"), layout.own_file("wal/x"):
        raise FileNotFoundError("wal/x")


def test_a_pipe_in_the_place_of_a_file_is_refused() -> None:
    """Nothing can be read back from it. Any other failure is the disk's, and stays what it is."""
    with pytest.raises(StrayName, match="it is a pipe, a socket or a device"), layout.own_file("wal/x"):
        raise OSError(errno.ENXIO, "No such device or address", "wal/x")
    with pytest.raises(OSError, match="Input/output error"), layout.own_file("wal/x"):
        raise OSError(errno.EIO, "Input/output error", "wal/x")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(DIRECTORIES), st.sampled_from(STRANGE), st.booleans()), max_size=8))
def test_strangers_survive_and_change_nothing(strangers: list[tuple[str, str, bool]]) -> None:
    """Files and directories, empty ones too: log and snapshots are found as if they were not there."""
    disk = MemoryDisk()
    run_now(create(disk).write([job(entry(1), entry(2, 1, b"x" * 900))]))
    plain = contents(reopen(disk.killed()))
    for directory, name, is_directory in strangers:
        path = layout.path_of(directory, name)
        if is_directory and path not in disk.names_now:
            run_now(disk.make_directory(path))
        elif not run_now(disk.exists(path)):
            run_now(write_whole(disk, directory, name, b""))
    expected = {layout.path_of(directory, name) for directory, name, _ in strangers}
    for directory in DIRECTORIES:
        run_now(remove_unfinished(disk, directory))
    assert set(run_now(layout.strangers(disk))) == expected
    assert contents(reopen(disk)) == plain
    store = run_now(SnapshotStore.open(disk))
    for index in (1, 2, 3):
        run_now(run_now(store.begin(index, 1)).publish())
    assert [found.index for found in run_now(store.list())] == [2, 3]
    assert set(run_now(layout.strangers(disk))) == expected
    assert len(segments(disk)) >= 1


@given(
    st.lists(st.integers(0, 10**7), unique=True, min_size=1, max_size=12),
    st.integers(1, 5),
    st.data(),
)
def test_the_highest_up_to_the_one_just_written_are_kept(
    indexes: list[int], keep: int, data: st.DataObject
) -> None:
    """They are ordered by the log's numbers, not by clocks. Higher ones belong to another log, and stay."""
    years = data.draw(st.lists(st.integers(1970, 2999), min_size=len(indexes), max_size=len(indexes)))
    named = {index: f"{year}0301T101112Z-{index}.json" for index, year in zip(indexes, years, strict=True)}
    newest = data.draw(st.sampled_from(indexes))
    gone = layout.obsolete_backups([*named.values(), *STRANGE], keep, named[newest])
    left = sorted(index for index, name in named.items() if name not in gone)
    beyond = [index for index in indexes if index > newest]
    assert left == [*sorted(set(indexes) - set(beyond))[-keep:], *sorted(beyond)]
    assert len(gone) == len(named) - len(left), "and nothing else goes"


def test_a_log_that_was_taken_away_is_told_with_its_path_and_what_to_do() -> None:
    """It may come back, or be lost: both are named."""
    told = str(DirectoryGone("/data/node1/wal"))
    assert told.startswith("/data/node1/wal was moved, removed or replaced under this running node")
    assert "Put it back" in told
    assert "--refill" in told
