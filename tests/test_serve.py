"""The process around a node: what a refill moves, what signals ask for, what the system allows."""

import gc
import os
import resource
from pathlib import Path
from typing import Any, cast

import pytest
import trio

from trikv import file_limit, serve
from trikv.config import ConfigError, NodeConfig
from trikv.host.disk import RealDisk


class FakeNode:
    """Remembers what was asked of it; runs until it is."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._stop = trio.Event()

    async def run(self, *, task_status: trio.TaskStatus[str]) -> None:
        """Run until stopped."""
        task_status.started("here")
        await self._stop.wait()

    def stop(self) -> None:
        """Stop by phases."""
        self.asked.append("stop")
        self._stop.set()

    def stop_now(self) -> None:
        """Stop at once."""
        self.asked.append("stop now")


def names(directory: Path) -> list[str]:
    """What is in a directory."""
    return sorted(path.name for path in directory.iterdir())


async def test_a_refill_moves_the_state_and_deletes_nothing(tmp_path: Path) -> None:
    """Log, snapshots, dump and identity go aside; backups and the node's log stay where people look."""
    (tmp_path / "wal").mkdir()
    (tmp_path / "wal" / "1.wal").write_text("precious")
    (tmp_path / "backups").mkdir()
    for name in ("identity.json", "dump.json", "node.log"):
        (tmp_path / name).write_text(name)
    disk = RealDisk(str(tmp_path))
    try:
        await serve.set_aside(disk)
        await serve.set_aside(disk)  # nothing is left to move: nothing happens
    finally:
        disk.close()
    assert names(tmp_path) == ["aside", "backups", "lock", "node.log"]
    [kept] = names(tmp_path / "aside")
    assert kept.startswith("refill-")
    assert names(tmp_path / "aside" / kept) == ["dump.json", "identity.json", "wal"]
    assert (tmp_path / "aside" / kept / "wal" / "1.wal").read_text() == "precious"


async def test_the_identity_goes_last() -> None:
    """A crash halfway leaves an identity without a log, which refuses to start: no voter that forgot."""
    moved: list[str] = []

    class Recorder:
        async def names(self, _: str) -> list[str]:
            return ["dump.json", "identity.json", "snapshots", "wal"]

        async def make_directory(self, _: str) -> None: ...

        async def rename(self, old: str, _: str) -> None:
            moved.append(old)

        async def sync_directory(self, _: str) -> None: ...

    await serve.set_aside(cast("Any", Recorder()))
    assert moved == ["dump.json", "snapshots", "wal", "identity.json"]


async def test_the_first_request_asks_and_the_second_insists() -> None:
    """One signal is a phased stop, two are a stop at once."""
    node = FakeNode()
    stop = serve._Stop(cast("Any", node))
    await stop.ask("because")
    await stop.ask("now")
    assert node.asked == ["stop", "stop now"]


async def test_the_end_of_input_stops_a_supervised_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is typed is dropped; the end asks once, and adds no haste to a stop under way."""
    for already in (False, True):
        ours, theirs = os.pipe()
        with os.fdopen(ours) as stdin:
            monkeypatch.setattr("sys.stdin", stdin)
            node = FakeNode()
            stop = serve._Stop(cast("Any", node))
            if already:
                await stop.ask("a signal")
            os.write(theirs, b"typed\n")
            os.close(theirs)
            with trio.fail_after(10):
                await serve._stop_at_end_of_input(stop)
            assert node.asked == ["stop"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"data_directory": "file"}, "data_directory: '{}/file': {}/file is no directory; give another path"),
        ({"data_directory": "file/a/b"}, "data_directory: '{}/file/a/b': {}/file is no directory"),
        ({"secret_file": "file/secret"}, "secret_file: '{}/file/secret': {}/file is no directory"),
        ({"secret_file": ".", "peers": {1: "h:1"}}, "it is a directory; give the file in it"),
        ({"data_directory": "x" * 5000}, "...': File name too long"),
    ],
)
def test_paths_that_cannot_be_are_refused_before_anything_starts(
    settings: dict[str, Any], expected: str, tmp_path: Path
) -> None:
    """In one line that names the setting."""
    (tmp_path / "file").touch()
    paths: dict[str, Any] = {
        name: value if name == "peers" else str(tmp_path / value) for name, value in settings.items()
    }
    with pytest.raises(ConfigError) as caught:
        serve.check_files(NodeConfig(**paths, peer_port=1))
    assert expected.replace("{}", str(tmp_path)) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_paths_that_can_be_are_taken(tmp_path: Path) -> None:
    """Also where nothing is there yet, and nothing is made: that is the node's, once all is known to fit."""
    serve.check_files(
        NodeConfig(data_directory=str(tmp_path / "a/b"), secret_file=str(tmp_path / "c/secret"))
    )
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nowhere.json", "No such file or directory"),
        (".", "is no regular file, and it is read twice; write the backup to a file"),
        ("pipe", "is no regular file, and it is read twice; write the backup to a file"),
        ("x" * 5000, "File name too long"),
    ],
)
def test_what_can_not_be_loaded_is_refused(name: str, expected: str, tmp_path: Path) -> None:
    """In one line and at once: a pipe would be waited for, and empty at the second reading."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match=f"^load: .*{expected}$"):
        serve.open_load(str(tmp_path / name))


async def test_the_file_limit_is_raised_to_the_hard_one() -> None:
    """A node may hold `maxclients` connections and more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        file_limit.raise_file_limit()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_what_start_up_made_is_spared_the_collector() -> None:
    """Frozen objects are looked at by no collection."""
    try:
        serve._Started().started("address")
        assert gc.get_freeze_count() > 1000
    finally:
        gc.unfreeze()


def test_the_file_to_load_comes_in_pieces(tmp_path: Path) -> None:
    """A backup larger than memory is never held whole; it is the same at each reading."""
    path = tmp_path / "dump.json"
    path.write_bytes(bytes(200_000))
    load = serve.open_load(str(path))
    for pieces in (list(load()), list(load())):
        assert sum(map(len, pieces)) == 200_000
        assert max(map(len, pieces)) <= 65_536


def test_the_file_to_load_is_there_until_it_is_loaded(tmp_path: Path) -> None:
    """A node does not need its name after the start; its room is free after two readings."""
    path = tmp_path / "dump.json"
    path.write_bytes(b"precious")
    load = serve.open_load(str(path))
    path.unlink()
    assert [b"".join(load()) for _ in range(2)] == [b"precious"] * 2
    held = [str(one.readlink()) for one in Path("/proc/self/fd").iterdir() if one.is_symlink()]
    assert not [one for one in held if one.startswith(str(path))]
