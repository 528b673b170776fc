"""What an answer may be: a value, or one of these classes if the state alone does not decide it."""

from typing import Any, Final

import attrs

from trikv.client.replies import ErrorReply


@attrs.frozen
class Between:
    """An integer from `least` to `most`: a key's time to live, which depends on the leader's clock."""

    least: int
    most: int


@attrs.frozen
class AnyOrder:
    """A list of these elements in any order."""

    items: tuple[bytes, ...]


@attrs.frozen
class OneOf:
    """Any one of these answers."""

    items: tuple[bytes, ...]


@attrs.frozen
class Page:
    """The answer of one SCAN: a cursor, and some of these keys, none twice. See `scans` for whole scans."""

    items: tuple[bytes, ...]


@attrs.frozen
class Clock:
    """TIME: seconds and microseconds, and not before `least_ms`."""

    least_ms: int


@attrs.frozen
class Failure:
    """An error whose text begins like this."""

    text: str


@attrs.frozen
class Anything:
    """Any answer at all is right."""


ANYTHING: Final = Anything()


def agrees(expected: Any, reply: Any) -> bool:
    """Whether `reply`, as `trikv.client` gave it, is one of those that `expected` allows."""
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
