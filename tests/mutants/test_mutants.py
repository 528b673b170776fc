"""The mutants as data, and the machinery that judges them; ``python -m tests.mutants.run`` replays them."""

import importlib
from collections import Counter

import pytest

from tests.mutants import campaign, table, workers
from tests.mutants.catalogue import ABSENT, LISTED, MUTANTS
from tests.mutants.child import Outcome
from tests.mutants.hook import install
from tests.mutants.mutant import ROOT, ByTest, Edit, Mutant
from tests.mutants.run import NEIGHBOURS

QUICK_TEST = "raft/test_quorum_oracle.py::test_no_voters_have_reached_nothing"
NO_VOTERS = "        return 0\n"


@pytest.mark.parametrize("mutated", MUTANTS, ids=lambda mutated: mutated.name)
def test_a_mutants_old_text_is_there_exactly_once(mutated: Mutant) -> None:
    """A refactoring that moves or doubles it shows here; and what replaces it is Python and a change."""
    for module in mutated.modules:
        source = mutated.source_of(module)
        compile(source, module, "exec")
        assert source not in {edit.path.read_text(encoding="utf-8") for edit in mutated.edits}


def test_every_listed_mistake_has_a_mutant_or_a_reason() -> None:
    """None is left out, none is named twice, and what is absent is not also there."""
    covered = {mutated.bug for mutated in MUTANTS}
    assert set(LISTED) - covered == set(ABSENT)
    assert not covered & set(ABSENT)
    assert len(set(LISTED)) == len(LISTED)
    assert not [name for name, count in Counter(mutated.name for mutated in MUTANTS).items() if count > 1]


def test_every_killer_names_a_test_of_an_existing_file() -> None:
    """The replay would find it broken; this finds it in a second."""
    for mutated in MUTANTS:
        file, separator, name = mutated.killer.node_id.partition("::")
        assert separator
        text = (ROOT / "tests" / file).read_text(encoding="utf-8")
        assert f"def {name.partition('[')[0]}(" in text, mutated.killer


def test_text_that_is_missing_or_doubled_is_an_error() -> None:
    """No mutant is applied to a place that was not meant."""
    edit = Edit("trikv.raft.quorum", "a", "b")
    assert edit.applied_to("cat") == "cbt"
    for source in ("dog", "banana"):
        with pytest.raises(ValueError, match="instead of once"):
            edit.applied_to(source)


def test_a_process_that_has_the_product_already_cannot_be_mutated() -> None:
    """The mistake would not be in what is tested, and its survival would mean nothing."""
    importlib.import_module("trikv.raft.quorum")
    with pytest.raises(AssertionError, match="imported before"):
        install(MUTANTS[0])


def test_only_a_failing_test_counts_as_caught() -> None:
    """Neither a test that passes, nor one that is not there, nor a mutant whose module nobody imported."""
    workers.prepare()
    harmless, deadly = (
        Mutant("mistake", (Edit("trikv.raft.quorum", NO_VOTERS, new),), ByTest(QUICK_TEST))
        for new in (f"{NO_VOTERS}        # not reached\n", NO_VOTERS.replace("0", "1"))
    )
    unused = Mutant(
        "unused", (Edit("trikv.cluster.plan", "import attrs", "import attrs as attrs"),), ByTest(QUICK_TEST)
    )
    outcomes = [
        workers.run(mutated, (ByTest(what),), limit_s=60)[0].outcome
        for mutated, what in (
            (None, QUICK_TEST),
            (harmless, QUICK_TEST),
            (deadly, QUICK_TEST),
            (deadly, "raft/test_quorum_oracle.py::test_that_is_not_there"),
            (unused, QUICK_TEST),
        )
    ]
    assert outcomes == [
        Outcome.SURVIVED,
        Outcome.SURVIVED,
        Outcome.CAUGHT,
        Outcome.BROKEN,
        Outcome.BROKEN,
    ]


def test_the_table_holds_every_mutant_once() -> None:
    """In the order of the list; what is absent stands there with its reason."""
    document = table.inserted(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    assert document.startswith(f"before\n{table.BEGIN}\n\n{len(MUTANTS)} mutants")
    assert document.endswith(f"{table.END}\nafter\n")
    assert "old" not in document.splitlines()
    for name in [*ABSENT, *(mutated.name for mutated in MUTANTS)]:
        assert document.count(f"\n| {name} |") == 1
    with pytest.raises(ValueError, match="lacks"):
        table.inserted("no markers")


def test_each_package_with_mutants_has_tests_to_search() -> None:
    """``--search`` asks them, and they are there."""
    assert {mutated.modules[0].split(".")[1] for mutated in MUTANTS} <= set(NEIGHBOURS)
    assert all((ROOT / "tests" / folder).is_dir() for folders in NEIGHBOURS.values() for folder in folders)


def test_the_document_is_up_to_date() -> None:
    """``python -m tests.mutants.run --table`` writes it."""
    document = table.DOCUMENT.read_text(encoding="utf-8")
    assert document == table.inserted(document)


def test_what_random_runs_caught_is_known_of_mutants_that_exist() -> None:
    """Enough of them, as the replay demands."""
    found = campaign.known()
    assert not set(found) - {mutated.name for mutated in MUTANTS}
    assert sum(one.run is not None for one in found.values()) >= campaign.CAUGHT_MIN
