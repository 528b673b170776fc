"""The sum of many runs."""

from trikv.front.commands import TABLE
from trikv.sim.marks import KNOWN
from trikv.sim.run import Result, plan_of
from trikv.sim.summary import Summary

COMMANDS = tuple(command.name for command in TABLE)


def result(
    *,
    ok: bool = True,
    marks: tuple[str, ...] = KNOWN,
    commands: tuple[str, ...] = COMMANDS,
    out_of_budget: int = 0,
) -> Result:
    """One run."""
    counts = {"operations": 400, "search steps": 9, "out of budget": out_of_budget}
    return Result(
        plan=plan_of(1, seconds=1),
        ok=ok,
        virtual_s=10.0,
        processor_s=0.5,
        counts=counts,
        marks=dict.fromkeys(marks, 1),
        commands=dict.fromkeys(commands, 1),
    )


def test_the_line_counts_and_divides() -> None:
    """Clean runs, speed, load, searches that gave up."""
    summary = Summary()
    summary.add(result())
    summary.add(result(ok=False, out_of_budget=1))
    assert summary.line() == (
        "1 of 2 runs clean; 20.0 virtual seconds a second of one core at 40 operations a virtual second;"
        " 1 of 2 searches out of budget"
    )


def test_a_night_complains_of_marks_never_reached_and_of_searches_that_gave_up() -> None:
    """A mark that no run reached; more than one search in a hundred without an answer."""
    summary = Summary()
    summary.add(result(marks=KNOWN[1:]))
    assert summary.problems() == [f"never reached: {KNOWN[0]}"]
    summary.add(result(out_of_budget=1))
    assert summary.problems() == ["1 of 2 searches found no answer in their budget"]


def test_a_night_complains_of_commands_that_nobody_was_answered() -> None:
    """Every command that the workload claims to send must have been answered."""
    summary = Summary()
    summary.add(result(commands=COMMANDS[1:]))
    assert summary.problems() == [f"never answered: {COMMANDS[0]}"]


def test_nothing_run_is_nothing_to_divide_by() -> None:
    """No runs, no speed."""
    assert Summary().line().startswith("0 of 0 runs clean; 0.0 virtual seconds")
