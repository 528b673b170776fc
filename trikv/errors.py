"""The trees of exceptions that nurseries raise, told to a person in one line."""

from collections.abc import Iterator
from typing import Final

NO_THREADS: Final = "no more threads can be started (ulimit -u; or ulimit -v: each needs address space, too)"
"""Python does not say which limit it was."""


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The exceptions in a tree of groups, in order."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error


def first_line(error: BaseException) -> str:
    """What the first exception in `error` says, on one line."""
    first = next(leaves(error))
    text = str(first)
    if isinstance(first, OSError) and first.strerror:
        text = f"{first.filename}: {first.strerror}" if first.filename else first.strerror
    return " ".join(text.split()) or type(first).__name__
