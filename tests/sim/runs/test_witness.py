"""The witness believes the log, and accepts nothing that contradicts it."""

from typing import Any

import msgspec

from trikv.machine.batch import Batch, Hello, Item, Submission, Transaction, Watch
from trikv.raft.membership import encode_membership
from trikv.raft.types import Entry, EntryKind, Member, Membership
from trikv.sim.checkers.state import Contents, Sighting
from trikv.sim.checkers.values import Collection, Fields
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

    def submission(
        self, *commands: Args, transactions: tuple[Transaction, ...] = (), database: int = 0
    ) -> Submission:
        """The next proposal of node 1."""
        self.sequence += 1
        return Submission(1, LIFE, self.sequence, database, commands, transactions)

    def call(self, *commands: Args, is_transaction: bool = False, database: int = 0) -> Operation:
        """The client asks for a step."""
        self.ordinal += 1
        return self.history.call(
            0, "c", self.ordinal, commands, is_transaction=is_transaction, database=database
        )

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

    def problem(self, *sightings: Sighting) -> str:
        """What the witness says."""
        operations, scans = self.history.operations, self.history.scans
        return str(Witness(self.log, self.effects, operations, sightings=sightings, scans=scans).problem())


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
    """It was called before the answer, so it may come before or after the write."""
    story = Story()
    first = story.wrote(b"SET", b"k", b"a", reply=b"OK")
    read = story.call((b"GET", b"k"))
    story.wrote(b"SET", b"k", b"b", reply=b"OK")
    story.saw(read, first, b"a")
    assert story.problem() == "None"


def test_second_copy_of_a_proposal_has_no_effect() -> None:
    """The rules of proposals are replayed: the effect of a duplicate would show in the next answer."""
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
    """A client was told OK, and nothing happened."""
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
    swap.watched = ((0, b"k"),)
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


def timed_story() -> tuple[Story, int]:
    """A hash of two fields, one of which is due at 50 ms, and the index of its last change."""
    story = Story()
    story.wrote(b"HSET", b"h", b"a", b"1", b"b", b"2", reply=2)
    return story, story.wrote(b"HPEXPIRE", b"h", b"50", b"FIELDS", b"1", b"a", reply=[1])


def test_deadlines_of_fields_go_by_the_stamps_of_the_log() -> None:
    """A field is there until an entry's stamp has come to its deadline, and is absent from that entry on."""
    for late, early, problem in ((2, 1, "None"), (2, 2, "the log says 1"), (1, 1, "the log says 2")):
        story, _ = timed_story()
        story.saw(story.call((b"HLEN", b"h")), story.entry(stamp_ms=49), late)
        story.saw(story.call((b"HLEN", b"h")), story.entry(stamp_ms=50), early)
        assert problem in story.problem(), (late, early)


def test_what_somebody_held_has_the_deadlines_of_fields() -> None:
    """A node that gave a field another deadline, or kept a field that was due, is seen."""
    story, index = timed_story()
    later = story.entry(stamp_ms=50)

    def held(fields: Fields) -> Contents:
        return {(0, b"h"): (Collection.of(fields, is_large=True), 0)}

    fields = Fields({b"a": b"1", b"b": b"2"}, {b"a": 50})
    right, left = held(fields), held(Fields({b"b": b"2"}))
    assert story.problem(Sighting("node 1", index, right), Sighting("node 1", later, left)) == "None"
    assert "node 1 at 5 holds" in story.problem(Sighting("node 1", later, right))
    fields.put(b"a", b"1", 51)
    assert "node 1 at 4 holds" in story.problem(Sighting("node 1", index, held(fields)))


def test_a_watch_fails_when_a_field_has_expired() -> None:
    """The transaction must not be carried out, though no command has changed the hash."""
    for stamp_ms, reply, problem in (
        (49, [2], "None"),
        (49, None, "the log says [2]"),
        (50, None, "None"),
        (50, [1], "the log says None"),
    ):
        story, index = timed_story()
        story.saw(story.call((b"WATCH", b"h")), index, b"OK", told=77)
        look = story.call((b"HLEN", b"h"), is_transaction=True)
        look.watched = ((0, b"h"),)
        submission = story.submission(
            (b"HLEN", b"h"), transactions=(Transaction(0, 1, (Watch(0, b"h", 77),)),)
        )
        story.happened(look, story.entry(submission, stamp_ms=stamp_ms), reply)
        assert problem in story.problem(), (stamp_ms, reply)


def test_a_command_takes_effect_in_the_database_that_was_selected() -> None:
    """A submission that begins with another database is seen, and so is one that lacks a SELECT."""
    story = Story()
    operation = story.call((b"SET", b"k", b"a"), database=9)
    index = story.entry(story.submission((b"SET", b"k", b"a"), database=9))
    story.happened(operation, index, b"OK")
    story.saw(story.call((b"GET", b"k"), database=9), index, b"a")
    story.saw(story.call((b"GET", b"k")), index, None)
    assert story.problem() == "None"
    operation.database = 3
    assert "it took effect in database 9" in story.problem()


def test_a_select_inside_a_submission_moves_what_is_behind_it() -> None:
    """The SELECT is a step in the log, but not one of the client's."""
    story = Story()
    first, second = story.call((b"SET", b"k", b"a")), story.call((b"SET", b"k", b"b"), database=5)
    index = story.entry(story.submission((b"SET", b"k", b"a"), (b"SELECT", b"5"), (b"SET", b"k", b"b")))
    story.happened(first, index, b"OK", step=0)
    story.happened(second, index, b"OK", step=2)
    assert story.problem() == "None"
    second.database = 0
    assert "it took effect in database 5" in story.problem()


def test_a_read_is_of_its_database() -> None:
    """Answered from another one it is wrong."""
    story = Story()
    index = story.wrote(b"SET", b"k", b"a", reply=b"OK")
    story.saw(story.call((b"GET", b"k"), database=9), index, b"a")
    assert "the log says None" in story.problem()


def test_the_log_has_the_commands_that_were_sent() -> None:
    """Other commands are wrong, even if their answers are the same."""
    story = Story()
    operation = story.call((b"SET", b"k", b"a"))
    story.happened(operation, story.entry(story.submission((b"SET", b"k", b"b"))), b"OK")
    assert "the log has ((b'SET', b'k', b'b'),)" in story.problem()


def test_what_a_node_answers_inside_a_transaction_is_not_the_logs() -> None:
    """The log holds only the other commands."""
    story = Story()
    swap = story.call((b"PING",), (b"INCR", b"n"), (b"ECHO", b"x"), is_transaction=True)
    submission = story.submission((b"INCR", b"n"), transactions=(Transaction(0, 1),))
    story.happened(swap, story.entry(submission), [b"PONG", 1, b"x"])
    assert story.problem() == "None"
    swap.reply = [b"PONG", 2, b"x"]
    assert "the log says [1]" in story.problem()


def test_what_somebody_held_is_what_the_log_says() -> None:
    """Every key of every database, with its deadline, at that index."""
    story = Story()
    operation = story.call((b"SET", b"k", b"a", b"PX", b"50"), database=9)
    index = story.entry(story.submission(operation.commands[0], database=9), stamp_ms=10)
    story.happened(operation, index, b"OK")
    later = story.entry(stamp_ms=60)
    held: Contents = {(9, b"k"): (b"a", 60)}
    right = Sighting("node 1", index, held)
    assert story.problem(right, Sighting("node 2", later, {})) == "None"
    wrong: list[Contents] = [{}, {(0, b"k"): (b"a", 60)}, {(9, b"k"): (b"a", 0)}, {(9, b"k"): (b"b", 60)}]
    for contents in wrong:
        assert "node 1 at 3 holds" in story.problem(Sighting("node 1", index, contents))
    assert f"node 2 at {later} holds" in story.problem(Sighting("node 2", later, right.contents))


def scanned(story: Story, index: int, cursor: bytes, reply: Any) -> Operation:
    """One page, read after entry `index`."""
    page = story.call((b"SCAN", cursor, b"COUNT", b"1"))
    story.saw(page, index, reply)
    return page


def test_a_scan_brings_what_stays_exactly_once() -> None:
    """A key that comes or goes during the scan may be in it, or not."""
    for pages, problem in (
        (([b"5", [b"a"]], [b"0", [b"b"]]), "None"),
        (([b"5", [b"a"]], [b"0", [b"b", b"new"]]), "None"),
        (([b"5", [b"a", b"gone"]], [b"0", [b"b"]]), "None"),
        (([b"5", [b"a"]], [b"0", []]), "b'b' was there throughout and came 0 times"),
        (([b"5", [b"a", b"b"]], [b"0", [b"b"]]), "b'b' was there throughout and came 2 times"),
        (([b"5", [b"a"]], [b"0", [b"b", b"gone"]]), "the log says Page"),
    ):
        story = Story()
        index = story.wrote(b"MSET", b"a", b"1", b"b", b"1", b"gone", b"1", reply=b"OK")
        first = scanned(story, index, b"0", pages[0])
        story.wrote(b"DEL", b"gone", reply=1)
        index = story.wrote(b"SET", b"new", b"1", reply=b"OK")
        story.history.scans.append([first, scanned(story, index, b"5", pages[1])])
        assert problem in story.problem(), pages


def test_a_key_that_was_gone_in_between_may_be_missed_by_a_scan() -> None:
    """It counts as another key of the same name."""
    story = Story()
    index = story.wrote(b"SET", b"a", b"1", reply=b"OK")
    first = scanned(story, index, b"0", [b"5", []])
    story.wrote(b"DEL", b"a", reply=1)
    index = story.wrote(b"SET", b"a", b"1", reply=b"OK")
    story.history.scans.append([first, scanned(story, index, b"5", [b"0", []])])
    assert story.problem() == "None"


def test_watches_of_several_keys_are_kept_apart() -> None:
    """Each by its version; a key of another database is another key."""
    story = Story()
    index = story.wrote(b"MSET", b"j", b"1", b"k", b"1", reply=b"OK")
    watch = story.call((b"WATCH", b"j", b"k"))
    story.effects["c", watch.ordinal] = Effect(index, None, 0, [7, 8])
    story.history.answer(watch, b"OK")
    other = story.call((b"SET", b"k", b"2"), database=1)
    story.happened(other, story.entry(story.submission((b"SET", b"k", b"2"), database=1)), b"OK")
    swap = story.call((b"SET", b"j", b"c"), is_transaction=True)
    swap.watched = ((0, b"j"), (0, b"k"))
    watches = (Watch(0, b"j", 7), Watch(0, b"k", 8))
    submission = story.submission((b"SET", b"j", b"c"), transactions=(Transaction(0, 1, watches),))
    story.happened(swap, story.entry(submission), [b"OK"])
    assert story.problem() == "None"
    swap.reply = None
    assert "the log says [b'OK']" in story.problem()
    swap.watched = ((0, b"j"), (9, b"k"))
    assert "it had watched" in story.problem()


def popped(story: Story, *command: bytes) -> int:
    """An entry with a draw that nobody was told of; its index."""
    return story.entry(story.submission(command))


def test_what_was_drawn_is_what_the_answer_says() -> None:
    """What is seen later must agree with it, and it must have been possible."""
    story = Story()
    story.wrote(b"SADD", b"s", b"a", b"b", b"c", reply=3)
    index = story.wrote(b"SPOP", b"s", reply=b"b")
    story.saw(story.call((b"SMEMBERS", b"s")), index, [b"c", b"a"])
    assert story.problem() == "None"
    index = story.wrote(b"SPOP", b"s", b"1", reply=[b"b"])
    assert "the log says Drawn" in story.problem()
    story = Story()
    story.wrote(b"SADD", b"s", b"a", b"b", b"c", reply=3)
    index = story.wrote(b"SPOP", b"s", reply=b"b")
    story.saw(story.call((b"SMEMBERS", b"s")), index, [b"b", b"a"])
    assert "the log says AnyOrder" in story.problem()


def test_a_draw_that_nobody_was_told_of_may_have_been_any_but_only_one() -> None:
    """The first that is seen of it decides."""
    for seen, last, problem in (
        ([b"a", b"b"], b"a", "None"),
        ([b"b", b"c"], b"c", "None"),
        ([b"b", b"c"], b"a", "the log says"),
        ([b"a", b"b", b"c"], b"a", "the log says"),
        ([b"a"], b"a", "the log says"),
    ):
        story = Story()
        story.wrote(b"SADD", b"s", b"a", b"b", b"c", reply=3)
        index = popped(story, b"SPOP", b"s")
        story.saw(story.call((b"SCARD", b"s")), index, 2)
        story.saw(story.call((b"SMEMBERS", b"s")), index, seen)
        story.wrote(b"SREM", b"s", last, reply=1)
        assert problem in story.problem(), (seen, last)


def test_a_write_behind_an_unknown_draw_tells_of_it() -> None:
    """One that only some of the possible states allow refutes the others."""
    story = Story()
    story.wrote(b"SADD", b"s", b"a", b"b", reply=2)
    popped(story, b"SPOP", b"s")
    story.wrote(b"SADD", b"s", b"a", reply=1)  # so it was a that was drawn
    index = story.wrote(b"SREM", b"s", b"b", reply=1)
    story.saw(story.call((b"SMEMBERS", b"s")), index, [b"a"])
    assert story.problem() == "None"
    story.saw(story.call((b"SMEMBERS", b"s")), index, [b"b"])
    assert "the log says AnyOrder(items=(b'a',))" in story.problem()


def test_what_somebody_held_tells_of_an_unknown_draw() -> None:
    """Contents at that index leave the states that agree; contents of none of them are wrong."""
    story = Story()
    story.wrote(b"SADD", b"s", b"a", b"b", b"c", reply=3)
    index = popped(story, b"SPOP", b"s", b"2")
    held: Contents = {(0, b"s"): (Collection.of({b"b"}), 0)}
    wrong: Contents = {(0, b"s"): (Collection.of({b"d"}), 0)}
    assert story.problem(Sighting("node 1", index, held), Sighting("node 2", index, held)) == "None"
    assert "node 1 at 4 holds" in story.problem(Sighting("node 1", index, wrong))
    other: Contents = {(0, b"s"): (Collection.of({b"a"}), 0)}
    assert "node 2 at 4" in story.problem(Sighting("node 1", index, held), Sighting("node 2", index, other))


def test_a_draw_inside_a_transaction() -> None:
    """Its answer stands among the others'; an unknown one leaves several states."""
    for answer, seen, problem in (
        ([2, b"a"], [b"b"], "None"),
        ([2, b"a"], [b"a"], "the log says"),
        (None, [b"a"], "None"),
        (None, [], "the log says"),
    ):
        story = Story()
        both = ((b"SADD", b"s", b"a", b"b"), (b"SPOP", b"s"))
        operation = story.call(*both, is_transaction=True)
        index = story.entry(story.submission(*both, transactions=(Transaction(0, 2),)))
        if answer is not None:
            story.happened(operation, index, answer)
        story.saw(story.call((b"SMEMBERS", b"s")), index, seen)
        assert problem in story.problem(), (answer, seen)


def test_a_large_set_may_be_drawn_from_unseen() -> None:
    """Hundreds of states are followed until one is seen, and join again when nothing tells them apart."""
    story = Story()
    members = [b"%d" % number for number in range(300)]
    story.wrote(b"SADD", b"s", *members, reply=300)
    popped(story, b"SPOP", b"s")
    for number in range(20):
        story.wrote(b"SADD", b"other", b"%d" % number, reply=1)
    index = story.wrote(b"DEL", b"s", reply=1)
    story.saw(story.call((b"EXISTS", b"s")), index, 0)
    assert story.problem() == "None"


def test_a_scan_of_elements_brings_what_stays_at_least_once() -> None:
    """Of elements that were there at each of its pages. One that went in between may be missed."""
    members = [b"m%d" % number for number in range(200)]
    for pages, problem in (
        ((members[:150], members[150:]), "None"),
        ((members[:150], members[140:]), "None"),
        ((members[:150], members[151:]), "b'm150' was there throughout and came 0 times"),
        ((members[1:150], members[150:]), "None"),
        ((members[:150], [*members[150:], b"x"]), "the log says ElementPage"),
    ):
        story = Story()
        index = story.wrote(b"SADD", b"s", *members, reply=200)
        first = story.call((b"SSCAN", b"s", b"0"))
        story.saw(first, index, [b"7", pages[0]])
        story.wrote(b"SREM", b"s", b"m0", reply=1)
        index = story.wrote(b"SADD", b"s", b"x0", reply=1)
        last = story.call((b"SSCAN", b"s", b"7"))
        story.saw(last, index, [b"0", pages[1]])
        story.history.scans.append([first, last])
        assert problem in story.problem(), problem
