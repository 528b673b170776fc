"""A node's answers about its disk are compared with the disk: each story once true and once not."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from trikv.front.seam import Asked, Backup, Digest, Operation, Save, Shutdown, Wait
from trikv.machine.replies import OK, CommandError, Reply
from trikv.raft.types import DiskId, Member, Membership, SnapshotMeta
from trikv.sim import acts as module
from trikv.sim.acts import Acts
from trikv.sim.checkers.durability import Reading
from trikv.sim.cluster import Cluster
from trikv.sim.marks import Marks
from trikv.storage.wal import WalSettings

Files = dict[str, bytes]


class Scene:
    """Three nodes that hold what a test says, and the watcher's complaints about their answers."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.files: dict[int, Files] = {1: {}, 2: {}, 3: {}}
        self.held = {1: 9, 2: 9, 3: 4}
        """The last entry on each disk."""
        self.acked = 9
        self.lost: set[int] = set()
        self.said: list[str] = []
        self.told: list[Reply] = []
        self.digests: list[tuple[int, int, str]] = []
        cluster = SimpleNamespace(
            ids=range(1, 4),
            rotten={},
            machine=lambda number: SimpleNamespace(volume=SimpleNamespace(number=number, lied=False)),
        )
        monkeypatch.setattr(module, "read", lambda volume, _: self._reading(volume.number))
        monkeypatch.setattr(module, "files_of", lambda volume, **_: self.files[volume.number])
        self.acts = Acts(
            cast("Cluster", cluster),
            Marks(),
            lambda kind, problem: self.said.append(f"{kind}: {problem}"),
            cast("Any", SimpleNamespace(highest_acked=self.acked)),
            cast("Any", SimpleNamespace(told=lambda *told: self.digests.append(told))),
            WalSettings(),
            lambda number: number in self.lost,
        )
        self.acts.wrote("c", position(9))

    def _reading(self, number: int) -> Reading:
        return Reading(
            exists=True, disk=b"%d" % number, terms=dict.fromkeys(range(1, self.held[number] + 1), 1)
        )

    def answer(self, asked: Asked, reply: Reply, connection: str = "c") -> list[str]:
        """Node 1 is asked for something and gives this answer; the complaints about it."""
        operation = Operation("", asked, self.told.append)
        self.acts.asked(1, connection, operation)
        operation.answered(reply)
        return self.said


def position(index: int) -> SnapshotMeta:
    """The place at which a write took effect."""
    voter: Callable[[int], Member] = lambda number: Member(number, DiskId(b"%d" % number), True, "")  # noqa: E731
    return SnapshotMeta(index, 1, Membership(tuple(map(voter, (1, 2, 3)))))


def document(index: int, **changes: Any) -> bytes:
    """A backup of that index with two keys."""
    fields = {
        "node": {"index": index, "complete": True},
        "machine": {"index": index},
        "keys": [
            {"db": 0, "k": "a", "t": "string", "v": "1", "n": 1},
            {"db": 9, "k": {"b64": "/w=="}, "t": "string", "v": "2", "n": 2, "x": 77},
        ],
        "count": 2,
    }
    return json.dumps(fields | changes).encode()


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Nodes 1 and 2 hold entry 9."""
    return Scene(monkeypatch)


def test_wait_counts_disks_that_hold_the_last_write(scene: Scene) -> None:
    """One other disk here. A node is believed if a fault has taken the write from its disk since."""
    assert scene.answer(Wait(2, 0), 0) == []
    assert scene.answer(Wait(2, 0), 1) == []
    scene.lost.add(3)
    assert scene.answer(Wait(2, 0), 2) == []
    scene.lost.clear()
    assert scene.answer(Wait(2, 0), 2) == ["wait: node 1 counts 2 others with 9, 2 have it"]
    assert scene.told == [0, 1, 2, 2]


def test_wait_without_a_write_promises_nothing(scene: Scene) -> None:
    """There is nothing to check, nor if the write was refused."""
    assert scene.answer(Wait(2, 0), 2, connection="another") == []
    assert scene.answer(Wait(2, 0), CommandError("CLUSTERDOWN")) == []


BACKUP = b"data/node1/backups/x-9.json: 2 keys at index 9"


def test_a_backup_is_there_whole_and_of_its_time(scene: Scene) -> None:
    """Its contents are kept for the witness."""
    scene.files[1]["backups/x-9.json"] = document(9)
    assert scene.answer(Backup(), BACKUP) == []
    (seen,) = scene.acts.sightings
    assert (seen.index, seen.contents) == (9, {(0, b"a"): (b"1", 0), (9, b"\xff"): (b"2", 77)})


def test_a_backup_of_one_key_is_read_as_well(scene: Scene) -> None:
    """The node's answer says "1 key", in the singular."""
    scene.files[1]["backups/x-9.json"] = document(
        9, keys=[{"db": 0, "k": "a", "t": "string", "v": "1", "n": 1}], count=1
    )
    assert scene.answer(Backup(), BACKUP.replace(b"2 keys", b"1 key")) == []


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "document: backups/x-9.json of node 1 cannot be read"),
        (document(9)[:-5], "cannot be read"),
        (document(9, count=3), "it has 2 keys and says 3"),
        (document(9, machine={"index": 8}), "it is of 9 and of 8"),
        (document(8), "is of 8; 9 was acknowledged before"),
        (document(10), "has 2 keys at 10"),
        (document(9, keys=[], count=0), "has 0 keys at 9"),
    ],
)
def test_a_backup_that_is_not_as_it_was_told_is_seen(
    scene: Scene, content: bytes | None, problem: str
) -> None:
    """Missing, torn, short of keys, too old, or not the one that was named."""
    if content is not None:
        scene.files[1]["backups/x-9.json"] = content
    assert any(problem in line for line in scene.answer(Backup(), BACKUP))


def test_a_backup_answers_in_its_own_words(scene: Scene) -> None:
    """Any other answer except an error is wrong."""
    assert scene.answer(Backup(), CommandError("ERR a backup or save is already in progress")) == []
    assert "says of its backup 'done'" in scene.answer(Backup(), b"done")[0]


def test_a_save_leaves_a_snapshot_of_what_was_acknowledged(scene: Scene) -> None:
    """At its index or later."""
    scene.files[1] = {f"snapshots/{8:020}-{1:020}.json": b""}
    assert scene.answer(Save(in_background=False), OK) == [
        "save: node 1 has saved, its newest snapshot is 8; 9 was acked"
    ]
    scene.said.clear()
    scene.files[1][f"snapshots/{9:020}-{1:020}.json"] = b""
    assert scene.answer(Save(in_background=False), OK) == []


def test_a_digest_is_compared_with_the_others(scene: Scene) -> None:
    """Like the digests that the checkers ask for."""
    scene.answer(Digest(), [7, b"abc"])
    assert scene.digests == [(1, 7, "abc")]


def test_a_node_that_stops_dumps_what_was_acknowledged_before(scene: Scene) -> None:
    """Unless it says that it could not, or that the dump may lack something."""
    scene.files[1]["dump.json"] = document(8)
    scene.answer(Shutdown(), OK)
    scene.acts.stopped(1, dumped=False)
    assert scene.said == []
    scene.answer(Shutdown(), OK)
    scene.acts.stopped(1, dumped=True)
    assert scene.said == ["document: dump.json of node 1 is of 8; 9 was acknowledged before"]
    scene.said.clear()
    scene.answer(Shutdown(), OK)
    scene.files[1]["dump.json"] = document(9)
    scene.acts.stopped(1, dumped=True)
    scene.answer(Shutdown(), OK)
    scene.files[1] = {"dump.incomplete.json": document(1), "dump.json": document(1)}
    scene.acts.stopped(1, dumped=True)
    assert scene.said == []
