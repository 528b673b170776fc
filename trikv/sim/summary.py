"""The sum of many runs: how many failed, what they never reached, how fast they were."""

from collections import Counter

import attrs

from trikv.front.commands import TABLE
from trikv.notation import counted
from trikv.sim.marks import KNOWN
from trikv.sim.run import Result
from trikv.sim.workload.profiles import LEFT_OUT

OUT_OF_BUDGET_MAX = 0.01
"""The share of searches that may end without an answer."""


@attrs.define
class Summary:
    """Adds up the results of runs, and says what they leave open."""

    runs: int = 0
    failures: int = 0
    reached: Counter[str] = attrs.field(factory=Counter)
    """How often each mark was reached, in all runs together."""
    commands: Counter[str] = attrs.field(factory=Counter)
    """How often each command was answered."""
    virtual_s: float = 0.0
    processor_s: float = 0.0
    operations: int = 0
    searches: int = 0
    out_of_budget: int = 0

    def add(self, result: Result) -> None:
        """Add the result of one more run."""
        self.runs += 1
        self.failures += not result.ok
        self.reached.update(result.marks)
        self.commands.update(result.commands)
        self.virtual_s += result.virtual_s
        self.processor_s += result.processor_s
        self.operations += result.counts.get("operations", 0)
        self.searches += "search steps" in result.counts
        self.out_of_budget += result.counts.get("out of budget", 0)

    def line(self) -> str:
        """The whole sum as one line for a person."""
        speed = self.virtual_s / self.processor_s if self.processor_s else 0.0
        load = self.operations / self.virtual_s if self.virtual_s else 0.0
        return (
            f"{self.runs - self.failures} of {counted(self.runs, 'run')} clean;"
            f" {speed:.1f} virtual seconds a second of one core at {load:.0f} operations a virtual"
            f" second; {self.out_of_budget} of {counted(self.searches, 'search', plural='searches')}"
            " out of budget"
        )

    def problems(self) -> list[str]:
        """What a night of clean runs must not leave open, one line each; empty if nothing."""
        found = [f"never reached: {mark}" for mark in KNOWN if not self.reached[mark]]
        names = sorted({command.name for command in TABLE} - set(LEFT_OUT))
        found += [f"never answered: {name}" for name in names if not self.commands[name]]
        if self.out_of_budget > OUT_OF_BUDGET_MAX * self.searches:
            found.append(
                f"{self.out_of_budget} of {counted(self.searches, 'search', plural='searches')} found"
                " no answer in their budget"
            )
        return found
