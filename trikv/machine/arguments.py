"""The arguments of a command, read from its usage. COMMAND DOCS lists them; redis-cli makes hints of them.

In a usage, words in upper case are tokens, all others stand for values; ``[...]`` is optional, ``<...>``
groups, ``|`` separates alternatives, and ``...`` says that what its brackets hold may be repeated.
"""

import re
from collections.abc import Iterator, Sequence

import attrs

_PART = re.compile(r"[\[\]<>|]|[^\s\[\]<>|]+")
_CLOSING = {"[": "]", "<": ">"}


@attrs.frozen
class Argument:
    """One argument, or a group of them."""

    kind: str
    """Redis' type: key, string, pure-token, oneof or block."""
    name: str
    token: str = ""
    """A word in front of it."""
    is_optional: bool = False
    is_multiple: bool = False
    parts: tuple["Argument", ...] = ()


def arguments_of(usage: str, keys: Sequence[str] = ()) -> tuple[Argument, ...]:
    """What `usage` says behind the name of the command; values called like one of `keys` are keys."""
    return _Reader(usage, frozenset(keys)).sequence()


class _Reader:
    """Reads a usage from left to right."""

    def __init__(self, usage: str, keys: frozenset[str]) -> None:
        self._parts = _PART.findall(usage)
        self._keys = keys

    def sequence(self) -> tuple[Argument, ...]:
        """What follows, up to a closing bracket, an alternative or the end."""
        found: list[Argument] = []
        while self._parts and self._parts[0] not in ("]", ">", "|"):
            if self._parts[0] == "...":
                self._parts.pop(0)
                return (_grouped((tuple(found),), is_multiple=True),)
            one = self._one()
            repeated = one.parts if one.kind == "block" else (attrs.evolve(one, is_optional=False),)
            plain = tuple(attrs.evolve(part, is_multiple=False) for part in repeated)
            if one.is_multiple and tuple(found[-len(plain) :]) == plain:
                del found[-len(plain) :]  # "key [key ...]" is one argument, which is given at least once
                one = attrs.evolve(one, is_optional=False)
            found.append(one)
        return tuple(found)

    def _one(self) -> Argument:
        part = self._parts.pop(0)
        if part in _CLOSING:
            return attrs.evolve(self._group(part), is_optional=part == "[")
        if not part.isupper():
            return Argument("key" if part in self._keys else "string", part)
        if self._parts and self._parts[0] == "<":
            return attrs.evolve(self._group(self._parts.pop(0)), name=part.lower(), token=part)
        values = tuple(self._values())
        if not values:
            return Argument("pure-token", part.lower(), part)
        return attrs.evolve(_grouped((values,)), token=part)

    def _values(self) -> Iterator[Argument]:
        while self._parts and self._parts[0][0].isalpha() and not self._parts[0].isupper():
            yield self._one()

    def _group(self, opening: str) -> Argument:
        alternatives = [self.sequence()]
        while self._parts.pop(0) != _CLOSING[opening]:
            alternatives.append(self.sequence())
        return _grouped(tuple(alternatives))


def _grouped(alternatives: tuple[tuple[Argument, ...], ...], *, is_multiple: bool = False) -> Argument:
    """One argument of several; a single one stands for itself."""
    if len(alternatives) > 1:
        parts = tuple(_grouped((alternative,)) for alternative in alternatives)
        return Argument("oneof", parts[0].name, parts=parts)
    (parts,) = alternatives
    if len(parts) > 1:
        return Argument("block", parts[0].name, is_multiple=is_multiple, parts=parts)
    return attrs.evolve(parts[0], is_multiple=is_multiple or parts[0].is_multiple)
