"""The part of ``docs/COMMANDS.md`` that says what of Redis 7.2 there is. It is made of the verdicts."""

from collections.abc import Collection, Iterable
from typing import Final

from tests.redis72.facts import load
from tests.redis72.verdicts import NOT_YET, REFUSED, UNKNOWN, Verdict, verdicts

_TEXT: Final = """\
## Redis 7.2: what there is

Redis 7.2 has {total} commands, of which {parts} are subcommands; {sentinel} more are Sentinel's.
trikv answers {answered} of these {all}; {not_yet} are not there yet, and {refused} are refused.

**Not there yet.** They get Redis' `unknown command` (or `unknown subcommand`), and the connection lives.

| family | commands |
|---|---|
{families}
**Refused.** They make no sense on a replicated log, or would do harm. They get `unknown command` too, unless
the table gives another answer.

| commands | why |
|---|---|
{refusals}
"""

_BAR: Final = r"\|"


def section(known: Collection[str]) -> str:
    """The section, heading included; `known` are the commands of trikv's table."""
    redis = load()
    judged = verdicts(redis, known)
    count = {verdict: sum(one is verdict for one in judged.values()) for verdict in Verdict}
    sentinel = sum(fact.group == "sentinel" for fact in redis.values())
    return _TEXT.format(
        total=len(redis) - sentinel,
        parts=sum("|" in name and fact.group != "sentinel" for name, fact in redis.items()),
        sentinel=sentinel,
        all=len(redis),
        answered=count[Verdict.ANSWERED],
        not_yet=count[Verdict.NOT_YET],
        refused=count[Verdict.REFUSED],
        families="".join(f"| {family} | {_listed(names.split())} |\n" for family, names in NOT_YET.items()),
        refusals="".join(f"| {_listed(row)} | {row.reason}{_answer(row.answer)} |\n" for row in REFUSED),
    )


def _listed(names: Iterable[str]) -> str:
    """Each in backquotes; the subcommands of one container behind it, with bars that a table lets stand."""
    grouped: dict[str, list[str]] = {}
    for name in names:
        container, _, part = name.partition("|")
        grouped.setdefault(container, []).extend([part] if part else [])
    return ", ".join(f"`{' '.join([name, _BAR.join(parts)]).rstrip()}`" for name, parts in grouped.items())


def _answer(answer: str) -> str:
    return "" if answer is UNKNOWN else f" The answer is `{answer}`"
