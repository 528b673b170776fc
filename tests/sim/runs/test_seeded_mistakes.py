"""A mistake in what the machine does to values is seen in a run: each checker earns its keep."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from trikv.machine.commands import hashes
from trikv.machine.database import Database
from trikv.machine.draws import Draws
from trikv.machine.keyspace import Keyspace
from trikv.machine.replies import CommandError
from trikv.machine.values.hash import Behind, Hash, Timed
from trikv.machine.values.list import List
from trikv.machine.values.members import Members
from trikv.machine.values.set import Set
from trikv.machine.values.sorted_set import SortedSet
from trikv.sim.knobs import Knobs
from trikv.sim.run import Plan, Result, execute
from trikv.sim.workload.profiles import WEIGHTS

Patch = pytest.MonkeyPatch


def keeps_what_it_answers(patch: Patch) -> None:
    """SPOP leaves the member that it answers, and takes none."""

    def pop(self: Set, draws: Draws) -> bytes:
        return self.drawn(draws)[0]

    patch.setattr(Set, "pop", pop)


def takes_another(patch: Patch) -> None:
    """SPOP answers one member and takes another."""

    def pop(self: Set, draws: Draws) -> bytes:
        answer, taken = self.drawn(draws)[0], self.drawn(draws)[0]
        self.remove(taken)
        return answer

    patch.setattr(Set, "pop", pop)


def pushes_at_the_other_end(patch: Patch) -> None:
    """LPUSH onto a list that is not short puts its element behind the last."""
    push_left, push_right = List.push_left, List.push_right

    def push(self: List, elements: Sequence[bytes]) -> None:
        (push_right if self.count > 3 else push_left)(self, elements)

    patch.setattr(List, "push_left", push)


def keeps_an_old_score(patch: Patch) -> None:
    """A member that has a score keeps it if the new one is lower."""
    score_each = SortedSet.score_each

    def score_seldom(
        self: SortedSet, members: list[bytes], olds: list[float | None], scores: list[float]
    ) -> list[bool]:
        kept = [new if old is None else max(old, new) for old, new in zip(olds, scores, strict=True)]
        return score_each(self, members, olds, kept)

    patch.setattr(SortedSet, "score_each", score_seldom)


def loses_a_field(patch: Patch) -> None:
    """A part of a value is forgotten when it is split."""
    grow = Members._grow

    def grow_less(self: Members) -> None:
        grow(self)
        for member in list(self.parts[-1])[:1]:
            self.remove(member)

    patch.setattr(Members, "_grow", grow_less)


def shows_a_page_too_few(patch: Patch) -> None:
    """A scan of a value leaves out what is last on a page of several elements."""
    page = Members.page

    def shorter(self: Members, cursor: int, count: int) -> tuple[int, list[Any]]:
        following, found = page(self, cursor, count)
        return following, found[: max(1, len(found) - 1)]

    patch.setattr(Members, "page", shorter)


def shows_what_is_due(patch: Patch) -> None:
    """A field stays for 300 ms after its deadline, and HGET shows it."""
    next_due = Keyspace._next_due

    def next_due_later(self: Keyspace) -> tuple[int, int, bool]:
        deadline, number, is_of_field = next_due(self)
        return deadline + 300 * is_of_field, number, is_of_field

    def value_at(self: Hash, field: bytes, _: int) -> bytes | None:
        behind = self.get(field)
        return behind.value if isinstance(behind, Timed) else behind

    patch.setattr(Keyspace, "_next_due", next_due_later)
    patch.setattr(Hash, "value_at", value_at)


def forgets_a_deadline(patch: Patch) -> None:
    """HINCRBY writes a field as if it had no deadline."""
    put_fields = hashes.put_fields

    def put(db: Database, key: bytes, pairs: dict[bytes, bytes], _: object = None) -> int | CommandError:
        return put_fields(db, key, pairs)

    patch.setattr(hashes, "put_fields", put)


def keeps_a_deadline(patch: Patch) -> None:
    """A field that gets another value keeps its deadline, whoever writes it."""
    put = Hash.put

    def put_with_deadline(self: Hash, member: bytes, belonging: Behind) -> bool:
        old = self.get(member)
        if isinstance(old, Timed) and isinstance(belonging, bytes):
            belonging = Timed(belonging, old.deadline)
        return put(self, member, belonging)

    patch.setattr(Hash, "put", put_with_deadline)


MISTAKES: dict[str, tuple[Callable[[Patch], None], set[str], str]] = {
    "SPOP takes nothing": (keeps_what_it_answers, {"witness"}, "member"),
    "SPOP takes another": (takes_another, {"witness"}, "member"),
    "LPUSH pushes behind": (pushes_at_the_other_end, {"witness"}, "list"),
    "ZADD keeps a score": (keeps_an_old_score, {"witness"}, "sorted"),
    "a split loses an element": (loses_a_field, {"witness", "account"}, "large"),
    "a due field is shown": (shows_what_is_due, {"witness", "deadlines"}, "field"),
    "HINCRBY takes a deadline away": (forgets_a_deadline, {"witness"}, "field"),
    "HSET leaves a deadline": (keeps_a_deadline, {"witness"}, "field"),
    "a page is too short": (shows_a_page_too_few, {"witness"}, "member"),
}


SEEDS = (3, 4, 5)
"""What a run draws depends on what was imported before it, so one may miss what it does not meet."""


def run(patch: Patch, *kinds: str, seed: int = 3) -> Result:
    """A short run without faults, whose clients ask mostly for these kinds."""
    patch.setitem(WEIGHTS, "mixed", {**WEIGHTS["mixed"], **dict.fromkeys(kinds, 30.0)})
    return execute(
        Plan(seed=seed, seconds=3, knobs=Knobs(profile="mixed", clients=8, think_ms=60, whole_max=2))
    )


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_seen(name: str, monkeypatch: Patch) -> None:
    """By the checker that watches over it."""
    make, failures, kind = MISTAKES[name]
    make(monkeypatch)
    result = next((one for seed in SEEDS if not (one := run(monkeypatch, kind, seed=seed)).ok), None)
    assert result is not None, f"none of the runs {SEEDS} has seen it"
    assert result.failure in failures, f"{result.failure}: {result.problem}"


def test_without_a_mistake_there_is_no_failure(monkeypatch: Patch) -> None:
    """The same requests are answered as they should be, long reads in pipelines among them."""
    result = run(monkeypatch, "member", "list", "sorted", "large", "field")
    assert result.ok, f"{result.failure}: {result.problem}"
    assert result.marks["rest of a turn asked for later"] > 0
