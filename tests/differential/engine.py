"""Runs commands on both sides, one after another, until a reply differs and no reason for it is listed."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

import attrs

from tests.differential.differences import Step, reason_for
from tests.differential.sides import Redis, Shown, Trikv
from tests.differential.words import Command

_UNORDERED: Final = frozenset({b"KEYS", b"SMEMBERS", b"SINTER", b"SUNION", b"SDIFF", b"HKEYS", b"HVALS"})
_CLOCKS: Final = {b"TTL": 2, b"PTTL": 2000, b"EXPIRETIME": 2, b"PEXPIRETIME": 2000, b"OBJECT IDLETIME": 60}
"""Replies that follow the two clocks, and by how much they may differ."""
_ALL_OF: Final = {
    b"HRANDFIELD": (b"HGETALL",),
    b"SRANDMEMBER": (b"SMEMBERS",),
    b"ZRANDMEMBER": (b"ZRANGE", b"0", b"-1", b"WITHSCORES"),
}
"""How all elements are asked for of which some are drawn."""
_SEARCHES: Final = (
    b"GEORADIUS",
    b"GEORADIUSBYMEMBER",
    b"GEORADIUS_RO",
    b"GEORADIUSBYMEMBER_RO",
    b"GEOSEARCH",
)
_SORTS: Final = frozenset({b"SORT", b"SORT_RO"})
_SCANS: Final = {b"SCAN": 1, b"SSCAN": 2, b"HSCAN": 2, b"ZSCAN": 2}
"""The place of the cursor."""
_IN_PAIRS: Final = frozenset({b"HSCAN", b"ZSCAN"})
_OUTSIDE: Final = frozenset(
    {*_ALL_OF, *_SCANS, b"SPOP", b"RANDOMKEY", b"INCRBYFLOAT", b"HINCRBYFLOAT", b"KEYS"}
)
"""What is not put into transactions: more than its reply is compared; and of KEYS trikv refuses a second."""


class DifferentError(AssertionError):
    """A reply that no reason is listed for; the text says how to get it."""


def name_of(command: Command) -> bytes:
    """The name of a command in capitals."""
    return command[0].upper()


def _is_by_name(command: Command) -> bool:
    """Whether it asks for members between two names."""
    return any(word.upper().endswith((b"BYLEX", b"LEXCOUNT")) for word in command)


def _is_of_ties(command: Command) -> bool:
    """Whether it may sort what it does not compare: by texts, or not at all."""
    words = [word.upper() for word in command]
    by = [pattern for word, pattern in pairwise(command) if word.upper() == b"BY"]
    is_plain = any(b"*" not in pattern for pattern in by)
    return name_of(command) in _SORTS and (b"ALPHA" in words or is_plain)


def _may_show_equal_distances(command: Command) -> bool:
    """Whether it shows places by distance: Redis promises no order of those that are as far."""
    words = {word.upper() for word in command}
    return name_of(command) in _SEARCHES and not words.isdisjoint({b"ASC", b"DESC", b"COUNT"})


def _stays_outside(command: Command) -> bool:
    """Whether it is not put into transactions. ZRANK has a WITHSCORE that Redis 7.0 would not queue."""
    has_score = name_of(command) in (b"ZRANK", b"ZREVRANK") and len(command) > 3
    is_open = _is_by_name(command) or _is_of_ties(command) or _may_show_equal_distances(command)
    return has_score or name_of(command) in _OUTSIDE or is_open


def typed(command: Command) -> str:
    """A command as redis-cli takes it."""
    return " ".join(f'"{"".join(map(_typed, word))}"' for word in command)


def _typed(byte: int) -> str:
    return chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}"


@attrs.define
class Pair:
    """Both sides, which nothing was asked of yet."""

    redis: Redis
    version: int
    in_parts: bool = False
    """All values are held in parts, whatever their size."""
    trikv: Trikv = attrs.field(init=False)
    reasons: Counter[str] = attrs.field(init=False, factory=Counter)
    """Of the differences that were found, how often."""
    _done: list[Command] = attrs.field(init=False, factory=list)

    def __attrs_post_init__(self) -> None:
        self.redis.begin(self.version)
        self.trikv = Trikv(self.version, int(time.time() * 1000))  # noqa: TID251 - Redis' clock is a real one

    def run(self, commands: Sequence[Command]) -> None:
        """Each of these in turn. Raises DifferentError."""
        for command in commands:
            self._done.append(command)
            if self._is_specified(command):
                compare = _COMPARISONS.get(name_of(command), Pair._plainly)
                compare(self, command)
        if not self.trikv.is_accounted_for():
            raise DifferentError(f"{self._script()}\nand the account is not what the values take")

    def _script(self) -> str:
        return f"HELLO {self.version}, then\n" + "\n".join(map(typed, self._done))

    def transact(self, commands: Sequence[Command]) -> None:
        """All of these in one transaction. Raises DifferentError."""
        inside = [command for command in commands if not _stays_outside(command)]
        self._done += [(b"MULTI",), *inside, (b"EXEC",)]
        self._plainly((b"MULTI",))
        queued = [command for command in inside if self._plainly(command)[0].of == "QUEUED"]
        ours, theirs = self._both((b"EXEC",))
        if ours.mark != "*" or len(ours.rows) != len(theirs.rows):
            self._judge((b"EXEC",), ours, theirs)
            return
        for command, one, other in zip(queued, ours.rows, theirs.rows, strict=True):
            self._judge(command, one, other)

    def _is_specified(self, command: Command) -> bool:
        """Not if it asks for a range of names although the scores are several: Redis promises nothing."""
        if _is_of_ties(command):
            return self._is_sort_specified(command)
        if _may_show_equal_distances(command):
            found = self.trikv.ask((*command, b"WITHDIST"))
            distances = [row.rows[1] for row in found.rows if len(row.rows) > 1]
            return len(set(distances)) == len(distances)
        if not _is_by_name(command):
            return True
        place = 2 if name_of(command) == b"ZRANGESTORE" else 1
        if len(command) <= place:
            return True
        scored = self.trikv.ask((b"ZRANGE", command[place], b"0", b"-1", b"WITHSCORES"))
        return len({pair.rows[1] for pair in _pairs(scored.rows)}) < 2

    def _is_sort_specified(self, command: Command) -> bool:
        """Not if the order of a set shows, or that of elements whose texts are equal."""
        words = [word.upper() for word in command]
        by = [pattern for word, pattern in pairwise(command) if word.upper() == b"BY"]
        kind = self.trikv.ask((b"TYPE", command[1])).of if len(command) > 1 else ""
        if kind == "set" and b"STORE" not in words and not all(b"*" in pattern for pattern in by):
            return False
        if by and b"ALPHA" in words and (kind != "list" or b"LIMIT" in words):
            return False
        rows = self.trikv.ask((b"SORT_RO", command[1], b"BY", b"nosort")).rows if kind else ()
        return not any(b"\0" in row.of for row in rows)

    # How a reply is compared.

    def _both(self, command: Command) -> tuple[Shown, Shown]:
        return self.trikv.ask(command), self.redis.ask(command)

    def _judge(self, command: Command, ours: Shown, theirs: Shown) -> None:
        one, other = in_order(command, ours), in_order(command, theirs)
        if one == other or self._is_in_time(command, ours, theirs):
            return
        reason = reason_for(Step(command, one, other, self.in_parts))
        if reason is None:
            raise DifferentError(f"{self._script()}\nredis: {theirs}\ntrikv: {ours}\nof: {typed(command)}")
        self.reasons[reason] += 1

    @staticmethod
    def _is_in_time(command: Command, ours: Shown, theirs: Shown) -> bool:
        most = _CLOCKS.get(b" ".join(command[: 2 if name_of(command) == b"OBJECT" else 1]).upper())
        if most is None or not ours.mark == theirs.mark == ":":
            return False
        one, other = int(ours.of), int(theirs.of)
        return min(one, other) >= 0 and abs(one - other) <= most

    def _plainly(self, command: Command) -> tuple[Shown, Shown]:
        ours, theirs = self._both(command)
        self._judge(command, ours, theirs)
        return ours, theirs

    def _scanned(self, command: Command) -> None:
        """All pages from the cursor on, which both divide in their own way: the same elements in the end."""
        ours, theirs = self._both(command)
        if ours.is_error or theirs.is_error:
            self._judge(command, ours, theirs)
        elif command[_SCANS[name_of(command)]] in (b"0", b""):
            ours, theirs = (
                self._to_the_end(command, side.ask, page)
                for side, page in ((self.trikv, ours), (self.redis, theirs))
            )
            self._judge(command, ours, theirs)

    @staticmethod
    def _to_the_end(command: Command, ask: Callable[[Command], Shown], page: Shown) -> Shown:
        at, rows = _SCANS[name_of(command)], list(page.rows[1].rows)
        while (cursor := page.rows[0].of) != b"0":
            page = ask((*command[:at], cursor, *command[at + 1 :]))
            rows += page.rows[1].rows
        each = 2 if name_of(command) in _IN_PAIRS else 1
        found = {tuple(rows[place : place + each]) for place in range(0, len(rows), each)}
        in_order_ = tuple(one for pair in sorted(found, key=repr) for one in pair)
        return Shown(page.mark, (page.rows[0], Shown(page.rows[1].mark, in_order_)))

    def _drawn(self, command: Command) -> None:
        """As many elements, each of which is there; different ones unless the count is negative."""
        ours, theirs = self._both(command)
        if (
            (ours.mark, len(ours.rows)) != (theirs.mark, len(theirs.rows))
            or ours.mark in "-_"
            or ours.of is None
        ):
            self._judge(command, ours, theirs)
            return
        all_, *arguments = _ALL_OF[name_of(command)]
        there = _elements(self.trikv.ask((all_, command[1], *arguments)), in_pairs=all_ != b"SMEMBERS")
        if len(command) == 2:
            problem = None if ours in there else "which is not there"
        else:
            problem = _problem(command, ours, theirs, there)
        if problem is not None:
            raise DifferentError(f"{typed(command)}: {ours}, {problem}; there are {there}")

    def _key_drawn(self, command: Command) -> None:
        ours, theirs = self._both(command)
        if ours.mark == theirs.mark == "$" and ours.of is not None and theirs.of is not None:
            ours = theirs = Shown(":", str(int(not self.redis.ask((b"EXISTS", ours.of)).is_error)))
        self._judge(command, ours, theirs)

    def _popped(self, command: Command) -> None:
        """As many members as Redis pops; then Redis gets back what it popped, and loses what trikv did."""
        before = set(self.trikv.ask((b"SMEMBERS", command[1])).rows) if len(command) > 1 else set()
        ours, theirs = self._both(command)
        one, other = _popped_of(ours), _popped_of(theirs)
        if (ours.mark, len(one)) != (theirs.mark, len(other)) or not one:
            self._judge(command, ours, theirs)
            return
        assert len(set(one)) == len(one), (command, ours)
        assert before.issuperset(one), (command, ours)
        if len(one) < len(before):
            self.redis.ask((b"SADD", command[1], *[member.of for member in other]))
            self.redis.ask((b"SREM", command[1], *[member.of for member in one]))
        self._judge((b"SMEMBERS", command[1]), *self._both((b"SMEMBERS", command[1])))

    def _added(self, command: Command) -> None:
        """A sum, which Redis may have rounded: then both go on with what Redis has."""
        reasons = self.reasons.total()
        _, theirs = self._plainly(command)
        if self.reasons.total() > reasons and theirs.mark == "$":
            if name_of(command) == b"INCRBYFLOAT":
                self.trikv.ask((b"SET", command[1], theirs.of, b"KEEPTTL"))
            else:
                self.trikv.ask((b"HSET", command[1], command[2], theirs.of))


_COMPARISONS: Final[dict[bytes, Callable[[Pair, Command], object]]] = {
    **dict.fromkeys(_SCANS, Pair._scanned),
    **dict.fromkeys(_ALL_OF, Pair._drawn),
    b"SPOP": Pair._popped,
    b"RANDOMKEY": Pair._key_drawn,
    b"INCRBYFLOAT": Pair._added,
    b"HINCRBYFLOAT": Pair._added,
}


def _popped_of(reply: Shown) -> tuple[Shown, ...]:
    return (reply,) if reply.mark == "$" and reply.of is not None else reply.rows


def _elements(reply: Shown, *, in_pairs: bool) -> set[Shown]:
    """All names that there are, and all pairs of a name and what belongs to it, in one set."""
    rows = reply.rows
    if not in_pairs:
        return set(rows)
    pairs = _pairs(rows)
    return {*pairs, *[pair.rows[0] for pair in pairs]}


def _pairs(rows: Sequence[Shown]) -> list[Shown]:
    """The rows as pairs, which only RESP3 makes of scores."""
    return list(rows) if rows and rows[0].mark == "*" else [Shown("*", pair) for pair in _in_twos(rows)]


def _in_twos(rows: Sequence[Shown]) -> list[tuple[Shown, ...]]:
    return [tuple(rows[at : at + 2]) for at in range(0, len(rows), 2)]


def _problem(command: Command, ours: Shown, theirs: Shown, there: set[Shown]) -> str | None:
    """What is wrong with elements that were drawn."""
    if [one.mark for one in ours.rows] != [one.mark for one in theirs.rows]:
        return f"not of the types in {theirs}"
    is_flat = len(command) > 3 and ours.mark == "*" and ours.rows and ours.rows[0].mark == "$"
    drawn = [Shown("*", pair) for pair in _in_twos(ours.rows)] if is_flat else list(ours.rows)
    if not there.issuperset(drawn):
        return "some of which are not there"
    if not command[2].startswith(b"-") and len(set(drawn)) < len(drawn):
        return "some of them twice"
    return None


def in_order(command: Command, reply: Shown) -> Shown:
    """The reply with its elements in one order, if they have none by themselves."""
    if reply.mark == "%":
        return Shown("%", tuple(sorted(_in_twos(reply.rows), key=repr)))
    if name_of(command) == b"HGETALL" and reply.mark == "*":
        return Shown("*", tuple(sorted(_in_twos(reply.rows), key=repr)))
    if reply.mark == "~" or (name_of(command) in _UNORDERED and reply.mark == "*"):
        return Shown(reply.mark, tuple(sorted(reply.rows, key=repr)))
    return reply
