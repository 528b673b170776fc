"""Requests about disks. Their answers are judged here, the files that they leave by `trikv.sim.acts`."""

from trikv.sim.knobs import CAPS, SMALL_CAPS
from trikv.sim.workload.draw import REGISTERS, SUMS, Draw
from trikv.sim.workload.requests import Step, Told, command, local, request

BUSY = "ERR a backup or save is already in progress"
FULL = "ERR could not write: "


@request("disk", "WAIT", weight=4)
def _wait(draw: Draw) -> list[Step]:
    """WAIT, mostly behind a write of the same connection."""
    wanted, timeout_ms = draw.one_of(0, 1, 1, 2, 4), draw.one_of(1, 100, 500)

    def is_count(told: Told) -> bool:
        if not isinstance(told.reply, int) or not 0 <= told.reply < told.nodes:
            return False
        is_enough = told.reply >= wanted or not told.now.has_written
        return is_enough or told.waited_s * 1000 >= timeout_ms

    wait = local(is_count, (b"WAIT", b"%d" % wanted, b"%d" % timeout_ms))
    write = draw.one_of(
        command(b"SET", draw.key(REGISTERS), draw.value()), command(b"INCRBY", draw.key(SUMS), b"2")
    )
    return [write, wait] if draw.chance(0.8) else [wait]


@request("disk", "DIGEST", weight=2)
def _digest(_: Draw) -> list[Step]:
    def is_digest(told: Told) -> bool:
        index, digest = told.reply
        return isinstance(index, int) and len(digest) == 32

    return [local(is_digest, (b"DIGEST",))]


@request("disk", "SAVE", "BGSAVE")
def _save(draw: Draw) -> list[Step]:
    def is_saved(told: Told) -> bool:
        return told.reply in {b"OK", b"Background saving started"} or told.fails(BUSY, FULL)

    return [local(is_saved, draw.one_of((b"SAVE",), (b"BGSAVE",), (b"BGSAVE", b"SCHEDULE")))]


@request("disk", "BACKUP")
def _backup(_: Draw) -> list[Step]:
    def is_path(told: Told) -> bool:
        return told.fails(BUSY, FULL) or b" at index " in told.reply

    return [local(is_path, (b"BACKUP",))]


@request("cap", "CONFIG|SET")
def _cap(draw: Draw) -> list[Step]:
    """CONFIG SET of a cap so large that no command meets it."""
    return [command(b"CONFIG", b"SET", b"maxmemory", b"%d" % draw.one_of(*CAPS))]


@request("small cap", "CONFIG|SET")
def _small_cap(draw: Draw) -> list[Step]:
    """CONFIG SET of a cap that commands meet again and again."""
    return [command(b"CONFIG", b"SET", b"maxmemory", b"%d" % draw.one_of(*SMALL_CAPS))]
