"""The log of a process: structlog to stderr, one line an event, ``key=value``, for people and for grep."""

import sys
from collections.abc import MutableMapping
from typing import Any

import structlog


def configure() -> None:
    """Send every event of this process to stderr. Called once, by the command that runs a node."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%S.%fZ", utc=True),
            structlog.processors.format_exc_info,
            render,
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def render(_logger: object, _method: str, event: MutableMapping[str, Any]) -> str:
    """Turn an event into ``2026-01-02T03:04:05.678901Z warning disk is full node=2 path='a b'``.

    A traceback follows on lines of its own. Only our own bugs have one.
    """
    trace = event.pop("exception", None)
    head = f"{event.pop('timestamp', '')} {event.pop('level', ''):<7} {event.pop('event', '')}"
    pairs = "".join(f" {key}={_value(value)}" for key, value in event.items())
    return head + pairs + (f"\n{trace}" if trace else "")


def _value(value: object) -> str:
    """A value as one word, quoted if it would not be read as one: an event must stay one line."""
    text = str(value)
    if text and text.isprintable() and not any(character in " \"'=" for character in text):
        return text
    return repr(text)
