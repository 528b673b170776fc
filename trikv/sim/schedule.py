"""Drawing a schedule of faults from a seed."""

import random
from collections.abc import Callable

from trikv.sim import faults as f
from trikv.sim.faults import Fault, Strike
from trikv.sim.themes import Theme

STEPS = ("send", "disk", "write", "sync", "create", "rename", "remove", "sync_directory")
"""Steps of a process right after which a crash may come."""
Maker = Callable[[random.Random, int], Fault]


def _victim(source: random.Random, nodes: int) -> int:
    """Draw a victim: in half of all cases the leader at the time of the strike."""
    return f.LEADER if source.random() < 0.5 else source.randint(1, nodes)


def _down_ms(source: random.Random) -> int:
    return source.choice((1, 50, 300, 1000, 3000))


def _lasting_ms(source: random.Random) -> int:
    return source.choice((100, 500, 1500, 4000))


def _split(source: random.Random, nodes: int) -> Fault:
    order = list(range(1, nodes + 1))
    source.shuffle(order)
    return f.Split(tuple(sorted(order[: source.randint(1, nodes - 1)])), _lasting_ms(source))


MAKERS: dict[str, Maker] = {
    "kill": lambda s, n: f.Kill(_victim(s, n), _down_ms(s)),
    "power": lambda s, n: f.PowerLoss(_victim(s, n), _down_ms(s)),
    "blackout": lambda s, _: f.BlackOut(_down_ms(s)),
    "coup": lambda s, _: f.Coup(_lasting_ms(s), 300),
    "isolate": lambda s, n: f.Isolate(_victim(s, n), _lasting_ms(s), s.choice(("both", "both", "in", "out"))),
    "split": _split,
    "bridge": lambda s, n: f.Bridge(_victim(s, n), _lasting_ms(s)),
    "slow-links": lambda s, n: f.SlowLinks(_victim(s, n), _lasting_ms(s), s.choice((20, 100, 600))),
    "narrow": lambda s, n: f.Narrow(_victim(s, n), _lasting_ms(s), s.choice((2_000, 20_000, 200_000))),
    "lie": lambda s, n: f.Lie(_victim(s, n), _lasting_ms(s)),
    "cut": lambda s, n: f.Cut(_victim(s, n)),
    "mid-frame": lambda s, n: f.BreakMidFrame(_victim(s, n)),
    "strand": lambda s, n: f.Strand(_victim(s, n)),
    "loss": lambda s, n: f.Loss(_victim(s, n), _lasting_ms(s), s.choice((1, 10, 40))),
    "pause": lambda s, n: f.Pause(_victim(s, n), s.choice((20, 300, 1000, 3000))),
    "drift": lambda s, n: f.Drift(_victim(s, n), _lasting_ms(s), s.choice((-1, 1)) * s.choice((200, 20_000))),
    "crash-at": lambda s, n: f.CrashAt(
        _victim(s, n), s.randint(1, 30), s.choice(STEPS), _down_ms(s), s.random() < 0.7
    ),
    "rot": lambda s, n: f.Rot(_victim(s, n), _down_ms(s)),
    "slow-disk": lambda s, n: f.SlowDisk(_victim(s, n), _lasting_ms(s), s.choice((20, 200, 900))),
    "sync-error": lambda s, n: f.SyncError(_victim(s, n), _down_ms(s)),
    "write-error": lambda s, n: f.WriteError(_victim(s, n), _down_ms(s)),
    "no-space": lambda s, n: f.NoSpace(_victim(s, n), s.choice((500, 1500, 4000, 8000))),
    "clock": lambda s, n: f.ClockStep(_victim(s, n), s.choice((-1, 1)) * s.choice((500, 10_000, 3_600_000))),
    "wipe": lambda s, n: f.Wipe(_victim(s, n), _down_ms(s)),
}
"""How a fault of each kind is drawn, by the kind's name in ``--faults``."""


def draw_schedule(source: random.Random, theme: Theme, *, nodes: int, chaos_ms: int) -> list[Strike]:
    """Faults for `chaos_ms`, in order of time, of the kinds of `theme` and at its intervals."""
    pool = list(theme.kinds)
    if nodes == 1:
        pool = [kind for kind in pool if kind not in {"isolate", "split", "bridge", "wipe", "rot", "lie"}]
    strikes = []
    at_ms = source.randrange(theme.interval_ms)
    while at_ms < chaos_ms and pool:
        strikes.append(Strike(at_ms, MAKERS[source.choice(pool)](source, nodes)))
        at_ms += 1 + int(source.expovariate(1 / theme.interval_ms))
    return strikes


def parse_kinds(text: str) -> tuple[str, ...]:
    """Read ``--faults``: ``all``, ``none`` or names with commas. Raises ValueError for an unknown name."""
    if text == "all":
        return tuple(MAKERS)
    kinds = tuple(kind.strip() for kind in text.split(",") if text != "none" and kind.strip())
    for kind in kinds:
        if kind not in MAKERS:
            raise ValueError(f"{kind!r} is no kind of fault; there are: {', '.join(MAKERS)}")
    return kinds
