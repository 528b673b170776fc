"""What is known of one setting, and how a field of `trikv.config.NodeConfig` declares one."""

from collections.abc import Callable
from typing import Any

import attrs

from trikv import notation


@attrs.frozen
class Setting:
    """What one setting means: how its text is read, and which values are allowed."""

    reason: str
    """What it does and why the default is what it is; the help line."""
    parse: Callable[[str], Any]
    """Reads the text. Its ValueError says what is wrong with it."""
    unit: str = ""
    low: int | None = None
    high: int | None = None
    choices: tuple[str, ...] = ()
    secret: bool = False
    """Never shown: not in a log, not in a command that is printed."""
    may_be_empty: bool = True
    """False: an empty text is refused. It comes from a variable that was never set, and would fail open."""


def whole_number(reason: str, default: int, low: int, high: int, unit: str = "") -> Any:
    """Declare a whole number from `low` to `high`."""
    setting = Setting(reason, notation.parse_integer, unit, low, high)
    return attrs.field(default=default, metadata={"setting": setting})


def size(reason: str, default: int, low: int, high: int) -> Any:
    """Declare a number of bytes, from `low` to `high`; people may write ``256mb``."""
    setting = Setting(reason, notation.parse_bytes, "bytes", low, high)
    return attrs.field(default=default, metadata={"setting": setting})


def path(reason: str, default: str, parse: Callable[[str], str] = notation.parse_path) -> Any:
    """Declare text that `parse` understands, most often a path."""
    return attrs.field(default=default, metadata={"setting": Setting(reason, parse)})


def text(
    reason: str,
    default: str,
    choices: tuple[str, ...] = (),
    *,
    secret: bool = False,
    may_be_empty: bool = True,
) -> Any:
    """Declare a setting whose value is any text, or one of `choices` if there are any."""
    setting = Setting(reason, str, choices=choices, secret=secret, may_be_empty=may_be_empty)
    return attrs.field(default=default, repr=not secret, metadata={"setting": setting})
