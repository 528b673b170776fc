"""What an answer may be: a value, or one of these classes if the state alone does not decide it.

Some replies have two forms: a map, a set, pairs and scores in RESP3, flat lists and text in RESP2.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from trikv.client.replies import ErrorReply


def _sorted(items: Iterable[bytes]) -> tuple[bytes, ...]:
    return tuple(sorted(items))


@attrs.frozen
class Between:
    """An integer from `least` to `most`: a key's time to live, which depends on the leader's clock."""

    least: int
    most: int


@attrs.frozen
class AnyOrder:
    """A list of these elements in any order."""

    items: tuple[bytes, ...] = attrs.field(converter=_sorted)


@attrs.frozen
class OneOf:
    """Any one of these answers."""

    items: tuple[bytes, ...] = attrs.field(converter=_sorted)


@attrs.frozen
class Score:
    """A double: a number, or its shortest text."""

    number: float

    @property
    def text(self) -> bytes:
        """The shortest digits that read back as the same number."""
        return repr(self.number).removesuffix(".0").encode()


@attrs.frozen
class Degrees:
    """A coordinate: a number, or its text with 17 digits behind the point and no zeros at its end."""

    number: float

    @property
    def text(self) -> bytes:
        """As Redis shows it."""
        text = f"{self.number:.17f}".rstrip("0").rstrip(".")
        return b"0" if text == "-0" else text.encode()


@attrs.frozen
class Map:
    """These names with what belongs to each, in any order: a dict, or a flat list."""

    items: Mapping[bytes, Any]


@attrs.frozen
class Pairs:
    """Names and what belongs to each, in this order: lists of two, or a flat list."""

    items: tuple[tuple[bytes, Any], ...]


@attrs.frozen
class Drawn:
    """A list of `count` different ones of these; if `repeats`, one may come several times."""

    items: tuple[bytes, ...] = attrs.field(converter=_sorted)
    count: int
    repeats: bool = False

    def allows(self, reply: Any) -> bool:
        """Whether these were drawn."""
        return (
            isinstance(reply, list)
            and all(isinstance(each, bytes) for each in reply)
            and len(reply) == self.count
            and (self.repeats or len(set(reply)) == len(reply))
            and set(reply) <= set(self.items)
        )


@attrs.frozen
class DrawnPairs:
    """The same of names with what belongs to each: lists of two, or a flat list."""

    items: Mapping[bytes, Any]
    count: int
    repeats: bool = False

    def allows(self, reply: Any) -> bool:
        """Whether these were drawn, each with what belongs to it."""
        pairs = _pairs(reply)
        if pairs is None or not Drawn(tuple(self.items), self.count, self.repeats).allows(
            [n for n, _ in pairs]
        ):
            return False
        return all(agrees(self.items[name], belonging) for name, belonging in pairs)


@attrs.frozen
class Page:
    """The answer of one SCAN: a cursor, and some of these keys, none twice. See `scans` for whole scans."""

    items: tuple[bytes, ...]


@attrs.frozen
class ElementPage:
    """The answer of one SSCAN, HSCAN or ZSCAN: a cursor, and some of these elements, none twice.

    What belongs to a name stands behind it; None if nothing does.
    """

    items: Mapping[bytes, bytes | None]
    is_whole: bool = False
    """All of them, and cursor 0: so a small value is scanned from its beginning."""

    def allows(self, reply: Any) -> bool:
        """Whether it is such a page."""
        if not _is_page(reply):
            return False
        cursor, found = reply
        flat = any(belonging is not None for belonging in self.items.values())
        pairs = _pairs(found) if flat else [(name, None) for name in found]
        if pairs is None or len(dict(pairs)) != len(pairs):
            return False
        if self.is_whole and (cursor != b"0" or len(pairs) != len(self.items)):
            return False
        return all(name in self.items and self.items[name] == belonging for name, belonging in pairs)


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
        case Score():
            return bool(reply == expected.text if isinstance(reply, bytes) else reply == expected.number)
        case Degrees():
            return bool(reply == expected.text if isinstance(reply, bytes) else reply == float(expected.text))
        case Map() | Pairs():
            return _has_pairs(expected, reply)
        case Drawn() | DrawnPairs() | ElementPage():
            return expected.allows(reply)
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


def _pairs(reply: Any) -> list[tuple[Any, Any]] | None:
    """The pairs of a reply, whichever its form; None if it has none."""
    if isinstance(reply, dict):
        return list(reply.items())
    if not isinstance(reply, list):
        return None
    if all(isinstance(each, list) and len(each) == 2 for each in reply):
        return [(name, belonging) for name, belonging in reply]
    return list(zip(reply[::2], reply[1::2], strict=True)) if len(reply) % 2 == 0 else None


def _has_pairs(expected: Map | Pairs, reply: Any) -> bool:
    pairs = _pairs(reply)
    if pairs is None or len(pairs) != len(expected.items):
        return False
    if isinstance(expected, Map):
        found = dict(pairs)
        return found.keys() == expected.items.keys() and all(
            agrees(belonging, found[name]) for name, belonging in expected.items.items()
        )
    return all(
        name == given and agrees(belonging, found)
        for (name, belonging), (given, found) in zip(expected.items, pairs, strict=True)
    )


def _is_page(reply: Any) -> bool:
    return isinstance(reply, list) and len(reply) == 2 and reply[0].isdigit() and isinstance(reply[1], list)


def _is_time(reply: Any) -> bool:
    return isinstance(reply, list) and len(reply) == 2 and all(text.isdigit() for text in reply)
