"""What people and systems put into a data directory, and how a node is started with the wrong one."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.clients import Resp
from tests.e2e.cluster import NODE_IDS, START_S, STOP_S, Cluster, eventually, now_s, pause
from tests.ports import PortBlock
from tests.tools import needs_of_machine, skip_without
from trikv.host.signals import ECHO_S

SERVE = (sys.executable, "-m", "trikv", "serve")
LONG_DUMP_KEYS = 1200
"""Of half a megabyte: their dump takes longer than it takes to ask twice."""
PATIENCE_S = 60
"""For a stop that has something to write on a busy machine."""


class Single:
    """A node without peers, started as a person would; its standard error is kept."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.port = 0
        self._block = PortBlock()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *more: str) -> subprocess.Popen[bytes]:
        """Start it on its directory."""
        self.port = self._block.first
        environment = {name: text for name, text in os.environ.items() if not name.startswith("TRIKV_")}
        with self.data.with_suffix(".log").open("ab") as log:
            self._process = subprocess.Popen(
                [*SERVE, "--port", str(self.port), "--data-directory", str(self.data), *more],
                stdin=subprocess.DEVNULL,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        return self._process

    def log(self) -> str:
        """All that it has said."""
        return self.data.with_suffix(".log").read_text(errors="replace")

    def ask(self, *command: str | int) -> object:
        """One command; waits until the node serves it."""

        def answer() -> tuple[object] | None:
            try:
                with Resp(self.port) as connection:
                    reply = connection.call(*command)
            except OSError:
                return None
            return None if str(reply).startswith("CLUSTERDOWN") else (reply,)

        return eventually(answer, within_s=START_S, what="an answer")[0]

    def stop(self, within_s: float = PATIENCE_S) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(within_s)

    def refusal(self) -> str:
        """Start it where it must not start; the last line, which is all that it says."""
        process = self.start()
        assert process.wait(STOP_S) in {1, 2}
        assert "Traceback" not in self.log()
        return self.log().splitlines()[-1]

    def clear_away(self) -> None:
        """Leave nothing running."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._block.release()


@pytest.fixture
def single(tmp_path: Path) -> Iterator[Single]:
    """A node of its own, not started."""
    node = Single(tmp_path / "node1")
    yield node
    node.clear_away()


def test_strangers_in_every_directory_stay_and_are_named(single: Single) -> None:
    """A mount point, an editor, a file manager, an operator: the node starts, backs up, stops, starts."""
    single.start()
    assert single.ask("SET", "k", "v") == b"OK"
    assert single.ask("SAVE") == b"OK"
    assert str(single.ask("BACKUP")).startswith("b'")
    assert single.stop() == 0
    segment = min((single.data / "wal").glob("*.wal"))
    files = (
        "foo.tmp",
        ".DS_Store",
        f"wal/{segment.name}~",
        f"wal/.{segment.name}.swp",
        "wal/.DS_Store",
        "snapshots/foo.tmp",
        "snapshots/old.json",
        "backups/notes.json",
        "aside/mine.torn",
    )
    directories = ("lost+found", "backups/x.json", "wal/lost+found")
    (single.data / "aside").mkdir()
    for name in files:
        (single.data / name).write_bytes(b"")
    for name in directories:
        (single.data / name).mkdir()
    (single.data / "wal" / "link").symlink_to("nowhere")
    single.start("--backups-kept", "1")
    assert single.ask("GET", "k") == b"v"
    for number in range(3):
        assert single.ask("SET", "k", number) == b"OK"
        assert single.ask("SAVE") == b"OK"
        assert str(single.ask("BACKUP")).startswith("b'")
    assert single.stop() == 0
    assert [name for name in (*files, *directories) if not (single.data / name).exists()] == []
    assert (single.data / "wal" / "link").is_symlink()
    assert len(list((single.data / "backups").glob("*Z-*.json"))) == 1
    (line,) = (line for line in single.log().splitlines() if "not trikv's, left alone" in line)
    assert "lost+found" in line
    assert " more" in line, "the line is bounded"


@pytest.mark.parametrize("name", ["1.wal", "notes.wal", "copy of 00000000000000000001.wal"])
def test_a_stray_segment_is_refused_in_one_line(single: Single, name: str) -> None:
    """With its path and what to do: not a refill, which would take away the data as well."""
    single.start()
    assert single.ask("SET", "k", "v") == b"OK"
    assert single.stop() == 0
    stray = single.data / "wal" / name
    stray.write_bytes(b"")
    line = single.refusal()
    assert f"wal/{name}" in line
    assert "not a log segment" in line
    assert "Move it away" in line
    assert "--refill" not in line
    stray.rename(single.data / name)
    single.start()
    assert single.ask("GET", "k") == b"v"


@pytest.mark.parametrize("name", ["wal", "snapshots", "backups", "aside"])
def test_a_file_in_the_place_of_a_directory_is_refused_in_one_line(single: Single, name: str) -> None:
    """Before anything is served."""
    single.data.mkdir()
    (single.data / name).write_text("a note")
    line = single.refusal()
    assert f"{name} in the data directory is not trikv's" in line
    assert (single.data / name).read_text() == "a note"


@pytest.mark.parametrize("name", ["wal/00000000000000000009.wal", "dump.json.tmp", "identity.json"])
def test_a_directory_in_the_place_of_a_file_is_refused_in_one_line(single: Single, name: str) -> None:
    """Nothing is removed."""
    (single.data / name).mkdir(parents=True)
    line = single.refusal()
    assert f"{name} in the data directory is not trikv's: it is a directory" in line
    assert (single.data / name).is_dir()


@pytest.mark.parametrize("name", ["wal/00000000000000000009.wal", "identity.json"])
def test_a_pipe_in_the_place_of_a_file_is_refused_in_one_line(single: Single, name: str) -> None:
    """And at once: nobody waits for its writer."""
    (single.data / name).parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(single.data / name)
    line = single.refusal()
    assert f"{name} in the data directory is not trikv's: it is a pipe, a socket or a device" in line
    assert (single.data / name).is_fifo()


def test_an_identity_of_another_program_is_refused_without_a_refill(single: Single) -> None:
    """A data directory that was somebody else's: nothing of it may be carried off."""
    single.data.mkdir()
    (single.data / "identity.json").write_text('{"name": "somebody"}')
    line = single.refusal()
    assert "identity.json" in line
    assert "move it away" in line
    assert "--refill" not in line


def test_a_refill_leaves_strangers_where_they_are(cluster: Cluster) -> None:
    """A secret in the data directory, a mount point's lost+found: only what is trikv's state goes aside."""
    cluster.wait_until_caught_up()
    victim = next(node for node in NODE_IDS if node != cluster.wait_for_leader())
    cluster.kill(victim)
    data = cluster.data(victim)
    (data / "lost+found").mkdir()
    (data / "secret.txt").write_text("mine")
    cluster.start(victim, "--refill")
    eventually((data / "identity.json").exists, within_s=START_S, what="a new identity")
    assert (data / "lost+found").is_dir()
    assert (data / "secret.txt").read_text() == "mine"
    cluster.wait_for_leader()


def serve_alone(data: Path, *more: str) -> tuple[int, str]:
    """Start a node on `data` that must refuse; exit code and last line."""
    block = PortBlock()
    try:
        done = subprocess.run(
            [*SERVE, "--data-directory", str(data), "--port", str(block.first), *more],
            capture_output=True,
            text=True,
            timeout=START_S,
            check=False,
            env={name: text for name, text in os.environ.items() if not name.startswith("TRIKV_")},
        )
    finally:
        block.release()
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr.splitlines()[-1]


def test_a_clusters_directory_and_another_configuration(cluster: Cluster, tmp_path: Path) -> None:
    """No peers, other peers, another node's id, no secret: exit code 2, one line, and nothing has changed."""
    with cluster.resp(1) as connection:
        assert connection.call("SET", "k", "v") == b"OK"
    cluster.wait_until_caught_up()
    assert cluster.terminate_all() == dict.fromkeys(NODE_IDS, 0)
    data = cluster.data(1)
    dump = (data / "dump.json").read_bytes()
    secret = ("--secret-file", str(tmp_path / "cluster.secret"))
    code, line = serve_alone(data)
    assert code == 2
    assert "peers: none are given" in line
    assert "--peers 1=127.0.0.1:" in line
    code, line = serve_alone(data, "--peers", "1=127.0.0.1:1,4=127.0.0.1:2", *secret)
    assert (code, "names nodes 1, 4" in line) == (2, True)
    code, line = serve_alone(data, "--node-id", "2", "--peers", "1=127.0.0.1:1,2=127.0.0.1:2", *secret)
    assert (code, "belongs to node 1, not to node 2" in line) == (2, True)
    assert (data / "dump.json").read_bytes() == dump
    assert not (data / "dump.incomplete.json").exists()
    cluster.start_all()
    cluster.wait_for_leader()
    with cluster.resp(1) as connection:
        assert connection.call("GET", "k") == b"v"


def test_a_new_node_in_an_old_directory_keeps_the_old_dump(single: Single) -> None:
    """Whoever deletes the log and keeps the dump still has it after the next stop."""
    single.start()
    assert single.ask("SET", "precious", "v") == b"OK"
    assert single.stop() == 0
    old = (single.data / "dump.json").read_bytes()
    for name in ("wal", "snapshots"):
        shutil.rmtree(single.data / name, ignore_errors=True)
    (single.data / "identity.json").unlink()
    single.start()
    assert single.ask("DBSIZE") == 0
    assert single.stop() == 0
    assert json.loads((single.data / "dump.json").read_bytes())["count"] == 0
    (kept,) = (single.data / "aside").glob("dump-*.json")
    assert kept.read_bytes() == old


def test_a_dump_longer_than_the_deadline_is_whole(single: Single) -> None:
    """With a short `stop_deadline_ms` and many megabytes to dump the stop takes its time."""
    single.start("--stop-deadline-ms", "500", "--maxmemory", "1gb")
    with_value = [("SET", f"k{number}", "x" * 100_000) for number in range(1000)]
    single.ask("PING")
    with Resp(single.port, wait_s=PATIENCE_S) as connection:
        for at in range(0, len(with_value), 50):
            for command in with_value[at : at + 50]:
                connection.send(*command)
            for _ in range(50):
                assert connection.receive() == b"OK"
    assert single.stop() == 0
    document = json.loads((single.data / "dump.json").read_bytes())
    assert document["count"] == len(document["keys"]) == 1000
    assert document["node"]["complete"] is True
    assert "stopped at the deadline" not in single.log()


def test_a_second_signal_in_the_middle_of_a_dump(single: Single) -> None:
    """The node ends at once, with the dump of the stop before and nothing half written."""
    single.start("--maxmemory", "1gb")
    assert single.ask("SET", "k", "v") == b"OK"
    assert single.stop() == 0
    before = (single.data / "dump.json").read_bytes()
    process = single.start("--maxmemory", "1gb")
    single.ask("PING")
    with Resp(single.port, wait_s=PATIENCE_S) as connection:
        for at in range(0, LONG_DUMP_KEYS, 100):
            for number in range(at, at + 100):
                connection.send("SET", f"k{number}", "x" * 500_000)
            for _ in range(100):
                assert connection.receive() == b"OK"
    process.terminate()
    asked_s = now_s()
    unfinished = single.data / "dump.json.tmp"
    eventually(unfinished.exists, within_s=PATIENCE_S, what="the dump's beginning")
    pause(max(0.0, asked_s + 1.2 * ECHO_S - now_s()))
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 1, "a stop without a dump is no success"
    assert not unfinished.exists()
    is_as_before = (single.data / "dump.json").read_bytes() == before
    assert is_as_before
    single.start()
    assert single.ask("DBSIZE") == LONG_DUMP_KEYS + 1


@pytest.mark.parametrize("what", ["removed", "moved", "wal"])
def test_a_node_whose_log_was_taken_away_ends(single: Single, what: str) -> None:
    """It would go on acknowledging what is on no disk that anybody can open again."""
    process = single.start()
    assert single.ask("SET", "k", "v") == b"OK"
    elsewhere = single.data.with_suffix(".moved")
    if what == "removed":
        shutil.rmtree(single.data)
    elif what == "moved":
        single.data.rename(elsewhere)
    else:
        (single.data / "wal").rename(elsewhere)
    assert process.wait(PATIENCE_S) == 1
    assert f"{single.data}/wal was moved, removed or replaced under this running node" in single.log()
    if what == "moved":
        elsewhere.rename(single.data)
        single.start()
        assert single.ask("GET", "k") == b"v"
        assert single.stop() == 0


@needs_of_machine(os.getuid() == 0, "only root may mount")
@pytest.mark.parametrize("limit", ["backups", "snapshots"])
def test_a_read_only_mount_below_the_data_ends_no_node(single: Single, limit: str) -> None:
    """BACKUP or SAVE say so; everything else goes on, and the node stops in order."""
    single.start()
    assert single.ask("SET", "k", "v") == b"OK"
    (single.data / limit).mkdir(exist_ok=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", single.data / limit], check=False)
    if mounted.returncode:
        skip_without("no tmpfs can be mounted here")
    try:
        command = {"backups": "BACKUP", "snapshots": "SAVE"}[limit]
        assert f"{limit}/" in str(single.ask(command))
        assert "cannot be written: Read-only file system" in str(single.ask(command))
        assert single.ask("GET", "k") == b"v"
        assert single.stop() == 0
    finally:
        subprocess.run(["umount", "-l", single.data / limit], check=True)
