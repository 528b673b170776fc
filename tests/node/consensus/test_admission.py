"""What a node takes of its clients, and what it refuses and with which words."""

from tests.node.recorded_work import Asked
from trikv.node.consensus.admission import STOPPING, Admission
from trikv.node.consensus.proposals import ProposalLimits, Proposals
from trikv.node.consensus.read_questions import ReadQuestions, ReadSettings
from trikv.node.drain import Drain, StopLimits
from trikv.node.events import LogRoom
from trikv.node.waiters import Waiters


class Door:
    """An admission, and who is behind it."""

    def __init__(self) -> None:
        self.proposals = Proposals(1, b"nonce", Waiters(), ProposalLimits())
        self.reads = ReadQuestions(1, 1, ReadSettings())
        self.drain = Drain()
        self.admission = Admission(self.proposals, self.reads, self.drain)
        self.write, self.read = Asked((b"SET", b"k", b"v")), Asked((b"GET", b"k"), writes=False)

    def knock(self) -> tuple[int, int]:
        """A write and a read come; how many writes and reads wait then."""
        self.admission.take([self.write.work, self.read.work], 0)
        return self.proposals.waiting(), len(self.reads)


def test_writes_and_reads_go_their_ways() -> None:
    """Nobody is answered here, and both count as work."""
    door = Door()
    assert door.knock() == (1, 1)
    assert (door.write.outcomes, door.read.outcomes, door.admission.works) == ([], [], 2)


def test_a_node_that_stops_takes_nothing() -> None:
    """Reads no more than writes: others serve them, and each is told that it was not executed."""
    door = Door()
    door.drain.begin(0.0, StopLimits())
    assert door.knock() == (0, 0)
    assert door.write.outcomes == door.read.outcomes == [STOPPING]
    assert door.admission.works == 2


def test_a_log_without_room_takes_no_writes() -> None:
    """It says why; reads go on, and so do writes when there is room again."""
    door = Door()
    door.admission.room_changed(LogRoom(there=False, lack="the disk is full"))
    assert door.admission.no_room
    assert door.knock() == (0, 1)
    (refusal,) = door.write.outcomes
    assert not isinstance(refusal, list)
    assert refusal.text == (
        "CLUSTERDOWN this node cannot write: the disk is full; the command was not executed, use another node"
    )
    assert door.read.outcomes == []
    assert door.admission.behind.text == (
        "CLUSTERDOWN this node cannot follow: the disk is full; "
        "the command was not executed, use another node"
    )
    door.admission.room_changed(LogRoom(there=True))
    assert not door.admission.no_room
    assert door.admission.behind.text.startswith("CLUSTERDOWN this node is behind in the log;")
    assert door.knock() == (1, 2)


def test_a_stop_comes_before_a_lack_of_room() -> None:
    """Whoever asks is sent away for what lasts longer."""
    door = Door()
    door.admission.room_changed(LogRoom(there=False, lack="the disk is full"))
    door.drain.begin(0.0, StopLimits())
    assert door.knock() == (0, 0)
    assert door.write.outcomes == [STOPPING]
