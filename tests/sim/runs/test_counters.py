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


def added(*answers: tuple[bytes, bytes, int | None], database: int = 0) -> History:
    """INCRBY and DECRBY of one key: command, amount, answer."""
    told = History()
    for ordinal, (name, amount, answer) in enumerate(answers):
        operation = told.call(0, "c", ordinal, ((name, b"s", amount),), database=database)
        if answer is not None:
            told.answer(operation, answer)
    return told


def test_sums_rise_and_fall_within_what_was_answered() -> None:
    """Each unanswered change may have happened or not; one value may be met twice."""
    told = added((b"INCRBY", b"5", 5), (b"DECRBY", b"5", 0), (b"INCRBY", b"5", 5))
    assert check_counters(told.operations, {(0, b"s"): 5}) is None
    assert "is 0" in str(check_counters(told.operations, {(0, b"s"): 0}))
    told = added((b"INCRBY", b"5", 5), (b"DECRBY", b"2", None), (b"INCRBY", b"1", None))
    found = [check_counters(told.operations, {(0, b"s"): final}) is None for final in (2, 3, 5, 6, 7)]
    assert found == [False, True, True, True, False]


def test_databases_count_apart() -> None:
    """The same name in another database is another counter; a SELECT in a transaction moves what follows."""
    told = added((b"INCRBY", b"5", 5), database=9)
    commands = ((b"INCR", b"s"), (b"SELECT", b"9"), (b"INCR", b"s"))
    told.answer(told.call(0, "c", 1, commands, is_transaction=True), [1, b"OK", 6])
    assert check_counters(told.operations, {(0, b"s"): 1, (9, b"s"): 6}) is None
    assert "database 9 is 5" in str(check_counters(told.operations, {(0, b"s"): 1, (9, b"s"): 5}))
