"""The verdict: evidence and readings in, findings out. Pure."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs

from trikv.notation import counted
from trikv.sim.checkers.counters import check_counters
from trikv.sim.checkers.linearizability import check
from trikv.sim.history import Operation
from trikv.torture.evidence import Evidence, Outcome
from trikv.torture.reading import Reading

GROUP_BUDGET: Final = 100_000
"""Steps of the search for one group: under two seconds; usually it takes a few hundred."""
NAMES_MAX: Final = 10
"""The most keys that a finding names."""
UNJUDGED_SHARE_MAX: Final = 0.01
"""With a larger share of groups unjudged there is no clean verdict."""


@attrs.define
class Findings:
    """The findings of one run."""

    answered: int
    acknowledged_writes: int
    unknown: int
    refused: int
    checked: int = 0
    """Acknowledged unique writes, each looked for on every node."""
    lost: set[bytes] = attrs.Factory(set)
    """Their keys that some node does not have."""
    increments_lost: int = 0
    """Acknowledged increments that are missing from the counters."""
    groups: int = 0
    disordered: int = 0
    """Groups of keys, and counters, whose answers fit no order."""
    unjudged: int = 0
    """Groups for which the search ran out of its budget."""
    problems: list[str] = attrs.Factory(list)
    """One line for everything that is wrong."""

    @property
    def clean(self) -> bool:
        """Whether every promise was kept."""
        return not self.problems

    @property
    def lost_in_all(self) -> int:
        """Acknowledged writes that are gone: unique ones and increments."""
        return len(self.lost) + self.increments_lost


def judge(
    evidence: Evidence,
    readings: Sequence[Reading],
    digests: Mapping[str, str] | None = None,
    troubles: Iterable[str] = (),
) -> Findings:
    """Make the verdict. `digests`: of each node's state; `troubles`: what went wrong during the run."""
    tally = evidence.tally
    findings = Findings(
        tally.answered, tally.acknowledged_writes, tally.unknown, tally.refused, problems=list(troubles)
    )
    if not tally.answered:
        findings.problems.append("no command was answered")
    elif not tally.acknowledged_writes:
        findings.problems.append("no write was acknowledged: nothing was proved")
    findings.problems += [
        f"answered {counted(count, 'time')}: {text}" for text, count in evidence.unexpected.items()
    ]
    findings.checked = sum(fate is Outcome.DONE for fate in evidence.unique.values())
    for reading in readings:
        _weigh_reading(findings, reading)
    _weigh_counters(findings, evidence, [one for one in readings if not one.unread])
    _weigh_groups(findings, evidence)
    if digests is not None and not digests:
        findings.problems.append("no node told a digest of its state: whether they are equal was not seen")
    if digests is not None and len(set(digests.values())) > 1:
        told = ", ".join(f"{node} {digest}" for node, digest in sorted(digests.items()))
        findings.problems.append(f"the nodes hold different states: {told}")
    return findings


def _weigh_reading(findings: Findings, reading: Reading) -> None:
    if reading.unread:
        findings.problems.append(f"{reading.node} could not be read back: it did not answer")
        return
    if reading.lost:
        findings.lost.update(reading.lost)
        findings.problems.append(
            f"{reading.node} has lost {len(reading.lost):,} of "
            f"{counted(reading.checked, 'acknowledged write', form=',')}: "
            f"{_some([key.decode() for key in reading.lost])}"
        )
    for keys, what in (
        (reading.risen, "answered as not executed, and there all the same"),
        (reading.wrong, "with a value that was never written"),
    ):
        if keys:
            findings.problems.append(
                f"{reading.node}: {counted(len(keys), 'key', form=',')} {what}: {_some(keys)}"
            )


def _some(names: Sequence[str]) -> str:
    """Some names of many."""
    return ", ".join(names[:NAMES_MAX]) + (", …" if len(names) > NAMES_MAX else "")


def _weigh_counters(findings: Findings, evidence: Evidence, readings: Sequence[Reading]) -> None:
    for key, operations in sorted(evidence.counters.items()):
        finals = [reading.counters[key] for reading in readings if key in reading.counters]
        answered = sum(one.is_known and _increments(one) for one in operations)
        findings.increments_lost += max(0, answered - min(finals, default=answered))
        problem = next(
            filter(None, (check_counters(operations, {(0, key): final}) for final in finals)), None
        ) or counter_order(operations)
        if problem is not None:
            findings.disordered += 1
            findings.problems.append(f"counter {key.decode()}: {problem}")


def _weigh_groups(findings: Findings, evidence: Evidence) -> None:
    findings.groups = len(evidence.groups)
    for operations in evidence.groups.values():
        verdict = check(operations, GROUP_BUDGET)
        findings.unjudged += verdict.out_of_budget
        if verdict.problem is not None:
            findings.disordered += 1
            findings.problems.append(verdict.problem)
    if findings.unjudged > UNJUDGED_SHARE_MAX * findings.groups:
        findings.problems.append(
            f"{findings.unjudged} of {counted(findings.groups, 'group')} of keys could not be "
            "searched through in time"
        )


def _increments(operation: Operation) -> bool:
    return operation.commands[0][0] == b"INCR"


def counter_order(operations: Iterable[Operation]) -> str | None:
    """What is wrong with the order of a counter's answers, or None. Takes linear time after sorting.

    An INCR answered v has place 2v, a GET answered v has 2v + 1: the answers allow no other order. This order
    is real if no operation was asked after one with a later place was answered. A value that no answer names
    must come from an increment of unknown fate, which was asked before anything later was answered.
    """
    known = sorted((one for one in operations if one.is_known), key=_place)
    unknown = sorted(one.called for one in operations if one.is_ambiguous and _increments(one))
    named = {_place(one) // 2 for one in known if _increments(one)}
    highest = max((_place(one) // 2 for one in known), default=0)
    nameless = [value for value in range(1, highest + 1) if value not in named]
    earliest = float("inf")
    """When the first of all later places was answered."""
    waiting: list[Operation] = []
    for one in reversed(known):
        if waiting and _place(one) != _place(waiting[0]):
            earliest = min(earliest, *(other.returned or 0 for other in waiting), float("inf"))
            waiting = []
        while nameless and 2 * nameless[-1] > _place(one):
            if bisect_left(unknown, earliest) < len(nameless):
                return f"value {nameless[-1]} is nobody's"
            nameless.pop()
        if one.called > earliest:
            return (
                f"answer {one.reply} to {one.commands[0][0].decode()} was asked after a later one was given"
            )
        waiting.append(one)
    earliest = min(earliest, *(other.returned or 0 for other in waiting), float("inf"))
    return f"value {nameless[-1]} is nobody's" if bisect_left(unknown, earliest) < len(nameless) else None


def _place(one: Operation) -> int:
    value = int(one.reply or 0)
    return 2 * value + (not _increments(one))
