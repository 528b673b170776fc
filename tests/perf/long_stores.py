"""Commands that take long by their nature: their time against Redis', and what PINGs notice of them.

    python -m tests.perf.long_stores [ELEMENTS [ROUNDS]]

One node and one `redis-server` at the same durability (`appendfsync always`) have the same sets, sorted sets
and list of so many elements, and strings of four bytes for each. Each carries out the same commands, with a
client beside that sends a PING each millisecond (`tests.perf.pauses` tells how it is timed). Redis' PINGs
wait for the whole command; trikv's may not. A turn that the machine spoilt is not judged: there is another
then, up to `TURNS` of a round.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final

import attrs

from tests.e2e.clients import Resp
from tests.e2e.single import Single
from tests.perf import operations
from tests.perf.collection_pauses import AIM_MS, MUST_MS, NODE, WAIT_S
from tests.perf.compare import note
from tests.perf.operations import demand_success
from tests.perf.pauses import Round, least_median_most, ping_steadily, spoilt
from tests.perf.report import verdict
from tests.redis_server import RedisServer
from trikv.client.commands import Command

ELEMENTS: Final = 1_000_000
ROUNDS: Final = 2
RATIO_MAX: Final = 4.0
DURABLE: Final = ("--appendonly", "yes", "--appendfsync", "always")
"""Else commands that take microseconds would be compared by whether they wait for a disk."""
REPEATED: Final = 100
"""How often a command is called that is short in Redis."""
SHORT_S: Final = 0.01
TURNS: Final = 5
"""So often in a round goes work that is done in less than `SHORT_S`: one wait for a disk would decide it. As
often at most goes what the machine spoilt."""
_AFTER_S: Final = 0.5
"""Before and after what is timed: for what was let go of."""
_HEAD: Final = (
    "| command | Redis ms | trikv ms | ratio | must | | PING's worst ms | asleep, worst ms | must | |",
    "|---|---|---|---|---|---|---|---|---|---|",
)


@attrs.frozen
class Work:
    """What is timed: commands, and those that must come before, untimed."""

    name: str
    commands: tuple[Command, ...]
    before: tuple[Command, ...] = ()


def works(elements: int) -> list[Work]:
    """All that is measured, on data of `fill`."""
    middle = operations.element_of(elements // 2)
    fresh_list: Command = ("COPY", "list", "copy", "REPLACE")
    no_target: Command = ("UNLINK", "to")  # else Redis would let go of what the command before has stored
    fresh_sorted: Command = ("COPY", "zset1", "copy", "REPLACE")
    stores: list[Command] = [
        *((name, "to", "set1", "set2") for name in ("SUNIONSTORE", "SINTERSTORE", "SDIFFSTORE")),
        *((name, "to", 2, "zset1", "zset2") for name in ("ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE")),
        ("ZRANGESTORE", "to", "zset1", 0, -1),
        ("SINTERCARD", 2, "set1", "set2"),
        ("ZINTERCARD", 2, "zset1", "zset2"),
        ("BITOP", "AND", "to", "string1", "string2"),
        ("BITOP", "NOT", "to", "string1"),
        ("BITCOUNT", "string1"),
        ("BITPOS", "zeros", 1),
    ]
    return [
        *(Work(" ".join(map(str, command)), (command,), (no_target,)) for command in stores),
        Work("LREM of an absent element", (("LREM", "list", 0, "absent"),)),
        Work("LREM of one in the middle", (("LREM", "copy", 0, middle),), (fresh_list,)),
        Work("LINSERT in the middle", (("LINSERT", "copy", "BEFORE", middle, "new"),), (fresh_list,)),
        Work("LPOS of an absent element", (("LPOS", "list", "absent"),)),
        Work("LTRIM to the middle half", (("LTRIM", "copy", elements // 4, -elements // 4),), (fresh_list,)),
        Work("LSET in the middle, 100 times", (("LSET", "list", elements // 2, middle),) * REPEATED),
        Work(
            "ZREMRANGEBYRANK of half",
            (("ZREMRANGEBYRANK", "copy", 0, elements // 2 - 1),),
            (fresh_sorted,),
        ),
        Work(
            "ZREMRANGEBYSCORE of half",
            (("ZREMRANGEBYSCORE", "copy", 0, elements // 2 - 1),),
            (fresh_sorted,),
        ),
        Work("SETBIT in a long string, 100 times", (("SETBIT", "zeros", 8, 0),) * REPEATED),
        Work("APPEND to a long string, 100 times", (("APPEND", "string2", "x"),) * REPEATED),
    ]


def fill(port: int, elements: int) -> None:
    """Give a server its data. The second of two collections shares half of its elements with the first."""
    for kind, add in (("set", operations.add_to_set), ("zset", operations.add_to_sorted_set)):
        for number, first in ((1, 0), (2, elements // 2)):
            batch = partial(add, f"{kind}{number}".encode())
            operations.send_all(port, operations.in_batches(batch, range(first, first + elements)))
    numbers = range(elements)
    operations.send_all(port, operations.in_batches(partial(operations.add_to_list, b"list"), numbers))
    strings: Sequence[tuple[str, bytes]] = (
        ("string1", b"\x55"),
        ("string2", b"\xf0"),
        ("zeros", b"\0"),
    )
    operations.send_all(port, [("SET", key, byte * 4 * elements) for key, byte in strings])


@attrs.frozen
class Server:
    """One of the two, with what was found on it."""

    port: int
    rounds: dict[str, list[Round]] = attrs.Factory(dict)
    replies: dict[str, list[object]] = attrs.Factory(dict)

    def carry_out(self, work: Work) -> None:
        """Do it once, and look."""
        with Resp(self.port, wait_s=WAIT_S) as client:
            for command in work.before:
                demand_success(client.call(*command), work.name)
            time.sleep(_AFTER_S)
            replies: list[object] = []
            timed: Callable[[], object] = lambda: replies.extend(client.pipeline(*work.commands))  # noqa: E731
            self.rounds.setdefault(work.name, []).append(Round.beside(self.port, timed, ping_steadily))
            for reply in replies:
                demand_success(reply, work.name)
            self.replies[work.name] = replies
            time.sleep(_AFTER_S)


def line(name: str, redis: list[Round], trikv: list[Round]) -> str:
    """A line of the table with what it comes to, by the turns in which the machine spoilt neither."""
    turns = list(zip(redis, trikv, strict=True))
    clean = [turn for turn in turns if not any(one.is_spoilt for one in turn)]
    redis, trikv = (list(each) for each in zip(*(clean or turns), strict=True))
    base_ms, ours_ms = ([one.took_s * 1000 for one in each] for each in (redis, trikv))
    ratio = median(ours_ms) / median(base_ms)
    pings = [one.worst_ms for one in trikv]
    worst = median(pings)
    of_ratio, of_pings = (
        verdict(ratio <= RATIO_MAX, ratio <= RATIO_MAX),
        verdict(worst <= MUST_MS, worst <= AIM_MS),
    )
    cells = [
        *(name, least_median_most(base_ms), least_median_most(ours_ms)),
        *(f"{ratio:.1f}", f"{RATIO_MAX:g}", of_ratio if clean else "VOID"),
        *(least_median_most(pings), least_median_most([one.machine_ms for one in trikv])),
        *(f"{MUST_MS:g}", of_pings if clean else "VOID"),
    ]
    return f"| {' | '.join(cells)} |"


def carry_out_at_both(work: Work, redis: Server, trikv: Server) -> None:
    """A round of it. Raises RuntimeError if the two answer differently."""
    for _ in range(TURNS):
        for server in (redis, trikv):
            server.carry_out(work)
        last = [server.rounds[work.name][-1:] for server in (redis, trikv)]
        note(line(work.name, *last))
        if redis.replies[work.name] != trikv.replies[work.name]:
            raise RuntimeError(f"{work.name}: the replies differ")
        (base,), (ours,) = last
        was_long = max(base.took_s, ours.took_s) >= SHORT_S
        if was_long and not (base.is_spoilt or ours.is_spoilt):
            break


def main(elements: int, rounds: int) -> None:
    """Print medians of the rounds, with the least and the most."""
    with (
        tempfile.TemporaryDirectory() as directory,
        Single(Path(directory), *NODE) as node,
        RedisServer(*DURABLE) as redis_server,
    ):
        node.wait_until_it_leads()
        redis_server.connect().close()
        redis, trikv = Server(redis_server.port), Server(node.port)
        for server in (redis, trikv):
            fill(server.port, elements)
        asked = works(elements)
        for _ in range(rounds):
            for work in asked:
                carry_out_at_both(work, redis, trikv)
    lines = [*_HEAD, *(line(work.name, redis.rounds[work.name], trikv.rounds[work.name]) for work in asked)]
    all_rounds = [*redis.rounds.values(), *trikv.rounds.values()]
    sys.stdout.write("\n".join([*lines, spoilt(all_rounds)]) + "\n")


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(*given, *(ELEMENTS, ROUNDS)[len(given) :])
