"""The table of mutants and killers in ``docs/TESTING.md``, between two markers."""

from tests.mutants import campaign
from tests.mutants.catalogue import ABSENT, LISTED, MUTANTS
from tests.mutants.mutant import ROOT

DOCUMENT = ROOT / "docs" / "TESTING.md"
BEGIN = "<!-- mutants -->"
END = "<!-- /mutants -->"


def lines() -> list[str]:
    """The table: mistakes in the order of the issue's list, then the others."""
    runs = campaign.known()
    caught = sum(m.name in runs and runs[m.name].run is not None for m in MUTANTS)
    order = {bug: place for place, bug in enumerate(LISTED)}
    rows = [
        (
            order.get(m.bug, len(order)),
            f"| {m.name} | `{', '.join(m.modules)}` | `{m.killer}` | {_random(runs.get(m.name))} |",
        )
        for m in MUTANTS
    ]
    rows += [(order[bug], f"| {bug} | - | {reason} | - | - |") for bug, reason in ABSENT.items()]
    rows.sort(key=lambda row: row[0])
    return [
        "",
        f"{len(MUTANTS)} mutants: all are caught by their tests, {caught} also by random runs.",
        "",
        "| mistake | module | caught by | by the random run | seeds needed |",
        "|---|---|---|---|---:|",
        *(row for _, row in rows),
        "",
    ]


def _random(found: campaign.Found | None) -> str:
    """What random runs had to say: the first that caught it, and how many were tried until then."""
    if found is None:
        return "not tried | -"
    return f"`{found.run}` {found.failure} | {found.tried}" if found.run else f"none | {found.tried}"


def inserted(document: str) -> str:
    """`document` with the table as it should read. ValueError where it lacks the markers."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{DOCUMENT.name} lacks {BEGIN} or {END}")
    return "\n".join([f"{before}{BEGIN}", *lines(), f"{END}{after}"])


def write() -> None:
    """Write the table into the document."""
    DOCUMENT.write_text(inserted(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
