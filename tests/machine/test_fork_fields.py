"""A fork has every field of a machine: each is the same there, or another one for a reason."""

from enum import Enum

import attrs

from tests.machine.test_fork import full
from trikv.machine.account import Account
from trikv.machine.call import Call
from trikv.machine.database import Database
from trikv.machine.effects import NOTHING
from trikv.machine.evaluation import Evaluator
from trikv.machine.fork import ForkedDatabase, ForkedKeyspace
from trikv.machine.keyspace import Keyspace
from trikv.machine.machine import Fork, Machine
from trikv.machine.outcomes import OriginRow, Origins


@attrs.frozen
class Own:
    """The fork has another one, and why that may be."""

    why: str


SAME = "same"
"""Equal, and nothing that could be changed in place."""
COPIED = "copied"
"""Equal, and another object."""
SHARED = "shared"
"""The same object, which nobody changes."""
ONCE = Own("set for each submission, or for each command")
COUNTS = Own("counts, which are no state; what is rehearsed did not happen")

FIELDS: dict[type, dict[str, str | Own]] = {
    Machine: {
        "_call": Own("the evaluator's"),
        "_evaluator": Own("looked at below"),
        "_origins": Own("looked at below"),
        "_quick_reads": Own("has nothing but the fork's keyspace and the table"),
        "_table": SHARED,
        "index": SAME,
        "space": Own("looked at below"),
        "suspended": Own("no fork begins inside an entry"),
    },
    Keyspace: {
        "account": Own("looked at below"),
        "databases": Own("looked at below"),
        "hashed_next": ONCE,
    },
    Database: {
        "_changed": Own("buckets to be hashed: all of them"),
        "_deadlines_total_ms": SAME,
        "account": Own("the keyspace's"),
        "awaited": Own("who waits is told of what happens"),
        "buckets": SHARED,
        "deadlines": Own("an overlay"),
        "field_deadlines": Own("an overlay"),
        "hashes": Own("made anew by whoever wants a digest of a fork"),
        "number": SAME,
        "size": SAME,
    },
    Account: {
        "cap": SAME,
        "changes": SAME,
        "charges": SAME,
        "copied_bytes": ONCE,
        "dirty": ONCE,
        "discarded": Own("what the fork lets go belongs to the base"),
        "effects": Own("who waits is told of what happens"),
        "holds": Own("readers of the base; a fork is observed, and copies whatever it changes"),
        "epoch": Own("later, so that no value of the base is changed in place"),
        "feature_level": SAME,
        "is_founded": SAME,
        "is_over": SAME,
        "limit": SAME,
        "lookups": COUNTS,
        "now": SAME,
        "observers": Own("those of the base hear what happens to the base"),
        "secret": SAME,
        "shares": COPIED,
        "soonest": SAME,
        "tally": COUNTS,
        "used": SAME,
    },
    Origins: {"members": SAME, "rows": COPIED},
    OriginRow: {"incarnation": SAME, "nonce": SAME, "next": SAME},
    Evaluator: {
        "_all": SHARED,
        "_by_spelling": Own("the table's"),
        "_cut": Own("that of a long read of the base"),
        "_elsewhere": COUNTS,
        "_is_inside": ONCE,
        "_others": COUNTS,
        "_space": Own("the fork's"),
        "_stopped": ONCE,
        "_table": SHARED,
        "_tally": COUNTS,
        "call": Own("looked at below"),
        "poison_count": COUNTS,
        "poisoned": COUNTS,
    },
    Call: {
        "_depth": ONCE,
        "table": SHARED,
        "db": ONCE,
        "drawn": ONCE,
        "index": SAME,
        "looked": ONCE,
        "origin": ONCE,
        "position": ONCE,
        "seed": ONCE,
        "sequence": ONCE,
        "shown_bytes": ONCE,
        "shown_bytes_end": ONCE,
        "shown_bytes_max": ONCE,
        "shown_ms": ONCE,
        "space": Own("the fork's"),
        "view": ONCE,
    },
}
OF_FORKS = {Fork: {"_base", "_place"}, ForkedKeyspace: set[str](), ForkedDatabase: {"_shared"}}
"""What forks have besides."""
AS_AT_FIRST = {"number"}
"""What is never another than in a new machine."""


def fields_of(one: object) -> set[str]:
    """The names of all that it holds."""
    assert not hasattr(one, "__dict__"), "it may hold anything"
    struct: tuple[str, ...] = getattr(one, "__struct_fields__", ())
    return {*struct, *(name for kind in type(one).__mro__ for name in getattr(kind, "__slots__", ()))}


def parts_of(machine: Machine) -> list[object]:
    """The objects that hold the state, besides what is in buckets."""
    space, origins = machine.space, machine._origins
    row = origins.rows.get(1, OriginRow(0, b""))
    shared = [space.databases[5], space.account]
    return [machine, space, *shared, origins, row, machine._evaluator, machine._call]


def test_no_field_is_forgotten() -> None:
    """Each is the same in a fork, or another for a reason. Whoever adds one to a machine decides it here."""
    driver = full()
    driver.one("CONFIG SET maxmemory 2000")  # so that it is above its cap
    bases, forks, news = map(parts_of, (driver.machine, driver.machine.fork(), Machine()))
    assert [type(base) for base in bases] == list(FIELDS)
    for base, fork, new in zip(bases, forks, news, strict=True):
        assert fields_of(base) == FIELDS[type(base)].keys()
        assert fields_of(fork) - fields_of(base) == OF_FORKS.get(type(fork), set())
        for name, how in FIELDS[type(base)].items():
            here, there, first = (getattr(each, name) for each in (base, fork, new))
            where = f"{type(base).__name__}.{name}"
            if isinstance(how, Own):
                assert here is not there or isinstance(here, int | Enum | None) or here is NOTHING, where
                continue
            assert here == there, where
            assert (here is not there) if how == COPIED else True, where
            assert (here is there) if how == SHARED else True, where
            assert here != first or name in AS_AT_FIRST, (
                f"{where}: the machine has never changed it, so it is not seen whether the fork has it"
            )


def test_rows_are_copied_one_by_one() -> None:
    """A submission that is rehearsed uses up no sequence of the machine's."""
    machine = full().machine
    pairs = zip(machine.fork()._origins.rows.values(), machine._origins.rows.values(), strict=True)
    assert all(ours is not theirs and ours == theirs for ours, theirs in pairs)
