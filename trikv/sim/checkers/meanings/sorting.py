"""SORT: by the numbers or texts that elements are, or that other keys say.

Which other keys those are is not in the call, so that the search leaves the keys that it names alone, as if
they had deadlines: the witness knows all.
"""

from typing import Any

import attrs

from trikv.sim.checkers.expected import Failure
from trikv.sim.checkers.meanings.registry import first, means
from trikv.sim.checkers.state import Args, Refused, State

_NOT_NUMBERS = Failure("ERR One or more scores can't be converted into double")


@attrs.define
class _Options:
    """What a call says."""

    by: bytes | None = None
    gets: list[bytes] = attrs.field(factory=list)
    limit: tuple[int, int] = (0, -1)
    store: bytes | None = None
    is_descending: bool = False
    is_of_texts: bool = False

    @classmethod
    def of(cls, words: list[bytes]) -> "_Options":
        """Read them."""
        options = cls()
        while words:
            match words.pop(0):
                case b"BY":
                    options.by = words.pop(0)
                case b"GET":
                    options.gets.append(words.pop(0))
                case b"LIMIT":
                    options.limit = int(words.pop(0)), int(words.pop(0))
                case b"STORE":
                    options.store = words.pop(0)
                case b"ALPHA":
                    options.is_of_texts = True
                case word:
                    options.is_descending = word == b"DESC"
        return options


def _elements(state: State, key: bytes) -> list[bytes]:
    try:
        return state.list_of(key)
    except Refused:
        pass
    try:
        return sorted(state.set_of(key))
    except Refused:
        return [member for member, _ in state.scores_of(key).in_order()]


def _named(state: State, pattern: bytes, element: bytes) -> bytes | None:
    """What belongs to an element: itself, a string, or a field of a hash."""
    if pattern == b"#":
        return element
    name, _, field = pattern.partition(b"->")
    if b"*" not in name:
        return None
    try:
        key = name.replace(b"*", element, 1)
        return state.hash_of(key).get(field) if field else state.string(key)
    except Refused:
        return None


def _number(text: bytes | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        raise Refused(_NOT_NUMBERS) from None


def _in_order(state: State, elements: list[bytes], options: _Options) -> list[bytes]:
    texts: dict[bytes, bytes | None] = {each: each for each in elements}
    if options.by is not None:
        texts = {each: _named(state, options.by, each) for each in elements}
    if not options.is_of_texts:
        numbers = {each: _number(text) for each, text in texts.items()}
        return sorted(elements, key=lambda each: (numbers[each], each), reverse=options.is_descending)
    # What has no text comes first; `reverse` keeps the order of equal ones.
    return sorted(
        elements,
        key=lambda each: (texts[each] is not None, texts[each] or b""),
        reverse=options.is_descending,
    )


def _sorted(state: State, args: Args) -> tuple[_Options, list[bytes | None]]:
    options, elements = _Options.of(list(args[2:])), _elements(state, args[1])
    if options.by is None or b"*" in options.by:
        elements = _in_order(state, elements, options)
    elif options.is_descending:
        elements = elements[::-1]
    offset, count = options.limit
    shown = elements[offset:] if count < 0 else elements[offset : offset + count]
    if not options.gets:
        return options, [*shown]
    return options, [_named(state, get, each) for each in shown for get in options.gets]


@means("SORT_RO", timed=True, of_keys=False)
def _sort_ro(state: State, args: Args) -> Any:
    return _sorted(state, args)[1]


def _keys(args: Args) -> Args:
    """The key that is sorted, and the one that is stored."""
    options = _Options.of(list(args[2:]))
    return first(args) if options.store is None else (*first(args), options.store)


@means("SORT", _keys, writes=True, repeats=True, timed=True, of_keys=False)
def _sort(state: State, args: Args) -> Any:
    options, found = _sorted(state, args)
    if options.store is None:
        return found
    return state.replace(options.store, [each or b"" for each in found])
