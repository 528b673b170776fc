"""Exactly once: how many increments the final value may show."""

from trikv.sim.checkers.counters import check_counters
from trikv.sim.history import History


def history(*answers: int | None) -> History:
    """Increments of one key; None: of unknown fate."""
    told = History()
    for ordinal, answer in enumerate(answers):
        operation = told.call(0, "c", ordinal, ((b"INCR", b"n"),))
        if answer is not None:
            told.answer(operation, answer)
    return told


def problem(told: History, final: int) -> str:
    """What the checker says."""
    return str(check_counters(told.operations, {(0, b"n"): final}))


def test_counts_what_was_answered() -> None:
    """Exactly as many as were answered."""
    assert problem(history(1, 2, 3), 3) == "None"
    assert "is 2" in problem(history(1, 2, 3), 2)
    assert "is 4" in problem(history(1, 2, 3), 4)


def test_unknown_fates_may_have_happened_once_each() -> None:
    """No more than that."""
    told = history(1, None, None)
    assert [problem(told, final) == "None" for final in (0, 1, 2, 3, 4)] == [False, True, True, True, False]


def test_no_two_increments_get_one_answer() -> None:
    """Each answer is the place of one increment."""
    assert "two increments" in problem(history(1, 1), 2)


def test_refused_and_aborted_increments_did_not_happen() -> None:
    """CLUSTERDOWN, and EXEC that answered nil."""
    told = history(1)
    told.refuse(told.call(0, "c", 1, ((b"INCR", b"n"),)))
    told.answer(told.call(0, "c", 2, ((b"INCR", b"n"),), is_transaction=True), None)
    assert problem(told, 1) == "None"


def test_increments_inside_transactions_count() -> None:
    """By their place among the transaction's answers."""
    told = History()
    commands = ((b"GET", b"k"), (b"INCR", b"n"))
    told.answer(told.call(0, "c", 0, commands, is_transaction=True), [None, 1])
    assert problem(told, 1) == "None"
    assert "is 0" in problem(told, 0)
