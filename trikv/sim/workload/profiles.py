"""How often each profile of a run chooses each kind of request."""

from typing import Final

# The modules enter their requests when they are imported.
from trikv.sim.workload import (
    of_any,
    of_bits,
    of_clients,
    of_disk,
    of_fields,
    of_geo,
    of_hashes,
    of_hyperloglogs,
    of_large,
    of_lists,
    of_machine,
    of_node,
    of_runs,
    of_sets,
    of_sorted_sets,
    of_sorting,
    of_time,
)
from trikv.sim.workload.requests import REQUESTS, Request, of_kind

MODULES: Final = (
    of_machine,
    of_time,
    of_hashes,
    of_hyperloglogs,
    of_fields,
    of_geo,
    of_lists,
    of_sets,
    of_sorted_sets,
    of_sorting,
    of_bits,
    of_any,
    of_large,
    of_runs,
    of_node,
    of_clients,
    of_disk,
)
ALWAYS: Final = {
    "look": 1.0,
    "space": 1.0,
    "select": 1.5,
    "sum": 0.8,
    "piece": 0.4,
    "move": 0.8,
    "hash": 0.9,
    "field": 2.0,
    "list": 0.9,
    "member": 0.9,
    "sorted": 1.6,
    "bit": 0.7,
    "estimate": 0.6,
    "place": 0.6,
    "sorting": 0.6,
    "any": 1.0,
    "large": 0.7,
    "run": 0.8,
    "node": 0.3,
    "self": 0.5,
    "disk": 0.7,
    "scan": 0.2,
    "long": 0.15,
    "end": 0.25,
}
"""Kinds that every profile has besides its own, with their weights."""
OWN: Final[dict[str, dict[str, float]]] = {
    "mixed": {
        "get": 6,
        "set": 4,
        "incr": 4,
        "append": 2,
        "many": 2,
        "multi": 2,
        "watch": 2,
        "mortal": 5,
        "cap": 0.1,
    },
    "reads": {"get": 20, "set": 3, "incr": 2, "append": 1, "many": 4, "multi": 1, "watch": 1, "mortal": 3},
    "writes": {"get": 2, "set": 6, "incr": 8, "append": 4, "many": 2, "multi": 3, "watch": 1, "mortal": 4},
    "memory": {
        "get": 6,
        "set": 6,
        "incr": 3,
        "append": 3,
        "many": 4,
        "multi": 3,
        "watch": 1,
        "small cap": 0.2,
    },
    "long": {
        "get": 8,
        "set": 4,
        "incr": 4,
        "many": 2,
        "multi": 2,
        "watch": 2,
        "mortal": 3,
        "long": 3,
        "end": 0.6,
    },
    "whole": {"get": 6, "set": 6, "incr": 3, "many": 3, "multi": 2, "mortal": 4, "flush": 3, "cap": 0.1},
}
WEIGHTS: Final = {profile: {**own, **ALWAYS, **own} for profile, own in OWN.items()}
"""How often each kind of request is chosen, by profile."""
BEHIND: Final = {"get": 10, "set": 5, "incr": 5, "select": 2, "self": 1}
"""Kinds of further requests in one pipeline, with their weights."""
SESSIONS: Final = {"watch": 0.6, "scan": 1.0}
"""Kinds that may take several round trips, because later commands depend on answers, and their share."""
LEFT_OUT: Final[dict[str, str]] = {}
"""Commands that no random run can send, and why. There is none."""


def sent_by(profile: str) -> list[Request]:
    """The requests that a profile chooses from."""
    kinds = {*WEIGHTS[profile], *BEHIND}
    return [one for one in REQUESTS if one.kind in kinds]


def requests_of(kind: str) -> tuple[list[Request], list[float]]:
    """The requests of a kind, with their weights; none if all of the kind take several round trips."""
    chosen = of_kind(kind)
    return chosen, [one.weight for one in chosen]
