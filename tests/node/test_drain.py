"""A stop as a value: its phases, their order, what each waits for and for how long (PROTOCOL 25)."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trikv.node.drain import (
    COMPANY_S,
    FLUSH_S,
    POLL_S,
    TELL_S,
    WAIT_FOR_THE_APPLIER,
    Act,
    Announce,
    Confirm,
    Drain,
    Dump,
    Phase,
    Resign,
    Seen,
    StopLimits,
    Tell,
)
from trikv.protocol.messages import Drained, Draining

LIMITS = StopLimits()
IDLE = Seen(is_busy=False, clients=0, up={2, 3}, leads=False, voters={1, 2, 3}, slices=0)
"""Node 1 of three, which follows and whose clients have gone."""
ALONE = attrs.evolve(IDLE, up=set())


def begun(now_s: float = 0.0) -> Drain:
    """A stop that has just begun."""
    drain = Drain()
    assert drain.begin(now_s, LIMITS) == [Announce(), Tell(Draining())]
    return drain


def at(phase: Phase, seen: Seen = ALONE) -> Drain:
    """A stop that has come to `phase`, at 0 s, as quickly as may be."""
    drain = begun()
    if phase is Phase.FINISHING:
        return drain
    assert drain.look(0.0, attrs.evolve(seen, up=set()))[-1] == Confirm()
    if phase >= Phase.HANDING_OVER:
        drain.confirmed(by_majority=True)
        drain.look(0.0, seen)
    assert drain.phase is phase
    return drain


def after(drain: Drain, now_s: float, seen: Seen) -> Phase:
    """How far it is when it has looked."""
    drain.look(now_s, seen)
    return drain.phase


def test_a_barrier_that_is_answered_late_still_makes_the_dump_whole() -> None:
    """All was applied by then. What is answered once the dump has begun changes nothing."""
    drain = at(Phase.CONFIRMING)
    leads = attrs.evolve(ALONE, leads=True, up={2})
    assert drain.look(LIMITS.barrier_s, leads) == [Resign()]
    drain.confirmed(by_majority=True)
    assert drain.look(LIMITS.barrier_s, ALONE) == [Tell(Drained()), Dump(complete=True)]
    late = at(Phase.CONFIRMING)
    assert late.look(LIMITS.barrier_s, ALONE) == [Tell(Drained()), Dump(complete=False)]
    late.confirmed(by_majority=True)
    assert late.look(LIMITS.barrier_s, ALONE) == []


def test_a_node_that_serves_tells_nobody_anything() -> None:
    """Nor does a link that comes up."""
    drain = Drain()
    assert (drain.is_stopping, drain.is_quiet, drain.needs_nobody, drain.dumped) == (False,) * 4
    assert drain.came_up(2) == []


def test_a_stop_of_a_node_alone_goes_through_at_once() -> None:
    """Each phase is over when there is nothing to wait for; the barrier and the dump have to be told."""
    drain = begun()
    assert drain.look(0.0, ALONE) == [Tell(Draining(is_quiet=True)), Confirm()]
    assert drain.look(0.1, ALONE) == []
    drain.confirmed(by_majority=True)
    assert drain.look(0.1, ALONE) == [Tell(Drained()), Dump(complete=True)]
    assert drain.look(0.2, ALONE) == []
    drain.dump_ended(written=True)
    assert drain.look(0.2, ALONE) == []
    assert (drain.phase, drain.dumped, drain.gave_up) == (Phase.GONE, True, False)


def test_clients_in_flight_are_waited_for_and_not_for_long() -> None:
    """A client whose command cannot finish holds the stop for two seconds."""
    busy = attrs.evolve(ALONE, is_busy=True)
    drain = begun()
    assert drain.look(LIMITS.drain_s - 0.01, busy) == []
    assert not drain.is_quiet
    assert drain.look(LIMITS.drain_s, busy)[0] == Tell(Draining(is_quiet=True))
    assert drain.is_quiet


def test_peers_have_a_moment_to_say_that_they_stop_too() -> None:
    """Those that are up; who has said so is waited for until it is quiet."""
    drain = begun()
    assert drain.look(0.0, IDLE) == [Tell(Draining(is_quiet=True))]
    drain.heard(2, Draining())
    assert drain.look(COMPANY_S - 0.01, IDLE) == []
    assert drain.look(COMPANY_S, IDLE) == []
    assert drain.phase is Phase.WAITING, "for node 2; node 3 goes on serving"
    drain.heard(2, Draining(is_quiet=True))
    assert drain.look(COMPANY_S + 0.1, IDLE) == [Confirm()]


def test_all_that_stop_need_not_wait_the_moment() -> None:
    """Every peer that is up has said so: nothing more can come."""
    drain = begun()
    for peer in (2, 3):
        drain.heard(peer, Draining(is_quiet=True))
    assert drain.look(0.0, IDLE)[-1] == Confirm()


@pytest.mark.parametrize("vanishes", [True, False])
def test_a_peer_that_never_gets_quiet_is_not_waited_for_for_ever(*, vanishes: bool) -> None:
    """Nor for a moment if it is gone: it answers nobody any more."""
    drain = begun()
    for peer in (2, 3):
        drain.heard(peer, Draining())
    drain.look(0.0, IDLE)
    assert drain.phase is Phase.WAITING
    if vanishes:
        assert drain.look(0.1, ALONE) == [Confirm()]
    else:
        assert drain.look(LIMITS.drain_s - 0.01, IDLE) == []
        assert drain.look(LIMITS.drain_s, IDLE) == [Confirm()]


@pytest.mark.parametrize("answer", [True, False, None])
def test_the_dump_says_whether_a_majority_confirmed_it(answer: bool | None) -> None:  # noqa: FBT001 - parametrized
    """Without an answer in its time it is incomplete; one that comes later changes nothing."""
    drain = at(Phase.CONFIRMING)
    if answer is not None:
        drain.confirmed(by_majority=answer)
    else:
        assert drain.look(LIMITS.barrier_s - 0.01, ALONE) == []
    acts = drain.look(LIMITS.barrier_s, ALONE)
    drain.confirmed(by_majority=True)
    assert acts == [Tell(Drained()), Dump(complete=bool(answer))]
    assert drain.look(LIMITS.barrier_s, ALONE) == []


def test_a_leader_hands_over_while_there_is_an_heir() -> None:
    """A voter that is up and does not stop; half a second at the most."""
    leader = attrs.evolve(IDLE, leads=True)
    drain = at(Phase.CONFIRMING)
    drain.confirmed(by_majority=True)
    assert drain.look(1.0, leader) == [Resign()]
    assert drain.look(1.1, leader) == []
    assert drain.look(1.2, IDLE)[-1] == Dump(complete=True)

    drain = at(Phase.HANDING_OVER, leader)
    assert drain.look(LIMITS.hand_over_s, leader)[-1] == Dump(complete=True)


@pytest.mark.parametrize(
    ("up", "stopping", "voters"),
    [({2}, {2}, {1, 2, 3}), (set(), set(), {1, 2, 3}), ({2, 3}, {3}, {1, 3})],
    ids=["stops itself", "is down", "is no voter"],
)
def test_no_heir_is_not_waited_for(up: set[int], stopping: set[int], voters: set[int]) -> None:
    """A leader of nodes that all stop keeps the office: each needs one for its own barrier."""
    leader = Seen(is_busy=False, clients=0, up=up, leads=True, voters=voters, slices=0)
    drain = at(Phase.CONFIRMING)
    for peer in stopping:
        drain.heard(peer, Draining(is_quiet=True))
    drain.confirmed(by_majority=True)
    assert drain.look(0.0, leader) == [Resign(), Tell(Drained()), Dump(complete=True)]


def test_who_stops_as_well_is_waited_for_until_it_needs_nobody() -> None:
    """It may need this node for its own barrier. One that is gone, or does not stop, holds nobody."""
    drain = begun()
    drain.heard(2, Draining(is_quiet=True))
    drain.look(0.0, attrs.evolve(IDLE, up={2}))
    drain.confirmed(by_majority=True)
    drain.look(0.0, IDLE)
    drain.dump_ended(written=True)
    assert after(drain, 1.0, IDLE) is Phase.LEAVING
    drain.heard(2, Drained())
    assert after(drain, 1.1, IDLE) is Phase.GONE


def test_a_dump_that_moves_puts_the_deadline_off() -> None:
    """However long it takes as a whole; and the log is told of it once a second."""
    drain = at(Phase.CONFIRMING)
    drain.confirmed(by_majority=True)
    drain.look(0.0, ALONE)
    now_s, told = 0.0, 0
    while now_s < 5 * LIMITS.still_s:
        now_s += LIMITS.still_s / 25
        told += drain.moved(now_s)
        assert drain.look(now_s, ALONE) == []
    assert told == pytest.approx(5 * LIMITS.still_s / TELL_S, rel=0.3)
    patience_s = LIMITS.still_s - FLUSH_S
    assert drain.pause_s(now_s) == TELL_S
    assert drain.pause_s(now_s + patience_s - 0.5) == pytest.approx(0.5)
    assert drain.look(now_s + patience_s - 0.01, ALONE) == []
    assert drain.look(now_s + patience_s, ALONE) == []
    assert (drain.phase, drain.gave_up, drain.dumped) == (Phase.GONE, True, False)


def test_the_deadline_counts_also_for_what_comes_behind_the_dump() -> None:
    """A peer that never says that it needs nobody keeps this node until then; its dump is there."""
    drain = begun()
    drain.heard(2, Draining(is_quiet=True))
    near = attrs.evolve(IDLE, up={2}, clients=1)
    drain.look(0.0, near)
    drain.confirmed(by_majority=True)
    drain.look(0.0, near)
    drain.dump_ended(written=True)
    deadline_s = LIMITS.still_s - FLUSH_S
    drain.look(deadline_s - 0.01, near)
    assert drain.phase is Phase.LEAVING
    drain.look(deadline_s, near)
    assert (drain.phase, drain.gave_up, drain.dumped) == (Phase.CLOSING, True, True)


def test_last_words_have_half_a_second_to_leave() -> None:
    """From when they were said. Clients that take nothing are left then."""
    drain = at(Phase.CONFIRMING)
    drain.confirmed(by_majority=True)
    slow = attrs.evolve(ALONE, clients=1)
    drain.look(0.0, slow)
    drain.dump_ended(written=True)
    assert after(drain, 0.5, slow) is Phase.CLOSING
    assert after(drain, 0.9, slow) is Phase.CLOSING
    drain.said_goodbye(1.0)
    assert after(drain, 1.0 + FLUSH_S - 0.01, slow) is Phase.CLOSING
    assert after(drain, 1.0 + FLUSH_S, slow) is Phase.GONE


def test_a_peer_that_comes_up_hears_how_far_this_node_is() -> None:
    """Not less, or it waits in vain; not more, or it leaves too early."""
    drain = begun()
    assert drain.came_up(2) == [Draining()]
    drain.look(0.0, ALONE)
    assert drain.came_up(2) == [Draining(is_quiet=True)]
    drain.confirmed(by_majority=True)
    drain.look(0.0, ALONE)
    assert drain.came_up(2) == [Draining(is_quiet=True), Drained()]


def test_a_life_that_comes_back_says_for_itself_that_it_stops() -> None:
    """What the last one said counts for nothing; within one life a later word takes nothing back."""
    drain = Drain()
    drain.heard(2, Drained())
    drain.heard(2, Draining())
    assert drain.stops(2)
    assert drain.came_up(2) == []
    assert not drain.stops(2)
    drain.heard(2, Draining())
    drain.begin(0.0, LIMITS)
    drain.look(0.0, attrs.evolve(IDLE, up={2}))
    assert drain.phase is Phase.WAITING, "this life is not quiet yet"


@given(
    st.lists(
        st.tuples(
            st.floats(0, 3),
            st.sampled_from(
                ["confirm", "refuse", "dump", "no dump", "move", "draining", "quiet", "drained", "up", ""]
            ),
            st.builds(
                Seen,
                is_busy=st.booleans(),
                clients=st.integers(0, 2),
                up=st.sets(st.sampled_from([2, 3])),
                leads=st.booleans(),
                voters=st.just({1, 2, 3}),
                slices=st.integers(0, 1),
            ),
        ),
        max_size=60,
    )
)
def test_whatever_happens_the_order_is_kept_and_the_end_comes(
    events: list[tuple[float, str, Seen]],
) -> None:
    """One barrier, then one dump, each at most once; without progress it ends in its time."""
    drain, now_s, acts, moved_s, slices = begun(), 0.0, list[Act](), 0.0, 0
    for elapsed_s, event, seen in events:
        now_s += elapsed_s
        _tell(drain, event, now_s)
        if event == "move" and drain.phase < Phase.CLOSING:
            moved_s = now_s
        if seen.slices != slices and drain.phase in WAIT_FOR_THE_APPLIER:
            moved_s, slices = now_s, seen.slices
        before = drain.phase
        acts += drain.look(now_s, seen)
        assert before <= drain.phase
        assert drain.pause_s(now_s) >= (0 if drain.phase is Phase.DUMPING else POLL_S)
        if now_s >= moved_s + LIMITS.still_s - FLUSH_S:
            assert drain.phase >= Phase.CLOSING
    kinds = [type(act) for act in acts if not isinstance(act, Tell)]
    assert kinds in ([], [Confirm], [Confirm, Dump], [Confirm, Resign], [Confirm, Resign, Dump])
    messages = [act.message for act in acts if isinstance(act, Tell)]
    assert messages == [Draining(is_quiet=True), Drained()][: len(messages)]
    end_s = now_s + LIMITS.still_s
    drain.look(end_s, attrs.evolve(IDLE, clients=1, slices=slices))
    drain.said_goodbye(end_s)
    drain.look(end_s + FLUSH_S, attrs.evolve(IDLE, clients=1))
    assert drain.phase is Phase.GONE


def _tell(drain: Drain, event: str, now_s: float) -> None:
    match event:
        case "confirm" | "refuse":
            drain.confirmed(by_majority=event == "confirm")
        case "dump" | "no dump" if drain.phase is Phase.DUMPING:
            drain.dump_ended(written=event == "dump")
        case "move":
            drain.moved(now_s)
        case "draining" | "quiet":
            drain.heard(2, Draining(is_quiet=event == "quiet"))
        case "drained":
            drain.heard(2, Drained())
        case "up":
            drain.came_up(2)
        case _:
            pass


def test_a_long_entry_stretches_the_phases_that_wait_for_it() -> None:
    """As long as the applier gets on with it; peers are not waited for any longer, nor is one that hangs."""
    drain, now_s = begun(), 0.0
    busy = attrs.evolve(ALONE, is_busy=True, up={2})
    for slices in range(1, 4000):
        now_s += POLL_S
        assert after(drain, now_s, attrs.evolve(busy, slices=slices)) is Phase.FINISHING
    still = attrs.evolve(busy, slices=slices)
    assert after(drain, now_s + LIMITS.drain_s - POLL_S, still) is Phase.FINISHING
    now_s += LIMITS.drain_s + POLL_S
    assert after(drain, now_s, still) is Phase.LISTENING
    for slices in range(4000, 4100):
        now_s += POLL_S
        drain.look(now_s, attrs.evolve(busy, slices=slices))
    assert drain.phase > Phase.LISTENING, "others' long commands would never let it go on"
    now_s += LIMITS.drain_s
    assert after(drain, now_s, still) is Phase.CONFIRMING
    for slices in range(5000, 9000):
        now_s += POLL_S
        assert after(drain, now_s, attrs.evolve(busy, slices=slices)) is Phase.CONFIRMING
    drain.confirmed(by_majority=True)
    drain.look(now_s, still)
    assert drain.phase is Phase.DUMPING
    for slices in range(10_000, 10_100):
        now_s += drain.pause_s(now_s)
        assert after(drain, now_s, attrs.evolve(still, slices=slices)) is Phase.DUMPING
    assert after(drain, now_s + LIMITS.still_s, attrs.evolve(still, slices=slices)) > Phase.DUMPING
    assert drain.gave_up
