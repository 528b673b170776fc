"""The automatic swap of a blank disk: single changes that end where they should."""

from hypothesis import given
from hypothesis import strategies as st

from trikv.node.consensus.swap import CAUGHT_UP_ENTRIES, REQUEST_VALID_MS, Joiner, next_change
from trikv.raft.membership import is_single_change
from trikv.raft.types import Member, Membership


def disk(number: int, generation: int = 0) -> bytes:
    """A disk's id."""
    return b"%08d%08d" % (number, generation)


def members(*numbers: int) -> Membership:
    """Voters on their first disks."""
    return Membership(tuple(Member(n, disk(n), voter=True, address=f"n{n}") for n in numbers))


def test_swap_is_remove_add_promote() -> None:
    """Three changes, each derived from the membership alone."""
    joiners = {3: Joiner(disk(3, 1), "new", 1_000)}
    first = next_change(members(1, 2, 3), joiners, {}, 500, 1_000)
    assert first == members(1, 2)
    second = next_change(first, joiners, {}, 500, 1_000)
    learner = Member(3, disk(3, 1), voter=False, address="new")
    assert second == Membership((*members(1, 2).members, learner))
    assert next_change(second, joiners, {3: 500 - CAUGHT_UP_ENTRIES - 1}, 500, 1_000) is None
    third = next_change(second, joiners, {3: 500 - CAUGHT_UP_ENTRIES}, 500, 1_000)
    assert third is not None
    assert third.members[2] == Member(3, disk(3, 1), voter=True, address="new")
    assert next_change(third, joiners, {3: 500}, 500, 1_000) is None


def test_silent_joiner_is_not_swapped_in() -> None:
    """A request holds for five seconds: nothing is removed for the sake of a disk that is gone again."""
    joiners = {3: Joiner(disk(3, 1), "", 0)}
    assert next_change(members(1, 2, 3), joiners, {}, 1, REQUEST_VALID_MS + 1) is None
    assert next_change(members(1, 2, 3), joiners, {}, 1, REQUEST_VALID_MS) is not None


def test_member_that_asks_needs_nothing() -> None:
    """A voter on its own disk may ask; it is there already."""
    assert next_change(members(1, 2, 3), {3: Joiner(disk(3), "", 0)}, {}, 9, 0) is None
    assert next_change(members(1, 2, 3), {}, {}, 9, 0) is None


def test_learner_that_lags_does_not_hold_up_another() -> None:
    """Joiners are looked at by id; one that has to catch up is passed over."""
    membership = Membership((Member(1, disk(1, 1), voter=False, address=""), *members(2, 3, 4, 5).members))
    joiners = {1: Joiner(disk(1, 1), "", 0), 2: Joiner(disk(2, 1), "", 0)}
    change = next_change(membership, joiners, {1: 0}, 1_000, 0)
    assert change is not None
    assert [member.id for member in change.members] == [1, 3, 4, 5]


@given(
    swapped=st.sets(st.sampled_from([1, 2, 3, 4, 5]), max_size=2),
    progress=st.lists(st.integers(20, 200), min_size=40, max_size=40),
)
def test_walk_changes_one_member_at_a_time_and_ends_in_all_voters(
    swapped: set[int], progress: list[int]
) -> None:
    """Up to two of five disks replaced at once: every step is one Raft may take, and it comes to an end."""
    membership = members(1, 2, 3, 4, 5)
    joiners = {number: Joiner(disk(number, 1), f"n{number}", 0) for number in sorted(swapped)}
    commit = 1_000
    match_of = dict.fromkeys(swapped, 0)
    steps = 0
    for gained in progress * 3:
        learners = [member.id for member in membership.members if not member.voter]
        for number in learners:
            match_of[number] = min(commit, match_of[number] + gained + 1)
        change = next_change(membership, joiners, match_of, commit, 0)
        if change is None:
            if not learners:
                break
            continue
        assert is_single_change(membership, change)
        assert sum(member.voter for member in change.members) >= 3, "a majority of five stays"
        membership = change
        steps += 1
    ends = {member.id: (member.disk, member.voter) for member in membership.members}
    assert ends == {number: (disk(number, int(number in swapped)), True) for number in (1, 2, 3, 4, 5)}
    assert steps == 3 * len(swapped)
