"""Snapshot files, identity, and documents written aside."""

import errno
from collections.abc import Callable, Iterable
from functools import partial

import pytest

from tests.storage.memory_disk import MemoryDisk
from tests.storage.model import DISK_ID, run_now
from trikv.storage import identity
from trikv.storage.aside import SYNC_EVERY_BYTES, AsideFile, prune, remove_unfinished, write_whole
from trikv.storage.errors import (
    DiskFull,
    Exhausted,
    IdentityWithoutLog,
    StorageCorrupt,
    StrayName,
    Unwritable,
)
from trikv.storage.identity import DiskIdentity
from trikv.storage.layout import BACKUPS, obsolete_backups
from trikv.storage.snapshots import SnapshotStore, StoredSnapshot


def a_store(disk: MemoryDisk) -> SnapshotStore:
    """An open store."""
    return run_now(SnapshotStore.open(disk))


def publish(store: SnapshotStore, index: int, data: bytes = b"{}") -> StoredSnapshot:
    """Write and publish a snapshot of term 1."""
    writer = run_now(store.begin(index, 1))
    run_now(writer.append(data))
    return run_now(writer.publish())


def test_a_snapshot_is_whole_or_absent() -> None:
    """At every operation, a power cut leaves the old newest snapshot or the whole new one."""
    disk = MemoryDisk()
    publish(a_store(disk), 5, b"old")
    left: list[MemoryDisk] = []
    disk.observe = lambda _kind, _path: left.extend(
        (disk.killed(), disk.crashed(lambda _: False), disk.crashed(lambda _: True, len(disk.changes)))
    )
    publish(a_store(disk), 9, b"new" * 1000)
    for crashed in left:
        store = a_store(crashed)
        newest = run_now(store.newest())
        assert newest is not None
        reader = run_now(store.open_for_reading(newest.index, newest.term))
        assert run_now(reader.read(0, 9999)) == (b"old" if newest.index == 5 else b"new" * 1000)
        assert not [name for name in run_now(crashed.names("snapshots")) if name.endswith(".tmp")]
    assert run_now(a_store(disk.crashed(lambda _: False)).newest()) == StoredSnapshot(9, 1, 3000)


def test_what_a_start_finds_survives_a_power_cut() -> None:
    """A process killed between a rename and the directory's sync leaves a name that only the cache knows.

    The next start sees the snapshot, resets the log behind it, and must not lose it then.
    """
    disk = MemoryDisk()
    publish(a_store(disk), 5)
    left: list[MemoryDisk] = []
    disk.observe = lambda _kind, _path: left.append(disk.killed())
    publish(a_store(disk), 9)
    run_now(identity.save(disk, DiskIdentity(3, DISK_ID, None)))
    for killed in left:
        newest, known = run_now(a_store(killed).newest()), run_now(identity.load(killed))
        cut = killed.crashed(lambda _: False)
        assert (run_now(a_store(cut).newest()), run_now(identity.load(cut))) == (newest, known)


def test_a_new_directory_is_durable_before_a_file_in_it_has_its_name() -> None:
    """Or a power cut would take the directory, and with it a file that was said to be there."""
    disk = MemoryDisk()
    seen: list[tuple[str, str]] = []
    disk.observe = lambda kind, path: seen.append((kind, path))
    run_now(write_whole(disk, BACKUPS, "1", b"{}"))
    named = ("rename", f"{BACKUPS}/1")
    assert ("sync_directory", "") in seen[: seen.index(named)]
    assert ("sync_directory", BACKUPS) in seen[seen.index(named) :]


def test_none_yet() -> None:
    """A new directory has no snapshot."""
    assert run_now(a_store(MemoryDisk()).newest()) is None


def test_two_are_kept_and_foreign_files_left_alone() -> None:
    """Publishing removes the oldest; the store does not touch a file with another name."""
    disk = MemoryDisk()
    store = a_store(disk)
    run_now(write_whole(disk, "snapshots", "notes.txt", b"mine"))
    for index in (3, 1, 7, 5):
        publish(store, index)
    assert [found.index for found in run_now(store.list())] == [5, 7]
    assert "notes.txt" in run_now(disk.names("snapshots"))
    assert run_now(store.list())[1].path == f"snapshots/{7:020}-{1:020}.json"


def test_what_is_read_stays() -> None:
    """A snapshot that is streamed to a follower is not removed until its last reader is done."""
    disk = MemoryDisk()
    store = a_store(disk)
    publish(store, 1, b"streamed")
    one = run_now(store.open_for_reading(1, 1))
    two = run_now(store.open_for_reading(1, 1))
    for index in (2, 3, 4):
        publish(store, index)
    assert [found.index for found in run_now(store.list())] == [1, 3, 4]
    assert run_now(one.read(2, 4)) == b"ream"
    assert one.size == 8
    one.close()
    one.close()
    publish(store, 5)
    assert [found.index for found in run_now(store.list())] == [1, 4, 5]

    async def read_to_the_end() -> bytes:
        async with two as reader:
            return await reader.read(0, 100)

    assert run_now(read_to_the_end()) == b"streamed"
    publish(store, 6)
    assert [found.index for found in run_now(store.list())] == [5, 6]
    with pytest.raises(FileNotFoundError):
        run_now(store.open_for_reading(1, 1))


def test_own_and_received_side_by_side() -> None:
    """An install of the position that is being walked locally does not disturb it; either may be aborted."""
    disk = MemoryDisk()
    store = a_store(disk)
    own = run_now(store.begin(4, 1))
    received = run_now(store.begin_install(4, 1))
    run_now(own.append(b"own"))
    run_now(received.append(b"rece"))
    assert received.size == 4
    run_now(received.append(b"ived"))
    run_now(own.abort())
    run_now(own.abort())
    assert run_now(received.publish()) == StoredSnapshot(4, 1, 8)
    run_now(received.abort())
    assert run_now(disk.names("snapshots")) == [f"{4:020}-{1:020}.json"]


def test_beginning_again_forgets_the_first_try() -> None:
    """What an aborted attempt left behind does not leak into the next."""
    disk = MemoryDisk()
    store = a_store(disk)
    run_now(run_now(store.begin(4, 1)).append(b"a longer first try"))
    assert publish(store, 4, b"second").size == 6


def test_large_documents_are_synced_in_pieces() -> None:
    """No sync has to write more than a bounded amount, or the log's own would wait behind it."""
    disk = MemoryDisk()
    file = run_now(AsideFile.create(disk, "", "dump.json"))
    syncs: list[int] = []
    disk.observe = lambda kind, _path: syncs.append(file.size) if kind == "sync" else None
    for _ in range(10):
        run_now(file.append(bytes(SYNC_EVERY_BYTES // 4)))
    assert run_now(file.publish()) == "dump.json"
    assert syncs == [SYNC_EVERY_BYTES, 2 * SYNC_EVERY_BYTES, 10 * SYNC_EVERY_BYTES // 4]


@pytest.mark.parametrize("where", ["create", "write", "sync"])
def test_full_disk_keeps_the_old_document(where: str) -> None:
    """Without room the old content stays and nothing half-made is left."""
    disk = MemoryDisk()
    run_now(write_whole(disk, "", "dump.json", b"old"))
    disk.fail = lambda kind, _path: errno.ENOSPC if kind == where else None
    with pytest.raises(DiskFull, match=r"dump\.json"):
        run_now(write_whole(disk, "", "dump.json", b"new"))
    assert run_now(disk.names("")) == ["dump.json"]
    assert bytes(disk.names_now["dump.json"].cache) == b"old"


@pytest.mark.parametrize("kind", ["make_directory", "create"])
def test_a_shortage_is_met_before_a_document_is_begun(kind: str) -> None:
    """Without a descriptor for it a snapshot or backup is not begun, and can be tried again."""
    disk = MemoryDisk()
    store = a_store(disk)
    publish(store, 4)
    disk.fail = lambda failing, _path: errno.EMFILE if failing == kind else None
    with pytest.raises(Exhausted, match=r"no more files to open \(ulimit -n\): no room for snapshots/"):
        publish(store, 5)
    disk.fail = lambda _kind, _path: None
    assert publish(store, 5).index == 5


@pytest.mark.parametrize("kind", ["names", "open"])
def test_a_published_snapshot_counts_whatever_runs_out_behind_it(kind: str) -> None:
    """Older ones that cannot be listed now are removed the next time."""
    disk = MemoryDisk()
    store = a_store(disk)
    publish(store, 4)
    publish(store, 5)
    disk.fail = lambda failing, _path: errno.EMFILE if failing == kind else None
    assert publish(store, 6).index == 6
    with pytest.raises(Exhausted, match="no room for a look at the snapshots"):
        run_now(store.newest())
    disk.fail = lambda _kind, _path: None
    assert [one.index for one in run_now(store.list())] == [4, 5, 6]
    publish(store, 7)
    assert [one.index for one in run_now(store.list())] == [6, 7]


def test_a_snapshot_that_cannot_be_opened_now() -> None:
    """A follower's transfer is told, and can ask again."""
    disk = MemoryDisk()
    store = a_store(disk)
    publish(store, 4)
    disk.fail = lambda kind, _path: errno.ENFILE if kind == "open" else None
    with pytest.raises(Exhausted, match=r"\(fs.file-max\): no room for a reader of snapshots/"):
        run_now(store.open_for_reading(4, 1))


def test_other_errors_pass() -> None:
    """EIO is not taken for a full disk."""
    disk = MemoryDisk()
    disk.fail = lambda kind, _path: errno.EIO if kind == "sync" else None
    with pytest.raises(OSError, match="EIO"):
        run_now(write_whole(disk, "", "dump.json", b"new"))


def test_backups_in_a_directory_of_their_own() -> None:
    """Backups go where they are asked to; the oldest by their index, beyond the number kept, are removed."""
    disk = MemoryDisk()
    store = a_store(disk)
    for index in (8, 9, 10, 11, 12):
        file = run_now(store.aside(backup(index)))
        run_now(file.append(b"{}"))
        run_now(file.publish())
    assert run_now(prune(disk, BACKUPS, but(3, backup(12)))) == []
    assert sorted(run_now(disk.names(BACKUPS))) == sorted(
        backup(index).removeprefix("backups/") for index in (10, 11, 12)
    )
    assert run_now(disk.crashed(lambda _: False).exists(backup(12)))


def put(disk: MemoryDisk, path: str) -> None:
    """A small file."""
    directory, _, name = path.rpartition("/")
    run_now(write_whole(disk, directory, name, b"{}"))


def backup(index: int, year: int = 2026) -> str:
    """The path of a backup."""
    return f"backups/{year}0301T101112Z-{index}.json"


def but(keep: int, written: str) -> Callable[[Iterable[str]], list[str]]:
    """The rule that leaves `keep` backups, of which the one at this path was just written."""
    return partial(obsolete_backups, keep=keep, written=written.removeprefix("backups/"))


def test_another_clusters_backups_crowd_out_none_of_ours() -> None:
    """A directory that had a cluster before, at higher indexes: its backups stay, and so do ours."""
    disk = MemoryDisk()
    for index in (8_000, 9_000):
        put(disk, backup(index, 2025))
    for index in (1, 2, 3, 4):
        put(disk, backup(index))
        assert run_now(prune(disk, BACKUPS, but(3, backup(index)))) == []
    left = {name for name in disk.names_now if name.startswith("backups/")}
    assert left == {backup(8_000, 2025), backup(9_000, 2025), backup(2), backup(3), backup(4)}


def test_what_cannot_be_removed_stays_and_is_told() -> None:
    """A directory with a backup's name, or a file that may not be touched, is told, and the rest goes on."""
    disk = MemoryDisk()
    for index in (1, 2, 3, 4, 5):
        put(disk, backup(index))
    run_now(disk.make_directory(backup(0)))

    def fail(kind: str, path: str) -> int | None:
        if kind == "remove" and path == backup(2):
            return errno.EPERM
        if kind == "remove" and path == backup(3):  # another program removes it at this moment
            return errno.ENOENT
        return None

    disk.fail = fail
    refusals = run_now(prune(disk, BACKUPS, but(1, backup(5))))
    assert [str(refusal) for refusal in refusals] == [
        f"{backup(0)} cannot be written: Is a directory",
        f"{backup(2)} cannot be written: EPERM",
    ]
    left = {name for name in disk.names_now if name.startswith("backups/")}
    assert left == {backup(2), backup(3), backup(5)}


@pytest.mark.parametrize("code", [errno.EROFS, errno.ENOENT, errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG])
@pytest.mark.parametrize("kind", ["create", "write", "sync", "rename"])
def test_what_was_done_to_a_directory_is_told_with_its_path(kind: str, code: int) -> None:
    """A read-only or vanished mount at backups/ says nothing of the log's device."""
    disk = MemoryDisk()
    run_now(disk.make_directory(BACKUPS))
    disk.fail = lambda what, path: code if what == kind and path.startswith(BACKUPS) else None
    with pytest.raises(Unwritable, match=f"^backups/1 cannot be written: {errno.errorcode[code]}$"):
        run_now(write_whole(disk, BACKUPS, "1", b"{}"))


def test_a_file_that_may_not_be_so_large_is_no_room() -> None:
    """``ulimit -f`` is treated like a full disk, and the message names the limit."""
    disk = MemoryDisk()
    disk.fail = lambda what, _path: errno.EFBIG if what == "write" else None
    with pytest.raises(Exhausted, match=r"may write no larger file \(ulimit -f\): no room for backups/1"):
        run_now(write_whole(disk, BACKUPS, "1", b"{}"))


def test_a_failing_disk_is_no_foreign_file() -> None:
    """EIO at a removal is not taken for somebody's permissions."""
    disk = MemoryDisk()
    put(disk, backup(1))
    disk.fail = lambda kind, _path: errno.EIO if kind == "remove" else None
    with pytest.raises(OSError, match="EIO"):
        run_now(prune(disk, BACKUPS, but(1, backup(2))))


def test_the_snapshot_just_written_is_never_removed() -> None:
    """The one just written stays, even if others have higher indexes."""
    disk = MemoryDisk()
    store = a_store(disk)
    for index in (7, 9, 5):
        publish(store, index)
    assert [found.index for found in run_now(store.list())] == [5, 9]


def test_only_own_unfinished_files_are_removed() -> None:
    """An operator's foo.tmp stays, in every directory; ours go."""
    disk = MemoryDisk()
    ours = (
        "dump.json.tmp",
        "wal/next.tmp",
        f"{backup(1)}.tmp",
        f"snapshots/{1:020}-{1:020}.json.install.tmp",
    )
    theirs = ("foo.tmp", "wal/foo.tmp", "backups/foo.json.tmp", "snapshots/foo.tmp", "aside/foo.tmp")
    for path in (*ours, *theirs):
        put(disk, path)
    for directory in ("", "wal", "snapshots", "backups", "aside"):
        run_now(remove_unfinished(disk, directory))
    assert set(disk.names_now) == set(theirs)


def test_a_directory_in_the_place_of_a_file_is_refused() -> None:
    """By its name, with what to do; it is not trikv's to remove."""
    snapshot, unfinished = f"snapshots/{1:020}-{1:020}.json", "dump.json.tmp"
    disk = MemoryDisk()
    for path in (snapshot, unfinished, identity.FILE):
        run_now(disk.make_directory(path))
    store = a_store(disk)
    for step in (
        store.list,
        lambda: AsideFile.create(disk, "", "dump.json"),
        lambda: remove_unfinished(disk, ""),
        lambda: identity.load(disk),
    ):
        with pytest.raises(StrayName, match=r"is a directory\. Move it away"):
            run_now(step())


def test_identity_round_trip() -> None:
    """An identity is durable when it is saved, and replaced as a whole."""
    disk = MemoryDisk()
    assert run_now(identity.load(disk)) is None
    for known in (DiskIdentity(3, DISK_ID), DiskIdentity(3, DISK_ID, b"c" * 16)):
        run_now(identity.save(disk, known))
        assert run_now(identity.load(disk.crashed(lambda _: False))) == known


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "not an identity"),
        (b'{"format":1,"node":1,"disk":"zz","cluster":null}', "not an identity"),
        (b'{"format":2,"node":1,"disk":"00","cluster":null}', "newer version"),
    ],
)
def test_unreadable_identity(text: bytes, said: str) -> None:
    """An identity that cannot be read is not guessed."""
    disk = MemoryDisk()
    run_now(write_whole(disk, "", identity.FILE, text))
    with pytest.raises(StorageCorrupt, match=said):
        run_now(identity.load(disk))


@pytest.mark.parametrize("has_log", [True, False])
def test_an_identity_of_another_program(*, has_log: bool) -> None:
    """If nothing else is trikv's, a refill would move a stranger's file away, so it is not advised."""
    disk = MemoryDisk()
    run_now(write_whole(disk, "", identity.FILE, b'{"name": "somebody"}'))
    if has_log:
        run_now(disk.make_directory("wal"))
    with pytest.raises(StorageCorrupt) as caught:
        run_now(identity.load(disk))
    assert ("--refill" in str(caught.value), "move it away" in str(caught.value)) == (has_log, not has_log)


def test_identity_without_log() -> None:
    """A disk that was a member and has lost its log forgot its votes: it must not start; a blank one may."""
    identity.refuse_without_log(DiskIdentity(3, DISK_ID))
    with pytest.raises(IdentityWithoutLog, match="node 3"):
        identity.refuse_without_log(DiskIdentity(3, DISK_ID, b"c"))
