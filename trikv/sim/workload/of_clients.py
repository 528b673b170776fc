"""Requests about how clients are treated, and about what a node tells of itself besides; judged here.

CLIENT PAUSE holds up every client of its node for a moment. The checkers then see that nothing is lost,
doubled or answered out of its place, whatever else goes wrong meanwhile.
"""

from trikv.sim.history import Args
from trikv.sim.workload.draw import REGISTERS, SUMS, Draw
from trikv.sim.workload.requests import Form, Step, Told, command, local, request

PAUSES_MS = (1, 20, 80)


def _is_ok(told: Told) -> bool:
    return bool(told.reply == b"OK")


def _has_lines(told: Told) -> bool:
    return len(told.reply) > 1


# CLIENT.


@request("self", "CLIENT|REPLY", weight=0.5)
def _reply(draw: Draw) -> list[Step]:
    """Some commands without replies, then one with: it is not answered by what was to be left out."""
    word = draw.value()
    muted: tuple[Args, ...] = ((b"PING", b"muted"), (b"CLIENT", b"SETNAME", b"no name"), (b"CLIENT", b"ID"))
    commands: tuple[Args, ...]

    def is_heard(told: Told) -> bool:
        return bool(told.reply == word) and len(told.replies) == len(told.commands) - unanswered

    if draw.chance(0.5):
        commands = ((b"CLIENT", b"REPLY", b"SKIP"), draw.one_of(*muted), (b"ECHO", word))
        unanswered = 2
    else:
        some = tuple(draw.some(muted, len(muted)))
        commands = ((b"CLIENT", b"REPLY", b"OFF"), *some, (b"CLIENT", b"REPLY", b"ON"), (b"ECHO", word))
        unanswered = 1 + len(some)
    return [Step(commands, Form.LOCAL, is_heard, unanswered=unanswered)]


@request("self", "CLIENT|PAUSE", "CLIENT|UNPAUSE", weight=0.2)
def _pause(draw: Draw) -> list[Step]:
    """A pause of this node's clients, this one included; often ended before its time."""
    mode = draw.one_of((), (b"ALL",), (b"WRITE",))
    steps = [local(_is_ok, (b"CLIENT", b"PAUSE", b"%d" % draw.one_of(*PAUSES_MS), *mode))]
    if draw.chance(0.5):
        steps.append(command(b"SET", draw.key(REGISTERS), draw.value()))
    return steps if draw.chance(0.7) else [local(_is_ok, (b"CLIENT", b"UNPAUSE"))]


@request("self", "CLIENT|NO-EVICT", "CLIENT|NO-TOUCH", weight=0.2)
def _switch(draw: Draw) -> list[Step]:
    words = (b"CLIENT", draw.one_of(b"NO-EVICT", b"NO-TOUCH"), draw.one_of(b"ON", b"OFF"))
    return [local(_is_ok, words)]


@request("self", "CLIENT|CACHING", "CLIENT|GETREDIR", "CLIENT|TRACKING", "CLIENT|TRACKINGINFO", weight=0.2)
def _tracking(draw: Draw) -> list[Step]:
    """Nobody tracks keys."""

    def tells_so(told: Told) -> bool:
        match told.commands[0][1]:
            case b"CACHING":
                return told.fails("ERR CLIENT CACHING can be called only")
            case b"GETREDIR":
                return bool(told.reply == -1)
            case b"TRACKINGINFO":
                return bool(told.fields[b"flags"] == [b"off"])
            case _:
                is_on = told.commands[0][2] == b"ON"
                return told.fails("ERR this server keeps no track") if is_on else _is_ok(told)

    return [
        local(
            tells_so,
            draw.one_of(
                (b"CLIENT", b"CACHING", b"YES"),
                (b"CLIENT", b"GETREDIR"),
                (b"CLIENT", b"TRACKINGINFO"),
                (b"CLIENT", b"TRACKING", b"ON"),
                (b"CLIENT", b"TRACKING", b"OFF"),
            ),
        )
    ]


# The node.


@request("node", "MEMORY|STATS", "MEMORY|DOCTOR", "MEMORY|PURGE", "MEMORY|MALLOC-STATS", weight=0.5)
def _memory(draw: Draw) -> list[Step]:
    def tells_figures(told: Told) -> bool:
        fields = told.fields
        return int(fields[b"keys.count"]) >= 0 and int(fields[b"total.allocated"]) >= 0

    return [
        draw.one_of(
            local(tells_figures, (b"MEMORY", b"STATS")),
            local(lambda told: told.reply.endswith(b".\r\n"), (b"MEMORY", b"DOCTOR")),
            local(_is_ok, (b"MEMORY", b"PURGE")),
            local(lambda told: told.reply.startswith(b"Stats not"), (b"MEMORY", b"MALLOC-STATS")),
        )
    ]


@request("node", "DEBUG", "OBJECT|HELP", weight=0.5)
def _debug(draw: Draw) -> list[Step]:
    """The subcommands of DEBUG that this node answers; SLEEP takes its time. The machine answers OBJECT."""

    def has_slept(told: Told) -> bool:
        return _is_ok(told) and told.waited_s >= float(told.commands[0][2])

    return [
        draw.one_of(
            local(_has_lines, (b"OBJECT", b"HELP")),
            local(_has_lines, (b"DEBUG", b"HELP")),
            local(has_slept, (b"DEBUG", b"SLEEP", draw.one_of(b"0", b"0.02", b"0.2"))),
            local(_is_ok, (b"DEBUG", b"SET-ACTIVE-EXPIRE", draw.one_of(b"0", b"1"))),
            local(lambda told: told.reply == 1, (b"DEBUG", b"STRINGMATCH-LEN", b"r*", b"r1")),
        )
    ]


# Disks.


@request("disk", "WAITAOF", weight=2)
def _wait_aof(draw: Draw) -> list[Step]:
    """WAITAOF, mostly behind a write of the same connection."""
    local_, wanted, timeout_ms = draw.one_of(0, 1), draw.one_of(0, 1, 2, 4), draw.one_of(1, 100, 500)

    def is_count(told: Told) -> bool:
        here, others = told.reply
        if here not in (0, 1) or not 0 <= others < told.nodes:
            return False
        is_enough = (here >= local_ and others >= wanted) or not told.now.has_written
        return is_enough or told.waited_s * 1000 >= timeout_ms

    words = (b"WAITAOF", b"%d" % local_, b"%d" % wanted, b"%d" % timeout_ms)
    wait = local(is_count, words)
    return [command(b"INCRBY", draw.key(SUMS), b"2"), wait] if draw.chance(0.8) else [wait]
