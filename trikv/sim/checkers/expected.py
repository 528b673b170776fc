"""What an answer may be: a value, or one of these, for answers that are not a function of the state alone."""

from typing import Any, Final

import attrs

from trikv.client.replies import ErrorReply


@attrs.frozen
class Between:
    """An integer from `least` to `most`: how long a key has still to live, as the leader's clock has it."""

    least: int
    most: int


@attrs.frozen
class AnyOrder:
    """A list whose order says nothing."""

    items: tuple[bytes, ...]


@attrs.frozen
class OneOf:
    """One of these."""

    items: tuple[bytes, ...]


@attrs.frozen
class Page:
    """What one SCAN answers: a cursor, and some of these keys, none twice. See `scans` for whole ones."""

    items: tuple[bytes, ...]


@attrs.frozen
class Clock:
    """TIME: seconds and microseconds, and not before `least_ms`."""

    least_ms: int


@attrs.frozen
class Failure:
    """An error that begins so."""

    text: str


@attrs.frozen
class Anything:
    """Nothing is known of it."""


ANYTHING: Final = Anything()


def agrees(expected: Any, reply: Any) -> bool:
    """`reply`, as `trikv.client` gave it, is what is expected."""
    match expected:
        case Anything():
            return True
        case Failure(text=text):
            return isinstance(reply, ErrorReply) and str(reply).startswith(text)
        case Between(least=least, most=most):
            return isinstance(reply, int) and least <= reply <= most
        case AnyOrder(items=items):
            return isinstance(reply, list) and sorted(reply) == sorted(items)
        case OneOf(items=items):
            return reply in items
        case Page(items=items):
            return _is_page(reply) and len(set(reply[1])) == len(reply[1]) and set(reply[1]) <= set(items)
        case Clock(least_ms=least_ms):
            return _is_time(reply) and int(reply[0]) * 1000 + int(reply[1]) // 1000 >= least_ms
        case list():
            return (
                isinstance(reply, list) and len(reply) == len(expected) and all(map(agrees, expected, reply))
            )
        case _:
            return bool(expected == reply)


def _is_page(reply: Any) -> bool:
    return isinstance(reply, list) and len(reply) == 2 and reply[0].isdigit() and isinstance(reply[1], list)


def _is_time(reply: Any) -> bool:
    return isinstance(reply, list) and len(reply) == 2 and all(text.isdigit() for text in reply)
