"""A handler's signature, read as the grammar of its command.

The first parameter is what the handler works on and no argument of the command: the selected database, or the
whole context of the call if it is named ``call``. Parameters annotated `Key` are keys. ``*more``
makes the arity open. The docstring's first line is the help.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NewType, get_args

import attrs

from trikv.machine.keyspec import Index, KeySpec, Range

Key = NewType("Key", bytes)
"""Annotates the parameters that are keys."""


@attrs.frozen
class Shape:
    """What a signature says."""

    words: int
    whole: bool
    arity: int
    specs: tuple[KeySpec, ...]
    key_names: tuple[str, ...]
    fixed: tuple[str, ...]
    open: str
    summary: str
    looks: bool
    """It may return a `LongRead`: what it answers from may be many keys or elements."""

    @classmethod
    def of(
        cls, handler: Callable[..., Any], *, words: int, step: int, open_least: int, access: Sequence[str]
    ) -> "Shape":
        """Read `handler`. `access`: of all keys together, or of each."""
        signature = inspect.signature(handler)
        answers = signature.return_annotation
        context, *parameters = signature.parameters.values()
        open_end = [p.name for p in parameters if p.kind is p.VAR_POSITIONAL]
        # An underscore at the end keeps a name apart from one of Python's.
        fixed = tuple(p.name.rstrip("_") for p in parameters if p.kind is not p.VAR_POSITIONAL)
        places = [words + i for i, p in enumerate(parameters) if p.annotation is Key]
        is_open = bool(open_end) and parameters[-1].annotation is Key
        assert open_end or not open_least, "only an open end may hold more"
        least = words + len(fixed) + open_least
        return cls(
            words=words,
            whole=context.name == "call",
            arity=-least if open_end else least,
            specs=_specs(places, step, access, is_open=is_open),
            key_names=tuple(p.name for p in parameters if p.annotation is Key),
            fixed=fixed,
            open=f"[{open_end[0].removesuffix('s')} ...]" if open_end else "",
            summary=(inspect.getdoc(handler) or "").partition("\n")[0],
            looks=any(getattr(each, "__name__", "") == "LongRead" for each in get_args(answers)),
        )


def _specs(places: Sequence[int], step: int, access: Sequence[str], *, is_open: bool) -> tuple[KeySpec, ...]:
    """The keys at these places, which follow each other in steps."""
    if not places:
        return ()
    if len(access) > 1:
        return tuple(KeySpec(Index(at), Range(), how) for at, how in zip(places, access, strict=True))
    last = -1 if is_open else places[-1] - places[0]
    return (KeySpec(Index(places[0]), Range(last, step), access[0]),)
