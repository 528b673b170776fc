"""Themes: what kind of trouble a run is about.

Faults that are drawn from all kinds meet in every combination, but each combination is rare. Swarm testing
(Groce et al., 2012) found that leaving kinds out finds more. So every seed draws a theme: some of the kinds,
with settings that make them effective. Some themes aim at one promise: an election every half second with one
entry a message, or snapshots so often that a node that was away for a second needs one.
"""

import random
from collections.abc import Sequence
from typing import Any

import attrs

KIB = 1024


@attrs.frozen
class Theme:
    """Which kinds of faults a run has, how often, and with which settings."""

    name: str
    kinds: tuple[str, ...]
    """Kinds of faults; one that is named twice comes twice as often."""
    interval_ms: int = 1200
    """Mean time between two faults: as long as an election and its aftermath, so that some meet."""
    knobs: dict[str, tuple[Any, ...]] = attrs.field(factory=dict)
    """Settings that replace drawn ones; one value of each tuple is drawn."""

    def without(self, kinds: Sequence[str]) -> "Theme":
        """This theme with only those of its faults that are in `kinds`; with all of `kinds` if none is."""
        left = tuple(kind for kind in self.kinds if kind in kinds) or tuple(kinds)
        return attrs.evolve(self, kinds=left)


_OFTEN = ("kill", "kill", "power", "isolate", "isolate", "split")
"""Kinds that come more often than the others in a run with all kinds."""
_SHORT = {
    "election_timeout_ms_min": (150,),
    "election_timeout_ms_max": (300,),
    "heartbeat_interval_ms": (37,),
}

ECHOES = Theme(
    "echoes",
    ("slow-links", "slow-links", "slow-links", "isolate", "isolate", "split", "kill"),
    1500,
    {
        **_SHORT,
        "append_bytes_max": (1, 2 * KIB),
        "inflight_appends_max": (4, 64),
        "latency_ms_max": (0.5, 5.0),
        "profile": ("writes",),
        "think_ms": (50, 100),
    },
)
"""Faults that let messages of one term arrive in the next: from old leaders, old voters, old followers."""
THEMES = (
    Theme(
        "stale reads",
        ("isolate", "isolate", "isolate", "pause", "pause", "split", "bridge", "slow-links", "drift"),
        1500,
        {
            "profile": ("reads",),
            "think_ms": (50, 100),
            "hop_percent": (10, 30),
            "clients": (14,),
            "command_deadline_ms": (1000, 3000),
            "reads": ("linearizable", "lease"),
        },
    ),
    Theme(
        "elections",
        ("coup", "coup", "kill", "kill", "crash-at", "crash-at", "power", "isolate", "slow-links", "pause"),
        600,
        {
            **_SHORT,
            "append_bytes_max": (1,),
            "committed_bytes_max": (1,),
            "inflight_appends_max": (1, 4),
            "latency_ms_max": (5.0, 20.0),
            "profile": ("reads", "writes"),
        },
    ),
    Theme(
        "two minds",
        ("isolate", "isolate", "isolate", "split", "bridge", "coup", "coup", "kill", "strand", "pause"),
        700,
        {
            **_SHORT,
            "profile": ("writes", "mixed"),
            "think_ms": (100, 200),
            "append_bytes_max": (1, 2 * KIB),
            "command_deadline_ms": (1000, 10_000),
        },
    ),
    Theme(
        "installs",
        ("isolate", "isolate", "kill", "kill", "power", "crash-at", "wipe", "split", "rot", "narrow"),
        1500,
        {
            "snapshot_log_bytes": (1,),
            "log_tail_bytes": (0,),
            "log_follower_bytes": (1, KIB),
            "segment_bytes": (4 * KIB,),
            "append_bytes_max": (1, 2 * KIB),
            "profile": ("writes", "mixed", "whole"),
            "think_ms": (100, 200),
        },
    ),
    Theme(
        "long commands",
        ("isolate", "isolate", "isolate", "cut", "cut", "cut", "kill", "power", "crash-at"),
        700,
        {
            "profile": ("long",),
            "aims_inside": (True,),
            "slice_ms": (0,),
            "snapshot_log_bytes": (1, KIB),
            "log_tail_bytes": (0,),
            "log_follower_bytes": (1, KIB),
            "command_deadline_ms": (1000, 3000),
            "reads": ("linearizable", "lease"),
            "think_ms": (100, 200),
        },
    ),
    Theme(
        "disks",
        (
            *(
                "power",
                "power",
                "crash-at",
                "crash-at",
                "crash-at",
                "sync-error",
                "sync-error",
                "write-error",
            ),
            *("lie", "lie", "rot", "slow-disk", "blackout", "blackout", "no-space", "kill"),
        ),
        800,
        {"segment_bytes": (4 * KIB, 16 * KIB), "profile": ("writes", "mixed")},
    ),
    Theme(
        "cables",
        (
            *("cut", "cut", "mid-frame", "mid-frame", "strand", "loss", "loss", "slow-links", "slow-links"),
            *("narrow", "isolate", "split", "pause"),
        ),
        700,
        {
            "latency_ms_max": (5.0, 20.0, 50.0),
            "append_bytes_max": (1, 2 * KIB),
            "inflight_appends_max": (64,),
            "chunk_bytes_max": (0, 400),
            "window_proposals_max": (16, 4096),
            "command_deadline_ms": (1000,),
            "think_ms": (100, 200),
            "profile": ("writes", "mixed"),
        },
    ),
    Theme(
        "no room",
        ("no-space", "no-space", "kill", "power", "isolate", "crash-at"),
        1500,
        {
            "profile": ("memory",),
            "think_ms": (100, 200),
            "segment_bytes": (4 * KIB,),
            "snapshot_log_bytes": (KIB, 64 * KIB),
        },
    ),
)
"""Themes that aim at one promise each."""


def draw_theme(source: random.Random, kinds: Sequence[str]) -> Theme:
    """Draw a theme: a quarter of all runs may have any of `kinds`, fewer some of them, the rest an aim."""
    draw = source.random()
    if draw < 0.25:
        return Theme("everything", (*kinds, *_OFTEN), source.choice((800, 1200, 2000)))
    if draw < 0.4:
        some = source.sample(sorted(kinds), source.randint(3, 8))
        return Theme("swarm", tuple(some), source.choice((600, 1200, 2000)))
    return ECHOES if draw < 0.5 else source.choice(THEMES)
