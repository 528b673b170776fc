"""Deadlines as arguments: an amount in seconds or milliseconds, from now or since 1970."""

import attrs

from trikv.machine.errors import NOT_INTEGER, invalid_expire
from trikv.machine.numerics import INT64_MAX, parse_integer
from trikv.machine.replies import CommandError


@attrs.define
class Deadline:
    """EX 10, PX 10000, EXAT ..., PXAT ... as given."""

    unit: bytes
    """EX, PX, EXAT or PXAT."""
    amount: bytes


def parse_deadline(deadline: Deadline, now: int, name: str) -> int | CommandError:
    """The deadline in ms of log time (EXAT and PXAT may name a past one), or the error of command `name`.

    The rules are those of SET and GETEX: the amount must be positive and the time must fit 64 bits.
    """
    amount = parse_integer(deadline.amount)
    if amount is None:
        return NOT_INTEGER
    when = amount * 1000 if deadline.unit.startswith(b"EX") else amount
    if not deadline.unit.endswith(b"AT"):
        when += now
    if amount <= 0 or when > INT64_MAX:
        return invalid_expire(name)
    return when
