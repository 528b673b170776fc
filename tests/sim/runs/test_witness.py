"""The witness: it believes the log, and nothing that contradicts it passes."""

import msgspec

from trikv.machine.batch import Batch, Hello, Item, Submission, Transaction, Watch
from trikv.raft.membership import encode_membership
from trikv.raft.types import Entry, EntryKind, Member, Membership
from trikv.sim.checkers.witness import Witness
from trikv.sim.history import Args, Effect, History, Operation

LIFE = 2
"""The incarnation: node 1's Hello is entry 2."""


class Story:
    """A log in the making, and what one client was told of it."""

    def __init__(self) -> None:
        members = Membership((Member(1, b"d", voter=True, address=""),))
        self.log = {1: Entry(1, 1, EntryKind.MEMBERSHIP, encode_membership(members))}
        self.history = History()
        self.effects: dict[tuple[str, int], Effect] = {}
        self.sequence = 0
        self.ordinal = 0
        self.entry(Hello(1, b"n"))

    def entry(self, *items: Item, stamp_ms: int = 0) -> int:
        """Append an entry; its index."""
        index = len(self.log) + 1
        payload = msgspec.msgpack.encode(Batch(stamp_ms, 0, items))
        self.log[index] = Entry(index, 1, EntryKind.BATCH, payload)
        return index

    def submission(self, *commands: Args, transactions: tuple[Transaction, ...] = ()) -> Submission:
        """The next proposal of node 1."""
        self.sequence += 1
        return Submission(1, LIFE, self.sequence, 0, commands, transactions)

    def call(self, *commands: Args, is_transaction: bool = False) -> Operation:
        """The client asks for a step."""
        self.ordinal += 1
        return self.history.call(0, "c", self.ordinal, commands, is_transaction=is_transaction)

    def happened(self, operation: Operation, index: int, reply: object, step: int = 0) -> Operation:
        """It took effect by the newest submission; the answer came."""
        key = (operation.connection, operation.ordinal)
        self.effects[key] = Effect(index, (1, LIFE, self.sequence), step, None)
        self.history.answer(operation, reply)
        return operation

    def wrote(self, *command: bytes, reply: object) -> int:
        """A whole write, asked and answered; the index of its entry."""
        operation = self.call(command)
        index = self.entry(self.submission(command))
        self.happened(operation, index, reply)
        return index

    def saw(self, operation: Operation, index: int, reply: object, told: int | None = None) -> None:
        """A read round served it after entry `index`."""
        machine_reply = None if told is None else [told]
        self.effects[operation.connection, operation.ordinal] = Effect(index, None, 0, machine_reply)  # type: ignore[arg-type]
        self.history.answer(operation, reply)

    def problem(self) -> str:
        """What the witness says."""
        return str(Witness(self.log, self.effects, self.history.operations).problem())


def test_accepts_a_true_story() -> None:
    """Writes, reads and their answers as the log has them."""
    story = Story()
    story.wrote(b"SET", b"k", b"a", reply=b"OK")
    index = story.wrote(b"INCR", b"n", reply=1)
    story.saw(story.call((b"MGET", b"k", b"n")), index, [b"a", b"1"])
    assert story.problem() == "None"


def test_rejects_a_wrong_answer() -> None:
    """An answer that the log does not give."""
    story = Story()
    story.wrote(b"INCR", b"n", reply=2)
    assert "the log says 1" in story.problem()


def test_rejects_a_stale_read() -> None:
    """A read served at an index below that of a write answered before it was called."""
    story = Story()
    first = story.wrote(b"SET", b"k", b"a", reply=b"OK")
    story.wrote(b"SET", b"k", b"b", reply=b"OK")
    story.saw(story.call((b"GET", b"k")), first, b"a")
    assert "comes later" in story.problem()


def test_accepts_a_read_that_overlaps_the_write_it_does_not_see() -> None:
    """Called before the answer, it may stand on either side."""
    story = Story()
    first = story.wrote(b"SET", b"k", b"a", reply=b"OK")
    read = story.call((b"GET", b"k"))
    story.wrote(b"SET", b"k", b"b", reply=b"OK")
    story.saw(read, first, b"a")
    assert story.problem() == "None"


def test_second_copy_of_a_proposal_has_no_effect() -> None:
    """The rules of proposals are replayed: what a duplicate changed would show in the next answer."""
    story = Story()
    operation = story.call((b"INCR", b"n"))
    submission = story.submission((b"INCR", b"n"))
    index = story.entry(submission)
    story.entry(submission)
    story.happened(operation, index, 1)
    story.wrote(b"INCR", b"n", reply=2)
    assert story.problem() == "None"
    story.wrote(b"INCR", b"n", reply=4)
    assert "the log says 3" in story.problem()


def test_rejects_an_answer_without_an_effect() -> None:
    """Somebody was told OK, and nothing happened."""
    story = Story()
    story.history.answer(story.call((b"SET", b"k", b"a")), b"OK")
    assert "took effect nowhere" in story.problem()


def test_rejects_an_effect_that_the_log_does_not_admit() -> None:
    """A proposal out of turn must not be answered."""
    story = Story()
    operation = story.call((b"SET", b"k", b"a"))
    story.sequence += 1  # a gap
    index = story.entry(story.submission((b"SET", b"k", b"a")))
    story.happened(operation, index, b"OK")
    assert "does not apply it" in story.problem()


def test_needs_the_whole_log() -> None:
    """An entry that nobody was seen to apply is a hole in the evidence."""
    story = Story()
    story.wrote(b"SET", b"k", b"a", reply=b"OK")
    del story.log[2]
    assert "nobody was seen" in story.problem()


def test_watch_must_fail_where_the_key_has_changed() -> None:
    """EXEC answers by what WATCH saw, replayed with the model's own versions."""
    story = Story()
    index = story.wrote(b"SET", b"k", b"a", reply=b"OK")
    story.saw(story.call((b"WATCH", b"k")), index, b"OK", told=77)
    story.wrote(b"SET", b"k", b"b", reply=b"OK")
    swap = story.call((b"SET", b"k", b"c"), is_transaction=True)
    submission = story.submission(
        (b"SET", b"k", b"c"), transactions=(Transaction(0, 1, (Watch(0, b"k", 77),)),)
    )
    story.happened(swap, story.entry(submission), None)
    assert story.problem() == "None"
    swap.reply = [b"OK"]
    assert "the log says None" in story.problem()


def test_deadlines_go_by_the_stamps_of_the_log() -> None:
    """A key with a deadline is there until an entry's stamp has passed it."""
    story = Story()
    story.wrote(b"SET", b"t", b"v", b"PX", b"50", reply=b"OK")
    index = len(story.log)
    story.saw(story.call((b"PTTL", b"t")), index, 50)
    story.entry(stamp_ms=50)
    story.saw(story.call((b"GET", b"t")), index + 1, None)
    assert story.problem() == "None"
